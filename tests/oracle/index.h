// Arrays made element by element, from a function of the index.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>

#include "oracle/oracle.h"

namespace gradus::oracle {

using Index = std::vector<int64_t>;

// The array whose element at an index is f(index).
inline Array made(const Index& sizes, const std::function<double(const Index&)>& f) {
  Array out(sizes);
  Index at(sizes.size(), 0);
  for (double& v : out.values) {
    v = f(at);
    step(at, sizes);
  }
  return out;
}
inline size_t wrap(int64_t dim, size_t ndim) { return static_cast<size_t>(dim < 0 ? dim + static_cast<int64_t>(std::max<size_t>(ndim, 1)) : dim); }
inline Index without(Index i, size_t d) { i.erase(i.begin() + static_cast<int64_t>(d)); return i; }
inline Index with(Index i, size_t d, int64_t v) { i.insert(i.begin() + static_cast<int64_t>(d), v); return i; }
inline Index set(Index i, size_t d, int64_t v) { i[d] = v; return i; }

inline Array reshaped(Array a, Index sizes) {
  int64_t known = 1;
  for (int64_t s : sizes) known *= s == -1 ? 1 : s;
  for (int64_t& s : sizes)
    if (s == -1) s = static_cast<int64_t>(a.values.size()) / known;
  a.sizes = sizes;
  return a;
}
inline Array permuted(const Array& x, const Index& dims) {
  Index sizes;
  for (int64_t d : dims) sizes.push_back(x.sizes[wrap(d, x.ndim())]);
  return made(sizes, [&](const Index& i) {
    Index from(i.size());
    for (size_t k = 0; k < i.size(); ++k) from[wrap(dims[k], x.ndim())] = i[k];
    return x.at(from);
  });
}
inline Array swapped(const Array& x, int64_t a, int64_t b) {
  Index dims;
  for (size_t d = 0; d < x.ndim(); ++d) dims.push_back(static_cast<int64_t>(d));
  if (!dims.empty()) std::swap(dims[wrap(a, x.ndim())], dims[wrap(b, x.ndim())]);
  return permuted(x, dims);
}
inline Array selected(const Array& x, size_t d, int64_t i) {
  return made(without(x.sizes, d), [&](const Index& at) { return x.at(with(at, d, i < 0 ? i + x.sizes[d] : i)); });
}
// base with the elements that f chooses of it (all indices of `region`) set from src.
inline Array replaced(Array base, const Index& region, const std::function<Index(const Index&)>& place, const Array& src, bool add = false) {
  Index at(region.size(), 0);
  for (int64_t k = Array::count(region); k > 0; --k) {
    double& v = base.at(place(at));
    v = add ? v + src.at(at) : src.at(at);
    step(at, region);
  }
  return base;
}
inline Array expanded(const Array& x, Index sizes) {
  for (size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] == -1) sizes[d] = x.sizes[d - (sizes.size() - x.ndim())];
  return made(sizes, [&](const Index& i) { return x.read(i); });
}
inline Array at_least(Array x, size_t n) {
  if (x.ndim() == 0) x.sizes = Index(n, 1);
  if (x.ndim() == 1 && n > 1) x.sizes = {1, x.sizes[0]};
  if (x.ndim() == 2 && n > 2) x.sizes.push_back(1);
  return x;
}
inline Array number(double v) { Array a{Index{}}; a.values[0] = v; return a; }

}  // namespace gradus::oracle
