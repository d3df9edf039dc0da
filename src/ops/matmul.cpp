// Matrix products. They are a closed family: the gradient of a product is a product with turned views, so every order of
// derivative needs no more code.
#include "base/context.h"
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "kernels/matmul.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::left_matrices;
using kernels::right_matrices;

void check_dtypes(const Args& a, const Tensor& x, const Tensor& y) {
  GRADUS_CHECK(x.dtype() == y.dtype(), dtype, "{}: {} against {}", name(a.op()), name(x.dtype()), name(y.dtype()));
  GRADUS_CHECK(x.dtype() != Dtype::boolean, dtype, "{}: not defined for bool", name(a.op()));
}
void check_dims(const Args& a, const Tensor& t, int64_t dims, int position) {
  GRADUS_CHECK(t.ndim() == dims, shape, "{}: '{}' must have {} dimensions, not shape {}", name(a.op()),
               a.op().info->schema.arguments[static_cast<size_t>(position)].name, dims, text(t.sizes()));
}

// The sizes of x @ y, where a vector stands for one row or one column that the result then lacks.
struct ProductSizes {
  Sizes batch, result;
  ProductSizes(const Args& a, const Tensor& x, const Tensor& y) {
    check_dtypes(a, x, y);
    GRADUS_CHECK(x.ndim() > 0 && y.ndim() > 0, shape, "{}: both tensors must have dimensions: {} against {}", name(a.op()), text(x.sizes()), text(y.sizes()));
    GRADUS_CHECK(x.size(-1) == y.size(y.ndim() > 1 ? -2 : 0), shape, "{}: inner sizes differ: {} against {}", name(a.op()), text(x.sizes()), text(y.sizes()));
    batch = broadcast_sizes(x.sizes().first(static_cast<size_t>(std::max<int64_t>(x.ndim() - 2, 0))),
                            y.sizes().first(static_cast<size_t>(std::max<int64_t>(y.ndim() - 2, 0))), name(a.op()));
    result = batch;
    if (x.ndim() > 1) result.push_back(x.size(-2));
    if (y.ndim() > 1) result.push_back(y.size(-1));
  }
};

// Strict forms: how many dimensions each operand must have.
template <int left, int right> void product_shape(const Args& a, Metas& out) {
  const Tensor &x = a.tensor(0), &y = a.tensor(1);
  if (left) check_dims(a, x, left, 0);
  if (right) check_dims(a, y, right, 1);
  if (left == 3 && right == 3)
    GRADUS_CHECK(x.size(0) == y.size(0), shape, "{}: batch sizes differ: {} against {}", name(a.op()), text(x.sizes()), text(y.sizes()));
  out.push_back({x.dtype(), ProductSizes(a, x, y).result});
}

// ---- complex matrices: real products of their parts
using kernels::Matrices;
Matrices part_of(Matrices m, int which) {
  m.dtype = real_of(m.dtype);
  m.data += which * size_of(m.dtype);
  for (int64_t& s : m.batch_strides) s *= 2;
  m.row_stride *= 2;
  m.col_stride *= 2;
  return m;
}
void complex_product(const Tensor& out, const Matrices& x, const Matrices& y, SizesRef batch, Number alpha = 1) {
  const Matrices a = part_of(x, 0), b = part_of(x, 1), c = part_of(y, 0), d = part_of(y, 1);
  const Tensor to = parts_of(out), sum = empty(to.dtype(), out.sizes());
  const Number minus(-alpha.f);
  const SizesRef strides = to.strides().first(to.strides().size() - 1);
  const auto store = [&](int64_t which) { kernels::copy(view_of(alias(to, out.sizes(), strides, to.offset() + which)), view_of(sum)); };
  kernels::matmul(view_of(sum), a, c, batch, alpha);
  kernels::matmul(view_of(sum), b, d, batch, minus, true);
  store(0);
  kernels::matmul(view_of(sum), a, d, batch, alpha);
  kernels::matmul(view_of(sum), b, c, batch, alpha, true);
  store(1);
}
// out += beta * t, t broadcast.
void add_to(const Tensor& out, const Tensor& t, Number beta) {
  const GradMode off(false);
  kernels::copy(view_of(out), view_of(add(out, t, beta)));
}

void product_kernel(const Args& a, const Tensors& out) {
  if (is_complex(out[0].dtype())) {
    const auto x = left_matrices(view_of(a.tensor(0))), y = right_matrices(view_of(a.tensor(1)));
    return complex_product(out[0], x, y, broadcast_sizes(x.batch, y.batch, name(a.op())));
  }
  if (a.tensor(0).ndim() == 1 && a.tensor(1).ndim() == 1) return kernels::dot(view_of(out[0]), view_of(a.tensor(0)), view_of(a.tensor(1)));
  const auto x = left_matrices(view_of(a.tensor(0))), y = right_matrices(view_of(a.tensor(1)));
  kernels::matmul(view_of(out[0]), x, y, broadcast_sizes(x.batch, y.batch, name(a.op())));
}

Tensor turned(const Tensor& t) {                              // the last two dimensions exchanged
  Sizes dims(static_cast<size_t>(t.ndim()));
  for (size_t d = 0; d < dims.size(); ++d) dims[d] = static_cast<int64_t>(d);
  std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  return permute(t, dims);
}
Tensor flat_rows(const Tensor& t) {                           // all leading dimensions as one
  if (t.ndim() == 2) return t;
  int64_t rows = 1;
  for (int64_t s : t.sizes().first(static_cast<size_t>(t.ndim() - 1))) rows *= s;
  return reshape(t, Sizes{rows, t.size(-1)});
}
Tensor scaled(const Tensor& t, Number by) { return by.f == 1 && by.im == 0 ? t : call(mul_op, {Value(t), Value(by)}); }

// g with the row or column of size 1 that a vector stood for.
Tensor with_matrix_dims(const Tensor& g, bool left_vector, bool right_vector) {
  if (!left_vector && !right_vector) return g;
  Sizes sizes(g.sizes());
  if (right_vector) sizes.push_back(1);
  if (left_vector) sizes.insert(sizes.size() - 1, 1);
  return reshape(g, sizes);
}

// A matrix of contiguous columns. Its gradient is calculated turned, so that it has the same layout: it reaches the leaf, of which the
// matrix is a turned view as a rule, row by row.
bool by_columns(const Tensor& t) { return t.ndim() == 2 && t.stride(0) == 1 && t.stride(1) >= t.size(0) && t.stride(1) > 1; }

Tensor left_gradient(const Tensor& x, const Tensor& y, const Tensor& g) {
  if (x.ndim() == 1 && y.ndim() == 1) return mul(g, conj(y));
  if (by_columns(x) && y.ndim() == 2) return turned(mm(conj(y), turned(g)));
  const Tensor right = conj(y.ndim() == 1 ? reshape(y, Sizes{1, y.size(0)}) : turned(y));
  return matmul(with_matrix_dims(g, x.ndim() == 1, y.ndim() == 1), right);      // the engine sums a broadcast batch
}
Tensor right_gradient(const Tensor& x, const Tensor& y, const Tensor& g) {
  if (x.ndim() == 1 && y.ndim() == 1) return mul(g, conj(x));
  const Tensor wide = with_matrix_dims(g, x.ndim() == 1, y.ndim() == 1);
  const Tensor left = conj(x.ndim() == 1 ? reshape(x, Sizes{1, x.size(0)}) : x);
  if (by_columns(y)) return turned(mm(turned(flat_rows(wide)), flat_rows(left)));
  const Tensor d = y.ndim() <= 2 ? mm(turned(flat_rows(left)), flat_rows(wide)) : matmul(turned(left), wide);
  return y.ndim() == 1 ? reshape(d, y.sizes()) : d;
}
Tensor product_left(const Call& c, const Tensor& g) { return left_gradient(c.tensor(0), c.tensor(1), g); }
Tensor product_right(const Call& c, const Tensor& g) { return right_gradient(c.tensor(0), c.tensor(1), g); }

// ---- beta * self + alpha * x @ y
Number factor(const Args& a, int position) {                  // of integers, without its fraction
  const Number n = a.number(position);
  if (!n.is_real() || !is_integral(a.tensor(0).dtype())) return n;
  return a.tensor(0).dtype() == Dtype::boolean ? Number(n.f != 0) : Number(n.i);
}
void check_self(const Args& a, SizesRef result) {
  const Tensor& self = a.tensor(0);
  GRADUS_CHECK(self.ndim() <= static_cast<int64_t>(result.size()) && same(broadcast_sizes(self.sizes(), result, name(a.op())), result), shape,
               "{}: shape {} does not broadcast to {}", name(a.op()), text(self.sizes()), text(result));
}
template <int left, int right> void add_product_shape(const Args& a, Metas& out) {
  const Tensor &x = a.tensor(1), &y = a.tensor(2);
  check_dims(a, x, left, 1);
  check_dims(a, y, right, 2);
  if (left == 3)
    GRADUS_CHECK(x.size(0) == y.size(0), shape, "{}: batch sizes differ: {} against {}", name(a.op()), text(x.sizes()), text(y.sizes()));
  check_dtypes(a, a.tensor(0), x);
  const ProductSizes sizes(a, x, y);
  check_self(a, sizes.result);
  out.push_back({x.dtype(), sizes.result});
}
// A row of one contiguous number per column is added by the product itself.
bool is_row(const Tensor& t, int64_t columns) {
  return t.numel() == columns && t.ndim() > 0 && t.size(-1) == columns && (t.stride(-1) == 1 || columns == 1);
}
void add_product_kernel(const Args& a, const Tensors& out) {
  const auto x = left_matrices(view_of(a.tensor(1))), y = right_matrices(view_of(a.tensor(2)));
  const Sizes batch = broadcast_sizes(x.batch, y.batch, name(a.op()));
  const Number beta = factor(a, 3), alpha = factor(a, 4);
  const Tensor& self = a.tensor(0);
  if (is_complex(out[0].dtype())) {
    const bool reads = !is_zero(beta);
    const Tensor kept = reads && self.storage().data == out[0].storage().data ? clone(self) : self;
    complex_product(out[0], x, y, batch, alpha.is_complex() ? Number(1) : alpha);
    const GradMode off(false);
    if (alpha.is_complex()) kernels::copy(view_of(out[0]), view_of(scaled(out[0], alpha)));
    if (reads) add_to(out[0], kept, beta);
    return;
  }
  const bool bias = beta.f == 1 && a.tensor(2).ndim() > 1 && is_row(self, y.cols);
  if (beta.f != 0 && !bias) {                                 // beta 0: not even a NaN of self counts
    const GradMode off(false);
    kernels::copy(view_of(out[0]), view_of(scaled(self, beta)));
  }
  kernels::matmul(view_of(out[0]), x, y, batch, alpha, beta.f != 0 && !bias, bias ? self.impl()->data() : nullptr);
}
Tensor add_product_self(const Call& c, const Tensor& g) { return scaled(g, conj(c.number(3))); }
Tensor add_product_left(const Call& c, const Tensor& g) { return left_gradient(c.tensor(1), c.tensor(2), scaled(g, conj(c.number(4)))); }
Tensor add_product_right(const Call& c, const Tensor& g) { return right_gradient(c.tensor(1), c.tensor(2), scaled(g, conj(c.number(4)))); }

// ---- linear
void linear_shape(const Args& a, Metas& out) {
  const Tensor &x = a.tensor(0), &w = a.tensor(1), &b = a.optional_tensor(2);
  check_dtypes(a, x, w);
  GRADUS_CHECK(x.ndim() > 0 && (w.ndim() == 1 || w.ndim() == 2), shape, "linear: an input of shape {} with a weight of shape {}", text(x.sizes()), text(w.sizes()));
  GRADUS_CHECK(x.size(-1) == w.size(-1), shape, "linear: the input has {} features, the weight {}: {} against {}", x.size(-1), w.size(-1), text(x.sizes()), text(w.sizes()));
  Sizes sizes(x.sizes().first(static_cast<size_t>(x.ndim() - 1)));
  if (w.ndim() == 2) sizes.push_back(w.size(0));
  if (b) {
    check_dtypes(a, x, b);
    GRADUS_CHECK(b.ndim() <= static_cast<int64_t>(sizes.size()) && same(broadcast_sizes(b.sizes(), sizes, "linear"), sizes), shape,
                 "linear: a bias of shape {} for a result of shape {}", text(b.sizes()), text(sizes));
  }
  out.push_back({x.dtype(), sizes});
}
void linear_kernel(const Args& a, const Tensors& out) {
  const Tensor &w = a.tensor(1), &b = a.optional_tensor(2);
  const auto x = left_matrices(view_of(a.tensor(0)));
  const auto y = w.ndim() == 1 ? right_matrices(view_of(w)) : kernels::transposed(right_matrices(view_of(w)));
  if (is_complex(out[0].dtype())) {
    complex_product(out[0], x, y, x.batch);
    if (b) add_to(out[0], b, 1);
    return;
  }
  const bool fused = b && w.ndim() == 2 && is_row(b, y.cols);
  if (b && !fused) kernels::copy(view_of(out[0]), view_of(b));
  kernels::matmul(view_of(out[0]), x, y, x.batch, 1, b && !fused, fused ? b.impl()->data() : nullptr);
}
Tensor linear_input(const Call& c, const Tensor& g) {
  const Tensor w = conj(c.tensor(1));
  return w.ndim() == 2 ? matmul(g, w) : mul(with_matrix_dims(g, false, true), w);
}
Tensor linear_weight(const Call& c, const Tensor& g) {
  const Tensor &x = c.tensor(0), &w = c.tensor(1);
  const Tensor rows = conj(x.ndim() == 1 ? reshape(x, Sizes{1, x.size(0)}) : flat_rows(x));
  const Tensor d = mm(turned(reshape(g, Sizes{rows.size(0), w.ndim() == 2 ? w.size(0) : 1})), rows);
  return w.ndim() == 2 ? d : reshape(d, w.sizes());
}

}  // namespace

Op mm_op{
    .schema = "mm(Tensor self, Tensor mat2) -> Tensor",
    .doc = "The product of two matrices.",
    .complex = true,
    .shape = product_shape<2, 2>,
    .kernel = product_kernel,
    .vjp = {product_left, product_right},
    .save = input(0) | input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3, 4})});
      s.add({s.rand({2, 0}), s.rand({0, 3})});                // an empty sum
      s.error({s.rand({2, 3}), s.rand({4, 5})}, "inner sizes differ: [2, 3] against [4, 5]");
      s.error({s.rand({3}), s.rand({3, 4})}, "must have 2 dimensions");
    },
};
Op bmm_op{
    .schema = "bmm(Tensor self, Tensor mat2) -> Tensor",
    .doc = "The products of two stacks of matrices, one by one.",
    .complex = true,
    .shape = product_shape<3, 3>,
    .kernel = product_kernel,
    .vjp = {product_left, product_right},
    .save = input(0) | input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 2, 3}), s.rand({2, 3, 4})});
      s.add({s.rand({0, 2, 3}), s.rand({0, 3, 1})});
      s.error({s.rand({2, 2, 3}), s.rand({1, 3, 4})}, "batch sizes differ");
    },
};
Op mv_op{
    .schema = "mv(Tensor self, Tensor vec) -> Tensor",
    .doc = "A matrix times a vector.",
    .complex = true,
    .shape = product_shape<2, 1>,
    .kernel = product_kernel,
    .vjp = {product_left, product_right},
    .save = input(0) | input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3})});
      s.add({s.rand({2, 0}), s.rand({0})});
      s.error({s.rand({2, 3}), s.rand({2})}, "inner sizes differ");
    },
};
Op dot_op{
    .schema = "dot(Tensor self, Tensor tensor) -> Tensor",
    .doc = "The sum of the products of the elements of two vectors of one length.",
    .complex = true,
    .shape = product_shape<1, 1>,
    .kernel = product_kernel,
    .vjp = {product_left, product_right},
    .save = input(0) | input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({5}), s.rand({5})});
      s.add({s.rand({0}), s.rand({0})});
      s.error({s.rand({5}), s.rand({4})}, "inner sizes differ");
    },
};
Op vdot_op{
    .schema = "vdot(Tensor self, Tensor other) -> Tensor",
    .doc = "dot, with the conjugate of self; of real vectors the same.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(dot(conj(a.tensor(0)), a.tensor(1))); },
    .samples = [](Samples& s) {
      s.add({s.rand({5}), s.rand({5})});
      s.error({s.rand({5}), s.rand({4})}, "inner sizes differ");
    },
};

static void matmul_samples(Samples& s) {
  s.add({s.rand({3}), s.rand({3})});
  s.add({s.rand({2, 3}), s.rand({3})});
  s.add({s.rand({3}), s.rand({3, 2})});
  s.add({s.rand({2, 3}), s.rand({3, 4})});
  s.add({s.rand({2, 2, 3}), s.rand({3, 4})});                 // one product of all rows
  s.add({s.rand({2, 3}), s.rand({2, 3, 2})});
  s.add({s.rand({2, 1, 2, 3}), s.rand({3, 3, 2})});           // a broadcast batch
  s.add({s.rand({3}), s.rand({2, 3, 2})});
  s.add({s.rand({2, 2, 3}), s.rand({3})});
  s.add({s.rand({0, 2, 3}), s.rand({3, 2})});
  s.error({s.rand({2, 3}), s.rand({4, 5})}, "inner sizes differ: [2, 3] against [4, 5]");
  s.error({s.rand({}), s.rand({3})}, "must have dimensions");
}
Op matmul_op{
    .schema = "matmul(Tensor self, Tensor other) -> Tensor",
    .doc = "The product over the last dimension of self and the one before the last of other; leading dimensions are a batch that "
           "broadcasts. A vector is a row on the left and a column on the right, and leaves no dimension.",
    .complex = true,
    .shape = product_shape<0, 0>,
    .kernel = product_kernel,
    .vjp = {product_left, product_right},
    .save = input(0) | input(1),
    .samples = matmul_samples,
};
Op linalg_matmul_op{
    .schema = "linalg_matmul(Tensor self, Tensor other) -> Tensor",
    .doc = "Another name of matmul.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(matmul(a.tensor(0), a.tensor(1))); },
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), s.rand({3, 4})}); s.error({s.rand({2, 3}), s.rand({4, 5})}, "inner sizes differ"); },
};

Op addmm_op{
    .schema = "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .doc = "beta * self + alpha * mat1 @ mat2; with beta 0 self is not read.",
    .complex = true,
    .complex_numbers = true,
    .shape = add_product_shape<2, 2>,
    .kernel = add_product_kernel,
    .in_place = true,
    .vjp = {add_product_self, add_product_left, add_product_right},
    .save = input(1) | input(2),
    .samples = [](Samples& s) {
      s.add({s.rand({4}), s.rand({2, 3}), s.rand({3, 4})});
      s.add({s.rand({2, 4}), s.rand({2, 3}), s.rand({3, 4}), Value(0.5), Value(-2.0)});
      s.add({s.rand({2, 1}), s.rand({2, 3}), s.rand({3, 4}), Value(2)});
      s.add({s.rand({}), s.rand({2, 0}), s.rand({0, 4}), Value(0)});
      s.error({s.rand({3}), s.rand({2, 3}), s.rand({3, 4})}, "3 and 4 differ");
    },
};
Op baddbmm_op{
    .schema = "baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .doc = "beta * self + alpha * batch1 @ batch2 for stacks of matrices; with beta 0 self is not read.",
    .complex = true,
    .complex_numbers = true,
    .shape = add_product_shape<3, 3>,
    .kernel = add_product_kernel,
    .in_place = true,
    .vjp = {add_product_self, add_product_left, add_product_right},
    .save = input(1) | input(2),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 1, 4}), s.rand({2, 2, 3}), s.rand({2, 3, 4}), Value(0.5), Value(-2.0)});
      s.add({s.rand({2, 2, 4}), s.rand({2, 2, 3}), s.rand({2, 3, 4}), Value(0)});
      s.error({s.rand({3}), s.rand({2, 2, 3}), s.rand({2, 3, 4})}, "3 and 4 differ");
    },
};
Op addmv_op{
    .schema = "addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .doc = "beta * self + alpha * mat @ vec; with beta 0 self is not read.",
    .complex = true,
    .complex_numbers = true,
    .shape = add_product_shape<2, 1>,
    .kernel = add_product_kernel,
    .in_place = true,
    .vjp = {add_product_self, add_product_left, add_product_right},
    .save = input(1) | input(2),
    .samples = [](Samples& s) {
      s.add({s.rand({2}), s.rand({2, 3}), s.rand({3}), Value(0.5), Value(-2.0)});
      s.add({s.rand({}), s.rand({2, 3}), s.rand({3})});
      s.error({s.rand({3}), s.rand({2, 3}), s.rand({3})}, "3 and 2 differ");
    },
};
Op linear_op{
    .schema = "linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor",
    .doc = "input @ weight^T + bias over the last dimension; weight is [out, in], or [in] for one number per row.",
    .complex = true,
    .shape = linear_shape,
    .kernel = linear_kernel,
    .vjp = {linear_input, linear_weight, [](const Call&, const Tensor& g) { return g; }},
    .save = input(0) | input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({4, 3}), s.rand({4})});
      s.add({s.rand({3}), s.rand({4, 3})});
      s.add({s.rand({2, 2, 3}), s.rand({1, 3}), s.rand({1})});
      s.add({s.rand({2, 3}), s.rand({3}), s.rand({})});
      s.add({s.rand({0, 3}), s.rand({4, 3}), s.rand({4})});
      s.error({s.rand({2, 3}), s.rand({4, 5})}, "the input has 3 features, the weight 5");
      s.error({s.rand({2, 3}), s.rand({4, 3}), s.rand({3})}, "3 and 4 differ");
    },
};

static Op* const all[] = {&mm_op, &bmm_op, &mv_op, &dot_op, &vdot_op, &matmul_op, &linalg_matmul_op, &addmm_op, &baddbmm_op, &addmv_op, &linear_op};
const OpList matmul_ops = all;

}  // namespace gradus
