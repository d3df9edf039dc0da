#include "kernels/pool.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "kernels/planes.h"
#include "kernels/pool_places.h"

namespace gradus::kernels {
namespace {

int64_t work_of(const Pool& p) {
  int64_t reads = p.out_plane();
  for (const Windows& w : p.dim) reads *= w.adaptive ? (w.in + w.out - 1) / std::max<int64_t>(w.out, 1) : w.kernel;
  return std::max(reads, p.in_plane());
}

// The windows of all planes: where each begins and ends along each dim, and how many elements count in an average.
class Boxes {
 public:
  struct Span { int64_t first, end, length; };                // length: with padding where it counts

  explicit Boxes(const Pool& p) : p_(p), memory_(static_cast<size_t>(p.dim[0].out + p.dim[1].out + p.dim[2].out) * sizeof(Span)) {
    Span* s = memory_.as<Span>();
    for (int d = 0; d < 3; ++d) {
      const Windows& w = p.dim[d];
      spans_[d] = s;
      step_[d] = w.adaptive ? 1 : w.dilation;
      for (int64_t o = 0; o < w.out; ++o, ++s) {
        *s = {w.first(o), w.end(o), 0};
        s->length = p.count_include_pad ? w.padded_length(o) : s->end - s->first;
      }
    }
  }
  // Calls body(output index, place of the first element, the three spans) for the windows of a plane.
  template <class Body> void each(const Body& body) const {
    int64_t at = 0;
    for (int64_t i = 0; i < p_.dim[0].out; ++i)
      for (int64_t j = 0; j < p_.dim[1].out; ++j) {
        const Span &a = spans_[0][i], &b = spans_[1][j];
        const int64_t line = (a.first * p_.dim[1].in + b.first) * p_.dim[2].in;
        for (int64_t k = 0; k < p_.dim[2].out; ++k, ++at) body(at, line + spans_[2][k].first, a, b, spans_[2][k]);
      }
  }
  template <class Body> void elements(int64_t first, const Span& a, const Span& b, const Span& c, const Body& body) const {
    const int64_t line_step = step_[1] * p_.dim[2].in, plane_step = step_[0] * p_.dim[1].in * p_.dim[2].in, length = c.end - c.first;
    for (int64_t i = a.first; i < a.end; i += step_[0], first += plane_step)
      for (int64_t j = b.first, line = first; j < b.end; j += step_[1], line += line_step)
        for (int64_t k = 0; k < length; k += step_[2]) body(line + k);
  }
  int64_t divisor(const Span& a, const Span& b, const Span& c) const { return p_.divisor ? p_.divisor : a.length * b.length * c.length; }

 private:
  const Pool& p_;
  Scratch memory_;
  const Span* spans_[3];
  int64_t step_[3];
};
using Span = Boxes::Span;

template <class T> void max_of_plane(const Boxes& boxes, const T* x, T* y, int64_t* index) {
  boxes.each([&](int64_t o, int64_t first, const Span& a, const Span& b, const Span& c) {
    int64_t at = first;
    auto best = convert<WideOf<T>>(x[at]);
    boxes.elements(first, a, b, c, [&](int64_t e) {
      const auto v = convert<WideOf<T>>(x[e]);
      const bool larger = (v > best) | (v != v);
      best = larger ? v : best;
      at = larger ? e : at;
    });
    y[o] = x[at];
    index[o] = at;
  });
}
template <class T> void mean_of_plane(const Boxes& boxes, const T* x, T* y) {
  boxes.each([&](int64_t o, int64_t first, const Span& a, const Span& b, const Span& c) {
    WideOf<T> s = 0;
    boxes.elements(first, a, b, c, [&](int64_t e) { s += convert<WideOf<T>>(x[e]); });
    y[o] = convert<T>(s / static_cast<WideOf<T>>(boxes.divisor(a, b, c)));
  });
}
template <class T> void deal_out_plane(const Boxes& boxes, const T* y, WideOf<T>* x) {
  boxes.each([&](int64_t o, int64_t first, const Span& a, const Span& b, const Span& c) {
    const auto v = convert<WideOf<T>>(y[o]) / static_cast<WideOf<T>>(boxes.divisor(a, b, c));
    boxes.elements(first, a, b, c, [&](int64_t e) { x[e] += v; });
  });
}

// Tables of places for planes of floats, where there are planes enough to pay for them and they stay in a near cache.
class PoolTables {
 public:
  // The places of each window; `turned` asks for the windows of each element of the input instead.
  PoolTables(const Pool& p, const Boxes& boxes, bool turned) {
    const int64_t windows = p.out_plane(), count = turned ? p.in_plane() : windows;
    table_.count = count;
    table_.row = (count + kPlacesRow - 1) / kPlacesRow * kPlacesRow;
    depths_.emplace(static_cast<size_t>(table_.row) * sizeof(int32_t));
    auto* const depths = depths_->as<int32_t>();
    std::fill_n(depths, table_.row, 0);
    const auto each_pair = [&](const auto& body) {            // (result, place), the places of a result in their order
      boxes.each([&](int64_t o, int64_t first, const Span& a, const Span& b, const Span& c) {
        boxes.elements(first, a, b, c, [&](int64_t e) { turned ? body(e, o) : body(o, e); });
      });
    };
    each_pair([&](int64_t i, int64_t) { table_.depth = std::max<int64_t>(table_.depth, ++depths[i]); });
    places_.emplace(static_cast<size_t>(table_.row * table_.depth) * sizeof(int32_t));
    auto* const places = places_->as<int32_t>();
    std::fill_n(places, table_.row * table_.depth, -1);
    std::fill_n(depths, table_.row, 0);
    each_pair([&](int64_t i, int64_t place) { places[depths[i]++ * table_.row + i] = static_cast<int32_t>(place); });
    for (int64_t i = count; i < table_.row; ++i) places[i] = 0;   // any place
    table_.places = places;
    divisors_.emplace(static_cast<size_t>((windows + kPlacesRow) * static_cast<int64_t>(sizeof(float))));
    std::fill_n(divisors_->as<float>(), windows + kPlacesRow, 1.0f);
    boxes.each([&](int64_t o, int64_t, const Span& a, const Span& b, const Span& c) {
      divisors_->as<float>()[o] = static_cast<float>(boxes.divisor(a, b, c));
    });
  }
  static bool pays(const Pool& p, Dtype t, int64_t results) { return t == Dtype::f32 && p.planes >= 8 && results >= 8 && work_of(p) <= 32768; }
  const Places& table() const { return table_; }
  const float* divisors() const { return divisors_->as<float>(); }

 private:
  Places table_;
  std::optional<Scratch> depths_, places_, divisors_;
};

[[noreturn, gnu::cold]] void refuse(int64_t i, int64_t n) { fail(Status::index, "pooling: index {} in a plane of {} elements", i, n); }

}  // namespace

void max_pool(const Pool& p, Dtype t, const void* x, void* y, int64_t* index) {
  const Boxes boxes(p);
  if (PoolTables::pays(p, t, p.out_plane())) {
    const PoolTables tables(p, boxes, false);
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      largest_of_places(tables.table(), static_cast<const float*>(x) + i * p.in_plane(),
                        static_cast<float*>(y) + i * p.out_plane(), index + i * p.out_plane());
    });
    return;
  }
  visit(t, [&]<class T>() {
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      max_of_plane(boxes, static_cast<const T*>(x) + i * p.in_plane(), static_cast<T*>(y) + i * p.out_plane(), index + i * p.out_plane());
    });
  });
}

void avg_pool(const Pool& p, Dtype t, const void* x, void* y) {
  const Boxes boxes(p);
  if (PoolTables::pays(p, t, p.out_plane())) {
    const PoolTables tables(p, boxes, false);
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      sums_of_places(tables.table(), static_cast<const float*>(x) + i * p.in_plane(), tables.divisors(), static_cast<float*>(y) + i * p.out_plane());
    });
    return;
  }
  visit(t, [&]<class T>() {
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      mean_of_plane(boxes, static_cast<const T*>(x) + i * p.in_plane(), static_cast<T*>(y) + i * p.out_plane());
    });
  });
}

void avg_pool_back(const Pool& p, Dtype t, const void* y, void* x) {
  const Boxes boxes(p);
  if (PoolTables::pays(p, t, p.in_plane())) {
    const PoolTables tables(p, boxes, true);
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      const Scratch shares(static_cast<size_t>(p.out_plane()) * sizeof(float));
      for (int64_t o = 0; o < p.out_plane(); ++o) shares.as<float>()[o] = static_cast<const float*>(y)[i * p.out_plane() + o] / tables.divisors()[o];
      sums_of_places(tables.table(), shares.as<float>(), nullptr, static_cast<float*>(x) + i * p.in_plane());
    });
    return;
  }
  visit(t, [&]<class T>() {
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      const T* const from = static_cast<const T*>(y) + i * p.out_plane();
      T* const to = static_cast<T*>(x) + i * p.in_plane();
      sum_into(to, p.in_plane(), [&](WideOf<T>* sums) { deal_out_plane(boxes, from, sums); });
    });
  });
}

void plane_gather(Dtype t, int64_t planes, int64_t in_plane, int64_t out_plane, const void* x, const int64_t* index, void* out) {
  visit(t, [&]<class T>() {
    each_plane(planes, out_plane, [&](int64_t p) {
      const T* const from = static_cast<const T*>(x) + p * in_plane;
      for (int64_t i = p * out_plane; i < (p + 1) * out_plane; ++i) {
        if (index[i] < 0 || index[i] >= in_plane) refuse(index[i], in_plane);
        static_cast<T*>(out)[i] = from[index[i]];
      }
    });
  });
}

void plane_scatter(Dtype t, int64_t planes, int64_t in_plane, int64_t out_plane, const void* x, const int64_t* index, void* out, bool replace) {
  visit(t, [&]<class T>() {
    each_plane(planes, in_plane + out_plane, [&](int64_t p) {
      T* const to = static_cast<T*>(out) + p * out_plane;
      std::fill_n(to, out_plane, T{});
      for (int64_t i = p * in_plane; i < (p + 1) * in_plane; ++i) {
        if (index[i] < 0 || index[i] >= out_plane) refuse(index[i], out_plane);
        const T v = static_cast<const T*>(x)[i];
        T& e = to[index[i]];
        e = replace ? v : convert<T>(convert<WideOf<T>>(e) + convert<WideOf<T>>(v));
      }
    });
  });
}

}  // namespace gradus::kernels
