#include "kernels/factor.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/memory.h"
#include "kernels/lapack.h"

namespace gradus::kernels {
namespace {

int narrow(std::string_view what, int64_t n) {
  GRADUS_CHECK(n <= std::numeric_limits<int>::max(), unsupported, "{}: a size of {} is more than LAPACK counts", what, n);
  return static_cast<int>(n);
}
// The sizes of the matrices of a stack as LAPACK wants them; a leading dimension is at least 1.
struct Shape {
  int rows, cols, ld;
  Shape(std::string_view what, const Stack& a) : rows(narrow(what, a.rows)), cols(narrow(what, a.cols)), ld(std::max(rows, 1)) {}
};

// Workspace of the size that a first call with size -1 asks for.
template <class T> struct Work {
  std::optional<Scratch> memory;
  T* data = nullptr;
  int size = -1;
  T wish = 0;
  T* ask() { return &wish; }
  void grant(int64_t at_least = 1) {
    double wished;
    if constexpr (is_complex_type<T>) wished = static_cast<double>(wish.re);
    else wished = static_cast<double>(wish);
    // A wish beyond the 24 bits of a float is rounded: a little more is on the safe side.
    reserve(static_cast<int64_t>(std::max(wished * (1 + 0x1p-20), static_cast<double>(at_least))));
  }
  T* reserve(int64_t n) {
    size = static_cast<int>(n);
    return data = memory.emplace(static_cast<size_t>(n) * sizeof(T)).template as<T>();
  }
};
template <class T> using Real = typename RealOf<T>::Type;
int* integers_of(std::optional<Scratch>& memory, int64_t n) { return memory.emplace(static_cast<size_t>(n) * sizeof(int)).as<int>(); }

}  // namespace

void lu(std::string_view what, const Stack& a, int32_t* pivots, int32_t* infos) {
  const Shape s(what, a);
  const int64_t k = std::min(a.rows, a.cols);
  visit_matrices(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    for (int64_t i = 0; i < a.count; ++i) {
      infos[i] = 0;
      if (k > 0) l.getrf(&s.rows, &s.cols, a.item<T>(i), &s.ld, pivots + i * k, infos + i);
    }
  });
}

void lu_solve(std::string_view what, const Stack& factors, const int32_t* pivots, const Stack& b, bool transposed) {
  const Shape s(what, factors), r(what, b);
  if (s.rows == 0 || r.cols == 0) return;
  visit_matrices(b.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    int info = 0;                                             // of no interest: a zero on the diagonal gives infinities
    for (int64_t i = 0; i < b.count; ++i)
      l.getrs(transposed ? "T" : "N", &s.rows, &r.cols, factors.item<T>(i), &s.ld, pivots + i * factors.rows, b.item<T>(i), &r.ld, &info, 1);
  });
}

void cholesky(std::string_view what, const Stack& a, bool upper, int32_t* infos) {
  const Shape s(what, a);
  visit_matrices(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    for (int64_t i = 0; i < a.count; ++i) {
      infos[i] = 0;
      if (s.rows > 0) l.potrf(upper ? "U" : "L", &s.rows, a.item<T>(i), &s.ld, infos + i, 1);
    }
  });
}

void solve_triangular(std::string_view what, const Stack& a, const Stack& b, Triangle form) {
  const Shape s(what, a), r(what, b);
  if (r.rows == 0 || r.cols == 0) return;
  visit_matrices(b.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    const T one = 1;
    for (int64_t i = 0; i < b.count; ++i)
      l.trsm(form.right ? "R" : "L", form.upper ? "U" : "L", "N", form.unit ? "U" : "N", &r.rows, &r.cols, &one, a.item<T>(i), &s.ld, b.item<T>(i), &r.ld,
             1, 1, 1, 1);
  });
}

void qr(std::string_view what, const Stack& a, char* tau) {
  const Shape s(what, a);
  const int64_t k = std::min(a.rows, a.cols);
  if (k == 0 || a.count == 0) return;
  visit_matrices(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    Work<T> work;
    T* factors = reinterpret_cast<T*>(tau);
    int info = 0;
    l.geqrf(&s.rows, &s.cols, a.item<T>(0), &s.ld, factors, work.ask(), &work.size, &info);
    work.grant(s.cols);
    for (int64_t i = 0; i < a.count; ++i) l.geqrf(&s.rows, &s.cols, a.item<T>(i), &s.ld, factors + i * k, work.data, &work.size, &info);
  });
}

void householder(std::string_view what, const Stack& a, const char* tau, int64_t k) {
  const Shape s(what, a);
  const int reflections = narrow(what, k);
  if (a.rows == 0 || a.cols == 0 || a.count == 0) return;
  visit_matrices(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    Work<T> work;
    const T* factors = reinterpret_cast<const T*>(tau);
    int info = 0;
    l.first_columns(&s.rows, &s.cols, &reflections, a.item<T>(0), &s.ld, factors, work.ask(), &work.size, &info);
    work.grant(s.cols);
    for (int64_t i = 0; i < a.count; ++i)
      l.first_columns(&s.rows, &s.cols, &reflections, a.item<T>(i), &s.ld, factors + i * k, work.data, &work.size, &info);
  });
}

// What the complex gesdd wants of real numbers; older versions want more without vectors than newer ones.
static int64_t svd_reals(const Stack& a, bool vectors) {
  const int64_t small = std::min(a.rows, a.cols), large = std::max(a.rows, a.cols);
  return vectors ? small * std::max(5 * small + 7, 2 * (large + small) + 1) : 7 * small;
}
void svd(std::string_view what, const Stack& a, char* values, const Stack& u, const Stack& vh, bool vectors, int32_t* infos) {
  const Shape s(what, a), left(what, u), right(what, vh);
  const int64_t k = std::min(a.rows, a.cols);
  for (int64_t i = 0; i < a.count; ++i) infos[i] = 0;
  if (k == 0 || a.count == 0) return;
  const char* job = !vectors ? "N" : u.cols == a.rows && vh.rows == a.cols ? "A" : "S";
  visit_matrices(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    Work<T> work;
    Work<Real<T>> reals;
    std::optional<Scratch> counts;
    int* integers = integers_of(counts, 8 * k);
    const auto out = reinterpret_cast<Real<T>*>(values);
    if constexpr (is_complex_type<T>) reals.reserve(svd_reals(a, vectors));
    const auto run = [&](int64_t i, T* space) {
      T *x = a.item<T>(i), *to_u = vectors ? u.item<T>(i) : nullptr, *to_v = vectors ? vh.item<T>(i) : nullptr;
      const int *m = &s.rows, *n = &s.cols, *n_work = &work.size;
      if constexpr (is_complex_type<T>)
        l.gesdd(job, m, n, x, &s.ld, out + i * k, to_u, &left.ld, to_v, &right.ld, space, n_work, reals.data, integers, infos + i, 1);
      else l.gesdd(job, m, n, x, &s.ld, out + i * k, to_u, &left.ld, to_v, &right.ld, space, n_work, integers, infos + i, 1);
    };
    run(0, work.ask());
    work.grant();
    for (int64_t i = 0; i < a.count; ++i) run(i, work.data);
  });
}

void eigh(std::string_view what, const Stack& a, char* values, bool upper, bool vectors, int32_t* infos) {
  const Shape s(what, a);
  for (int64_t i = 0; i < a.count; ++i) infos[i] = 0;
  if (a.rows == 0 || a.count == 0) return;
  const char *job = vectors ? "V" : "N", *triangle = upper ? "U" : "L";
  visit_matrices(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    Work<T> work;
    Work<Real<T>> reals;
    std::optional<Scratch> counts;
    int wish = 0, integers_size = -1;
    int* integers = &wish;
    const auto out = reinterpret_cast<Real<T>*>(values);
    const auto run = [&](int64_t i, T* space, Real<T>* real_space) {
      T* x = a.item<T>(i);
      Real<T>* w = out + i * a.rows;
      if constexpr (is_complex_type<T>)
        l.eigh(job, triangle, &s.rows, x, &s.ld, w, space, &work.size, real_space, &reals.size, integers, &integers_size, infos + i, 1, 1);
      else l.eigh(job, triangle, &s.rows, x, &s.ld, w, space, &work.size, integers, &integers_size, infos + i, 1, 1);
    };
    run(0, work.ask(), reals.ask());
    work.grant();
    if constexpr (is_complex_type<T>) reals.grant();
    integers_size = std::max(wish, 1);
    integers = integers_of(counts, integers_size);
    for (int64_t i = 0; i < a.count; ++i) run(i, work.data, reals.data);
  });
}

// A real matrix has its eigenvalues in conjugate pairs; the vectors of a pair are x + iy and x - iy, kept as x and y.
template <class R> static void unpack_pairs(int64_t n, const R* re, const R* im, const R* vectors, Complex<R>* values, Complex<R>* out) {
  for (int64_t j = 0; j < n; ++j) values[j] = {re[j], im[j]};
  for (int64_t j = 0; out && j < n; ++j) {
    const R *x = vectors + j * n, *y = x + n;
    if (im[j] == 0) {
      for (int64_t i = 0; i < n; ++i) out[j * n + i] = {x[i], R(0)};
      continue;
    }
    for (int64_t i = 0; i < n; ++i) out[j * n + i] = {x[i], y[i]}, out[(j + 1) * n + i] = {x[i], -y[i]};
    ++j;
  }
}
void eig(std::string_view what, const Stack& a, char* values, const Stack& v, bool vectors, int32_t* infos) {
  const Shape s(what, a);
  for (int64_t i = 0; i < a.count; ++i) infos[i] = 0;
  if (a.rows == 0 || a.count == 0) return;
  visit_matrices(a.dtype, [&]<class T>() {
    using R = Real<T>;
    const auto& l = lapack<T>(what);
    const int64_t n = a.rows;
    const int one = 1;
    const char* job = vectors ? "V" : "N";
    Work<T> work, packed;
    Work<R> reals;
    reals.reserve(2 * n);
    if (!is_complex_type<T> && vectors) packed.reserve(n * n);
    const auto out = reinterpret_cast<Complex<R>*>(values);
    const auto run = [&](int64_t i, T* space) {
      T* x = a.item<T>(i);
      Complex<R>* to = vectors ? v.item<Complex<R>>(i) : nullptr;
      if constexpr (is_complex_type<T>) {
        l.geev("N", job, &s.rows, x, &s.ld, out + i * n, nullptr, &one, to, &s.ld, space, &work.size, reals.data, infos + i, 1, 1);
      } else {
        R *re = reals.data, *im = re + n;
        l.geev("N", job, &s.rows, x, &s.ld, re, im, nullptr, &one, packed.data, &s.ld, space, &work.size, infos + i, 1, 1);
        if (work.size > 0) unpack_pairs(n, re, im, packed.data, out + i * n, to);
      }
    };
    run(0, work.ask());
    work.grant();
    for (int64_t i = 0; i < a.count; ++i) run(i, work.data);
  });
}

namespace {
template <class T> struct Problem {                           // one of least squares: what every driver takes
  const Shape &s, &r;
  T *a, *b;
  const Real<T>* cut;
  Real<T>* values;
  T* work;
  const int* work_size;
  Real<T>* reals;                                             // of complex numbers alone
  int *integers, *rank, *info;
};
template <class T> void solve(LeastSquares driver, const Problem<T>& p, const Lapack<T>& l) {
  const int *m = &p.s.rows, *n = &p.s.cols, *k = &p.r.cols, *lda = &p.s.ld, *ldb = &p.r.ld;
  if (driver == LeastSquares::gels) return l.gels("N", m, n, k, p.a, lda, p.b, ldb, p.work, p.work_size, p.info, 1);
  if constexpr (is_complex_type<T>) {
    if (driver == LeastSquares::gelsy) l.gelsy(m, n, k, p.a, lda, p.b, ldb, p.integers, p.cut, p.rank, p.work, p.work_size, p.reals, p.info);
    else if (driver == LeastSquares::gelsd)
      l.gelsd(m, n, k, p.a, lda, p.b, ldb, p.values, p.cut, p.rank, p.work, p.work_size, p.reals, p.integers, p.info);
    else l.gelss(m, n, k, p.a, lda, p.b, ldb, p.values, p.cut, p.rank, p.work, p.work_size, p.reals, p.info);
  } else {
    if (driver == LeastSquares::gelsy) l.gelsy(m, n, k, p.a, lda, p.b, ldb, p.integers, p.cut, p.rank, p.work, p.work_size, p.info);
    else if (driver == LeastSquares::gelsd) l.gelsd(m, n, k, p.a, lda, p.b, ldb, p.values, p.cut, p.rank, p.work, p.work_size, p.integers, p.info);
    else l.gelss(m, n, k, p.a, lda, p.b, ldb, p.values, p.cut, p.rank, p.work, p.work_size, p.info);
  }
}
}  // namespace

void least_squares(std::string_view what, LeastSquares driver, const Stack& a, const Stack& b, double rcond, int64_t* ranks, char* values, int32_t* infos) {
  const Shape s(what, a), r(what, b);
  const int64_t k = std::min(a.rows, a.cols);
  for (int64_t i = 0; i < a.count; ++i) infos[i] = 0;
  if (k == 0 || b.cols == 0 || a.count == 0) return;
  visit_matrices(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    const auto cut = static_cast<Real<T>>(rcond);
    Work<T> work;
    Work<Real<T>> reals;
    std::optional<Scratch> counts;
    int wish[1] = {0};
    const auto out = reinterpret_cast<Real<T>*>(values);
    const auto run = [&](int64_t i, T* space, Real<T>* real_space, int* integers) {
      int rank = 0;
      solve<T>(driver, {s, r, a.item<T>(i), b.item<T>(i), &cut, out + i * k, space, &work.size, real_space, integers, &rank, infos + i}, l);
      ranks[i] = rank;
    };
    run(0, work.ask(), reals.ask(), wish);
    work.grant();
    if constexpr (is_complex_type<T>) reals.grant(std::max(2 * a.cols, 5 * k));
    const int64_t n = std::max<int64_t>({wish[0], a.cols, 1});
    int* integers = integers_of(counts, n);
    for (int64_t i = 0; i < a.count; ++i) {
      if (driver == LeastSquares::gelsy) std::fill_n(integers, n, 0);             // every column is free to move
      run(i, work.data, reals.data, integers);
    }
  });
}

}  // namespace gradus::kernels
