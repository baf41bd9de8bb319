# Verifies signed messages with Mail::DKIM: verify.pl RECORDFILE MESSAGE...
use strict;
use warnings;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS;

package FakeResolver;

sub new { my ($class, $record) = @_; return bless { record => $record }, $class }

sub query {
	my ($self, $name, $type) = @_;
	my $packet = Net::DNS::Packet->new($name, $type);
	my @parts = unpack '(a255)*', $self->{record};
	$packet->push(answer =>
	    Net::DNS::RR->new(name => $name, type => 'TXT', ttl => 60, txtdata => \@parts));
	return $packet;
}
sub send { my $self = shift; return $self->query(@_) }
sub errorstring { return '' }

package main;

sub slurp { open my $in, '<:raw', $_[0] or die "$_[0]: $!"; local $/; return scalar <$in> }

Mail::DKIM::DNS::resolver(FakeResolver->new(slurp(shift @ARGV)));
my $failed = 0;
for my $file (@ARGV) {
	my $verifier = Mail::DKIM::Verifier->new;
	$verifier->PRINT(slurp($file));
	$verifier->CLOSE;
	# Others' malformed signatures are in some messages: ours stands first.
	my ($ours) = grep { ($_->timestamp // 0) == 1700000000 } $verifier->signatures;
	my $result = $ours ? $ours->result : 'none';
	next if $result eq 'pass';
	print "$file: $result ", ($ours ? $ours->result_detail : ''), "\n";
	$failed = 1;
}
exit $failed;
