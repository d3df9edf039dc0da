#include "kernels/attention.h"

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

// Scores become weights.
template <class T> void weigh(const AttentionRows& r) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
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
    const V m(top);
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR { put(exp(get<D>(s + j, k) - m), s + j, k); });
    const double sum = kernels_reduce::row<kernels_reduce::Sum, T>(s, n, 0);
    static_cast<T*>(r.logsumexp)[i * r.logsumexp_step] = static_cast<T>(top + std::log(sum));
    const V factor(1 / sum);
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR { put(get<D>(s + j, k) * factor, s + j, k); });
  }
}

// The same weights again, from the logsumexp of each row.
template <class T> void weigh_again(const AttentionRows& r) {
  using D = hn::ScalableTag<T>;
  for (int64_t i = 0; i < r.rows; ++i) {
    T* const s = static_cast<T*>(r.scores) + i * r.columns;
    const T all = static_cast<const T*>(r.logsumexp)[i * r.logsumexp_step];
    const int64_t n = static_cast<double>(all) == -HUGE_VAL ? 0 : r.seen(i);
    const Value<D> l(static_cast<double>(all));
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR { put(exp(get<D>(s + j, k) - l), s + j, k); });
    clear(s + n, r.columns - n);
  }
}

// slopes = weights * (slopes - shift of the row) * scale; what is not seen has the weight 0, and no slope whatever stands there.
template <class T> void turn_slopes(const AttentionRows& r) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const V scale(r.scale);
  for (int64_t i = 0; i < r.rows; ++i) {
    const T* const w = static_cast<const T*>(r.scores) + i * r.columns;
    T* const d = static_cast<T*>(r.slopes) + i * r.columns;
    const int64_t n = r.seen(i);
    const V shift(r.shift[i]);
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR { put(get<D>(w + j, k) * (get<D>(d + j, k) - shift) * scale, d + j, k); });
    clear(d + n, r.columns - n);
  }
}

}  // namespace

void attention_rows_f32(const AttentionRows& r, kernels::AttentionStep step) {
  switch (step) {
    case kernels::AttentionStep::weigh: return weigh<float>(r);
    case kernels::AttentionStep::weigh_again: return weigh_again<float>(r);
    default: return turn_slopes<float>(r);
  }
}
void attention_rows_f64(const AttentionRows& r, kernels::AttentionStep step) {
  switch (step) {
    case kernels::AttentionStep::weigh: return weigh<double>(r);
    case kernels::AttentionStep::weigh_again: return weigh_again<double>(r);
    default: return turn_slopes<double>(r);
  }
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
HWY_EXPORT(attention_rows_f32);
HWY_EXPORT(attention_rows_f64);
HWY_EXPORT(attention_dot);

namespace kernels {
namespace {

// One head of an array: rows, or single numbers for a logsumexp.
struct Head {
  char* data;
  int64_t row, column;                                        // strides in elements
};
Head head_of(const View& v, int matrix_dims, int64_t index) {
  int64_t at = 0;
  for (int d = v.ndim - matrix_dims - 1; d >= 0; --d) {
    at += index % v.sizes[d] * v.strides[d];
    index /= v.sizes[d];
  }
  return {v.data + at * size_of(v.dtype), v.strides[v.ndim - matrix_dims], matrix_dims == 2 ? v.strides[v.ndim - 1] : 0};
}

// Query rows whose scores stay in the near caches. From the sizes alone: sums over blocks depend on it.
struct Blocks {
  int64_t heads, length, keys, inner, width, rows, count;

  explicit Blocks(const Attention& a) {
    const View &q = a.query, &v = a.value;
    length = q.sizes[q.ndim - 2], inner = q.sizes[q.ndim - 1], keys = v.sizes[v.ndim - 2], width = v.sizes[v.ndim - 1];
    heads = q.numel / (length * inner);
    rows = std::min(length, std::clamp<int64_t>((int64_t{1} << 17) / keys, 16, 64));
    count = (length + rows - 1) / rows;
  }
};

class Unit {                                                  // one head on one thread
 public:
  Unit(const Attention& a, const Blocks& b, int64_t head)
      : a_(a),
        b_(b),
        type_(a.query.dtype),
        size_(size_of(type_)),
        q_(head_of(a.query, 2, head)),
        k_(head_of(a.key, 2, head)),
        v_(head_of(a.value, 2, head)),
        out_(head_of(a.out, 2, head)),
        logsumexp_(head_of(a.logsumexp, 1, head)),
        scores_(bytes()) {}

  void forward(int64_t block) {
    const AttentionRows r = scores_of(block);
    run(r, AttentionStep::weigh);
    product(rows_of(out_, r.first), r.rows, b_.width, r.columns, {scores_.as<char>(), r.columns, 1}, v_);
  }
  void backward(const AttentionGradients& g, int64_t head) {
    const Head go = head_of(g.out, 2, head), gl = head_of(g.logsumexp, 1, head), gq = head_of(g.query, 2, head),
               gk = head_of(g.key, 2, head), gv = head_of(g.value, 2, head);
    const Scratch slopes(bytes()), shifts(static_cast<size_t>(b_.rows) * sizeof(double));
    for (int64_t block = 0; block < b_.count; ++block) {
      AttentionRows r = scores_of(block);
      run(r, AttentionStep::weigh_again);
      if (block == 0) clear_behind(gk, gv, r.columns);
      const Head w{scores_.as<char>(), r.columns, 1}, d{slopes.as<char>(), r.columns, 1}, rows = rows_of(go, r.first);
      product(gv, r.columns, b_.width, r.rows, turned(w), rows, 1, block > 0);
      product(d, r.rows, r.columns, b_.width, rows, turned(v_));
      r.slopes = slopes.data();
      r.shift = shifts.as<double>();
      for (int64_t i = 0; i < r.rows; ++i)
        shifts.as<double>()[i] =
            HWY_DYNAMIC_DISPATCH(attention_dot)(type_, rows_of(rows, i).data, rows_of(out_, r.first + i).data, b_.width) -
            number(rows_of(gl, r.first + i));
      run(r, AttentionStep::slopes);
      product(rows_of(gq, r.first), r.rows, b_.inner, r.columns, d, k_);
      product(gk, r.columns, b_.inner, r.rows, turned(d), rows_of(q_, r.first), 1, block > 0);
    }
  }

 private:
  size_t bytes() const { return static_cast<size_t>(b_.rows * b_.keys * size_); }
  Head rows_of(const Head& h, int64_t first) const { return {h.data + first * h.row * size_, h.row, h.column}; }
  static Head turned(const Head& h) { return {h.data, h.column, h.row}; }
  double number(const Head& h) const {
    return type_ == Dtype::f64 ? *reinterpret_cast<const double*>(h.data) : static_cast<double>(*reinterpret_cast<const float*>(h.data));
  }
  void product(const Head& c, int64_t m, int64_t n, int64_t k, const Head& a, const Head& b, double alpha = 1, bool accumulate = false) const {
    gemm({{m, n, k, a.data, a.row, a.column, b.data, b.row, b.column, c.data, c.row, alpha, accumulate, nullptr}, type_, 1});
  }
  void run(const AttentionRows& r, AttentionStep step) const {
    if (type_ == Dtype::f64) HWY_DYNAMIC_DISPATCH(attention_rows_f64)(r, step);
    else HWY_DYNAMIC_DISPATCH(attention_rows_f32)(r, step);
  }
  AttentionRows scores_of(int64_t block) {
    AttentionRows r;
    r.first = block * b_.rows;
    r.rows = std::min(b_.rows, b_.length - r.first);
    r.causal = a_.causal;
    r.columns = a_.causal ? std::min(b_.keys, r.first + r.rows) : b_.keys;
    r.scale = a_.scale;
    r.scores = scores_.data();
    r.logsumexp = rows_of(logsumexp_, r.first).data;
    r.logsumexp_step = logsumexp_.row;
    product({scores_.as<char>(), r.columns, 1}, r.rows, r.columns, b_.inner, rows_of(q_, r.first), turned(k_), a_.scale);
    return r;
  }
  void clear_behind(const Head& gk, const Head& gv, int64_t from) const {   // keys that the first block does not see
    for (int64_t i = from; i < b_.keys; ++i) {
      std::memset(rows_of(gk, i).data, 0, static_cast<size_t>(b_.inner * size_));
      std::memset(rows_of(gv, i).data, 0, static_cast<size_t>(b_.width * size_));
    }
  }

  const Attention& a_;
  const Blocks& b_;
  Dtype type_;
  int64_t size_;
  Head q_, k_, v_, out_, logsumexp_;
  Scratch scores_;
};

constexpr int64_t kMany = 32, kShort = 8;                     // heads are enough parts, of as many blocks of queries at most

}  // namespace

void attention(const Attention& a) {
  if (a.out.numel == 0) return;
  const Blocks b(a);
  if (b.heads >= kMany && b.count <= kShort) {
    parallel_for(b.heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t h = begin; h < end; ++h) {
        Unit unit(a, b, h);
        for (int64_t i = 0; i < b.count; ++i) unit.forward(i);
      }
    });
    return;
  }
  parallel_for(b.heads * b.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) Unit(a, b, i / b.count).forward(i % b.count);
  }, 4);
}

void attention_backward(const Attention& a, const AttentionGradients& g) {
  if (a.out.numel == 0) return;
  const Blocks b(a);
  parallel_for(b.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h) Unit(a, b, h).backward(g, h);
  }, 8 * b.count);
}

}  // namespace kernels
}  // namespace gradus
#endif
