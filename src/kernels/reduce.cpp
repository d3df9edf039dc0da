#include "kernels/reduce.h"

#include <cmath>
#include <memory>
#include <vector>

#include "base/parallel.h"
#include "kernels/convert.h"
#include "kernels/reduce_space.h"
#include "kernels/reduce_table.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kWork = 32768;                              // elements that are worth a part of their own
constexpr int64_t kBuffer = 2048;                             // elements converted at a time

double finished(double total, const Reduce& r, int64_t output) {
  total /= r.divisor;
  switch (r.finish) {
    case Finish::square_root: return std::sqrt(total);
    case Finish::power: return std::pow(total, 1 / r.power);
    case Finish::nonzero: return total != 0;
    case Finish::zero: return total == 0;
    case Finish::log: return std::log(total);
    case Finish::log_plus: return std::log(total) + r.center[output];
    default: return total;
  }
}
int64_t finished(int64_t total, const Reduce& r, int64_t) {
  return r.finish == Finish::nonzero ? total != 0 : r.finish == Finish::zero ? total == 0 : total;
}

// One reduction in elements of type T with totals of type Acc.
template <class T, class Acc> class Reducer {
 public:
  Reducer(const Reduce& r, const ReduceLoops<T, Acc>& loops, Compute compute)
      : r_(r), loops_(loops), space_(r.in, r.dims), in_size_(size_of(r.in.dtype)),
        load_(pack_for(r.in.dtype, compute)), store_(unpack_for(std::is_same_v<Acc, double> ? Compute::f64 : Compute::i64, r.out.dtype)) {
    plain_ = r.in.dtype == DtypeOf<T>::value;
  }

  void run() {
    if (space_.outputs == 0) return;
    if (space_.count == 0) {
      for (int64_t o = 0; o < space_.outputs; ++o) write(o, loops_.first);
    } else if (space_.along_kept()) {
      by_columns();
    } else {
      by_rows();
    }
  }

 private:
  void write(int64_t output, Acc total) const {
    const Acc v = finished(total, r_, output);
    store_(r_.out.data + output * size_of(r_.out.dtype), &v, 1, 1);
  }
  double center(int64_t output) const { return r_.center ? r_.center[output] : r_.power; }

  // Elements [begin, end) of the rows [row, row_end) of one result.
  Acc rows_total(int64_t base, int64_t row, int64_t row_end, int64_t begin, int64_t end, double p) const {
    const Dim& inner = space_.inner_reduced();
    Acc total = loops_.first;
    for (; row < row_end; ++row) {
      const char* x = r_.in.data + (base + place_of(space_.reduced, space_.reduced_dims - 1, row).in) * in_size_;
      if (plain_ && inner.in == 1) {
        total = loops_.join(total, loops_.row(reinterpret_cast<const T*>(x) + begin, end - begin, p));
        continue;
      }
      T buffer[kBuffer];
      for (int64_t i = begin; i < end; i += kBuffer) {
        const int64_t n = std::min(kBuffer, end - i);
        load_(buffer, x + i * inner.in * in_size_, n, inner.in);
        total = loops_.join(total, loops_.row(buffer, n, p));
      }
    }
    return total;
  }

  // Every result from rows along the reduced dim that lies closest; long ones in pieces.
  void by_rows() const {
    const int64_t n = space_.inner_reduced().size, rows = space_.count / n;
    const int64_t piece = space_.count > 2 * kWork ? std::max<int64_t>(1, kWork / n) : rows;         // rows in a piece
    const int64_t width = n > 2 * kWork ? kWork : n, across = (n + width - 1) / width;
    const int64_t pieces = (rows + piece - 1) / piece * across;
    std::vector<Acc> totals(pieces > 1 ? static_cast<size_t>(pieces * space_.outputs) : 0);
    parallel_for(space_.outputs * pieces, std::max<int64_t>(1, kWork / std::min(space_.count, piece * width)), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        const Place o = place_of(space_.kept, space_.kept_dims, i / pieces);
        const int64_t row = i % pieces / across * piece, begin = i % across * width;
        const Acc t = rows_total(o.in, row, std::min(rows, row + piece), begin, std::min(n, begin + width), center(o.out));
        if (pieces > 1) totals[static_cast<size_t>(i)] = t;
        else write(o.out, t);
      }
    });
    if (pieces == 1) return;
    for (int64_t k = 0; k < space_.outputs; ++k) {
      Acc t = loops_.first;
      for (int64_t i = 0; i < pieces; ++i) t = loops_.join(t, totals[static_cast<size_t>(k * pieces + i)]);
      write(place_of(space_.kept, space_.kept_dims, k).out, t);
    }
  }

  static constexpr int64_t kWidth = kReduceWidth<T>;

  void columns_total(Acc* totals, int64_t base, int64_t begin, int64_t end, int64_t width, const double* p) const {
    const Dim &along = space_.inner_kept(), &down = space_.inner_reduced();
    const bool direct = plain_ && along.in == 1;
    for (int64_t row = begin; row < end;) {
      const int64_t at = row % down.size, n = std::min(down.size - at, end - row);
      const char* x = r_.in.data + (base + place_of(space_.reduced, space_.reduced_dims - 1, row / down.size).in + at * down.in) * in_size_;
      row += n;
      if (direct) {
        loops_.columns(totals, reinterpret_cast<const T*>(x), n, down.in, width, p);
        continue;
      }
      T buffer[32 * kWidth];
      for (int64_t r = 0; r < n; r += 32) {
        const int64_t m = std::min<int64_t>(32, n - r);
        for (int64_t k = 0; k < m; ++k) load_(buffer + k * width, x + (r + k) * down.in * in_size_, width, along.in);
        loops_.columns(totals, buffer, m, width, width, p);
      }
    }
  }

  // Tiles of neighbouring results, row by row; a few tall ones in pieces.
  void by_columns() const {
    const Dim& along = space_.inner_kept();
    const int64_t tiles = (along.size + kWidth - 1) / kWidth, items = space_.outputs / along.size * tiles;
    const int64_t piece = items >= 16 || space_.count * kWidth <= 2 * kWork ? space_.count : std::max<int64_t>(512, (space_.count + 15) / 16);
    const int64_t pieces = (space_.count + piece - 1) / piece;
    std::vector<Acc> partial(pieces > 1 ? static_cast<size_t>(items * pieces * kWidth) : 0);
    const auto item_place = [&](int64_t item) {
      Place o = place_of(space_.kept, space_.kept_dims - 1, item / tiles);
      o.in += item % tiles * kWidth * along.in;
      o.out += item % tiles * kWidth * along.out;
      return o;
    };
    const auto item_width = [&](int64_t item) { return std::min(kWidth, along.size - item % tiles * kWidth); };
    parallel_for(items * pieces, std::max<int64_t>(1, kWork / (piece * std::min(kWidth, along.size))), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        const Place o = item_place(i / pieces);
        const int64_t width = item_width(i / pieces), begin = i % pieces * piece;
        double p[kWidth];
        if (r_.center || r_.power != 0)
          for (int64_t j = 0; j < width; ++j) p[j] = center(o.out + j * along.out);
        else
          std::fill(p, p + kWidth, 0.0);
        Acc totals[kWidth];
        std::fill(totals, totals + kWidth, loops_.first);
        columns_total(totals, o.in, begin, std::min(space_.count, begin + piece), width, p);
        if (pieces > 1) std::copy(totals, totals + kWidth, partial.data() + i * kWidth);
        else
          for (int64_t j = 0; j < width; ++j) write(o.out + j * along.out, totals[j]);
      }
    });
    if (pieces == 1) return;
    for (int64_t item = 0; item < items; ++item)
      for (int64_t j = 0; j < item_width(item); ++j) {
        Acc t = loops_.first;
        for (int64_t i = 0; i < pieces; ++i) t = loops_.join(t, partial[static_cast<size_t>((item * pieces + i) * kWidth + j)]);
        write(item_place(item).out + j * along.out, t);
      }
  }

  const Reduce& r_;
  const ReduceLoops<T, Acc>& loops_;
  ReduceSpace space_;
  int64_t in_size_;
  Pack load_;
  Unpack store_;
  bool plain_;
};

}  // namespace

void reduce(const Reduce& r) {
  const Dtype type = r.type == Dtype::none ? r.in.dtype : r.type;
  switch (compute_of(type)) {
    case Compute::f64: Reducer<double, double>(r, reduce_loops_f64(r.kind), Compute::f64).run(); break;
    case Compute::i64: Reducer<int64_t, int64_t>(r, reduce_loops_i64(r.kind), Compute::i64).run(); break;
    default: Reducer<float, double>(r, reduce_loops_f32(r.kind), Compute::f32).run();
  }
}

}  // namespace gradus::kernels
