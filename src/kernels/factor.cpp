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

template <class F> void with_type(Dtype t, F&& f) {
  if (t == Dtype::f32) f.template operator()<float>();
  else f.template operator()<double>();
}

// Workspace of the size that a first call with lwork -1 asks for.
template <class T> struct Work {
  std::optional<Scratch> memory;
  T* data = nullptr;
  int size = -1;
  T wish = 0;
  T* ask() { return &wish; }
  void grant(int64_t at_least = 1) {
    // A wish beyond the 24 bits of a float is rounded: a little more is on the safe side.
    size = static_cast<int>(std::max<double>(static_cast<double>(wish) * (1 + 0x1p-20), static_cast<double>(at_least)));
    data = memory.emplace(static_cast<size_t>(size) * sizeof(T)).template as<T>();
  }
};
int* integers_of(std::optional<Scratch>& memory, int64_t n) { return memory.emplace(static_cast<size_t>(n) * sizeof(int)).as<int>(); }

}  // namespace

void lu(std::string_view what, const Stack& a, int32_t* pivots, int32_t* infos) {
  const Shape s(what, a);
  const int64_t k = std::min(a.rows, a.cols);
  with_type(a.dtype, [&]<class T>() {
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
  with_type(b.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    int info = 0;                                             // of no interest: a zero on the diagonal gives infinities
    for (int64_t i = 0; i < b.count; ++i)
      l.getrs(transposed ? "T" : "N", &s.rows, &r.cols, factors.item<T>(i), &s.ld, pivots + i * factors.rows, b.item<T>(i), &r.ld, &info, 1);
  });
}

void cholesky(std::string_view what, const Stack& a, bool upper, int32_t* infos) {
  const Shape s(what, a);
  with_type(a.dtype, [&]<class T>() {
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
  with_type(b.dtype, [&]<class T>() {
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
  with_type(a.dtype, [&]<class T>() {
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
  with_type(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    Work<T> work;
    const T* factors = reinterpret_cast<const T*>(tau);
    int info = 0;
    l.orgqr(&s.rows, &s.cols, &reflections, a.item<T>(0), &s.ld, factors, work.ask(), &work.size, &info);
    work.grant(s.cols);
    for (int64_t i = 0; i < a.count; ++i) l.orgqr(&s.rows, &s.cols, &reflections, a.item<T>(i), &s.ld, factors + i * k, work.data, &work.size, &info);
  });
}

void svd(std::string_view what, const Stack& a, char* values, const Stack& u, const Stack& vt, bool vectors, int32_t* infos) {
  const Shape s(what, a), left(what, u), right(what, vt);
  const int64_t k = std::min(a.rows, a.cols);
  for (int64_t i = 0; i < a.count; ++i) infos[i] = 0;
  if (k == 0 || a.count == 0) return;
  const char* job = !vectors ? "N" : u.cols == a.rows && vt.rows == a.cols ? "A" : "S";
  with_type(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    Work<T> work;
    std::optional<Scratch> counts;
    int* integers = integers_of(counts, 8 * k);
    T* out = reinterpret_cast<T*>(values);
    const auto run = [&](int64_t i, T* space) {
      l.gesdd(job, &s.rows, &s.cols, a.item<T>(i), &s.ld, out + i * k, vectors ? u.item<T>(i) : nullptr, &left.ld, vectors ? vt.item<T>(i) : nullptr,
              &right.ld, space, &work.size, integers, infos + i, 1);
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
  with_type(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    Work<T> work;
    std::optional<Scratch> counts;
    int wish = 0, integers_size = -1;
    int* integers = &wish;
    T* out = reinterpret_cast<T*>(values);
    const auto run = [&](int64_t i, T* space) {
      l.syevd(vectors ? "V" : "N", upper ? "U" : "L", &s.rows, a.item<T>(i), &s.ld, out + i * a.rows, space, &work.size, integers, &integers_size, infos + i,
              1, 1);
    };
    run(0, work.ask());
    work.grant();
    integers_size = std::max(wish, 1);
    integers = integers_of(counts, integers_size);
    for (int64_t i = 0; i < a.count; ++i) run(i, work.data);
  });
}

void least_squares(std::string_view what, LeastSquares driver, const Stack& a, const Stack& b, double rcond, int64_t* ranks, char* values, int32_t* infos) {
  const Shape s(what, a), r(what, b);
  const int64_t k = std::min(a.rows, a.cols);
  for (int64_t i = 0; i < a.count; ++i) infos[i] = 0;
  if (k == 0 || b.cols == 0 || a.count == 0) return;
  with_type(a.dtype, [&]<class T>() {
    const auto& l = lapack<T>(what);
    const T cut = static_cast<T>(rcond);
    Work<T> work;
    std::optional<Scratch> counts;
    int wish[1] = {0};
    int* integers = wish;
    T* out = reinterpret_cast<T*>(values);
    const auto run = [&](int64_t i, T* space) {
      T *matrix = a.item<T>(i), *right = b.item<T>(i);
      int rank = 0, *info = infos + i;
      switch (driver) {
        case LeastSquares::gels: l.gels("N", &s.rows, &s.cols, &r.cols, matrix, &s.ld, right, &r.ld, space, &work.size, info, 1); break;
        case LeastSquares::gelsy:
          std::fill_n(integers, work.size < 0 ? 1 : a.cols, 0);
          l.gelsy(&s.rows, &s.cols, &r.cols, matrix, &s.ld, right, &r.ld, integers, &cut, &rank, space, &work.size, info);
          break;
        case LeastSquares::gelsd:
          l.gelsd(&s.rows, &s.cols, &r.cols, matrix, &s.ld, right, &r.ld, out + i * k, &cut, &rank, space, &work.size, integers, info);
          break;
        case LeastSquares::gelss: l.gelss(&s.rows, &s.cols, &r.cols, matrix, &s.ld, right, &r.ld, out + i * k, &cut, &rank, space, &work.size, info); break;
      }
      ranks[i] = rank;
    };
    run(0, work.ask());
    work.grant();
    integers = integers_of(counts, std::max<int64_t>({wish[0], a.cols, 1}));
    for (int64_t i = 0; i < a.count; ++i) run(i, work.data);
  });
}

}  // namespace gradus::kernels
