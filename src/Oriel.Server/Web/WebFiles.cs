using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;
using Oriel.Server.Auth;
using Oriel.Server.Configuration;

namespace Oriel.Server.Web;

/// <summary>The built page: its files, <c>index.html</c> for every other path, and the sign-in page.</summary>
internal static class WebFiles
{
    /// <summary>Any path without a file's ending that is not the API's.</summary>
    private const string PagePath = "/{**path:nonfile:regex(^(?!(api|openapi|health|metrics|assets)(/|$)).*$)}";
    private const string Html = "text/html; charset=utf-8";

    public static string? FindRoot(ServeOptions options)
    {
        string[] places = options.WebRoot is { } given ? [given] : [Path.Combine(AppContext.BaseDirectory, "wwwroot"), .. OfTheCheckout()];
        return places.FirstOrDefault(place => File.Exists(Path.Combine(place, "index.html"))) is { } found ? Path.GetFullPath(found) : null;
    }

    /// <summary>
    /// Of the checkout that this program was built in (artifacts/bin/PROJECT/CONFIGURATION). Never of the folder it was started from, which
    /// may be anybody's: its scripts would run as the signed-in page.
    /// </summary>
    private static string[] OfTheCheckout()
    {
        var bin = new DirectoryInfo(AppContext.BaseDirectory).Parent?.Parent;
        return bin is { Name: "bin", Parent: { Name: "artifacts", Parent: { } root } } ? [Path.Combine(root.FullName, "web", "dist")] : [];
    }

    public static void UseWebFiles(this WebApplication app, ServeOptions options)
    {
        if (FindRoot(options) is not { } root)
        {
            app.MapGet(PublicPaths.SignIn, () => Results.Text(BuiltInSignIn.Page, Html)).ExcludeFromDescription();
            app.MapGet(BuiltInSignIn.ScriptPath, () => Results.Text(BuiltInSignIn.Script, "text/javascript; charset=utf-8"))
                .ExcludeFromDescription();
            app.MapGet("/", () => Results.Text(BuiltInSignIn.NoPage, Html)).ExcludeFromDescription();
            return;
        }

        var types = new FileExtensionContentTypeProvider { Mappings = { [".webmanifest"] = "application/manifest+json" } };
        app.UseStaticFiles(
            new StaticFileOptions
            {
                FileProvider = new PhysicalFileProvider(root),
                ContentTypeProvider = types,
                OnPrepareResponse = served =>
                    served.Context.Response.Headers.CacheControl = served.Context.Request.Path.StartsWithSegments("/assets")
                        ? "public, max-age=31536000, immutable"
                        : "no-cache",
            }
        );
        app.MapGet(PublicPaths.SignIn, () => Page(root, File.Exists(Path.Combine(root, "signin.html")) ? "signin.html" : "index.html"))
            .ExcludeFromDescription();
        app.MapGet("/", () => Page(root, "index.html")).ExcludeFromDescription();
        app.MapGet(PagePath, () => Page(root, "index.html")).WithOrder(int.MaxValue).ExcludeFromDescription();
    }

    private static IResult Page(string root, string name) => Results.File(Path.Combine(root, name), Html);
}

/// <summary>A sign-in page for a server without the built page; it keeps the API usable.</summary>
internal static class BuiltInSignIn
{
    public const string ScriptPath = "/assets/signin-built-in.js";

    public const string Page = """
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>Oriel: sign in</title><script src="/assets/signin-built-in.js" defer></script></head>
        <body><h1>Oriel</h1><form><label>Token <input name="token" autocomplete="off" required></label> <button>Sign in</button></form><p role="status"></p></body></html>
        """;

    public const string NoPage = """
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>Oriel</title></head>
        <body><h1>Oriel</h1><p>You are signed in. The page was not built: run <code>npm run build</code> in web/, or use the API (<a href="/api/docs">/api/docs</a>).</p></body></html>
        """;

    public const string Script = """
        const status = document.querySelector('[role=status]');
        async function signIn(token) {
          const answer = await fetch('/api/session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ token }) });
          const body = await answer.json();
          if (answer.ok) { localStorage.setItem('oriel.session', body.secret); location.replace('/'); } else status.textContent = body.detail;
        }
        document.querySelector('form').addEventListener('submit', e => { e.preventDefault(); signIn(new FormData(e.target).get('token')); });
        const token = new URLSearchParams(location.hash.slice(1)).get('token');
        if (token) { history.replaceState(null, '', '/signin'); signIn(token); }
        """;
}
