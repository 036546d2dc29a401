using System.Security.Cryptography;
using Grpc.Core;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

public sealed class ConfigurationTests(ConfiguredGuest guest)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Attest_AfterConfigure_ShowsEveryFileAsAsked()
    {
        var agent = await guest.AgentAsync(Token);
        var request = new AttestRequest();
        request.Paths.AddRange(ConfiguredGuest.Files.Select(file => file.Path));
        var reply = await agent.Guest.AttestAsync(request, cancellationToken: Token);
        (uint Mode, uint Uid, uint Gid)[] expected =
        [
            (0x1a4, 1000, 1000),
            (0x180, 1000, 1000),
            (0x1a0, 0, 0),
            (0x1ed, 0, 1000),
            (0x1a4, 1000, 1000),
            (0x1a4, 1000, 1000),
            (0x1a4, 1000, 1000),
        ];
        Assert.Equal(guest.Configured.Files, reply.Files);
        for (var i = 0; i < expected.Length; i++)
        {
            var proof = reply.Files[i];
            Assert.Equal("", proof.Error);
            Assert.Equal(SHA256.HashData(ConfiguredGuest.Files[i].Content.Span), proof.Sha256.ToByteArray());
            Assert.Equal(expected[i], (proof.Mode, proof.Uid, proof.Gid));
        }
    }

    [Fact]
    public async Task Attest_Environment_IsTheSameToLoginSessionAndExec()
    {
        var agent = await guest.AgentAsync(Token);
        var request = new AttestRequest();
        request.EnvNames.AddRange([.. ConfiguredGuest.Variables.Keys, "TZ", "NOT_SET"]);
        var reply = await agent.Guest.AttestAsync(request, cancellationToken: Token);
        foreach (var observed in reply.Env.SkipLast(1))
        {
            var value = observed.Name == "TZ" ? "Asia/Kathmandu" : ConfiguredGuest.Variables[observed.Name];
            Assert.Equal(
                new Dictionary<string, string>
                {
                    ["exec"] = value,
                    ["login"] = value,
                    ["session"] = value,
                },
                observed.SeenBy.ToDictionary()
            );
        }

        Assert.Empty(reply.Env[^1].SeenBy);
    }

    [Fact]
    public async Task Attest_Identity_IsObserved()
    {
        var agent = await guest.AgentAsync(Token);
        var reply = await agent.Guest.AttestAsync(new AttestRequest { CanaryNonce = "abc" }, cancellationToken: Token);
        Assert.Equal(("workbench", "Asia/Kathmandu", "de(nodeadkeys)"), (reply.Hostname, reply.TimeZone, reply.KeyboardLayout));
        Assert.Matches("^[0-9a-f]{32}$", reply.MachineId);
        Assert.Equal(0, reply.CanaryStatus);
        Assert.Contains("http://192.168.100.1:10001", reply.CanaryError);
        var seen = await agent.RunAsync(
            Token,
            "sh",
            "-c",
            "hostname; cat /etc/hostname; getent hosts workbench | cut -d' ' -f1; date +%Z; cat /etc/timezone /var/lib/dbus/machine-id"
        );
        Assert.Equal($"workbench\nworkbench\n127.0.1.1\n+0545\nAsia/Kathmandu\n{reply.MachineId}\n", seen.Stdout);
    }

    [Fact]
    public async Task Attest_FileReplacedByLinkOrChangedOrGone_SaysSo()
    {
        var agent = await guest.AgentAsync(Token);
        await agent.RunAsync(Token, "sh", "-c", "cd /tmp; echo same >real; ln -sf real link; echo x >changed");
        var request = new AttestRequest { Paths = { "/tmp/link", "/tmp/gone", "/tmp", "/proc/version" } };
        var proofs = (await agent.Guest.AttestAsync(request, cancellationToken: Token)).Files;
        Assert.Contains("/tmp/link is a symbolic link", proofs[0].Error);
        Assert.Contains("ENOENT (no such file", proofs[1].Error);
        Assert.Contains("is a directory", proofs[2].Error);
        Assert.NotEqual("", proofs[3].Error);
        Assert.All(proofs, proof => Assert.Equal(0, proof.Sha256.Length));
    }

    [Fact]
    public async Task Configure_ASecondTime_IsRefused()
    {
        var agent = await guest.AgentAsync(Token);
        var refused = await Assert.ThrowsAsync<RpcException>(() =>
            agent.Guest.ConfigureAsync(new ConfigureRequest(), cancellationToken: Token).ResponseAsync
        );
        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
    }

    [Fact]
    public async Task Session_AfterConfigure_ShowsXfceAndATerminal()
    {
        var agent = await guest.AgentAsync(Token);
        Assert.Equal(
            0,
            (await agent.RunAsync(Token, "sh", "-c", "setsid xfce4-terminal --title 'Guest test' >/dev/null 2>&1 &")).Exit.ExitCode
        );
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        using var watch = agent.Display.Watch(new Protocol.Display.WatchRequest(), cancellationToken: deadline.Token);
        var seen = "nothing";
        try
        {
            // The list is the window manager's, so that it shows both.
            await foreach (var change in watch.ResponseStream.ReadAllAsync(deadline.Token))
            {
                seen = string.Join(", ", change.Windows?.Windows.Select(window => window.Title) ?? [seen]);
                if (
                    change.Windows?.Windows.Any(window => window.Mapped && window.Title.Contains("Guest test", StringComparison.Ordinal))
                    == true
                )
                {
                    return;
                }
            }
        }
        catch (RpcException) when (deadline.IsCancellationRequested)
        {
            // Told below with what was seen.
        }

        Assert.Fail($"No window manager shows the terminal; windows: {seen}");
    }
}
