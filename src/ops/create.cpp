// New tensors from sizes and numbers.
#include <cmath>

#include "kernels/copy.h"
#include "kernels/create.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

constexpr Dtype kDefault = Dtype::f32;

void put_meta(Metas& out, Dtype d, SizesRef sizes) {
  numel_of(sizes);
  out.push_back({d, Sizes(sizes)});
}
Dtype dtype_of(Number n) { return n.is_complex() ? Dtype::c64 : n.is_real() ? kDefault : n.is_boolean() ? Dtype::boolean : Dtype::i64; }

void from_size(const Args& a, Metas& out) { put_meta(out, a.dtype(1, kDefault), a.integers(0)); }
void from_self(const Args& a, Metas& out) { put_meta(out, a.dtype(1, a.tensor(0).dtype()), a.tensor(0).sizes()); }
void from_self_and_size(const Args& a, Metas& out) { put_meta(out, a.dtype(2, a.tensor(0).dtype()), a.integers(1)); }

template <int value> void fill_with(const Args&, const Tensors& out) { kernels::fill(view_of(out[0]), Number(value)); }
template <int position> void fill_from(const Args& a, const Tensors& out) { kernels::fill(view_of(out[0]), a.number(position)); }
void leave(const Args&, const Tensors&) {}

void size_samples(Samples& s) {
  s.add({s.list({2, 3})});
  s.add({s.list({}), Value(Dtype::i32)});
  s.add({s.list({0, 2})});
  s.error({s.list({-1})}, "negative size");
}
void like_samples(Samples& s) {
  s.add({s.rand({2, 3})});
  s.add({s.rand({}), Value(Dtype::i64)});
  s.add({s.rand({0, 2})});
}
void new_samples(Samples& s) {
  s.add({s.rand({2}), s.list({2, 3})});
  s.add({s.rand({2}), s.list({}), Value(Dtype::boolean)});
  s.error({s.rand({2}), s.list({2, -3})}, "negative size");
}

// ---- sequences: the bounds as numbers, the step's direction checked
void check_bounds(const Args& a, Number start, Number end, Number step) {
  GRADUS_CHECK(step.f != 0, value, "{}: step must not be 0", name(a.op()));
  GRADUS_CHECK(std::isfinite(start.f) && std::isfinite(end.f) && std::isfinite(step.f), value, "{}: unbounded range from {} to {} by {}", name(a.op()), start.f, end.f, step.f);
  GRADUS_CHECK(step.f > 0 ? end.f >= start.f : end.f <= start.f, value, "{}: the step {} leads away from {} to {}", name(a.op()), step.f, start.f, end.f);
}
int64_t count_of(const Args& a, double n) {
  GRADUS_CHECK(n >= 0 && n < 9.2e18, value, "{}: {} elements", name(a.op()), n);
  return static_cast<int64_t>(n);
}

struct Arange {
  Number start, end, step;
  explicit Arange(const Args& a) : start(a.has(1) ? a.number(0) : Number(0)), end(a.has(1) ? a.number(1) : a.number(0)), step(a.number(2)) {}
  bool integers() const { return !start.is_real() && !end.is_real() && !step.is_real(); }
  int64_t count(const Args& a, Dtype d) const {
    check_bounds(a, start, end, step);
    if (!integers() && d != Dtype::i64) return count_of(a, std::ceil((end.f - start.f) / step.f));
    GRADUS_CHECK(step.i != 0, value, "arange: step {} is 0 in int64", step.f);
    const auto span = static_cast<unsigned __int128>(step.i > 0 ? static_cast<__int128>(end.i) - start.i : static_cast<__int128>(start.i) - end.i);
    const auto by = static_cast<unsigned __int128>(step.i > 0 ? static_cast<__int128>(step.i) : -static_cast<__int128>(step.i));
    return count_of(a, static_cast<double>((span + by - 1) / by));
  }
};

void linspace_shape(const Args& a, Metas& out) {
  const bool log = a.op().info->schema.arguments[3].name == "base";
  GRADUS_CHECK(a.integer(2) >= 0, value, "{}: negative number of steps {}", name(a.op()), a.integer(2));
  const int64_t n = a.integer(2);
  const bool complex = a.number(0).is_complex() || a.number(1).is_complex();
  put_meta(out, a.dtype(log ? 4 : 3, complex ? Dtype::c64 : kDefault), {&n, 1});
}

}  // namespace

Op empty_op{
    .schema = "empty(int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor with whatever its memory holds; float32 unless a dtype is given.",
    .serves = "empty.memory_format",
    .complex = true,
    .shape = from_size,
    .kernel = leave,
    .random = true,                                           // no two calls need agree
    .samples = [](Samples& s) { s.add({s.list({2, 0})}); s.error({s.list({2, -1})}, "negative size"); },
};
Op zeros_op{
    .schema = "zeros(int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of zeros; float32 unless a dtype is given.",
    .complex = true,
    .shape = from_size,
    .kernel = fill_with<0>,
    .samples = size_samples,
};
Op ones_op{
    .schema = "ones(int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of ones; float32 unless a dtype is given.",
    .complex = true,
    .shape = from_size,
    .kernel = fill_with<1>,
    .samples = size_samples,
};
Op full_op{
    .schema = "full(int[] size, Scalar fill_value, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of one number; its dtype is that of the number unless one is given.",
    .complex = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) { put_meta(out, a.dtype(2, dtype_of(a.number(1))), a.integers(0)); },
    .kernel = fill_from<1>,
    .samples = [](Samples& s) {
      s.add({s.list({2, 3}), Value(1.5)});
      s.add({s.list({2}), Value(7)});
      s.add({s.list({2}), Value(true)});
      s.add({s.list({2}), Value(3), Value(Dtype::f64)});
      s.error({s.list({-1}), Value(1)}, "negative size");
    },
};
Op scalar_tensor_op{
    .schema = "scalar_tensor(Scalar s, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor without dimensions that holds the number; float32 unless a dtype is given.",
    .complex = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) { put_meta(out, a.dtype(1, kDefault), {}); },
    .kernel = fill_from<0>,
    .samples = [](Samples& s) { s.add({Value(2.5)}); s.add({Value(3), Value(Dtype::i64)}); },
};

Op empty_like_op{
    .schema = "empty_like(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of the shape and dtype of self with whatever its memory holds.",
    .complex = true,
    .shape = from_self,
    .kernel = leave,
    .random = true,
    .samples = [](Samples& s) { s.add({s.rand({2, 0})}); },
};
Op zeros_like_op{
    .schema = "zeros_like(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Zeros of the shape and dtype of self.",
    .complex = true,
    .shape = from_self,
    .kernel = fill_with<0>,
    .samples = like_samples,
};
Op ones_like_op{
    .schema = "ones_like(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Ones of the shape and dtype of self.",
    .complex = true,
    .shape = from_self,
    .kernel = fill_with<1>,
    .samples = like_samples,
};
Op full_like_op{
    .schema = "full_like(Tensor self, Scalar fill_value, *, ScalarType? dtype=None) -> Tensor",
    .doc = "One number in the shape and dtype of self.",
    .complex = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) { put_meta(out, a.dtype(2, a.tensor(0).dtype()), a.tensor(0).sizes()); },
    .kernel = fill_from<1>,
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), Value(1)}); s.add({s.rand({2}), Value(2.5), Value(Dtype::f32)}); },
};
Op new_empty_op{
    .schema = "new_empty(Tensor self, int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of the dtype of self with whatever its memory holds.",
    .complex = true,
    .shape = from_self_and_size,
    .kernel = leave,
    .random = true,
    .samples = [](Samples& s) { s.add({s.rand({2}), s.list({2, 0})}); s.error({s.rand({2}), s.list({-1})}, "negative size"); },
};
Op new_zeros_op{
    .schema = "new_zeros(Tensor self, int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Zeros of the dtype of self.",
    .complex = true,
    .shape = from_self_and_size,
    .kernel = fill_with<0>,
    .samples = new_samples,
};
Op new_ones_op{
    .schema = "new_ones(Tensor self, int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Ones of the dtype of self.",
    .complex = true,
    .shape = from_self_and_size,
    .kernel = fill_with<1>,
    .samples = new_samples,
};
Op new_full_op{
    .schema = "new_full(Tensor self, int[] size, Scalar fill_value, *, ScalarType? dtype=None) -> Tensor",
    .doc = "One number in the dtype of self.",
    .complex = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) { put_meta(out, a.dtype(3, a.tensor(0).dtype()), a.integers(1)); },
    .kernel = fill_from<2>,
    .samples = [](Samples& s) {
      s.add({s.rand({2}), s.list({2, 3}), Value(1)});
      s.add({s.rand({2}), s.list({3}), Value(2.5), Value(Dtype::f32)});
      s.error({s.rand({2}), s.list({-2}), Value(1)}, "negative size");
    },
};

Op arange_op{
    .schema = "arange(Scalar start, Scalar? end=None, Scalar step=1, *, ScalarType? dtype=None) -> Tensor",
    .doc = "start, start + step, … before end; with one number alone, 0, 1, … before it. int64 when all numbers are integers, else float32, "
           "unless a dtype is given.",
    .serves = "arange arange.start arange.start_step",
    .shape = [](const Args& a, Metas& out) {
      const Arange r(a);
      const Dtype d = a.dtype(3, r.integers() ? Dtype::i64 : kDefault);
      const int64_t n = r.count(a, d);
      put_meta(out, d, {&n, 1});
    },
    .kernel = [](const Args& a, const Tensors& out) { const Arange r(a); kernels::arithmetic_sequence(view_of(out[0]), r.start, r.step); },
    .samples = [](Samples& s) {
      s.add({Value(5)});
      s.add({Value(1.0), Value(2.5), Value(0.5)});
      s.add({Value(5), Value(0), Value(-2), Value(Dtype::f64)});
      s.add({Value(3), Value(3)});
      s.error({Value(1), Value(5), Value(-1)}, "leads away");
      s.error({Value(1), Value(5), Value(0)}, "step must not be 0");
    },
};
Op range_op{
    .schema = "range(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None) -> Tensor",
    .doc = "start, start + step, … up to end, which is included where it is met; float32 unless a dtype is given.",
    .serves = "range range.step",
    .shape = [](const Args& a, Metas& out) {
      check_bounds(a, a.number(0), a.number(1), a.number(2));
      const int64_t n = count_of(a, std::floor((a.number(1).f - a.number(0).f) / a.number(2).f) + 1);
      put_meta(out, a.dtype(3, kDefault), {&n, 1});
    },
    .kernel = [](const Args& a, const Tensors& out) { kernels::arithmetic_sequence(view_of(out[0]), a.number(0), a.number(2)); },
    .samples = [](Samples& s) {
      s.add({Value(1), Value(4)});
      s.add({Value(1.0), Value(2.5), Value(0.5), Value(Dtype::f64)});
      s.error({Value(1), Value(5), Value(-1)}, "leads away");
    },
};
Op linspace_op{
    .schema = "linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Numbers at equal distances from start to end, both included. The second half is counted from the end, so the ends are exact.",
    .complex = true,
    .complex_numbers = true,
    .shape = linspace_shape,
    .kernel = [](const Args& a, const Tensors& out) { kernels::even_sequence(view_of(out[0]), a.number(0), a.number(1), 0); },
    .samples = [](Samples& s) {
      s.add({Value(0), Value(1), Value(7), Value(Dtype::f64)});
      s.add({Value(3), Value(-2.5), Value(4)});
      s.add({Value(3), Value(5), Value(1)});
      s.add({Value(3), Value(5), Value(0)});
      s.error({Value(3), Value(5), Value(-1)}, "negative number of steps");
    },
};
Op logspace_op{
    .schema = "logspace(Scalar start, Scalar end, int steps, float base=10.0, *, ScalarType? dtype=None) -> Tensor",
    .doc = "base to the powers of linspace(start, end, steps).",
    .complex = true,
    .complex_numbers = true,
    .shape = linspace_shape,
    .kernel = [](const Args& a, const Tensors& out) { kernels::even_sequence(view_of(out[0]), a.number(0), a.number(1), a.real(3)); },
    .samples = [](Samples& s) {
      s.add({Value(0), Value(2), Value(5), Value(2.0), Value(Dtype::f64)});
      s.add({Value(-1), Value(1), Value(3)});
      s.error({Value(3), Value(5), Value(-1)}, "negative number of steps");
    },
};
Op eye_op{
    .schema = "eye(int n, int? m=None, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A matrix of n rows and m columns (n unless given) with ones on the diagonal, else zeros.",
    .serves = "eye eye.m",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const int64_t sizes[] = {a.integer(0), a.has(1) ? a.integer(1) : a.integer(0)};
      put_meta(out, a.dtype(2, kDefault), sizes);
    },
    .kernel = [](const Args&, const Tensors& out) { kernels::identity(view_of(out[0])); },
    .samples = [](Samples& s) {
      s.add({Value(3)});
      s.add({Value(2), Value(3), Value(Dtype::i64)});
      s.add({Value(0), Value(3)});
      s.error({Value(-2)}, "negative size");
    },
};

static Op* const all[] = {&empty_op, &zeros_op, &ones_op, &full_op, &scalar_tensor_op, &empty_like_op, &zeros_like_op, &ones_like_op, &full_like_op,
                          &new_empty_op, &new_zeros_op, &new_ones_op, &new_full_op, &arange_op, &range_op, &linspace_op, &logspace_op, &eye_op};
const OpList create_ops = all;

}  // namespace gradus
