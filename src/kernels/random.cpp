#include "kernels/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/copy.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kChunk = 1024;                              // elements at a time: their words stay in the first-level cache
constexpr int64_t kGrain = 16 * kChunk;

Stream from(Stream s, int64_t word) { return {s.seed, s.block + static_cast<uint64_t>(word) / 4}; }

// fill(to, first, n) writes elements first … first + n - 1 of the array to `to`; the array may have any strides.
template <class T, class Fill> void by_chunks(const View& out, const Fill& fill) {
  if (out.numel == 0) return;
  const auto run = [&](T* to) {
    parallel_for(out.numel, kGrain, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; i += kChunk) fill(to + i, i, std::min(kChunk, e - i));
    });
  };
  if (out.contiguous) return run(out.as<T>());
  const Scratch scratch(static_cast<size_t>(out.numel) * sizeof(T));
  run(scratch.as<T>());
  const Sizes strides = contiguous_strides(out.shape());
  copy(out, View{scratch.as<char>(), out.dtype, out.ndim, out.sizes, strides.data(), out.numel, true});
}

// Each element as a function of 64 bits, and of its index.
template <class F> void by_bits(const View& out, Stream s, const F& f) {
  visit(out.dtype, [&]<class T>() {
    by_chunks<T>(out, [&](T* to, int64_t first, int64_t n) {
      alignas(64) uint64_t bits[kChunk];
      random_words(from(s, 2 * first), (n + 1) / 2, reinterpret_cast<uint32_t*>(bits));
      for (int64_t i = 0; i < n; ++i) to[i] = convert<T>(f(bits[i], first + i));
    });
  });
}

double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }             // [0, 1)
double open_unit(uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }  // (0, 1)

// The digits of a dtype, and its largest value under `to`.
template <class T> constexpr int digits() { return std::is_same_v<T, double> ? 53 : std::is_same_v<T, float> ? 24 : std::is_same_v<T, Half> ? 11 : 8; }
template <class T> double below(double to) {
  const double t = convert<double>(convert<T>(to));
  const int e = std::ilogb(t == 0 ? 1.0 : t);
  return t < to ? t : t == 0 ? -0x1p-24 : t - std::scalbn(t > 0 && std::scalbn(1.0, e) == t ? 0.5 : 1.0, e - digits<T>() + 1);
}

}  // namespace

void uniform(const View& out, Stream s, double from_value, double to_value) {
  visit(out.dtype, [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      const double most = from_value < to_value ? std::max(below<T>(to_value), from_value) : from_value;
      const UniformRange range{from_value, to_value - from_value, most};
      by_chunks<T>(out, [&](T* to, int64_t first, int64_t n) {
        constexpr int words = words_of(DtypeOf<T>::value);
        alignas(64) uint32_t bits[2 * kChunk];
        random_words(from(s, words * first), (words * n + 3) / 4, bits);
        if constexpr (words == 2) uniform_doubles(reinterpret_cast<const uint64_t*>(bits), n, range, to);
        else if constexpr (std::is_same_v<T, float>) uniform_floats(bits, n, digits<T>(), range, to);
        else {
          alignas(64) float values[kChunk];
          uniform_floats(bits, n, digits<T>(), range, values);
          for (int64_t i = 0; i < n; ++i) to[i] = convert<T>(values[i]);
        }
      });
    }
  });
}

void normal(const View& out, Stream s, double mean, double std) {
  visit(out.dtype, [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      constexpr int words = words_of(DtypeOf<T>::value);
      by_chunks<T>(out, [&](T* to, int64_t first, int64_t n) {
        alignas(64) uint32_t bits[2 * kChunk];
        random_words(from(s, words * first), (words * (n + n % 2) + 3) / 4, bits);
        using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
        alignas(64) C values[kChunk];
        if constexpr (words == 2) normal_doubles(reinterpret_cast<const uint64_t*>(bits), (n + 1) / 2, mean, std, values);
        else normal_floats(bits, (n + 1) / 2, static_cast<float>(mean), static_cast<float>(std), values);
        for (int64_t i = 0; i < n; ++i) to[i] = convert<T>(values[i]);
      });
    }
  });
}

void exponential(const View& out, Stream s, double rate) {
  by_bits(out, s, [=](uint64_t bits, int64_t) { return -std::log(open_unit(bits)) / rate; });
}
void cauchy(const View& out, Stream s, double median, double scale) {
  by_bits(out, s, [=](uint64_t bits, int64_t) { return median + scale * std::tan(M_PI * (open_unit(bits) - 0.5)); });
}
void log_normal(const View& out, Stream s, double mean, double std) {
  const Scratch scratch(static_cast<size_t>(out.numel) * sizeof(double));
  const Sizes strides = contiguous_strides(out.shape());
  const View values{scratch.as<char>(), Dtype::f64, out.ndim, out.sizes, strides.data(), out.numel, true};
  normal(values, s, mean, std);
  auto* v = scratch.as<double>();
  parallel_for(out.numel, kGrain, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) v[i] = std::exp(v[i]);
  });
  copy(out, values);
}
void geometric(const View& out, Stream s, double p) {
  const double per_failure = std::log1p(-p);                  // p = 1: -inf, and the first try succeeds
  by_bits(out, s, [=](uint64_t bits, int64_t) { return std::max(1.0, std::ceil(std::log(open_unit(bits)) / per_failure)); });
}

// The upper half of a 128-bit product spreads 64 bits over the range with a bias under count / 2^64.
void integers(const View& out, Stream s, int64_t low, uint64_t count) {
  by_bits(out, s, [=](uint64_t bits, int64_t) {
    const uint64_t offset = count == 0 ? bits : static_cast<uint64_t>((static_cast<unsigned __int128>(bits) * count) >> 64);
    return static_cast<int64_t>(static_cast<uint64_t>(low) + offset);
  });
}

void bernoulli(const View& out, Stream s, double p) {
  by_bits(out, s, [=](uint64_t bits, int64_t) { return static_cast<int64_t>(unit(bits) < p); });
}
void bernoulli(const View& out, Stream s, const View& p) {
  const Scratch scratch(static_cast<size_t>(out.numel) * sizeof(double));
  const Sizes strides = contiguous_strides(out.shape());
  copy(View{scratch.as<char>(), Dtype::f64, out.ndim, out.sizes, strides.data(), out.numel, true}, p);
  const auto* values = scratch.as<double>();
  by_bits(out, s, [=](uint64_t bits, int64_t i) { return static_cast<int64_t>(unit(bits) < values[i]); });
}

namespace {
template <class T> using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;
// The mask by words, or as it is.
template <class T> void keep(const uint32_t* words, uint64_t dropped, const T* in, double scale, int64_t n, bool* mask, T* to) {
  if constexpr (std::is_same_v<T, float>) {
    if (dropped <= UINT32_MAX) return keep_floats(words, static_cast<uint32_t>(dropped), in, static_cast<float>(scale), n, mask, to);
  }
  if (words)
    for (int64_t i = 0; i < n; ++i) mask[i] = words[i] >= dropped;
  for (int64_t i = 0; i < n; ++i) to[i] = convert<T>(mask[i] ? convert<Compute<T>>(in[i]) * static_cast<Compute<T>>(scale) : Compute<T>(0));
}
}  // namespace

void dropout(const View& out, const View& mask, const View& in, Stream s, double p) {
  const double scale = p < 1 ? 1 / (1 - p) : 0;
  const auto dropped = static_cast<uint64_t>(std::llround(p * 0x1p32));       // of 2^32 words
  visit(out.dtype, [&]<class T>() {
    parallel_for(out.numel, kGrain, [&](int64_t b, int64_t e) {
      alignas(64) uint32_t bits[kChunk];
      for (int64_t i = b; i < e; i += kChunk) {
        const int64_t n = std::min(kChunk, e - i);
        random_words(from(s, i), (n + 3) / 4, bits);
        keep(bits, dropped, in.as<T>() + i, scale, n, mask.as<bool>() + i, out.as<T>() + i);
      }
    });
  });
}
void masked(const View& out, const View& in, const View& mask, double scale) {
  visit(out.dtype, [&]<class T>() {
    parallel_for(out.numel, kGrain, [&](int64_t b, int64_t e) {
      keep<T>(nullptr, 0, in.as<T>() + b, scale, e - b, mask.as<bool>() + b, out.as<T>() + b);
    });
  });
}

// Fisher and Yates: place i gets one of those still left.
void permutation(const View& out, Stream s) {
  const int64_t n = out.numel;
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  uint64_t bits[kChunk];
  for (int64_t i = 0; i < n; ++i) {
    if (i % kChunk == 0) random_words(from(s, 2 * i), kChunk / 2, reinterpret_cast<uint32_t*>(bits));
    const auto left = static_cast<unsigned __int128>(n - i);
    const auto pick = i + static_cast<int64_t>((static_cast<unsigned __int128>(bits[i % kChunk]) * left) >> 64);
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(pick)]);
  }
  visit(out.dtype, [&]<class T>() {
    for (int64_t i = 0; i < n; ++i) out.as<T>()[i] = convert<T>(order[static_cast<size_t>(i)]);
  });
}

namespace {

// With replacement: where each draw falls among the running sums.
void draw_again(const double* p, int64_t n, const uint64_t* bits, int64_t draws, int64_t* out) {
  std::vector<double> sums(static_cast<size_t>(n));
  std::partial_sum(p, p + n, sums.begin());
  for (int64_t i = 0; i < draws; ++i) {
    auto at = std::upper_bound(sums.begin(), sums.end(), unit(bits[i]) * sums.back()) - sums.begin();
    while (at == n || p[at] == 0) --at;                       // rounding at the end never picks what is impossible
    out[i] = at;
  }
}
// Without: the smallest of exponential times divided by the probabilities.
void draw_once(const double* p, int64_t n, const uint64_t* bits, int64_t draws, int64_t* out) {
  std::vector<std::pair<double, int64_t>> times(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) times[static_cast<size_t>(i)] = {p[i] > 0 ? -std::log(open_unit(bits[i])) / p[i] : HUGE_VAL, i};
  std::partial_sort(times.begin(), times.begin() + draws, times.end());
  for (int64_t i = 0; i < draws; ++i) out[i] = times[static_cast<size_t>(i)].second;
}

}  // namespace

void multinomial(const View& out, const View& p, Stream s, bool replacement) {
  const int64_t n = p.sizes[p.ndim - 1], rows = p.ndim == 2 ? p.sizes[0] : 1, draws = out.sizes[out.ndim - 1];
  const int64_t bits_per_row = replacement ? draws : n;
  const Scratch scratch(static_cast<size_t>(p.numel) * sizeof(double));
  const Sizes strides = contiguous_strides(p.shape());
  copy(View{scratch.as<char>(), Dtype::f64, p.ndim, p.sizes, strides.data(), p.numel, true}, p);
  const auto* values = scratch.as<double>();
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    int64_t possible = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double v = values[r * n + i];
      GRADUS_CHECK(v >= 0 && std::isfinite(v), value, "multinomial: probability {} at {} of row {}", v, i, r);
      sum += v;
      possible += v > 0;
    }
    GRADUS_CHECK(sum > 0, value, "multinomial: the probabilities of row {} sum to 0", r);
    GRADUS_CHECK(replacement || possible >= draws, value, "multinomial: {} draws without replacement from {} possible categories", draws, possible);
  }
  parallel_for(rows, 1, [&](int64_t b, int64_t e) {
    std::vector<uint64_t> bits(static_cast<size_t>(bits_per_row + 2));
    for (int64_t r = b; r < e; ++r) {                         // each row begins at a block of its own
      random_words(from(s, r * ((2 * bits_per_row + 3) / 4 * 4)), (2 * bits_per_row + 3) / 4, reinterpret_cast<uint32_t*>(bits.data()));
      (replacement ? draw_again : draw_once)(values + r * n, n, bits.data(), draws, out.as<int64_t>() + r * draws);
    }
  });
}

}  // namespace gradus::kernels
