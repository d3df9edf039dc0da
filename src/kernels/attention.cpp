#include "kernels/attention.h"

#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cpp"
#include "hwy/foreach_target.h"
#include "kernels/attention_rows.h"
#include "kernels/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace {

using kernels::AttentionRows;
using kernels_softmax::get;
using kernels_softmax::over;
using kernels_softmax::put;

template <class T> void clear(T* p, int64_t n) { std::fill(p, p + n, T(0)); }

// Which of m bytes are not 0.
template <class D> HWY_INLINE Mask<D> holds(const uint8_t* p, int64_t m) {
  constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D()));
  const hn::RebindToUnsigned<D> du;
  HWY_ALIGN uint8_t some[lanes] = {};
  if (m < lanes) p = static_cast<const uint8_t*>(std::memcpy(some, p, static_cast<size_t>(m)));
  const auto wide = hn::PromoteTo(hn::Rebind<uint32_t, D>(), hn::LoadU(hn::Rebind<uint8_t, D>(), p));
  if constexpr (sizeof(hn::TFromD<D>) == 4) return {hn::RebindMask(D(), hn::Ne(wide, hn::Zero(du)))};
  else return {hn::RebindMask(D(), hn::Ne(hn::PromoteTo(du, wide), hn::Zero(du)))};
}

// The scores of what the mask hides become -inf; a mask of numbers is added.
template <class T> void apply_mask(const AttentionRows& r) {
  using D = hn::ScalableTag<T>;
  const Value<D> hidden(-HUGE_VAL);
  for (int64_t i = 0; r.mask && i < r.rows; ++i) {
    T* const s = static_cast<T*>(r.scores) + i * r.columns;
    if (r.boolean) {
      const uint8_t* const m = static_cast<const uint8_t*>(r.mask) + i * r.mask_step;
      over<D>(r.seen(i), [&](int64_t j, int64_t k) HWY_ATTR { put(select(holds<D>(m + j, k), get<D>(s + j, k), hidden), s + j, k); });
    } else {
      const T* const m = static_cast<const T*>(r.mask) + i * r.mask_step;
      over<D>(r.seen(i), [&](int64_t j, int64_t k) HWY_ATTR { put(get<D>(s + j, k) + get<D>(m + j, k), s + j, k); });
    }
  }
}

// e^(x - top) for n scores of at most `top`. Under a mask, what would be no normal number is 0, as what is hidden is: both would take exp
// and the products the slow way.
template <class T> void exponentials(T* s, int64_t n, double top, bool masked) {
  using D = hn::ScalableTag<T>;
  const Value<D> shift(top), least(is_single<D> ? -87 : -708), zero(0);
  if (!masked) return over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR { put(exp(get<D>(s + j, k) - shift), s + j, k); });
  over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR {
    const Value<D> x = get<D>(s + j, k) - shift;
    const Mask<D> none = x < least;
    put(select(none, zero, exp(select(none, zero, x))), s + j, k);
  });
}

// Scores become weights.
template <class T> void weigh(const AttentionRows& r) {
  using D = hn::ScalableTag<T>;
  apply_mask<T>(r);
  for (int64_t i = 0; i < r.rows; ++i) {
    T* const s = static_cast<T*>(r.scores) + i * r.columns;
    const int64_t n = r.seen(i);
    const double top = kernels_reduce::row<kernels_reduce::Max, T>(s, n, 0);
    clear(s + n, r.columns - n);
    if (top == -HUGE_VAL) {
      clear(s, n);
      static_cast<T*>(r.logsumexp)[i * r.logsumexp_step] = static_cast<T>(top);
      continue;
    }
    exponentials(s, n, top, r.mask);
    const double sum = kernels_reduce::row<kernels_reduce::Sum, T>(s, n, 0);
    static_cast<T*>(r.logsumexp)[i * r.logsumexp_step] = static_cast<T>(top + std::log(sum));
    const Value<D> factor(1 / sum);
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR { put(get<D>(s + j, k) * factor, s + j, k); });
  }
}

// The same weights again, from the logsumexp of each row.
template <class T> void weigh_again(const AttentionRows& r) {
  apply_mask<T>(r);
  for (int64_t i = 0; i < r.rows; ++i) {
    T* const s = static_cast<T*>(r.scores) + i * r.columns;
    const T all = static_cast<const T*>(r.logsumexp)[i * r.logsumexp_step];
    const int64_t n = static_cast<double>(all) == -HUGE_VAL ? 0 : r.seen(i);
    exponentials(s, n, static_cast<double>(all), r.mask);
    clear(s + n, r.columns - n);
  }
}

// slopes = weights * (slopes - shift of the row); what is not seen has the weight 0, and no slope whatever stands there.
template <class T> void turn_slopes(const AttentionRows& r) {
  using D = hn::ScalableTag<T>;
  for (int64_t i = 0; i < r.rows; ++i) {
    const T* const w = static_cast<const T*>(r.scores) + i * r.columns;
    T* const d = static_cast<T*>(r.slopes) + i * r.columns;
    const int64_t n = r.seen(i);
    const Value<D> shift(r.shift[i]);
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR { put(get<D>(w + j, k) * (get<D>(d + j, k) - shift), d + j, k); });
    clear(d + n, r.columns - n);
  }
}

template <class T> void add_mask_slopes(const AttentionRows& r) {
  using D = hn::ScalableTag<T>;
  for (int64_t i = 0; i < r.rows; ++i) {
    const T* const d = static_cast<const T*>(r.slopes) + i * r.columns;
    T* const to = static_cast<T*>(r.mask_slopes) + i * r.mask_slopes_step;
    over<D>(r.columns, [&](int64_t j, int64_t k) HWY_ATTR { put(get<D>(to + j, k) + get<D>(d + j, k), to + j, k); });
  }
}

template <class T> void step(const AttentionRows& r, kernels::AttentionStep s) {
  switch (s) {
    case kernels::AttentionStep::weigh: return weigh<T>(r);
    case kernels::AttentionStep::weigh_again: return weigh_again<T>(r);
    case kernels::AttentionStep::slopes: return turn_slopes<T>(r);
    case kernels::AttentionStep::mask_slopes: return add_mask_slopes<T>(r);
  }
}

}  // namespace

void attention_rows(const AttentionRows& r, Dtype t, kernels::AttentionStep s) {
  if (t == Dtype::f64) step<double>(r, s); else step<float>(r, s);
}
double attention_dot(Dtype t, const char* a, const char* b, int64_t n) {
  if (t == Dtype::f64) return kernels_softmax::dot(reinterpret_cast<const double*>(a), reinterpret_cast<const double*>(b), n);
  return kernels_softmax::dot(reinterpret_cast<const float*>(a), reinterpret_cast<const float*>(b), n);
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cstring>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/gemm.h"

namespace gradus {
HWY_EXPORT(attention_rows);
HWY_EXPORT(attention_dot);

namespace kernels {
namespace {

// The leading dimensions, last those along which a gradient is summed: each part holds `each` heads that may share gradients, and
// no two parts do.
struct Heads {
  int64_t parts = 1, each = 1;
  int count = 0, dims[kMaxDims];

  explicit Heads(const View& all, std::initializer_list<View> gradients = {}) {
    for (bool summed : {false, true})
      for (int d = 0; d < all.ndim - 2; ++d) {
        if (summed != std::any_of(gradients.begin(), gradients.end(), [d](const View& g) { return repeats(g, d); })) continue;
        dims[count++] = d;
        (summed ? each : parts) *= all.sizes[d];
      }
  }
  static bool repeats(const View& v, int d) { return v.data && v.sizes[d] > 1 && v.strides[d] == 0; }
};

// One head of an array: rows, or single numbers for a logsumexp.
struct Head {
  char* data = nullptr;
  int64_t row = 0, column = 0;                                // strides in elements
  bool again = false;                                         // an earlier head of the part has been here
};
Head head_of(const View& v, const Heads& h, int matrix_dims, int64_t index) {
  Head out;
  if (!v.data) return out;
  int64_t at = 0;
  for (int i = h.count - 1; i >= 0; --i) {
    const int d = h.dims[i];
    const int64_t place = index % v.sizes[d];
    at += place * v.strides[d];
    out.again |= place > 0 && v.strides[d] == 0;
    index /= v.sizes[d];
  }
  out.data = v.data + at * size_of(v.dtype);
  out.row = v.strides[v.ndim - matrix_dims];
  out.column = matrix_dims == 2 ? v.strides[v.ndim - 1] : 0;
  return out;
}

constexpr int64_t kRows = 64;                                 // of a block, at most

// Query rows whose scores stay in the near caches. From the sizes alone: sums over blocks depend on it.
struct Blocks {
  Heads heads;
  int64_t length, keys, inner, width, rows, count;

  Blocks(const Attention& a, const Heads& h) : heads(h) {
    const View &q = a.query, &v = a.value;
    length = q.sizes[q.ndim - 2], inner = q.sizes[q.ndim - 1], keys = v.sizes[v.ndim - 2], width = v.sizes[v.ndim - 1];
    rows = std::min(length, std::clamp<int64_t>((int64_t{1} << 17) / keys, 16, kRows));
    count = (length + rows - 1) / rows;
  }
};

class Unit {                                                  // one head on one thread
 public:
  Unit(const Attention& a, const Blocks& b, int64_t head, bool slopes = false)
      : a_(a),
        b_(b),
        type_(a.query.dtype),
        size_(size_of(type_)),
        head_(head),
        q_(of(a.query)),
        k_(of(a.key)),
        v_(of(a.value)),
        mask_(of(a.mask)),
        out_(of(a.out)),
        logsumexp_(of(a.logsumexp, 1)),
        scores_(bytes()),
        slopes_(slopes ? bytes() : 0) {}

  void forward(int64_t block) {
    const AttentionRows r = scores_of(block);
    run(r, AttentionStep::weigh);
    product(rows_of(out_, r.first), r.rows, b_.width, r.columns, dense(scores_, r), v_);
  }
  void backward(const AttentionGradients& g, int64_t block) {
    const Head gq = of(g.query), gk = of(g.key), gm = of(g.mask);
    AttentionRows r = scores_of(block);
    run(r, AttentionStep::weigh_again);
    const Head rows = rows_of(of(g.out), r.first), d = dense(slopes_, r);
    to_keys(of(g.value), b_.width, r, dense(scores_, r), rows, 1);
    if (!gq.data && !gk.data && !gm.data) return;
    product(d, r.rows, r.columns, b_.width, rows, turned(v_));
    r.slopes = slopes_.data();
    turn_slopes(g, r);
    if (gq.data) product(rows_of(gq, r.first), r.rows, b_.inner, r.columns, d, k_, a_.scale, gq.again);
    to_keys(gk, b_.inner, r, d, rows_of(q_, r.first), a_.scale);
    if (!gm.data) return;
    r.mask_slopes = rows_of(gm, r.first).data;
    r.mask_slopes_step = gm.row;
    run(r, AttentionStep::mask_slopes);
  }

 private:
  Head of(const View& v, int matrix_dims = 2) const { return head_of(v, b_.heads, matrix_dims, head_); }
  size_t bytes() const { return static_cast<size_t>(b_.rows * b_.keys * size_); }
  Head rows_of(const Head& h, int64_t first) const { return {h.data + first * h.row * size_, h.row, h.column}; }
  static Head dense(const Scratch& s, const AttentionRows& r) { return {s.as<char>(), r.columns, 1}; }
  static Head turned(const Head& h) { return {h.data, h.column, h.row}; }
  double number(const Head& h) const {
    return type_ == Dtype::f64 ? *reinterpret_cast<const double*>(h.data) : static_cast<double>(*reinterpret_cast<const float*>(h.data));
  }
  void product(const Head& c, int64_t m, int64_t n, int64_t k, const Head& a, const Head& b, double alpha = 1, bool accumulate = false) const {
    gemm({{m, n, k, a.data, a.row, a.column, b.data, b.row, b.column, c.data, c.row, alpha, accumulate, nullptr}, type_, 1});
  }
  void run(const AttentionRows& r, AttentionStep step) const { HWY_DYNAMIC_DISPATCH(attention_rows)(r, type_, step); }
  AttentionRows scores_of(int64_t block) {
    AttentionRows r;
    r.first = block * b_.rows;
    r.rows = std::min(b_.rows, b_.length - r.first);
    r.causal = a_.causal;
    r.columns = a_.causal ? std::min(b_.keys, r.first + r.rows) : b_.keys;
    r.scores = scores_.data();
    r.logsumexp = rows_of(logsumexp_, r.first).data;
    r.logsumexp_step = logsumexp_.row;
    if (mask_.data) {
      r.mask = mask_.data + r.first * mask_.row * size_of(a_.mask.dtype);
      r.mask_step = mask_.row;
      r.boolean = a_.mask.dtype == Dtype::boolean;
    }
    product(dense(scores_, r), r.rows, r.columns, b_.inner, rows_of(q_, r.first), turned(k_), a_.scale);
    return r;
  }
  // From the slopes of the weights those of the scores.
  void turn_slopes(const AttentionGradients& g, AttentionRows r) const {
    const Head go = rows_of(of(g.out), r.first), gl = rows_of(of(g.logsumexp, 1), r.first), out = rows_of(out_, r.first);
    double shifts[kRows];
    for (int64_t i = 0; i < r.rows; ++i)
      shifts[i] = HWY_DYNAMIC_DISPATCH(attention_dot)(type_, rows_of(go, i).data, rows_of(out, i).data, b_.width) - number(rows_of(gl, i));
    r.shift = shifts;
    run(r, AttentionStep::slopes);
  }
  // What the rows of one block add to a gradient of the keys, or of their values. The first that comes writes, zeros for unseen keys too.
  void to_keys(const Head& to, int64_t width, const AttentionRows& r, const Head& factors, const Head& rows, double scale) const {
    if (!to.data) return;
    const bool first = r.first == 0 && !to.again;
    product(to, r.columns, width, r.rows, turned(factors), rows, scale, !first);
    for (int64_t i = r.columns; first && i < b_.keys; ++i) std::memset(rows_of(to, i).data, 0, static_cast<size_t>(width * size_));
  }

  const Attention& a_;
  const Blocks& b_;
  Dtype type_;
  int64_t size_, head_;
  Head q_, k_, v_, mask_, out_, logsumexp_;
  Scratch scores_, slopes_;
};

constexpr int64_t kMany = 32, kShort = 8;                     // heads are enough parts, of as many blocks of queries at most

// Blocks [begin, end) of the heads of each part, one after another.
struct BackwardBlocks {
  const Attention& a;
  const AttentionGradients& g;
  const Blocks& b;
  int64_t begin, end;

  void run(int64_t part) const {
    for (int64_t i = begin; i < end;) {
      const int64_t head = i / b.count, last = std::min(end, (head + 1) * b.count);
      for (Unit unit(a, b, part * b.heads.each + head, true); i < last; ++i) unit.backward(g, i - head * b.count);
    }
  }
};

}  // namespace

void attention(const Attention& a) {
  if (a.out.numel == 0) return;
  const Blocks b(a, Heads(a.out));
  if (b.heads.parts >= kMany && b.count <= kShort) {
    parallel_for(b.heads.parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t h = begin; h < end; ++h) {
        Unit unit(a, b, h);
        for (int64_t i = 0; i < b.count; ++i) unit.forward(i);
      }
    });
    return;
  }
  parallel_for(b.heads.parts * b.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) Unit(a, b, i / b.count).forward(i % b.count);
  }, 4);
}

// A gradient of keys is summed over the blocks of queries in their order. After some milliseconds of work all parts come together,
// and the host is asked whether to go on.
void attention_backward(const Attention& a, const AttentionGradients& g) {
  if (a.out.numel == 0) return;
  const Blocks b(a, Heads(a.out, {g.query, g.key, g.value, g.mask}));
  constexpr double kWork = 1 << 28;                           // multiplications
  const double work = static_cast<double>(b.rows) * static_cast<double>(b.keys) * static_cast<double>(3 * b.inner + 2 * b.width);
  const int64_t all = b.heads.each * b.count, step = std::clamp(static_cast<int64_t>(kWork / work), int64_t{1}, all);
  for (int64_t at = 0; at < all; at += step) {
    BackwardBlocks blocks{a, g, b, at, std::min(all, at + step)};
    run_parts(b.heads.parts, [](void* data, int64_t part) { static_cast<const BackwardBlocks*>(data)->run(part); }, &blocks, 8 * step);
  }
}

}  // namespace kernels
}  // namespace gradus
#endif
