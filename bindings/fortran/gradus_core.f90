! Contexts, tensors, calls, hooks and functions with a derivative of their own: what gradus.f90 shows, and what gradus_operations.f90 needs.
module gradus_core
  use gradus_c
  implicit none

  type :: tensor
    type(c_ptr) :: handle = c_null_ptr
  end type
  type :: absent
    integer :: kind = 0
  end type
  type :: earlier                                                  ! in a batch: the result of an earlier call
    integer :: call = 0
  end type
  type(absent), parameter :: omitted = absent(0), none = absent(1)

  abstract interface
    ! A derivative of one's own, of one tensor: forward gives the result, vjp the gradient. call is for save_for_backward and saved.
    function rule(call, x) result(y)
      import :: tensor, c_ptr
      type(c_ptr), intent(in) :: call
      type(tensor), intent(in) :: x
      type(tensor) :: y
    end function
    function on_gradient(g) result(other)                          ! other%handle null: the gradient stays; after call fail: an error
      import :: tensor
      type(tensor), intent(in) :: g
      type(tensor) :: other
    end function
  end interface
  type :: gradient_rule
    procedure(rule), pointer, nopass :: forward => null(), vjp => null()
  end type
  type :: hook_box
    procedure(on_gradient), pointer, nopass :: f => null()
  end type

  interface operator(+)
    procedure sum_of
  end interface
  interface operator(-)
    procedure difference_of
  end interface
  interface operator(*)
    procedure product_of, multiple_of
  end interface

  type(c_ptr), save :: ctx = c_null_ptr
  type(c_ptr), allocatable, save :: pool(:)                        ! what was made and not yet released
  integer, save :: pooled = 0
  character(:), allocatable, save :: failure                       ! of a callback
contains
  type(c_ptr) function context()
    if (.not. c_associated(ctx)) then
      if (c_create(c_null_ptr, ctx) /= 0) error stop "gradus: no context"
    end if
    context = ctx
  end function

  type(tensor) function own(handle)
    type(c_ptr), intent(in) :: handle
    type(c_ptr), allocatable :: larger(:)
    own%handle = handle
    if (.not. c_associated(handle)) return
    if (.not. allocated(pool)) allocate (pool(64))
    if (pooled == size(pool)) then
      allocate (larger(2 * pooled))
      larger(:pooled) = pool
      call move_alloc(larger, pool)
    end if
    pooled = pooled + 1
    pool(pooled) = handle
  end function
  integer function made()
    made = pooled
  end function
  subroutine release(mark)
    integer, intent(in) :: mark
    do while (pooled > mark)
      call c_release(pool(pooled))
      pooled = pooled - 1
    end do
  end subroutine

  subroutine check(status, stat, errmsg)
    integer(c_int32_t), intent(in) :: status
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(gradus_error) :: e
    character(kind=c_char), pointer :: text(:)
    character(:), allocatable :: message
    integer :: i
    if (present(stat)) stat = status
    if (status == 0) return
    call c_error(ctx, e)
    call c_f_pointer(e%message, text, [e%message_length])
    allocate (character(e%message_length) :: message)
    do i = 1, len(message)
      message(i:i) = text(i)
    end do
    if (present(errmsg)) errmsg = message
    if (.not. present(stat)) error stop "gradus: " // message
  end subroutine

  ! The value of one argument; lists keeps the numbers of a vector.
  subroutine put(v, x, list)
    type(gradus_value), intent(out) :: v
    class(*), intent(in) :: x(..)
    integer(c_int64_t), allocatable, target, intent(inout) :: list(:)
    select rank (x)
    rank (0)
      select type (x)
      type is (tensor); v%kind = 7; v%payload = transfer(x%handle, v%payload)
      type is (integer(c_int32_t)); v%kind = 3; v%payload = x
      type is (integer(c_int64_t)); v%kind = 3; v%payload = x
      type is (real(c_float)); v%kind = 4; v%payload = transfer(real(x, c_double), v%payload)
      type is (real(c_double)); v%kind = 4; v%payload = transfer(x, v%payload)
      type is (logical); v%kind = 2; v%payload = merge(1, 0, x)
      type is (absent); v%kind = x%kind
      type is (earlier); v%kind = 11; v%payload = x%call - 1
      class default; error stop "gradus: no argument of an operation"
      end select
    rank (1)
      select type (x)
      type is (integer(c_int32_t)); v%kind = 8; list = x
      type is (integer(c_int64_t)); v%kind = 8; list = x
      type is (real(c_double)); v%kind = 9; list = transfer(x, list)
      type is (tensor); v%kind = 10; list = transfer(x, list)
      class default; error stop "gradus: no argument of an operation"
      end select
      v%length = size(x)
      v%payload = transfer(c_loc(list), v%payload)
    end select
  end subroutine

  type(tensor) function op(name, a, b, c, d, e, f, stat, errmsg)
    character(*), intent(in) :: name
    class(*), intent(in), optional :: a(..), b(..), c(..), d(..), e(..), f(..)
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    integer(c_int64_t), allocatable, target :: l1(:), l2(:), l3(:), l4(:), l5(:), l6(:)
    type(gradus_value) :: v(6), results(1)
    integer(c_size_t) :: n, count
    type(c_ptr) :: operation
    n = 0
    if (present(a)) then; n = 1; call put(v(1), a, l1); end if
    if (present(b)) then; n = 2; call put(v(2), b, l2); end if
    if (present(c)) then; n = 3; call put(v(3), c, l3); end if
    if (present(d)) then; n = 4; call put(v(4), d, l4); end if
    if (present(e)) then; n = 5; call put(v(5), e, l5); end if
    if (present(f)) then; n = 6; call put(v(6), f, l6); end if
    operation = found(name)
    call check(c_invoke(context(), operation, v, n, results, 1_c_size_t, count), stat, errmsg)
    op = own(transfer(results(1)%payload, c_null_ptr))
  end function
  type(c_ptr) function found(name)
    character(*), intent(in) :: name
    found = c_find(name, len(name, c_size_t))
    if (.not. c_associated(found)) error stop "gradus: no operation " // name
  end function
  type(tensor) function sum_of(x, y)
    type(tensor), intent(in) :: x, y
    sum_of = op("add", x, y)
  end function
  type(tensor) function difference_of(x, y)
    type(tensor), intent(in) :: x, y
    difference_of = op("sub", x, y)
  end function
  type(tensor) function product_of(x, y)
    type(tensor), intent(in) :: x, y
    product_of = op("mul", x, y)
  end function
  type(tensor) function multiple_of(x, factor)
    type(tensor), intent(in) :: x
    real(c_double), intent(in) :: factor
    multiple_of = op("mul", x, factor)
  end function

  ! A copy of numbers; a tensor on an array of the program, which has to live as long: x(i, j) is element [i - 1, j - 1] of it.
  type(tensor) function tensor_of(numbers, sizes)
    real(c_double), intent(in), target :: numbers(:)
    integer, intent(in), optional :: sizes(:)
    integer :: mark
    type(tensor) :: flat, copy
    mark = made()
    flat = wrap(numbers, [size(numbers)])
    copy = op("clone", flat)
    if (present(sizes)) copy = op("reshape", copy, sizes)
    call c_retain(copy%handle)
    call release(mark)
    tensor_of = own(copy%handle)
  end function
  type(tensor) function wrap(x, sizes)
    real(c_double), intent(in), target :: x(*)
    integer, intent(in) :: sizes(:)
    integer(c_int64_t) :: strides(size(sizes))
    type(c_ptr) :: t
    integer :: i
    strides = [(product(int(sizes(:i - 1), c_int64_t)), i = 1, size(sizes))]
    call check(c_wrap(context(), 10, size(sizes), int(sizes, c_int64_t), strides, c_loc(x), 8_c_size_t * product(sizes), 0, c_null_funptr, &
                      c_null_ptr, t))
    wrap = own(t)
  end function
  ! The memory itself, of a float64 tensor without gaps, by rows, as long as the tensor is held.
  function data_of(t) result(list)
    type(tensor), intent(in) :: t
    real(c_double), pointer :: list(:)
    type(gradus_info) :: info
    call check(c_describe(t%handle, info))
    if (info%dtype /= 10 .or. iand(info%flags, 8) == 0) error stop "gradus: data_of wants a float64 tensor without gaps"
    call c_f_pointer(info%data, list, [info%count])
  end function
  type(c_ptr) function to_dlpack(t)                                ! a DLManagedTensorVersioned, for from_dlpack or another library
    type(tensor), intent(in) :: t
    call check(c_to_dlpack(ctx, t%handle, 0, to_dlpack))
  end function
  type(tensor) function from_dlpack(managed)
    type(c_ptr), intent(in) :: managed
    type(c_ptr) :: t
    call check(c_from_dlpack(context(), managed, 0, t))
    from_dlpack = own(t)
  end function
  function values(t) result(list)
    type(tensor), intent(in) :: t
    real(c_double), allocatable :: list(:)
    type(gradus_info) :: info
    call check(c_describe(t%handle, info))
    allocate (list(info%count))
    call check(c_copy_out(ctx, t%handle, 10, list, 8 * info%count))
  end function
  real(c_double) function item(t)
    type(tensor), intent(in) :: t
    item = sum(values(t))
  end function

  subroutine require_grad(t)
    type(tensor), intent(in) :: t
    call check(c_require(ctx, t%handle, 1))
  end subroutine
  subroutine recording(on)
    logical, intent(in) :: on
    call check(c_recording(ctx, merge(1, 0, on), c_null_ptr))
  end subroutine
  type(tensor) function grad(t)
    type(tensor), intent(in) :: t
    type(c_ptr) :: g
    call check(c_grad(ctx, t%handle, g))
    grad = own(g)
  end function
  subroutine clear_grad(t)
    type(tensor), intent(in) :: t
    call check(c_set_grad(ctx, t%handle, c_null_ptr))
  end subroutine
  subroutine backward(t, stat, errmsg)
    type(tensor), intent(in) :: t
    integer, intent(out), optional :: stat
    character(*), intent(inout), optional :: errmsg
    type(c_ptr) :: handle
    handle = t%handle
    call check(c_backward(ctx, handle, 1_c_size_t, c_null_ptr, c_null_ptr), stat, errmsg)
  end subroutine

  ! For callbacks: the call fails with this message when the callback returns.
  subroutine fail(message)
    character(*), intent(in) :: message
    failure = message
  end subroutine
  integer(c_int32_t) function outcome()
    outcome = 0
    if (.not. allocated(failure)) return
    outcome = c_fail(ctx, int(z'500', c_int32_t), 0_c_int64_t, failure, len(failure, c_size_t))
    deallocate (failure)
  end function
  subroutine hook(t, f)
    type(tensor), intent(in) :: t
    procedure(on_gradient) :: f
    type(hook_box), pointer :: box
    allocate (box)
    box%f => f
    call check(c_add_hook(ctx, t%handle, c_funloc(run_hook), c_loc(box), c_funloc(drop_hook), c_null_ptr))
  end subroutine
  subroutine drop_hook(user) bind(c)
    type(c_ptr), value :: user
    type(hook_box), pointer :: box
    call c_f_pointer(user, box)
    deallocate (box)
  end subroutine
  integer(c_int32_t) function run_hook(user, ctx, g, replacement) bind(c)
    type(c_ptr), value :: user, ctx, g
    type(c_ptr) :: replacement
    type(hook_box), pointer :: box
    type(tensor) :: other
    integer :: mark
    mark = made()
    call c_f_pointer(user, box)
    other = box%f(tensor(g))
    if (c_associated(other%handle)) call c_retain(other%handle)
    replacement = other%handle
    call release(mark)
    run_hook = outcome()
  end function

  type(tensor) function apply(f, x, name)
    type(gradient_rule), intent(in), target :: f                   ! has to live as long as the graph does
    type(tensor), intent(in) :: x
    character(*), intent(in) :: name
    character(:), allocatable, target :: text
    type(gradus_function) :: definition
    type(c_ptr) :: input, output
    integer(c_size_t) :: count
    text = name // c_null_char
    definition%name = c_loc(text)
    definition%forward = c_funloc(run_forward)
    definition%vjp = c_funloc(run_vjp)
    definition%user = c_loc(f)
    input = x%handle
    call check(c_apply(ctx, definition, input, 1_c_size_t, output, 1_c_size_t, count))
    apply = own(output)
  end function
  integer(c_int32_t) function run_forward(user, ctx, call, inputs, n, results, capacity, count) bind(c)
    type(c_ptr), value :: user, ctx, call
    type(c_ptr) :: inputs, results
    integer(c_size_t), value :: n, capacity
    integer(c_size_t) :: count
    type(gradient_rule), pointer :: f
    call c_f_pointer(user, f)
    run_forward = run(f%forward, call, inputs, results, count)
  end function
  integer(c_int32_t) function run_vjp(user, ctx, call, inputs, n, results, capacity, count) bind(c)
    type(c_ptr), value :: user, ctx, call
    type(c_ptr) :: inputs, results
    integer(c_size_t), value :: n, capacity
    integer(c_size_t) :: count
    type(gradient_rule), pointer :: f
    call c_f_pointer(user, f)
    run_vjp = run(f%vjp, call, inputs, results, count)
  end function
  integer(c_int32_t) function run(f, call, input, output, count)
    procedure(rule) :: f
    type(c_ptr), intent(in) :: call, input
    type(c_ptr), intent(out) :: output
    integer(c_size_t), intent(out) :: count
    type(tensor) :: y
    integer :: mark
    mark = made()
    y = f(call, tensor(input))
    call c_retain(y%handle)
    output = y%handle
    count = 1
    call release(mark)
    run = outcome()
  end function
  subroutine save_for_backward(call, x)
    type(c_ptr), intent(in) :: call
    type(tensor), intent(in) :: x
    type(c_ptr) :: handle
    handle = x%handle
    call check(c_save(ctx, call, handle, 1_c_size_t))
  end subroutine
  type(tensor) function saved(call)
    type(c_ptr), intent(in) :: call
    type(c_ptr) :: handle
    call check(c_saved(ctx, call, 0_c_size_t, handle))
    saved = own(handle)
  end function

  subroutine close_gradus()
    call release(0)
    call c_release(ctx)
    ctx = c_null_ptr
  end subroutine
  integer(c_int64_t) function live()
    type(gradus_counts) :: c
    call c_counts(c)
    live = c%contexts + c%tensors + c%graph_nodes + c%foreign_blocks + c%callbacks + c%bytes
  end function
end module
