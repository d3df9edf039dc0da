#include "graph/relayout.h"

#include "base/context.h"
#include "graph/call.h"
#include "graph/history.h"
#include "graph/saved_copies.h"

namespace gradus {
namespace {

// The tensor takes the place that the view `now` of it has, in memory and in the graph.
void become(const Op& by, TensorImpl* self, const Tensor& now) {
  const bool stale = self->view && self->autograd->seen_version != self->storage->current();
  const Ref<Node> n = Ref<Node>::share(now.impl()->grad_fn);
  const Layout before = Tensor::share(self).layout();
  before_write(*self->storage);
  set_layout(self, now.sizes(), now.strides(), now.offset());
  try {
    if (n) set_history(self, n, now.impl()->output_nr);
  } catch (...) {                                             // no room for a kept gradient
    set_layout(self, before.sizes, before.strides, before.offset);
    throw;
  }
  self->storage->bump(by.info->index);                        // what was saved of it had another layout
  if (self->view && (n || !stale)) self->autograd->seen_version = self->storage->current();
}

}  // namespace

bool changes_itself(const Op& form) { return form.rewrite || form.info->functional->info->schema.results[0].aliases; }

void change_itself(const Op& form, const Args& args) {
  if (form.rewrite) return form.rewrite(args);
  TensorImpl* self = args[0].t;
  const Context& c = context();
  const bool wants = needs_grad(self), base_wants = self->view && self->autograd->base.impl()->wants_grad();
  check_history(name(form), self, wants || base_wants);
  GRADUS_CHECK(!self->requires_grad, state, "{}: a leaf that requires grad is being given another shape", name(form));
  GRADUS_CHECK(!wants || !c.inference_mode, state, "{}: a tensor with history can't be given another shape in inference mode", name(form));
  Tensors views;
  {
    // With recording off, too, a history has to fit its tensor.
    const GradMode mode(c.grad_mode || (wants && (!self->view || self->autograd->kind == ViewKind::ordinary)));
    call(*form.info->functional, args.values(), static_cast<int>(form.info->schema.arguments.size()), views);
  }
  become(form, self, views[0]);
}

}  // namespace gradus
