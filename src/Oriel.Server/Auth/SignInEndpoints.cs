using System.Net;
using System.Reflection;
using System.Text.Json.Serialization;
using Oriel.Desktops.Registry;
using Oriel.Protocol;
using Oriel.Server.Configuration;
using Oriel.Server.Http;

namespace Oriel.Server.Auth;

internal static class SignInEndpoints
{
    private const long MaxBody = 4096;

    public static string Version { get; } =
        (Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split(
            '+'
        )[0];

    public static void MapSignIn(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/session").WithTags("Session");
        group.MapGet("", Get).WithName("GetSession").WithSummary("Who is signed in, and the server's limits").Produces<SignInResponse>();
        group
            .MapPost("", SignInAsync)
            .WithName("SignIn")
            .WithSummary("Trade a one-time or the API token for the page's cookie and its secret, which goes with each request as X-Oriel")
            .Takes<SignInRequest>(MaxBody)
            .Produces<SignedInResponse>()
            .ProducesProblem(429);
        group
            .MapDelete("", SignOutAsync)
            .WithName("SignOut")
            .WithSummary("End the page's session")
            .Produces(StatusCodes.Status204NoContent);
    }

    private static IResult Get(DesktopService desktops) =>
        Results.Json(
            new SignInResponse(true, Version, desktops.Options.MaxDesktops, desktops.Count),
            AuthJsonContext.Default.SignInResponse
        );

    private static async Task<IResult> SignInAsync(HttpContext context, TokenService tokens, SignInLimiter limiter, ServeOptions options)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        var origin = context.Request.Headers.Origin.ToString();
        if (origin.Length > 0 && origin != $"{context.Request.Scheme}://{context.Request.Host}")
        {
            return Problems.Of(StatusCodes.Status403Forbidden, RequestReasons.CrossSite, "Sign-in must come from this server's own page.");
        }

        var (request, problem) = await JsonBody.ReadAsync(context, AuthJsonContext.Default.SignInRequest);
        if (request is null)
        {
            return problem!;
        }

        // An IPv4 client of a socket for both has its address written as IPv6.
        var from = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
        var browser = BrowserName.Of(context.Request.Headers.UserAgent.ToString());
        if (await tokens.SignInAsync(request.Token ?? "", from, browser, context.RequestAborted) is not { } session)
        {
            // Asked only after the token: who fails on purpose must not lock out whoever shares the address.
            if (!limiter.MayFail(address))
            {
                context.Response.Headers.RetryAfter = ((int)SignInLimiter.Refill.TotalSeconds).ToString(
                    System.Globalization.CultureInfo.InvariantCulture
                );
                return Problems.Of(
                    StatusCodes.Status429TooManyRequests,
                    RequestReasons.TooManyAttempts,
                    "Too many failed sign-ins; wait a little."
                );
            }

            return Problems.Of(
                StatusCodes.Status401Unauthorized,
                RequestReasons.BadToken,
                "The token is wrong, was used already, or is too old. Get a new one: ./oriel token --new-signin"
            );
        }

        context.Response.Cookies.Append(RequestGuard.Cookie, session.Cookie, CookieOptions(options));
        context.Response.Headers.CacheControl = "no-store";
        return Results.Json(new SignedInResponse(session.Secret), AuthJsonContext.Default.SignedInResponse);
    }

    private static async Task<IResult> SignOutAsync(HttpContext context, TokenService tokens, ServeOptions options)
    {
        var caller = Caller.Of(context);
        if (caller.SessionId is { } session)
        {
            caller.Outlive(context);
            await tokens.EndSessionAsync(session, context.RequestAborted);
        }

        context.Response.Cookies.Delete(RequestGuard.Cookie, CookieOptions(options));
        return Results.NoContent();
    }

    public static CookieOptions CookieOptions(ServeOptions options) =>
        new()
        {
            HttpOnly = true,
            Secure = options.IsHttps,
            SameSite = SameSiteMode.Strict,
            Path = "/",
            MaxAge = TokenService.SessionLifetime,
        };
}

internal sealed record SignInRequest(string? Token);

/// <param name="Secret">For the header X-Oriel of this session's requests.</param>
internal sealed record SignedInResponse(string Secret);

internal sealed record SignInResponse(bool SignedIn, string Version, int MaxDesktops, int Desktops);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false
)]
[JsonSerializable(typeof(SignInRequest))]
[JsonSerializable(typeof(SignInResponse))]
[JsonSerializable(typeof(SignedInResponse))]
[JsonSerializable(typeof(SessionListResponse))]
[JsonSerializable(typeof(ReplacedTokenResponse))]
internal sealed partial class AuthJsonContext : JsonSerializerContext;
