using System.Globalization;
using System.Text.Json;
using Oriel.Desktops.Events;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>The events of a desktop as server-sent events (WHATWG HTML, section 9.2).</summary>
internal static class EventStream
{
    /// <summary>A comment goes out this often, so that proxies and the client see a living connection.</summary>
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    public static void MapEventStream(this IEndpointRouteBuilder group) =>
        group
            .MapGet("/events", StreamAsync)
            .WithName("GetEvents")
            .WithSummary("Events so far, then as they happen (text/event-stream)")
            .Produces<string>(200, "text/event-stream");

    private static async Task<IResult> StreamAsync(RouteDesktop route, HttpContext context, IHostApplicationLifetime lifetime)
    {
        long.TryParse(context.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out var after);
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        if (context.WantsHeadOnly())
        {
            return Results.Empty;
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            await WriteAsync(context.Response, route.Desktop.Events.ReadAsync(after, ended.Token), ended.Token);
        }
        catch (OperationCanceledException)
        {
            // The reader went, or the server stops: it comes again with its last id.
        }

        return Results.Empty;
    }

    private static async Task WriteAsync(HttpResponse response, IAsyncEnumerable<DesktopEvent> events, CancellationToken cancellationToken)
    {
        await response.WriteAsync("retry: 1000\n\n", cancellationToken);
        await response.Body.FlushAsync(cancellationToken);
        await using var items = events.GetAsyncEnumerator(cancellationToken);
        var next = items.MoveNextAsync().AsTask();
        try
        {
            while (true)
            {
                if (!next.IsCompleted)
                {
                    await response.Body.FlushAsync(cancellationToken);
                    if (await Task.WhenAny(next, Task.Delay(KeepAlive, cancellationToken)) != next)
                    {
                        await response.WriteAsync(": still here\n\n", cancellationToken);
                        continue;
                    }
                }

                if (!await next)
                {
                    return;
                }

                var item = items.Current;
                object data = item.Data is EgressEvent egress ? egress.Entry : item.Data;
                var json = JsonSerializer.Serialize(data, DesktopsJsonContext.Default.GetTypeInfo(data.GetType())!);
                await response.WriteAsync(
                    string.Create(CultureInfo.InvariantCulture, $"id: {item.Sequence}\nevent: {item.Type}\ndata: {json}\n\n"),
                    cancellationToken
                );
                next = items.MoveNextAsync().AsTask();
            }
        }
        finally
        {
            // An iterator must not be disposed while it moves; the token that ended us ends it as well.
            await next.ContinueWith(
                static _ => { },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
        }
    }
}
