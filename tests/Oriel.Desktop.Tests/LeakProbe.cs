namespace Oriel.Desktop.Tests;

/// <summary>
/// What a machine's root tries in order to get out, by programs that the image has. Each line that is printed got an answer; what answers
/// by right (the proxy, the keeper's resolver, the gateway's own address) is tried in the same run, so that silence is not the probe's own.
/// </summary>
internal static class LeakProbe
{
    /// <summary>All that <see cref="Script"/> prints where nothing gets out.</summary>
    public const string Answers =
        "tcp 192.168.100.1:10001\ndns udp 8.8.8.8: the keeper's\ndns tcp 8.8.8.8: the keeper's\narp 192.168.100.1\n";

    /// <summary>What the keeper has counted afterwards, each at least once.</summary>
    public static readonly string[] Dropped =
    [
        "dropped-udp",
        "dropped-icmp",
        "dropped-ipv6",
        "dropped-other",
        "dropped-other-frames",
        "dropped-spoofed",
    ];

    private const string Call = "this is desktop";

    /// <summary>(A connection to any address is taken by the transparent proxy, which closes it.)</summary>
    private const string Sockets = """
        tries() { timeout 5 bash -c "exec 3<>/dev/$1/$2/$3 && printf 'GET / HTTP/1.0\r\n\r\n' >&3; [ -n \"\$(head -c 1 <&3 | tr '\0' x)\" ]" > /dev/null 2>&1 && echo "$1 $2:$3"; }
        tries tcp 192.168.100.1 10001
        for port in 22 4000 $host_ports; do tries tcp 127.0.0.1 $port; tries tcp 192.168.100.1 $port; done
        for port in $host_ports; do
            for host in 127.0.0.1 localhost '[::1]'; do [ "$(curl -s -m 3 -o /dev/null -w '%{http_code}' -x http://192.168.100.1:10001 "http://$host:$port/")" = 200 ] && echo "proxy $host:$port"; done
        done
        tries tcp 169.254.169.254 80
        tries tcp 192.168.100.3 22
        ip -6 address show | grep inet6 | grep -qv ' ::1/128 ' && echo ipv6
        """;

    /// <summary>
    /// Perl of perl-base alone. Frames as they are put on the wire (packet(7)): what no kernel would send. An answer to one of them is
    /// told: an ARP reply, ICMP, any protocol but TCP and UDP, anything to the port that they come from or to an address that is not the
    /// guest's.
    /// </summary>
    private const string Frames = """
        use strict; use Socket;
        $| = 1; $SIG{PIPE} = "IGNORE";
        my ($own, $gate, $all, $foreign) = map { pack "H12", $_ } qw(026f72696502 026f72696501 ffffffffffff 020000000099);
        open my $number, "<", "/sys/class/net/eth0/ifindex" or die "eth0: $!"; chomp(my $link = <$number>);
        socket(my $wire, 17, SOCK_RAW, 768) or die "packet: $!";
        bind($wire, pack "SnlSCCa8", 17, 3, $link, 0, 0, 0, "") or die "bind: $!";
        sub sum { my $sum = 0; $sum += $_ for unpack "n*", $_[0] . "\0" x (length($_[0]) % 2); $sum = ($sum >> 16) + ($sum & 65535) while $sum >> 16; ~$sum & 65535 }
        sub ip { my ($from, $to, $protocol, $data) = @_; my @h = (0x45, 0, 20 + length $data, 7, 0, 64, $protocol, 0, inet_aton($from), inet_aton($to)); $h[7] = sum(pack "CCnnnCCna4a4", @h); pack("CCnnnCCna4a4", @h) . $data }
        sub put { my ($to, $from, $type, $data) = @_; my $frame = $to . $from . pack("n", $type) . $data; $frame .= "\0" x (60 - length $frame) if length $frame < 60; syswrite($wire, $frame) or die "write: $!" }
        sub udp { my ($port, $data) = @_; pack("nnnn", 40404, $port, 8 + length $data, 0) . $data }
        sub syn { my ($from, $to, $port) = @_; my $tcp = pack "nnNNCCnnn", 40404, $port, 1, 0, 0x50, 2, 1024, 0, 0; substr($tcp, 16, 2) = pack "n", sum(inet_aton($from) . inet_aton($to) . pack("CCn", 0, 6, 20) . $tcp); $tcp }
        sub arp { my ($for, $as) = @_; put($all, $own, 0x0806, pack "nnCCna6a4a6a4", 1, 0x0800, 6, 4, 1, $own, inet_aton($as), "", inet_aton($for)) }
        my ($guest, $keeper) = ("192.168.100.2", "192.168.100.1");

        # Any resolver of the world is the keeper's, who knows no address outside: RFC 2544's are its own names for names.
        my $question = pack("n6", 77, 256, 1, 0, 0, 0) . "\4some\4name\4test\0" . pack("n2", 1, 1);
        sub whose { my $a = inet_ntoa(substr $_[0], -4); $a =~ /^198\.1[89]\./ ? "the keeper's" : $a }
        sub ready { my ($socket, $seconds) = @_; my $set = ""; vec($set, fileno $socket, 1) = 1; select($set, undef, undef, $seconds) }
        socket(my $u, PF_INET, SOCK_DGRAM, 17); send($u, $question, 0, sockaddr_in(53, inet_aton("8.8.8.8")));
        if (ready($u, 5)) { recv($u, my $said, 600, 0); print "dns udp 8.8.8.8: ", whose($said), "\n" }
        socket(my $t, PF_INET, SOCK_STREAM, 6); connect($t, sockaddr_in(53, inet_aton("8.8.8.8"))); syswrite($t, pack("n", length $question) . $question);
        if (ready($t, 5) && sysread($t, my $said, 600)) { print "dns tcp 8.8.8.8: ", whose($said), "\n" }
        socket(my $others, PF_INET, SOCK_DGRAM, 17);
        for my $port (123, 443, 853, 5353, HOST_PORTS) { send($others, $question, 0, sockaddr_in($port, inet_aton($_))) for "8.8.8.8", "192.0.2.1", $keeper, "169.254.169.254" }
        print "udp\n" if ready($others, 1);

        arp($_, $guest) for $keeper, "192.168.100.3", "192.168.100.77", "192.168.100.254", "8.8.8.8", "127.0.0.1", "169.254.169.254";
        for my $to ($keeper, "192.168.100.3", "8.8.8.8") {
            for my $protocol (4, 41, 47, 50, 89, 132, 255) { put($gate, $own, 0x0800, ip($guest, $to, $protocol, "probe")) }
            my $echo = pack "C2n3", 8, 0, 0, 1, 1; substr($echo, 2, 2) = pack "n", sum($echo);
            put($gate, $own, 0x0800, ip($guest, $to, 1, $echo));
            put($gate, $foreign, 0x0800, ip($guest, $to, 17, udp(9999, "probe")));
            put($gate, $own, 0x0800, ip($_, $to, 6, syn($_, $to, 10001))) for "192.168.100.77", "10.9.9.9", "127.0.0.1", $keeper;
            put($gate, $own, 0x8100, pack("nn", 5, 0x0800) . ip($guest, $to, 1, $echo));
        }
        socket(my $gre, PF_INET, SOCK_RAW, 47) or die "raw: $!"; send($gre, "probe", 0, sockaddr_in(0, inet_aton("8.8.8.8")));
        put($gate, $own, 0x0800, ip($guest, "127.0.0.1", 6, syn($guest, "127.0.0.1", $_))) for 22, 4000, HOST_PORTS;
        put($all, $own, 0x0800, ip("0.0.0.0", "255.255.255.255", 17, pack("nnnn", 68, 67, 256, 0) . pack("C4Nx4x16a6x202H8x4", 1, 1, 6, 0, 99, $own, "63825363")));
        put($all, $own, 0x0800, ip($guest, $_, 17, udp(67, "probe"))) for "255.255.255.255", "192.168.100.255";
        put(pack("H12", "333300000002"), $own, 0x86dd, pack("NnCC", 0x60000000, 8, 58, 255) . pack("H32H32", "fe80" . "0" x 27 . "2", "ff02" . "0" x 27 . "2") . pack("CCnN", 133, 0, 0, 0));
        put($gate, $own, 0x86dd, pack("NnCC", 0x60000000, 8, 17, 64) . pack("H32H32", "fe80" . "0" x 27 . "2", "2001" . "0" x 27 . "1") . pack("nnnn", 40404, 53, 8, 0));
        put($all, $own, $_, "probe") for 0x88cc, 0x8863, 0x88a8;
        for (9000, 1024) { socket(my $vsock, 40, SOCK_STREAM, 0) or next; connect($vsock, pack "SSLLx4", 40, 0, $_, 2) and print "vsock $_\n" }

        my %told;
        my $end = time + 4;
        while (time < $end && ready($wire, 1)) {
            my $from = recv($wire, my $frame, 2048, 0);
            next if (unpack "SnlSC", $from)[4] == 4; # Its own, on the way out.
            my $type = unpack "x12n", $frame;
            if ($type == 0x0806) { my ($what, $who) = unpack "x20nx6a4", $frame; $told{"arp " . inet_ntoa($who)}++ if $what == 2; next }
            if ($type != 0x0800) { $told{sprintf "frame %04x", $type}++; next }
            my ($protocol, $source, $to, $port) = unpack "x23Cx2a4a4x2n", $frame;
            $told{"ip $protocol " . inet_ntoa($source)}++ if ($protocol != 6 && $protocol != 17) || $port == 40404 || inet_ntoa($to) ne $guest;
        }
        print "$_\n" for sort keys %told;
        """;

    private const string Calls = """
        use strict; use Socket;
        socket(my $s, PF_INET, SOCK_DGRAM, 17); setsockopt($s, SOL_SOCKET, SO_BROADCAST, 1);
        send($s, "CALL", 0, sockaddr_in(7777, inet_aton($_))) for "192.168.100.3", "192.168.100.1", "192.168.100.255", "255.255.255.255";
        socket(my $wire, 17, SOCK_RAW, 768) or die "packet: $!";
        open my $number, "<", "/sys/class/net/eth0/ifindex" or die "eth0: $!"; chomp(my $link = <$number>);
        bind($wire, pack "SnlSCCa8", 17, 3, $link, 0, 0, 0, "") or die "bind: $!";
        syswrite($wire, pack("H12H12n", $_, "020000000099", 0x88b5) . "CALL" . "\0" x 60) or die "write: $!" for "ffffffffffff", "026f72696502", "01005e000001";
        print "called\n";
        """;

    /// <summary>Writes to <c>/tmp/heard</c> whose each call is that passes the link, its own on the way out as well.</summary>
    private const string Ear = """
        use strict; use Socket;
        socket(my $wire, 17, SOCK_RAW, 768) or die "packet: $!";
        open my $heard, ">", "/tmp/heard" or die "heard: $!"; select $heard; $| = 1; print "listening\n";
        while (defined recv($wire, my $frame, 2048, 0)) { print "$1\n" if $frame =~ /CALL (\w+)/ }
        """;

    /// <param name="hostPorts">Ports at which this host's own loopback does answer.</param>
    public static string Script(params int[] hostPorts) =>
        $"""
            host_ports='{string.Join(' ', hostPorts)}'
            {Sockets}
            sudo perl <<'FRAMES'
            {Frames.Replace("HOST_PORTS", string.Join(", ", hostPorts), StringComparison.Ordinal)}
            FRAMES
            """;

    /// <summary>Starts to listen for another desktop's call.</summary>
    public static string Listen { get; } =
        $"""
            sudo setsid perl -e '{Ear.Replace("CALL", Call, StringComparison.Ordinal)}' > /dev/null 2>&1 < /dev/null &
            until [ -s /tmp/heard ]; do :; done
            """;

    /// <summary>Calls whatever else may be on the link, by datagram, broadcast and bare frames.</summary>
    /// <param name="who">One word.</param>
    public static string Calling(string who) => $"sudo perl -e '{Calls.Replace("CALL", $"{Call} {who}", StringComparison.Ordinal)}'";

    /// <summary>Who listens calls as well, and tells whom it has heard once it has heard itself.</summary>
    public static string Heard(string who) =>
        $"""
            {Calling(who)} && until grep -q {who} /tmp/heard; do :; done
            sort -u /tmp/heard
            """;
}
