! gradus for Fortran (2018): op(name, arguments...) calls any operation with arguments in the order of its schema.
!   x = tensor_of([1d0, 2d0, 3d0]); call require_grad(x)
!   call backward(op("sum", x * x))
!   print *, values(grad(x))
! Arguments: tensors, integers, reals, logicals, vectors of integers or reals, none, omitted. Tensors go back by call release(mark), which
! releases all that were made since mark = made(): gfortran does not finalize the results of functions in an expression.
! Without stat an error stops the program; with it stat is the status and errmsg the message, as in allocate.
module gradus
  use gradus_core, only: tensor, gradient_rule, tensor_of, wrap, data_of, to_dlpack, from_dlpack, op, values, item, require_grad, grad, clear_grad, &
                         backward, recording, hook, apply, save_for_backward, saved, fail, made, release, close_gradus, live, operation_count, none, &
                         omitted, operator(+), operator(-), operator(*)
  use gradus_operations, only: register_op, gradus_value, tensor_in, real_in, call_of, result_of, batch, gradcheck
end module
