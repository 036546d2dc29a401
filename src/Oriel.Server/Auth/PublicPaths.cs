using System.Net;
using Oriel.Server.Configuration;

namespace Oriel.Server.Auth;

/// <summary>
/// What is served without sign-in: the sign-in page with its assets, the sign-in itself, on loopback health and metrics, and what OPTIONS
/// says of WHEP's addresses: a preflight carries no sign-in (Fetch, CORS protocol).
/// </summary>
internal static class PublicPaths
{
    public const string SignIn = "/signin";
    private const string SignInAssets = "/assets/signin";
    private const string Icons = "/favicon.";

    public static bool Contains(HttpContext context, ServeOptions options)
    {
        var path = context.Request.Path.Value ?? "";
        if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
        {
            return path == SignIn
                || path.StartsWith(SignInAssets, StringComparison.Ordinal)
                || path.StartsWith(Icons, StringComparison.Ordinal)
                || (IPAddress.IsLoopback(options.Bind) && path is "/health/live" or "/health/ready" or "/metrics");
        }

        return HttpMethods.IsOptions(context.Request.Method)
            ? path.Split('/') is ["", "api", "desktops", _, "whep"] or ["", "api", "desktops", _, "whep", _]
            : path == "/api/session" && HttpMethods.IsPost(context.Request.Method);
    }
}
