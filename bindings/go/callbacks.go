package gradus

// What C calls. user is a cgo.Handle; errors and panics of Go travel through C by a handle, too.

// #include <gradus/gradus.h>
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

type lent struct {
	g        *Context
	hook     func(*Tensor) (*Tensor, error)
	function Function
	rules    [2]OperationRule
	compute  func([]*Tensor) ([]*Tensor, error)
	release  func()
}

func (g *Context) guarded(f func() error) (status C.gradus_status) {
	fail := func(err error) C.gradus_status {
		text := []byte(err.Error() + "\x00")
		return C.gradus_context_fail(g.c, C.GRADUS_E_CALLBACK, C.int64_t(cgo.NewHandle(err)), (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)-1))
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			err, ok := panicked.(error)
			if !ok {
				err = fmt.Errorf("%v", panicked)
			}
			status = fail(err)
		}
	}()
	if err := f(); err != nil {
		return fail(err)
	}
	return 0
}

//export gradusGoForget
func gradusGoForget(user C.uintptr_t) {
	l := cgo.Handle(user).Value().(lent)
	cgo.Handle(user).Delete()
	if l.release != nil {
		l.release()
	}
}

//export gradusGoHook
func gradusGoHook(user C.uintptr_t, grad *C.gradus_tensor, replacement **C.gradus_tensor) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	return l.g.guarded(func() error {
		other, err := l.hook(l.g.borrow(grad))
		if other != nil {
			*replacement = other.give()
		}
		return err
	})
}

//export gradusGoFunction
func gradusGoFunction(user C.uintptr_t, vjp C.int32_t, call *C.gradus_function_call, inputs **C.gradus_tensor, n C.size_t,
	results **C.gradus_tensor, capacity C.size_t, count *C.size_t) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	return l.g.guarded(func() error {
		part := l.function.Forward
		if vjp != 0 {
			part = l.function.Vjp
		}
		out, err := part(&Call{call, l.g}, l.g.borrowAll(unsafe.Slice(inputs, n)))
		giveAll(out, unsafe.Slice(results, capacity), count)
		return err
	})
}

//export gradusGoOperation
func gradusGoOperation(user C.uintptr_t, ctx *C.gradus_context, backward C.int32_t, arguments *C.gradus_value, n C.size_t,
	results *C.gradus_value, capacity C.size_t, count *C.size_t) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	g := &Context{ctx, l.g.Ops, l.g.known} // the context of the caller
	return g.guarded(func() error {
		values := make([]any, n)
		for i := range values {
			values[i] = g.decode(&unsafe.Slice(arguments, n)[i])
		}
		out, err := l.rules[backward](g, values)
		list := make([]*C.gradus_tensor, capacity)
		giveAll(out, list, count)
		for i, c := range list {
			if c != nil {
				unsafe.Slice(results, capacity)[i].kind = C.GRADUS_V_TENSOR
				*(**C.gradus_tensor)(unsafe.Pointer(&unsafe.Slice(results, capacity)[i].u)) = c
			}
		}
		return err
	})
}

//export gradusGoCompute
func gradusGoCompute(user C.uintptr_t, inputs **C.gradus_tensor, n C.size_t, results **C.gradus_tensor, capacity C.size_t,
	count *C.size_t) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	return l.g.guarded(func() error {
		out, err := l.compute(l.g.borrowAll(unsafe.Slice(inputs, n)))
		giveAll(out, unsafe.Slice(results, capacity), count)
		return err
	})
}

func (g *Context) borrowAll(list []*C.gradus_tensor) []*Tensor {
	tensors := make([]*Tensor, len(list))
	for i, c := range list {
		tensors[i] = g.borrow(c)
	}
	return tensors
}
func giveAll(out []*Tensor, results []*C.gradus_tensor, count *C.size_t) {
	*count = C.size_t(len(out))
	for i, t := range out {
		if t != nil && i < len(results) {
			results[i] = t.give()
		}
	}
}
