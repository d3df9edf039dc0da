// Package gradus: automatic differentiation over libgradus. The operations come from the registry's JSON, as functions in Context.Ops:
//
//	g, _ := gradus.New()
//	x := g.Tensor([]float64{1, 2, 3}).RequiresGrad()
//	g.Must("sum", g.Must("mul", x, x)).Backward()
//	fmt.Println(x.Grad().Numbers())
//
// Arguments: *Tensor, int, float64, bool, string (a text, or an element type), []int, []float64, []*Tensor, nil for "none"; a last
// Named holds arguments by name. A context may be used by one goroutine at a time. Set CGO_CFLAGS=-I... and CGO_LDFLAGS=-L....
package gradus

/*
#cgo LDFLAGS: -lgradus
#include <gradus/gradus.h>
#include <stdlib.h>
#include <string.h>

static void set_f64(gradus_value *v, double x) { v->kind = GRADUS_V_F64; v->u.f64 = x; }
static void set_i64(gradus_value *v, int32_t kind, int64_t x) { v->kind = kind; v->u.i64 = x; }
static void set_ptr(gradus_value *v, int32_t kind, const void *p, uint64_t n) { v->kind = kind; v->u.ptr = p; v->length = n; }
static gradus_tensor *get_tensor(const gradus_value *v) { return v->u.tensor; }
*/
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// Error is what the library reports; Is compares categories: errors.Is(err, gradus.ErrArgument).
type Error struct {
	Status, Argument      int
	Name, Message, Origin string
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Is(other error) bool {
	o, ok := other.(*Error)
	return ok && o.Status == e.Status&^0xff
}

var (
	ErrArgument    = &Error{Status: 0x100}
	ErrState       = &Error{Status: 0x300}
	ErrUnsupported = &Error{Status: 0x400}
)

type Operation func(arguments ...any) ([]*Tensor, error)
type Named map[string]any
type ResultOf int // in a batch: the first result of an earlier call
type Context struct {
	c     *C.gradus_context
	Ops   map[string]Operation
	known map[string]*operation
}
type operation struct {
	handle    *C.gradus_op
	types     []string
	positions map[string]int
}

var dtypes = map[string]int{"bool": 1, "uint8": 2, "int8": 3, "int16": 4, "int32": 5, "int64": 6, "float16": 7,
	"bfloat16": 8, "float32": 9, "float64": 10}

func New() (*Context, error) {
	g := &Context{Ops: map[string]Operation{}, known: map[string]*operation{}}
	if status := C.gradus_context_create(nil, &g.c); status != 0 {
		return nil, &Error{Status: int(status), Message: "no context"}
	}
	return g, g.learn()
}

// learn makes the functions of operations that the context does not know yet.
func (g *Context) learn() error {
	var length C.size_t
	C.gradus_registry_json(nil, 0, &length)
	text := make([]byte, length+1)
	C.gradus_registry_json((*C.char)(unsafe.Pointer(&text[0])), length+1, &length)
	var registry struct {
		Ops []struct {
			Name      string
			Arguments []struct{ Name, Type string }
		}
	}
	if err := json.Unmarshal(text[:length], &registry); err != nil {
		return err
	}
	for _, op := range registry.Ops {
		if g.known[op.Name] != nil {
			continue
		}
		name := []byte(op.Name)
		o := &operation{C.gradus_op_find((*C.char)(unsafe.Pointer(&name[0])), C.size_t(len(name))), nil, map[string]int{}}
		for i, a := range op.Arguments {
			o.types = append(o.types, a.Type)
			o.positions[a.Name] = i
		}
		g.known[op.Name] = o
		g.Ops[op.Name] = func(arguments ...any) ([]*Tensor, error) { return g.invoke(o, arguments) }
	}
	return nil
}
func (g *Context) Close() { C.gradus_release(unsafe.Pointer(g.c)) }

func (g *Context) check(status C.gradus_status) error {
	if status == 0 {
		return nil
	}
	e := C.gradus_error{struct_size: C.sizeof_gradus_error}
	C.gradus_context_error(g.c, &e)
	if status == C.GRADUS_E_CALLBACK && e.user_code != 0 {
		thrown := cgo.Handle(e.user_code)
		defer thrown.Delete()
		return thrown.Value().(error)
	}
	return &Error{int(status), int(e.argument), C.GoString(C.gradus_status_name(status)), C.GoString(e.message), C.GoString(e.origin)}
}

// Lists live on the heap of C, since C values must not point into Go's; keep is freed after the call.
func list(v *C.gradus_value, kind C.int32_t, n int, data unsafe.Pointer, keep *[]unsafe.Pointer) {
	copied := C.malloc(C.size_t(8*n + 8))
	if n > 0 {
		C.memcpy(copied, data, C.size_t(8*n))
	}
	*keep = append(*keep, copied)
	C.set_ptr(v, kind, copied, C.uint64_t(n))
}
func encode(v *C.gradus_value, x any, kind string, keep *[]unsafe.Pointer) error {
	*v = C.gradus_value{}
	switch x := x.(type) {
	case nil:
		v.kind = C.GRADUS_V_NONE
	case *Tensor:
		v.kind = C.GRADUS_V_TENSOR
		*(**C.gradus_tensor)(unsafe.Pointer(&v.u)) = x.c
	case int:
		if kind == "float" {
			C.set_f64(v, C.double(x))
		} else {
			C.set_i64(v, C.GRADUS_V_I64, C.int64_t(x))
		}
	case float64:
		C.set_f64(v, C.double(x))
	case bool:
		C.set_i64(v, C.GRADUS_V_BOOL, map[bool]C.int64_t{true: 1}[x])
	case ResultOf:
		C.set_i64(v, C.GRADUS_V_RESULT_OF, C.int64_t(x))
	case string:
		if kind == "dtype" {
			v.kind, v.aux = C.GRADUS_V_DTYPE, C.uint32_t(dtypes[x])
			return nil
		}
		text := unsafe.Pointer(C.CString(x))
		*keep = append(*keep, text)
		C.set_ptr(v, C.GRADUS_V_TEXT, text, C.uint64_t(len(x)))
	case []int:
		list(v, C.GRADUS_V_I64_LIST, len(x), unsafe.Pointer(&append(x, 0)[0]), keep)
	case []float64:
		list(v, C.GRADUS_V_F64_LIST, len(x), unsafe.Pointer(&append(x, 0)[0]), keep)
	case []*Tensor:
		handles := make([]*C.gradus_tensor, len(x)+1)
		for i, t := range x {
			handles[i] = t.c
		}
		list(v, C.GRADUS_V_TENSOR_LIST, len(x), unsafe.Pointer(&handles[0]), keep)
	default:
		return fmt.Errorf("gradus: a %T is no argument of an operation", x)
	}
	return nil
}
func free(keep *[]unsafe.Pointer) {
	for _, p := range *keep {
		C.free(p)
	}
}

// What C reads and writes in one call, kept for the next one.
type frame struct {
	values  [40]C.gradus_value
	results [64]C.gradus_value
	count   C.size_t
}

var frames = sync.Pool{New: func() any { return new(frame) }}

func (g *Context) invoke(o *operation, arguments []any) ([]*Tensor, error) {
	f := frames.Get().(*frame)
	defer frames.Put(f)
	values, results := &f.values, &f.results
	var keep []unsafe.Pointer
	defer free(&keep)
	n := len(arguments)
	for i, x := range arguments {
		named, ok := x.(Named)
		if !ok {
			if err := encode(&values[i], x, o.types[i], &keep); err != nil {
				return nil, err
			}
			continue
		}
		n = len(o.types)
		for p := i; p < n; p++ {
			values[p] = C.gradus_value{}
		}
		for name, x := range named {
			p, ok := o.positions[name]
			if !ok {
				return nil, errors.New("gradus: no argument " + name)
			}
			if err := encode(&values[p], x, o.types[p], &keep); err != nil {
				return nil, err
			}
		}
	}
	err := g.check(C.gradus_invoke(g.c, o.handle, &values[0], C.size_t(n), &results[0], 64, &f.count))
	runtime.KeepAlive(arguments)
	if err != nil {
		return nil, err
	}
	tensors := make([]*Tensor, f.count)
	for i := range tensors {
		tensors[i] = g.own(*(**C.gradus_tensor)(unsafe.Pointer(&results[i].u)))
	}
	return tensors, nil
}

// Call is the operation's first result, and Must panics where Call has an error.
func (g *Context) Call(name string, arguments ...any) (*Tensor, error) {
	o, ok := g.known[name]
	if !ok {
		return nil, errors.New("gradus: no operation " + name)
	}
	tensors, err := g.invoke(o, arguments)
	if err != nil || len(tensors) == 0 {
		return nil, err
	}
	return tensors[0], nil
}
func (g *Context) Must(name string, arguments ...any) *Tensor {
	t, err := g.Call(name, arguments...)
	must(err)
	return t
}
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Batch makes many calls in one crossing, each {name, arguments...}, and returns what the last one gives.
func (g *Context) Batch(calls [][]any) (*Tensor, error) {
	total := 1
	for _, call := range calls {
		total += len(call)
	}
	var keep []unsafe.Pointer
	defer free(&keep)
	list := unsafe.Slice((*C.gradus_call)(C.calloc(C.size_t(len(calls)), C.sizeof_gradus_call)), len(calls))
	values := unsafe.Slice((*C.gradus_value)(C.calloc(C.size_t(total), C.sizeof_gradus_value)), total)
	keep = append(keep, unsafe.Pointer(&list[0]), unsafe.Pointer(&values[0]))
	used := 1
	for i, call := range calls {
		o := g.known[call[0].(string)]
		list[i] = C.gradus_call{op: o.handle, argument_count: C.uint64_t(len(call) - 1), arguments: &values[used]}
		for k, x := range call[1:] {
			if err := encode(&values[used], x, o.types[k], &keep); err != nil {
				return nil, err
			}
			used++
		}
	}
	last := &list[len(calls)-1]
	last.results, last.result_capacity = &values[0], 1
	err := g.check(C.gradus_invoke_batch(g.c, &list[0], C.size_t(len(calls)), C.sizeof_gradus_call, nil))
	runtime.KeepAlive(calls)
	return g.own(C.get_tensor(&values[0])), err
}
