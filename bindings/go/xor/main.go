// x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, shared
// memory, and costs.
package main

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"gradus"
)

func assert(condition bool, what ...any) {
	if !condition {
		panic(fmt.Sprint(what...))
	}
}
func check(err error) { assert(err == nil, err) }
func wave(n int, step float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = math.Sin(step * float64(i+1))
	}
	return list
}

func train(g *gradus.Context) (int, float64) {
	x, y := g.Tensor([]float64{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2), g.Tensor([]float64{0, 1, 1, 0}, 4, 1)
	w1, b1 := g.Tensor(wave(32, 1.7), 16, 2).RequiresGrad(), g.Tensor(wave(16, 0.9)).RequiresGrad()
	w2, b2 := g.Tensor(wave(16, 2.1), 1, 16).RequiresGrad(), g.Tensor([]float64{0}).RequiresGrad()
	for step := 1; step <= 2000; step++ {
		hidden := g.Must("tanh", g.Must("linear", x, w1, b1))
		loss := g.Must("mse_loss", g.Must("linear", hidden, w2, b2), y)
		check(loss.Backward())
		g.NoGrad(func() {
			for _, p := range []*gradus.Tensor{w1, b1, w2, b2} {
				g.Must("sub_", p, p.Grad(), gradus.Named{"alpha": 0.05})
				p.ClearGrad()
			}
		})
		if value := loss.Numbers()[0]; value < 0.001 {
			return step, value
		}
	}
	panic("no convergence")
}

func hooks(g *gradus.Context) {
	x := g.Tensor([]float64{1, 2}).RequiresGrad()
	id := x.Hook(func(grad *gradus.Tensor) (*gradus.Tensor, error) { return g.Call("mul", grad, 10) })
	check(g.Must("sum", g.Must("mul", x, x)).Backward())
	assert(x.Grad().Numbers()[1] == 40, x.Grad())
	check(x.RemoveHook(id))
	mine := errors.New("of Go")
	x.Hook(func(*gradus.Tensor) (*gradus.Tensor, error) { return nil, mine })
	assert(g.Must("sum", x).Backward() == mine)
}

type cube struct{ g *gradus.Context }

func (c cube) Forward(call *gradus.Call, inputs []*gradus.Tensor) ([]*gradus.Tensor, error) {
	call.Save(inputs[0])
	return c.g.Ops["pow"](inputs[0], 3)
}
func (c cube) Vjp(call *gradus.Call, gradients []*gradus.Tensor) ([]*gradus.Tensor, error) {
	return c.g.Ops["mul"](gradients[0], c.g.Must("mul", c.g.Must("square", call.Saved(0)), 3))
}

func ownDerivative(g *gradus.Context) {
	x := g.Tensor([]float64{2, 3}).RequiresGrad()
	y, err := g.Apply("Cube", cube{g}, x)
	check(err)
	assert(strings.Contains(y[0].String(), "CubeBackward"), y)
	check(g.Must("sum", y[0]).Backward())
	grad := x.Grad().Numbers()
	assert(grad[0] == 12 && grad[1] == 27, grad)
}

var errNegative = errors.New("a negative scale")

func distance(g *gradus.Context, v []any) ([]*gradus.Tensor, error) {
	if v[2].(float64) < 0 {
		return nil, errNegative
	}
	return g.Ops["mul"](g.Must("hypot", v[0], v[1]), v[2])
}
func distanceBackward(g *gradus.Context, v []any) ([]*gradus.Tensor, error) {
	x, y, scale, r, grad := v[0], v[1], v[2].(float64), v[3], v[4]
	slope := g.Must("div", g.Must("mul", grad, scale*scale), r)
	return []*gradus.Tensor{g.Must("mul", slope, x), g.Must("mul", slope, y)}, nil
}
func ownOperation(g *gradus.Context) {
	op, err := g.RegisterOp("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor", distance, distanceBackward)
	check(err)
	x, y := g.Tensor([]float64{3, 5}).RequiresGrad(), g.Tensor([]float64{4, 12}).RequiresGrad()
	r, err := op(x, y)
	assert(err == nil && r[0].Numbers()[1] == 13, err)
	_, err = op(x, y, -1.0)
	assert(err == errNegative, err)
	_, err = g.RegisterOp("demo.distance", "(Tensor x) -> Tensor", distance, distanceBackward)
	assert(errors.Is(err, gradus.ErrArgument), err)
	passed, report, err := g.Gradcheck(func(in []*gradus.Tensor) ([]*gradus.Tensor, error) { return op(in[0], in[1], 2.0) }, x, y)
	assert(passed && err == nil, report, err)
	sum, err := g.Batch([][]any{{"demo.distance", x, y, 2.0}, {"sum", gradus.ResultOf(0)}})
	check(err)
	check(sum.Backward())
	assert(sum.Numbers()[0] == 36 && math.Abs(x.Grad().Numbers()[0]-1.2) < 1e-12, x.Grad())
}

func failure(g *gradus.Context) string {
	_, err := g.Call("add", g.Tensor([]float64{1, 2, 3}), g.Tensor([]float64{1, 2}))
	var e *gradus.Error
	assert(errors.Is(err, gradus.ErrArgument) && errors.As(err, &e) && e.Name == "GRADUS_E_SHAPE" && strings.Contains(e.Message, "[3]"), err)
	return e.Message
}

func memory(g *gradus.Context) {
	x := g.Tensor([]float64{1, 2, 3})
	x.Data()[1] = 5
	assert(g.Must("sum", x).Numbers()[0] == 9)
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	check(err)
	released := make(chan bool, 1)
	numbers := unsafe.Slice((*float64)(unsafe.Pointer(&page[0])), 6)
	y, err := g.Wrap(numbers, func() { released <- syscall.Munmap(page) == nil }, 2, 3)
	check(err)
	numbers[0] = 7
	assert(y.Data()[0] == 7 && g.Must("sum", y).Numbers()[0] == 7)
	managed, err := y.ToDLPack()
	check(err)
	assert(managed.Data() == unsafe.Pointer(&page[0]) && managed.Shape()[1] == 3)
	z, err := g.FromDLPack(managed)
	check(err)
	g.Must("fill_", z, 2).Release()
	assert(numbers[5] == 2)
	y.Release()
	z.Release()
	assert(<-released)
	parts, err := g.Ops["split"](g.Must("ones", []int{2, 3}, gradus.Named{"dtype": "int32"}), 1)
	assert(err == nil && len(parts) == 2 && parts[0].Data() == nil, err)
}

// least of 15 rounds, in nanoseconds of the processor's time
func least(n int, f func()) float64 {
	now := func() float64 {
		var u syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return float64(u.Utime.Nano() + u.Stime.Nano())
	}
	best := math.MaxFloat64
	for i := 0; i < 15; i++ {
		start := now()
		f()
		best = math.Min(best, (now()-start)/float64(n))
	}
	return best
}

func costs(g *gradus.Context) (float64, float64) {
	x, y := g.Tensor([]float64{1, 2, 3, 4}), g.Tensor([]float64{1, 1, 1, 1})
	add := g.Ops["add"]
	calls := [][]any{{"add", x, y}}
	for i := 0; i < 99; i++ {
		calls = append(calls, []any{"add", gradus.ResultOf(i), y})
	}
	last, err := g.Batch(calls)
	assert(err == nil && last.Numbers()[0] == 101, err)
	one := least(20000, func() {
		for i := 0; i < 20000; i++ {
			z, _ := add(x, y)
			z[0].Release()
		}
	})
	return one, least(20000, func() {
		for i := 0; i < 200; i++ {
			last, _ := g.Batch(calls)
			last.Release()
		}
	})
}

func main() {
	g, err := gradus.New()
	check(err)
	steps, loss := train(g)
	hooks(g)
	ownDerivative(g)
	ownOperation(g)
	memory(g)
	message := failure(g)
	one, batch := costs(g)
	fmt.Printf("go: %d functions, xor in %d steps, loss %.4f; add %.0f ns, in a batch %.0f ns; %q\n", len(g.Ops), steps, loss, one, batch, message)
	g.Close()
	for i := 0; i < 100 && gradus.Live() > 0; i++ { // finalizers have a goroutine of their own
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	assert(gradus.Live() == 0, gradus.Live())
}
