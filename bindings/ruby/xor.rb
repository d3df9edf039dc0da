# x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, shared
# memory, and costs.
require_relative "gradus"

def assert(condition, what = "assertion") = condition || raise(what.to_s)
def wave(count, step) = (1..count).map { |i| Math.sin(step * i) }
def least(count) # of 15 rounds, in nanoseconds of the processor's time
  (1..15).map do
    start = Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :nanosecond)
    yield
    (Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID, :nanosecond) - start) / count
  end.min
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

class Distance
  def forward(x, y, scale)
    raise RangeError, "a negative scale" if scale < 0
    (x * x + y * y).sqrt * scale
  end

  def backward(x, y, scale, r, grad)
    slope = grad * scale**2 / r
    [slope * x, slope * y]
  end
end

def raised
  yield
  raise "no error"
rescue StandardError => e
  e.class
end

def own_operation
  Gradus.register_op("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor", Distance.new)
  x, y = Gradus.tensor([3, 5]).requires_grad!, Gradus.tensor([4, 12]).requires_grad!
  assert Gradus.call("demo.distance", x, y).to_a == [5, 13] && Gradus.call("demo.distance", x, y, scale: 2).to_a == [10, 26]
  assert raised { Gradus.call("demo.distance", x, y, -1.0) } == RangeError
  assert raised { Gradus.register_op("demo.distance", "(Tensor x) -> Tensor", Distance.new) } == Gradus::ArgumentError
  passed, report = Gradus.gradcheck(x, y) { |a, b| Gradus.call("demo.distance", a, b, 2.0) }
  assert passed, report
  sum = Gradus.batch([["demo.distance", x, y, 2.0], [:sum, Gradus.result(0)]])
  sum.backward
  assert sum.item == 36 && (x.grad.to_a[0] - 1.2).abs < 1e-12
end

def memory
  text = [1.0, 2.0, 3.0, 4.0].pack("d*") # longer than what Ruby keeps inside of a String's own cell
  x = Gradus.wrap(text, 2, 2)
  x.mul_(2)
  assert text.unpack("d*") == [2, 4, 6, 8] && x.data[8, 8].unpack1("d") == 4
  managed = x.to_dlpack
  major, _, _, _, _, data, device, _, rank, code, bits, lanes = Fiddle::Pointer.new(managed)[0, 56].unpack("LLQQQQllLCCS")
  assert [major, data, device, rank, code, bits, lanes] == [1, Fiddle::Pointer[text].to_i, 1, 2, 2, 64, 1]
  Gradus.from_dlpack(managed).fill_(7)
  assert x.sum.item == 28
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
  [least(2000) { 2000.times { Gradus.add(x, y) } }, least(2000) { 20.times { Gradus.batch(calls) } }]
end

assert Gradus.ones([2, 3], dtype: :int32).info == { dtype: :int32, shape: [2, 3], count: 6 }
steps, loss = train
hooks
own_derivative
own_operation
memory
message = errors
one, batch = costs
Gradus.close
left = Gradus.live
puts "ruby: #{Gradus::OPERATIONS.size} functions, xor in #{steps} steps, loss #{loss.round(4)}; " \
     "add #{one} ns, in a batch #{batch} ns; #{message.inspect}"
assert left.values.sum.zero?, left
