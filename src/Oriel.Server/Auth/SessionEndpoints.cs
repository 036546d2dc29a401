using Oriel.Protocol;
using Oriel.Server.Configuration;
using Oriel.Server.Http;

namespace Oriel.Server.Auth;

/// <summary>Who is signed in, and the end of that; another API token.</summary>
internal static class SessionEndpoints
{
    private const int MaxShownId = 64;

    public static void MapSessions(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/sessions").WithTags("Session");
        group.MapGet("", ListAsync).WithName("ListSessions").WithSummary("Who is signed in, newest first").Produces<SessionListResponse>();
        group
            .MapDelete("", EndOthersAsync)
            .WithName("EndOtherSessions")
            .WithSummary("End all sessions but the caller's own, and what they have open")
            .Produces(StatusCodes.Status204NoContent);
        group
            .MapDelete("/{session}", EndAsync)
            .WithName("EndSession")
            .WithSummary("End a session, and what it has open")
            .Produces(StatusCodes.Status204NoContent)
            .ProducesProblem(404);
        app.MapPost("/api/token/rotate", RotateAsync)
            .WithTags("Session")
            .WithName("RotateToken")
            .WithSummary("Replace the API token; ends all sessions, sign-in tokens, and what was opened by them or by the old token")
            .WithDescription("By the API token only. Of two at once one is answered 401.")
            .Produces<ReplacedTokenResponse>();
    }

    private static async Task<IResult> ListAsync(HttpContext context, TokenService tokens, CancellationToken cancellationToken)
    {
        var own = Caller.Of(context).SessionId;
        var sessions = await tokens.ListSessionsAsync(cancellationToken);
        return Results.Json(
            new SessionListResponse([
                .. sessions.Select(item => new SessionResponse(
                    item.Session.Id,
                    DateTimeOffset.FromUnixTimeMilliseconds(item.Session.CreatedAt),
                    DateTimeOffset.FromUnixTimeMilliseconds(item.LastUsedAt),
                    DateTimeOffset.FromUnixTimeMilliseconds(item.Session.ExpiresAt),
                    item.Session.Address,
                    item.Session.Browser,
                    item.Session.Id == own
                )),
            ]),
            AuthJsonContext.Default.SessionListResponse
        );
    }

    private static async Task<IResult> EndAsync(string session, HttpContext context, TokenService tokens, ServeOptions options)
    {
        var caller = Caller.Of(context);
        if (session == caller.SessionId)
        {
            caller.Outlive(context);
            context.Response.Cookies.Delete(RequestGuard.Cookie, SignInEndpoints.CookieOptions(options));
        }

        return await tokens.EndSessionAsync(session, context.RequestAborted)
            ? Results.NoContent()
            : Problems.Of(
                StatusCodes.Status404NotFound,
                RequestReasons.NoSuchSession,
                $"There is no session {session[..Math.Min(session.Length, MaxShownId)]}; it may have ended."
            );
    }

    private static async Task<IResult> EndOthersAsync(HttpContext context, TokenService tokens, CancellationToken cancellationToken)
    {
        await tokens.EndOtherSessionsAsync(Caller.Of(context).SessionId, cancellationToken);
        return Results.NoContent();
    }

    private static async Task<IResult> RotateAsync(HttpContext context, TokenService tokens, ILogger<TokenService> logger)
    {
        var caller = Caller.Of(context);
        if (caller.SessionId is not null)
        {
            return Problems.Of(
                StatusCodes.Status403Forbidden,
                RequestReasons.TokenNeeded,
                "Only the API token may replace itself: ./oriel token --rotate"
            );
        }

        caller.Outlive(context);
        if (await tokens.RotateAsync(caller.Ended, context.RequestAborted) is not { } token)
        {
            return Problems.Of(
                StatusCodes.Status401Unauthorized,
                RequestReasons.TokenUnknown,
                "The token was replaced meanwhile: ./oriel token prints the new one."
            );
        }

        logger.LogInformation("The API token was replaced; all sessions have ended.");
        return Results.Json(new ReplacedTokenResponse(token), AuthJsonContext.Default.ReplacedTokenResponse);
    }
}

/// <param name="Address">Where it was made from; empty where an earlier version made it, as is <paramref name="Browser"/>.</param>
/// <param name="Current">Whether it is the caller's own.</param>
internal sealed record SessionResponse(
    string Id,
    DateTimeOffset CreatedAt,
    DateTimeOffset LastUsedAt,
    DateTimeOffset ExpiresAt,
    string Address,
    string Browser,
    bool Current
);

internal sealed record SessionListResponse(IReadOnlyList<SessionResponse> Sessions);

internal sealed record ReplacedTokenResponse(string Token);
