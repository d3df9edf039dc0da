#include "kernels/loss.h"

#include <cmath>
#include <cstring>

#include "base/parallel.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16384;

int64_t cells(const Classes& c) { return c.rows * c.inner; }
template <class T> double weight(const Classes& c, int64_t target) {
  return c.weight ? convert<double>(static_cast<const T*>(c.weight)[target]) : 1.0;
}
int64_t place(const Classes& c, int64_t cell) {               // of the right class's score
  return (cell / c.inner * c.classes + c.target[cell]) * c.inner + cell % c.inner;
}

// Collects what each cell contributes: value(cell) is its loss without the weight.
template <class T, class F> void reduce_cells(const Classes& c, void* out, void* total, const F& value) {
  double sum = 0, weights = 0;
  for (int64_t i = 0; i < cells(c); ++i) {
    const bool counts = c.target[i] != c.ignored;
    const double w = counts ? weight<T>(c, c.target[i]) : 0, v = counts ? w * value(i) : 0;
    if (c.reduction == Reduction::none) static_cast<T*>(out)[i] = convert<T>(v);
    sum += v;
    weights += w;
  }
  if (c.reduction != Reduction::none) *static_cast<T*>(out) = convert<T>(c.reduction == Reduction::mean ? sum / weights : sum);
  *static_cast<T*>(total) = convert<T>(weights);
}

// What the gradient of a cell's loss is multiplied by.
template <class T> double factor(const Classes& c, const void* g, const void* total, int64_t cell) {
  if (c.target[cell] == c.ignored) return 0;
  const auto* gradient = static_cast<const T*>(g);
  const double w = weight<T>(c, c.target[cell]);
  if (c.reduction == Reduction::none) return w * convert<double>(gradient[cell]);
  return w * convert<double>(*gradient) / (c.reduction == Reduction::mean ? convert<double>(*static_cast<const T*>(total)) : 1.0);
}

template <class F> void visit_real(Dtype d, const F& f) {     // float or double
  if (d == Dtype::f64) f.template operator()<double>();
  else f.template operator()<float>();
}

}  // namespace

void check_classes(const Classes& c, std::string_view what) {
  for (int64_t i = 0; i < cells(c); ++i) {
    const int64_t t = c.target[i];
    GRADUS_CHECK(t == c.ignored || (t >= 0 && t < c.classes), index, "{}: target {} at {} is none of {} classes", what, t, i, c.classes);
  }
}

void nll(const Classes& c, void* out, void* total) {
  visit(c.dtype, [&]<class T>() {
    reduce_cells<T>(c, out, total, [&](int64_t i) { return -convert<double>(static_cast<const T*>(c.scores)[place(c, i)]); });
  });
}
void nll_backward(const Classes& c, const void* g, const void* total, void* out) {
  visit(c.dtype, [&]<class T>() {
    std::memset(out, 0, static_cast<size_t>(cells(c) * c.classes) * sizeof(T));
    for (int64_t i = 0; i < cells(c); ++i)
      if (c.target[i] != c.ignored) static_cast<T*>(out)[place(c, i)] = convert<T>(-factor<T>(c, g, total, i));
  });
}

void cross_entropy(const Classes& c, void* out, void* total, void* lse) {
  visit_real(c.dtype, [&]<class T>() {
    const auto* x = static_cast<const T*>(c.scores);
    auto* sums = static_cast<T*>(lse);
    parallel_for(c.rows, std::max<int64_t>(1, kGrain / c.classes), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) sums[i] = static_cast<T>(row_logsumexp(x + i * c.classes, c.classes));
    });
    reduce_cells<T>(c, out, total, [&](int64_t i) { return static_cast<double>(sums[i]) - static_cast<double>(x[place(c, i)]); });
  });
}
void cross_entropy_backward(const Classes& c, const void* g, const void* total, const void* lse, void* out) {
  visit_real(c.dtype, [&]<class T>() {
    const auto* x = static_cast<const T*>(c.scores);
    auto* to = static_cast<T*>(out);
    parallel_for(c.rows, std::max<int64_t>(1, kGrain / c.classes), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        if (c.target[i] == c.ignored) {
          std::memset(to + i * c.classes, 0, static_cast<size_t>(c.classes) * sizeof(T));
          continue;
        }
        const double f = factor<T>(c, g, total, i);
        row_softmax(x + i * c.classes, c.classes, static_cast<double>(static_cast<const T*>(lse)[i]), f, to + i * c.classes);
        to[place(c, i)] -= static_cast<T>(f);
      }
    });
  });
}

void binary_cross_entropy(const View& out, const View& x, const View& t) {
  visit_real(out.dtype, [&]<class T>() {
    const T *from = x.as<T>(), *target = t.as<T>();
    for (int64_t i = 0; i < x.numel; ++i)
      GRADUS_CHECK(from[i] >= 0 && from[i] <= 1, value, "binary_cross_entropy: {} at {} is outside [0, 1]", from[i], i);
    parallel_for(out.numel, kGrain / 8, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        const T yes = std::max(std::log(from[i]), T(-100)), no = std::max(std::log1p(-from[i]), T(-100));
        out.as<T>()[i] = (target[i] - 1) * no - target[i] * yes;
      }
    });
  });
}

}  // namespace gradus::kernels
