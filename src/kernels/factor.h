// Factorizations and solvers of dense matrices, by LAPACK, one matrix of a stack after the other on the caller's thread.
#pragma once
#include <string_view>

#include "base/error.h"
#include "kernels/complex.h"

namespace gradus::kernels {

// Calls f.template operator()<T>() with the type of the matrices' elements: float, double, or complex of them.
template <class F> void visit_matrices(Dtype t, F&& f) {
  if (t == Dtype::f32) f.template operator()<float>();
  else if (t == Dtype::f64) f.template operator()<double>();
  else if (t == Dtype::c64) f.template operator()<Complex<float>>();
  else f.template operator()<Complex<double>>();
}

// A stack of column-major matrices without gaps, of such elements.
struct Stack {
  Dtype dtype;
  char* data;
  int64_t count, rows, cols;
  template <class T> T* item(int64_t i) const { return reinterpret_cast<T*>(data) + i * rows * cols; }
};

// `what` is the op, for messages. infos get LAPACK's info of each matrix: 0, or the 1-based place where it failed.

// a = P L U in place; the pivots are 1-based, min(rows, cols) of each.
void lu(std::string_view what, const Stack& a, int32_t* pivots, int32_t* infos);
// b = a^-1 b, or (a^T)^-1 b without conjugates, from the factors that lu made.
void lu_solve(std::string_view what, const Stack& factors, const int32_t* pivots, const Stack& b, bool transposed);
// The upper or lower factor in that triangle of a; the other one is left as it is.
void cholesky(std::string_view what, const Stack& a, bool upper, int32_t* infos);
// b = b a^-1 in place, for a triangular a.
struct Triangle { bool right, upper, unit; };
void solve_triangular(std::string_view what, const Stack& a, const Stack& b, Triangle form);

// R in a's upper triangle, the Householder vectors below it, and their factors, min(rows, cols) of each.
void qr(std::string_view what, const Stack& a, char* tau);
// The first columns of the product of k reflections, made of the vectors in them.
void householder(std::string_view what, const Stack& a, const char* tau, int64_t k);

// a is destroyed. u and v^H get as many columns and rows as the stacks have; without vectors they are not touched. The values are real.
void svd(std::string_view what, const Stack& a, char* s, const Stack& u, const Stack& vh, bool vectors, int32_t* infos);
// Ascending eigenvalues from one triangle of a, in which the eigenvectors are left.
void eigh(std::string_view what, const Stack& a, char* values, bool upper, bool vectors, int32_t* infos);
// Complex eigenvalues and, with vectors, the eigenvectors of length 1 of any square matrices, which are destroyed.
void eig(std::string_view what, const Stack& a, char* values, const Stack& v, bool vectors, int32_t* infos);

enum class LeastSquares { gels, gelsy, gelsd, gelss };
// a is destroyed; b has max(rows, cols) rows and holds the solutions in the first a.cols of them. ranks and singular values where
// the driver has them.
void least_squares(std::string_view what, LeastSquares driver, const Stack& a, const Stack& b, double rcond, int64_t* ranks, char* values, int32_t* infos);

}  // namespace gradus::kernels
