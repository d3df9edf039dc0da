# x1 xor x2 learnt by a network of 2-16-1; then a hook, a function with a derivative of its own, an error, and costs.
require_relative "gradus"

def assert(condition, what = "assertion") = condition || raise(what.to_s)
def wave(count, step) = (1..count).map { |i| Math.sin(step * i) }
def median(count)
  (1..15).map do
    start = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :nanosecond)
    yield
    (Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :nanosecond) - start) / count
  end.sort[7]
end

def train
  x, y = Gradus.tensor([0, 0, 0, 1, 1, 0, 1, 1], 4, 2), Gradus.tensor([0, 1, 1, 0], 4, 1)
  w1, b1 = Gradus.tensor(wave(32, 1.7), 16, 2), Gradus.tensor(wave(16, 0.9))
  w2, b2 = Gradus.tensor(wave(16, 2.1), 1, 16), Gradus.tensor([0])
  parameters = [w1, b1, w2, b2].each(&:requires_grad!)
  1.upto(2000) do |step|
    loss = x.linear(w1, b1).tanh.linear(w2, b2).mse_loss(y)
    loss.backward
    Gradus.no_grad { parameters.each { |p| p.sub_(p.grad, alpha: 0.05) && p.grad = nil } }
    return step, loss.item if loss.item < 0.001
  end
  raise "no convergence"
end

def hooks
  x = Gradus.tensor([1, 2]).requires_grad!
  number = x.hook { |grad| grad * 10 }
  (x * x).sum.backward
  assert x.grad.to_a == [20, 40]
  x.remove_hook(number)
  x.hook { |_| raise KeyError, "of Ruby" }
  x.sum.backward
  raise "no error"
rescue KeyError => e
  assert e.message == "of Ruby"
end

class Cube
  def forward(call, x) = (call.save(x); x * x * x)
  def vjp(call, grad) = (x = call.saved(0); grad * x * x * 3)
end

def own_derivative
  x = Gradus.tensor([2, 3]).requires_grad!
  y = Gradus.apply(Cube.new, x)
  y.sum.backward
  assert x.grad.to_a == [12, 27] && y.to_s.include?("CubeBackward"), y
end

def errors
  Gradus.tensor([1, 2, 3]) + Gradus.tensor([1, 2])
  raise "no error"
rescue Gradus::ArgumentError => e
  assert e.name == "GRADUS_E_SHAPE" && e.message.include?("[3]")
  e.message
end

def costs
  x, y = Gradus.tensor([1, 2, 3, 4]), Gradus.tensor([1, 1, 1, 1])
  calls = [[:add, x, y]] + (0..98).map { |i| [:add, Gradus.result(i), y] }
  assert Gradus.batch(calls).to_a == [101, 102, 103, 104]
  [median(2000) { 2000.times { Gradus.add(x, y) } }, median(2000) { 20.times { Gradus.batch(calls) } }]
end

assert Gradus.ones([2, 3], dtype: :int32).info == { dtype: :int32, shape: [2, 3], count: 6 }
steps, loss = train
hooks
own_derivative
message = errors
one, batch = costs
Gradus.close
left = Gradus.live
puts "ruby: #{Gradus::OPERATIONS.size} functions, xor in #{steps} steps, loss #{loss.round(4)}; " \
     "add #{one} ns, in a batch #{batch} ns; #{message.inspect}"
assert left.values.sum.zero?, left
