#include "kernels/scan.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/complex.h"
#include "kernels/convert.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kWork = 16384;
constexpr int64_t kBundle = 64;

// body(offset, width): bundles of neighbouring lines, which share the rows of memory.
template <class Body> void each_bundle(Lines l, const Body& body) {
  const int64_t bundles = (l.inner + kBundle - 1) / kBundle;
  const int64_t each = std::max<int64_t>(1, l.n * std::min(l.inner, kBundle));
  parallel_for(l.outer * bundles, std::max<int64_t>(1, kWork / each), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) {
      const int64_t at = i % bundles * kBundle;
      body(i / bundles * l.n * l.inner + at, std::min(kBundle, l.inner - at));
    }
  });
}

double log_add_exp(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  const double high = std::max(a, b), low = std::min(a, b);
  return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
}
template <Scan kind, class Acc> Acc join(Acc a, Acc x) {
  if constexpr (std::is_same_v<Acc, int64_t>) {
    const auto u = static_cast<uint64_t>(a), v = static_cast<uint64_t>(x);
    return static_cast<int64_t>(kind == Scan::prod ? u * v : u + v);
  } else {
    return kind == Scan::sum ? a + x : kind == Scan::prod ? a * x : log_add_exp(x, a);
  }
}

// `side` lines, n elements apart.
template <Scan kind, int side, class T, class Acc> void lines(const T* x, T* y, int64_t n, bool reverse, Acc first) {
  Acc total[side];
  std::fill(total, total + side, first);
  for (int64_t j = 0; j < n; ++j) {
    const int64_t at = reverse ? n - 1 - j : j;
#pragma GCC unroll 8
    for (int k = 0; k < side; ++k) {
      total[k] = join<kind>(total[k], convert_any<Acc>(x[k * n + at]));
      y[k * n + at] = convert_any<T>(total[k]);
    }
  }
}

template <Scan kind, class T> void run(void* out, const void* in, Lines l, bool reverse) {
  using Acc = std::conditional_t<is_complex_type<T>, Complex<double>, std::conditional_t<std::is_integral_v<T>, int64_t, double>>;
  constexpr Acc first = kind == Scan::prod ? Acc(1) : kind == Scan::sum ? Acc(0) : static_cast<Acc>(-HUGE_VAL);
  if (l.inner == 1) {                                         // lines side by side, so that their sums do not wait for each other
    constexpr int64_t kSide = 8;
    parallel_for((l.outer + kSide - 1) / kSide, std::max<int64_t>(1, kWork / (kSide * std::max<int64_t>(1, l.n))), [&](int64_t b, int64_t e) {
      for (int64_t i = b * kSide; i < std::min(l.outer, e * kSide); i += kSide) {
        const T* x = static_cast<const T*>(in) + i * l.n;
        T* y = static_cast<T*>(out) + i * l.n;
        if (i + kSide <= l.outer) lines<kind, kSide>(x, y, l.n, reverse, first);
        else for (int64_t k = i; k < l.outer; ++k, x += l.n, y += l.n) lines<kind, 1>(x, y, l.n, reverse, first);
      }
    });
    return;
  }
  each_bundle(l, [&](int64_t at, int64_t width) {
    Acc total[kBundle];
    std::fill(total, total + width, first);
    for (int64_t j = 0; j < l.n; ++j) {
      const int64_t row = at + (reverse ? l.n - 1 - j : j) * l.inner;
      for (int64_t i = 0; i < width; ++i) {
        total[i] = join<kind>(total[i], convert_any<Acc>(static_cast<const T*>(in)[row + i]));
        static_cast<T*>(out)[row + i] = convert_any<T>(total[i]);
      }
    }
  });
}

template <Scan kind> void run_type(Dtype dtype, void* out, const void* in, Lines l, bool reverse) {
  visit_all(dtype, [&]<class T>() {
    if constexpr (kind == Scan::prod || !(kind == Scan::sum ? is_complex_type<T> : std::is_integral_v<T>)) run<kind, T>(out, in, l, reverse);
  });
}

}  // namespace

// Another element type is converted first: one pass more, and a tenth of the code of loops for every pair of types.
void scan(Scan kind, Dtype to, void* out, Dtype from, const void* in, Lines l, bool reverse) {
  const int64_t numel = l.outer * l.n * l.inner;
  std::optional<Scratch> converted;
  if (from != to) {
    converted.emplace(static_cast<size_t>(numel * size_of(to)));
    copy_for(from, to)(converted->as<char>(), static_cast<const char*>(in), numel, 1, 1);
    in = converted->data();
  }
  if (kind == Scan::sum) run_type<Scan::sum>(to, out, in, l, reverse);
  else if (kind == Scan::prod) run_type<Scan::prod>(to, out, in, l, reverse);
  else run_type<Scan::log_sum_exp>(to, out, in, l, reverse);
}

void scan_extreme(bool largest, Dtype dtype, void* values, int64_t* indices, const void* in, Lines l) {
  visit(dtype, [&]<class T>() {
    using Key = std::conditional_t<std::is_integral_v<T>, T, std::conditional_t<std::is_same_v<T, double>, double, float>>;
    each_bundle(l, [&](int64_t at, int64_t width) {
      int64_t best[kBundle];                                  // rows
      std::fill(best, best + width, int64_t{0});
      for (int64_t j = 0; j < l.n; ++j)
        for (int64_t i = 0; i < width; ++i) {
          const T* line = static_cast<const T*>(in) + at + i;
          const Key x = convert<Key>(line[j * l.inner]), y = convert<Key>(line[best[i] * l.inner]);
          if (x != x || (y == y && (largest ? x >= y : x <= y))) best[i] = j;
          static_cast<T*>(values)[at + i + j * l.inner] = line[best[i] * l.inner];
          indices[at + i + j * l.inner] = best[i];
        }
    });
  });
}

}  // namespace gradus::kernels
