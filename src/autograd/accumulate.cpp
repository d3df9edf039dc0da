#include "autograd/accumulate.h"

#include <sched.h>

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "graph/call.h"
#include "graph/history.h"
#include "graph/saved_copies.h"
#include "kernels/copy.h"
#include "ops/ops.h"

namespace gradus {
namespace {

// to += g without recording.
void add_in_place(const Tensor& to, const Tensor& g) {
  const Value v[] = {Value(to), Value(g), Value(1)};
  evaluate_in_place(add_op, Args(add_op, v));
}

// A leaf's gradient has the leaf's layout if that is dense, else it is row-major.
bool is_row_major(const TensorImpl* leaf) { return leaf->contiguous || !is_dense(leaf->sizes(), leaf->strides()); }
bool has_layout_of(const Tensor& g, const TensorImpl* leaf) { return is_row_major(leaf) ? g.contiguous() : same(g.strides(), leaf->strides()); }
Tensor empty_in_layout_of(const Tensor& g, const TensorImpl* leaf) {
  return is_row_major(leaf) ? empty(g.dtype(), g.sizes()) : empty_strided(g.dtype(), leaf->sizes(), leaf->strides());
}
Tensor copy_in_layout_of(const Tensor& g, const TensorImpl* leaf) {
  Tensor t = empty_in_layout_of(g, leaf);
  kernels::copy(view_of(t), view_of(g));
  return t;
}
Tensor recorded_copy_in_layout_of(const Tensor& g, const TensorImpl* leaf) {
  if (is_row_major(leaf)) return call(clone_op, {g});
  Tensor t = empty_in_layout_of(g, leaf);
  call_in_place(copy_op, {t, g});
  return t;
}

// A gradient that the user has set may be read-only, or one element seen many times.
bool is_writable(const Tensor& t) { return !t.storage().read_only && (t.contiguous() || is_non_overlapping(t.sizes(), t.strides())); }

}  // namespace

void add_into(Tensor& buffer, Tensor g) {
  if (!buffer) { buffer = std::move(g); return; }
  if (context().grad_mode) { buffer = add(buffer, g); return; }
  if (sole(buffer)) return add_in_place(buffer, g);
  if (sole(g)) {
    add_in_place(g, buffer);
    buffer = std::move(g);
    return;
  }
  buffer = add(buffer, g);
}

// Adds g to the gradient, or makes it the gradient, if that takes no new tensor. `announced`: whoever saved the gradient knows.
static bool add_here(AutogradMeta& m, const TensorImpl* leaf, Tensor& g, bool announced) {
  if (context().grad_mode) return false;                      // create_graph: the gradient keeps its history
  if (!m.grad) {
    if (!sole(g) || !has_layout_of(g, leaf)) return false;
    m.grad = std::move(g);
    return true;
  }
  if (!is_writable(m.grad) || (m.grad.storage().kept.load(std::memory_order_relaxed) && !announced)) return false;
  add_in_place(m.grad, g);
  m.grad.storage().bump();
  return true;
}

// Making a tensor, and the end of one, may run the host's code, which may come here again: both are done without the lock. A sum of
// a gradient that has changed meanwhile is made again.
void accumulate_grad(TensorImpl* leaf, Tensor g) {
  AutogradMeta& m = autograd_meta(leaf);
  for (bool announced = false;;) {
    Tensor before, made;
    uint32_t version = 0;
    {
      const FlagLock lock(m.busy);
      if (add_here(m, leaf, g, announced)) return;
      before = m.grad;
      if (before) version = before.storage().current();
    }
    if (before && !std::exchange(announced, true) && before.storage().kept.load(std::memory_order_relaxed)) {
      before_write(before.storage());
      continue;
    }
    made = before ? add(before, g) : context().grad_mode ? recorded_copy_in_layout_of(g, leaf) : copy_in_layout_of(g, leaf);
    const FlagLock lock(m.busy);
    if (m.grad.impl() != before.impl() || (before && before.storage().current() != version)) continue;
    std::swap(m.grad, made);
    return;
  }
}

}  // namespace gradus
