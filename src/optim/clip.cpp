// Gradients kept in bounds, by their norm together or one by one; and what may be computed together.
#include <algorithm>
#include <cmath>

#include "base/context.h"
#include "base/parallel.h"
#include "graph/history.h"
#include "graph/saved_copies.h"
#include "kernels/optimize.h"
#include "ops/ops.h"
#include "optim/optimizer.h"

namespace gradus {
namespace {

struct Range { const char *begin, *end; bool written; };
// A storage that only one tensor has needs no look; `twice`: tensors may be in the list twice.
void add_ranges(std::span<const Tensor> tensors, bool written, bool twice, std::vector<Range>& to) {
  for (const Tensor& t : tensors)
    if (t.numel() > 0 && (twice || !t.storage().refs.one())) to.push_back({t.impl()->data(), end_of(view_of(t)), written});
}

std::vector<Tensor> gradients_of(std::span<const Tensor> tensors, std::string_view by) {
  std::vector<Tensor> all;
  for (const Tensor& t : tensors)
    if (TensorImpl* g = grad_of(t, by)) all.push_back(Tensor::share(g));
  return all;
}
// One rule with one number over all, in place.
void update_all(const std::vector<Tensor>& grads, kernels::Rule rule, double number) {
  for (const Tensor& g : grads) before_write(g.storage());
  const Whole whole;
  std::vector<kernels::Update> updates;
  std::vector<Tensor> pairs;
  for (const Tensor& g : grads) {
    kernels::Update u;
    u.rule = rule;
    u.step.keep1 = number;
    pairs.push_back(pairs_of(g));
    u.array[0] = view_of(pairs.back());
    updates.push_back(u);
  }
  run_updates(updates, grads, {});
  for (const Tensor& g : grads) g.storage().bump();
}

}  // namespace

void run_updates(std::span<const kernels::Update> updates, std::span<const Tensor> written, std::span<const Tensor> read) {
  std::vector<Range> ranges;
  add_ranges(written, true, read.empty(), ranges);
  add_ranges(read, false, false, ranges);
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  const char *read_end = nullptr, *written_end = nullptr;
  bool apart = true;
  for (const Range& r : ranges) {
    apart &= r.begin >= written_end && (!r.written || r.begin >= read_end);
    const char*& end = r.written ? written_end : read_end;
    end = std::max(end, r.end);
  }
  if (apart) return kernels::update(updates);
  for (const kernels::Update& u : updates) kernels::update({&u, 1});
}

TensorImpl* grad_of(const Tensor& t, std::string_view by) {
  TensorImpl* g = t.impl()->autograd ? t.impl()->autograd->grad.impl() : nullptr;
  if (!g) return nullptr;
  GRADUS_CHECK(is_differentiable(g->dtype), dtype, "{}: a gradient of {}", by, name(g->dtype));
  GRADUS_CHECK(g->dtype == t.dtype() && same(g->sizes(), t.sizes()), shape, "{}: a gradient of {} and shape {} for a tensor of {} and shape {}", by,
               name(g->dtype), text(g->sizes()), name(t.dtype()), text(t.sizes()));
  GRADUS_CHECK(overlap(view_of(g), view_of(t)) == Overlap::none, state, "{}: a tensor of shape {} and its gradient share memory", by, text(t.sizes()));
  return g;
}
void check_not_cancelled(std::string_view by) {
  GRADUS_CHECK(!(context().attention.load(std::memory_order_relaxed) & Context::kCancelled), cancelled, "{}: cancelled", by);
}
void check_writable(const Tensor& t, std::string_view by) {
  const GradMode off(false);
  check_in_place(by, t.impl(), false);
}

double clip_grad_norm(std::span<const Tensor> tensors, double max_norm, double norm_type, bool error_if_nonfinite) {
  GRADUS_CHECK(max_norm >= 0, value, "clip_grad_norm: 'max_norm' is {}, not at least 0", max_norm);
  GRADUS_CHECK(norm_type > 0, value, "clip_grad_norm: 'norm_type' is {}, not above 0", norm_type);
  const auto grads = gradients_of(tensors, "clip_grad_norm");
  const GradMode off(false);
  std::vector<Tensor> sizes;                                  // absolute values of what is complex
  std::vector<View> views;
  for (const Tensor& g : grads) {
    check_writable(g, "clip_grad_norm");
    sizes.push_back(is_complex(g.dtype()) ? abs(g) : g);
    views.push_back(view_of(sizes.back()));
  }
  const double total = kernels::norm(views, norm_type);
  GRADUS_CHECK(!error_if_nonfinite || std::isfinite(total), value, "clip_grad_norm: the norm of order {} of the gradients is {}", norm_type, total);
  check_not_cancelled("clip_grad_norm");
  const double factor = max_norm / (total + 1e-6);
  if (!(factor >= 1)) update_all(grads, kernels::Rule::scale, factor);   // a NaN goes on into the gradients
  return total;
}

void clip_grad_value(std::span<const Tensor> tensors, double value) {
  GRADUS_CHECK(value >= 0, value, "clip_grad_value: 'clip_value' is {}, not at least 0", value);
  const auto grads = gradients_of(tensors, "clip_grad_value");
  for (const Tensor& g : grads) {
    GRADUS_CHECK(is_floating(g.dtype()), unsupported, "clip_grad_value: does not support {}", name(g.dtype()));
    check_writable(g, "clip_grad_value");
  }
  check_not_cancelled("clip_grad_value");
  update_all(grads, kernels::Rule::clamp, value);
}

}  // namespace gradus
