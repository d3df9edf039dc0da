#include "kernels/optimize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "kernels/convert.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16384;                             // elements of a piece
constexpr int64_t kBlock = 256;                               // elements that are converted at a time

// Whether element i of each array is the i-th in memory.
bool is_flat(const View* v, int n) {
  if (std::all_of(v, v + n, [](const View& a) { return a.contiguous; })) return true;
  const SizesRef sizes = v[0].shape();
  const SizesRef strides(v[0].strides, sizes.size());
  return is_dense(sizes, strides) && std::all_of(v + 1, v + n, [&](const View& a) { return same({a.strides, sizes.size()}, strides); });
}

// f(count, offsets) for the rows of [begin, end) in row-major order, at most kBlock elements each along the last dim; offsets and
// steps in elements, by array.
template <class F> void for_each_row(const View* v, int n, int64_t begin, int64_t end, const F& f) {
  const int inner = v[0].ndim - 1;
  int64_t at[kMaxArrays], step[kMaxArrays];
  while (begin < end) {
    int64_t rest = begin, count = 1;
    std::fill_n(at, n, 0);
    std::fill_n(step, n, 0);
    for (int d = inner; d >= 0; --d) {
      const int64_t size = v[0].sizes[d], index = rest % size;
      rest /= size;
      for (int k = 0; k < n; ++k) at[k] += index * v[k].strides[d];
      if (d == inner) count = std::min({size - index, end - begin, kBlock});
    }
    if (inner >= 0)
      for (int k = 0; k < n; ++k) step[k] = v[k].strides[inner];
    f(count, at, step);
    begin += count;
  }
}
template <class F> void for_each_block(bool flat, const View* v, int n, int64_t begin, int64_t end, const F& f) {
  if (!flat) return for_each_row(v, n, begin, end, f);
  int64_t at[kMaxArrays], step[kMaxArrays];
  std::fill_n(step, n, 1);
  for (; begin < end; begin += kBlock) {
    std::fill_n(at, n, begin);
    f(std::min(kBlock, end - begin), at, step);
  }
}

// What the pieces of one parameter have in common.
struct Plan {
  const Update* u;
  int arrays;
  bool flat, direct;                                          // direct: computed on where it lies
  int64_t size;                                               // of a computed element
  UpdateFn run;
  Pack pack;
  Unpack unpack;
  explicit Plan(const Update& update) : u(&update), arrays(arrays_of(update.rule)), flat(is_flat(update.array, arrays)) {
    const Dtype type = update.array[0].dtype;
    const Compute c = compute_of(type);
    direct = flat && dtype_of(c) == type;
    size = size_of(dtype_of(c));
    run = update_fn(update.rule, c == Compute::f64);
    pack = pack_for(type, c);
    unpack = unpack_for(c, type);
  }
  void operator()(int64_t begin, int64_t end) const {
    UpdateStrip s{end - begin, {}, &u->step};
    if (direct) {
      for (int k = 0; k < arrays; ++k) s.array[k] = u->array[k].data + begin * size;
      return run(s);
    }
    const int64_t bytes = size_of(u->array[0].dtype);
    alignas(64) char packed[kMaxArrays][kBlock * 8];
    for_each_block(flat, u->array, arrays, begin, end, [&](int64_t count, const int64_t* at, const int64_t* step) {
      s.n = count;
      for (int k = 0; k < arrays; ++k) {
        pack(packed[k], u->array[k].data + at[k] * bytes, count, step[k]);
        s.array[k] = packed[k];
      }
      run(s);
      for (int k = 0; k < arrays; ++k)
        if (k != 1) unpack(u->array[k].data + at[k] * bytes, packed[k], count, step[k]);
    });
  }
};

// Where each array begins in all of them laid end to end; one more entry for the end.
template <class T, class N> std::vector<int64_t> ends_of(std::span<const T> all, const N& numel) {
  std::vector<int64_t> ends{0};
  ends.reserve(all.size() + 1);
  for (const T& a : all) ends.push_back(ends.back() + numel(a));
  return ends;
}
// f(array, begin, end) for the parts of arrays that [begin, end) of all of them covers.
template <class F> void for_each_part(const std::vector<int64_t>& ends, int64_t begin, int64_t end, const F& f) {
  size_t i = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), begin) - ends.begin()) - 1;
  for (; begin < end; ++i) {
    const int64_t stop = std::min(end, ends[i + 1]);
    if (stop > begin) f(i, begin - ends[i], stop - ends[i]);
    begin = stop;
  }
}

double sum_of_view(const View& v, bool flat, int64_t begin, int64_t end, double p) {
  const bool any = p != 1 && p != 2 && !std::isinf(p);
  const Sum what = p == 2 ? Sum::squares : p == 1 ? Sum::absolutes : Sum::largest;
  if (flat && !any && v.dtype == Dtype::f32) return sum_of(what, v.as<float>() + begin, end - begin);
  if (flat && !any && v.dtype == Dtype::f64) return sum_of(what, v.as<double>() + begin, end - begin);
  const Pack pack = pack_for(v.dtype, Compute::f64);
  double total = 0;
  for_each_block(flat, &v, 1, begin, end, [&](int64_t count, const int64_t* at, const int64_t* step) {
    double x[kBlock];
    pack(x, v.data + at[0] * size_of(v.dtype), count, step[0]);
    if (!any) {
      const double part = sum_of(what, x, count);
      total = what != Sum::largest ? total + part : part > total || part != part ? part : total;
    } else {
      for (int64_t i = 0; i < count; ++i) total += p == 0 ? x[i] != 0 : std::pow(std::abs(x[i]), p);
    }
  });
  return total;
}

}  // namespace

void update(std::span<const Update> updates) {
  const auto ends = ends_of(updates, [](const Update& u) { return u.array[0].numel; });
  std::vector<Plan> plans;
  plans.reserve(updates.size());
  for (const Update& u : updates) plans.emplace_back(u);
  parallel_for(ends.back(), kGrain, [&](int64_t begin, int64_t end) {
    for_each_part(ends, begin, end, [&](size_t i, int64_t from, int64_t to) { plans[i](from, to); });
  });
}

double norm(std::span<const View> arrays, double p) {
  const auto ends = ends_of(arrays, [](const View& v) { return v.numel; });
  std::vector<double> parts(static_cast<size_t>((ends.back() + kGrain - 1) / kGrain));
  const bool largest = std::isinf(p);
  const auto join = [largest](double a, double b) { return !largest ? a + b : b > a || b != b ? b : a; };
  parallel_for(ends.back(), kGrain, [&](int64_t begin, int64_t end) {
    double& part = parts[static_cast<size_t>(begin / kGrain)];
    for_each_part(ends, begin, end, [&](size_t i, int64_t from, int64_t to) {
      part = join(part, sum_of_view(arrays[i], is_flat(&arrays[i], 1), from, to, p));
    });
  });
  double total = 0;
  for (double part : parts) total = join(total, part);
  return p == 2 ? std::sqrt(total) : p == 0 || p == 1 || largest ? total : std::pow(total, 1 / p);
}

}  // namespace gradus::kernels
