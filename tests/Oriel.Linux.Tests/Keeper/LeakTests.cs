using System.Net;
using System.Net.Sockets;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>From inside the guest, as its root: every way out that is not one of the three listeners.</summary>
public sealed class LeakTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("host")]
    public async Task Tcp_ToAListenerOfTheHost_NeverReachesIt(string where)
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket);
        var address = where == "host" ? HostAddress() : IPAddress.Loopback;
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(address, 0));
        listener.Listen(5);
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        var reached = listener.AcceptAsync();

        var (_, output) = await keeper.RunPerlAsync(Connect($"{address}:{port}"));

        // Its own loopback answers for itself; any other address is taken to the server, which decides.
        Assert.Equal(where == "host" ? "connected\n" : "connect: Connection refused\n", output);
        if (where == "host")
        {
            Assert.Equal(("transparent", address.ToString(), port), await OriginOfNextAsync(egress));
        }

        Assert.False(reached.IsCompleted);
    }

    [Theory]
    [InlineData("169.254.169.254", 80)]
    [InlineData("10.0.0.1", 443)]
    [InlineData("192.168.100.1", 22)]
    [InlineData("192.168.100.1", 10002)]
    [InlineData("192.168.100.255", 80)]
    [InlineData("224.0.0.1", 80)]
    public async Task Tcp_ToAPrivateOrSpecialAddress_AtMostReachesTheServersDecision(string address, int port)
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var egress = new EgressStub(keeper.Spec.EgressSocket);

        var (_, output) = await keeper.RunPerlAsync(Connect($"{address}:{port}"));

        if (output == "connected\n")
        {
            Assert.Equal(("transparent", address, port), await OriginOfNextAsync(egress));
        }
        else
        {
            Assert.StartsWith("connect: ", output);
            Assert.Equal(0, egress.Connections);
        }
    }

    [Fact]
    public async Task Udp_ToAnyoneButDns_IsDroppedAndCounted()
    {
        await using var keeper = await TestKeeper.StartAsync();
        using var listener = new UdpClient(new IPEndPoint(HostAddress(), 0));
        var received = listener.ReceiveAsync();

        var (_, output) = await keeper.RunPerlAsync(
            $$"""
            for my $to ("{{listener.Client.LocalEndPoint}}", "192.168.100.1:123", "8.8.8.8:443", "192.168.100.1:10001", "192.168.100.255:137", "224.0.0.251:5353") {
              my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $to, Broadcast => 1) or do { print "$to $@"; next };
              print defined(send($s, "probe", 0)) ? "sent\n" : "$to $!\n"; }
            """
        );

        Assert.Equal(string.Concat(Enumerable.Repeat("sent\n", 6)), output);
        Assert.InRange((await CountedAsync(keeper, "dropped-udp", 6))["dropped-udp"], 6, long.MaxValue);
        Assert.False(received.IsCompleted);
    }

    [Fact]
    public async Task Dns_ToAnyServerOfTheWorld_IsAnsweredByTheKeeper()
    {
        await using var keeper = await TestKeeper.StartAsync();

        // The question for some.name.test, type A; over UDP to an address that nothing answers at, then over TCP.
        var (_, output) = await keeper.RunPerlAsync(
            """
            my $q = pack("n6", 77, 256, 1, 0, 0, 0) . "\4some\4name\4test\0" . pack("n2", 1, 1);
            my $u = IO::Socket::INET->new(Proto => "udp", PeerAddr => "9.9.9.9:53"); send($u, $q, 0); $u->recv(my $a, 600);
            my $t = IO::Socket::INET->new(PeerAddr => "1.1.1.1:53"); print $t pack("n", length $q) . $q; $t->flush;
            read($t, my $n, 2); read($t, my $b, unpack("n", $n));
            print unpack("n", $a), " ", inet_ntoa(substr($a, -4)), " ", ($a eq $b ? "same" : "other"), "\n";
            """
        );

        Assert.Matches(@"^77 198\.1[89]\.\d+\.\d+ same\n$", output);
    }

    [Fact]
    public async Task RawAndPacketSockets_OfGuestRoot_CannotBeMade()
    {
        await using var keeper = await TestKeeper.StartAsync();

        var (_, output) = await keeper.RunPerlAsync(
            """
            socket(my $icmp, PF_INET, SOCK_RAW, 1) or print "icmp: $!\n";
            socket(my $raw, PF_INET, SOCK_RAW, 255) or print "raw: $!\n";
            socket(my $packet, 17, SOCK_RAW, 768) or print "packet: $!\n";
            socket(my $vsock, 40, SOCK_STREAM, 0) or print "vsock: $!\n";
            socket(my $netfilter, 16, SOCK_RAW, 12) or print "netfilter: $!\n";
            socket(my $alg, 38, SOCK_SEQPACKET, 0) or print "alg: $!\n";
            """
        );

        Assert.Equal(
            "icmp: Operation not permitted\nraw: Operation not permitted\npacket: Address family not supported by protocol\n"
                + "vsock: Address family not supported by protocol\nnetfilter: Protocol not supported\n"
                + "alg: Address family not supported by protocol\n",
            output
        );
    }

    [Fact]
    public async Task Icmp_ToTheGatewayAndBeyond_IsDroppedAndCounted()
    {
        await using var keeper = await TestKeeper.StartAsync();

        // Raw sockets are not the guest's, so its kernel is made to send: a datagram to a closed port that the guest itself refuses
        // cannot come in; what can be sent is the datagram kind of ICMP, where the group range allows it.
        var (_, output) = await keeper.RunPerlAsync(
            """
            socket(my $s, PF_INET, SOCK_DGRAM, 1) or do { print "none: $!\n"; exit };
            for my $to ("192.168.100.1", "8.8.8.8") { print defined(send($s, pack("C2n3", 8, 0, 63487, 0, 0), 0, sockaddr_in(0, inet_aton($to)))) ? "sent\n" : "$!\n" }
            """
        );

        if (output.StartsWith("none: ", StringComparison.Ordinal))
        {
            Assert.Equal("none: Permission denied\n", output);
            return;
        }

        Assert.InRange((await CountedAsync(keeper, "dropped-icmp", 2))["dropped-icmp"], 2, long.MaxValue);
    }

    [Fact]
    public async Task Ipv6_OfTheGuest_IsItsOwnLoopbackAlone()
    {
        await using var keeper = await TestKeeper.StartAsync();

        var (_, addresses) = await keeper.RunAsync("cat /proc/net/if_inet6 /proc/sys/net/ipv6/conf/eth0/disable_ipv6");
        var (_, output) = await keeper.RunPerlAsync(
            """
            socket(my $s, PF_INET6, SOCK_STREAM, 6) or do { print "socket: $!\n"; exit };
            connect($s, pack_sockaddr_in6(80, Socket::inet_pton(PF_INET6, "2001:db8::1"))) or print "connect: $!\n";
            """
        );

        Assert.Matches("^0{31}1 .* lo\n1\n$", addresses);
        Assert.Matches(
            "^(socket|connect): (Network is unreachable|Cannot assign requested address|Address family not supported by protocol)\n$",
            output
        );
    }

    [Fact]
    public async Task Network_OfTheGuest_CannotBeChangedByItsRoot()
    {
        await using var keeper = await TestKeeper.StartAsync();

        foreach (
            var command in (string[])
                [
                    "echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
                    "echo 1 > /proc/sys/net/ipv4/ip_forward",
                    "ip link set eth0 down",
                    "ip address add 10.1.1.1/24 dev eth0",
                    "ip route add 10.2.0.0/16 dev eth0",
                    "ip link add type dummy",
                    "nsenter --net=/proc/1/ns/net true",
                    "mount -t tmpfs none /mnt",
                    "mount -o remount,rw /proc/sys",
                ]
        )
        {
            var (code, output) = await keeper.RunAsync($"({command})");
            Assert.True(code != 0, $"{command} succeeded: {output}");
        }

        var (_, interfaces) = await keeper.RunAsync("ls /sys/class/net; id -u");
        Assert.Equal("eth0\nlo\n0\n", interfaces);
    }

    [Fact]
    public async Task FirstProcess_OfTheGuest_InheritsNothingOfTheKeeper()
    {
        await using var keeper = await TestKeeper.StartAsync();

        var (_, environment) = await keeper.RunAsync("tr \"\\0\" \"\\n\" < /proc/1/environ | cut -d= -f1 | sort | tr \"\\n\" \" \"");
        var (_, descriptors) = await keeper.RunAsync("for f in /proc/1/fd/*; do readlink $f; done | cut -d: -f1 | sort | uniq -c");
        var (_, mounts) = await keeper.RunAsync("cat /proc/self/mountinfo");

        Assert.Equal("HOME PATH container", environment.Trim());
        // /dev/null, both outputs on one pipe, its script, its listener (and the connection that it is accepting).
        Assert.DoesNotMatch("keeper|anon_inode|net\\b|/proc", descriptors);
        Assert.DoesNotContain("keeper.sock", mounts);
        Assert.DoesNotContain("cgroup", mounts);
    }

    [Fact]
    public async Task TwoDesktops_SideBySide_DoNotSeeEachOther()
    {
        await using var one = await TestKeeper.StartAsync();
        await using var other = await TestKeeper.StartAsync();
        using var egress = new EgressStub(other.Spec.EgressSocket);
        await one.RunAsync(
            "(perl -MIO::Socket::INET -e 'my $l = IO::Socket::INET->new(LocalPort => 7777, Listen => 5); print STDERR qq(listening\\n); print STDERR qq(reached\\n) while $l->accept' >/proc/1/fd/1 2>&1 &)"
        );
        await one.WaitForConsoleAsync("listening");

        // The other's own address is its own, and no other on the link answers.
        Assert.Equal("connect: Connection refused\n", (await other.RunPerlAsync(Connect("192.168.100.2:7777"))).Output);
        await other.RunPerlAsync(Connect("192.168.100.3:7777"));

        Assert.DoesNotContain("reached", await File.ReadAllLinesAsync(one.Bundle.ConsoleLog));
        Assert.NotEqual(await NamespacesAsync(one), await NamespacesAsync(other));
    }

    [Fact]
    public async Task Processes_OfAKeeperAndItsGuest_AreNeverRoot()
    {
        await using var keeper = await TestKeeper.StartAsync();
        await keeper.RunAsync("(setpriv --reuid 1000 --regid 1000 --clear-groups sleep 600 >/dev/null 2>&1 &)");

        var family = ProcessFamily.Of(keeper.Identity.Pid);

        Assert.InRange(family.Count, 3, int.MaxValue);
        Assert.All(family, member => Assert.All(member.Uids(), uid => Assert.NotEqual(0, uid)));
    }

    /// <summary>The first address of this machine that is not loopback, or loopback's second where there is no other.</summary>
    private static IPAddress HostAddress() =>
        System
            .Net.NetworkInformation.NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(link => link.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address))
        ?? Skip("This machine has no address but loopback.");

    private static IPAddress Skip(string reason)
    {
        Assert.Skip(reason);
        return IPAddress.None;
    }

    private static string Connect(string peer) =>
        $$"""
            my $s = IO::Socket::INET->new(PeerAddr => "{{peer}}", Timeout => 5);
            print $s ? "connected\n" : "connect: ".($@ =~ s/.*: //sr)."\n";
            """;

    private static async Task<(string Kind, string? Address, int Port)> OriginOfNextAsync(EgressStub egress)
    {
        var (preamble, _) = await egress.NextAsync();
        return (preamble.Kind, preamble.Address, preamble.Port);
    }

    // A datagram that was sent is not yet one that was dropped: its turn in the kernel may come after the sender's.
    private static async Task<IReadOnlyDictionary<string, long>> CountedAsync(TestKeeper keeper, string name, long atLeast)
    {
        using var limit = new CancellationTokenSource(KeeperRing.Deadline);
        while (true)
        {
            var counters = await keeper.CountersAsync();
            if (counters[name] >= atLeast || limit.IsCancellationRequested)
            {
                return counters;
            }
        }
    }

    private static async Task<string> NamespacesAsync(TestKeeper keeper) =>
        (await keeper.RunAsync("for n in net ipc pid uts mnt user cgroup; do readlink /proc/1/ns/$n; done")).Output;
}
