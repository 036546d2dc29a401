# One way of a guest to be a nuisance: flood.pl WAY SECONDS; prints how often it did it. With what every Debian has, perl-base.
use strict;
use warnings;
use Fcntl;
use Socket;
$SIG{PIPE} = 'IGNORE';
my ($way, $seconds) = @ARGV;
my ($end, $count) = (time + $seconds, 0);

if ($way eq 'connections') {
    # To addresses that nobody has, 400 of them open at a time.
    my @open;
    while (time < $end) {
        socket my $socket, PF_INET, SOCK_STREAM, 0 or next;
        fcntl $socket, F_SETFL, O_NONBLOCK;
        connect $socket, pack_sockaddr_in(80, pack('C4', 198, 18, $count / 250 % 250, $count % 250));
        push @open, $socket;
        shift @open if @open > 400;
        $count++;
    }
} elsif ($way eq 'names') {
    open my $config, '<', '/etc/resolv.conf' or die;
    my ($server) = map { /^nameserver\s+(\S+)/ } <$config>;
    socket my $socket, PF_INET, SOCK_DGRAM, 0 or die;
    connect $socket, pack_sockaddr_in(53, inet_aton($server)) or die;
    while (time < $end) {
        my $name = "n$count";
        $count++ if send $socket, pack('n6', $count & 0xffff, 0x100, 1, 0, 0, 0) . chr(length $name) . $name . "\7invalid\0" . pack('n2', 1, 1), 0;
    }
} elsif ($way eq 'requests') {
    # To a host that is always refused, so that each is judged, answered and logged.
    my ($host, $port) = ($ENV{http_proxy} // '') =~ m{^http://([\d.]+):(\d+)} or die 'no http_proxy';
    while (time < $end) {
        socket my $socket, PF_INET, SOCK_STREAM, 0 or next;
        connect $socket, pack_sockaddr_in($port, inet_aton($host)) or next;
        for (1 .. 50) {
            last unless syswrite $socket, "GET http://127.0.0.1/$count HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
            last unless sysread $socket, my $answer, 65536;
            $count++;
        }
    }
} elsif ($way eq 'processes') {
    while (time < $end) {
        my $child = fork;
        exit 0 if defined $child && !$child;
        wait;
        $count++;
    }
} else {
    die "there is no way $way";
}
print "$count\n";
