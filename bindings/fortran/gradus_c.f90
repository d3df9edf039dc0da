! The C interface of gradus as far as gradus.f90 uses it.
module gradus_c
  use, intrinsic :: iso_c_binding
  implicit none

  type, bind(c) :: gradus_value
    integer(c_int32_t) :: kind = 0, aux = 0
    integer(c_int64_t) :: payload = 0, length = 0
  end type
  type, bind(c) :: gradus_error
    integer(c_int32_t) :: struct_size = 56, status = 0, argument = 0, reserved0 = 0
    integer(c_int64_t) :: message_length = 0, user_code = 0
    type(c_ptr) :: message = c_null_ptr, origin = c_null_ptr
  end type
  type, bind(c) :: gradus_info
    integer(c_int32_t) :: struct_size = 80, dtype = 0, rank = 0, flags = 0
    integer(c_int64_t) :: count = 0, identity = 0, storage = 0, version = 0
    type(c_ptr) :: shape = c_null_ptr, strides = c_null_ptr, data = c_null_ptr, dtype_name = c_null_ptr
  end type
  type, bind(c) :: gradus_counts
    integer(c_int32_t) :: struct_size = 80, reserved0 = 0
    integer(c_int64_t) :: contexts = 0, tensors = 0, graph_nodes = 0, foreign_blocks = 0, callbacks = 0, bytes = 0, peak = 0, kept = 0, profiles = 0
  end type
  type, bind(c) :: gradus_function
    integer(c_int32_t) :: struct_size = 56, flags = 0
    type(c_ptr) :: name = c_null_ptr
    type(c_funptr) :: forward = c_null_funptr, vjp = c_null_funptr
    type(c_ptr) :: user = c_null_ptr
    type(c_funptr) :: destroy = c_null_funptr, jvp = c_null_funptr
  end type
  type, bind(c) :: gradus_op_definition
    integer(c_int32_t) :: struct_size = 56, flags = 0
    type(c_ptr) :: name = c_null_ptr, schema = c_null_ptr, summary = c_null_ptr
    type(c_funptr) :: forward = c_null_funptr, backward = c_null_funptr
    type(c_ptr) :: user = c_null_ptr
  end type
  type, bind(c) :: gradus_call
    integer(c_int64_t) :: argument_count = 0, result_capacity = 0, result_count = 0, reserved0 = 0
    type(c_ptr) :: op = c_null_ptr, arguments = c_null_ptr, results = c_null_ptr, label = c_null_ptr
  end type

  interface
    integer(c_int32_t) function c_create(options, ctx) bind(c, name="gradus_context_create")
      import; type(c_ptr), value :: options; type(c_ptr) :: ctx
    end function
    subroutine c_release(handle) bind(c, name="gradus_release")
      import; type(c_ptr), value :: handle
    end subroutine
    subroutine c_retain(handle) bind(c, name="gradus_retain")
      import; type(c_ptr), value :: handle
    end subroutine
    subroutine c_error(ctx, e) bind(c, name="gradus_context_error")
      import; type(c_ptr), value :: ctx; type(gradus_error) :: e
    end subroutine
    integer(c_int32_t) function c_fail(ctx, status, code, text, length) bind(c, name="gradus_context_fail")
      import; type(c_ptr), value :: ctx; integer(c_int32_t), value :: status; integer(c_int64_t), value :: code
      character(kind=c_char) :: text(*); integer(c_size_t), value :: length
    end function
    type(c_ptr) function c_find(name, length) bind(c, name="gradus_op_find")
      import; character(kind=c_char) :: name(*); integer(c_size_t), value :: length
    end function
    integer(c_size_t) function operation_count() bind(c, name="gradus_op_count")
      import
    end function
    integer(c_int32_t) function c_invoke(ctx, op, arguments, n, results, capacity, count) bind(c, name="gradus_invoke")
      import; type(c_ptr), value :: ctx, op; type(gradus_value) :: arguments(*), results(*)
      integer(c_size_t), value :: n, capacity; integer(c_size_t) :: count
    end function
    integer(c_int32_t) function c_invoke_batch(ctx, calls, n, call_bytes, done) bind(c, name="gradus_invoke_batch")
      import; type(c_ptr), value :: ctx, done; type(gradus_call) :: calls(*); integer(c_size_t), value :: n, call_bytes
    end function
    integer(c_int32_t) function c_register(ctx, definition, op) bind(c, name="gradus_op_register")
      import; type(c_ptr), value :: ctx, op; type(gradus_op_definition) :: definition
    end function
    integer(c_int32_t) function c_gradcheck(ctx, f, user, inputs, n, options, passed, report, capacity, length) bind(c, name="gradus_gradcheck")
      import; type(c_ptr), value :: ctx, user, options; type(c_funptr), value :: f; type(c_ptr) :: inputs(*)
      integer(c_size_t), value :: n, capacity; integer(c_int32_t) :: passed; character(kind=c_char) :: report(*); integer(c_size_t) :: length
    end function
    integer(c_int32_t) function c_to_dlpack(ctx, t, flags, managed) bind(c, name="gradus_tensor_to_dlpack")
      import; type(c_ptr), value :: ctx, t; integer(c_int32_t), value :: flags; type(c_ptr) :: managed
    end function
    integer(c_int32_t) function c_from_dlpack(ctx, managed, flags, t) bind(c, name="gradus_tensor_from_dlpack")
      import; type(c_ptr), value :: ctx, managed; integer(c_int32_t), value :: flags; type(c_ptr) :: t
    end function
    integer(c_int32_t) function c_wrap(ctx, dtype, rank, shape, strides, data, bytes, flags, destroy, user, t) bind(c, name="gradus_tensor_wrap")
      import; type(c_ptr), value :: ctx, data, user; type(c_funptr), value :: destroy; type(c_ptr) :: t
      integer(c_int32_t), value :: dtype, rank, flags; integer(c_int64_t) :: shape(*), strides(*); integer(c_size_t), value :: bytes
    end function
    integer(c_int32_t) function c_describe(t, info) bind(c, name="gradus_tensor_describe")
      import; type(c_ptr), value :: t; type(gradus_info) :: info
    end function
    integer(c_int32_t) function c_copy_out(ctx, t, dtype, data, bytes) bind(c, name="gradus_tensor_copy_out")
      import; type(c_ptr), value :: ctx, t; integer(c_int32_t), value :: dtype; real(c_double) :: data(*); integer(c_size_t), value :: bytes
    end function
    integer(c_int32_t) function c_require(ctx, t, on) bind(c, name="gradus_tensor_set_requires_grad")
      import; type(c_ptr), value :: ctx, t; integer(c_int32_t), value :: on
    end function
    integer(c_int32_t) function c_recording(ctx, on, previous) bind(c, name="gradus_context_set_recording")
      import; type(c_ptr), value :: ctx, previous; integer(c_int32_t), value :: on
    end function
    integer(c_int32_t) function c_grad(ctx, t, g) bind(c, name="gradus_tensor_grad")
      import; type(c_ptr), value :: ctx, t; type(c_ptr) :: g
    end function
    integer(c_int32_t) function c_set_grad(ctx, t, g) bind(c, name="gradus_tensor_set_grad")
      import; type(c_ptr), value :: ctx, t, g
    end function
    integer(c_int32_t) function c_backward(ctx, t, n, seeds, options) bind(c, name="gradus_backward")
      import; type(c_ptr), value :: ctx, seeds, options; type(c_ptr) :: t; integer(c_size_t), value :: n
    end function
    integer(c_int32_t) function c_add_hook(ctx, t, f, user, destroy, id) bind(c, name="gradus_tensor_add_hook")
      import; type(c_ptr), value :: ctx, t, user, id; type(c_funptr), value :: f, destroy
    end function
    integer(c_int32_t) function c_apply(ctx, f, inputs, n, results, capacity, count) bind(c, name="gradus_function_apply")
      import; type(c_ptr), value :: ctx; type(gradus_function) :: f; type(c_ptr) :: inputs, results
      integer(c_size_t), value :: n, capacity; integer(c_size_t) :: count
    end function
    integer(c_int32_t) function c_save(ctx, call, tensors, n) bind(c, name="gradus_function_save_for_backward")
      import; type(c_ptr), value :: ctx, call; type(c_ptr) :: tensors; integer(c_size_t), value :: n
    end function
    integer(c_int32_t) function c_saved(ctx, call, index, t) bind(c, name="gradus_function_saved")
      import; type(c_ptr), value :: ctx, call; integer(c_size_t), value :: index; type(c_ptr) :: t
    end function
    subroutine c_counts(counts) bind(c, name="gradus_live_counts")
      import; type(gradus_counts) :: counts
    end subroutine
  end interface
end module
