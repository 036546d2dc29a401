using System.Diagnostics;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Oriel.Desktop.Tests;

/// <summary>What programs fetch from the outside world: a repository of git, of pip and of npm, an event stream, an upload's end.</summary>
internal static class ProgramSite
{
    public const string Reached = "reached by a program";
    public const string Package = "oriel-test-package";
    public const string Module = "oriel_test_package";

    /// <summary>Longer than the minute that many time-outs have, and silent meanwhile.</summary>
    public const int SilentSeconds = 65;

    private const string Folder = "/programs";
    private const string Wheel = Module + "-1.0-py3-none-any.whl";

    /// <summary>Answers of the site that stand for a refused upload.</summary>
    private const string TooLarge = "the upload is refused";

    public static string UrlOf(TestSite site) => site.Url.TrimEnd('/') + Folder;

    public static void Map(WebApplication app)
    {
        var site = app.MapGroup(Folder);
        site.MapGet("/reached", () => Reached);
        site.MapGet("/protocol", (HttpRequest request) => request.Protocol);
        site.MapPost(
            "/upload",
            async (HttpContext context) =>
            {
                // Before any of the body was read; what is still on its way is not waited for.
                context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
                await context.Response.WriteAsync(TooLarge);
                await context.Response.CompleteAsync();
            }
        );
        site.MapGet("/events", SendEventsAsync);
        MapPip(site);
        MapNpm(site);
        var repository = new Lazy<string>(MakeRepository);
        app.Lifetime.ApplicationStopped.Register(() =>
        {
            if (repository.IsValueCreated)
            {
                Directory.Delete(Path.GetDirectoryName(repository.Value)!, recursive: true);
            }
        });
        site.MapGet(
            "/repository.git/{**path}",
            (string path) =>
                Path.GetFullPath(Path.Combine(repository.Value, path)) is var file
                && file.StartsWith(repository.Value, StringComparison.Ordinal)
                && File.Exists(file)
                    ? Results.File(file, "application/octet-stream")
                    : Results.NotFound()
        );
    }

    private static async Task SendEventsAsync(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync("data: first\n\n");
        await context.Response.Body.FlushAsync();
        await Task.Delay(TimeSpan.FromSeconds(SilentSeconds), context.RequestAborted);
        await context.Response.WriteAsync("data: last\n\n");
    }

    /// <summary>A simple repository (PEP 503) of one wheel (PEP 427).</summary>
    private static void MapPip(IEndpointRouteBuilder site)
    {
        using var packed = new MemoryStream();
        using (var zip = new ZipArchive(packed, ZipArchiveMode.Create, leaveOpen: true))
        {
            Write(zip, $"{Module}.py", $"greeting = '{Reached}'\n");
            Write(zip, $"{Module}-1.0.dist-info/METADATA", $"Metadata-Version: 2.1\nName: {Package}\nVersion: 1.0\n");
            Write(zip, $"{Module}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
            Write(zip, $"{Module}-1.0.dist-info/RECORD", $"{Module}.py,,\n");
        }

        var wheel = packed.ToArray();
        site.MapGet($"/pip/{Package}/", () => Results.Content($"<a href=\"{Wheel}\">{Wheel}</a>", "text/html"));
        site.MapGet($"/pip/{Package}/{Wheel}", () => Results.Bytes(wheel));
    }

    /// <summary>A registry of one package, as npm asks for it.</summary>
    private static void MapNpm(IEndpointRouteBuilder site)
    {
        const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var tarball = DebianRepository.Pack(
            ("package/package.json", Mode, $$"""{"name":"{{Package}}","version":"1.0.0","main":"index.js"}"""),
            ("package/index.js", Mode, $"module.exports = '{Reached}';\n")
        );
        var integrity = "sha512-" + Convert.ToBase64String(SHA512.HashData(tarball));
        site.MapGet(
            $"/npm/{Package}",
            (HttpRequest request) =>
                Results.Content(
                    $$"""
                    {
                      "name": "{{Package}}",
                      "dist-tags": { "latest": "1.0.0" },
                      "versions": {
                        "1.0.0": {
                          "name": "{{Package}}",
                          "version": "1.0.0",
                          "dist": { "tarball": "https://{{request.Host}}{{Folder}}/npm/{{Package}}.tgz", "integrity": "{{integrity}}" }
                        }
                      }
                    }
                    """,
                    "application/json"
                )
        );
        site.MapGet($"/npm/{Package}.tgz", () => Results.Bytes(tarball));
    }

    /// <summary>A bare repository as git fetches it from a server that knows nothing of git.</summary>
    private static string MakeRepository()
    {
        var directory = Directory.CreateTempSubdirectory("oriel-repository-").FullName;
        File.WriteAllText(Path.Combine(directory, "greeting"), Reached);
        Git(directory, "init", "--quiet");
        Git(directory, "add", "greeting");
        Git(directory, "-c", "user.name=Test", "-c", "user.email=test@site.test", "commit", "--quiet", "--message", "one");
        Git(directory, "clone", "--quiet", "--bare", ".", "bare.git");
        var bare = Path.Combine(directory, "bare.git");
        Git(bare, "update-server-info");
        return bare;
    }

    private static void Git(string directory, params string[] arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = directory })!;
        git.WaitForExit();
        if (git.ExitCode != 0)
        {
            throw new InvalidOperationException($"git {string.Join(' ', arguments)}: {git.ExitCode}");
        }
    }

    private static void Write(ZipArchive zip, string name, string content)
    {
        using var entry = new StreamWriter(zip.CreateEntry(name).Open());
        entry.Write(content);
    }
}
