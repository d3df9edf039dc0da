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
func gradusGoForget(user C.uintptr_t) { cgo.Handle(user).Delete() }

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
	results **C.gradus_tensor, count *C.size_t) C.gradus_status {
	l := cgo.Handle(user).Value().(lent)
	return l.g.guarded(func() error {
		tensors := make([]*Tensor, n)
		for i, c := range unsafe.Slice(inputs, n) {
			tensors[i] = l.g.borrow(c)
		}
		part := l.function.Forward
		if vjp != 0 {
			part = l.function.Vjp
		}
		out, err := part(&Call{call, l.g}, tensors)
		if err != nil {
			return err
		}
		for i, c := range handles(out)[:len(out)] {
			C.gradus_retain(unsafe.Pointer(c))
			unsafe.Slice(results, len(out))[i] = c
		}
		*count = C.size_t(len(out))
		return nil
	})
}
