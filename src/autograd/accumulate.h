// Sums of gradients: in the buffer of a node that several consumers feed, and in the .grad of a leaf.
#pragma once
#include "graph/node.h"

namespace gradus {

// Nobody else can see it: its memory may be overwritten.
inline bool sole(const Tensor& t) {
  const TensorImpl* p = t.impl();
  return p->refs.one() && p->storage->refs.one() && !p->storage->wrapped && !p->storage->read_only && !p->autograd && !p->grad_fn;
}

void add_into(Tensor& buffer, Tensor g);                      // buffer may be null
void accumulate_grad(TensorImpl* leaf, Tensor g);

}  // namespace gradus
