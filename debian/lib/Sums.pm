package Sums;

# The checksums of the package for dpkg-genbuildinfo and dpkg-genchanges, sooner.
#
# Both take MD5, SHA-1 and SHA-256 of a .deb that may have a gigabyte, one after the other
# and with Perl's own code: a third of a FAST=1 build. sums.py takes all three at once, with
# OpenSSL, which knows the processor's instructions for it. Digest has a table of which
# module calculates what; `perl -MSums` puts this one there. Only what Dpkg::Checksums calls
# is here: whoever calls another method is told by Perl that there is none.

use strict;
use warnings;

use Digest;
use File::Basename qw(dirname);

our $VERSION = '1';

my $SUMS = dirname(__FILE__) . '/sums.py';
my %NAMES = ('MD5' => 'md5', 'SHA-1' => 'sha1', 'SHA-256' => 'sha256');
my %known;

$Digest::MMAP{$_} = [[__PACKAGE__, $NAMES{$_}]] for keys %NAMES;

sub new {
    my ($class, $name) = @_;
    return bless { name => $name }, $class;
}

# Of a whole file, which is open and was not read from.
sub addfile {
    my ($self, $file) = @_;
    my $path = "/proc/$$/fd/" . fileno $file;
    $self->{sum} = _sums(join(':', (stat $file)[0, 1, 7, 9]), $path)->{$self->{name}};
    return $self;
}

sub hexdigest {
    my ($self) = @_;
    return $self->{sum};
}

sub _sums {
    my ($key, $path) = @_;
    return $known{$key} if $known{$key};
    open my $said, '-|', 'python3', '-B', $SUMS, $path or die "python3 $SUMS: $!\n";
    my %sums = map { split } <$said>;
    close $said or die "python3 $SUMS $path failed\n";
    return $known{$key} = \%sums;
}

1;
