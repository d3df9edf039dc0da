// A = P L U. The rule of the factors follows from L^-1 dA U^-1 = L^-1 dL + dU U^-1, whose parts are strictly lower
// and upper (the derivation is PyTorch's linalg_lu_backward, for square, wide and tall matrices).
#include <cmath>
#include <vector>

#include "ops/matrices.h"

namespace gradus {
namespace {

// ---- factors: (A, pivot, check_errors)
void factor_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_matrices(a, x);
  GRADUS_CHECK(a.flag(1), unsupported, "{}: without pivoting it is not there", name(a.op()));
  out.push_back(x.meta());
  out.push_back({Dtype::i32, pivot_sizes(x)});
  out.push_back({Dtype::i32, batch_of(x)});
}
void factor_kernel(const Args& a, const Tensors& out) {
  lu_into(a, out[0], out[1], out[2]);
  if (a.flag(2)) check_infos(a, out[2], "a pivot is 0");
}
Tensors factored(const Args& a, bool pivot) { return call_all(linalg_lu_factor_ex_op, {a[0], pivot, false}); }
void factor_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 2, 4})});
  s.add({s.regular({4, 2})});
  s.add({s.values({2, 2}, {0, 2, 3, 1})});
  s.add({s.rand({0, 3})});
  s.add({s.rand({0, 2, 2})});
  s.error({s.rand({3})}, "at least 2 dimensions");
  s.error({s.rand({2, 2}), Value(false)}, "without pivoting");
}

// ---- pivots: (pivots, n, inverse)
void permutation_shape(const Args& a, Metas& out) {
  const Tensor& p = a.tensor(0);
  GRADUS_CHECK(p.dtype() == Dtype::i32 && p.ndim() > 0, dtype, "{}: pivots of {}, shape {}: they must be int32, with a dimension", name(a.op()),
               name(p.dtype()), text(p.sizes()));
  GRADUS_CHECK(p.size(-1) <= a.integer(1), shape, "{}: {} pivots for {} rows", name(a.op()), p.size(-1), a.integer(1));
  Sizes sizes(p.sizes());
  sizes.back() = a.integer(1);
  out.push_back({Dtype::i64, sizes});
}
void permutation_kernel(const Args& a, const Tensors& out) {
  const Tensor pivots = repeated(a.tensor(0), a.tensor(0).sizes());
  const int64_t k = pivots.size(-1), n = a.integer(1), count = n > 0 ? out[0].numel() / n : 0;
  Sizes rows(static_cast<size_t>(n));
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t i = 0; i < n; ++i) rows[static_cast<size_t>(i)] = i;
    for (int64_t i = 0; i < k; ++i) {
      const int64_t with = pivots.data<int32_t>()[b * k + i] - 1;
      GRADUS_CHECK(with >= 0 && with < n, value, "{}: pivot {} is outside [1, {}]", name(a.op()), with + 1, n);
      std::swap(rows[static_cast<size_t>(i)], rows[static_cast<size_t>(with)]);
    }
    int64_t* to = out[0].data<int64_t>() + b * n;
    for (int64_t i = 0; i < n; ++i) {
      if (a.flag(2)) to[rows[static_cast<size_t>(i)]] = i;
      else to[i] = rows[static_cast<size_t>(i)];
    }
  }
}

// ---- P, L, U: (LU_data, LU_pivots, unpack_data, unpack_pivots)
Tensor unit_lower(const Tensor& lu) {
  const Tensor part = tril(narrow(lu, -1, 0, smaller_side(lu)), -1);
  return add(part, call(eye_op, {part.size(-2), part.size(-1), part.dtype()}));
}
Tensor upper_of(const Tensor& lu) { return triu(narrow(lu, -2, 0, smaller_side(lu))); }
Tensor permutation_matrix(const Tensor& lu, const Tensor& pivots) {
  const Tensor rows = call(lu_permutation_op, {pivots, lu.size(-2), false});
  return to(eq(wide(rows), tall(arange(0, lu.size(-2), 1, Dtype::i64))), lu.dtype());
}
void unpack(const Args& a, Tensors& out) {
  const Tensor &lu = a.tensor(0), &pivots = a.tensor(1);
  check_matrices(a, lu);
  GRADUS_CHECK(same(pivots.sizes(), pivot_sizes(lu)), shape, "{}: pivots of shape {} for factors of shape {}", name(a.op()), text(pivots.sizes()),
               text(lu.sizes()));
  const Tensor none = zeros(Sizes{0}, lu.dtype());
  out.push_back(a.flag(3) ? permutation_matrix(lu, pivots) : none);
  out.push_back(a.flag(2) ? unit_lower(lu) : none);
  out.push_back(a.flag(2) ? upper_of(lu) : none);
}

// ---- solving with factors
Tensor solved(const Args& a, const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint) {
  check_square(a, lu);
  check_matrices(a, b);
  GRADUS_CHECK(same(pivots.sizes(), lu.sizes().first(static_cast<size_t>(lu.ndim() - 1))), shape, "{}: pivots of shape {} for factors of shape {}",
               name(a.op()), text(pivots.sizes()), text(lu.sizes()));
  GRADUS_CHECK(b.size(left ? -2 : -1) == lu.size(-1), shape, "{}: factors of shape {} do not fit B of shape {}", name(a.op()), text(lu.sizes()), text(b.sizes()));
  if (!left) return mh(solved(a, lu, pivots, mh(b), true, !adjoint));
  if (!adjoint) return solve_triangular(lu, solve_triangular(lu, rows_permuted(b, pivots, false), false, true, true), true);
  return rows_permuted(solve_triangular(mh(lu), solve_triangular(mh(lu), b, false), true, true, true), pivots, true);
}
Value pivots(Samples& s, std::initializer_list<int64_t> sizes, std::initializer_list<double> v) { return s.values(sizes, v, Dtype::i32); }

}  // namespace

Tensor lu_gradient(const Tensor& lu, const Tensor& pivots, const Tensor& g) {
  const int64_t m = lu.size(-2), n = lu.size(-1), k = smaller_side(lu);
  const Tensor L = unit_lower(lu), U = upper_of(lu), gL = tril(narrow(g, -1, 0, k), -1), gU = triu(narrow(g, -2, 0, k));
  const Tensor square = narrow(narrow(lu, -1, 0, k), -2, 0, k);
  Tensor lower = matmul(mh(narrow(L, -2, 0, k)), narrow(gL, -2, 0, k)), upper = matmul(narrow(gU, -1, 0, k), mh(narrow(U, -1, 0, k)));
  if (n > k) lower = sub(lower, matmul(narrow(gU, -1, k, n - k), mh(narrow(U, -1, k, n - k))));
  if (m > k) upper = sub(upper, matmul(mh(narrow(L, -2, k, m - k)), narrow(gL, -2, k, m - k)));
  const Tensor middle = add(tril(lower, -1), triu(upper));
  const auto left = [&](const Tensor& t) { return solve_triangular(mh(square), t, true, true, true); };      // L^-H t
  const auto right = [&](const Tensor& t) { return solve_triangular(mh(square), t, false, false); };         // t U^-H
  Tensor all;
  if (m > k) all = right(cat(Tensors{left(middle), narrow(gL, -2, k, m - k)}, -2));
  else if (n > k) all = left(cat(Tensors{right(middle), narrow(gU, -1, k, n - k)}, -1));
  else all = right(left(middle));
  return rows_permuted(all, pivots, true);
}

Op lu_permutation_op{
    .schema = "_lu_permutation(Tensor pivots, int n, bool inverse) -> Tensor",
    .doc = "Which row of n comes to each place by the exchanges in pivots; with inverse the place that each row goes to.",
    .shape = permutation_shape,
    .kernel = permutation_kernel,
    .samples = [](Samples& s) {
      s.add({pivots(s, {2, 2}, {3, 2, 1, 3}), Value(3), Value(false)});
      s.add({pivots(s, {3}, {2, 3, 3}), Value(4), Value(true)});
      s.error({pivots(s, {2}, {3, 0}), Value(3), Value(false)}, "pivot 0 is outside [1, 3]");
      s.error({pivots(s, {2}, {1, 2}), Value(1), Value(false)}, "2 pivots for 1 rows");
      s.error({s.integers({2}, 1, 2), Value(2), Value(false)}, "must be int32");
    },
};
Op linalg_lu_factor_ex_op{
    .schema = "linalg_lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor pivots, Tensor info)",
    .doc = "The factors of A = P L U in one matrix: U, and below its diagonal L, whose diagonal is 1. Pivot i says which row was exchanged with row i, "
           "counted from 1; info is 0, or which pivot is 0.",
    .complex = true,
    .shape = factor_shape,
    .kernel = factor_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return lu_gradient(c.output(0), c.output(1), g); }},
    .save = output(0) | output(1),
    .samples = [](Samples& s) { factor_samples(s); s.error({s.values({2, 2}, {1, 2, 2, 4}), Value(true), Value(true)}, "a pivot is 0"); },
};
Op linalg_lu_factor_op{
    .schema = "linalg_lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)",
    .doc = "linalg_lu_factor_ex; an error where a pivot is 0.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensors all = factored(a, a.flag(1));
      check_infos(a, all[2], "a pivot is 0");
      out = {all[0], all[1]};
    },
    .samples = factor_samples,
};
Op lu_with_info_op{
    .schema = "_lu_with_info(Tensor self, bool pivot=True, bool check_errors=True) -> (Tensor LU, Tensor pivots, Tensor info)",
    .doc = "linalg_lu_factor_ex under its old name.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      out = factored(a, a.flag(1));
      if (a.flag(2)) check_infos(a, out[2], "a pivot is 0");
    },
    .samples = factor_samples,
};
Op lu_unpack_op{
    .schema = "lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True) -> (Tensor P, Tensor L, Tensor U)",
    .doc = "P, L and U of what linalg_lu_factor made; what is not asked for is empty.",
    .complex = true,
    .compose = unpack,
    .samples = [](Samples& s) {
      s.add({s.regular({3, 3}), pivots(s, {3}, {2, 3, 3})});
      s.add({s.regular({2, 2, 3}), pivots(s, {2, 2}, {1, 2, 2, 2}), Value(true), Value(false)});
      s.add({s.regular({3, 2}), pivots(s, {2}, {3, 2}), Value(false)});
      s.error({s.rand({3, 3}), pivots(s, {2}, {1, 2})}, "pivots of shape [2] for factors of shape [3, 3]");
      s.error({s.rand({2, 2}), pivots(s, {2}, {1, 7})}, "pivot 7 is outside [1, 2]");
    },
};
Op linalg_lu_op{
    .schema = "linalg_lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)",
    .doc = "A = P L U with a permutation P, a lower L whose diagonal is 1, and an upper U.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensors f = factored(a, a.flag(1));
      out = call_all(lu_unpack_op, {f[0], f[1]});
    },
    .samples = factor_samples,
};
Op linalg_lu_solve_op{
    .schema = "linalg_lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
    .doc = "X of A X = B, or of X A = B with left=False, from the factors of A, of which adjoint takes A^H.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(solved(a, a.tensor(0), a.tensor(1), a.tensor(2), a.flag(3), a.flag(4))); },
    .samples = [](Samples& s) {
      s.add({s.regular({3, 3}), pivots(s, {3}, {2, 3, 3}), s.rand({3, 2})});
      s.add({s.regular({2, 2, 2}), pivots(s, {2, 2}, {1, 2, 2, 2}), s.rand({2, 1}), Value(true), Value(true)});
      s.add({s.regular({3, 3}), pivots(s, {3}, {3, 2, 3}), s.rand({2, 2, 3}), Value(false)});
      s.error({s.regular({2, 2}), pivots(s, {2}, {1, 2}), s.rand({3, 1})}, "do not fit B");
      s.error({s.regular({2, 2}), pivots(s, {1}, {1}), s.rand({2, 1})}, "pivots of shape [1]");
    },
};
Op lu_solve_op{
    .schema = "lu_solve(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor",
    .doc = "linalg_lu_solve of self.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(solved(a, a.tensor(1), a.tensor(2), a.tensor(0), true, false)); },
    .samples = [](Samples& s) { s.add({s.rand({3, 2}), s.regular({3, 3}), pivots(s, {3}, {2, 3, 3})}); },
};
static Op* const all[] = {&lu_permutation_op, &linalg_lu_factor_ex_op, &linalg_lu_factor_op, &lu_with_info_op, &lu_unpack_op, &linalg_lu_op, &linalg_lu_solve_op,
                          &lu_solve_op};
const OpList lu_ops = all;

}  // namespace gradus
