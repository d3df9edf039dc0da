import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, shared memory, and
 * costs.
 */
public final class Xor {
  static void check(boolean condition, Object what) {
    if (!condition) throw new AssertionError(what);
  }
  static double[] wave(int n, double step) { return IntStream.rangeClosed(1, n).mapToDouble(i -> Math.sin(step * i)).toArray(); }

  static String train(Gradus g) {
    var x = g.tensor(new double[] {0, 0, 0, 1, 1, 0, 1, 1}, 4, 2);
    var y = g.tensor(new double[] {0, 1, 1, 0}, 4, 1);
    var w1 = g.tensor(wave(32, 1.7), 16, 2).requiresGrad();
    var b1 = g.tensor(wave(16, 0.9)).requiresGrad();
    var w2 = g.tensor(wave(16, 2.1), 1, 16).requiresGrad();
    var b2 = g.tensor(new double[] {0}).requiresGrad();
    for (int step = 1; step <= 2000; ++step) {
      var loss = x.call("linear", w1, b1).call("tanh").call("linear", w2, b2).call("mse_loss", y);
      loss.backward();
      g.noGrad(() -> {
        for (var p : new Gradus.Tensor[] {w1, b1, w2, b2}) {
          p.call("sub_", p.grad(), Map.of("alpha", 0.05));
          p.clearGrad();
        }
      });
      double value = loss.numbers()[0];
      if (value < 0.001) return String.format("xor in %d steps, loss %.4f", step, value);
    }
    throw new AssertionError("no convergence");
  }

  static void hooks(Gradus g) {
    var x = g.tensor(new double[] {1, 2}).requiresGrad();
    long id = x.hook(grad -> grad.call("mul", 10));
    x.call("mul", x).call("sum").backward();
    check(x.grad().numbers()[1] == 40, x.grad());
    x.removeHook(id);
    var mine = new IllegalStateException("of Java");
    x.hook(grad -> { throw mine; });
    try {
      x.call("sum").backward();
      check(false, "no exception");
    } catch (IllegalStateException e) {
      check(e == mine, e);
    }
  }

  static final class Cube implements Gradus.Function {
    public Gradus.Tensor[] forward(Gradus.Call call, Gradus.Tensor[] inputs) {
      call.save(inputs[0]);
      return new Gradus.Tensor[] {inputs[0].call("pow", 3)};
    }
    public Gradus.Tensor[] vjp(Gradus.Call call, Gradus.Tensor[] gradients) {
      return new Gradus.Tensor[] {gradients[0].call("mul", call.saved(0).call("square").call("mul", 3))};
    }
  }
  static void ownDerivative(Gradus g) {
    var x = g.tensor(new double[] {2, 3}).requiresGrad();
    var y = g.apply("Cube", new Cube(), x)[0];
    check(y.toString().contains("CubeBackward"), y);
    y.call("sum").backward();
    check(Arrays.equals(x.grad().numbers(), new double[] {12, 27}), x.grad());
  }

  static RuntimeException thrown(Runnable body) {
    try {
      body.run();
      return null;
    } catch (RuntimeException e) {
      return e;
    }
  }
  static void ownOperation(Gradus g) {
    var mine = new ArithmeticException("a negative scale");
    Gradus.Rule forward = v -> {
      if ((Double) v[2] < 0) throw mine;
      return new Gradus.Tensor[] {g.call("hypot", v[0], v[1]).call("mul", v[2])};
    };
    Gradus.Rule backward = v -> {
      double scale = (Double) v[2];
      var slope = ((Gradus.Tensor) v[4]).call("mul", scale * scale).call("div", v[3]);
      return new Gradus.Tensor[] {slope.call("mul", v[0]), slope.call("mul", v[1])};
    };
    g.registerOp("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor", forward, backward);
    var x = g.tensor(new double[] {3, 5}).requiresGrad();
    var y = g.tensor(new double[] {4, 12}).requiresGrad();
    check(Arrays.equals(x.call("demo.distance", y).numbers(), new double[] {5, 13}), "the distances");
    check(thrown(() -> x.call("demo.distance", y, -1.0)) == mine, "the exception of Java");
    check(thrown(() -> g.registerOp("demo.distance", "(Tensor x) -> Tensor", forward, backward)) instanceof Gradus.BadArgument, "a name twice");
    var checked = g.gradcheck(in -> g.callAll("demo.distance", in[0], in[1], Map.of("scale", 2)), x, y);
    check(checked.passed(), checked.report());
    var sum = g.batch(new Object[] {"demo.distance", x, y, 2.0}, new Object[] {"sum", new Gradus.ResultOf(0)});
    sum.backward();
    check(sum.numbers()[0] == 36 && Math.abs(x.grad().numbers()[0] - 1.2) < 1e-12, x.grad());
  }

  static String failure(Gradus g) {
    try {
      g.tensor(new double[] {1, 2, 3}).call("add", g.tensor(new double[] {1, 2}));
      throw new AssertionError("no exception");
    } catch (Gradus.BadArgument e) {
      check(e.name.equals("GRADUS_E_SHAPE") && e.getMessage().contains("[3]"), e);
      return e.getMessage();
    }
  }

  static void memory(Gradus g) {
    var buffer = ByteBuffer.allocateDirect(24).order(ByteOrder.nativeOrder()).asDoubleBuffer();
    var x = g.wrap(buffer, 3);
    buffer.put(new double[] {1, 5, 3});
    check(x.call("sum").numbers()[0] == 9, x);
    x.call("mul_", 2);
    check(buffer.get(1) == 10 && x.data().get(2) == 6, x);
    g.fromDlpack(x.toDlpack()).call("fill_", 7);
    check(buffer.get(0) == 7, x);
    check(g.callAll("split", g.call("ones", new long[] {2, 3}, Map.of("dtype", "int32")), 1).length == 2, "split");
  }

  /** The least of 100 rounds, in nanoseconds of this thread's time at the processor; the later ones are those of compiled code. */
  static double least(int n, Runnable body) {
    var clock = ManagementFactory.getThreadMXBean();
    double best = Double.MAX_VALUE;
    for (int i = 0; i < 100; ++i) {
      long start = clock.getCurrentThreadCpuTime();
      body.run();
      best = Math.min(best, (clock.getCurrentThreadCpuTime() - start) / (double) n);
    }
    return best;
  }
  static String costs(Gradus g) {
    var x = g.tensor(new double[] {1, 2, 3, 4});
    var y = g.tensor(new double[] {1, 1, 1, 1});
    var calls = new Object[100][];
    for (int i = 0; i < 100; ++i) calls[i] = new Object[] {"add", i == 0 ? x : new Gradus.ResultOf(i - 1), y};
    check(g.batch(calls).numbers()[0] == 101, "batch");
    double one = least(2000, () -> { for (int i = 0; i < 2000; ++i) g.call("add", x, y).close(); });
    double batch = least(2000, () -> { for (int i = 0; i < 20; ++i) g.batch(calls).close(); });
    return String.format("add %.0f ns, in a batch %.0f ns", one, batch);
  }

  public static void main(String[] arguments) throws InterruptedException {
    String trained, message, costs;
    int functions;
    try (var g = new Gradus()) {
      functions = g.names().size();
      trained = train(g);
      hooks(g);
      ownDerivative(g);
      ownOperation(g);
      memory(g);
      message = failure(g);
      costs = costs(g);
    }
    System.out.printf("java: %d functions, %s; %s; \"%s\"%n", functions, trained, costs, message);
    for (int i = 0; i < 100 && Arrays.stream(Gradus.live()).sum() > 0; ++i) {          // the cleaner has a thread of its own
      System.gc();
      Thread.sleep(20);
    }
    check(Arrays.stream(Gradus.live()).sum() == 0, Arrays.toString(Gradus.live()));
  }
}
