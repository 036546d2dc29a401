using Oriel.Protocol;
using Oriel.Server.Configuration;
using Oriel.Server.Http;

namespace Oriel.Server.Auth;

/// <summary>
/// What every request passes before anything else: a Host that is ours (against DNS rebinding), security headers, a token or a session.
/// A session's cookie alone gets the page and nothing else: all of the API needs its second secret too, as the header X-Oriel or a
/// WebSocket's subprotocol, and its state changes an Origin that is ours (against cross-site requests).
/// </summary>
internal sealed class RequestGuard(RequestDelegate next, TokenService tokens, ServeOptions options)
{
    public const string Cookie = "oriel-session";
    public const string SecretHeader = "X-Oriel";
    private const string Bearer = "Bearer ";
    private const string SocketBearer = "oriel.bearer.";
    private const string SocketSecret = "oriel.session.";
    private const string Csp =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; "
        + "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    // Scalar's page starts itself by an inline script and styles itself; it is behind sign-in and shows no outside content.
    private const string DocsCsp =
        "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    private readonly HashSet<string> _hosts = new(HostNames(options), StringComparer.OrdinalIgnoreCase);

    public async Task InvokeAsync(HttpContext context)
    {
        var path = context.Request.Path;
        AddHeaders(context.Response.Headers, path);
        if (!_hosts.Contains(context.Request.Host.Host))
        {
            await Problems.WriteAsync(
                context,
                StatusCodes.Status421MisdirectedRequest,
                RequestReasons.WrongHost,
                "This server does not go by that name (option --host)."
            );
            return;
        }

        if (context.WebSockets.IsWebSocketRequest && !HasOwnOrigin(context, required: BearerOf(context) is null))
        {
            await Problems.WriteAsync(
                context,
                StatusCodes.Status403Forbidden,
                RequestReasons.WrongOrigin,
                "A WebSocket must come from this server's own page."
            );
            return;
        }

        if (PublicPaths.Contains(context, options))
        {
            await next(context);
            return;
        }

        var (sender, caller) = await AuthenticateAsync(context);
        switch (sender)
        {
            case Sender.Token:
                await ServeAsync(context, caller!);
                return;
            case Sender.SignedIn when ChangesState(context.Request.Method) && !HasOwnOrigin(context, required: true):
                await Problems.WriteAsync(
                    context,
                    StatusCodes.Status403Forbidden,
                    RequestReasons.CrossSite,
                    "A change by the page needs its own Origin."
                );
                return;
            case Sender.Cookie:
                await RefuseAsync(
                    context,
                    RequestReasons.SignedOut,
                    $"The session's cookie came without its secret ({SecretHeader}): sign in again on this page."
                );
                return;
            case Sender.SignedIn:
                await ServeAsync(context, caller!);
                return;
            case Sender.Stranger:
                await RefuseAsync(
                    context,
                    RequestReasons.TokenUnknown,
                    "This is not this server's token, or not any more. ./oriel token prints it; where the server was started with --data DIR: ./oriel token --data DIR."
                );
                return;
            default:
                await RefuseAsync(
                    context,
                    RequestReasons.SignedOut,
                    "Sign in, or send the token as Authorization: Bearer (./oriel token)."
                );
                return;
        }
    }

    private static IEnumerable<string> HostNames(ServeOptions options) =>
        new[] { "localhost", "127.0.0.1", "[::1]" }
            .Concat(options.Hosts)
            .Concat(
                options
                    .PublicAddresses.Append(options.Bind)
                    .Select(a => a.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{a}]" : a.ToString())
            );

    private static bool ChangesState(string method) =>
        !(HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method));

    /// <summary>The token of the header, or of a WebSocket's subprotocol.</summary>
    private static string? BearerOf(HttpContext context)
    {
        var authorization = context.Request.Headers.Authorization.ToString();
        if (authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
        {
            return authorization[Bearer.Length..].Trim();
        }

        return SubprotocolOf(context, SocketBearer);
    }

    private static bool HasOwnOrigin(HttpContext context, bool required)
    {
        var origin = context.Request.Headers.Origin.ToString();
        return origin.Length == 0 ? !required : origin == $"{context.Request.Scheme}://{context.Request.Host}";
    }

    private static void AddHeaders(IHeaderDictionary headers, PathString path)
    {
        headers.ContentSecurityPolicy = path.StartsWithSegments("/api/docs") ? DocsCsp : Csp;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()";
        if (path.StartsWithSegments("/api"))
        {
            headers.CacheControl = "no-store";
        }
    }

    private async Task ServeAsync(HttpContext context, Caller caller)
    {
        await caller.RunAsync(context, next);
        if (caller.IsCut && !context.Response.HasStarted)
        {
            context.Response.Clear();
            AddHeaders(context.Response.Headers, context.Request.Path);
            await (
                caller.SessionId is null
                    ? RefuseAsync(context, RequestReasons.TokenUnknown, "The token was replaced meanwhile (./oriel token).")
                    : RefuseAsync(context, RequestReasons.SignedOut, "The session has ended meanwhile.")
            );
        }
    }

    private async ValueTask<(Sender Sender, Caller? Caller)> AuthenticateAsync(HttpContext context)
    {
        var bearer = BearerOf(context);
        if (bearer is not null || context.Request.Headers.Authorization.Count > 0)
        {
            // Not limited: 256 bits cannot be guessed, and who fails on purpose must not lock out who shares the address.
            return bearer is null ? (Sender.Nobody, null)
                : tokens.CallerOfToken(bearer) is { } known ? (Sender.Token, known)
                : (Sender.Stranger, null);
        }

        if (context.Request.Cookies[Cookie] is not { } cookie || await tokens.CallerOfCookieAsync(cookie) is not { } caller)
        {
            return (Sender.Nobody, null);
        }

        return (IsPage(context.Request) || caller.IsPageSecret(cookie, SecretOf(context)) ? Sender.SignedIn : Sender.Cookie, caller);
    }

    /// <summary>The page's own files and the API's description, which a person opens in a tab. Nothing of a desktop is in them.</summary>
    private static bool IsPage(HttpRequest request) =>
        !ChangesState(request.Method)
        && (
            !(
                request.Path.StartsWithSegments("/api")
                || request.Path.StartsWithSegments("/metrics")
                || request.Path.StartsWithSegments("/health")
            ) || request.Path.StartsWithSegments("/api/docs")
        );

    private static string SecretOf(HttpContext context) =>
        SubprotocolOf(context, SocketSecret) ?? context.Request.Headers[SecretHeader].ToString();

    /// <summary>A page cannot give a WebSocket headers.</summary>
    private static string? SubprotocolOf(HttpContext context, string prefix)
    {
        var protocols = context.WebSockets.IsWebSocketRequest ? context.WebSockets.WebSocketRequestedProtocols : [];
        return protocols.FirstOrDefault(protocol => protocol.StartsWith(prefix, StringComparison.Ordinal))?[prefix.Length..];
    }

    private static Task RefuseAsync(HttpContext context, string reason, string detail)
    {
        var path = context.Request.Path;
        if (
            path.StartsWithSegments("/api")
            || path.StartsWithSegments("/openapi")
            || path.StartsWithSegments("/metrics")
            || path.StartsWithSegments("/health")
            || ChangesState(context.Request.Method)
        )
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            return Problems.WriteAsync(context, StatusCodes.Status401Unauthorized, reason, detail);
        }

        // The sign-in page leads back to the page that was asked for.
        context.Response.Redirect(path == "/" ? PublicPaths.SignIn : $"{PublicPaths.SignIn}?return={Uri.EscapeDataString(path)}");
        return Task.CompletedTask;
    }

    private enum Sender
    {
        Nobody,

        /// <summary>Who has a token, of another server or of none.</summary>
        Stranger,
        Token,

        /// <summary>A session's cookie without the session's other secret.</summary>
        Cookie,
        SignedIn,
    }
}
