package gradus

// Memory that both sides see, and DLPack. C may not keep memory of Go's heap: tensors have memory of C, which Data shows as a slice, and
// Wrap takes what lies outside of that heap.

/*
#include <gradus/gradus.h>

struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void *context;
  void (*deleter)(struct DLManagedTensorVersioned *);
  uint64_t flags;
  void *data;
  int32_t device, device_id, rank;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};
extern void gradusGoForget(uintptr_t);
static void forget(void *user) { gradusGoForget((uintptr_t)user); }
static gradus_status wrap(gradus_context *ctx, int32_t rank, const int64_t *shape, void *data, size_t bytes, uintptr_t user, gradus_tensor **t) {
  return gradus_tensor_wrap(ctx, GRADUS_F64, rank, shape, NULL, data, bytes, 0, forget, (void *)user, t);
}
static void drop(struct DLManagedTensorVersioned *managed) { if (managed->deleter) managed->deleter(managed); }
*/
import "C"

import (
	"errors"
	"runtime/cgo"
	"unsafe"
)

// Wrap makes a tensor on memory of C or of the system, such as a mapped file; release [nil ok] runs when the last view of it is gone.
func (g *Context) Wrap(memory []float64, release func(), sizes ...int64) (*Tensor, error) {
	if len(memory) == 0 {
		return nil, errors.New("gradus: no memory to wrap")
	}
	if len(sizes) == 0 {
		sizes = []int64{int64(len(memory))}
	}
	user := cgo.NewHandle(lent{release: release})
	var t *C.gradus_tensor
	status := C.wrap(g.c, C.int32_t(len(sizes)), (*C.int64_t)(&sizes[0]), unsafe.Pointer(&memory[0]), C.size_t(8*len(memory)), C.uintptr_t(user), &t)
	if status != 0 {
		user.Delete()
	}
	return g.own(t), g.check(status)
}

// Data is the memory of a float64 tensor without gaps, valid as long as the tensor is held; nil for another one.
func (t *Tensor) Data() []float64 {
	info := t.info()
	if info.dtype != C.GRADUS_F64 || info.flags&C.GRADUS_TENSOR_CONTIGUOUS == 0 {
		return nil
	}
	return unsafe.Slice((*float64)(info.data), info.count)
}

// Managed is a tensor on its way to another library: a DLManagedTensorVersioned. Who has it in the end calls its deleter, as Release does.
type Managed struct {
	c *C.struct_DLManagedTensorVersioned
}

func (t *Tensor) ToDLPack() (*Managed, error) {
	m := &Managed{}
	return m, t.g.check(C.gradus_tensor_to_dlpack(t.g.c, t.c, 0, &m.c))
}

// FromDLPack takes over what m holds, without a copy.
func (g *Context) FromDLPack(m *Managed) (*Tensor, error) {
	var t *C.gradus_tensor
	if err := g.check(C.gradus_tensor_from_dlpack(g.c, m.c, 0, &t)); err != nil {
		return nil, err
	}
	m.c = nil
	return g.own(t), nil
}
func (m *Managed) Pointer() unsafe.Pointer { return unsafe.Pointer(m.c) }
func (m *Managed) Data() unsafe.Pointer    { return unsafe.Add(m.c.data, m.c.byte_offset) }
func (m *Managed) Shape() []int64          { return unsafe.Slice((*int64)(m.c.shape), m.c.rank) }
func (m *Managed) Release() {
	if m.c != nil {
		C.drop(m.c)
		m.c = nil
	}
}
