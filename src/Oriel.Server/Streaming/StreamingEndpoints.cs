using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Microsoft.OpenApi;
using Oriel.Server.Http;
using Oriel.Streaming;
using Oriel.Streaming.Picture;
using Oriel.Streaming.Settings;

namespace Oriel.Server.Streaming;

/// <summary>Media signalling: WHEP (draft-ietf-wish-whep, after RFC 9725), the same in JSON, and the WebSocket fallback.</summary>
internal static class StreamingEndpoints
{
    /// <summary>Largest body in bytes; a browser's offer has 3 to 8 kB.</summary>
    public const int MaxBodyBytes = 64 * 1024;
    private const string SdpType = "application/sdp";
    private const string FragmentType = "application/trickle-ice-sdpfrag";
    private const string SocketProtocol = "oriel.v1";

    public static IEndpointRouteBuilder MapStreaming(this IEndpointRouteBuilder app)
    {
        var group = app.MapDesktopGroup("Streaming");
        group
            .MapPost("/whep", PostWhepAsync)
            .WithName("whepOffer")
            .WithSummary("Start watching: SDP offer in, SDP answer out.")
            .TakesBody(SdpType, typeof(string))
            .Produces<string>(StatusCodes.Status201Created, SdpType)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        group
            .MapPatch("/whep/{viewer}", PatchWhepAsync)
            .WithName("whepPatch")
            .WithSummary("Trickle candidates or restart ICE.")
            .TakesBody(FragmentType, typeof(string))
            .Produces<string>(StatusCodes.Status200OK, FragmentType)
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblem(StatusCodes.Status412PreconditionFailed)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status428PreconditionRequired);
        group
            .MapDelete("/whep/{viewer}", DeleteWhepAsync)
            .WithName("whepDelete")
            .WithSummary("Stop watching.")
            .Produces(StatusCodes.Status200OK);
        MapForms(group);
        group
            .MapPost("/webrtc/offer", PostOfferAsync)
            .WithName("webrtcOffer")
            .WithSummary("Let the server make the offer.")
            .Produces<OfferResponse>()
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        group
            .MapPost("/webrtc/answer", PostAnswerAsync)
            .WithName("webrtcAnswer")
            .WithSummary("Answer the server's offer, or offer and be answered.")
            .TakesBody("application/json", typeof(AnswerRequest))
            .Produces<AnswerResponse>()
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        group
            .MapGet("/stream", GetStreamAsync)
            .WithName("stream")
            .WithSummary("H.264 and input over a WebSocket.")
            .Produces(StatusCodes.Status101SwitchingProtocols)
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        return app;
    }

    /// <summary>
    /// What WHEP wants of resources that have nothing to read (RFC 9725 sections 4.1 and 4.2). OPTIONS is served to everybody, since a
    /// preflight has no sign-in: it says nothing of a desktop, and lets no other origin in.
    /// </summary>
    private static void MapForms(RouteGroupBuilder group)
    {
        group
            .MapGet("/whep", GetWhep)
            .WithName("whepEndpoint")
            .WithSummary("Nothing to read: whether there is such a desktop.")
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblem(StatusCodes.Status410Gone);
        group
            .MapGet("/whep/{viewer}", GetWhepViewer)
            .WithName("whepSession")
            .WithSummary("Nothing to read: whether there is such a viewer.")
            .Produces(StatusCodes.Status204NoContent);
        group
            .MapMethods(
                "/whep",
                [HttpMethods.Options],
                (HttpResponse response) => Options(response, "GET, HEAD, POST, OPTIONS", "Accept-Post", SdpType)
            )
            .ExcludeFromDescription();
        group
            .MapMethods(
                "/whep/{viewer}",
                [HttpMethods.Options],
                (HttpResponse response) => Options(response, "GET, HEAD, PATCH, DELETE, OPTIONS", "Accept-Patch", FragmentType)
            )
            .ExcludeFromDescription();
    }

    /// <summary>Describes the body without the routing's own 415, which does not name the type that is wanted.</summary>
    private static RouteHandlerBuilder TakesBody(this RouteHandlerBuilder endpoint, string contentType, Type schema) =>
        endpoint
            .TakesAtMost(MaxBodyBytes)
            .AddOpenApiOperationTransformer(
                async (operation, context, cancellationToken) =>
                    operation.RequestBody = new OpenApiRequestBody
                    {
                        Required = true,
                        Content = new Dictionary<string, OpenApiMediaType>
                        {
                            [contentType] = new() { Schema = await context.GetOrCreateSchemaAsync(schema, null, cancellationToken) },
                        },
                    }
            );

    private static async Task<IResult> PostWhepAsync(RouteDesktopId route, HttpRequest request, [FromServices] StreamingService streaming)
    {
        var desktop = route.Id;
        if (!IsType(request, SdpType))
        {
            return StreamingProblems.UnsupportedType(SdpType);
        }

        await streaming.WakeAsync(desktop, request.HttpContext.RequestAborted);

        // The desktop's state comes before the body: it is the more useful answer.
        if (streaming.Refusal(desktop) is { } refusal)
        {
            return StreamingProblems.Of(refusal);
        }

        var answer = streaming.TakeOffer(desktop, await ReadBodyAsync(request), request.HttpContext.CallerEnded());
        if (answer.Error is not null)
        {
            return StreamingProblems.Of(answer);
        }

        var response = request.HttpContext.Response;
        response.Headers.ETag = answer.ETag;
        response.Headers["Accept-Patch"] = FragmentType;
        response.Headers.Location = $"{request.PathBase}/api/desktops/{desktop}/whep/{answer.Viewer}";
        response.Headers.CacheControl = "no-store";
        return Text(answer.Sdp!, SdpType, StatusCodes.Status201Created);
    }

    private static async Task<IResult> PatchWhepAsync(
        RouteDesktopId route,
        string viewer,
        HttpRequest request,
        [FromServices] StreamingService streaming
    )
    {
        var desktop = route.Id;
        if (!IsType(request, FragmentType))
        {
            return StreamingProblems.UnsupportedType(FragmentType);
        }

        var fragment = await ReadBodyAsync(request);
        if (request.Headers.IfMatch.Count == 0)
        {
            return streaming.Look(desktop, viewer) is { Error: not null } none ? StreamingProblems.Of(none) : StreamingProblems.NoIfMatch();
        }

        var outcome = streaming.PatchIce(desktop, viewer, fragment, present => Matches(request.Headers.IfMatch, present));
        if (outcome.Error is not null)
        {
            return StreamingProblems.Of(outcome);
        }

        if (outcome.Sdp is not { } answer)
        {
            return Results.NoContent(); // candidates change no ICE session, and the ETag names one (RFC 9725 section 4.3)
        }

        request.HttpContext.Response.Headers.ETag = outcome.ETag;
        return Text(answer, FragmentType, StatusCodes.Status200OK);
    }

    /// <summary>Neither type has a charset (RFC 8866 section 8.1, RFC 8840), and a player may compare the field as a whole.</summary>
    private static IResult Text(string text, string type, int status) => Results.Text(Encoding.UTF8.GetBytes(text), type, status);

    /// <summary>RFC 9110 section 13.1.1: <c>*</c>, or a list with the tag in it by strong comparison.</summary>
    private static bool Matches(StringValues ifMatch, string present) =>
        EntityTagHeaderValue.TryParseList(ifMatch, out var tags)
        && tags.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || (!tag.IsWeak && tag.Tag.Equals(present, StringComparison.Ordinal)));

    private static async Task<IResult> DeleteWhepAsync(RouteDesktopId route, string viewer, [FromServices] StreamingService streaming)
    {
        var desktop = route.Id;
        var outcome = await streaming.EndAsync(desktop, viewer);
        return outcome.Error is null ? Results.Ok() : StreamingProblems.Of(outcome);
    }

    private static IResult GetWhep(RouteDesktopId route, [FromServices] StreamingService streaming) =>
        streaming.Refusal(route.Id) is { Error: StreamingError.NoSuchDesktop or StreamingError.DesktopGone } refusal
            ? StreamingProblems.Of(refusal)
            : Results.NoContent();

    private static IResult GetWhepViewer(RouteDesktopId route, string viewer, [FromServices] StreamingService streaming) =>
        streaming.Look(route.Id, viewer) is { Error: not null } none ? StreamingProblems.Of(none) : Results.NoContent();

    private static IResult Options(HttpResponse response, string methods, string takes, string type)
    {
        response.Headers.Allow = methods;
        response.Headers[takes] = type;
        return Results.Ok();
    }

    private static async Task<IResult> PostOfferAsync(RouteDesktopId route, HttpContext context, [FromServices] StreamingService streaming)
    {
        var desktop = route.Id;
        await streaming.WakeAsync(desktop, context.RequestAborted);
        var offer = streaming.MakeOffer(desktop, context.CallerEnded());
        return offer.Error is not null
            ? StreamingProblems.Of(offer)
            : Results.Json(
                new OfferResponse(offer.Viewer, new SessionDescription(offer.Sdp, "offer"), CandidatesOf(offer)),
                StreamingEndpointsJsonContext.Default.OfferResponse
            );
    }

    private static async Task<IResult> PostAnswerAsync(RouteDesktopId route, HttpContext context, [FromServices] StreamingService streaming)
    {
        var desktop = route.Id;
        var (message, problem) = await JsonBody.ReadAsync(context, StreamingEndpointsJsonContext.Default.AnswerRequest);
        if (message is null)
        {
            return problem!;
        }

        switch (message)
        {
            case { Offer: { Sdp: { Length: > 0 } offer, Type: null or "offer" }, Answer: null }:
                await streaming.WakeAsync(desktop, context.RequestAborted);
                var answer = streaming.TakeOffer(desktop, offer, context.CallerEnded());
                return answer.Error is not null
                    ? StreamingProblems.Of(answer)
                    : Results.Json(
                        new AnswerResponse(answer.Viewer, new SessionDescription(answer.Sdp, "answer"), CandidatesOf(answer)),
                        StreamingEndpointsJsonContext.Default.AnswerResponse
                    );
            case { Viewer: { } viewer, Answer: { Sdp: { Length: > 0 } taken, Type: null or "answer" }, Offer: null }:
                var outcome = streaming.TakeAnswer(desktop, viewer, taken);
                return outcome.Error is not null ? StreamingProblems.Of(outcome) : Results.NoContent();
            default:
                return StreamingProblems.BadRequest(
                    "The body must be {\"viewer\",\"answer\":{\"sdp\",\"type\"}} or {\"offer\":{\"sdp\",\"type\"}}."
                );
        }
    }

    private static async Task<IResult> GetStreamAsync(
        RouteDesktopId route,
        HttpContext context,
        [FromServices] StreamingService streaming,
        [FromServices] IHostApplicationLifetime lifetime
    )
    {
        var desktop = route.Id;
        await streaming.WakeAsync(desktop, context.RequestAborted);
        var refusal = streaming.TakePlace(desktop, out var taken);
        using var place = taken;
        if (refusal is not null)
        {
            return StreamingProblems.Of(refusal);
        }

        if (!context.WebSockets.IsWebSocketRequest || !context.WebSockets.WebSocketRequestedProtocols.Contains(SocketProtocol))
        {
            return StreamingProblems.BadRequest($"This is a WebSocket of the subprotocol {SocketProtocol}.");
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = SocketProtocol });
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        await streaming.ServeSocketAsync(desktop, socket, ending.Token);
        return Results.Empty;
    }

    private static List<IceCandidate> CandidatesOf(Signalled signalled) =>
        [.. signalled.Candidates.Select(candidate => new IceCandidate(candidate, "0", 0))];

    private static bool IsType(HttpRequest request, string type) =>
        request.ContentType is { } given && given.Split(';')[0].Trim().Equals(type, StringComparison.OrdinalIgnoreCase);

    /// <summary>Bounded by <see cref="MaxBodyBytes"/>: the server beneath refuses what is longer.</summary>
    private static async Task<string> ReadBodyAsync(HttpRequest request)
    {
        using var reader = new StreamReader(request.Body, Encoding.UTF8, detectEncodingFromByteOrderMarks: false);
        return await reader.ReadToEndAsync(request.HttpContext.RequestAborted);
    }
}
