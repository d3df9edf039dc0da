// Products that are compositions of others.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Sizes others(int64_t ndim, const Sizes& dims) {
  Sizes out;
  for (int64_t d = 0; d < ndim; ++d)
    if (std::find(dims.begin(), dims.end(), d) == dims.end()) out.push_back(d);
  return out;
}
Sizes wrapped(SizesRef dims, int64_t ndim) {
  Sizes out;
  for (int64_t d : dims) {
    const int64_t w = wrap_dim(d, ndim, "tensordot");
    GRADUS_CHECK(std::find(out.begin(), out.end(), w) == out.end(), value, "tensordot: dim {} appears twice in {}", d, text(dims));
    out.push_back(w);
  }
  return out;
}

void tensordot(const Args& a, Tensors& out) {
  Tensor x = a.tensor(0), y = a.tensor(1);
  GRADUS_CHECK(a.integers(2).size() == a.integers(3).size(), shape, "tensordot: {} dims against {}", a.integers(2).size(), a.integers(3).size());
  const Sizes dx = wrapped(a.integers(2), x.ndim()), dy = wrapped(a.integers(3), y.ndim());
  int64_t inner = 1, rows = 1, cols = 1;
  for (size_t i = 0; i < dx.size(); ++i) {                    // size 1 against more: the larger is summed
    const int64_t nx = x.size(dx[i]), ny = y.size(dy[i]);
    GRADUS_CHECK(nx == ny || nx == 1 || ny == 1, shape, "tensordot: dims {} and {} differ in size: {} against {}", dx[i], dy[i], nx, ny);
    if (nx != ny && ny == 1) x = sum(x, SizesRef(&dx[i], 1), true, x.dtype());
    if (nx != ny && nx == 1) y = sum(y, SizesRef(&dy[i], 1), true, y.dtype());
    inner *= x.size(dx[i]);
  }
  const Sizes fx = others(x.ndim(), dx), fy = others(y.ndim(), dy);
  Sizes px = fx, py = dy, sizes;
  for (int64_t d : fx) { sizes.push_back(x.size(d)); rows *= x.size(d); }
  for (int64_t d : fy) { sizes.push_back(y.size(d)); cols *= y.size(d); py.push_back(d); }
  for (int64_t d : dx) px.push_back(d);
  out.push_back(reshape(mm(reshape(permute(x, px), Sizes{rows, inner}), reshape(permute(y, py), Sizes{inner, cols})), sizes));
}

void outer(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &y = a.tensor(1);
  GRADUS_CHECK(x.ndim() == 1 && y.ndim() == 1, shape, "{}: both tensors must be vectors: {} against {}", name(a.op()), text(x.sizes()), text(y.sizes()));
  out.push_back(mul(reshape(x, Sizes{x.size(0), 1}), y));
}

void kron(const Args& a, Tensors& out) {                      // [a0, 1, a1, 1 …] * [1, b0, 1, b1 …], pairs of dimensions as one
  const Tensor &x = a.tensor(0), &y = a.tensor(1);
  const int64_t n = std::max(x.ndim(), y.ndim());
  Sizes sx, sy, sizes;
  for (int64_t d = 0; d < n; ++d) {
    const int64_t dx = d - (n - x.ndim()), dy = d - (n - y.ndim());
    const int64_t nx = dx < 0 ? 1 : x.size(dx), ny = dy < 0 ? 1 : y.size(dy);
    sx.push_back(nx);
    sx.push_back(1);
    sy.push_back(1);
    sy.push_back(ny);
    sizes.push_back(multiply(nx, ny));
  }
  out.push_back(reshape(mul(reshape(x, sx), reshape(y, sy)), sizes));
}

void inner(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &y = a.tensor(1);
  if (x.ndim() == 0 || y.ndim() == 0) return out.push_back(mul(x, y));
  GRADUS_CHECK(x.size(-1) == y.size(-1), shape, "inner: last sizes differ: {} against {}", text(x.sizes()), text(y.sizes()));
  const int64_t dx = x.ndim() - 1, dy = y.ndim() - 1;
  out.push_back(tensordot(x, y, {&dx, 1}, {&dy, 1}));
}

// The cheapest order of the products of a chain: split[i][j] is where the product of i … j is cut.
std::vector<std::vector<size_t>> cheapest_splits(const std::vector<int64_t>& sizes) {
  const size_t n = sizes.size() - 1;
  std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
  std::vector<std::vector<size_t>> split(n, std::vector<size_t>(n, 0));
  for (size_t length = 1; length < n; ++length)
    for (size_t i = 0; i + length < n; ++i) {
      const size_t j = i + length;
      cost[i][j] = HUGE_VAL;
      for (size_t k = i; k < j; ++k) {
        const double c = cost[i][k] + cost[k + 1][j] + static_cast<double>(sizes[i]) * static_cast<double>(sizes[k + 1]) * static_cast<double>(sizes[j + 1]);
        if (c < cost[i][j]) { cost[i][j] = c; split[i][j] = k; }
      }
    }
  return split;
}

// Multiplies along the splits with a stack of its own: a chain may be long.
Tensor multiply_chain(const std::vector<Tensor>& chain, const std::vector<std::vector<size_t>>& split) {
  struct Piece { size_t i, j; bool ready; };
  std::vector<Piece> todo{{0, chain.size() - 1, false}};
  std::vector<Tensor> done;
  while (!todo.empty()) {
    const Piece p = todo.back();
    todo.pop_back();
    if (p.i == p.j) { done.push_back(chain[p.i]); continue; }
    if (p.ready) {
      const Tensor right = done.back();
      done.pop_back();
      done.back() = mm(done.back(), right);
      continue;
    }
    const size_t k = split[p.i][p.j];
    todo.push_back({p.i, p.j, true});
    todo.push_back({k + 1, p.j, false});
    todo.push_back({p.i, k, false});
  }
  return done[0];
}

void multi_dot(const Args& a, Tensors& out) {
  const auto given = a.tensors(0);
  GRADUS_CHECK(given.size() >= 2, value, "{}: {} tensors, at least 2 are wanted", name(a.op()), given.size());
  std::vector<Tensor> chain(given.begin(), given.end());
  const bool row = chain.front().ndim() == 1, column = chain.back().ndim() == 1;
  if (row) chain.front() = reshape(chain.front(), Sizes{1, chain.front().numel()});
  if (column) chain.back() = reshape(chain.back(), Sizes{chain.back().numel(), 1});
  std::vector<int64_t> sizes{chain[0].ndim() == 2 ? chain[0].size(0) : 0};
  for (size_t i = 0; i < chain.size(); ++i) {
    GRADUS_CHECK(chain[i].ndim() == 2, shape, "{}: tensor {} must be a matrix, not of shape {}", name(a.op()), i, text(given[i].sizes()));
    GRADUS_CHECK(i == 0 || chain[i].size(0) == sizes.back(), shape, "{}: inner sizes differ: {} against {}", name(a.op()), text(chain[i - 1].sizes()),
                 text(chain[i].sizes()));
    sizes.push_back(chain[i].size(1));
  }
  const Tensor t = multiply_chain(chain, cheapest_splits(sizes));
  Sizes result;
  if (!row) result.push_back(t.size(0));
  if (!column) result.push_back(t.size(1));
  out.push_back(row || column ? reshape(t, result) : t);
}

Number factor(const Args& a, int position) {                  // of integers, without its fraction
  const Number n = a.number(position);
  if (!n.is_real() || !is_integral(a.tensor(0).dtype())) return n;
  return a.tensor(0).dtype() == Dtype::boolean ? Number(n.f != 0) : Number(n.i);
}
void addr(const Args& a, Tensors& out) {
  const Tensor &self = a.tensor(0), &x = a.tensor(1), &y = a.tensor(2);
  const Number beta = factor(a, 3), alpha = factor(a, 4);
  GRADUS_CHECK(x.ndim() == 1 && y.ndim() == 1, shape, "addr: '{}' and '{}' must be vectors: {} against {}", "vec1", "vec2", text(x.sizes()), text(y.sizes()));
  const Sizes sizes{x.size(0), y.size(0)};
  GRADUS_CHECK(same(broadcast_sizes(self.sizes(), sizes, "addr"), sizes), shape, "addr: shape {} does not broadcast to {}", text(self.sizes()), text(sizes));
  const bool logical = self.dtype() == Dtype::boolean;        // products of booleans are "and", whatever the factors' kind
  Tensor product = outer(x, y);
  GRADUS_CHECK(is_complex(product.dtype()) || is_complex(self.dtype()) || !(alpha.is_complex() || beta.is_complex()), dtype,
               "addr: a complex factor for tensors of {}", name(product.dtype()));
  if (!(alpha == Number(1))) product = call(mul_op, {Value(product), logical ? Value(alpha.f != 0) : Value(alpha)});
  if (is_zero(beta)) return out.push_back(product);
  out.push_back(add(beta == Number(1) || logical ? Value(self) : Value(call(mul_op, {Value(self), Value(beta)})), product));
}

// One product with the weight as a matrix, then one sum of products per row.
void bilinear(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &y = a.tensor(1), &w = a.tensor(2), &bias = a.optional_tensor(3);
  GRADUS_CHECK(w.ndim() == 3 && x.ndim() > 0 && x.ndim() == y.ndim() && same(x.sizes().first(x.sizes().size() - 1), y.sizes().first(y.sizes().size() - 1)), shape,
               "bilinear: inputs of shapes {} and {} with a weight of shape {}", text(x.sizes()), text(y.sizes()), text(w.sizes()));
  GRADUS_CHECK(x.size(-1) == w.size(1) && y.size(-1) == w.size(2), shape, "bilinear: {} and {} features for a weight of shape {}", x.size(-1), y.size(-1), text(w.sizes()));
  GRADUS_CHECK(!bias || same(bias.sizes(), w.sizes().first(1)), shape, "bilinear: a bias of shape {} for {} outputs", text(bias.sizes()), w.size(0));
  if (x.dtype() == Dtype::f16 || x.dtype() == Dtype::bf16) {  // rounded once
    Tensor wide[4];
    for (int i = 0; i < 4; ++i)
      if (const Tensor& t = a.optional_tensor(i)) wide[i] = to(t, Dtype::f32);
    return out.push_back(to(call(bilinear_op, {wide[0], wide[1], wide[2], wide[3]}), x.dtype()));
  }
  const int64_t outputs = w.size(0), last = -1;
  Sizes halfway(x.sizes().first(x.sizes().size() - 1));
  halfway.push_back(outputs);
  halfway.push_back(w.size(2));
  const Tensor matrix = reshape(permute(w, Sizes{1, 0, 2}), Sizes{w.size(1), multiply(outputs, w.size(2))});
  const Tensor sums = sum(mul(reshape(matmul(x, matrix), halfway), unsqueeze(y, -2)), SizesRef(&last, 1));
  out.push_back(bias ? add(sums, bias) : sums);
}

// The sum of the products is one product of the operands laid side by side.
void addbmm(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(1), &y = a.tensor(2);
  GRADUS_CHECK(x.ndim() == 3 && y.ndim() == 3, shape, "addbmm: both batches must have 3 dimensions: {} against {}", text(x.sizes()), text(y.sizes()));
  GRADUS_CHECK(x.size(0) == y.size(0), shape, "addbmm: batch sizes differ: {} against {}", text(x.sizes()), text(y.sizes()));
  GRADUS_CHECK(x.size(2) == y.size(1), shape, "addbmm: inner sizes differ: {} against {}", text(x.sizes()), text(y.sizes()));
  const int64_t inner = multiply(x.size(0), x.size(2));
  const Tensor left = reshape(permute(x, Sizes{1, 0, 2}), Sizes{x.size(1), inner}), right = reshape(y, Sizes{inner, y.size(2)});
  out.push_back(call(addmm_op, {a[0], left, right, a[3], a[4]}));
}

}  // namespace

Op outer_op{
    .schema = "outer(Tensor self, Tensor vec2) -> Tensor",
    .doc = "All products of an element of one vector with one of the other.",
    .complex = true,
    .compose = outer,
    .samples = [](Samples& s) {
      s.add({s.rand({2}), s.rand({3})});
      s.add({s.rand({0}), s.rand({3})});
      s.error({s.rand({2, 1}), s.rand({3})}, "must be vectors");
    },
};
Op ger_op{
    .schema = "ger(Tensor self, Tensor vec2) -> Tensor",
    .doc = "Another name of outer.",
    .complex = true,
    .compose = outer,
    .samples = [](Samples& s) { s.add({s.rand({2}), s.rand({3})}); s.error({s.rand({2, 1}), s.rand({3})}, "must be vectors"); },
};
Op inner_op{
    .schema = "inner(Tensor self, Tensor other) -> Tensor",
    .doc = "The sums of products over the last dimension of both.",
    .complex = true,
    .compose = inner,
    .samples = [](Samples& s) {
      s.add({s.rand({3}), s.rand({3})});
      s.add({s.rand({2, 3}), s.rand({2, 2, 3})});
      s.add({s.rand({}), s.rand({2, 3})});
      s.error({s.rand({2, 3}), s.rand({4})}, "last sizes differ");
    },
};
Op tensordot_op{
    .schema = "tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor",
    .doc = "The sums of products over pairs of dimensions; the others remain, those of self first.",
    .complex = true,
    .compose = tensordot,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4}), s.rand({4, 3, 2}), s.list({1, -1}), s.list({1, 0})});
      s.add({s.rand({2, 3}), s.rand({2}), s.list({}), s.list({})});
      s.add({s.rand({2, 1}), s.rand({3, 2}), s.list({1}), s.list({0})});       // a contracted size 1
      s.error({s.rand({2, 3}), s.rand({2, 4}), s.list({1}), s.list({1})}, "differ in size: 3 against 4");
      s.error({s.rand({2, 3}), s.rand({2, 4}), s.list({1, 0}), s.list({1})}, "2 dims against 1");
    },
};
Op kron_op{
    .schema = "kron(Tensor self, Tensor other) -> Tensor",
    .doc = "The Kronecker product: other in place of each element of self, times that element.",
    .complex = true,
    .compose = kron,
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), s.rand({3, 2})}); s.add({s.rand({2}), s.rand({2, 2})}); s.add({s.rand({}), s.rand({2})}); },
};
Op addr_op{
    .schema = "addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .doc = "beta * self + alpha * outer(vec1, vec2); with beta 0 self is not read.",
    .complex = true,
    .complex_numbers = true,
    .compose = addr,
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2}), s.rand({3}), Value(0.5), Value(-2.0)});
      s.add({s.rand({3}), s.rand({2}), s.rand({3})});
      s.error({s.rand({3}), s.rand({2}), s.rand({4})}, "3 and 4 differ");
    },
};
Op addbmm_op{
    .schema = "addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1) -> Tensor",
    .doc = "beta * self + alpha * the sum of the products of two stacks of matrices; with beta 0 self is not read.",
    .complex = true,
    .complex_numbers = true,
    .compose = addbmm,
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 4}), s.rand({3, 2, 3}), s.rand({3, 3, 4}), Value(0.5), Value(-2.0)});
      s.add({s.rand({4}), s.rand({0, 2, 3}), s.rand({0, 3, 4})});
      s.error({s.rand({3}), s.rand({2, 2, 3}), s.rand({2, 4, 4})}, "inner sizes differ");
    },
};
Op linalg_multi_dot_op{
    .schema = "linalg_multi_dot(Tensor[] tensors) -> Tensor",
    .doc = "The product of a chain of matrices in the cheapest order; the first and the last may be vectors.",
    .serves = "linalg_multi_dot chain_matmul",
    .complex = true,
    .compose = multi_dot,
    .samples = [](Samples& s) {
      s.add({s.tensors({s.rand({2, 3}), s.rand({3, 4}), s.rand({4, 2})})});
      s.add({s.tensors({s.rand({3}), s.rand({3, 4}), s.rand({4, 2}), s.rand({2})})});
      s.error({s.tensors({s.rand({2, 3})})}, "at least 2");
      s.error({s.tensors({s.rand({2, 3}), s.rand({2, 3})})}, "inner sizes differ");
    },
};
Op linalg_vecdot_op{
    .schema = "linalg_vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor",
    .doc = "The sums of products over one dimension of two tensors that broadcast.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor product = mul(conj(a.tensor(0)), a.tensor(1));
      const int64_t dim = a.integer(2);
      out.push_back(sum(product, {&dim, 1}, false, product.dtype()));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 3})});
      s.add({s.rand({2, 3}), s.rand({2, 1}), Value(0)});
      s.error({s.rand({2, 3}), s.rand({2, 4})}, "3 and 4 differ");
    },
};

// Both cross products: of the three numbers along dim.
static Tensor cross(const Args& a, int64_t dim) {
  const Tensor &x = a.tensor(0), &y = a.tensor(1);
  GRADUS_CHECK(x.ndim() == y.ndim() && x.ndim() > 0, shape, "{}: shapes {} and {} differ in their number of dimensions", name(a.op()), text(x.sizes()), text(y.sizes()));
  const int64_t d = wrap_dim(dim, x.ndim(), name(a.op()));
  GRADUS_CHECK(x.size(d) == 3 && y.size(d) == 3, shape, "{}: dim {} of shapes {} and {} is not of size 3", name(a.op()), d, text(x.sizes()), text(y.sizes()));
  const auto turned = [&](const Tensor& t, int64_t by) { return call(roll_op, {t, by, d}); };
  return sub(mul(turned(x, -1), turned(y, -2)), mul(turned(x, -2), turned(y, -1)));
}
Op linalg_cross_op{
    .schema = "linalg_cross(Tensor self, Tensor other, *, int dim=-1) -> Tensor",
    .doc = "The cross product of the vectors of three numbers along dim.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(cross(a, a.integer(2))); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 3})});
      s.add({s.rand({3, 2}), s.rand({3, 1}), Value(0)});
      s.error({s.rand({2, 3}), s.rand({3})}, "number of dimensions");
      s.error({s.rand({2}), s.rand({2})}, "not of size 3");
    },
};
Op cross_op{
    .schema = "cross(Tensor self, Tensor other, int? dim=None) -> Tensor",
    .doc = "linalg_cross, along the first dimension of size 3 where none is given.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const SizesRef sizes = a.tensor(0).sizes();
      int64_t dim = 0;
      while (!a.has(2) && dim < a.tensor(0).ndim() && sizes[static_cast<size_t>(dim)] != 3) ++dim;
      GRADUS_CHECK(a.has(2) || dim < a.tensor(0).ndim(), shape, "cross: no dimension of shape {} has size 3", text(sizes));
      out.push_back(cross(a, a.has(2) ? a.integer(2) : dim));
    },
    .samples = [](Samples& s) { s.add({s.rand({2, 3, 3}), s.rand({2, 3, 3})}); s.error({s.rand({2}), s.rand({2})}, "no dimension"); },
};
Op linalg_vander_op{
    .schema = "linalg_vander(Tensor x, *, int? N=None) -> Tensor",
    .doc = "The powers 0 to N - 1 of each element, N the size of the last dimension unless given.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      Tensor x = a.tensor(0).dtype() == Dtype::boolean ? to(a.tensor(0), Dtype::i64) : a.tensor(0);
      if (x.ndim() == 0) x = reshape(x, Sizes{1});
      const int64_t n = a.has(1) ? a.integer(1) : x.size(-1);
      GRADUS_CHECK(n > 1, value, "linalg_vander: N = {} is less than 2", n);
      Sizes sizes(x.sizes());
      sizes.push_back(n - 1);
      const Tensor powers = call(cumprod_op, {expand(unsqueeze(x, -1), sizes), -1});
      sizes.back() = 1;
      out.push_back(cat(Tensors{ones(sizes, powers.dtype()), powers}, -1));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({3})});
      s.add({s.rand({2, 2}), Value(4)});
      s.add({s.rand({}), Value(3)});
      s.error({s.rand({3}), Value(1)}, "N = 1");
    },
};

Op bilinear_op{
    .schema = "bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor",
    .doc = "x1' weight[o] x2 + bias[o] for each output o, over the last dimension of the inputs.",
    .complex = true,
    .compose = bilinear,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 4}), s.rand({5, 3, 4}), s.rand({5})});
      s.add({s.rand({3}), s.rand({2}), s.rand({1, 3, 2})});
      s.add({s.rand({2, 0, 3}), s.rand({2, 0, 2}), s.rand({2, 3, 2})});
      s.error({s.rand({2, 3}), s.rand({2, 4}), s.rand({5, 4, 3})}, "3 and 4 features");
      s.error({s.rand({2, 3}), s.rand({3, 4}), s.rand({5, 3, 4})}, "inputs of shapes [2, 3] and [3, 4]");
    },
};

static Op* const all[] = {&bilinear_op, &outer_op, &ger_op, &inner_op, &tensordot_op, &kron_op, &addr_op, &addbmm_op, &linalg_multi_dot_op, &linalg_vecdot_op,
                          &linalg_cross_op, &cross_op, &linalg_vander_op};
const OpList product_ops = all;

}  // namespace gradus
