import com.sun.jna.Callback;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.DoubleBuffer;
import java.util.Optional;

/** The C functions of gradus; a long that is no number of elements or bytes is an address. */
final class GradusC {
  interface Hook extends Callback { int invoke(long user, long ctx, long grad, Pointer replacement); }
  interface Rule extends Callback { int invoke(long user, long ctx, long call, Pointer in, long n, Pointer out, long capacity, Pointer count); }
  interface Values extends Callback { int invoke(long user, long ctx, Pointer in, long n, Pointer out, long capacity, Pointer count); }
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
  static native int gradus_op_register(long ctx, Pointer definition, Pointer op);
  static native String gradus_dtype_name(int dtype);
  static native int gradus_gradcheck(long ctx, Values compute, long user, long[] inputs, long n, Pointer options, Pointer passed, Pointer report,
      long capacity, Pointer length);
  static native int gradus_tensor_to_dlpack(long ctx, long tensor, int flags, Pointer managed);
  static native int gradus_tensor_from_dlpack(long ctx, long managed, int flags, Pointer result);
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
  static { Native.register(GradusC.class, Optional.ofNullable(System.getenv("GRADUS_LIBRARY")).orElse("libgradus.so.1")); }
}
