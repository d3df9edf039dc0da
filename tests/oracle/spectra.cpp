// What follows from singular values and eigenvalues, and functions of matrices.
#include "oracle/matrix.h"

namespace gradus::oracle {
namespace {

Array zero(Index batch, size_t n) {
  batch.push_back(static_cast<int64_t>(n));
  return Array(batch);
}

// ---- values
Result svdvals(const Arguments& a) {
  const Array x = a.array(0);
  std::vector<std::vector<double>> s;
  for (const Matrix& m : matrices(x)) s.push_back(singular_values(m).s);
  return {stacked(batch_of(x), smaller(x), s)};
}
Result eigvalsh(const Arguments& a) {
  const Array x = a.array(0);
  std::vector<std::vector<double>> w;
  for (const Matrix& m : matrices(x)) w.push_back(symmetric(m, a.text(1) == "U").w);
  return {stacked(batch_of(x), rows_of(x), w)};
}

// ---- tolerances of one matrix
struct Cut {
  Array atol, rtol;
  bool has_atol, has_rtol;
  Cut(const Arguments& a, int at)
      : atol(a.has(at) ? a.operand(at) : number(0)), rtol(a.has(at + 1) ? a.operand(at + 1) : number(0)), has_atol(a.has(at)), has_rtol(a.has(at + 1)) {}
  double of(size_t b, const Matrix& m, double largest, double eps) const {
    const double absolute = atol.values[atol.values.size() > 1 ? b : 0];
    double relative = rtol.values[rtol.values.size() > 1 ? b : 0];
    if (!has_rtol) relative = absolute > 0 ? 0 : eps * static_cast<double>(std::max(m.rows, m.cols));
    return std::max(absolute, relative * largest);
  }
};
double epsilon_of(const Arguments& a) { return a.element_type(0) == Dtype::f32 ? 0x1p-23 : 0x1p-52; }

Result rank(const Arguments& a) {
  const Array x = a.array(0);
  const Cut cut(a, 1);
  std::vector<double> out;
  for (const Matrix& m : matrices(x)) {
    const std::vector<double> s = singular_values(m).s;  // of a symmetric matrix the eigenvalues' sizes
    const double limit = cut.of(out.size(), m, s.empty() ? 0 : s[0], epsilon_of(a));
    out.push_back(static_cast<double>(std::count_if(s.begin(), s.end(), [&](double v) { return v > limit; })));
  }
  return {stacked(batch_of(x), out)};
}
Array inverses(const Array& x, const std::function<double(size_t, const Matrix&, double)>& limit) {
  std::vector<Matrix> out;
  for (const Matrix& m : matrices(x)) {
    const std::vector<double> s = singular_values(m).s;
    out.push_back(pseudo_inverse(m, limit(out.size(), m, s.empty() ? 0 : s[0])));
  }
  return stacked(batch_of(x), cols_of(x), rows_of(x), out);
}
Result pinv(const Arguments& a) {
  const Cut cut(a, 1);
  return {inverses(a.array(0), [&](size_t b, const Matrix& m, double largest) { return cut.of(b, m, largest, epsilon_of(a)); })};
}
Result pinverse(const Arguments& a) {
  return {inverses(a.array(0), [&](size_t, const Matrix&, double largest) { return a.number(1) * largest; })};
}

// ---- norms
double norm_of(const Matrix& m, double order) {
  if (std::abs(order) == 2) {
    const std::vector<double> s = singular_values(m).s;
    return order > 0 ? s.front() : s.back();
  }
  const Matrix t = std::isinf(order) ? m : transposed(m);
  double best = order > 0 ? 0 : HUGE_VAL;
  for (size_t i = 0; i < t.rows; ++i) {
    double sum = 0;
    for (size_t j = 0; j < t.cols; ++j) sum += std::abs(t(i, j));
    best = order > 0 ? std::max(best, sum) : std::min(best, sum);
  }
  return best;
}
double norm_called(const Matrix& m, const std::string& order) {
  double sum = 0;
  if (order == "nuc")
    for (double s : singular_values(m).s) sum += s;
  for (double e : m.v) sum += order == "fro" ? e * e : 0;
  return order == "fro" ? std::sqrt(sum) : sum;
}
Array norms(const Array& x, const Index& dims, bool keepdim, const std::function<double(const Matrix&)>& f) {
  const size_t r = wrap(dims[0], x.ndim()), c = wrap(dims[1], x.ndim());
  Index order, kept;
  for (size_t d = 0; d < x.ndim(); ++d) {
    if (d != r && d != c) order.push_back(static_cast<int64_t>(d));
    if (keepdim || (d != r && d != c)) kept.push_back(d == r || d == c ? 1 : x.sizes[d]);
  }
  order.push_back(static_cast<int64_t>(r));
  order.push_back(static_cast<int64_t>(c));
  std::vector<double> out;
  for (const Matrix& m : matrices(permuted(x, order))) out.push_back(f(m));
  return stacked(kept, out);
}
Result matrix_norm(const Arguments& a) {
  return {norms(a.array(0), a.integers(2), a.flag(3), [&](const Matrix& m) { return norm_of(m, a.number(1)); })};
}
Result named_norm(const Arguments& a) {
  const Index dims = a.has(2) ? a.integers(2) : Index{-2, -1};
  return {norms(a.array(0), dims, a.flag(3), [&](const Matrix& m) { return norm_called(m, a.text(1)); })};
}
Result any_norm(const Arguments& a) {
  const Array x = a.array(0);
  const Index dims = a.has(2) ? a.integers(2) : x.ndim() == 2 ? Index{0, 1} : Index{};
  if (a.has(1) && dims.size() == 2) return {norms(x, dims, a.flag(3), [&](const Matrix& m) { return norm_of(m, a.number(1)); })};
  const double p = a.has(1) ? a.number(1) : 2;                // the samples' vectors are whole tensors
  double sum = 0;
  for (double v : x.values) sum += std::pow(std::abs(v), p);
  return {number(std::pow(sum, 1 / p))};
}
Result condition(const Arguments& a) {
  const Array x = a.array(0);
  std::vector<double> out;
  for (const Matrix& m : matrices(x)) {
    const double p = !a.has(1) ? 2 : a.is_number(1) ? a.number(1) : 0;
    if (std::abs(p) == 2) {
      const std::vector<double> s = singular_values(m).s;
      out.push_back(p > 0 ? s.front() / s.back() : s.back() / s.front());
    } else if (eliminate(m).info) {
      out.push_back(HUGE_VAL);
    } else {
      const Matrix inverse = solve(m, Matrix::identity(m.rows));
      out.push_back(p != 0 ? norm_of(m, p) * norm_of(inverse, p) : norm_called(m, a.text(1)) * norm_called(inverse, a.text(1)));
    }
  }
  return {stacked(batch_of(x), out)};
}

// ---- least squares: the smallest solution, by the pseudo-inverse
Result problem(const Array& A, const Array& B, double rcond, const std::string& driver, double eps) {
  const Index batch = broadcast(batch_of(A), batch_of(B));
  const size_t m = rows_of(A), n = cols_of(A), k = cols_of(B);
  std::vector<Matrix> X;
  std::vector<std::vector<double>> residuals, values;
  std::vector<double> ranks;
  const std::vector<Matrix> as = matrices(A, batch), bs = matrices(B, batch);
  for (size_t i = 0; i < as.size(); ++i) {
    const std::vector<double> s = singular_values(as[i]).s;
    const double limit = (rcond < 0 ? eps * static_cast<double>(std::max(m, n)) : rcond) * s[0];
    X.push_back(product(pseudo_inverse(as[i], limit), bs[i]));
    const Matrix y = product(as[i], X.back());
    residuals.emplace_back(k, 0.0);
    for (size_t r = 0; r < m && m > n; ++r)
      for (size_t c = 0; c < k; ++c) residuals.back()[c] += (y(r, c) - bs[i](r, c)) * (y(r, c) - bs[i](r, c));
    ranks.push_back(driver == "gels" ? 0 : static_cast<double>(std::count_if(s.begin(), s.end(), [&](double v) { return v > limit; })));
    values.push_back(s);
  }
  const bool has_values = driver == "gelsd" || driver == "gelss";
  return {stacked(batch, n, k, X), stacked(batch, k, residuals), stacked(batch, ranks), has_values ? stacked(batch, smaller(A), values) : zero(batch, smaller(A))};
}
std::string driver_of(const Arguments& a) { return a.has(3) ? a.text(3) : "gelsy"; }
Result lstsq_data(const Arguments& a) { return problem(a.array(0), a.array(1), a.has(2) ? a.number(2) : -1, driver_of(a), epsilon_of(a)); }
Result lstsq(const Arguments& a) {
  const Array A = a.array(0);
  Array B = a.array(1);
  const bool vector = B.ndim() == 1 || (A.ndim() == B.ndim() + 1 && B.sizes == Index(A.sizes.begin(), A.sizes.end() - 1));
  if (vector) B.sizes.push_back(1);
  const std::string driver = driver_of(a);
  Result r = problem(A, B, a.has(2) ? a.number(2) : -1, driver, epsilon_of(a));
  bool full = rows_of(A) > cols_of(A) && driver != "gelsy";
  for (double rank : r[2].values) full = full && (driver == "gels" || rank == static_cast<double>(cols_of(A)));
  if (vector) { r[0].sizes.pop_back(); r[1].sizes.pop_back(); }
  if (!full) r[1] = none();
  if (driver == "gels") r[2] = none();
  if (driver == "gels" || driver == "gelsy") r[3] = none();
  return r;
}

// ---- functions of matrices
Result power(const Arguments& a) {
  const Array x = a.array(0);
  std::vector<Matrix> out;
  for (const Matrix& m : matrices(x)) {
    const Matrix base = a.integer(1) < 0 ? solve(m, Matrix::identity(m.rows)) : m;
    out.push_back(Matrix::identity(m.rows));
    for (int64_t k = std::abs(a.integer(1)); k > 0; --k) out.back() = product(out.back(), base);
  }
  return {stacked(batch_of(x), rows_of(x), rows_of(x), out)};
}
Result exponentials(const Arguments& a) {
  const Array x = a.array(0);
  std::vector<Matrix> out;
  for (const Matrix& m : matrices(x)) out.push_back(exponential(m));
  return {stacked(batch_of(x), rows_of(x), rows_of(x), out)};
}
Result tensorinv(const Arguments& a) {
  const Array x = a.array(0);
  Index first(x.sizes.begin(), x.sizes.begin() + a.integer(1)), sizes(x.sizes.begin() + a.integer(1), x.sizes.end());
  const Matrix m = matrices(reshaped(x, {Array::count(first), -1}))[0];
  sizes.insert(sizes.end(), first.begin(), first.end());
  return {reshaped(stacked({}, m.rows, m.cols, {solve(m, Matrix::identity(m.rows))}), sizes)};
}
Result tensorsolve(const Arguments& a) {
  Array x = a.array(0);
  const Array b = a.array(1);
  if (a.has(2)) {                                             // one dim in the samples, moved last
    Index order;
    for (size_t d = 0; d < x.ndim(); ++d)
      if (d != wrap(a.integers(2)[0], x.ndim())) order.push_back(static_cast<int64_t>(d));
    order.push_back(a.integers(2)[0]);
    x = permuted(x, order);
  }
  const Index sizes(x.sizes.begin() + static_cast<int64_t>(b.ndim()), x.sizes.end());
  const Matrix s = solve(matrices(reshaped(x, {Array::count(b.sizes), -1}))[0], matrices(reshaped(b, {-1, 1}))[0]);
  return {reshaped(stacked({}, s.rows, 1, {s}), sizes)};
}

}  // namespace

Oracles spectra() {
  return {
      {"linalg_svdvals", svdvals}, {"linalg_eigvalsh", eigvalsh}, {"linalg_matrix_rank", rank}, {"linalg_pinv", pinv}, {"_linalg_pinv", pinv},
      {"pinverse", pinverse}, {"linalg_matrix_norm", matrix_norm}, {"linalg_matrix_norm_named", named_norm}, {"linalg_norm", any_norm},
      {"linalg_norm_named", named_norm}, {"linalg_cond", condition}, {"linalg_cond_named", condition}, {"_linalg_lstsq", lstsq_data}, {"linalg_lstsq", lstsq},
      {"linalg_matrix_power", power}, {"linalg_matrix_exp", exponentials}, {"linalg_tensorinv", tensorinv}, {"linalg_tensorsolve", tensorsolve},
  };
}

}  // namespace gradus::oracle
