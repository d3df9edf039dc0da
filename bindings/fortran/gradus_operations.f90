! Operations of the program with derivatives of their own, many calls in one crossing, and gradients against differences.
module gradus_operations
  use gradus_core
  implicit none

  abstract interface
    ! A part of an operation: forward gets the arguments of the schema and gives results; backward gets arguments, results and gradients of
    ! the results, and gives the gradient of each tensor among the arguments (of handle null: none).
    subroutine op_rule(arguments, given)
      import :: tensor, gradus_value
      type(gradus_value), intent(in) :: arguments(:)
      type(tensor), intent(inout) :: given(:)
    end subroutine
    function of_inputs(inputs) result(y)
      import :: tensor
      type(tensor), intent(in) :: inputs(:)
      type(tensor) :: y
    end function
  end interface
  type :: numbers
    integer(c_int64_t), allocatable :: bits(:)
  end type
  type :: batched
    type(c_ptr) :: op = c_null_ptr
    integer :: count = 0
    type(gradus_value) :: v(6)
    type(numbers) :: lists(6)
  end type
  type :: op_box
    procedure(op_rule), pointer, nopass :: forward => null(), backward => null()
  end type
  type :: compute_box
    procedure(of_inputs), pointer, nopass :: f => null()
  end type
contains
  ! What a rule of an operation gets.
  type(tensor) function tensor_in(v)
    type(gradus_value), intent(in) :: v
    tensor_in%handle = merge(transfer(v%payload, c_null_ptr), c_null_ptr, v%kind == 7)
  end function
  real(c_double) function real_in(v)
    type(gradus_value), intent(in) :: v
    real_in = v%payload
    if (v%kind == 4) real_in = transfer(v%payload, real_in)
  end function
  type(earlier) function result_of(call)
    integer, intent(in) :: call
    result_of%call = call
  end function

  ! An operation for the whole process, for good; op and call_of know it by its name from then on.
  subroutine register_op(name, schema, forward, backward, stat, errmsg)
    character(*), intent(in) :: name, schema
    procedure(op_rule) :: forward, backward
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    character(:), allocatable, target :: text, types
    type(gradus_op_definition) :: definition
    type(op_box), pointer :: box                                   ! for good, as the operation is
    integer(c_int32_t) :: status
    allocate (box)
    box%forward => forward
    box%backward => backward
    text = name // c_null_char
    types = schema // c_null_char
    definition%name = c_loc(text)
    definition%schema = c_loc(types)
    definition%forward = c_funloc(run_op_forward)
    definition%backward = c_funloc(run_op_backward)
    definition%user = c_loc(box)
    status = c_register(context(), definition, c_null_ptr)
    if (status /= 0) deallocate (box)
    call check(status, stat, errmsg)
  end subroutine
  integer(c_int32_t) function run_op_forward(user, ctx, arguments, n, results, capacity, count) bind(c)
    type(c_ptr), value :: user, ctx
    integer(c_size_t), value :: n, capacity
    type(gradus_value) :: arguments(n), results(capacity)
    integer(c_size_t) :: count
    type(op_box), pointer :: box
    call c_f_pointer(user, box)
    run_op_forward = run_op(box%forward, arguments, results)
    count = findloc(results%kind, 7, 1, back=.true.)               ! of a list there may be fewer than there is room for
  end function
  integer(c_int32_t) function run_op_backward(user, ctx, arguments, n, results, capacity, count) bind(c)
    type(c_ptr), value :: user, ctx
    integer(c_size_t), value :: n, capacity
    type(gradus_value) :: arguments(n), results(capacity)
    integer(c_size_t) :: count
    type(op_box), pointer :: box
    call c_f_pointer(user, box)
    run_op_backward = run_op(box%backward, arguments, results)
    count = capacity
  end function
  integer(c_int32_t) function run_op(rule, arguments, results)
    procedure(op_rule) :: rule
    type(gradus_value), intent(in) :: arguments(:)
    type(gradus_value), intent(inout) :: results(:)
    type(tensor) :: given(size(results))
    integer :: mark, i
    mark = made()
    call rule(arguments, given)
    do i = 1, size(given)
      if (.not. c_associated(given(i)%handle)) cycle
      call c_retain(given(i)%handle)
      results(i)%kind = 7
      results(i)%payload = transfer(given(i)%handle, results(i)%payload)
    end do
    call release(mark)
    run_op = outcome()
  end function

  ! One call of a batch, with arguments as op has them, or result_of(1), the result of the first call.
  type(batched) function call_of(name, a, b, c, d, e, f) result(made)
    character(*), intent(in) :: name
    class(*), intent(in), optional :: a(..), b(..), c(..), d(..), e(..), f(..)
    made%op = found(name)
    if (present(a)) then; made%count = 1; call put(made%v(1), a, made%lists(1)%bits); end if
    if (present(b)) then; made%count = 2; call put(made%v(2), b, made%lists(2)%bits); end if
    if (present(c)) then; made%count = 3; call put(made%v(3), c, made%lists(3)%bits); end if
    if (present(d)) then; made%count = 4; call put(made%v(4), d, made%lists(4)%bits); end if
    if (present(e)) then; made%count = 5; call put(made%v(5), e, made%lists(5)%bits); end if
    if (present(f)) then; made%count = 6; call put(made%v(6), f, made%lists(6)%bits); end if
  end function
  ! Makes the calls in one crossing; gives what the last one gives.
  type(tensor) function batch(calls, stat, errmsg) result(last)
    type(batched), intent(in), target :: calls(:)
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(gradus_call) :: list(size(calls))
    type(gradus_value), target :: v(6, size(calls)), results(1)
    integer :: i, k
    do i = 1, size(calls)
      v(:, i) = calls(i)%v
      do k = 1, calls(i)%count                                     ! the lists have moved since put
        if (v(k, i)%kind >= 8 .and. v(k, i)%kind <= 10) v(k, i)%payload = transfer(c_loc(calls(i)%lists(k)%bits), v(k, i)%payload)
      end do
      list(i)%op = calls(i)%op
      list(i)%argument_count = calls(i)%count
      list(i)%arguments = c_loc(v(1, i))
    end do
    list(size(calls))%results = c_loc(results)
    list(size(calls))%result_capacity = 1
    call check(c_invoke_batch(context(), list, size(calls, kind=c_size_t), 64_c_size_t, c_null_ptr), stat, errmsg)
    last = own(transfer(results(1)%payload, c_null_ptr))
  end function

  ! Whether backward of f gives what differences give.
  logical function gradcheck(f, inputs, report)
    procedure(of_inputs) :: f
    type(tensor), intent(in) :: inputs(:)
    character(*), intent(inout), optional :: report
    type(compute_box), target :: box
    type(c_ptr) :: handles(size(inputs))
    character(8192) :: text
    integer(c_int32_t) :: passed
    integer(c_size_t) :: length
    box%f => f
    handles = inputs%handle
    call check(c_gradcheck(context(), c_funloc(run_compute), c_loc(box), handles, size(inputs, kind=c_size_t), c_null_ptr, passed, text, &
                           len(text, c_size_t), length))
    gradcheck = passed == 1
    if (present(report)) report = text(:min(len(text) - 1, int(length)))
  end function
  integer(c_int32_t) function run_compute(user, ctx, inputs, n, results, capacity, count) bind(c)
    type(c_ptr), value :: user, ctx
    integer(c_size_t), value :: n, capacity
    type(c_ptr) :: inputs(n), results(capacity)
    integer(c_size_t) :: count
    type(compute_box), pointer :: box
    type(tensor) :: y, given(n)
    integer :: mark
    mark = made()
    given%handle = inputs
    call c_f_pointer(user, box)
    y = box%f(given)
    call c_retain(y%handle)
    results(1) = y%handle
    count = 1
    call release(mark)
    run_compute = outcome()
  end function
end module
