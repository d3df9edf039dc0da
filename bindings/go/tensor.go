package gradus

/*
#include <gradus/gradus.h>
#include <stdlib.h>
#include <string.h>

extern gradus_status gradusGoHook(uintptr_t, gradus_tensor *, gradus_tensor **);
extern gradus_status gradusGoFunction(uintptr_t, int32_t, gradus_function_call *, gradus_tensor **, size_t, gradus_tensor **, size_t, size_t *);
extern void gradusGoForget(uintptr_t);

// Go's numbers for what it lends are no addresses, and Go must not see them as pointers.
static gradus_status on_hook(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)ctx;
  return gradusGoHook((uintptr_t)user, grad, replacement);
}
static gradus_status on_forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n, gradus_tensor **out,
                                size_t capacity, size_t *count) {
  (void)ctx;
  return gradusGoFunction((uintptr_t)user, 0, call, (gradus_tensor **)in, n, out, capacity, count);
}
static gradus_status on_vjp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n, gradus_tensor **out,
                            size_t capacity, size_t *count) {
  (void)ctx;
  return gradusGoFunction((uintptr_t)user, 1, call, (gradus_tensor **)in, n, out, capacity, count);
}
static void forget(void *user) { gradusGoForget((uintptr_t)user); }
static gradus_status add_hook(gradus_context *ctx, gradus_tensor *t, uintptr_t user, uint64_t *id) {
  return gradus_tensor_add_hook(ctx, t, on_hook, (void *)user, forget, id);
}
static gradus_status apply(gradus_context *ctx, const char *name, uintptr_t user, gradus_tensor *const *inputs, size_t n,
                           gradus_tensor **results, size_t *count) {
  gradus_function f = {sizeof f, 0, name, on_forward, on_vjp, (void *)user, forget, 0};
  return gradus_function_apply(ctx, &f, inputs, n, results, 8, count);
}
// A copy on the heap of C, which the tensor frees.
static gradus_status tensor_of(gradus_context *ctx, const double *x, size_t n, const int64_t *shape, int32_t rank, gradus_tensor **t) {
  double *data = malloc(8 * n + 8);
  gradus_status status = GRADUS_E_MEMORY;
  if (!data) return status;
  if (n) memcpy(data, x, 8 * n);
  status = gradus_tensor_wrap(ctx, GRADUS_F64, rank, shape, NULL, data, 8 * n, 0, free, data, t);
  if (status) free(data);
  return status;
}
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"
)

type Tensor struct {
	c *C.gradus_tensor
	g *Context
}

// Tensor makes one of numbers and sizes; without sizes it has one dimension.
func (g *Context) Tensor(numbers []float64, sizes ...int64) *Tensor {
	if len(sizes) == 0 {
		sizes = []int64{int64(len(numbers))}
	}
	var t *C.gradus_tensor
	must(g.check(C.tensor_of(g.c, (*C.double)(&append(numbers, 0)[0]), C.size_t(len(numbers)), (*C.int64_t)(&sizes[0]), C.int32_t(len(sizes)), &t)))
	return g.own(t)
}
func (g *Context) own(c *C.gradus_tensor) *Tensor {
	if c == nil {
		return nil
	}
	t := &Tensor{c, g}
	runtime.SetFinalizer(t, func(t *Tensor) { C.gradus_release(unsafe.Pointer(t.c)) })
	return t
}
func (g *Context) borrow(c *C.gradus_tensor) *Tensor {
	C.gradus_retain(unsafe.Pointer(c))
	return g.own(c)
}
func (t *Tensor) give() *C.gradus_tensor {
	C.gradus_retain(unsafe.Pointer(t.c))
	return t.c
}

// Release gives the tensor back before the collector does.
func (t *Tensor) Release() {
	runtime.SetFinalizer(t, nil)
	C.gradus_release(unsafe.Pointer(t.c))
	t.c = nil
}

func (t *Tensor) info() C.gradus_tensor_info {
	info := C.gradus_tensor_info{struct_size: C.sizeof_gradus_tensor_info}
	must(t.g.check(C.gradus_tensor_describe(t.c, &info)))
	return info
}

func (t *Tensor) Numbers() []float64 {
	numbers := make([]float64, t.info().count+1)
	must(t.g.check(C.gradus_tensor_copy_out(t.g.c, t.c, C.GRADUS_F64, unsafe.Pointer(&numbers[0]), C.size_t(8*len(numbers)))))
	return numbers[:len(numbers)-1]
}
func (t *Tensor) String() string {
	var buffer [4096]C.char
	var length C.size_t
	must(t.g.check(C.gradus_tensor_print(t.g.c, t.c, &buffer[0], 4096, &length)))
	return C.GoString(&buffer[0])
}
func (t *Tensor) RequiresGrad() *Tensor {
	must(t.g.check(C.gradus_tensor_set_requires_grad(t.g.c, t.c, 1)))
	return t
}
func (t *Tensor) Grad() *Tensor {
	var grad *C.gradus_tensor
	must(t.g.check(C.gradus_tensor_grad(t.g.c, t.c, &grad)))
	return t.g.own(grad)
}
func (t *Tensor) ClearGrad() { must(t.g.check(C.gradus_tensor_set_grad(t.g.c, t.c, nil))) }
func (t *Tensor) Backward() error {
	handle := t.c
	err := t.g.check(C.gradus_backward(t.g.c, &handle, 1, nil, nil))
	runtime.KeepAlive(t)
	return err
}
func (g *Context) NoGrad(f func()) {
	var before C.int32_t
	must(g.check(C.gradus_context_set_recording(g.c, 0, &before)))
	defer C.gradus_context_set_recording(g.c, before, nil)
	f()
}

// Hook runs f with each gradient; f may return another one, or nil. The number is for RemoveHook.
func (t *Tensor) Hook(f func(*Tensor) (*Tensor, error)) uint64 {
	user := cgo.NewHandle(lent{g: t.g, hook: f})
	var id C.uint64_t
	status := C.add_hook(t.g.c, t.c, C.uintptr_t(user), &id)
	if status != 0 {
		user.Delete()
	}
	must(t.g.check(status))
	return uint64(id)
}
func (t *Tensor) RemoveHook(id uint64) error {
	return t.g.check(C.gradus_tensor_remove_hook(t.g.c, t.c, C.uint64_t(id)))
}

// Function is one with a derivative of its own: Vjp turns gradients of the results into those of the inputs.
type Function interface {
	Forward(call *Call, inputs []*Tensor) ([]*Tensor, error)
	Vjp(call *Call, gradients []*Tensor) ([]*Tensor, error)
}

// Call is what a function keeps from Forward for Vjp.
type Call struct {
	c *C.gradus_function_call
	g *Context
}

func handles(tensors []*Tensor) []*C.gradus_tensor {
	list := make([]*C.gradus_tensor, len(tensors)+1)
	for i, t := range tensors {
		list[i] = t.c
	}
	return list
}
func (call *Call) Save(tensors ...*Tensor) {
	must(call.g.check(C.gradus_function_save_for_backward(call.g.c, call.c, &handles(tensors)[0], C.size_t(len(tensors)))))
}
func (call *Call) Saved(index int) *Tensor {
	var t *C.gradus_tensor
	must(call.g.check(C.gradus_function_saved(call.g.c, call.c, C.size_t(index), &t)))
	return call.g.own(t)
}
func (g *Context) Apply(name string, f Function, inputs ...*Tensor) ([]*Tensor, error) {
	user, text := cgo.NewHandle(lent{g: g, function: f}), C.CString(name)
	defer C.free(unsafe.Pointer(text))
	var results [8]*C.gradus_tensor
	var count C.size_t
	status := C.apply(g.c, text, C.uintptr_t(user), &handles(inputs)[0], C.size_t(len(inputs)), &results[0], &count)
	runtime.KeepAlive(inputs)
	if status != 0 {
		user.Delete()
	}
	if err := g.check(status); err != nil {
		return nil, err
	}
	tensors := make([]*Tensor, count)
	for i := range tensors {
		tensors[i] = g.own(results[i])
	}
	return tensors, nil
}

// Live counts what lives in the process, kept memory apart.
func Live() uint64 {
	c := C.gradus_counts{struct_size: C.sizeof_gradus_counts}
	C.gradus_live_counts(&c)
	return uint64(c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live)
}
