#include "kernels/sort.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/parallel.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kWork = 4096;

// body(offset of the line's first element, its number) for every line.
template <class Body> void each_line(Lines l, const Body& body) {
  parallel_for(l.outer * l.inner, std::max<int64_t>(1, kWork / std::max<int64_t>(1, l.n)), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) body(i / l.inner * l.n * l.inner + i % l.inner, i);
  });
}

// Elements in the type in which they are ordered.
template <class T> using Key = std::conditional_t<std::is_integral_v<T>, T, std::conditional_t<std::is_same_v<T, double>, double, float>>;
template <class T> struct Entry { Key<T> key; int64_t index; };

template <class K> bool is_nan(K x) { return x != x; }
template <class K> bool before(K a, K b) { return a < b || (is_nan(b) && !is_nan(a)); }       // NaN last
template <class K> bool same_key(K a, K b) { return a == b || (is_nan(a) && is_nan(b)); }

template <class T> void load(std::vector<Entry<T>>& line, const T* x, Lines l) {
  line.resize(static_cast<size_t>(l.n));
  for (int64_t j = 0; j < l.n; ++j) line[static_cast<size_t>(j)] = {convert<Key<T>>(x[j * l.inner]), j};
}

// Types of at most 32 bits: an unsigned number in the same order, NaN the largest and -0 equal to 0.
template <class T> inline constexpr bool has_short_key = !std::is_same_v<T, double> && !std::is_same_v<T, int64_t>;
template <class T> uint32_t short_key(T x) {
  if constexpr (std::is_integral_v<T>) return static_cast<uint32_t>(static_cast<int32_t>(x)) ^ 0x80000000u;
  else {
    const float f = convert<float>(x) + 0.0f;
    if (f != f) return UINT32_MAX;
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
  }
}

// Keys with their places below, in ascending order: stable passes over the digits of the key that differ.
void sort_keys(std::vector<uint64_t>& keys, std::vector<uint64_t>& other) {
  const size_t n = keys.size();
  if (n < 256) return std::sort(keys.begin(), keys.end());
  other.resize(n);
  for (int shift = 32; shift < 64; shift += 8) {
    size_t count[256] = {};
    for (uint64_t k : keys) ++count[k >> shift & 255];
    if (count[keys[0] >> shift & 255] == n) continue;
    size_t sum = 0;
    for (size_t& c : count) sum += std::exchange(c, sum);
    for (uint64_t k : keys) other[count[k >> shift & 255]++] = k;
    keys.swap(other);
  }
}
template <class T> void sort_short(T* values, int64_t* indices, const T* x, Lines l, int64_t k, bool descending) {
  std::vector<uint64_t> keys(static_cast<size_t>(l.n)), other;
  for (int64_t j = 0; j < l.n; ++j) {
    const uint32_t key = short_key(x[j * l.inner]);
    keys[static_cast<size_t>(j)] = static_cast<uint64_t>(descending ? ~key : key) << 32 | static_cast<uint64_t>(j);
  }
  if (k * 8 < l.n) std::partial_sort(keys.begin(), keys.begin() + k, keys.end());
  else sort_keys(keys, other);
  for (int64_t j = 0; j < k; ++j) {
    const auto from = static_cast<int64_t>(keys[static_cast<size_t>(j)] & UINT32_MAX);
    values[j * l.inner] = x[from * l.inner];
    if (indices) indices[j * l.inner] = from;
  }
}

template <class T> void sort_line(T* values, int64_t* indices, const T* x, Lines l, int64_t k, bool descending, std::vector<Entry<T>>& line) {
  if constexpr (has_short_key<T>)
    if (l.n <= UINT32_MAX) return sort_short(values, indices, x, l, k, descending);
  load(line, x, l);
  // Ties go by index, so any sort is stable.
  const auto order = [descending](const Entry<T>& a, const Entry<T>& b) {
    if (descending ? before(b.key, a.key) : before(a.key, b.key)) return true;
    if (descending ? before(a.key, b.key) : before(b.key, a.key)) return false;
    return a.index < b.index;
  };
  if (k * 8 < l.n) std::partial_sort(line.begin(), line.begin() + k, line.end(), order);
  else std::sort(line.begin(), line.end(), order);
  for (int64_t j = 0; j < k; ++j) {
    const int64_t from = line[static_cast<size_t>(j)].index;
    values[j * l.inner] = x[from * l.inner];
    if (indices) indices[j * l.inner] = from;
  }
}

template <class T> void rank_line(T* value, int64_t* index, const T* x, Lines l, Rank rank, std::vector<Entry<T>>& line) {
  load(line, x, l);
  int64_t numbers = 0, first_nan = -1;
  for (const Entry<T>& e : line) {
    if (!is_nan(e.key)) ++numbers;
    else if (first_nan < 0) first_nan = e.index;
  }
  int64_t where = first_nan;
  if (first_nan < 0 || (!rank.nan_wins && (!rank.middle || numbers > 0))) {
    const int64_t k = rank.middle ? (numbers - 1) / 2 : rank.k;
    std::nth_element(line.begin(), line.begin() + k, line.end(), [](const Entry<T>& a, const Entry<T>& b) {
      return before(a.key, b.key) || (same_key(a.key, b.key) && a.index < b.index);
    });
    where = line[static_cast<size_t>(k)].index;
    for (int64_t j = 0; j < l.n; ++j)
      if (same_key(convert<Key<T>>(x[j * l.inner]), line[static_cast<size_t>(k)].key)) { where = j; break; }
  }
  *value = x[where * l.inner];
  *index = where;
}

template <class T> void mode_line(T* value, int64_t* index, const T* x, Lines l, std::vector<Entry<T>>& line) {
  load(line, x, l);
  std::sort(line.begin(), line.end(), [](const Entry<T>& a, const Entry<T>& b) {
    return before(a.key, b.key) || (same_key(a.key, b.key) && a.index < b.index);
  });
  size_t best = 0, longest = 0;
  for (size_t begin = 0, end; begin < line.size(); begin = end) {
    for (end = begin + 1; end < line.size() && same_key(line[end].key, line[begin].key);) ++end;
    if (end - begin > longest) { longest = end - begin; best = end - 1; }
  }
  *index = line[best].index;
  *value = x[line[best].index * l.inner];
}

}  // namespace

void take_along(Dtype dtype, void* to, const void* from, const int64_t* index, Lines l, int64_t k) {
  visit(dtype, [&]<class T>() {
    each_line(l, [&](int64_t at, int64_t i) {
      const int64_t out = i / l.inner * k * l.inner + i % l.inner;
      for (int64_t j = 0; j < k; ++j)
        static_cast<T*>(to)[out + j * l.inner] = static_cast<const T*>(from)[at + index[out + j * l.inner] * l.inner];
    });
  });
}

void add_along(Dtype dtype, void* to, const void* from, const int64_t* index, Lines l, int64_t k) {
  visit(dtype, [&]<class T>() {
    each_line(l, [&](int64_t at, int64_t i) {
      const int64_t in = i / l.inner * k * l.inner + i % l.inner;
      for (int64_t j = 0; j < k; ++j) {
        T& e = static_cast<T*>(to)[at + index[in + j * l.inner] * l.inner];
        const T x = static_cast<const T*>(from)[in + j * l.inner];
        if constexpr (std::is_integral_v<T>) e = static_cast<T>(e + x);
        else e = convert<T>(convert<Key<T>>(e) + convert<Key<T>>(x));
      }
    });
  });
}

void sort(Dtype dtype, void* values, int64_t* indices, const void* in, Lines l, int64_t k, bool descending) {
  visit(dtype, [&]<class T>() {
    each_line(l, [&](int64_t at, int64_t i) {
      std::vector<Entry<T>> line;
      const int64_t out = i / l.inner * k * l.inner + i % l.inner;
      sort_line(static_cast<T*>(values) + out, indices ? indices + out : nullptr, static_cast<const T*>(in) + at, l, k, descending, line);
    });
  });
}

void select_rank(Dtype dtype, void* values, int64_t* indices, const void* in, Lines l, Rank rank) {
  visit(dtype, [&]<class T>() {
    each_line(l, [&](int64_t at, int64_t i) {
      std::vector<Entry<T>> line;
      rank_line(static_cast<T*>(values) + i, indices + i, static_cast<const T*>(in) + at, l, rank, line);
    });
  });
}

void mode(Dtype dtype, void* values, int64_t* indices, const void* in, Lines l) {
  visit(dtype, [&]<class T>() {
    each_line(l, [&](int64_t at, int64_t i) {
      std::vector<Entry<T>> line;
      mode_line(static_cast<T*>(values) + i, indices + i, static_cast<const T*>(in) + at, l, line);
    });
  });
}

}  // namespace gradus::kernels
