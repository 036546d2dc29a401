#!/usr/bin/perl
# A stand-in for Firecracker's process, to show how a keeper starts one, what it lets it do and how it takes its end. It says what it is
# asked and what it is able to, tries the files and the tap that it is given, and runs no guest.
#   VMM_VERSION   what it is; default 1.16.1
#   VMM_FAULT     a path that it refuses
#   VMM_NO_DIFF   it makes whole snapshots alone
#   VMM_EXIT      its exit code after InstanceStart; default 0
#   VMM_STAYS     it does not exit
#   VMM_DIES      a path in whose request it ends, with VMM_EXIT, a last word in its log and no answer; 'kill' as VMM_EXIT: by a signal, wordless
use strict;
use warnings;
use Fcntl;
use IO::Socket::UNIX;
$| = 1;
my $version = $ENV{VMM_VERSION} // '1.16.1';
if (($ARGV[0] // '') eq '--version') {
    print "Firecracker v$version\n\n";
    exit 0;
}

my %argument = @ARGV;
my $listener = IO::Socket::UNIX->new(Local => $argument{'--api-sock'}, Listen => 8) or die "socket: $!";
print "named $argument{'--id'}\n";
# By system calls (capget; prctl: PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS), as there is nothing of /proc to read it from.
my ($header, $capabilities) = (pack('L2', 0x20080522, 0), "\0" x 24);
syscall 125, $header, $capabilities;
print "status Uid $<\nstatus Groups $(\nstatus Capabilities ", (grep { $_ } unpack 'L6', $capabilities) ? 'some' : 'none', "\n";
print 'status CapBnd ', (grep { syscall(157, 23, $_, 0, 0, 0) == 1 } 0 .. 63) ? 'some' : 'none', "\n";
print 'status NoNewPrivs ', syscall(157, 39, 0, 0, 0, 0), "\n";
print "sees $_\n" for glob '/* /dev/* /dev/*/* /etc/* /proc/* /proc/self/*';
print "makes $_\n" for grep { open my $file, '>', $_ } qw(/new /dev/new /proc/new /usr/new snapshots/new);
print "renames $_\n" for grep { rename $_, "$_.old" } qw(kernel config scratch vmm.log own);
print "makes a user namespace\n" if syscall(272, 0x10000000) == 0; # unshare(CLONE_NEWUSER)

my ($tap, $log);
sub die_of {
    kill 9, $$ if $ENV{VMM_EXIT} eq 'kill';
    my $words = "2026-11-28T10:00:00.123456789 [x:fc_api:ERROR] Shutting down VM after intercepting a bad syscall (44).\n";
    $log ? syswrite $log, $words : print $words;
    exit $ENV{VMM_EXIT};
}

sub fault_of {
    my ($path, $body) = @_;
    return 'refused as told' if $path eq ($ENV{VMM_FAULT} // '');
    if ($path =~ m{^/(?:logger|metrics)$}) {
        my ($file) = $body =~ /"(?:log|metrics)_path":"([^"]+)"/;
        sysopen my $out, $file, O_RDWR | O_CREAT | O_NONBLOCK or return "$file: $!";
        syswrite $out, $path eq '/logger' ? "the stand-in's log\n" : "{\"the stand-in\":1}\n";
        $log = $out if $path eq '/logger';
    } elsif ($path eq '/boot-source') {
        for my $file ($body =~ /"(?:kernel_image|initrd)_path":"([^"]+)"/g) {
            open my $in, '<', $file or return "$file: $!";
            print "writable $file\n" if sysopen my $out, $file, O_RDWR;
        }
    } elsif ($path =~ m{^/drives/}) {
        my ($file) = $body =~ /"path_on_host":"([^"]+)"/;
        my $only = $body =~ /"is_read_only":true/;
        sysopen my $disk, $file, $only ? O_RDONLY : O_RDWR or return "$file: $!";
        print "writable $file\n" if $only && $file eq 'root' && sysopen my $out, $file, O_RDWR;
    } elsif ($path =~ m{^/network-interfaces/}) {
        my ($name) = $body =~ /"host_dev_name":"([^"]+)"/;
        sysopen $tap, '/dev/net/tun', O_RDWR or return "/dev/net/tun: $!";
        # TUNSETIFF; IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
        ioctl $tap, 0x400454ca, pack('a16 s x22', $name, 0x5002) or return "$name: $!";
        print "opened $name\n";
    }
    if ($path eq '/snapshot/create') {
        return 'no diff snapshots' if $ENV{VMM_NO_DIFF} && $body =~ /"Diff"/;
        for my $name ('snapshot', 'mem_file') {
            my ($file) = $body =~ /"${name}_path":"([^"]+)"/;
            # As Firecracker opens them.
            sysopen my $out, $file, O_WRONLY | O_CREAT | O_TRUNC or return "$file: $!";
            syswrite $out, "$name of the machine";
        }
    } elsif ($path eq '/snapshot/load') {
        for my $name ('snapshot', 'backend') {
            my ($file) = $body =~ /"${name}_path":"([^"]+)"/;
            open my $in, '<', $file or return "$file: $!";
            print "read $file: ", <$in>, "\n";
            print "writable $file\n" if sysopen my $out, $file, O_RDWR;
        }
    }
    return undef;
}

while (my $client = $listener->accept) {
    my ($method, $path) = (<$client> // '') =~ /^(\S+) (\S+) HTTP/ or next;
    my $length = 0;
    while (my $line = <$client>) {
        last if $line eq "\r\n";
        $length = $1 if $line =~ /^Content-Length: (\d+)/i;
    }
    my $body = '';
    read $client, $body, $length if $length;
    print "asked $method $path $body\n";
    die_of() if $path eq ($ENV{VMM_DIES} // '');
    my $fault = fault_of($path, $body);
    my ($status, $answer) = $fault ? (400, qq({"fault_message":"$fault"})) : $path eq '/version' ? (200, qq({"firecracker_version":"$version"})) : (204, '');
    print {$client} "HTTP/1.1 $status \r\nServer: Firecracker API\r\n", ($answer ? 'Content-Length: ' . length($answer) . "\r\n" : ''), "\r\n$answer";
    close $client;
    exit($ENV{VMM_EXIT} // 0) if $body =~ /InstanceStart/ && !$fault && !$ENV{VMM_STAYS};
}
