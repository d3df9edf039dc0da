// LAPACK's entries, found at run time: the system's library is opened at the first call that needs it, never at load, and stays.
// Matrices are column-major; integers are 32 bits wide. Its settings, threads above all, are left to the process.
#pragma once
#include <cstddef>
#include <string_view>

namespace gradus::kernels {

using Size = const int*;                                      // Fortran takes everything by address, and lengths of texts at the end
using Text = const char*;

template <class T> struct Lapack {
  void (*getrf)(Size m, Size n, T* a, Size lda, int* pivots, int* info);
  void (*getrs)(Text trans, Size n, Size nrhs, const T* a, Size lda, const int* pivots, T* b, Size ldb, int* info, size_t);
  void (*potrf)(Text uplo, Size n, T* a, Size lda, int* info, size_t);
  void (*trsm)(Text side, Text uplo, Text trans, Text diag, Size m, Size n, const T* alpha, const T* a, Size lda, T* b, Size ldb, size_t, size_t,
               size_t, size_t);
  void (*geqrf)(Size m, Size n, T* a, Size lda, T* tau, T* work, Size lwork, int* info);
  void (*orgqr)(Size m, Size n, Size k, T* a, Size lda, const T* tau, T* work, Size lwork, int* info);
  void (*gesdd)(Text jobz, Size m, Size n, T* a, Size lda, T* s, T* u, Size ldu, T* vt, Size ldvt, T* work, Size lwork, int* iwork, int* info, size_t);
  void (*syevd)(Text jobz, Text uplo, Size n, T* a, Size lda, T* w, T* work, Size lwork, int* iwork, Size liwork, int* info, size_t, size_t);
  void (*gels)(Text trans, Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, T* work, Size lwork, int* info, size_t);
  void (*gelsy)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, int* jpvt, const T* rcond, int* rank, T* work, Size lwork, int* info);
  void (*gelsd)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, T* s, const T* rcond, int* rank, T* work, Size lwork, int* iwork, int* info);
  void (*gelss)(Size m, Size n, Size nrhs, T* a, Size lda, T* b, Size ldb, T* s, const T* rcond, int* rank, T* work, Size lwork, int* info);
};

bool has_lapack();                                            // opens it, if it is there
// Throws Error(unsupported) where there is none; `what` is the op, for the message. T is float or double.
template <class T> const Lapack<T>& lapack(std::string_view what);

}  // namespace gradus::kernels
