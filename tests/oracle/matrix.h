// Dense matrices by the oldest methods: elimination, Householder reflections, Jacobi rotations, in doubles.
#pragma once
#include "oracle/index.h"

namespace gradus::oracle {

struct Matrix {
  size_t rows = 0, cols = 0;
  std::vector<double> v;

  Matrix() = default;
  Matrix(size_t m, size_t n) : rows(m), cols(n), v(m * n, 0.0) {}
  double& operator()(size_t i, size_t j) { return v[i * cols + j]; }
  double operator()(size_t i, size_t j) const { return v[i * cols + j]; }
  static Matrix identity(size_t n) {
    Matrix m(n, n);
    for (size_t i = 0; i < n; ++i) m(i, i) = 1;
    return m;
  }
};
Matrix transposed(const Matrix& a);
Matrix product(const Matrix& a, const Matrix& b);

struct Elimination { Matrix lu; std::vector<double> pivots; int info = 0; };
Elimination eliminate(Matrix a);                              // LAPACK's form: packed factors, pivots from 1, the first zero pivot
Matrix solve(const Matrix& a, const Matrix& b);               // by elimination, row by row
std::vector<double> permutation(const std::vector<double>& pivots, size_t n);                // of rows
Matrix solve_triangular(const Matrix& a, Matrix b, bool upper, bool unit);

Matrix cholesky(const Matrix& a);                             // the lower factor
struct Reflections { Matrix a; std::vector<double> tau; };
Reflections reflect(Matrix a);                                // LAPACK's form of QR
Matrix product_of(const Reflections& r);                      // the square Q

struct Values { Matrix u; std::vector<double> s; Matrix v; };
Values singular_values(const Matrix& a);                      // by one-sided rotations, descending; u has as many columns as there are values
struct Eigen { std::vector<double> w; Matrix v; };
Eigen symmetric(Matrix a, bool upper);                        // by rotations, ascending
Matrix pseudo_inverse(const Matrix& a, double tolerance);
Matrix exponential(const Matrix& a);

// ---- stacks: an array's last two dimensions are matrices, those before are walked
using Result = std::vector<Array>;
inline size_t rows_of(const Array& x) { return static_cast<size_t>(x.sizes[x.ndim() - 2]); }
inline size_t cols_of(const Array& x) { return static_cast<size_t>(x.sizes.back()); }
inline size_t smaller(const Array& x) { return std::min(rows_of(x), cols_of(x)); }
inline Array none() { return Array(Index{0}); }
std::vector<Matrix> matrices(const Array& x);
std::vector<Matrix> matrices(const Array& x, const Index& batch);                            // broadcast
Index batch_of(const Array& x);
Index broadcast(const Index& a, const Index& b);
Array stacked(const Index& batch, size_t rows, size_t cols, const std::vector<Matrix>& m);
Array stacked(const Index& batch, size_t n, const std::vector<std::vector<double>>& v);
Array stacked(const Index& batch, const std::vector<double>& v);

}  // namespace gradus::oracle
