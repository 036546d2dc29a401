using System.Net;
using Oriel.Server.Configuration;

namespace Oriel.Server.Auth;

/// <summary>
/// What is served without sign-in: the sign-in page with its assets, the sign-in itself, and on loopback health and metrics.
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

        return path == "/api/session" && HttpMethods.IsPost(context.Request.Method);
    }
}
