using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>
/// What people run in a desktop, installed there from Debian's own mirror, each to the test site over HTTPS. Some know the proxy's
/// variables, some do not: those are led there without knowing.
/// </summary>
[Collection(RingCollection.Name)]
public sealed class ProgramTests(Ring ring)
{
    private const string Packages = "wget git ca-certificates python3 python3-pip nodejs golang-go default-jdk-headless";

    private static readonly TimeSpan Installation = TimeSpan.FromMinutes(15);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Each with what it must print; $SITE is the site.</summary>
    private static readonly (string Name, string Script, string Expected)[] Programs =
    [
        ("curl", "curl -sS $SITE/reached", ProgramSite.Reached),
        ("curl, HTTP/2 within CONNECT", "curl -sS --http2 -w ' %{http_version}' $SITE/protocol", "HTTP/2 2"),
        ("curl, without the proxy's variables", "env -u HTTPS_PROXY -u https_proxy curl -sS $SITE/reached", ProgramSite.Reached),
        (
            "curl, an upload that is refused early",
            "head -c 50000000 /dev/zero | curl -sS -H 'Expect:' -o /dev/null -w '%{http_code}' --http1.1 -T - -X POST $SITE/upload 2>/dev/null",
            "413"
        ),
        ("wget", "wget -q -O - $SITE/reached", ProgramSite.Reached),
        ("git", "git clone -q $SITE/repository.git && cat repository/greeting", ProgramSite.Reached),
        (
            "pip",
            $"""
            pip install -q --disable-pip-version-check --target pip --index-url $SITE/pip/ {ProgramSite.Package} &&
            PYTHONPATH=pip python3 -c 'import {ProgramSite.Module}; print({ProgramSite.Module}.greeting, end="")'
            """,
            ProgramSite.Reached
        ),
        (
            "npm",
            $"""
            mkdir npm && cd npm && node ../package/bin/npm-cli.js install --silent --no-audit --no-fund --registry $SITE/npm/ {ProgramSite.Package} >&2 &&
            node -e 'process.stdout.write(require("{ProgramSite.Package}"))'
            """,
            ProgramSite.Reached
        ),
        (
            "Python's urllib",
            """python3 -c 'import os, urllib.request; print(urllib.request.urlopen(os.environ["SITE"] + "/reached").read().decode(), end="")'""",
            ProgramSite.Reached
        ),
        (
            "Python's asyncio, which knows no proxy",
            """
            python3 - <<'END'
            import asyncio, os, ssl, urllib.parse
            site = urllib.parse.urlsplit(os.environ["SITE"])
            async def main():
                reader, writer = await asyncio.open_connection(site.hostname, site.port, ssl=ssl.create_default_context())
                writer.write(f"GET {site.path}/reached HTTP/1.0\r\nHost: {site.netloc}\r\n\r\n".encode())
                answer = await reader.read()
                print(answer.split(b"\r\n\r\n")[-1].decode(), end="")
            asyncio.run(main())
            END
            """,
            ProgramSite.Reached
        ),
        (
            "Java's HttpClient, which reads no variables",
            """
            cat > Reach.java <<'END'
            import java.net.URI;
            import java.net.http.*;
            class Reach {
                public static void main(String[] arguments) throws Exception {
                    var request = HttpRequest.newBuilder(URI.create(System.getenv("SITE") + "/reached")).build();
                    System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
                }
            }
            END
            java Reach.java
            """,
            ProgramSite.Reached
        ),
        (
            "Go's net/http",
            """
            cat > reach.go <<'END'
            package main
            import ("io"; "net/http"; "os")
            func main() {
                answer, fault := http.Get(os.Getenv("SITE") + "/reached")
                if fault != nil { panic(fault) }
                io.Copy(os.Stdout, answer.Body)
            }
            END
            go run reach.go
            """,
            ProgramSite.Reached
        ),
    ];

    [Fact]
    public async Task Programs_ThatPeopleUse_ReachTheSite()
    {
        Assert.SkipWhen(ring.Missing is not null, ring.Missing ?? "");
        var desktop = await ring.Server.CreateDesktopAsync(ring.NewDesktop("programs"));
        var id = desktop["id"]!.GetValue<string>();
        await ring.Server.WaitReadyAsync(id);
        var site = ProgramSite.UrlOf(ring.Site);
        // Silent for longer than anything else here takes.
        var events = await StartAsync(id, $"curl -sSN {site}/events");
        await PutNpmAsync(id);

        var installed = await RunAsync(
            id,
            $"sudo apt-get -q update && sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install {Packages}"
        );
        Assert.True(installed.ExitCode == 0, installed.Output);
        var faults = new List<string>();
        foreach (var (name, script, expected) in Programs)
        {
            var (code, output) = await RunAsync(id, $"export SITE={site}; cd $(mktemp -d) && ln -s ~/package . && {script}");
            if (code != 0 || output != expected)
            {
                faults.Add($"{name}: {code}: {output}");
            }
        }

        Assert.Empty(faults);
        Assert.Equal((0, "data: first\n\ndata: last\n\n"), await EndAsync(events));
    }

    /// <summary>npm itself: Debian's needs some hundred packages more.</summary>
    private async Task PutNpmAsync(string id)
    {
        var directory = Directory.CreateTempSubdirectory("oriel-npm-").FullName;
        try
        {
            using var npm = Process.Start(
                new ProcessStartInfo("npm", ["pack", "--silent", "npm@10.9.4"])
                {
                    WorkingDirectory = directory,
                    RedirectStandardOutput = true,
                }
            )!;
            await npm.WaitForExitAsync(Token);
            Assert.Equal(0, npm.ExitCode);
            await using var packed = File.OpenRead(Directory.GetFiles(directory).Single());
            await using var tar = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionMode.Decompress);
            using var put = await ring.Server.Api.PutAsync(
                $"/api/desktops/{id}/files/archive?path=/home/user",
                new StreamContent(tar),
                Token
            );
            Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync(Token));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private async Task<(int ExitCode, string Output)> RunAsync(string id, string script) => await EndAsync(await StartAsync(id, script));

    /// <returns>The address of the process.</returns>
    private async Task<string> StartAsync(string id, string script)
    {
        using var started = await ring.Server.Api.PostAsJsonAsync(
            $"/api/desktops/{id}/processes",
            new
            {
                command = "/bin/bash",
                args = new[] { "-lc", script },
                timeout = Installation.TotalSeconds,
            },
            Token
        );
        Assert.True(started.IsSuccessStatusCode, await started.Content.ReadAsStringAsync(Token));
        return started.Headers.Location!.OriginalString;
    }

    /// <returns>How it ended, and its standard output, or all that it wrote where that failed.</returns>
    private async Task<(int ExitCode, string Output)> EndAsync(string process)
    {
        // The client's own time-out is for the head alone then.
        using var followed = await ring.Server.Api.GetAsync(
            $"{process}/output?follow=true&stream=stdout",
            HttpCompletionOption.ResponseHeadersRead,
            Token
        );
        var output = await followed.Content.ReadAsStringAsync(Token);
        var ended = (await ring.Server.Api.GetFromJsonAsync<JsonNode>(process, Token))!;
        var code = ended["exitCode"]!.GetValue<int>();
        return (code, code == 0 ? output : await ring.Server.Api.GetStringAsync($"{process}/output", Token));
    }
}
