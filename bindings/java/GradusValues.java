import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** gradus_value: 24 bytes with a kind, a dtype or nothing, a payload and a length; from objects of Java, and back. */
final class GradusValues {
  private static final Map<String, Integer> DTYPES = new HashMap<>();
  static {
    for (String name : "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split(" ")) DTYPES.put(name, DTYPES.size() + 1);
  }

  /** keep holds what the value points at. */
  static void encode(Pointer at, long offset, Object x, int kind, List<Object> keep) {
    if (x instanceof Gradus.Tensor t) put(at, offset, 7, 0, t.handle, 0);
    else if (x == null) put(at, offset, 1, 0, 0, 0);
    else if (x instanceof Double d) put(at, offset, 4, 0, Double.doubleToRawLongBits(d), 0);
    else if (x instanceof Number n && kind == 4) put(at, offset, 4, 0, Double.doubleToRawLongBits(n.doubleValue()), 0);
    else if (x instanceof Number n) put(at, offset, 3, 0, n.longValue(), 0);
    else if (x instanceof Boolean b) put(at, offset, 2, 0, b ? 1 : 0, 0);
    else if (x instanceof Gradus.ResultOf r) put(at, offset, 11, 0, r.call(), 0);
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
    else for (int i = 0; i < n; ++i) data.setLong(8L * i, ((Gradus.Tensor) ((List<?>) x).get(i)).handle);
    put(at, offset, text != null ? 5 : x instanceof long[] ? 8 : x instanceof double[] ? 9 : 10, 0, Pointer.nativeValue(data), n);
    keep.add(data);
  }

  /** The values of a callback in g. */
  static Object[] decode(Gradus g, Pointer values, int n) {
    var all = new Object[n];
    for (int i = 0; i < n; ++i) all[i] = decode(g, values.share(24L * i));
    return all;
  }
  private static Object decode(Gradus g, Pointer at) {
    int n = (int) at.getLong(16);
    return switch (at.getInt(0)) {
      case 2 -> at.getLong(8) != 0;
      case 3 -> at.getLong(8);
      case 4 -> at.getDouble(8);
      case 5 -> n == 0 ? "" : new String(at.getPointer(8).getByteArray(0, n), StandardCharsets.UTF_8);
      case 6 -> GradusC.gradus_dtype_name(at.getInt(4));
      case 7 -> g.borrow(at.getLong(8));
      case 8 -> n == 0 ? new long[0] : at.getPointer(8).getLongArray(0, n);
      case 9 -> n == 0 ? new double[0] : at.getPointer(8).getDoubleArray(0, n);
      case 10 -> List.of(g.borrowAll(at.getPointer(8), n));
      default -> null;
    };
  }
}
