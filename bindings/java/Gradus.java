import com.sun.jna.Callback;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
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
  /** The C functions; a long that is no number of elements or bytes is an address. */
  static final class C {
    interface Hook extends Callback { int invoke(long user, long ctx, long grad, Pointer replacement); }
    interface Rule extends Callback { int invoke(long user, long ctx, long call, Pointer in, long n, Pointer out, long capacity, Pointer count); }
    interface Destroy extends Callback { void invoke(long user); }

    static native int gradus_api_level();
    static native String gradus_status_name(int status);
    static native void gradus_retain(long handle);
    static native void gradus_release(long handle);
    static native void gradus_live_counts(Pointer counts);
    static native int gradus_context_create(Pointer options, Pointer ctx);
    static native void gradus_context_error(long ctx, Pointer error);
    static native int gradus_context_fail(long ctx, int status, long code, byte[] text, long length);
    static native int gradus_context_set_recording(long ctx, int on, Pointer previous);
    static native long gradus_op_count();
    static native long gradus_op_at(long index);
    static native int gradus_op_describe(long op, Pointer info);
    static native int gradus_op_describe_argument(long op, int index, Pointer info);
    static native int gradus_invoke(long ctx, long op, long arguments, long n, long results, long capacity, long count);
    static native int gradus_invoke_batch(long ctx, Pointer calls, long n, long bytes, Pointer done);
    static native int gradus_tensor_copy_in(long ctx, int dtype, int rank, long[] shape, long[] strides, double[] data, long bytes, Pointer result);
    static native int gradus_tensor_wrap(long ctx, int dtype, int rank, long[] shape, long[] strides, DoubleBuffer data, long bytes, int flags,
        Destroy destroy, long user, Pointer result);
    static native int gradus_tensor_copy_out(long ctx, long tensor, int dtype, double[] data, long bytes);
    static native int gradus_tensor_describe(long tensor, Pointer info);
    static native int gradus_tensor_print(long ctx, long tensor, Pointer buffer, long capacity, Pointer length);
    static native int gradus_tensor_set_requires_grad(long ctx, long tensor, int on);
    static native int gradus_tensor_grad(long ctx, long tensor, Pointer result);
    static native int gradus_tensor_set_grad(long ctx, long tensor, long grad);
    static native int gradus_tensor_add_hook(long ctx, long tensor, Hook hook, long user, Destroy destroy, Pointer id);
    static native int gradus_tensor_remove_hook(long ctx, long tensor, long id);
    static native int gradus_backward(long ctx, Pointer outputs, long n, Pointer seeds, Pointer options);
    static native int gradus_function_apply(long ctx, Pointer definition, long[] inputs, long n, Pointer results, long capacity, Pointer count);
    static native int gradus_function_save_for_backward(long ctx, long call, long[] tensors, long n);
    static native int gradus_function_saved(long ctx, long call, long index, Pointer result);
    static { Native.register(C.class, Optional.ofNullable(System.getenv("GRADUS_LIBRARY")).orElse("libgradus.so.1")); }
  }

  /** What the library reports. */
  public static class Failure extends RuntimeException {
    public final int status, argument;
    public final String name, origin;
    Failure(int status, int argument, String message, String origin) {
      super(message);
      this.status = status;
      this.argument = argument;
      this.origin = origin;
      name = C.gradus_status_name(status);
    }
  }
  /** What the caller passed does not fit: the category GRADUS_E_ARGUMENT. */
  public static final class BadArgument extends Failure {
    BadArgument(int status, int argument, String message, String origin) { super(status, argument, message, origin); }
  }

  private static final Cleaner CLEANER = Cleaner.create();
  private static final Map<String, Integer> DTYPES = new HashMap<>();
  private static final Map<Long, Object> LENT = new ConcurrentHashMap<>();         // what Java lends to C, by numbers
  private static final AtomicLong LAST = new AtomicLong();
  static {
    for (String name : "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split(" ")) DTYPES.put(name, DTYPES.size() + 1);
  }
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
    if (C.gradus_context_create(null, out) != 0) throw new IllegalStateException("no context");
    ctx = out.getLong(0);
    var info = new Memory(72);
    var argument = new Memory(64);
    for (long i = 0; i < C.gradus_op_count(); ++i) {
      long op = C.gradus_op_at(i);
      info.setInt(0, 56);
      check(C.gradus_op_describe(op, info));
      var kinds = new int[info.getInt(8)];
      var positions = new HashMap<String, Integer>();
      for (int a = 0; a < kinds.length; ++a) {
        argument.setInt(0, 56);
        check(C.gradus_op_describe_argument(op, a, argument));
        kinds[a] = argument.getInt(8);
        positions.put(argument.getPointer(16).getString(0), a);
      }
      operations.put(info.getPointer(24).getString(0), new Operation(op, kinds, positions));
    }
  }
  public Set<String> names() { return operations.keySet(); }
  @Override public void close() { C.gradus_release(ctx); }

  private void check(int status) {
    if (status == 0) return;
    var e = new Memory(56);
    e.setInt(0, 56);
    C.gradus_context_error(ctx, e);
    Object thrown = status == 0x500 ? LENT.remove(e.getLong(24)) : null;
    if (thrown instanceof RuntimeException x) throw x;
    if (thrown instanceof Error x) throw x;
    String message = e.getPointer(32).getString(0, "UTF-8"), origin = e.getPointer(40).getString(0);
    if ((status & ~0xff) == 0x100) throw new BadArgument(status, e.getInt(8), message, origin);
    throw new Failure(status, e.getInt(8), message, origin);
  }

  public final class Tensor implements AutoCloseable {
    private final long handle;
    private final Cleaner.Cleanable release;
    private Tensor(long handle) {
      this.handle = handle;
      release = CLEANER.register(this, () -> C.gradus_release(handle));
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
      C.gradus_retain(handle);
      return handle;
    }
    public double[] numbers() {
      var info = new Memory(80);
      info.setInt(0, 80);
      check(C.gradus_tensor_describe(handle, info));
      var numbers = new double[(int) info.getLong(16)];
      check(C.gradus_tensor_copy_out(ctx, handle, 10, numbers, 8L * numbers.length));
      return numbers;
    }
    public Tensor requiresGrad() {
      check(C.gradus_tensor_set_requires_grad(ctx, handle, 1));
      return this;
    }
    public Tensor grad() {
      check(C.gradus_tensor_grad(ctx, handle, out));
      return own(out.getLong(0));
    }
    public void clearGrad() { check(C.gradus_tensor_set_grad(ctx, handle, 0)); }
    public void backward() {
      var outputs = new Memory(8);
      outputs.setLong(0, handle);
      check(C.gradus_backward(ctx, outputs, 1, null, null));
      Reference.reachabilityFence(this);
    }
    /** The hook gets the gradient and returns another one, or null. */
    public long hook(UnaryOperator<Tensor> hook) {
      long user = lend(new Hooked(Gradus.this, hook));
      int status = C.gradus_tensor_add_hook(ctx, handle, ON_HOOK, user, FORGET, out);
      if (status != 0) LENT.remove(user);
      check(status);
      return out.getLong(0);
    }
    public void removeHook(long id) { check(C.gradus_tensor_remove_hook(ctx, handle, id)); }
    @Override public String toString() {
      var text = new Memory(4096);
      check(C.gradus_tensor_print(ctx, handle, text, 4096, out));
      return text.getString(0, "UTF-8");
    }
  }
  private Tensor own(long handle) { return handle == 0 ? null : new Tensor(handle); }
  private Tensor borrow(long handle) {
    C.gradus_retain(handle);
    return own(handle);
  }

  public Tensor tensor(double[] numbers, long... shape) {
    if (shape.length == 0) shape = new long[] {numbers.length};
    check(C.gradus_tensor_copy_in(ctx, 10, shape.length, shape, null, numbers, 8L * numbers.length, out));
    return own(out.getLong(0));
  }
  /** A tensor on a direct buffer, which stays reachable as long as a view of it lives. */
  public Tensor wrap(DoubleBuffer buffer, long... shape) {
    long user = lend(buffer);
    int status = C.gradus_tensor_wrap(ctx, 10, shape.length, shape, null, buffer, 8L * buffer.capacity(), 0, FORGET, user, out);
    if (status != 0) LENT.remove(user);
    check(status);
    return own(out.getLong(0));
  }
  public void noGrad(Runnable body) {
    check(C.gradus_context_set_recording(ctx, 0, out));
    int before = out.getInt(0);
    try {
      body.run();
    } finally {
      C.gradus_context_set_recording(ctx, before, null);
    }
  }

  /** Values and results of one call: 40 and 64 of 24 bytes, and the number of results. A callback's calls have others than the call around it. */
  private final ArrayDeque<Memory> frames = new ArrayDeque<>();
  private static final int RESULTS = 40 * 24, COUNT = 104 * 24, FRAME = COUNT + 8;

  private static void encode(Pointer at, long offset, Object x, int kind, List<Object> keep) {
    if (x instanceof Tensor t) put(at, offset, 7, 0, t.handle, 0);
    else if (x == null) put(at, offset, 1, 0, 0, 0);
    else if (x instanceof Double d) put(at, offset, 4, 0, Double.doubleToRawLongBits(d), 0);
    else if (x instanceof Number n && kind == 4) put(at, offset, 4, 0, Double.doubleToRawLongBits(n.doubleValue()), 0);
    else if (x instanceof Number n) put(at, offset, 3, 0, n.longValue(), 0);
    else if (x instanceof Boolean b) put(at, offset, 2, 0, b ? 1 : 0, 0);
    else if (x instanceof ResultOf r) put(at, offset, 11, 0, r.call, 0);
    else if (x instanceof String s && kind == 6) put(at, offset, 6, DTYPES.get(s), 0, 0);
    else list(at, offset, x, keep);
  }
  private static void put(Pointer at, long offset, int kind, int aux, long payload, long length) {
    at.setInt(offset, kind);
    at.setInt(offset + 4, aux);
    at.setLong(offset + 8, payload);
    at.setLong(offset + 16, length);
  }
  private static void list(Pointer at, long offset, Object x, List<Object> keep) {
    byte[] text = x instanceof String s ? s.getBytes(StandardCharsets.UTF_8) : null;
    int n = text != null ? text.length : x instanceof long[] l ? l.length : x instanceof double[] d ? d.length : ((List<?>) x).size();
    var data = new Memory(8L * n + 8);
    if (text != null) data.write(0, text, 0, n);
    else if (x instanceof long[] l) data.write(0, l, 0, n);
    else if (x instanceof double[] d) data.write(0, d, 0, n);
    else for (int i = 0; i < n; ++i) data.setLong(8L * i, ((Tensor) ((List<?>) x).get(i)).handle);
    put(at, offset, text != null ? 5 : x instanceof long[] ? 8 : x instanceof double[] ? 9 : 10, 0, Pointer.nativeValue(data), n);
    keep.add(data);
  }

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
          encode(frame, 24L * at, x, op.kinds[at], keep);
        });
        for (int i = 0; i < n - 1; ++i) encode(frame, 24L * i, arguments[i], op.kinds[i], keep);
        n = op.kinds.length;
      } else {
        for (int i = 0; i < n; ++i) encode(frame, 24L * i, arguments[i], op.kinds[i], keep);
      }
      long at = Pointer.nativeValue(frame);
      check(C.gradus_invoke(ctx, op.handle, at, n, at + RESULTS, 64, at + COUNT));
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
      for (int k = 1; k < calls[i].length; ++k, used += 24) encode(values, used, calls[i][k], op.kinds[k - 1], keep);
    }
    list.setLong(64L * calls.length - 56, 1);
    list.setLong(64L * calls.length - 16, Pointer.nativeValue(values));
    check(C.gradus_invoke_batch(ctx, list, calls.length, 64, null));
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
    public void save(Tensor... tensors) { check(C.gradus_function_save_for_backward(ctx, handle, handles(tensors), tensors.length)); }
    public Tensor saved(int index) {
      check(C.gradus_function_saved(ctx, handle, index, out));
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
    definition.setPointer(16, com.sun.jna.CallbackReference.getFunctionPointer(ON_FORWARD));
    definition.setPointer(24, com.sun.jna.CallbackReference.getFunctionPointer(ON_VJP));
    long user = lend(new Applied(this, function));
    definition.setLong(32, user);
    definition.setPointer(40, com.sun.jna.CallbackReference.getFunctionPointer(FORGET));
    int status = C.gradus_function_apply(ctx, definition, handles(inputs), inputs.length, results, 8, count);
    if (status != 0) LENT.remove(user);
    check(status);
    Reference.reachabilityFence(inputs);
    return Arrays.stream(results.getLongArray(0, (int) count.getLong(0))).mapToObj(this::own).toArray(Tensor[]::new);
  }

  // What C calls; exceptions go through C by a number.
  private record Hooked(Gradus g, UnaryOperator<Tensor> hook) {}
  private record Applied(Gradus g, Function function) {}
  private int guarded(Runnable body) {
    try {
      body.run();
      return 0;
    } catch (Throwable e) {
      byte[] text = String.valueOf(e.getMessage()).getBytes(StandardCharsets.UTF_8);
      return C.gradus_context_fail(ctx, 0x500, lend(e), text, text.length);
    }
  }
  private static final C.Destroy FORGET = LENT::remove;
  private static final C.Hook ON_HOOK = (user, ctx, grad, replacement) -> {
    var hooked = (Hooked) LENT.get(user);
    return hooked.g.guarded(() -> {
      Tensor other = hooked.hook.apply(hooked.g.borrow(grad));
      if (other != null) replacement.setLong(0, other.give());
    });
  };
  private static final C.Rule ON_FORWARD = (user, ctx, call, in, n, out, capacity, count) -> run(user, call, in, n, out, count, false);
  private static final C.Rule ON_VJP = (user, ctx, call, in, n, out, capacity, count) -> run(user, call, in, n, out, count, true);
  private static int run(long user, long call, Pointer in, long n, Pointer out, Pointer count, boolean vjp) {
    var applied = (Applied) LENT.get(user);
    Gradus g = applied.g;
    return g.guarded(() -> {
      Tensor[] tensors = Arrays.stream(in.getLongArray(0, (int) n)).mapToObj(g::borrow).toArray(Tensor[]::new);
      Tensor[] results = vjp ? applied.function.vjp(g.new Call(call), tensors) : applied.function.forward(g.new Call(call), tensors);
      for (int i = 0; i < results.length; ++i) out.setLong(8L * i, results[i].give());
      count.setLong(0, results.length);
    });
  }

  /** What lives in the process: contexts, tensors, nodes, blocks of the host, callbacks, bytes. */
  public static long[] live() {
    var counts = new Memory(80);
    counts.clear();
    counts.setInt(0, 80);
    C.gradus_live_counts(counts);
    return counts.getLongArray(8, 6);
  }
}
