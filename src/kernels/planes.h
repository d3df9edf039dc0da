// Loops over the planes of images, and the types that their sums are made in. Private to the kernels.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/complex.h"

namespace gradus::kernels {

// What sums and comparisons are made in.
template <class T> struct Wide { using Type = int64_t; };
template <> struct Wide<float> { using Type = float; };
template <> struct Wide<double> { using Type = double; };
template <class T> struct Wide<Complex<T>> { using Type = Complex<T>; };
template <> struct Wide<Half> { using Type = float; };
template <> struct Wide<BFloat16> { using Type = float; };
template <class T> using WideOf = typename Wide<T>::Type;

template <class Body> void each_plane(int64_t planes, int64_t work, const Body& body) {
  parallel_for(planes, std::max<int64_t>(1, 16384 / std::max<int64_t>(work, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) body(p);
  });
}

// to = what add(sums) adds to zeros, rounded once.
template <class T, class Add> void sum_into(T* to, int64_t elements, const Add& add) {
  using W = WideOf<T>;
  if constexpr (std::is_same_v<T, W>) {
    std::fill_n(to, elements, W(0));
    add(to);
  } else {
    const Scratch memory(static_cast<size_t>(elements) * sizeof(W));
    W* const sums = memory.as<W>();
    std::fill_n(sums, elements, W(0));
    add(sums);
    for (int64_t e = 0; e < elements; ++e) to[e] = convert<T>(sums[e]);
  }
}

}  // namespace gradus::kernels
