#include "oracle/matrix.h"

#include <numeric>

namespace gradus::oracle {

Matrix transposed(const Matrix& a) {
  Matrix t(a.cols, a.rows);
  for (size_t i = 0; i < a.rows; ++i)
    for (size_t j = 0; j < a.cols; ++j) t(j, i) = a(i, j);
  return t;
}
Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.cols);
  for (size_t i = 0; i < a.rows; ++i)
    for (size_t j = 0; j < b.cols; ++j) {
      long double s = 0;
      for (size_t k = 0; k < a.cols; ++k) s += static_cast<long double>(a(i, k)) * b(k, j);
      c(i, j) = static_cast<double>(s);
    }
  return c;
}

// ---- elimination
Elimination eliminate(Matrix a) {
  Elimination e;
  for (size_t k = 0; k < std::min(a.rows, a.cols); ++k) {
    size_t p = k;
    for (size_t i = k + 1; i < a.rows; ++i)
      if (std::abs(a(i, k)) > std::abs(a(p, k))) p = i;
    e.pivots.push_back(static_cast<double>(p + 1));
    for (size_t j = 0; j < a.cols; ++j) std::swap(a(k, j), a(p, j));
    if (a(k, k) == 0) {
      if (!e.info) e.info = static_cast<int>(k + 1);
      continue;
    }
    for (size_t i = k + 1; i < a.rows; ++i) {
      a(i, k) /= a(k, k);
      for (size_t j = k + 1; j < a.cols; ++j) a(i, j) -= a(i, k) * a(k, j);
    }
  }
  e.lu = a;
  return e;
}
Matrix solve(const Matrix& a, const Matrix& b) {
  const Elimination e = eliminate(a);
  Matrix x = b;
  for (size_t k = 0; k < e.pivots.size(); ++k)
    for (size_t j = 0; j < x.cols; ++j) std::swap(x(k, j), x(static_cast<size_t>(e.pivots[k]) - 1, j));
  return solve_triangular(e.lu, solve_triangular(e.lu, x, false, true), true, false);
}
std::vector<double> permutation(const std::vector<double>& pivots, size_t n) {
  std::vector<double> rows(n);
  std::iota(rows.begin(), rows.end(), 0.0);
  for (size_t k = 0; k < pivots.size(); ++k) std::swap(rows[k], rows[static_cast<size_t>(pivots[k]) - 1]);
  return rows;
}
Matrix solve_triangular(const Matrix& a, Matrix b, bool upper, bool unit) {
  const size_t n = a.rows;
  for (size_t j = 0; j < b.cols; ++j)
    for (size_t step = 0; step < n; ++step) {
      const size_t i = upper ? n - 1 - step : step;
      long double s = b(i, j);
      for (size_t k = upper ? i + 1 : 0; k < (upper ? n : i); ++k) s -= static_cast<long double>(a(i, k)) * b(k, j);
      b(i, j) = static_cast<double>(unit ? s : s / a(i, i));
    }
  return b;
}

// ---- factors
Matrix cholesky(const Matrix& a) {
  Matrix l(a.rows, a.rows);
  for (size_t i = 0; i < a.rows; ++i)
    for (size_t j = 0; j <= i; ++j) {
      double s = a(i, j);
      for (size_t k = 0; k < j; ++k) s -= l(i, k) * l(j, k);
      l(i, j) = i == j ? std::sqrt(s) : s / l(j, j);
    }
  return l;
}
// H = I - tau v v^T takes the column to (-sign of its head) times its length.
Reflections reflect(Matrix a) {
  Reflections r;
  for (size_t k = 0; k < std::min(a.rows, a.cols); ++k) {
    double tail = 0;
    for (size_t i = k + 1; i < a.rows; ++i) tail += a(i, k) * a(i, k);
    double tau = 0;
    if (tail > 0) {
      const double head = a(k, k), beta = -std::copysign(std::sqrt(head * head + tail), head);
      tau = (beta - head) / beta;
      for (size_t i = k + 1; i < a.rows; ++i) a(i, k) /= head - beta;
      a(k, k) = beta;
      for (size_t j = k + 1; j < a.cols; ++j) {
        double s = a(k, j);
        for (size_t i = k + 1; i < a.rows; ++i) s += a(i, k) * a(i, j);
        a(k, j) -= tau * s;
        for (size_t i = k + 1; i < a.rows; ++i) a(i, j) -= tau * s * a(i, k);
      }
    }
    r.tau.push_back(tau);
  }
  r.a = a;
  return r;
}
Matrix product_of(const Reflections& r) {
  const size_t m = r.a.rows;
  Matrix q = Matrix::identity(m);
  for (size_t k = r.tau.size(); k-- > 0;) {
    Matrix h = Matrix::identity(m);
    const auto v = [&](size_t i) { return i < k ? 0 : i == k ? 1 : r.a(i, k); };
    for (size_t i = 0; i < m; ++i)
      for (size_t j = 0; j < m; ++j) h(i, j) -= r.tau[k] * v(i) * v(j);
    q = product(h, q);
  }
  return q;
}

// ---- rotations
Values singular_values(const Matrix& given) {
  if (given.rows < given.cols) {
    const Values t = singular_values(transposed(given));
    return {t.v, t.s, t.u};
  }
  Matrix a = given, v = Matrix::identity(a.cols);
  for (int sweep = 0; sweep < 60; ++sweep)
    for (size_t p = 0; p + 1 < a.cols; ++p)
      for (size_t q = p + 1; q < a.cols; ++q) {
        double pp = 0, qq = 0, pq = 0;
        for (size_t i = 0; i < a.rows; ++i) { pp += a(i, p) * a(i, p); qq += a(i, q) * a(i, q); pq += a(i, p) * a(i, q); }
        if (std::abs(pq) <= 1e-18 * std::sqrt(pp * qq) || pq == 0) continue;
        const double zeta = (qq - pp) / (2 * pq), t = std::copysign(1, zeta) / (std::abs(zeta) + std::hypot(1, zeta)), c = 1 / std::hypot(1, t), s = c * t;
        for (Matrix* m : {&a, &v})
          for (size_t i = 0; i < m->rows; ++i) {
            const double x = (*m)(i, p), y = (*m)(i, q);
            (*m)(i, p) = c * x - s * y;
            (*m)(i, q) = s * x + c * y;
          }
      }
  std::vector<double> length(a.cols);
  for (size_t j = 0; j < a.cols; ++j) {
    for (size_t i = 0; i < a.rows; ++i) length[j] = std::hypot(length[j], a(i, j));
  }
  std::vector<size_t> order(a.cols);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t x, size_t y) { return length[x] > length[y]; });
  Values out{Matrix(a.rows, a.cols), {}, Matrix(a.cols, a.cols)};
  for (size_t j = 0; j < order.size(); ++j) {
    out.s.push_back(length[order[j]]);
    for (size_t i = 0; i < a.rows; ++i) out.u(i, j) = out.s[j] > 0 ? a(i, order[j]) / out.s[j] : 0;
    for (size_t i = 0; i < a.cols; ++i) out.v(i, j) = v(i, order[j]);
  }
  return out;
}
Eigen symmetric(Matrix a, bool upper) {
  const size_t n = a.rows;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < i; ++j) (upper ? a(i, j) : a(j, i)) = upper ? a(j, i) : a(i, j);
  Matrix v = Matrix::identity(n);
  for (int sweep = 0; sweep < 60; ++sweep)
    for (size_t p = 0; p + 1 < n; ++p)
      for (size_t q = p + 1; q < n; ++q) {
        if (a(p, q) == 0) continue;
        const double theta = (a(q, q) - a(p, p)) / (2 * a(p, q)), t = std::copysign(1, theta) / (std::abs(theta) + std::hypot(1, theta));
        Matrix turn = Matrix::identity(n);
        turn(p, p) = turn(q, q) = 1 / std::hypot(1, t);
        turn(p, q) = t * turn(p, p);
        turn(q, p) = -turn(p, q);
        a = product(transposed(turn), product(a, turn));
        v = product(v, turn);
      }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t x, size_t y) { return a(x, x) < a(y, y); });
  Eigen e{{}, Matrix(n, n)};
  for (size_t j = 0; j < n; ++j) {
    e.w.push_back(a(order[j], order[j]));
    for (size_t i = 0; i < n; ++i) e.v(i, j) = v(i, order[j]);
  }
  return e;
}
Matrix pseudo_inverse(const Matrix& a, double tolerance) {
  const Values f = singular_values(a);
  Matrix p(a.cols, a.rows);
  for (size_t k = 0; k < f.s.size(); ++k) {
    if (!(f.s[k] > tolerance)) continue;
    for (size_t i = 0; i < a.cols; ++i)
      for (size_t j = 0; j < a.rows; ++j) p(i, j) += f.v(i, k) * f.u(j, k) / f.s[k];
  }
  return p;
}
Matrix exponential(const Matrix& a) {
  Matrix x = a;
  for (double& e : x.v) e /= 1024;
  Matrix sum = Matrix::identity(a.rows), term = sum;
  for (int k = 1; k < 30; ++k) {
    term = product(term, x);
    for (double& e : term.v) e /= k;
    for (size_t i = 0; i < sum.v.size(); ++i) sum.v[i] += term.v[i];
  }
  for (int k = 0; k < 10; ++k) sum = product(sum, sum);
  return sum;
}

// ---- stacks
Index batch_of(const Array& x) { return Index(x.sizes.begin(), x.sizes.end() - 2); }
Index broadcast(const Index& a, const Index& b) {
  Index out(std::max(a.size(), b.size()), 1);
  for (const Index* s : {&a, &b})
    for (size_t d = 0; d < s->size(); ++d)
      if ((*s)[d] != 1) out[out.size() - s->size() + d] = (*s)[d];
  return out;
}
std::vector<Matrix> matrices(const Array& x) { return matrices(x, batch_of(x)); }
std::vector<Matrix> matrices(const Array& x, const Index& batch) {
  Index sizes = batch;
  sizes.insert(sizes.end(), x.sizes.end() - 2, x.sizes.end());
  const Array all = expanded(x, sizes);
  const auto rows = static_cast<size_t>(sizes[sizes.size() - 2]), cols = static_cast<size_t>(sizes.back());
  std::vector<Matrix> out(static_cast<size_t>(Array::count(batch)), Matrix(rows, cols));
  for (size_t b = 0; b < out.size(); ++b)
    for (size_t i = 0; i < rows * cols; ++i) out[b].v[i] = all.values[b * rows * cols + i];
  return out;
}
Array stacked(const Index& batch, size_t rows, size_t cols, const std::vector<Matrix>& m) {
  Array out;
  out.sizes = batch;
  out.sizes.push_back(static_cast<int64_t>(rows));
  out.sizes.push_back(static_cast<int64_t>(cols));
  for (const Matrix& one : m) out.values.insert(out.values.end(), one.v.begin(), one.v.end());
  return out;
}
Array stacked(const Index& batch, size_t n, const std::vector<std::vector<double>>& v) {
  Array out;
  out.sizes = batch;
  out.sizes.push_back(static_cast<int64_t>(n));
  for (const auto& one : v) out.values.insert(out.values.end(), one.begin(), one.end());
  return out;
}
Array stacked(const Index& batch, const std::vector<double>& v) {
  Array out;
  out.sizes = batch;
  out.values = v;
  return out;
}

}  // namespace gradus::oracle
