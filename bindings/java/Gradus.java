import com.sun.jna.CallbackReference;
import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

/**
 * gradus for Java, over JNA. The operations are made from the library's description of them and called by name:
 *
 *   var g = new Gradus();
 *   var x = g.tensor(new double[] {1, 2, 3}).requiresGrad();
 *   x.call("mul", x).call("sum").backward();
 *   System.out.println(Arrays.toString(x.grad().numbers()));
 *
 * Arguments: Tensor, Integer, Long, Double, Boolean, String (a text, or an element type), long[], double[], List of Tensor, null for "none";
 * a last Map holds arguments by name. One thread at a time uses a Gradus. Tensors go back with the garbage collector, or by close.
 */
public final class Gradus implements AutoCloseable {
  /** What the library reports. */
  public static class Failure extends RuntimeException {
    public final int status, argument;
    public final String name, origin;
    Failure(int status, int argument, String message, String origin) {
      super(message);
      this.status = status;
      this.argument = argument;
      this.origin = origin;
      name = GradusC.gradus_status_name(status);
    }
  }
  /** What the caller passed does not fit: the category GRADUS_E_ARGUMENT. */
  public static final class BadArgument extends Failure {
    BadArgument(int status, int argument, String message, String origin) { super(status, argument, message, origin); }
  }

  private static final Cleaner CLEANER = Cleaner.create();
  private static final Map<Long, Object> LENT = new ConcurrentHashMap<>();         // what Java lends to C, by numbers
  private static final Map<Long, Gradus> OPEN = new ConcurrentHashMap<>();         // by their contexts
  private static final AtomicLong LAST = new AtomicLong();
  private static long lend(Object x) {
    LENT.put(LAST.incrementAndGet(), x);
    return LAST.get();
  }

  private record Operation(long handle, int[] kinds, Map<String, Integer> positions) {}
  /** In a batch: the first result of an earlier call. */
  public record ResultOf(int call) {}
  private final Map<String, Operation> operations = new HashMap<>();
  private final Memory out = new Memory(16);
  private final long ctx;

  public Gradus() {
    if (GradusC.gradus_context_create(null, out) != 0) throw new IllegalStateException("no context");
    ctx = out.getLong(0);
    OPEN.put(ctx, this);
    for (long i = 0; i < GradusC.gradus_op_count(); ++i) learn(GradusC.gradus_op_at(i));
  }
  private void learn(long op) {
    Memory info = new Memory(72), argument = new Memory(64);
    info.setInt(0, 56);
    argument.setInt(0, 56);
    check(GradusC.gradus_op_describe(op, info));
    var kinds = new int[info.getInt(8)];
    var positions = new HashMap<String, Integer>();
    for (int a = 0; a < kinds.length; ++a) {
      check(GradusC.gradus_op_describe_argument(op, a, argument));
      kinds[a] = argument.getInt(8);
      positions.put(argument.getPointer(16).getString(0), a);
    }
    operations.put(info.getPointer(24).getString(0), new Operation(op, kinds, positions));
  }
  public Set<String> names() { return operations.keySet(); }
  @Override public void close() {
    OPEN.remove(ctx);
    GradusC.gradus_release(ctx);
  }

  private void check(int status) {
    if (status == 0) return;
    var e = new Memory(56);
    e.setInt(0, 56);
    GradusC.gradus_context_error(ctx, e);
    Object thrown = status == 0x500 ? LENT.remove(e.getLong(24)) : null;
    if (thrown instanceof RuntimeException x) throw x;
    if (thrown instanceof Error x) throw x;
    String message = e.getPointer(32).getString(0, "UTF-8"), origin = e.getPointer(40).getString(0);
    if ((status & ~0xff) == 0x100) throw new BadArgument(status, e.getInt(8), message, origin);
    throw new Failure(status, e.getInt(8), message, origin);
  }

  public final class Tensor implements AutoCloseable {
    final long handle;
    private final Cleaner.Cleanable release;
    private Tensor(long handle) {
      this.handle = handle;
      release = CLEANER.register(this, () -> GradusC.gradus_release(handle));
    }
    /** Gives it back before the collector does. */
    @Override public void close() { release.clean(); }
    public Tensor call(String name, Object... others) {
      var all = new Object[others.length + 1];
      all[0] = this;
      System.arraycopy(others, 0, all, 1, others.length);
      return Gradus.this.call(name, all);
    }
    private long give() {
      GradusC.gradus_retain(handle);
      return handle;
    }
    private Memory info() {
      var info = new Memory(80);
      info.setInt(0, 80);
      check(GradusC.gradus_tensor_describe(handle, info));
      return info;
    }
    /** The memory itself, of a float64 tensor without gaps; the buffer does not keep the tensor. */
    public DoubleBuffer data() {
      Memory info = info();
      if (info.getInt(4) != 10 || (info.getInt(12) & 0x8) == 0) throw new IllegalStateException("no float64 tensor without gaps");
      return info.getPointer(64).getByteBuffer(0, 8 * info.getLong(16)).order(ByteOrder.nativeOrder()).asDoubleBuffer();
    }
    /** The address of a DLManagedTensorVersioned, for fromDlpack or another library, which calls its deleter. */
    public long toDlpack() {
      check(GradusC.gradus_tensor_to_dlpack(ctx, handle, 0, out));
      return out.getLong(0);
    }
    public double[] numbers() {
      Memory info = info();
      var numbers = new double[(int) info.getLong(16)];
      check(GradusC.gradus_tensor_copy_out(ctx, handle, 10, numbers, 8L * numbers.length));
      return numbers;
    }
    public Tensor requiresGrad() {
      check(GradusC.gradus_tensor_set_requires_grad(ctx, handle, 1));
      return this;
    }
    public Tensor grad() {
      check(GradusC.gradus_tensor_grad(ctx, handle, out));
      return own(out.getLong(0));
    }
    public void clearGrad() { check(GradusC.gradus_tensor_set_grad(ctx, handle, 0)); }
    public void backward() {
      var outputs = new Memory(8);
      outputs.setLong(0, handle);
      check(GradusC.gradus_backward(ctx, outputs, 1, null, null));
      Reference.reachabilityFence(this);
    }
    /** The hook gets the gradient and returns another one, or null. */
    public long hook(UnaryOperator<Tensor> hook) {
      long user = lend(hook);
      int status = GradusC.gradus_tensor_add_hook(ctx, handle, ON_HOOK, user, FORGET, out);
      if (status != 0) LENT.remove(user);
      check(status);
      return out.getLong(0);
    }
    public void removeHook(long id) { check(GradusC.gradus_tensor_remove_hook(ctx, handle, id)); }
    @Override public String toString() {
      var text = new Memory(4096);
      check(GradusC.gradus_tensor_print(ctx, handle, text, 4096, out));
      return text.getString(0, "UTF-8");
    }
  }
  private Tensor own(long handle) { return handle == 0 ? null : new Tensor(handle); }
  Tensor borrow(long handle) {
    GradusC.gradus_retain(handle);
    return own(handle);
  }

  Tensor[] borrowAll(Pointer list, int n) {
    return n == 0 ? new Tensor[0] : Arrays.stream(list.getLongArray(0, n)).mapToObj(this::borrow).toArray(Tensor[]::new);
  }

  public Tensor tensor(double[] numbers, long... shape) {
    if (shape.length == 0) shape = new long[] {numbers.length};
    check(GradusC.gradus_tensor_copy_in(ctx, 10, shape.length, shape, null, numbers, 8L * numbers.length, out));
    return own(out.getLong(0));
  }
  /** A tensor on a direct buffer, which stays reachable as long as a view of it lives. */
  public Tensor wrap(DoubleBuffer buffer, long... shape) {
    long user = lend(buffer);
    int status = GradusC.gradus_tensor_wrap(ctx, 10, shape.length, shape, null, buffer, 8L * buffer.capacity(), 0, FORGET, user, out);
    if (status != 0) LENT.remove(user);
    check(status);
    return own(out.getLong(0));
  }
  /** Takes over what to_dlpack of any library gave. */
  public Tensor fromDlpack(long managed) {
    check(GradusC.gradus_tensor_from_dlpack(ctx, managed, 0, out));
    return own(out.getLong(0));
  }
  public void noGrad(Runnable body) {
    check(GradusC.gradus_context_set_recording(ctx, 0, out));
    int before = out.getInt(0);
    try {
      body.run();
    } finally {
      GradusC.gradus_context_set_recording(ctx, before, null);
    }
  }

  /** Values and results of one call: 40 and 64 of 24 bytes, and the number of results. A callback's calls have others than the call around it. */
  private final ArrayDeque<Memory> frames = new ArrayDeque<>();
  private static final int RESULTS = 40 * 24, COUNT = 104 * 24, FRAME = COUNT + 8;

  /** All results of an operation. */
  public Tensor[] callAll(String name, Object... arguments) {
    Operation op = operations.get(name);
    if (op == null) throw new NoSuchElementException("no operation " + name);
    Memory frame = frames.isEmpty() ? new Memory(FRAME) : frames.pop();
    var keep = new ArrayList<Object>(0);
    try {
      int n = arguments.length;
      if (n > 0 && arguments[n - 1] instanceof Map<?, ?> named) {
        frame.clear(RESULTS);
        named.forEach((key, x) -> {
          Integer at = op.positions.get(key);
          if (at == null) throw new IllegalArgumentException(name + ": no argument " + key);
          GradusValues.encode(frame, 24L * at, x, op.kinds[at], keep);
        });
        for (int i = 0; i < n - 1; ++i) GradusValues.encode(frame, 24L * i, arguments[i], op.kinds[i], keep);
        n = op.kinds.length;
      } else {
        for (int i = 0; i < n; ++i) GradusValues.encode(frame, 24L * i, arguments[i], op.kinds[i], keep);
      }
      long at = Pointer.nativeValue(frame);
      check(GradusC.gradus_invoke(ctx, op.handle, at, n, at + RESULTS, 64, at + COUNT));
      var tensors = new Tensor[(int) frame.getLong(COUNT)];
      for (int i = 0; i < tensors.length; ++i) tensors[i] = own(frame.getLong(RESULTS + 24L * i + 8));
      return tensors;
    } finally {
      Reference.reachabilityFence(arguments);
      Reference.reachabilityFence(keep);
      frames.push(frame);
    }
  }
  public Tensor call(String name, Object... arguments) { return callAll(name, arguments)[0]; }

  /** Many calls in one crossing, each {name, arguments...}; returns what the last one gives. */
  public Tensor batch(Object[]... calls) {
    int total = Arrays.stream(calls).mapToInt(call -> call.length).sum();
    Memory list = new Memory(64L * calls.length), values = new Memory(24L * total + 24);
    list.clear();
    values.clear();
    var keep = new ArrayList<Object>();
    long used = 24;
    for (int i = 0; i < calls.length; ++i) {
      Operation op = operations.get(calls[i][0]);
      list.setLong(64L * i, calls[i].length - 1);
      list.setLong(64L * i + 32, op.handle);
      list.setLong(64L * i + 40, Pointer.nativeValue(values) + used);
      for (int k = 1; k < calls[i].length; ++k, used += 24) GradusValues.encode(values, used, calls[i][k], op.kinds[k - 1], keep);
    }
    list.setLong(64L * calls.length - 56, 1);
    list.setLong(64L * calls.length - 16, Pointer.nativeValue(values));
    check(GradusC.gradus_invoke_batch(ctx, list, calls.length, 64, null));
    Reference.reachabilityFence(calls);
    Reference.reachabilityFence(keep);
    return own(values.getLong(8));
  }

  /** A function with a derivative of its own: vjp turns gradients of the results into those of the inputs. */
  public interface Function {
    Tensor[] forward(Call call, Tensor[] inputs);
    Tensor[] vjp(Call call, Tensor[] gradients);
  }
  /** What a function keeps from forward for vjp. */
  public final class Call {
    private final long handle;
    private Call(long handle) { this.handle = handle; }
    public void save(Tensor... tensors) { check(GradusC.gradus_function_save_for_backward(ctx, handle, handles(tensors), tensors.length)); }
    public Tensor saved(int index) {
      check(GradusC.gradus_function_saved(ctx, handle, index, out));
      return own(out.getLong(0));
    }
  }
  private static long[] handles(Tensor[] tensors) { return Arrays.stream(tensors).mapToLong(t -> t.handle).toArray(); }
  public Tensor[] apply(String name, Function function, Tensor... inputs) {
    Memory text = new Memory(name.length() + 1), definition = new Memory(56), results = new Memory(64), count = new Memory(8);
    text.setString(0, name);
    definition.clear();
    definition.setInt(0, 56);
    definition.setPointer(8, text);
    definition.setPointer(16, CallbackReference.getFunctionPointer(ON_FORWARD));
    definition.setPointer(24, CallbackReference.getFunctionPointer(ON_VJP));
    long user = lend(function);
    definition.setLong(32, user);
    definition.setPointer(40, CallbackReference.getFunctionPointer(FORGET));
    int status = GradusC.gradus_function_apply(ctx, definition, handles(inputs), inputs.length, results, 8, count);
    if (status != 0) LENT.remove(user);
    check(status);
    Reference.reachabilityFence(inputs);
    return Arrays.stream(results.getLongArray(0, (int) count.getLong(0))).mapToObj(this::own).toArray(Tensor[]::new);
  }

  /** A part of an operation: of its arguments, or in backward of arguments, results and gradients of the results, one gradient or null for each
   * tensor among the arguments. */
  public interface Rule { Tensor[] apply(Object[] values); }
  private record Rules(Rule forward, Rule backward) {}

  /** Registers an operation for the whole process, for good; this Gradus knows it by its name from then on. */
  public void registerOp(String name, String schema, Rule forward, Rule backward) {
    Memory texts = new Memory(name.length() + schema.length() + 2), definition = new Memory(56);
    texts.setString(0, name);
    texts.setString(name.length() + 1, schema);
    long user = lend(new Rules(forward, backward));
    definition.clear();
    definition.setInt(0, 56);
    definition.setPointer(8, texts);
    definition.setPointer(16, texts.share(name.length() + 1));
    definition.setPointer(32, CallbackReference.getFunctionPointer(ON_OP_FORWARD));
    definition.setPointer(40, CallbackReference.getFunctionPointer(ON_OP_BACKWARD));
    definition.setLong(48, user);
    int status = GradusC.gradus_op_register(ctx, definition, out);
    if (status != 0) LENT.remove(user);
    check(status);
    learn(out.getLong(0));
  }

  public record Check(boolean passed, String report) {}
  /** Whether backward of f gives what differences give. */
  public Check gradcheck(UnaryOperator<Tensor[]> f, Tensor... inputs) {
    Memory report = new Memory(8192), passed = new Memory(8);
    long user = lend(f);
    int status = GradusC.gradus_gradcheck(ctx, ON_COMPUTE, user, handles(inputs), inputs.length, null, passed, report, 8192, null);
    LENT.remove(user);
    check(status);
    Reference.reachabilityFence(inputs);
    return new Check(passed.getInt(0) == 1, report.getString(0, "UTF-8"));
  }

  // What C calls; exceptions go through C by a number.
  private interface Body { void run(Gradus g, Object lent); }
  private static int guarded(long user, long ctx, Body body) {
    try {
      body.run(OPEN.get(ctx), LENT.get(user));
      return 0;
    } catch (Throwable e) {
      byte[] text = String.valueOf(e.getMessage()).getBytes(StandardCharsets.UTF_8);
      return GradusC.gradus_context_fail(ctx, 0x500, lend(e), text, text.length);
    }
  }
  private static void giveAll(Tensor[] given, Pointer out, long capacity, Pointer count) {
    for (int i = 0; i < given.length && i < capacity; ++i) if (given[i] != null) out.setLong(8L * i, given[i].give());
    count.setLong(0, given.length);
  }
  private static void giveValues(Tensor[] given, Pointer out, long capacity, Pointer count) {
    for (int i = 0; i < given.length && i < capacity; ++i) {
      if (given[i] == null) continue;
      out.setInt(24L * i, 7);
      out.setLong(24L * i + 8, given[i].give());
    }
    count.setLong(0, given.length);
  }
  private static final GradusC.Destroy FORGET = LENT::remove;
  @SuppressWarnings("unchecked")
  private static final GradusC.Hook ON_HOOK = (user, ctx, grad, replacement) -> guarded(user, ctx, (g, hook) -> {
    Tensor other = ((UnaryOperator<Tensor>) hook).apply(g.borrow(grad));
    if (other != null) replacement.setLong(0, other.give());
  });
  private static final GradusC.Rule ON_FORWARD = (user, ctx, call, in, n, out, capacity, count) -> guarded(user, ctx, (g, function) ->
      giveAll(((Function) function).forward(g.new Call(call), g.borrowAll(in, (int) n)), out, capacity, count));
  private static final GradusC.Rule ON_VJP = (user, ctx, call, in, n, out, capacity, count) -> guarded(user, ctx, (g, function) ->
      giveAll(((Function) function).vjp(g.new Call(call), g.borrowAll(in, (int) n)), out, capacity, count));
  @SuppressWarnings("unchecked")
  private static final GradusC.Values ON_COMPUTE = (user, ctx, in, n, out, capacity, count) -> guarded(user, ctx, (g, f) ->
      giveAll(((UnaryOperator<Tensor[]>) f).apply(g.borrowAll(in, (int) n)), out, capacity, count));
  private static final GradusC.Values ON_OP_FORWARD = (user, ctx, in, n, out, capacity, count) -> guarded(user, ctx, (g, rules) ->
      giveValues(((Rules) rules).forward.apply(GradusValues.decode(g, in, (int) n)), out, capacity, count));
  private static final GradusC.Values ON_OP_BACKWARD = (user, ctx, in, n, out, capacity, count) -> guarded(user, ctx, (g, rules) ->
      giveValues(((Rules) rules).backward.apply(GradusValues.decode(g, in, (int) n)), out, capacity, count));

  /** What lives in the process: contexts, tensors, nodes, blocks of the host, callbacks, bytes. */
  public static long[] live() {
    var counts = new Memory(80);
    counts.clear();
    counts.setInt(0, 80);
    GradusC.gradus_live_counts(counts);
    return counts.getLongArray(8, 6);
  }
}
