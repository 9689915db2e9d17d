# IPC::Open3 with one end of a socketpair as the child's standard input and output.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IO::Select;
use IPC::Open3;
use Socket;

my $block = join('', map { sprintf("%08d\n", $_ * 7919 % 2000) } 0 .. 1999);

sub exchange {
    my ($socket) = @_;
    my ($sent, $got) = (0, '');
    $socket->blocking(0);
    while (1) {
        my $writing = $sent < length $block;
        my ($readable, $writable) = IO::Select->select(IO::Select->new($socket),
            $writing ? IO::Select->new($socket) : undef, undef, 30) or die "nothing happened for 30 s";
        if (@$writable) {
            $sent += syswrite($socket, $block, 4096, $sent) // 0;
            shutdown($socket, 1) if $sent == length $block;
        }
        if (@$readable) {
            my $n = sysread($socket, $got, 4096, length $got);
            return $got if defined $n && $n == 0;
        }
    }
}

for my $command (['cat'], ['sort'], ['tr', '0', 'o']) {
    socketpair(my $mine, IN, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
    open(OUT, '>&', \*IN) or die "dup: $!";
    my $pid = open3('<&IN', '>&OUT', '>&STDERR', @$command);
    close OUT;    # open3 closes the other one itself
    my $got = exchange($mine);
    waitpid($pid, 0);
    print "@$command: ", length $got, ' ', sha256_hex($got), ' ', $? >> 8, "\n";
}
