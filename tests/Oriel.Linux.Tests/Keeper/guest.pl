#!/usr/bin/perl
# Stands in for the agent as the guest's first process: each line on port 9000 is a shell command, answered with its output and
# a last line "rc N". The command "ECHO" turns the connection into an echo until its end.
use strict; use warnings; use IO::Socket::INET;
$| = 1;
$SIG{CHLD} = 'IGNORE';
$SIG{TERM} = sub { print STDOUT "terminated\n"; exit 7 };
print "guest up as $$\n";
my $listener = IO::Socket::INET->new(LocalAddr => '192.168.100.2', LocalPort => 9000, Listen => 64, ReuseAddr => 1) or die "listen: $!";
while (1) {
  my $client = $listener->accept or next;
  my $child = fork;
  if ($child) { close $client; next }
  $SIG{CHLD} = 'DEFAULT'; $SIG{TERM} = 'DEFAULT';
  while (defined(my $line = <$client>)) {
    chomp $line;
    if ($line eq 'ECHO') {
      local $/ = \65536;
      while (defined(my $data = <$client>)) { print $client $data; $client->flush }
      last;
    }
    print "command: $line\n";
    open(my $pipe, '-|', '/bin/sh', '-c', "exec 2>&1; $line") or die "sh: $!";
    my $end = "\n";
    while (<$pipe>) { print $client $_; $end = substr($_, -1) }
    close $pipe;
    print $client ($end eq "\n" ? "" : "\n")."rc ".($? >> 8)."\n";
    $client->flush;
  }
  exit 0;
}
