# gradus for Ruby, over fiddle: one method for each operation, made from the registry's JSON.
#   x = Gradus.tensor([1.0, 2.0, 3.0]).requires_grad!
#   (x * x).sum.backward
#   p x.grad.to_a
# Arguments by name are Ruby's: x.sub(y, alpha: 0.1). The methods of a tensor take it as the first argument.
require "fiddle"
require "json"

module Gradus
  # The C functions, each with the types of result and arguments: p pointer, i int32, l 64 bits, v nothing. They keep Ruby's lock, so one
  # context serves all threads.
  module C
    LIBRARY = Fiddle.dlopen(ENV["GRADUS_LIBRARY"] || "libgradus.so.1")
    TYPES = { "p" => Fiddle::TYPE_VOIDP, "i" => Fiddle::TYPE_INT, "l" => Fiddle::TYPE_LONG_LONG, "v" => Fiddle::TYPE_VOID }.freeze
    { api_level: "i", status_name: "pi", retain: "vp", release: "vp", live_counts: "vp", context_create: "ipp", context_error: "vpp",
      context_fail: "ipilpl", context_set_recording: "ipip", op_find: "ppl", op_count: "l", registry_json: "iplp", invoke: "ippplplp",
      invoke_batch: "ipplll", tensor_describe: "ipp", tensor_wrap: "ipiippplippp", tensor_copy_out: "ippipl", tensor_item_f64: "ippp",
      tensor_print: "ippplp", tensor_set_requires_grad: "ippi", tensor_grad: "ippp", tensor_set_grad: "ippp", tensor_add_hook: "ipppppp",
      tensor_remove_hook: "ippl", backward: "ipplpp", function_apply: "ippplplp", function_save_for_backward: "ipppl",
      function_saved: "ipplp", op_register: "ippp", gradcheck: "ipppplppplp", tensor_to_dlpack: "ippip",
      tensor_from_dlpack: "ippip" }.each do |name, types|
      result, *parameters = types.chars.map { |t| TYPES[t] }
      function = Fiddle::Function.new(LIBRARY["gradus_#{name}"], parameters, result, need_gvl: true)
      define_singleton_method(name, &function.method(:call))
    end
    def self.memory(bytes) = Fiddle::Pointer.malloc(bytes, Fiddle::RUBY_FREE)
  end
  abort "libgradus is too old" if C.api_level < 1

  DTYPES = %i[bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64].each.with_index(1).to_h.freeze
  OUT = C.memory(16) # where C writes a handle or a number
  raise "no context" unless C.context_create(nil, OUT).zero?
  CONTEXT = OUT[0, 8].unpack1("Q")

  class Error < StandardError
    attr_reader :status, :origin, :argument

    def initialize(message, status = 0x500, origin = "", argument = -1)
      super(message)
      @status, @origin, @argument = status, origin, argument
    end

    def name = C.status_name(status).to_s
  end
  # By the category of the status.
  ArgumentError, StateError, UnsupportedError, Cancelled = Array.new(4) { Class.new(Error) }
  CATEGORIES = { 0x100 => ArgumentError, 0x300 => StateError, 0x400 => UnsupportedError, 0x600 => Cancelled }.freeze

  # What Ruby lends to C by a number: functions, and exceptions on their way through C.
  LENT = {}
  def self.lend(object)
    LENT[@last_lent = (@last_lent || 0) + 1] = object
    @last_lent
  end

  def self.check(status)
    return if status.zero?
    e = C.memory(56)
    e[0, 56] = [56].pack("Lx52")
    C.context_error(CONTEXT, e)
    _, status, argument, _, length, code, message, origin = e[0, 56].unpack("LlllQqQQ")
    thrown = LENT.delete(code) if status == 0x500
    raise thrown if thrown
    text = Fiddle::Pointer.new(message)[0, length].force_encoding("UTF-8")
    raise CATEGORIES.fetch(status & ~0xff, Error).new(text, status, Fiddle::Pointer.new(origin).to_s, argument)
  end

  def self.no_grad
    before = C.memory(8)
    check C.context_set_recording(CONTEXT, 0, before)
    yield
  ensure
    check C.context_set_recording(CONTEXT, before[0, 4].unpack1("l"), nil)
  end

  class Tensor
    attr_reader :handle

    # A finalizer in Ruby may call back into Ruby (what a graph holds of it), one in C could not.
    def initialize(handle)
      @handle = handle
      ObjectSpace.define_finalizer(self, RELEASE[handle])
    end
    RELEASE = ->(handle) { ->(_) { C.release(handle) } }

    def self.own(handle) = handle.zero? ? nil : new(handle)
    def self.borrow(handle) = handle.zero? ? nil : (C.retain(handle); new(handle))
    def give = (C.retain(handle); handle)

    # Before the collector does it; the tensor is not to be used afterwards.
    def release
      ObjectSpace.undefine_finalizer(self)
      C.release(handle)
      @handle = 0
    end

    def info
      i = C.memory(80)
      i[0, 80] = [80].pack("Lx76")
      Gradus.check C.tensor_describe(handle, i)
      dtype, rank, count, shape = i[0, 80].unpack("x4llx4qx24Q")
      { dtype: DTYPES.key(dtype), shape: rank.zero? ? [] : Fiddle::Pointer.new(shape)[0, 8 * rank].unpack("q*"), count: count }
    end

    # The memory itself, of a float64 tensor without gaps, as long as the tensor is held: data[0, 16].unpack("d*").
    def data
      i = C.memory(88)
      i[0, 88] = [88].pack("Lx84")
      Gradus.check C.tensor_describe(handle, i)
      dtype, flags, count, address = i[0, 88].unpack("x4lx4Lqx40Q")
      raise TypeError, "data: no float64 tensor without gaps" unless dtype == 10 && flags & 0x8 != 0
      Fiddle::Pointer.new(address, 8 * count)
    end

    # The address of a DLManagedTensorVersioned, for from_dlpack or another library, which calls its deleter.
    def to_dlpack = (Gradus.check(C.tensor_to_dlpack(CONTEXT, handle, 0, OUT)); OUT[0, 8].unpack1("Q"))

    def to_a
      data = C.memory(8 * [1, info[:count]].max)
      Gradus.check C.tensor_copy_out(CONTEXT, handle, 10, data, data.size)
      data[0, 8 * info[:count]].unpack("d*")
    end

    def item = (Gradus.check(C.tensor_item_f64(CONTEXT, handle, OUT)); OUT[0, 8].unpack1("d"))
    def requires_grad! = (Gradus.check(C.tensor_set_requires_grad(CONTEXT, handle, 1)); self)
    def grad = (Gradus.check(C.tensor_grad(CONTEXT, handle, OUT)); Tensor.own(OUT[0, 8].unpack1("Q")))

    def grad=(other)
      Gradus.check C.tensor_set_grad(CONTEXT, handle, other&.handle)
    end

    def backward = Gradus.check(C.backward(CONTEXT, [handle].pack("Q"), 1, nil, nil))

    # The block gets the gradient and may return another. Returns the hook's number, for remove_hook.
    def hook(&block)
      id = Gradus.lend(block)
      status = C.tensor_add_hook(CONTEXT, handle, HOOK, id, FORGET, OUT)
      LENT.delete(id) unless status.zero?
      Gradus.check status
      OUT[0, 8].unpack1("q")
    end

    def remove_hook(number) = Gradus.check(C.tensor_remove_hook(CONTEXT, handle, number))

    def to_s
      text = C.memory(4096)
      Gradus.check C.tensor_print(CONTEXT, handle, text, 4096, OUT)
      text.to_s
    end
    alias inspect to_s

    { :+ => :add, :- => :sub, :* => :mul, :/ => :div, :** => :pow }.each do |sign, op|
      define_method(sign) { |other| Gradus.__send__(op, self, other) }
    end
    def -@ = Gradus.neg(self)
  end

  # C calls Ruby through these; the first argument is what lend gave.
  def self.callback(types, &body)
    result, *parameters = types.chars.map { |t| C::TYPES[t] }
    Fiddle::Closure::BlockCaller.new(result, parameters, &body)
  end

  def self.guarded
    yield
    0
  rescue Exception => e # it goes on behind the call
    C.context_fail(CONTEXT, 0x500, lend(e), e.message, e.message.bytesize)
  end
  FORGET = callback("vl") { |id| LENT.delete(id) }
  HOOK = callback("ilppp") do |id, _, grad, replacement|
    guarded do
      other = LENT[id].call(Tensor.borrow(grad.to_i))
      replacement[0, 8] = [other.give].pack("Q") if other.is_a?(Tensor)
    end
  end
  def self.borrow_all(list, count) = count.zero? ? [] : list[0, 8 * count].unpack("Q*").map { |h| Tensor.borrow(h) }
  def self.give_all(out, results, capacity, result_count)
    out = [out] unless out.is_a?(Array)
    results[0, 8 * [out.size, capacity].min] = out.first(capacity).map { |t| t ? t.give : 0 }.pack("Q*")
    result_count[0, 8] = [out.size].pack("Q")
  end
  FORWARD, VJP = %i[forward vjp].map do |part|
    callback("ilppplplp") do |id, _, call, inputs, count, results, capacity, result_count|
      guarded { give_all(LENT[id].__send__(part, Call.new(call.to_i), *borrow_all(inputs, count)), results, capacity, result_count) }
    end
  end
  COMPUTE = callback("ilpplplp") do |id, _, inputs, count, results, capacity, result_count|
    guarded { give_all(LENT[id].call(*borrow_all(inputs, count)), results, capacity, result_count) }
  end
  OP_FORWARD, OP_BACKWARD = %i[forward backward].map do |part|
    callback("ilpplplp") do |id, _, values, count, results, capacity, result_count|
      guarded do
        out = LENT[id].__send__(part, *Array.new(count) { |i| decode(values[24 * i, 24]) })
        out = [out] unless out.is_a?(Array)
        packed = out.first(capacity).map { |t| t ? [7, 0, t.give, 0].pack("lLQQ") : OMITTED }.join
        results[0, packed.bytesize] = packed
        result_count[0, 8] = [out.size].pack("Q")
      end
    end
  end

  # What a function keeps from forward for vjp.
  Call = Struct.new(:handle) do
    def save(*tensors) = Gradus.check(C.function_save_for_backward(CONTEXT, handle, tensors.map(&:handle).pack("Q*"), tensors.size))
    def saved(index) = (Gradus.check(C.function_saved(CONTEXT, handle, index, OUT)); Tensor.own(OUT[0, 8].unpack1("Q")))
  end

  # Applies an object with forward(call, *tensors) and vjp(call, *gradients); its class names the node.
  def self.apply(function, *inputs)
    id, results = lend(function), C.memory(64)
    name = Fiddle::Pointer[function.class.name.split("::").last]
    definition = [56, 0, name.to_i, FORWARD.to_i, VJP.to_i, id, FORGET.to_i, 0].pack("LLQ*")
    status = C.function_apply(CONTEXT, definition, inputs.map(&:handle).pack("Q*"), inputs.size, results, 8, OUT)
    LENT.delete(id) unless status.zero?
    check status
    out = results[0, 8 * OUT[0, 8].unpack1("q")].unpack("Q*").map { |h| Tensor.own(h) }
    out.size == 1 ? out[0] : out
  end

  # Numbers, and sizes. The memory comes from Ruby, which gets it back with the last view of it.
  def self.tensor(numbers, *shape)
    shape = [numbers.size] if shape.empty?
    data = Fiddle.malloc(8 * numbers.size + 8)
    Fiddle::Pointer.new(data)[0, 8 * numbers.size] = numbers.pack("d*") unless numbers.empty?
    status = C.tensor_wrap(CONTEXT, 10, shape.size, shape.pack("q*"), nil, data, 8 * numbers.size, 0, Fiddle::RUBY_FREE, data, OUT)
    Fiddle.free(data) unless status.zero?
    check status
    Tensor.own(OUT[0, 8].unpack1("Q"))
  end

  # On memory of Ruby, which stays as long as a view of it does: a Fiddle::Pointer with a size, or a String of packed doubles, which must not
  # grow or shrink meanwhile.
  def self.wrap(memory, *shape)
    bytes = memory.is_a?(String) ? memory.bytesize : memory.size
    shape = [bytes / 8] if shape.empty?
    pointer, id = Fiddle::Pointer[memory], lend(memory)
    status = C.tensor_wrap(CONTEXT, 10, shape.size, shape.pack("q*"), nil, pointer, bytes, 0, FORGET, id, OUT)
    LENT.delete(id) unless status.zero?
    check status
    Tensor.own(OUT[0, 8].unpack1("Q"))
  end

  def self.from_dlpack(address) = (check(C.tensor_from_dlpack(CONTEXT, address, 0, OUT)); Tensor.own(OUT[0, 8].unpack1("Q")))

  # Whether backward of the block, which gets the inputs, gives what differences give, and a report.
  def self.gradcheck(*inputs, &block)
    id, report, passed = lend(block), C.memory(8192), C.memory(8)
    check C.gradcheck(CONTEXT, COMPUTE, id, inputs.map(&:handle).pack("Q*"), inputs.size, nil, passed, report, 8192, nil)
    [passed[0, 4].unpack1("l") == 1, report.to_s]
  ensure
    LENT.delete(id)
  end

  # An object with forward(*arguments) and backward(*arguments, *results, *gradients), which gives one gradient or nil for each tensor among
  # the arguments. It stays for good; Gradus.call, batches and tensors know the operation by its name from then on.
  def self.register_op(name, schema, rule)
    id, texts = lend(rule), [name, schema].map { |text| Fiddle::Pointer[text] }
    definition = [56, 0, *texts.map(&:to_i), 0, OP_FORWARD.to_i, OP_BACKWARD.to_i, id].pack("LLQ*")
    status = C.op_register(CONTEXT, definition, nil)
    LENT.delete(id) unless status.zero?
    check status
    learn
  end

  # One gradus_value as text of 24 bytes; keep holds what it points at.
  def self.encode(x, type, keep)
    case x
    when Tensor then [7, 0, x.handle, 0].pack("lLQQ")
    when nil then [1, 0, 0, 0].pack("lLQQ")
    when Symbol then [6, DTYPES.fetch(x), 0, 0].pack("lLQQ")
    when Integer then type == "float" ? [4, 0, x, 0].pack("lLdQ") : [3, 0, x, 0].pack("lLqQ")
    when Float then [4, 0, x, 0].pack("lLdQ")
    when true, false then [2, 0, x ? 1 : 0, 0].pack("lLqQ")
    when String then [5, 0, (keep << Fiddle::Pointer[x]).last.to_i, x.bytesize].pack("lLQQ")
    when Result then [11, 0, x.call, 0].pack("lLqQ")
    when Array
      kind, data = type == "tensor" ? [10, x.map { |t| t ? t.handle : 0 }.pack("Q*")] : type == "float" ? [9, x.pack("d*")] : [8, x.pack("q*")]
      [kind, 0, (keep << Fiddle::Pointer[data]).last.to_i, x.size].pack("lLQQ")
    else raise TypeError, "#{x.class} is no argument of an operation"
    end
  end
  OMITTED = ("\0" * 24).b.freeze

  def self.decode(value)
    kind, dtype, bits, length = value.unpack("lLQQ")
    number = value[8, 8]
    case kind
    when 2 then bits != 0
    when 3 then number.unpack1("q")
    when 4 then number.unpack1("d")
    when 5 then length.zero? ? "" : Fiddle::Pointer.new(bits)[0, length].force_encoding("UTF-8")
    when 6 then DTYPES.key(dtype)
    when 7 then Tensor.borrow(bits)
    when 8, 9 then length.zero? ? [] : Fiddle::Pointer.new(bits)[0, 8 * length].unpack(kind == 8 ? "q*" : "d*")
    when 10 then borrow_all(Fiddle::Pointer.new(bits), length)
    end
  end

  Operation = Struct.new(:handle, :name, :types, :positions) do
    def arguments(given, named, keep)
      list = given.each_with_index.map { |x, i| Gradus.encode(x, types[i], keep) }
      named.each do |name, x|
        i = positions.fetch(name) { raise ::ArgumentError, "#{self.name}: no argument #{name}" }
        list << OMITTED while list.size <= i
        list[i] = Gradus.encode(x, types[i], keep)
      end
      list
    end

    def call(given, named)
      list = arguments(given, named, keep = [])
      results = RESULTS.pop || C.memory(24 * 64)
      Gradus.check C.invoke(CONTEXT, handle, list.join, list.size, results, 64, OUT)
      count = OUT[0, 8].unpack1("Q")
      return Tensor.new(results[8, 8].unpack1("Q")) if count == 1
      Array.new(count) { |i| Tensor.own(results[24 * i + 8, 8].unpack1("Q")) }
    ensure
      RESULTS << results if results
    end
  end
  RESULTS = [] # buffers: a callback that calls operations in the middle of another call gets one of its own

  Result = Struct.new(:call)
  # calls: [[:add, x, y], [:mul, Gradus.result(0), y]]: one crossing for all; returns what the last one gives.
  def self.result(call) = Result.new(call)

  def self.batch(calls)
    keep = []
    out = C.memory(24)
    list = calls.each_with_index.map do |(name, *given), i|
      operation = OPERATIONS.fetch(name.to_sym)
      values = Fiddle::Pointer[operation.arguments(given, {}, keep).join]
      keep << values
      last = i == calls.size - 1
      [given.size, last ? 1 : 0, 0, 0, operation.handle, values.to_i, last ? out.to_i : 0, 0].pack("Q*")
    end
    check C.invoke_batch(CONTEXT, list.join, list.size, 64, OUT)
    Tensor.own(out[8, 8].unpack1("Q"))
  end

  def self.registry
    C.registry_json(nil, 0, OUT)
    text = C.memory(OUT[0, 8].unpack1("Q") + 1)
    check C.registry_json(text, text.size, OUT)
    JSON.parse(text.to_s)["ops"]
  end

  OPERATIONS = {} # by name
  def self.learn
    registry.reject { |op| OPERATIONS.key?(op["name"].to_sym) }.each do |op|
      name, arguments = op["name"].to_sym, op["arguments"]
      operation = Operation.new(C.op_find(op["name"], op["name"].bytesize).to_i, name, arguments.map { |a| a["type"] },
                                arguments.each_with_index.to_h { |a, i| [a["name"].to_sym, i] })
      define_singleton_method(name) { |*given, **named| operation.call(given, named) }
      Tensor.define_method(name) { |*given, **named| operation.call([self, *given], named) }
      OPERATIONS[name] = operation
    end
  end
  learn

  # By a name that is no word of Ruby.
  def self.call(name, *given, **named) = OPERATIONS.fetch(name.to_sym).call(given, named)

  # The end of the program: what the collector has not found yet is released by hand.
  def self.close
    ObjectSpace.each_object(Tensor, &:release)
    GC.start
    C.release(CONTEXT)
  end

  def self.live
    counts = C.memory(80)
    counts[0, 80] = [80].pack("Lx76")
    C.live_counts(counts)
    %i[contexts tensors graph_nodes foreign_blocks callbacks bytes].zip(counts[0, 80].unpack("x8Q6")).to_h
  end
end
