using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Oriel.Linux.Tests.Keeper;

public sealed class RelayTests
{
    private const string Proxy = "192.168.100.1:10001";

    [Fact]
    public async Task AgentSocket_OfManyMegabytesBothWays_CarriesThemUnchangedAndThenTheHalfClose()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var socket = await keeper.DialAgentAsync();
        await using var stream = new NetworkStream(socket);
        var sent = RandomNumberGenerator.GetBytes(16 * 1024 * 1024);
        var received = new MemoryStream();

        await stream.WriteAsync(Encoding.ASCII.GetBytes("ECHO\n"));
        var reading = stream.CopyToAsync(received);
        await stream.WriteAsync(sent);
        socket.Shutdown(SocketShutdown.Send);
        await reading.WaitAsync(KeeperRing.Deadline);

        Assert.Equal(SHA256.HashData(sent), SHA256.HashData(received.ToArray()));
    }

    [Fact]
    public async Task AgentSocket_OfAnotherUser_IsNotReadable()
    {
        await using var keeper = await TestKeeper.StartAsync();

        var bundle = keeper.Bundle;
        foreach (var path in (string[])[bundle.AgentSocket, bundle.KeeperSocket, bundle.Spec, bundle.Identity])
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }
    }

    [Fact]
    public async Task Proxy_OfAConnection_HandsItToTheServerBehindThePreamble()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket);

        var (_, output) = await keeper.RunPerlAsync(Talk(Proxy, "GET http://x.test/"));
        var (preamble, sent) = await egress.NextAsync();

        Assert.Equal(("proxy", TestKeeper.DesktopId, "GET http://x.test/"), (preamble.Kind, preamble.DesktopId, sent));
        Assert.Equal(keeper.Spec.EgressKey, preamble.Key);
        Assert.Equal($"proxy took {sent.Length}\n", output);
    }

    [Fact]
    public async Task Transparent_OfANameResolvedByTheGuest_CarriesTheName()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket);

        var (_, output) = await keeper.RunPerlAsync(Talk("some.host.test:8443", "hello"));
        var (preamble, sent) = await egress.NextAsync();

        Assert.Equal(("transparent", "some.host.test", 8443, "hello"), (preamble.Kind, preamble.Host, preamble.Port, sent));
        Assert.StartsWith("198.18.", preamble.Address);
        Assert.Equal("transparent took 5\n", output);
    }

    [Fact]
    public async Task Transparent_OfAnAddress_CarriesItWithoutAName()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket);

        await keeper.RunPerlAsync(Talk("203.0.113.9:22", "x"));
        var (preamble, _) = await egress.NextAsync();

        Assert.Equal((null, "203.0.113.9", 22), (preamble.Host, preamble.Address, preamble.Port));
    }

    /// <summary>By the policy, or by a target where nobody listens: a program expects a reset then (RFC 9293 section 3.5.2).</summary>
    [Fact]
    public async Task Transparent_ThatTheServerRefuses_IsReset()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket, refuse: true);

        var (_, output) = await keeper.RunPerlAsync(Talk("203.0.113.9:22", "x"));

        Assert.Contains("Connection reset by peer", output);
        Assert.Equal(1, egress.Connections);
    }

    [Fact]
    public async Task Transparent_OfASyntheticAddressThatNobodyAskedFor_IsReset()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket);

        var (_, output) = await keeper.RunPerlAsync(Talk("198.19.7.7:80", "x"));

        Assert.Contains("Connection reset by peer", output);
        Assert.Equal(0, egress.Connections);
        Assert.Equal(1, (await keeper.CountersAsync())["connections-no-target"]);
    }

    [Fact]
    public async Task Connections_WhileTheServerIsAway_AreAnswered503OrReset_AndWorkWhenItIsBack()
    {
        await using var keeper = await TestKeeper.StartAsync();

        var (_, proxied) = await keeper.RunPerlAsync(Talk(Proxy, "GET http://x.test/"));
        var (_, direct) = await keeper.RunPerlAsync(Talk("203.0.113.9:443", "x"));

        Assert.StartsWith("HTTP/1.1 503 ", proxied);
        Assert.Contains("Oriel's server is away", proxied);
        Assert.Contains("Connection reset by peer", direct);
        Assert.Equal(2, (await keeper.CountersAsync())["connections-server-away"]);
        using var egress = new EgressStub(keeper.Spec.EgressSocket);
        Assert.Equal("proxy took 1\n", (await keeper.RunPerlAsync(Talk(Proxy, "x"))).Output);
    }

    [Fact]
    public async Task Connections_BeyondTheLimit_AreRefusedAndCounted_AndTheKeeperStaysSmall()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket, hold: true);

        var (_, output) = await keeper.RunPerlAsync(
            $$"""
            my @all; my $lost = 0;
            for (1..1100) { my $s = IO::Socket::INET->new(PeerAddr => "{{Proxy}}"); push @all, $s if $s }
            for my $s (@all[1024..$#all]) { $lost++ if !defined sysread($s, my $b, 1) }
            print "opened ".@all." lost $lost\n";
            """
        );

        Assert.Equal("opened 1100 lost 76\n", output);
        Assert.Equal(76, (await keeper.CountersAsync())["connections-over-limit"]);
        var pss = PssKilobytes(keeper.Identity.Pid);
        TestContext.Current.SendDiagnosticMessage("keeper after 1024 connections: PSS {0} KiB", pss);
    }

    [Fact]
    public async Task Keeper_AtRest_IsSmall()
    {
        await using var keeper = await TestKeeper.StartAsync();

        var pss = PssKilobytes(keeper.Identity.Pid);
        TestContext.Current.SendDiagnosticMessage("keeper at rest: PSS {0} KiB", pss);

        // Of the executable that is shipped; a debug build runs on the shared runtime.
        if (Environment.GetEnvironmentVariable("ORIEL_TEST_APP") is not null)
        {
            Assert.InRange(pss, 1, 25 * 1024);
        }
    }

    /// <summary>Perl that connects, sends, closes its sending half, and prints all that comes back, or the error.</summary>
    private static string Talk(string peer, string text) =>
        $$"""
            my $s = IO::Socket::INET->new(PeerAddr => "{{peer}}", Timeout => 20) or do { print "connect: $@"; exit 1 };
            syswrite($s, "{{text}}"); shutdown($s, 1);
            while (1) { my $n = sysread($s, my $b, 4096); if (!defined $n) { print "read: $!\n"; last } last if !$n; print $b }
            """;

    private static long PssKilobytes(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/smaps_rollup").First(text => text.StartsWith("Pss:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
