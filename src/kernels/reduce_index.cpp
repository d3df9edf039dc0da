// Where extreme elements are, and how ties share.
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "kernels/convert.h"
#include "kernels/reduce.h"
#include "kernels/reduce_space.h"
#include "kernels/reduce_table.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kWork = 32768;
constexpr int64_t kTile = 256;

template <class T> bool beats(bool largest, T x, T best) {    // the first one stays among equals; nothing beats a NaN
  if constexpr (std::is_floating_point_v<T>) {
    if (best != best) return false;
    if (x != x) return true;
  }
  return largest ? x > best : x < best;
}

template <class T> int64_t find_first(const T* x, int64_t n, T v) {
  if constexpr (std::is_same_v<T, float>) return find_f32(x, n, v);
  else if constexpr (std::is_same_v<T, double>) return find_f64(x, n, v);
  else return std::find(x, x + n, v) - x;
}
template <class T> T extreme(bool largest, const T* x, int64_t n) {
  const Reduction kind = largest ? Reduction::max : Reduction::min;
  if constexpr (std::is_same_v<T, float>) return static_cast<float>(reduce_loops_f32(kind).row(x, n, 0));
  else if constexpr (std::is_same_v<T, double>) return reduce_loops_f64(kind).row(x, n, 0);
  else return reduce_loops_i64(kind).row(x, n, 0);
}

template <class T> struct IndexReducer {
  bool largest;
  const View &values, &indices, &in;
  ReduceSpace space;
  Pack load;
  Unpack store;
  bool plain;

  void write(int64_t o, T value, int64_t index) const {
    indices.as<int64_t>()[o] = index;
    if (values.data) store(values.data + o * size_of(values.dtype), &value, 1, 1);
  }
  const char* at(int64_t offset) const { return in.data + offset * size_of(in.dtype); }

  // Blocks: the best of a block by vectors, then its place.
  void row(const Place& o) const {
    const Dim& d = space.reduced[0];
    T best{}, buffer[kTile];
    int64_t where = -1;
    const int64_t step = plain && d.in == 1 ? 4096 : kTile;
    for (int64_t i = 0; i < d.size; i += step) {
      const int64_t n = std::min(step, d.size - i);
      const T* x = reinterpret_cast<const T*>(at(o.in + i * d.in));
      if (step == kTile) {
        load(buffer, at(o.in + i * d.in), n, d.in);
        x = buffer;
      }
      const T v = extreme(largest, x, n);
      if (where >= 0 && !beats(largest, v, best)) continue;
      best = v;
      where = i + find_first(x, n, v);
    }
    write(o.out, best, where);
  }

  void tile(const Place& o, int64_t width) const {
    const Dim &along = space.inner_kept(), &d = space.reduced[0];
    T best[kTile], x[kTile];
    int64_t where[kTile] = {};
    load(best, at(o.in), width, along.in);
    for (int64_t r = 1; r < d.size; ++r) {
      load(x, at(o.in + r * d.in), width, along.in);
      for (int64_t j = 0; j < width; ++j) {
        const bool better = beats(largest, x[j], best[j]);
        best[j] = better ? x[j] : best[j];
        where[j] = better ? r : where[j];
      }
    }
    for (int64_t j = 0; j < width; ++j) write(o.out + j * along.out, best[j], where[j]);
  }

  void run() const {
    if (space.outputs == 0) return;
    if (!space.along_kept()) {
      parallel_for(space.outputs, std::max<int64_t>(1, kWork / space.count), [&](int64_t b, int64_t e) {
        for (int64_t i = b; i < e; ++i) row(place_of(space.kept, space.kept_dims, i));
      });
      return;
    }
    const Dim& along = space.inner_kept();
    const int64_t tiles = (along.size + kTile - 1) / kTile, items = space.outputs / along.size * tiles;
    parallel_for(items, std::max<int64_t>(1, kWork / (space.count * std::min(kTile, along.size))), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        Place o = place_of(space.kept, space.kept_dims - 1, i / tiles);
        o.in += i % tiles * kTile * along.in;
        o.out += i % tiles * kTile * along.out;
        tile(o, std::min(kTile, along.size - i % tiles * kTile));
      }
    });
  }
};

}  // namespace

void extreme_index(bool largest, const View& values, const View& indices, const View& in, int dim) {
  const Compute c = compute_of(in.dtype);
  const auto run = [&]<class T>() {
    IndexReducer<T>{largest, values, indices, in, ReduceSpace(in, uint64_t{1} << dim), pack_for(in.dtype, c),
                    values.data ? unpack_for(c, values.dtype) : nullptr, in.dtype == DtypeOf<T>::value}.run();
  };
  if (c == Compute::f64) run.template operator()<double>();
  else if (c == Compute::f32) run.template operator()<float>();
  else run.template operator()<int64_t>();
}

namespace {

template <class T> void mark_row(T* y, const T* x, int64_t stride, const T* v, const T* share, int64_t n, bool repeat) {
  if constexpr (std::is_same_v<T, float>) {
    if (stride == 1) return mark_f32(y, x, v, share, n, repeat);
  } else if constexpr (std::is_same_v<T, double>) {
    if (stride == 1) return mark_f64(y, x, v, share, n, repeat);
  }
  for (int64_t i = 0; i < n; ++i) {
    const int64_t k = repeat ? 0 : i;
    const double a = convert<double>(x[i * stride]), b = convert<double>(v[k]);
    y[i] = a == b || (a != a && b != b) ? share[k] : convert<T>(0.0);
  }
}

}  // namespace

// One pass counts, one writes.
void share_among_ties(const View& out, const View& grad, const View& in, const View& value, uint64_t dims) {
  if (out.numel == 0) return;
  const int inner = in.ndim - 1;
  const int64_t results = value.numel, n = in.ndim > 0 ? in.sizes[inner] : 1;
  std::vector<double> center(static_cast<size_t>(results)), count(static_cast<size_t>(results));
  copy_for(value.dtype, Dtype::f64)(reinterpret_cast<char*>(center.data()), value.data, results, 1, 1);
  View counts{reinterpret_cast<char*>(count.data()), Dtype::f64, 1, &results, nullptr, results, true};
  reduce({.kind = Reduction::count_equal, .out = counts, .in = in, .dims = dims, .center = center.data()});
  int64_t step[kMaxDims], run = 1;                            // of grad and value in in's index space
  for (int d = inner; d >= 0; --d) {
    step[d] = dims >> d & 1 ? 0 : run;
    if (!(dims >> d & 1)) run *= in.sizes[d];
  }
  const bool repeat = in.ndim == 0 || step[inner] == 0;
  const auto write = [&]<class T>() {
    std::vector<T> share(static_cast<size_t>(results));
    for (int64_t i = 0; i < results; ++i) share[static_cast<size_t>(i)] = convert<T>(convert<double>(grad.as<T>()[i]) / count[static_cast<size_t>(i)]);
    parallel_for(out.numel / n, std::max<int64_t>(1, kWork / n), [&](int64_t b, int64_t e) {
      for (int64_t row = b; row < e; ++row) {
        int64_t rest = row, x = 0, v = 0;
        for (int d = inner - 1; d >= 0; --d) {
          x += rest % in.sizes[d] * in.strides[d];
          v += rest % in.sizes[d] * step[d];
          rest /= in.sizes[d];
        }
        mark_row(out.as<T>() + row * n, in.as<T>() + x, in.ndim > 0 ? in.strides[inner] : 1, value.as<T>() + v, share.data() + v, n, repeat);
      }
    });
  };
  if (in.dtype == Dtype::f64) write.template operator()<double>();
  else if (in.dtype == Dtype::f16) write.template operator()<Half>();
  else if (in.dtype == Dtype::bf16) write.template operator()<BFloat16>();
  else write.template operator()<float>();
}

}  // namespace gradus::kernels
