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

// One pass counts, one writes; in double.
void share_of_ties(const View& out, const View& in, const View& value, uint64_t dims) {
  const ReduceSpace s(in, dims);
  if (s.outputs == 0 || s.count == 0) return;
  Dim all[kMaxDims + 1];                                      // the reduced dims again, with the strides of `out`, which has in's shape
  int n = 0;
  for (int d = 0; d < in.ndim; ++d)
    if (dims >> d & 1) all[n++] = {in.sizes[d], in.strides[d], out.strides[d]};
  collapse(all, n);
  int64_t kept_out[kMaxDims], kept_size[kMaxDims], kept_in[kMaxDims];
  int kept = 0;
  for (int d = 0; d < in.ndim; ++d)
    if (!(dims >> d & 1)) { kept_out[kept] = out.strides[d]; kept_in[kept] = in.strides[d]; kept_size[kept++] = in.sizes[d]; }
  visit(in.dtype, [&]<class T>() {
    parallel_for(s.outputs, std::max<int64_t>(1, kWork / s.count), [&](int64_t b, int64_t e) {
      for (int64_t o = b; o < e; ++o) {
        int64_t rest = o, in_at = 0, out_at = 0;
        for (int d = kept - 1; d >= 0; --d) {
          in_at += rest % kept_size[d] * kept_in[d];
          out_at += rest % kept_size[d] * kept_out[d];
          rest /= kept_size[d];
        }
        const double v = convert<double>(value.as<T>()[o]);
        const Dim inner = all[n - 1];
        const auto tied = [v](T x) { const double y = convert<double>(x); return y == v || (y != y && v != v); };
        int64_t ties = 0;
        for (int64_t r = 0; r < s.count / inner.size; ++r) {
          const T* x = in.as<T>() + in_at + place_of(all, n - 1, r).in;
          for (int64_t i = 0; i < inner.size; ++i) ties += tied(x[i * inner.in]);
        }
        const T share = convert<T>(1.0 / static_cast<double>(ties)), none = convert<T>(0.0);
        for (int64_t r = 0; r < s.count / inner.size; ++r) {
          const Place p = place_of(all, n - 1, r);
          const T* x = in.as<T>() + in_at + p.in;
          T* y = out.as<T>() + out_at + p.out;
          for (int64_t i = 0; i < inner.size; ++i) y[i * inner.out] = tied(x[i * inner.in]) ? share : none;
        }
      }
    });
  });
}

}  // namespace gradus::kernels
