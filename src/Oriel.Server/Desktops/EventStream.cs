using System.Globalization;
using System.Text.Json;
using Oriel.Desktops.Events;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>The events of a desktop as server-sent events (WHATWG HTML, section 9.2).</summary>
internal static class EventStream
{
    public static void MapEventStream(this IEndpointRouteBuilder group) =>
        group
            .MapGet("/events", StreamAsync)
            .WithName("GetEvents")
            .WithSummary("Events so far, then as they happen (text/event-stream)")
            .Produces<string>(200, ServerSentEvents.MediaType);

    private static async Task<IResult> StreamAsync(RouteDesktop route, HttpContext context, IHostApplicationLifetime lifetime)
    {
        long.TryParse(context.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out var after);
        ServerSentEvents.Begin(context.Response);
        if (context.WantsHeadOnly())
        {
            return Results.Empty;
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            await ServerSentEvents.WriteAsync(
                context.Response,
                route.Desktop.Events.ReadAsync(after, ended.Token).Select(TextOf),
                ended.Token
            );
        }
        catch (OperationCanceledException)
        {
            // The reader went, or the server stops: it comes again with its last id.
        }

        return Results.Empty;
    }

    private static string TextOf(DesktopEvent item)
    {
        object data = item.Data is EgressEvent egress ? egress.Entry : item.Data;
        var json = JsonSerializer.Serialize(data, DesktopsJsonContext.Default.GetTypeInfo(data.GetType())!);
        return string.Create(CultureInfo.InvariantCulture, $"id: {item.Sequence}\nevent: {item.Type}\ndata: {json}\n\n");
    }
}
