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
func gradusGoForget(user unsafe.Pointer) { cgo.Handle(user).Delete() }

//export gradusGoHook
func gradusGoHook(user unsafe.Pointer, _ *C.gradus_context, grad *C.gradus_tensor, replacement **C.gradus_tensor) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	return l.g.guarded(func() error {
		other, err := l.hook(l.g.borrow(grad))
		if other != nil {
			*replacement = other.give()
		}
		return err
	})
}

func (l lent) run(part func(*Call, []*Tensor) ([]*Tensor, error), call *C.gradus_function_call, inputs **C.gradus_tensor, n C.size_t,
	results **C.gradus_tensor, capacity C.size_t, count *C.size_t) C.gradus_status {
	return l.g.guarded(func() error {
		tensors := make([]*Tensor, n)
		for i, c := range unsafe.Slice(inputs, n) {
			tensors[i] = l.g.borrow(c)
		}
		out, err := part(&Call{call, l.g}, tensors)
		if err != nil {
			return err
		}
		for i, t := range out {
			unsafe.Slice(results, capacity)[i] = t.give()
		}
		*count = C.size_t(len(out))
		return nil
	})
}

//export gradusGoForward
func gradusGoForward(user unsafe.Pointer, _ *C.gradus_context, call *C.gradus_function_call, inputs **C.gradus_tensor, n C.size_t,
	results **C.gradus_tensor, capacity C.size_t, count *C.size_t) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	return l.run(l.function.Forward, call, inputs, n, results, capacity, count)
}

//export gradusGoVjp
func gradusGoVjp(user unsafe.Pointer, _ *C.gradus_context, call *C.gradus_function_call, inputs **C.gradus_tensor, n C.size_t,
	results **C.gradus_tensor, capacity C.size_t, count *C.size_t) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	return l.run(l.function.Vjp, call, inputs, n, results, capacity, count)
}
