using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Oriel.Desktop.Tests;

/// <summary>What is in a live desktop, and its commands and files over HTTP.</summary>
[Collection(RingCollection.Name)]
public sealed class GuestTests(Ring ring)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Terminal_ThatOpensByItself_Has100By30Characters()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();

        // The shell whose parent is the terminal: its standard input is the terminal's other end.
        var (code, size, error) = await ring.Server.ShellAsync(
            id,
            """
            terminal=$(pgrep -u user -x xfce4-terminal) && shell=$(pgrep -P "$terminal" -x bash | head -n 1) && stty size < "/proc/$shell/fd/0"
            """
        );
        Assert.Equal((0, "30 100\n", ""), (code, size, error));
    }

    [Fact]
    public async Task AptGet_OfAPackageBeyondTheProxy_InstallsWhatRuns()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var said = "";
        foreach (var command in DebianRepository.Commands(ring.Site))
        {
            (var code, said, var error) = await ring.Server.ShellAsync(id, command);
            Assert.True(code == 0, $"{command}: {said}{error}");
        }

        Assert.Equal(DebianRepository.Greeting + "\n", said);
    }

    [Fact]
    public async Task Chromium_ItsRenderers_AreInItsSandbox()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();

        // Each renderer: how it filters system calls, its user and process namespaces and the browser's.
        const string Script = """
            for process in /proc/[0-9]*; do
                command=$(tr '\0' ' ' < "$process/cmdline")
                case $command in /usr/lib/chromium/chromium\ *) ;; *) continue ;; esac
                case $command in *--no-sandbox*) echo "no-sandbox: $command" ;; esac
                case $command in
                    *--type=renderer*) echo "renderer $(awk '/^Seccomp:/ { print $2 }' "$process/status") $(readlink "$process/ns/user") $(readlink "$process/ns/pid")" ;;
                    *--type=*) ;;
                    *) echo "browser $(awk '/^Seccomp:/ { print $2 }' "$process/status") $(readlink "$process/ns/user") $(readlink "$process/ns/pid")" ;;
                esac
            done 2> /dev/null
            """;
        using var response = await ring.Server.Api.PostAsJsonAsync(
            $"/api/desktops/{id}/exec",
            new
            {
                command = "/bin/bash",
                args = new[] { "-c", Script },
                user = "root",
            },
            Token
        );
        var output = JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!["stdout"]!.GetValue<string>();
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToLookup(fields => fields[0]);

        Assert.DoesNotContain("no-sandbox", output);
        Assert.True(lines["browser"].Any() && lines["renderer"].Any(), output);
        var browser = lines["browser"].First();
        Assert.All(
            lines["renderer"],
            renderer =>
            {
                Assert.Equal("2", renderer[1]);
                Assert.True(renderer[2].StartsWith("user:", StringComparison.Ordinal) && renderer[2] != browser[2], output);
                Assert.True(renderer[3].StartsWith("pid:", StringComparison.Ordinal) && renderer[3] != browser[3], output);
            }
        );
    }

    [Fact]
    public async Task SystemCalls_ThatAreDenied_StayDeniedWithHighBitsSet()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var (socket, ioctl) = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? (198, 29) : (41, 16);

        // Netlink's netfilter and xfrm, AF_VSOCK, AF_ALG, TIOCSTI; then a netlink socket that is allowed.
        var script = $$"""
            no warnings "portable";
            my @denied = ([{{socket}}, 16, 3, 12], [{{socket}}, 16, 3, 6], [{{socket}}, 40, 1, 0], [{{socket}}, 38, 5, 0], [{{ioctl}}, 0, 0x5412, 0]);
            for my $call (@denied) {
                my ($number, @arguments) = @$call;
                for my $raised (0 .. 2) {
                    my @raised = @arguments;
                    $raised[$raised] += 0x100000000;
                    next if $number == {{ioctl}} && $raised != 1;
                    for my $tried (\@arguments, \@raised) {
                        my $result = syscall($number, @$tried);
                        print join(" ", $number, @$tried), "\n" unless $result == -1 && ($! == 1 || $! == 93 || $! == 97);
                    }
                }
            }
            print syscall({{socket}}, 16, 3, 0) >= 0 ? "route\n" : "no route: $!\n";
            """;
        using var response = await ring.Server.Api.PostAsJsonAsync(
            $"/api/desktops/{id}/exec",
            new
            {
                command = "/usr/bin/perl",
                args = new[] { "-e", script },
                user = "root",
            },
            Token
        );

        var output = JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!;
        Assert.Equal(("route\n", ""), (output["stdout"]!.GetValue<string>(), output["stderr"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Namespaces_MadeByAContainersRoot_AreBounded()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var unshare = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 97 : 272;

        // CLONE_NEWUTS, each kept by a descriptor; then what stopped it.
        var script = $$"""
            my @kept;
            while (@kept < 2000) {
                if (syscall({{unshare}}, 0x4000000) != 0) { print "errno ", $! + 0, "\n"; last; }
                open(my $namespace, "<", "/proc/self/ns/uts") or last;
                push @kept, $namespace;
            }
            print scalar(@kept) <= 512 ? "bounded\n" : "not bounded\n";
            """;
        var (code, said, error) = await ring.Server.ShellAsync(id, $"sudo perl -e '{script}'");

        Assert.True(code == 0 && said == "errno 28\nbounded\n", $"{code} {said}{error}");
    }

    [Theory]
    [InlineData("{}", "command")]
    [InlineData("{\"command\":\"\"}", "command")]
    [InlineData("{\"command\":\"id\",\"unknown\":1}", "unknown")]
    [InlineData("{\"command\":\"id\",\"timeout\":0}", "timeout")]
    [InlineData("{\"command\":\"id\",\"timeout\":3601}", "timeout")]
    [InlineData("{\"command\":\"id\",\"args\":[null]}", "args")]
    [InlineData("{\"command\":\"id\",\"env\":{\"A=B\":\"1\"}}", "env")]
    [InlineData("{\"command\":\"id\",\"user\":\"nobody-here\"}", "no such user")]
    [InlineData("{\"command\":\"id\",\"cwd\":\"/not/there\"}", "working directory")]
    [InlineData("{\"command\":\"/not/there\"}", "/not/there")]
    [InlineData("{", "")]
    public async Task Exec_BadRequest_Is400AndNamesTheFault(string body, string named)
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await ring.Server.Api.PostAsync($"/api/desktops/{id}/exec", content, Token);
        var problem = await response.Content.ReadAsStringAsync(Token);

        Assert.True(response.StatusCode == HttpStatusCode.BadRequest, $"{(int)response.StatusCode} {problem}");
        Assert.Equal("bad-request", JsonNode.Parse(problem)!["reason"]!.GetValue<string>());
        Assert.Contains(named, problem);
    }

    [Fact]
    public async Task Exec_LongerThanItsTimeout_IsEndedAndSaysSo()
    {
        SkipUnlessPrepared();
        var result = await ExecAsync(
            new
            {
                command = "/bin/sh",
                args = new[] { "-c", "echo begun; exec tail -f /dev/null" },
                timeout = 0.5,
            }
        );

        Assert.True(result["timedOut"]!.GetValue<bool>(), result.ToJsonString());
        Assert.Equal("begun\n", result["stdout"]!.GetValue<string>());
        Assert.NotEqual(0, result["exitCode"]!.GetValue<int>());
    }

    [Fact]
    public async Task Exec_WithATimeoutBelowAMillisecond_IsEndedNotUnlimited()
    {
        SkipUnlessPrepared();
        var result = await ExecAsync(
            new
            {
                command = "/usr/bin/tail",
                args = new[] { "-f", "/dev/null" },
                timeout = 0.0005,
            }
        );

        Assert.True(result["timedOut"]!.GetValue<bool>());
    }

    [Fact]
    public async Task Exec_MoreAtOnceThanTheGuestTakes_Is429AndWorksAgain()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        using var enough = new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(Token, enough.Token);
        var tails = Enumerable
            .Range(0, 80)
            .Select(_ =>
                ring.Server.Api.PostAsJsonAsync(
                    $"/api/desktops/{id}/exec",
                    new { command = "/usr/bin/tail", args = new[] { "-f", "/dev/null" } },
                    either.Token
                )
            )
            .ToList();
        using var refused = await await Task.WhenAny(tails);
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync(Token))!;
        await enough.CancelAsync();
        await Task.WhenAll(tails).ContinueWith(static _ => { }, TaskScheduler.Default);

        Assert.Equal((429, "too-many-commands"), ((int)refused.StatusCode, problem["reason"]!.GetValue<string>()));
        Assert.NotNull(refused.Headers.RetryAfter);
    }

    [Fact]
    public async Task Exec_MoreOutputThanIsKept_IsTruncatedAndSaysSo()
    {
        SkipUnlessPrepared();
        const int Kept = 4 * 1024 * 1024;
        var much = await ExecAsync(new { command = "/bin/sh", args = new[] { "-c", $"yes | head -c {Kept + 1}; echo told >&2; exit 3" } });
        var enough = await ExecAsync(new { command = "/bin/sh", args = new[] { "-c", $"yes | head -c {Kept}" } });

        Assert.Equal(
            (true, false, 3, "told\n"),
            (
                much["truncated"]!.GetValue<bool>(),
                much["timedOut"]!.GetValue<bool>(),
                much["exitCode"]!.GetValue<int>(),
                much["stderr"]!.GetValue<string>()
            )
        );
        Assert.Equal(Kept, much["stdout"]!.GetValue<string>().Length);
        Assert.Equal((false, Kept), (enough["truncated"]!.GetValue<bool>(), enough["stdout"]!.GetValue<string>().Length));
    }

    [Fact]
    public async Task Exec_OutputThatIsNoText_SaysSoAndComesWholeInBase64()
    {
        SkipUnlessPrepared();
        string[] args = ["-c", "printf 'a\\377b'; printf 'ü' >&2"];
        var text = await ExecAsync(new { command = "/bin/sh", args });
        var whole = await ExecAsync(
            new
            {
                command = "/bin/sh",
                args,
                encoding = "base64",
            }
        );
        var plain = await ExecAsync(new { command = "/bin/echo", args = (string[])["ü"] });

        Assert.Equal((true, "a\uFFFDb"), (text["replaced"]!.GetValue<bool>(), text["stdout"]!.GetValue<string>()));
        Assert.Equal((false, "Yf9i"), (whole["replaced"]!.GetValue<bool>(), whole["stdout"]!.GetValue<string>()));
        Assert.Equal("w7w=", whole["stderr"]!.GetValue<string>());
        Assert.Equal((false, "ü\n"), (plain["replaced"]!.GetValue<bool>(), plain["stdout"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Exec_WithInputEnvironmentAndDirectory_HasThem()
    {
        SkipUnlessPrepared();
        var result = await ExecAsync(
            new
            {
                command = "/bin/sh",
                args = new[] { "-c", "cat; echo \"$WORD\"; pwd; id -un" },
                stdin = "given\n",
                env = new Dictionary<string, string> { ["WORD"] = "one two" },
                cwd = "/tmp",
                user = "root",
            }
        );

        Assert.Equal("given\none two\n/tmp\nroot\n", result["stdout"]!.GetValue<string>());
    }

    [Fact]
    public async Task Files_PutThatWasInterrupted_GoesOnFromWhatIsKept()
    {
        SkipUnlessPrepared();
        var content = RandomNumberGenerator.GetBytes(3_000_000);
        var path = await PathAsync("parts.bin");
        await InterruptAsync(path, content, 2_000_000);
        long kept = 0;
        await OrielServer.EventuallyAsync(
            async () =>
            {
                using var response = await ring.Server.Api.GetAsync(path, Token);
                var problem = await response.Content.ReadAsStringAsync(Token);
                kept = response.StatusCode == HttpStatusCode.NotFound ? JsonNode.Parse(problem)!["kept"]?.GetValue<long>() ?? 0 : 0;
                return kept > 0 ? null : $"nothing is kept: {(int)response.StatusCode} {problem}";
            },
            TimeSpan.FromSeconds(30)
        );
        Assert.InRange(kept, 1, 2_000_000);
        using var beyond = await PutAsync(path + "&offset=2500000", content[2_500_000..]);
        using var wrong = await PutAsync(path + "&offset=-1", content);
        using var rest = await PutAsync($"{path}&offset={kept}", content[(int)kept..]);

        Assert.Equal(
            (HttpStatusCode.RequestedRangeNotSatisfiable, HttpStatusCode.BadRequest, HttpStatusCode.Created),
            (beyond.StatusCode, wrong.StatusCode, rest.StatusCode)
        );
        var whole = JsonNode.Parse(await rest.Content.ReadAsStringAsync(Token))!;
        Assert.Equal(
            (3_000_000, Convert.ToHexStringLower(SHA256.HashData(content))),
            (whole["size"]!.GetValue<int>(), whole["sha256"]!.GetValue<string>())
        );
        Assert.Equal(content, await ring.Server.Api.GetByteArrayAsync(path, Token));
    }

    [Fact]
    public async Task Files_SecondPutOfAPath_SaysThatAnotherIsUnderWay()
    {
        SkipUnlessPrepared();
        var path = await PathAsync("twice.bin");
        var release = new TaskCompletionSource();
        // More than the server gathers before it passes anything on.
        var content = RandomNumberGenerator.GetBytes(3_000_000);
        var first = PutAsync(path, new HeldContent(content, release.Task));
        HttpStatusCode status = default;
        string? reason = null;
        await OrielServer.EventuallyAsync(
            async () =>
            {
                using var got = await ring.Server.Api.GetAsync(path, Token);
                return JsonNode.Parse(await got.Content.ReadAsStringAsync(Token))!["kept"] is null ? "nothing has arrived" : null;
            },
            TimeSpan.FromSeconds(30)
        );
        using (var second = await PutAsync(path, "second"u8.ToArray()))
        {
            status = second.StatusCode;
            reason = JsonNode.Parse(await second.Content.ReadAsStringAsync(Token))!["reason"]!.GetValue<string>();
        }

        release.SetResult();
        using var done = await first;
        Assert.Equal((HttpStatusCode.Conflict, "put-under-way"), (status, reason));
        Assert.Equal(HttpStatusCode.Created, done.StatusCode);
        Assert.Equal(content, await ring.Server.Api.GetByteArrayAsync(path, Token));
    }

    [Fact]
    public async Task Files_ReadThroughALink_AreWhatItLeadsTo()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var direct = await ring.Server.Api.GetByteArrayAsync($"/api/desktops/{id}/files?path=/usr/bin/ls", Token);
        Assert.Equal(direct, await ring.Server.Api.GetByteArrayAsync($"/api/desktops/{id}/files?path=/bin/ls", Token));
    }

    [Fact]
    public async Task Files_OfADirectory_AreListed()
    {
        SkipUnlessPrepared();
        var id = await ring.SharedDesktopAsync();
        var list = (await ring.Server.Api.GetFromJsonAsync<JsonNode>($"/api/desktops/{id}/files?path=/etc/chromium.d", Token))!;
        Assert.Equal("/etc/chromium.d", list["path"]!.GetValue<string>());
        var webgl = list["entries"]!.AsArray().Single(entry => entry!["name"]!.GetValue<string>() == "webgl")!;
        Assert.Equal(("file", "0644"), (webgl["type"]!.GetValue<string>(), webgl["mode"]!.GetValue<string>()));
    }

    /// <summary>What a person's own machine has, and programs expect.</summary>
    [Theory]
    [InlineData("mkdir -p ~/.local/bin; printf '#!/bin/sh\\necho hi' >~/.local/bin/hi; chmod +x ~/.local/bin/hi; hi", "hi")]
    [InlineData("ip -6 -o address show lo | grep -c 'inet6 ::1/128'", "1")]
    [InlineData("for l in th hi bn ta te my km am gu kn ml si lo ka hy he ar; do fc-list \":lang=$l\" | grep -q . || echo $l; done", "")]
    [InlineData("test $(stat -c %d /tmp) = $(stat -c %d /) && stat -c %a /tmp", "1777")]
    [InlineData("ls /usr/share/zoneinfo/US/Pacific", "/usr/share/zoneinfo/US/Pacific")]
    [InlineData("curl -s -o /dev/null -w '%{http_code} %{exitcode}' http://$(hostname):7/; true", "000 7")]
    [InlineData("curl -s -o /dev/null -w '%{http_code} %{exitcode}' http://127.0.0.2:7/; true", "000 7")]
    [InlineData("curl -s -o /dev/null -w '%{http_code} %{exitcode}' 'http://[::1]:7/'; true", "000 7")]
    public async Task Guest_HasWhatProgramsExpect(string script, string wanted)
    {
        SkipUnlessPrepared();
        var result = await ExecAsync(new { command = "/bin/bash", args = (string[])["-c", script] });
        Assert.Equal(wanted, result["stdout"]!.GetValue<string>().Trim());
    }

    /// <summary>In a window of the desktop's own browser, which has no GPU: a browser without a window has its own ways.</summary>
    [Fact]
    public async Task Guest_BrowserWithAWindow_HasWebGl()
    {
        SkipUnlessPrepared();
        var result = await ExecAsync(
            new
            {
                command = "/bin/bash",
                args = (string[])
                    [
                        "-c",
                        """
                        echo '<script>console.log("webgl", ["webgl", "webgl2"].map(kind => !!document.createElement("canvas").getContext(kind)).join())</script>' >/tmp/webgl.html
                        grep -m 1 -o 'webgl [a-z,]*' < <(timeout 50 chromium --no-first-run --user-data-dir=/tmp/webgl --enable-logging=stderr --app=file:///tmp/webgl.html 2>&1)
                        pkill -f '[/]tmp/webgl '
                        true
                        """,
                    ],
            }
        );
        Assert.Equal("webgl true,true", result["stdout"]!.GetValue<string>().Trim());
    }

    [Theory]
    [InlineData("bytes=0-", 206, 0, 1000)]
    [InlineData("bytes=10-19", 206, 10, 10)]
    [InlineData("bytes=990-2000", 206, 990, 10)]
    [InlineData("bytes=-5", 206, 995, 5)]
    [InlineData("bytes=1000-", 416, 0, 0)]
    [InlineData("lines=1-2", 200, 0, 1000)]
    [InlineData("bytes=0-1,5-6", 200, 0, 1000)]
    public async Task Files_GotByRange_AreThatPart(string range, int status, int from, int length)
    {
        SkipUnlessPrepared();
        var content = RandomNumberGenerator.GetBytes(1000);
        var path = await PathAsync("range.bin");
        using var put = await PutAsync(path, content);
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Range", range);
        using var response = await ring.Server.Api.SendAsync(request, Token);

        Assert.True(status == (int)response.StatusCode, $"{range}: {(int)response.StatusCode}");
        if (status == 416)
        {
            Assert.Equal("bytes */1000", response.Content.Headers.GetValues("Content-Range").Single());
            return;
        }

        Assert.Equal(content[from..(from + length)], await response.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal(
            status == 206 ? new ContentRangeHeaderValue(from, from + length - 1, 1000) : null,
            response.Content.Headers.ContentRange
        );
    }

    [Fact]
    public async Task Head_OfAFile_HasItsLengthAndNoContent()
    {
        SkipUnlessPrepared();
        var path = await PathAsync("head.bin");
        using var put = await PutAsync(path, RandomNumberGenerator.GetBytes(1000));
        using var request = new HttpRequestMessage(HttpMethod.Head, path);
        request.Headers.TryAddWithoutValidation("Range", "bytes=10-19");
        using var response = await ring.Server.Api.SendAsync(request, Token);

        Assert.Equal((HttpStatusCode.OK, 1000L), (response.StatusCode, response.Content.Headers.ContentLength));
        Assert.Empty(await response.Content.ReadAsByteArrayAsync(Token));
    }

    private void SkipUnlessPrepared() => Assert.SkipWhen(ring.Missing is not null, ring.Missing ?? "");

    private async Task<JsonNode> ExecAsync(object request)
    {
        var id = await ring.SharedDesktopAsync();
        using var response = await ring.Server.Api.PostAsJsonAsync($"/api/desktops/{id}/exec", request, Token);
        var body = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {body}");
        return JsonNode.Parse(body)!;
    }

    private async Task<string> PathAsync(string name) =>
        $"/api/desktops/{await ring.SharedDesktopAsync()}/files?path=/tmp/{Guid.NewGuid():n}-{name}";

    /// <summary>A client that promises all of it and goes after a part.</summary>
    private async Task InterruptAsync(string path, byte[] content, int sent)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, ring.Server.Port, Token);
        var stream = client.GetStream();
        var head =
            $"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{ring.Server.Port}\r\nAuthorization: {ring.Server.Api.DefaultRequestHeaders.Authorization}\r\nContent-Length: {content.Length}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), Token);
        await stream.WriteAsync(content.AsMemory(0, sent), Token);
    }

    private Task<HttpResponseMessage> PutAsync(string path, byte[] content) => PutAsync(path, new ByteArrayContent(content));

    private Task<HttpResponseMessage> PutAsync(string path, HttpContent content) => ring.Server.Api.PutAsync(path, content, Token);

    /// <summary>Sends its bytes, and ends when it is let go.</summary>
    private sealed class HeldContent(byte[] bytes, Task released) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(bytes);
            await stream.FlushAsync();
            await released;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
