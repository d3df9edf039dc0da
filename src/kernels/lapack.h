// LAPACK's entries, found at run time: the system's library is opened at the first call that needs it, never at load, and stays.
// Matrices are column-major; integers are 32 bits wide. Its settings, threads above all, are left to the process.
#pragma once
#include <cstddef>
#include <string_view>

#include "kernels/complex.h"

namespace gradus::kernels {

using Size = const int*;                                      // Fortran takes everything by address, and lengths of texts at the end
using Text = const char*;

template <class T> struct RealOf { using Type = T; };
template <class T> struct RealOf<Complex<T>> { using Type = T; };

// The entries whose complex forms want real workspace too, and the general eigenvalues, which real forms give in two parts.
template <class T> struct LapackDrivers {
  void (*gesdd)(Text jobz, Size m, Size n, T* a, Size lda, T* s, T* u, Size ldu, T* vt, Size ldvt, T* work, Size lwork, int* iwork, int* info,
                size_t);
  void (*eigh)(Text jobz, Text uplo, Size n, T* a, Size lda, T* w, T* work, Size lwork, int* iwork, Size liwork, int* info, size_t, size_t);
  void (*geev)(Text jobvl, Text jobvr, Size n, T* a, Size lda, T* re, T* im, T* vl, Size ldvl, T* vr, Size ldvr, T* work, Size lwork, int* info,
               size_t, size_t);
  void (*gelsy)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, int* jpvt, const T* rcond, int* rank, T* work, Size lwork, int* info);
  void (*gelsd)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, T* s, const T* rcond, int* rank, T* work, Size lwork, int* iwork,
                int* info);
  void (*gelss)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, T* s, const T* rcond, int* rank, T* work, Size lwork, int* info);
};
template <class R> struct LapackDrivers<Complex<R>> {
  using T = Complex<R>;
  void (*gesdd)(Text jobz, Size m, Size n, T* a, Size lda, R* s, T* u, Size ldu, T* vt, Size ldvt, T* work, Size lwork, R* rwork, int* iwork,
                int* info, size_t);
  void (*eigh)(Text jobz, Text uplo, Size n, T* a, Size lda, R* w, T* work, Size lwork, R* rwork, Size lrwork, int* iwork, Size liwork, int* info,
               size_t, size_t);
  void (*geev)(Text jobvl, Text jobvr, Size n, T* a, Size lda, T* w, T* vl, Size ldvl, T* vr, Size ldvr, T* work, Size lwork, R* rwork, int* info,
               size_t, size_t);
  void (*gelsy)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, int* jpvt, const R* rcond, int* rank, T* work, Size lwork, R* rwork,
                int* info);
  void (*gelsd)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, R* s, const R* rcond, int* rank, T* work, Size lwork, R* rwork,
                int* iwork, int* info);
  void (*gelss)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, R* s, const R* rcond, int* rank, T* work, Size lwork, R* rwork,
                int* info);
};
template <class T> struct Lapack : LapackDrivers<T> {
  void (*getrf)(Size m, Size n, T* a, Size lda, int* pivots, int* info);
  void (*getrs)(Text trans, Size n, Size nrhs, const T* a, Size lda, const int* pivots, T* b, Size ldb, int* info, size_t);
  void (*potrf)(Text uplo, Size n, T* a, Size lda, int* info, size_t);
  void (*trsm)(Text side, Text uplo, Text trans, Text diag, Size m, Size n, const T* alpha, const T* a, Size lda, T* b, Size ldb, size_t, size_t,
               size_t, size_t);
  void (*geqrf)(Size m, Size n, T* a, Size lda, T* tau, T* work, Size lwork, int* info);
  void (*first_columns)(Size m, Size n, Size k, T* a, Size lda, const T* tau, T* work, Size lwork, int* info);      // orgqr, ungqr
  void (*gels)(Text trans, Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, T* work, Size lwork, int* info, size_t);
};

bool has_lapack();                                            // opens it, if it is there
// Throws Error(unsupported) where there is none; `what` is the op, for the message. T is float, double, or complex of them.
template <class T> const Lapack<T>& lapack(std::string_view what);

}  // namespace gradus::kernels
