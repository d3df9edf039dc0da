! x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, arrays, and
! costs.
module rules
  use, intrinsic :: iso_c_binding
  use gradus
  implicit none
contains
  function cube(call, x) result(y)
    type(c_ptr), intent(in) :: call
    type(tensor), intent(in) :: x
    type(tensor) :: y
    call save_for_backward(call, x)
    y = x * x * x
  end function
  function cube_vjp(call, g) result(y)
    type(c_ptr), intent(in) :: call
    type(tensor), intent(in) :: g
    type(tensor) :: x, y
    x = saved(call)
    y = g * x * x * 3d0
  end function
  subroutine distance(arguments, given)                            ! of x, y and scale
    type(gradus_value), intent(in) :: arguments(:)
    type(tensor), intent(inout) :: given(:)
    if (real_in(arguments(3)) < 0) then
      call fail("a negative scale")
      return
    end if
    given(1) = op("hypot", tensor_in(arguments(1)), tensor_in(arguments(2))) * real_in(arguments(3))
  end subroutine
  subroutine distance_backward(arguments, given)                   ! of x, y, scale, the result and its gradient
    type(gradus_value), intent(in) :: arguments(:)
    type(tensor), intent(inout) :: given(:)
    type(tensor) :: slope
    slope = op("div", tensor_in(arguments(5)), tensor_in(arguments(4))) * real_in(arguments(3))**2
    given(1) = slope * tensor_in(arguments(1))
    given(2) = slope * tensor_in(arguments(2))
  end subroutine
  function doubled_distance(inputs) result(r)
    type(tensor), intent(in) :: inputs(:)
    type(tensor) :: r
    r = op("demo.distance", inputs(1), inputs(2), 2d0)
  end function
  function tenfold(g) result(other)
    type(tensor), intent(in) :: g
    type(tensor) :: other
    other = g * 10d0
  end function
  function refuse(g) result(other)
    type(tensor), intent(in) :: g
    type(tensor) :: other
    other%handle = c_null_ptr
    if (size(values(g)) == 2) call fail("of Fortran")
  end function
end module

program xor
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env, only: int64
  use gradus
  use rules
  implicit none
  integer :: steps
  real(c_double) :: loss, cost, batch_cost
  character(200) :: message
  call train(steps, loss)
  call hooks()
  call own_derivative()
  call own_operation()
  call arrays()
  call errors(message)
  call costs(cost, batch_cost)
  call close_gradus()
  print '(a,i0,a,i0,a,f6.4,2(a,i0),3a)', "fortran: ", operation_count(), " functions, xor in ", steps, " steps, loss ", loss, "; add ", nint(cost), &
    ' ns, in a batch ', nint(batch_cost), ' ns; "', trim(message), '"'
  call assert(live() == 0, "something is left alive")
contains
  subroutine assert(condition, what)
    logical, intent(in) :: condition
    character(*), intent(in) :: what
    if (.not. condition) error stop what
  end subroutine
  function wave(n, step) result(list)
    integer, intent(in) :: n
    real(c_double), intent(in) :: step
    real(c_double) :: list(n)
    integer :: i
    list = [(sin(step * i), i = 1, n)]
  end function

  subroutine train(step, loss)
    integer, intent(out) :: step
    real(c_double), intent(out) :: loss
    type(tensor) :: x, y, p(4), l, g
    integer :: mark, i
    x = tensor_of([0d0, 0d0, 0d0, 1d0, 1d0, 0d0, 1d0, 1d0], [4, 2])
    y = tensor_of([0d0, 1d0, 1d0, 0d0], [4, 1])
    p = [tensor_of(wave(32, 1.7d0), [16, 2]), tensor_of(wave(16, 0.9d0)), tensor_of(wave(16, 2.1d0), [1, 16]), tensor_of([0d0])]
    do i = 1, 4
      call require_grad(p(i))
    end do
    do step = 1, 2000
      mark = made()
      l = op("mse_loss", op("linear", op("tanh", op("linear", x, p(1), p(2))), p(3), p(4)), y)
      call backward(l)
      loss = item(l)
      call recording(.false.)
      do i = 1, 4
        g = op("sub_", p(i), grad(p(i)), 0.05d0)
        call clear_grad(p(i))
      end do
      call recording(.true.)
      call release(mark)
      if (loss < 0.001d0) return
    end do
    error stop "no convergence"
  end subroutine

  subroutine hooks()
    type(tensor) :: x, z
    integer :: stat
    character(200) :: text
    x = tensor_of([1d0, 2d0])
    call require_grad(x)
    call hook(x, tenfold)
    call backward(op("sum", x * x))
    call assert(all(values(grad(x)) == [20d0, 40d0]), "the hook's gradient")
    z = x * x
    call hook(z, refuse)
    call backward(op("sum", z), stat, text)
    call assert(stat == int(z'500') .and. text == "of Fortran", "the hook's error")
  end subroutine

  subroutine own_derivative()
    type(gradient_rule), target, save :: f
    type(tensor) :: x
    f%forward => cube
    f%vjp => cube_vjp
    x = tensor_of([2d0, 3d0])
    call require_grad(x)
    call backward(op("sum", apply(f, x, "Cube")))
    call assert(all(values(grad(x)) == [12d0, 27d0]), "the derivative of the cube")
  end subroutine

  subroutine own_operation()
    type(tensor) :: x, y, total
    character(2000) :: report
    integer :: stat
    call register_op("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor", distance, distance_backward)
    x = tensor_of([3d0, 5d0])
    y = tensor_of([4d0, 12d0])
    call require_grad(x)
    call require_grad(y)
    call assert(all(values(op("demo.distance", x, y)) == [5d0, 13d0]), "the distances")
    total = op("demo.distance", x, y, -1d0, stat=stat, errmsg=report)
    call assert(stat == int(z'500') .and. report == "a negative scale", "the operation's error")
    call register_op("demo.distance", "(Tensor x) -> Tensor", distance, distance_backward, stat)
    call assert(iand(stat, int(z'ff00')) == int(z'100'), "a name twice")
    call assert(gradcheck(doubled_distance, [x, y], report), trim(report))
    total = batch([call_of("demo.distance", x, y, 2d0), call_of("sum", result_of(1), [0])])
    call backward(total)
    call assert(item(total) == 36d0 .and. abs(sum(values(grad(x))) - (1.2d0 + 10d0 / 13)) < 1d-12, "the batch")
  end subroutine

  subroutine arrays()
    real(c_double), target :: a(2, 3)
    real(c_double), pointer :: view(:)
    type(tensor) :: t, z
    integer :: mark
    a = reshape([1d0, 2d0, 3d0, 4d0, 5d0, 6d0], [2, 3])
    mark = made()
    t = wrap(a, shape(a))
    a(1, 1) = 10
    call assert(all(values(op("sum", t, [1])) == sum(a, 2)), "sums of rows")
    t = op("t", t)                                                 ! by rows it is a
    view => data_of(t)
    z = op("mul_", t, 2)
    call assert(a(1, 1) == 20 .and. view(6) == 12, "the array's memory")
    z = op("fill_", from_dlpack(to_dlpack(t)), 7)
    call assert(all(a == 7), "the memory that went through DLPack")
    call release(mark)
  end subroutine

  subroutine errors(text)
    character(*), intent(inout) :: text
    type(tensor) :: z
    integer :: stat
    z = op("add", tensor_of([1d0, 2d0, 3d0]), tensor_of([1d0, 2d0]), stat=stat, errmsg=text)
    call assert(stat == int(z'103') .and. index(text, "[3]") > 0, "the error of add")
  end subroutine

  ! The least of 15 rounds, in nanoseconds of the processor's time.
  subroutine costs(one, batched)
    real(c_double), intent(out) :: one, batched
    type(tensor) :: x, y, z
    real(c_double) :: start, finish
    integer :: i, k, mark
    x = tensor_of([1d0, 2d0, 3d0, 4d0])
    y = tensor_of([1d0, 1d0, 1d0, 1d0])
    one = huge(one)
    batched = huge(one)
    mark = made()
    associate (calls => [call_of("add", x, y), (call_of("add", result_of(i), y), i = 1, 99)])
      z = batch(calls)
      call assert(all(values(z) == [101d0, 102d0, 103d0, 104d0]), "the batch")
      do k = 1, 15
        call cpu_time(start)
        do i = 1, 20000
          z = op("add", x, y)
          call release(mark)
        end do
        call cpu_time(finish)
        one = min(one, (finish - start) / 20000 * 1d9)
        call cpu_time(start)
        do i = 1, 200
          z = batch(calls)
          call release(mark)
        end do
        call cpu_time(finish)
        batched = min(batched, (finish - start) / 20000 * 1d9)
      end do
    end associate
  end subroutine
end program
