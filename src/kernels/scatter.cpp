#include "kernels/scatter.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/complex.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kColumns = 64;                              // of a part that owns some columns of every row
constexpr int64_t kRanges = 16;                               // of destinations, where rows are short

template <class T> using WideReal = std::conditional_t<std::is_integral_v<T>, int64_t, std::conditional_t<std::is_same_v<T, double>, double, float>>;
template <class T> using Wide = std::conditional_t<is_complex_type<T>, T, WideReal<T>>;

struct Replace { template <class W> W operator()(W, W b) const { return b; } };
struct Add {
  Number alpha;
  template <class W> W operator()(W a, W b) const {
    if constexpr (std::is_integral_v<W>) return static_cast<W>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b) * static_cast<uint64_t>(alpha.i));
    else if constexpr (is_complex_type<W>) return a + b * W(alpha);
    else return a + b * static_cast<W>(alpha.f);
  }
};
struct AddOne {                                               // alpha = 1
  template <class W> W operator()(W a, W b) const {
    if constexpr (std::is_integral_v<W>) return static_cast<W>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else return a + b;
  }
};
struct Multiply {
  template <class W> W operator()(W a, W b) const {
    if constexpr (std::is_integral_v<W>) return static_cast<W>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else return a * b;
  }
};
struct Max { template <class W> W operator()(W a, W b) const { return a != a || a > b ? a : b; } };     // a NaN stays
struct Min { template <class W> W operator()(W a, W b) const { return a != a || a < b ? a : b; } };

template <class T, class F> T combined(T a, T b, const F& f) {
  if constexpr (std::is_same_v<F, Replace>) return b;
  else return convert_any<T>(f(convert_any<Wide<T>>(a), convert_any<Wide<T>>(b)));
}

// One row of a part: columns [begin, end).
template <class T, class F> void write_row(T* to, const T* from, const Places& p, const Source& s, int64_t o, int64_t i, int64_t begin, int64_t end, const F& f) {
  from += o * s.outer + i * s.count;
  to += p.outer_offset[o];
  if (p.shared && !p.inner_offset) {
    T* t = to + p.index[i] * p.stride;
    if (s.inner == 1) for (int64_t j = begin; j < end; ++j) t[j] = combined(t[j], from[j], f);
    else for (int64_t j = begin; j < end; ++j) t[j] = combined(t[j], from[j * s.inner], f);
    return;
  }
  const int64_t* index = p.shared ? nullptr : p.index + (o * p.count + i) * p.inner;
  for (int64_t j = begin; j < end; ++j) {
    T& t = to[(index ? index[j] : p.index[i]) * p.stride + (p.inner_offset ? p.inner_offset[j] : j)];
    t = combined(t, from[j * s.inner], f);
  }
}

template <class T, class F> void write_with(const View& to, const Source& s, const Places& p, const F& f) {
  T* t = to.as<T>();
  const T* from = reinterpret_cast<const T*>(s.data);
  if (p.shared && p.inner < 2 * kColumns && p.outer * p.count * p.inner > kGrain) {
    // Every part goes through all rows and writes those whose destination it owns.
    const int64_t range = (p.size + kRanges - 1) / kRanges;
    parallel_for(p.outer * kRanges, 1, [&](int64_t b, int64_t e) {
      for (int64_t part = b; part < e; ++part) {
        const int64_t low = part % kRanges * range, high = low + range;
        for (int64_t i = 0; i < p.count; ++i)
          if (p.index[i] >= low && p.index[i] < high) write_row(t, from, p, s, part / kRanges, i, 0, p.inner, f);
      }
    });
    return;
  }
  const int64_t blocks = (p.inner + kColumns - 1) / kColumns;
  parallel_for(p.outer * blocks, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, p.count * std::min(p.inner, kColumns))), [&](int64_t b, int64_t e) {
    while (b < e) {                                           // neighbouring blocks of one o together: longer rows
      const int64_t o = b / blocks, last = std::min(e, (o + 1) * blocks);
      const int64_t begin = b % blocks * kColumns, end = std::min(p.inner, begin + (last - b) * kColumns);
      for (int64_t i = 0; i < p.count; ++i) write_row(t, from, p, s, o, i, begin, end, f);
      b = last;
    }
  });
}

}  // namespace

void write(const View& to, const Source& from, const Places& p, Combine how, Number alpha) {
  if (p.outer * p.count * p.inner == 0) return;
  visit_all(to.dtype, [&]<class T>() {
    switch (how) {
      case Combine::replace: return write_with<T>(to, from, p, Replace());
      case Combine::add: return alpha == Number(1) ? write_with<T>(to, from, p, AddOne()) : write_with<T>(to, from, p, Add{alpha});
      case Combine::multiply: return write_with<T>(to, from, p, Multiply());
      default:
        if constexpr (!is_complex_type<T>) return how == Combine::max ? write_with<T>(to, from, p, Max()) : write_with<T>(to, from, p, Min());
        else fail(Status::unsupported, "scatter: {} has no order", name(to.dtype));
    }
  });
}

}  // namespace gradus::kernels
