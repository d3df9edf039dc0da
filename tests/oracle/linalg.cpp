// Linear algebra by the methods of oracle/matrix.h. LAPACK's signs of reflections are those of the oracle; signs of singular vectors and
// eigenvectors are nobody's, and linalg_test.cpp looks at those.
#include "oracle/matrix.h"

namespace gradus::oracle {
namespace {

// ---- one matrix at a time
template <class F> std::vector<Matrix> each(const std::vector<Matrix>& m, const F& f) {
  std::vector<Matrix> out;
  for (const Matrix& x : m) out.push_back(f(x));
  return out;
}
template <class F> std::vector<double> numbers(const Array& x, const F& f) {
  std::vector<double> out;
  for (const Matrix& m : matrices(x)) out.push_back(f(m));
  return out;
}
Matrix inverse(const Matrix& m) { return solve(m, Matrix::identity(m.rows)); }
double determinant(const Matrix& m) {
  const Elimination e = eliminate(m);
  double d = 1;
  for (size_t i = 0; i < m.rows; ++i) d *= e.lu(i, i) * (e.pivots[i] == static_cast<double>(i + 1) ? 1 : -1);
  return d;
}

// ---- elimination
Result lu_parts(const Array& x) {
  std::vector<Matrix> lu;
  std::vector<std::vector<double>> pivots;
  std::vector<double> infos;
  for (const Matrix& m : matrices(x)) {
    const Elimination e = eliminate(m);
    lu.push_back(e.lu);
    pivots.push_back(e.pivots);
    infos.push_back(e.info);
  }
  return {stacked(batch_of(x), rows_of(x), cols_of(x), lu), stacked(batch_of(x), smaller(x), pivots), stacked(batch_of(x), infos)};
}
Result lu_factor_ex(const Arguments& a) { return lu_parts(a.array(0)); }
Result lu_factor(const Arguments& a) {
  const Result all = lu_parts(a.array(0));
  return {all[0], all[1]};
}
Array row_places(const Array& pivots, size_t n, bool inverse_wanted) {
  Index batch(pivots.sizes.begin(), pivots.sizes.end() - 1);
  const size_t k = cols_of(pivots);
  std::vector<std::vector<double>> out;
  for (size_t b = 0; b < static_cast<size_t>(Array::count(batch)); ++b) {
    const auto first = pivots.values.begin() + static_cast<int64_t>(b * k);
    const std::vector<double> rows = permutation({first, first + static_cast<int64_t>(k)}, n);
    std::vector<double> to = rows;
    for (size_t i = 0; i < n; ++i)
      if (inverse_wanted) to[static_cast<size_t>(rows[i])] = static_cast<double>(i);
    out.push_back(to);
  }
  return stacked(batch, n, out);
}
Result lu_permutation(const Arguments& a) { return {row_places(a.array(0), static_cast<size_t>(a.integer(1)), a.flag(2))}; }
Result unpacked(const Array& lu, const Array& pivots, bool data, bool with_p) {
  const size_t m = rows_of(lu), n = cols_of(lu), k = smaller(lu);
  const Array places = row_places(pivots, m, false);
  std::vector<Matrix> P, L, U;
  size_t b = 0;
  for (const Matrix& x : matrices(lu)) {
    P.emplace_back(m, m);
    L.emplace_back(m, k);
    U.emplace_back(k, n);
    for (size_t i = 0; i < m; ++i) P.back()(static_cast<size_t>(places.values[b * m + i]), i) = 1;
    for (size_t i = 0; i < m; ++i)
      for (size_t j = 0; j < k; ++j) L.back()(i, j) = i == j ? 1 : i > j ? x(i, j) : 0;
    for (size_t i = 0; i < k; ++i)
      for (size_t j = i; j < n; ++j) U.back()(i, j) = x(i, j);
    ++b;
  }
  return {with_p ? stacked(batch_of(lu), m, m, P) : none(), data ? stacked(batch_of(lu), m, k, L) : none(), data ? stacked(batch_of(lu), k, n, U) : none()};
}
Result lu_unpack(const Arguments& a) { return unpacked(a.array(0), a.array(1), a.flag(2), a.flag(3)); }
Result lu(const Arguments& a) {
  const Result f = lu_parts(a.array(0));
  return unpacked(f[0], f[1], true, true);
}
// a X = b, or X a = b, for stacks that broadcast.
Array solved(const Array& a, const Array& b, bool left, const std::function<Matrix(const Matrix&, const Matrix&)>& how) {
  const Index batch = broadcast(batch_of(a), batch_of(b));
  const std::vector<Matrix> A = matrices(a, batch), B = matrices(b, batch);
  std::vector<Matrix> X;
  for (size_t i = 0; i < A.size(); ++i) X.push_back(left ? how(A[i], B[i]) : transposed(how(transposed(A[i]), transposed(B[i]))));
  return stacked(batch, rows_of(b), cols_of(b), X);
}
Array from_factors(const Array& packed, const Array& pivots, const Array& b, bool left, bool adjoint) {
  const Result f = unpacked(packed, pivots, true, true);
  std::vector<Matrix> A;
  const auto P = matrices(f[0]), L = matrices(f[1]), U = matrices(f[2]);
  for (size_t i = 0; i < P.size(); ++i) A.push_back(product(P[i], product(L[i], U[i])));
  if (adjoint) A = each(A, transposed);
  return solved(stacked(batch_of(packed), rows_of(packed), rows_of(packed), A), b, left, solve);
}
Result lu_solve_new(const Arguments& a) { return {from_factors(a.array(0), a.array(1), a.array(2), a.flag(3), a.flag(4))}; }
Result lu_solve_old(const Arguments& a) { return {from_factors(a.array(1), a.array(2), a.array(0), true, false)}; }

Result det(const Arguments& a) { return {stacked(batch_of(a.array(0)), numbers(a.array(0), determinant))}; }
Result det_data(const Arguments& a) {
  const Result f = lu_parts(a.array(0));
  return {det(a)[0], f[0], f[1]};
}
Result slogdet(const Arguments& a) {
  const Array d = det(a)[0];
  Array sign = d, log = d;
  for (size_t i = 0; i < d.values.size(); ++i) {
    sign.values[i] = d.values[i] > 0 ? 1 : d.values[i] < 0 ? -1 : 0;
    log.values[i] = std::log(std::abs(d.values[i]));
  }
  return {sign, log};
}
Result slogdet_data(const Arguments& a) {
  const Result f = lu_parts(a.array(0)), s = slogdet(a);
  return {s[0], s[1], f[0], f[1]};
}
Result logdet(const Arguments& a) {
  Array d = det(a)[0];
  for (double& v : d.values) v = std::log(v);
  return {d};
}
Result inv(const Arguments& a) {
  const Array x = a.array(0);
  return {stacked(batch_of(x), rows_of(x), rows_of(x), each(matrices(x), inverse))};
}
Result inv_ex(const Arguments& a) { return {inv(a)[0], lu_parts(a.array(0))[2]}; }

Array right_side(const Array& a, const Array& b, bool& vector) {
  vector = b.ndim() == 1 || (a.ndim() == b.ndim() + 1 && b.sizes == Index(a.sizes.begin(), a.sizes.end() - 1));
  Array m = b;
  if (vector) m.sizes.push_back(1);
  return m;
}
Result solve_one(const Arguments& a) {
  bool vector = false;
  const Array b = right_side(a.array(0), a.array(1), vector);
  Array x = solved(a.array(0), b, a.flag(2), solve);
  if (vector) x.sizes.pop_back();
  return {x};
}
Result solve_ex(const Arguments& a) { return {solve_one(a)[0], lu_parts(a.array(0))[2]}; }
Result solve_data(const Arguments& a) {
  const Result f = lu_parts(a.array(0));
  return {solve_one(a)[0], f[0], f[1], f[2]};
}
Array triangular(const Array& A, const Array& B, bool upper, bool left, bool unit) {
  return solved(A, B, left, [&](const Matrix& a, const Matrix& b) { return solve_triangular(a, b, upper == left, unit); });
}
Result solve_triangular_new(const Arguments& a) { return {triangular(a.array(0), a.array(1), a.flag(2), a.flag(3), a.flag(4))}; }
Result triangular_old(const Arguments& a) {
  const Array A = a.array(1), X = triangular(a.flag(3) ? swapped(A, -1, -2) : A, a.array(0), a.flag(2) != a.flag(3), true, a.flag(4));
  Index sizes = batch_of(X);
  sizes.insert(sizes.end(), A.sizes.end() - 2, A.sizes.end());
  return {X, expanded(A, sizes)};
}

// ---- Cholesky
Result cholesky_of(const Array& x, bool upper) {
  const auto f = each(matrices(x), [&](const Matrix& m) { return upper ? transposed(cholesky(transposed(m))) : cholesky(m); });
  return {stacked(batch_of(x), rows_of(x), rows_of(x), f)};
}
Result cholesky_plain(const Arguments& a) { return cholesky_of(a.array(0), a.flag(1)); }
Result cholesky_ex(const Arguments& a) {
  const Array x = a.array(0);
  return {cholesky_of(x, a.flag(1))[0], Array(batch_of(x))};
}
Matrix from_triangle(Matrix f, bool upper) {
  for (size_t i = 0; i < f.rows; ++i)
    for (size_t j = 0; j < f.cols; ++j)
      if (upper ? i > j : i < j) f(i, j) = 0;
  return upper ? product(transposed(f), f) : product(f, transposed(f));
}
Result cholesky_solve(const Arguments& a) {
  return {solved(a.array(1), a.array(0), true, [&](const Matrix& f, const Matrix& b) { return solve(from_triangle(f, a.flag(2)), b); })};
}
Result cholesky_inverse(const Arguments& a) {
  const Array x = a.array(0);
  return {stacked(batch_of(x), rows_of(x), rows_of(x), each(matrices(x), [&](const Matrix& f) { return inverse(from_triangle(f, a.flag(1))); }))};
}

// ---- reflections
Result qr_of(const Array& x, bool complete, bool r_only) {
  const size_t m = rows_of(x), n = cols_of(x), k = complete ? m : smaller(x);
  std::vector<Matrix> Q, R;
  for (const Matrix& one : matrices(x)) {
    const Reflections f = reflect(one);
    const Matrix q = product_of(f);
    Q.emplace_back(m, k);
    R.emplace_back(k, n);
    for (size_t i = 0; i < m; ++i)
      for (size_t j = 0; j < k; ++j) Q.back()(i, j) = q(i, j);
    for (size_t i = 0; i < k; ++i)
      for (size_t j = i; j < n; ++j) R.back()(i, j) = f.a(i, j);
  }
  return {r_only ? none() : stacked(batch_of(x), m, k, Q), stacked(batch_of(x), k, n, R)};
}
Result qr_new(const Arguments& a) { return qr_of(a.array(0), a.text(1) == "complete", a.text(1) == "r"); }
Result qr_old(const Arguments& a) { return qr_of(a.array(0), !a.flag(1), false); }
Result geqrf(const Arguments& a) {
  const Array x = a.array(0);
  std::vector<Matrix> packed;
  std::vector<std::vector<double>> tau;
  for (const Matrix& m : matrices(x)) {
    const Reflections f = reflect(m);
    packed.push_back(f.a);
    tau.push_back(f.tau);
  }
  return {stacked(batch_of(x), rows_of(x), cols_of(x), packed), stacked(batch_of(x), smaller(x), tau)};
}
std::vector<Matrix> products(const Array& x, const Array& tau) {
  std::vector<Matrix> out;
  const size_t k = cols_of(tau);
  size_t b = 0;
  for (const Matrix& m : matrices(x)) {
    const auto first = tau.values.begin() + static_cast<int64_t>(k * b++);
    out.push_back(product_of({m, {first, first + static_cast<int64_t>(k)}}));
  }
  return out;
}
Result householder(const Arguments& a) {
  const Array x = a.array(0);
  return {stacked(batch_of(x), rows_of(x), cols_of(x), each(products(x, a.array(1)), [&](const Matrix& q) {
    Matrix part(rows_of(x), cols_of(x));
    for (size_t i = 0; i < part.rows; ++i)
      for (size_t j = 0; j < part.cols; ++j) part(i, j) = q(i, j);
    return part;
  }))};
}
Result ormqr(const Arguments& a) {
  const Array c = a.array(2);
  const std::vector<Matrix> Q = products(a.array(0), a.array(1)), C = matrices(c);
  std::vector<Matrix> out;
  for (size_t b = 0; b < C.size(); ++b) {
    const Matrix q = a.flag(4) ? transposed(Q[b]) : Q[b];
    out.push_back(a.flag(3) ? product(q, C[b]) : product(C[b], q));
  }
  return {stacked(batch_of(c), rows_of(c), cols_of(c), out)};
}

}  // namespace

Oracles linear_algebra() {
  return {
      {"_lu_permutation", lu_permutation}, {"linalg_lu_factor_ex", lu_factor_ex}, {"linalg_lu_factor", lu_factor}, {"_lu_with_info", lu_factor_ex},
      {"lu_unpack", lu_unpack}, {"linalg_lu", lu}, {"linalg_lu_solve", lu_solve_new}, {"lu_solve", lu_solve_old}, {"linalg_det", det}, {"det", det},
      {"_linalg_det", det_data}, {"linalg_slogdet", slogdet}, {"slogdet", slogdet}, {"_linalg_slogdet", slogdet_data}, {"logdet", logdet},
      {"linalg_inv", inv}, {"inverse", inv}, {"linalg_inv_ex", inv_ex}, {"linalg_solve", solve_one}, {"linalg_solve_ex", solve_ex},
      {"_linalg_solve_ex", solve_data}, {"linalg_solve_triangular", solve_triangular_new}, {"triangular_solve", triangular_old},
      {"linalg_cholesky", cholesky_plain}, {"cholesky", cholesky_plain}, {"linalg_cholesky_ex", cholesky_ex}, {"cholesky_solve", cholesky_solve},
      {"cholesky_inverse", cholesky_inverse}, {"linalg_qr", qr_new}, {"qr", qr_old}, {"geqrf", geqrf}, {"linalg_householder_product", householder},
      {"ormqr", ormqr},
  };
}

}  // namespace gradus::oracle
