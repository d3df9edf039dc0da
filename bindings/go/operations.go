package gradus

// Operations of the program with derivatives of their own, and gradients against differences.

/*
#include <gradus/gradus.h>
#include <stdlib.h>

extern gradus_status gradusGoOperation(uintptr_t, gradus_context *, int32_t, gradus_value *, size_t, gradus_value *, size_t, size_t *);
extern gradus_status gradusGoCompute(uintptr_t, gradus_tensor **, size_t, gradus_tensor **, size_t, size_t *);
static gradus_status on_forward(void *user, gradus_context *ctx, const gradus_value *values, size_t n, gradus_value *results, size_t capacity,
                                size_t *count) {
  return gradusGoOperation((uintptr_t)user, ctx, 0, (gradus_value *)values, n, results, capacity, count);
}
static gradus_status on_backward(void *user, gradus_context *ctx, const gradus_value *values, size_t n, gradus_value *results, size_t capacity,
                                 size_t *count) {
  return gradusGoOperation((uintptr_t)user, ctx, 1, (gradus_value *)values, n, results, capacity, count);
}
static gradus_status on_compute(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t n, gradus_tensor **results, size_t capacity,
                                size_t *count) {
  (void)ctx;
  return gradusGoCompute((uintptr_t)user, (gradus_tensor **)inputs, n, results, capacity, count);
}
static gradus_status register_op(gradus_context *ctx, const char *name, const char *schema, uintptr_t user) {
  gradus_op_definition d = {sizeof d, 0, name, schema, NULL, on_forward, on_backward, (void *)user};
  return gradus_op_register(ctx, &d, NULL);
}
static gradus_status gradcheck(gradus_context *ctx, uintptr_t user, gradus_tensor *const *inputs, size_t n, int32_t *passed, char *report) {
  return gradus_gradcheck(ctx, on_compute, (void *)user, inputs, n, NULL, passed, report, 8192, NULL);
}
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// OperationRule is forward, which gets the arguments of the schema, or backward, which gets arguments, results and gradients of the results,
// and gives one gradient, or nil, for each tensor among the arguments. Values are *Tensor, int, float64, bool, string (an element type, too),
// []int, []float64, []*Tensor, or nil. Several goroutines may be in it, with a context each.
type OperationRule func(g *Context, values []any) ([]*Tensor, error)

// RegisterOp registers an operation for the whole process, for good: Ops, Call and Batch of this context know it from then on.
func (g *Context) RegisterOp(name, schema string, forward, backward OperationRule) (Operation, error) {
	texts := []*C.char{C.CString(name), C.CString(schema)}
	defer C.free(unsafe.Pointer(texts[0]))
	defer C.free(unsafe.Pointer(texts[1]))
	user := cgo.NewHandle(lent{g: g, rules: [2]OperationRule{forward, backward}})
	status := C.register_op(g.c, texts[0], texts[1], C.uintptr_t(user))
	if status != 0 {
		user.Delete()
		return nil, g.check(status)
	}
	err := g.learn()
	return g.Ops[name], err
}

// Gradcheck says whether backward of f gives what differences give, and why not.
func (g *Context) Gradcheck(f func(inputs []*Tensor) ([]*Tensor, error), inputs ...*Tensor) (bool, string, error) {
	user := cgo.NewHandle(lent{g: g, compute: f})
	defer user.Delete()
	var passed C.int32_t
	var report [8192]C.char
	err := g.check(C.gradcheck(g.c, C.uintptr_t(user), &handles(inputs)[0], C.size_t(len(inputs)), &passed, &report[0]))
	runtime.KeepAlive(inputs)
	return passed == 1, C.GoString(&report[0]), err
}

func (g *Context) decode(v *C.gradus_value) any {
	n, payload := int(v.length), unsafe.Pointer(&v.u)
	switch v.kind {
	case C.GRADUS_V_TENSOR:
		return g.borrow(*(**C.gradus_tensor)(payload))
	case C.GRADUS_V_F64:
		return *(*float64)(payload)
	case C.GRADUS_V_I64:
		return int(*(*int64)(payload))
	case C.GRADUS_V_BOOL:
		return *(*int64)(payload) != 0
	case C.GRADUS_V_TEXT:
		return C.GoStringN(*(**C.char)(payload), C.int(n))
	case C.GRADUS_V_DTYPE:
		return C.GoString(C.gradus_dtype_name(C.int32_t(v.aux)))
	case C.GRADUS_V_I64_LIST:
		list := make([]int, n)
		for i, x := range unsafe.Slice(*(**int64)(payload), n) {
			list[i] = int(x)
		}
		return list
	case C.GRADUS_V_F64_LIST:
		return append([]float64(nil), unsafe.Slice(*(**float64)(payload), n)...)
	case C.GRADUS_V_TENSOR_LIST:
		return g.borrowAll(unsafe.Slice(*(***C.gradus_tensor)(payload), n))
	}
	return nil
}
