#include "kernels/create.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "kernels/complex.h"

namespace gradus::kernels {

constexpr int64_t kGrain = 16384;

void arithmetic_sequence(const View& out, Number start, Number step) {
  visit(out.dtype, [&]<class T>() {
    T* to = out.as<T>();
    parallel_for(out.numel, kGrain, [&](int64_t b, int64_t e) {
      if constexpr (std::is_integral_v<T>) {
        const auto first = static_cast<uint64_t>(start.i), by = static_cast<uint64_t>(step.i);
        for (int64_t i = b; i < e; ++i) to[i] = convert<T>(static_cast<int64_t>(first + static_cast<uint64_t>(i) * by));
      } else {
        for (int64_t i = b; i < e; ++i) to[i] = convert<T>(start.f + static_cast<double>(i) * step.f);
      }
    });
  });
}

void even_sequence(const View& out, Number start, Number end, double base) {
  const int64_t n = out.numel, half = n / 2;
  visit_all(out.dtype, [&]<class T>() {
    using W = std::conditional_t<is_complex_type<T>, Complex<double>, double>;
    W first, last;
    if constexpr (is_complex_type<T>) first = start, last = end;
    else first = start.f, last = end.f;
    const W step = n > 1 ? (last - first) / W(static_cast<double>(n - 1)) : W(0);
    T* to = out.as<T>();
    parallel_for(n, kGrain, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        const W v = n == 1 || i < half ? first + W(static_cast<double>(i)) * step : last - W(static_cast<double>(n - 1 - i)) * step;
        using std::pow;
        to[i] = convert_any<T>(base == 0 ? v : pow(W(base), v));
      }
    });
  });
}

void identity(const View& out) {
  std::memset(out.data, 0, static_cast<size_t>(out.numel * size_of(out.dtype)));
  visit_all(out.dtype, [&]<class T>() {
    for (int64_t i = 0; i < std::min(out.sizes[0], out.sizes[1]); ++i) out.as<T>()[i * out.sizes[1] + i] = convert_any<T>(1);
  });
}

}  // namespace gradus::kernels
