// Writing where a mask is true, and on diagonals.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "kernels/elementwise.h"
#include "ops/indices.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void masked_shape(const Args& a, Metas& out) {
  const Tensor &self = a.tensor(0), &mask = a.tensor(1);
  GRADUS_CHECK(mask.dtype() == Dtype::boolean, dtype, "{}: a mask must be bool, not {}", name(a.op()), name(mask.dtype()));
  out.push_back({self.dtype(), broadcast_sizes(self.sizes(), mask.sizes(), name(a.op()))});
}

void check_value(const Args& a, int position) {
  const Dtype d = a.tensor(0).dtype();
  if (a[position].tag != Tag::tensor) return check_number(a, position);
  GRADUS_CHECK(a.tensor(position).ndim() == 0, shape, "{}: a value of shape {}, where a scalar is wanted", name(a.op()), text(a.tensor(position).sizes()));
  GRADUS_CHECK(can_cast(a.tensor(position).dtype(), d), dtype, "{}: a value of {} for a tensor of {}", name(a.op()), name(a.tensor(position).dtype()), name(d));
}

void fill_kernel(const Args& a, const Tensors& out) {
  if (is_complex(out[0].dtype())) {
    const Value v[] = {a[1], a[2], Value(out[0])};
    return evaluate_formula_into(where_op, Args(where_op, v), out[0]);
  }
  const kernels::Operand value = a[2].tag == Tag::tensor ? kernels::Operand(view_of(a.tensor(2))) : kernels::Operand(a.number(2));
  const FormulaKernels& f = *where_op.info->kernels;
  const Compute c = compute_of(out[0].dtype());
  const kernels::Operand in[] = {kernels::Operand(view_of(a.tensor(1))), value, kernels::Operand(view_of(out[0]))};
  kernels::elementwise({f.value[static_cast<int>(c)], c, nullptr, f.light}, view_of(out[0]), in, 3);
}

void check_fill_diagonal(const Args& a, Metas& out) {
  const SizesRef sizes = a.tensor(0).sizes();
  GRADUS_CHECK(sizes.size() >= 2, shape, "fill_diagonal: a tensor of {} dimensions, where at least 2 are wanted", sizes.size());
  for (int64_t s : sizes) GRADUS_CHECK(sizes.size() == 2 || s == sizes[0], shape, "fill_diagonal: sizes {} are not all equal", text(sizes));
  check_value(a, 1);
  out.push_back(a.tensor(0).meta());
}
void fill_diagonal_kernel(const Args& a, const Tensors& out) {
  const Tensor& t = out[0];
  int64_t n = t.size(0), step = 0;
  for (int64_t s : t.sizes()) n = std::min(n, s);
  for (int64_t s : t.strides()) step += s;
  kernels::fill(view_of(alias(t, Sizes{n}, Sizes{step}, t.offset())), a.number(1));
  if (!a.flag(2) || t.ndim() != 2) return;
  // A tall matrix begins a new diagonal one row below the end of the last.
  for (int64_t row = t.size(1) + 1; row < t.size(0); row += t.size(1) + 1) {
    const int64_t left = std::min(t.size(0) - row, t.size(1));
    kernels::fill(view_of(alias(t, Sizes{left}, Sizes{step}, t.offset() + row * t.stride(0))), a.number(1));
  }
}

}  // namespace

Op masked_fill_op{
    .schema = "masked_fill(Tensor self, Tensor mask, Tensor value) -> Tensor",
    .doc = "self with a number, or a tensor without dimensions, where the mask is true.",
    .serves = "masked_fill.Scalar masked_fill.Tensor",
    .complex = true,
    .takes_numbers = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) {
      check_value(a, 2);
      masked_shape(a, out);
    },
    .kernel = fill_kernel,
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) { return masked_fill(g, c.tensor(1), 0); },
            nullptr,
            [](const Call& c, const Tensor& g) { return where(c.tensor(1), g, Value(0)); }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({2, 3}, {1, 0, 0, 1, 1, 0}, Dtype::boolean), Value(1.5)});
      s.add({s.rand({2, 3}), s.values({3}, {1, 0, 1}, Dtype::boolean), s.rand({})});
      s.add({s.rand({3}), s.values({2, 1}, {1, 0}, Dtype::boolean), Value(-1)});
      s.error({s.rand({2, 3}), s.values({3}, {1, 0, 1}, Dtype::i64), Value(1)}, "a mask must be bool");
      s.error({s.rand({3}), s.values({3}, {1, 0, 1}, Dtype::boolean), s.rand({1})}, "a scalar is wanted");
    },
};

Op masked_scatter_op{
    .schema = "masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor",
    .doc = "self with the elements of source, in order, where the mask is true.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      GRADUS_CHECK(a.tensor(2).dtype() == a.tensor(0).dtype(), dtype, "masked_scatter: a source of {} for a tensor of {}", name(a.tensor(2).dtype()), name(a.tensor(0).dtype()));
      masked_shape(a, out);
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor mask = empty(Dtype::boolean, out[0].sizes());
      kernels::copy(view_of(mask), view_of(a.tensor(1)));
      const int64_t n = kernels::count_nonzero(view_of(mask));
      GRADUS_CHECK(n <= a.tensor(2).numel(), shape, "masked_scatter: {} elements for {} places", a.tensor(2).numel(), n);
      const Tensor source = clone(a.tensor(2)), places = empty(Dtype::i64, out[0].sizes());
      kernels::offsets(places.data<int64_t>(), out[0].sizes(), out[0].strides());
      int64_t next = 0;
      for (int64_t i = 0; i < mask.numel(); ++i)              // the places in use, moved to the front
        if (mask.data<bool>()[i]) places.data<int64_t>()[next++] = places.data<int64_t>()[i];
      const int64_t origin = 0;
      kernels::Places p{1, n, 1, &origin, nullptr, places.data<int64_t>(), true, 1, span_of(out[0].sizes(), out[0].strides())};
      kernels::write(view_of(out[0]), {source.impl()->data(), n, 1, 1}, p, kernels::Combine::replace);
    },
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) { return masked_fill(g, c.tensor(1), 0); },
            nullptr,
            [](const Call& c, const Tensor& g) {
              const Tensor used = masked_select(g, c.tensor(1));
              return reshape(call(slice_backward_op, {used, Sizes{numel_of(c.sizes())}, 0, 0, used.numel(), 1}), c.sizes());
            }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({2, 3}, {1, 0, 0, 1, 1, 0}, Dtype::boolean), s.rand({2, 2})});
      s.add({s.rand({2, 3}), s.values({3}, {1, 0, 1}, Dtype::boolean), s.rand({5})});
      s.error({s.rand({3}), s.values({3}, {1, 0, 1}, Dtype::boolean), s.rand({1})}, "1 elements for 2 places");
    },
};

Op fill_diagonal_op{
    .schema = "fill_diagonal(Tensor self, Scalar fill_value, bool wrap=False) -> Tensor",
    .doc = "self with a number on its main diagonal; wrap begins it anew below in tall matrices.",
    .complex = true,
    .complex_numbers = true,
    .shape = check_fill_diagonal,
    .kernel = fill_diagonal_kernel,
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) { return call(fill_diagonal_op, {g, 0, c.flag(2)}); }},
    .samples = [](Samples& s) {
      s.add({s.rand({3, 4}), Value(1.5)});
      s.add({s.rand({7, 2}), Value(2), Value(true)});
      s.add({s.rand({2, 2, 2}), Value(1)});
      s.error({s.rand({3}), Value(1)}, "at least 2");
      s.error({s.rand({2, 3, 2}), Value(1)}, "not all equal");
    },
};

static Op* const all[] = {&masked_fill_op, &masked_scatter_op, &fill_diagonal_op};
const OpList masked_ops = all;

}  // namespace gradus
