using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Oriel.Desktop.Tests;

/// <summary>
/// An OAuth provider (OpenIddict) for a native app with a loopback redirect and PKCE (RFC 8252): the page that it shows is one
/// green button, which a person has to press.
/// </summary>
internal static class IdentityProvider
{
    public const string Host = "id.test";
    public const string ClientId = "native-app";

    /// <summary>Colour of the button that fills the sign-in page.</summary>
    public static readonly (int R, int G, int B) Button = (10, 200, 90);

    public static void AddServices(IServiceCollection services) =>
        services
            .AddOpenIddict()
            .AddServer(server =>
            {
                server.SetAuthorizationEndpointUris("/authorize").SetTokenEndpointUris("/token");
                server.AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange();
                server.AddEphemeralEncryptionKey().AddEphemeralSigningKey().DisableAccessTokenEncryption();
                server.EnableDegradedMode();
                server.UseAspNetCore().EnableAuthorizationEndpointPassthrough();
                server.AddEventHandler<ValidateAuthorizationRequestContext>(handler =>
                    handler.UseInlineHandler(context =>
                    {
                        var loopback =
                            Uri.TryCreate(context.RedirectUri, UriKind.Absolute, out var uri)
                            && uri is { Scheme: "http", Host: "127.0.0.1" };
                        if (context.ClientId != ClientId || !loopback)
                        {
                            context.Reject(Errors.InvalidClient, "Only the native app with a loopback redirect is known.");
                        }

                        return default;
                    })
                );
                server.AddEventHandler<ValidateTokenRequestContext>(handler =>
                    handler.UseInlineHandler(context =>
                    {
                        if (context.ClientId != ClientId)
                        {
                            context.Reject(Errors.InvalidClient, "Unknown client.");
                        }

                        return default;
                    })
                );
            });

    public static void Map(WebApplication app)
    {
        app.UseAuthentication();
        app.MapGet(
            "/authorize",
            (HttpContext context) =>
                context.Request.Query.ContainsKey("approve") ? SignIn() : Results.Content(Form(context.Request.Query), "text/html")
        );
    }

    private static IResult SignIn()
    {
        var identity = new ClaimsIdentity("test", Claims.Name, Claims.Role);
        identity.SetClaim(Claims.Subject, "person-1").SetDestinations(_ => [Destinations.AccessToken]);
        return Results.SignIn(new ClaimsPrincipal(identity), authenticationScheme: OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
    }

    private static string Form(IQueryCollection query)
    {
        var kept = string.Concat(
            query.Select(field =>
                $"<input type=hidden name=\"{WebUtility.HtmlEncode(field.Key)}\" value=\"{WebUtility.HtmlEncode(field.Value)}\">"
            )
        );
        var style =
            $"*{{margin:0}}button{{position:fixed;inset:0;width:100%;height:100%;border:0;background:rgb({Button.R},{Button.G},{Button.B})}}";
        return $"<!doctype html><title>Sign in</title><style>{style}</style><form>{kept}<button name=approve value=yes>Sign in</button></form>";
    }
}
