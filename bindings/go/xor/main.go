// x1 xor x2 learnt by a network of 2-16-1; then a hook, a function with a derivative of its own, an error, memory, and costs.
package main

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sort"
	"strings"
	"time"

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
	parts, err := g.Ops["split"](g.Must("ones", []int{2, 3}, gradus.Named{"dtype": "int32"}), 1)
	assert(err == nil && len(parts) == 2, err)
}

func median(n int, f func()) float64 {
	times := make([]float64, 15)
	for i := range times {
		start := time.Now()
		f()
		times[i] = float64(time.Since(start).Nanoseconds()) / float64(n)
	}
	sort.Float64s(times)
	return times[7]
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
	one := median(2000, func() {
		for i := 0; i < 2000; i++ {
			z, _ := add(x, y)
			z[0].Release()
		}
	})
	return one, median(2000, func() {
		for i := 0; i < 20; i++ {
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
