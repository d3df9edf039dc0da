# x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, shared
# memory, and costs.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gradus;
use List::Util qw(min sum);
use Time::HiRes qw(clock);

sub assert { $_[0] or die $_[1] // 'assertion', ' at line ', (caller)[2], "\n" }
sub wave { my ($n, $step) = @_; [map { sin($step * $_) } 1 .. $n] }

sub train {
  my ($x, $y) = (Gradus::tensor([0, 0, 0, 1, 1, 0, 1, 1], 4, 2), Gradus::tensor([0, 1, 1, 0], 4, 1));
  my ($w1, $b1) = (Gradus::tensor(wave(32, 1.7), 16, 2), Gradus::tensor(wave(16, 0.9)));
  my ($w2, $b2) = (Gradus::tensor(wave(16, 2.1), 1, 16), Gradus::tensor([0]));
  my @parameters = map { $_->requires_grad } $w1, $b1, $w2, $b2;
  for my $step (1 .. 2000) {
    my $loss = $x->linear($w1, $b1)->tanh->linear($w2, $b2)->mse_loss($y);
    $loss->backward;
    Gradus::no_grad { for my $p (@parameters) { $p->sub_($p->grad, {alpha => 0.05}); $p->clear_grad } };
    my ($value) = $loss->numbers;
    return ($step, $value) if $value < 0.001;
  }
  die "no convergence";
}

sub hooks {
  my $x = Gradus::tensor([1, 2])->requires_grad;
  my $number = $x->hook(sub { $_[0] * 10 });
  ($x * $x)->sum->backward;
  assert(($x->grad->numbers)[1] == 40);
  $x->remove_hook($number);
  my $mine = {of => 'Perl'};
  $x->hook(sub { die $mine });
  assert(!eval { $x->sum->backward; 1 } && $@ == $mine, $@);
}

sub own_derivative {
  my $cube = {name => 'Cube',
    forward => sub { my ($call, $x) = @_; $call->save($x); $x * $x * $x },
    vjp => sub { my ($call, $grad) = @_; my $x = $call->saved(0); $grad * $x * $x * 3 }};
  my $x = Gradus::tensor([2, 3])->requires_grad;
  my $y = Gradus::apply($cube, $x);
  $y->sum->backward;
  assert(join(' ', $x->grad->numbers) eq '12 27' && "$y" =~ /CubeBackward/, "$y");
}

sub own_operation {
  Gradus::register_op('demo.distance', '(Tensor x, Tensor y, float scale=1.0) -> Tensor',
    sub { my ($x, $y, $scale) = @_; die "a negative scale\n" if $scale < 0; ($x * $x + $y * $y)->sqrt * $scale },
    sub { my ($x, $y, $scale, $r, $grad) = @_; my $slope = $grad * $scale ** 2 / $r; ($slope * $x, $slope * $y) });
  my ($x, $y) = map { Gradus::tensor($_)->requires_grad } [3, 5], [4, 12];
  assert(join(' ', Gradus::call('demo.distance', $x, $y)->numbers) eq '5 13');
  assert(!eval { Gradus::call('demo.distance', $x, $y, -1); 1 } && $@ eq "a negative scale\n", $@);
  assert(!eval { Gradus::register_op('demo.distance', '(Tensor x) -> Tensor', sub {}, sub {}); 1 } && $@->{category} == 0x100, $@);
  my ($passed, $report) = Gradus::gradcheck(sub { Gradus::call('demo.distance', @_, {scale => 2}) }, $x, $y);
  assert($passed, $report);
  my $sum = Gradus::batch([['demo.distance' => $x, $y, 2], [sum => Gradus::result(0)]]);
  $sum->backward;
  assert(($sum->numbers)[0] == 36 && abs(($x->grad->numbers)[0] - 1.2) < 1e-12);
}

sub memory {
  my $packed = pack 'd*', 1 .. 4;
  my $x = Gradus::wrap(\$packed, 2, 2);
  $x->mul_(2);
  assert(join(' ', unpack 'd*', $packed) eq '2 4 6 8');
  my $view = $x->data;
  my $managed = $x->to_dlpack;
  Gradus::from_dlpack($managed)->fill_(7);
  assert(unpack('x24 d', $$view) == 7 && unpack('d', $packed) == 7);
}

sub errors {
  assert(!eval { my $z = Gradus::tensor([1, 2, 3]) + Gradus::tensor([1, 2]); 1 });
  assert(ref $@ eq 'Gradus::Error' && $@->{name} eq 'GRADUS_E_SHAPE' && $@->{message} =~ /\[3\]/, $@);
  $@->{message};
}

sub least {                                    # of 15 rounds, in nanoseconds of the processor's time
  my ($n, $body) = @_;
  my @times;
  for (1 .. 15) { my $start = clock; $body->(); push @times, (clock() - $start) / $n * 1e9 }
  min(@times);
}

sub costs {
  my ($x, $y) = (Gradus::tensor([1, 2, 3, 4]), Gradus::tensor([1, 1, 1, 1]));
  my $calls = [[add => $x, $y], map { [add => Gradus::result($_), $y] } 0 .. 98];
  assert(join(' ', Gradus::batch($calls)->numbers) eq '101 102 103 104');
  (least(2000, sub { for (1 .. 2000) { my $z = Gradus::add($x, $y) } }), least(2000, sub { Gradus::batch($calls) for 1 .. 20 }));
}

my ($steps, $loss) = train();
hooks();
own_derivative();
own_operation();
memory();
my ($message, @costs) = (errors(), costs());
undef $@;
Gradus::close();
my @left = Gradus::live();
printf "perl: %d functions, xor in %d steps, loss %.4f; add %.0f ns, in a batch %.0f ns; \"%s\"\n",
  scalar(keys %Gradus::OPS), $steps, $loss, @costs, $message;
assert(sum(@left) == 0, "@left");
