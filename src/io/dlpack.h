// Exchange of tensors with other libraries in one process: DLPack 1.x, versioned structs only.
#pragma once
#include "tensor/tensor.h"

struct DLManagedTensorVersioned;                              // the standard's name, laid out in dlpack.cpp

namespace gradus::io {

// The bits of GRADUS_DLPACK_*.
struct DlpackFlags {
  bool copy, never_copy, detach, read_only;
  explicit DlpackFlags(uint32_t bits);                        // refuses unknown ones
};

// The caller's: ends with its deleter, on any thread.
DLManagedTensorVersioned* to_dlpack(const Tensor& t, DlpackFlags flags);
// Takes it over, unless it throws.
Tensor from_dlpack(DLManagedTensorVersioned* managed, DlpackFlags flags);

}  // namespace gradus::io
