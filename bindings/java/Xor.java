import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;

/** x1 xor x2 learnt by a network of 2-16-1; then a hook, a function with a derivative of its own, an error, memory, and costs. */
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
    check(g.callAll("split", g.call("ones", new long[] {2, 3}, Map.of("dtype", "int32")), 1).length == 2, "split");
  }

  static double median(int n, Runnable body) {
    var times = new double[25];
    for (int i = 0; i < 100; ++i) {                                // the later ones are those of compiled code
      long start = System.nanoTime();
      body.run();
      times[i % times.length] = (System.nanoTime() - start) / (double) n;
    }
    Arrays.sort(times);
    return times[times.length / 2];
  }
  static String costs(Gradus g) {
    var x = g.tensor(new double[] {1, 2, 3, 4});
    var y = g.tensor(new double[] {1, 1, 1, 1});
    var calls = new Object[100][];
    for (int i = 0; i < 100; ++i) calls[i] = new Object[] {"add", i == 0 ? x : new Gradus.ResultOf(i - 1), y};
    check(g.batch(calls).numbers()[0] == 101, "batch");
    double one = median(2000, () -> { for (int i = 0; i < 2000; ++i) g.call("add", x, y).close(); });
    double batch = median(2000, () -> { for (int i = 0; i < 20; ++i) g.batch(calls).close(); });
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
