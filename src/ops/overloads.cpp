// Ops whose arguments come in another form than usual: a number as a tensor, tensors as a list, a size instead of a tensor.
#include "base/context.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// The element of a tensor without dimensions, or the number that stands for it.
Number number_of(const Args& a, int position) {
  if (a[position].is_number()) return a.number(position);
  const Tensor& t = a.tensor(position);
  GRADUS_CHECK(t.ndim() == 0, shape, "{}: '{}' must have no dimensions, not shape {}", name(a.op()), a.op().info->schema.arguments[static_cast<size_t>(position)].name,
               text(t.sizes()));
  const GradMode off(false);
  if (is_complex(t.dtype())) {
    const Tensor c = to(t, Dtype::c128);
    return {real(c).data<double>()[0], call(imag_op, {c}).data<double>()[0]};
  }
  return is_integral(t.dtype()) ? Number(to(t, Dtype::i64).data<int64_t>()[0]) : Number(to(t, Dtype::f64).data<double>()[0]);
}
void check_indices(const Args& a, const Tensor& t) {
  GRADUS_CHECK(is_integral(t.dtype()) && t.dtype() != Dtype::boolean, dtype, "{}: an index of {}, not of integers", name(a.op()), name(t.dtype()));
}

template <Op& one> void each(const Args& a, Tensors& out) {
  for (const Tensor& t : a.tensors(0)) out.push_back(call(one, {t}));
}
void few_shapes(Samples& s) {
  s.add({s.tensors({s.rand({}), s.rand({3}), s.rand({2, 1, 2})})});
  s.add({s.tensors({})});
}

}  // namespace

Op narrow_tensor_op{
    .schema = "narrow_tensor(Tensor(a) self, int dim, Tensor start, int length) -> Tensor(a)",
    .doc = "narrow from an index in a tensor of no dimensions.",
    .serves = "narrow.Tensor",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      check_indices(a, a.tensor(2));
      out.push_back(narrow(a.tensor(0), a.integer(1), number_of(a, 2).i, a.integer(3)));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({5, 3}), Value(0), s.values({}, {1}, Dtype::i64), Value(2)});
      s.error({s.rand({5}), Value(0), s.values({1}, {1}, Dtype::i64), Value(2)}, "'start' must have no dimensions");
      s.error({s.rand({5}), Value(0), s.rand({}), Value(2)}, "an index of float64");
    },
};
Op tensor_split_tensor_op{
    .schema = "tensor_split_tensor(Tensor(a) self, Tensor tensor_indices_or_sections, int dim=0) -> Tensor(a)[]",
    .doc = "tensor_split into so many sections, a tensor of no dimensions, or at the indices in a vector.",
    .serves = "tensor_split.tensor_indices_or_sections",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& where = a.tensor(1);
      check_indices(a, where);
      GRADUS_CHECK(where.ndim() <= 1, shape, "tensor_split: indices of shape {}, neither a number nor a vector", text(where.sizes()));
      const Tensor indices = contiguous(to(where, Dtype::i64));
      const SizesRef list(indices.data<int64_t>(), static_cast<size_t>(indices.numel()));
      const bool one = where.ndim() == 0;
      const Value v[] = {a[0], one ? Value(list[0]) : Value(list), a[2]};
      call(one ? tensor_split_op : tensor_split_indices_op, v, 3, out);
    },
    .samples = [](Samples& s) {
      s.add({s.rand({7, 2}), s.values({}, {3}, Dtype::i64)});
      s.add({s.rand({2, 5}), s.values({2}, {1, 4}, Dtype::i64), Value(1)});
      s.error({s.rand({4}), s.values({1, 1}, {1}, Dtype::i64)}, "neither a number nor a vector");
    },
};

Op atleast_1d_list_op{
    .schema = "atleast_1d_list(Tensor[] tensors) -> Tensor[]",
    .doc = "atleast_1d of each tensor.",
    .serves = "atleast_1d.Sequence",
    .complex = true,
    .compose = each<atleast_1d_op>,
    .samples = few_shapes,
};
Op atleast_2d_list_op{
    .schema = "atleast_2d_list(Tensor[] tensors) -> Tensor[]",
    .doc = "atleast_2d of each tensor.",
    .serves = "atleast_2d.Sequence",
    .complex = true,
    .compose = each<atleast_2d_op>,
    .samples = few_shapes,
};
Op atleast_3d_list_op{
    .schema = "atleast_3d_list(Tensor[] tensors) -> Tensor[]",
    .doc = "atleast_3d of each tensor.",
    .serves = "atleast_3d.Sequence",
    .complex = true,
    .compose = each<atleast_3d_op>,
    .samples = few_shapes,
};

Op linspace_tensor_op{
    .schema = "linspace_tensor(Tensor start, Tensor end, int steps, *, ScalarType? dtype=None) -> Tensor",
    .doc = "linspace between tensors of no dimensions, or between one and a number. No gradient flows to them.",
    .serves = "linspace.Tensor_Tensor linspace.Tensor_Scalar linspace.Scalar_Tensor",
    .complex = true,
    .takes_numbers = true,
    .complex_numbers = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(linspace_op, {Value(number_of(a, 0)), Value(number_of(a, 1)), a[2], a[3]})); },
    .samples = [](Samples& s) {
      s.add({s.rand({}), s.rand({}), Value(5), Value(Dtype::f64)});
      s.add({Value(1.5), s.rand({}), Value(3)});
      s.error({s.rand({1}), Value(2), Value(3)}, "'start' must have no dimensions");
    },
};
Op logspace_tensor_op{
    .schema = "logspace_tensor(Tensor start, Tensor end, int steps, float base=10.0, *, ScalarType? dtype=None) -> Tensor",
    .doc = "logspace between tensors of no dimensions, or between one and a number. No gradient flows to them.",
    .serves = "logspace.Tensor_Tensor logspace.Tensor_Scalar logspace.Scalar_Tensor",
    .complex = true,
    .takes_numbers = true,
    .complex_numbers = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(logspace_op, {Value(number_of(a, 0)), Value(number_of(a, 1)), a[2], a[3], a[4]})); },
    .samples = [](Samples& s) {
      s.add({s.rand({}), s.rand({}), Value(5), Value(2.0), Value(Dtype::f64)});
      s.add({s.rand({}), Value(1), Value(3)});
      s.error({Value(2), s.rand({2}), Value(3)}, "'end' must have no dimensions");
    },
};

Op normal_sized_op{
    .schema = "normal_sized(float mean, float std, int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Normal numbers of one mean and standard deviation.",
    .serves = "normal.float_float",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor t = call(empty_op, {a[2], a[3]});
      call_in_place(normal_op, {t, a[0], a[1]});
      out.push_back(t);
    },
    .random = true,
    .samples = [](Samples& s) {
      s.add({Value(1.5), Value(2.0), s.list({2, 3})});
      s.add({Value(0.0), Value(1.0), s.list({0}), Value(Dtype::f64)});
      s.error({Value(0.0), Value(-1.0), s.list({2})}, "std -1 is negative");
    },
};
Op normal_around_mean_op{
    .schema = "normal_around_mean(Tensor mean, float std=1) -> Tensor",
    .doc = "Normal numbers, each with a mean of its own. No gradient flows.",
    .serves = "normal.Tensor_float",
    .compose = [](const Args& a, Tensors& out) {
      const GradMode off(false);
      const Tensor t = call(empty_like_op, {a[0]});
      call_in_place(normal_op, {t, Value(0.0), a[1]});
      out.push_back(call_in_place(add_op, {t, a[0]}));
    },
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(0.5)});
      s.add({s.rand({0})});
      s.error({s.rand({2}), Value(-1.0)}, "std -1 is negative");
    },
};

static Op* const all[] = {&narrow_tensor_op,   &tensor_split_tensor_op, &atleast_1d_list_op, &atleast_2d_list_op,    &atleast_3d_list_op,
                          &linspace_tensor_op, &logspace_tensor_op,     &normal_sized_op,    &normal_around_mean_op};
const OpList overload_ops = all;

}  // namespace gradus
