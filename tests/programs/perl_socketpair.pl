# A parent and its child exchange lines over an IO::Socket pair, then a large block until end-of-file.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IO::Socket;

my $block = join('', map { sprintf("%08d\n", $_ * 7919 % 20000) } 0 .. 19999);

sub serve {
    my ($socket) = @_;
    for (1 .. 500) {
        my $line = <$socket>;
        print $socket uc $line;
        $socket->flush;
    }
    my $rest = do { local $/; <$socket> };
    print $socket sha256_hex($rest), "\n";
    $socket->close;
}

my ($mine, $other) = IO::Socket->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
my $child = fork() // die "fork: $!";
if ($child == 0) {
    $mine->close;
    serve($other);
    exit 5;
}
$other->close;
$mine->autoflush(1);
my $equal = 0;
for my $n (1 .. 500) {
    print $mine "line number $n\n";
    $equal++ if <$mine> eq "LINE NUMBER $n\n";
}
print $mine $block;
$mine->shutdown(1);
chomp(my $sum = <$mine>);
waitpid($child, 0);
printf "%d lines, block %s, status %d\n", $equal, $sum eq sha256_hex($block) ? 'equal' : 'differs', $? >> 8;
