// The rules of optimizers on vectors, for every SIMD target. The formulas are PyTorch's; kernels/optimize.h names the numbers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/optimize_rules.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"
#include "kernels/optimize.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
using kernels::Rule;
using kernels::Step;
using kernels::Sum;
using kernels::UpdateFn;
using kernels::UpdateStrip;

template <class V> struct Numbers {
  V rate, decay, shrink, keep1, take1, keep2, take2, correction, eps, rate2;
  bool maximize, decays, shrinks, nesterov, rectified;
  HWY_INLINE explicit Numbers(const Step& s)
      : rate(-s.rate), decay(s.decay), shrink(s.shrink), keep1(s.keep1), take1(s.take1), keep2(s.keep2), take2(s.take2),
        correction(s.correction), eps(s.eps), rate2(-s.rate2), maximize(s.maximize), decays(s.decay != 0), shrinks(s.shrink != 1),
        nesterov(s.nesterov), rectified(s.rectified) {}
  HWY_INLINE V mean(V m, V g) const { return fma(keep1, m, take1 * g); }
  HWY_INLINE V squares(V s, V g) const { return fma(keep2, s, take2 * g * g); }
  HWY_INLINE V divisor(V s) const { return fma(sqrt(s), correction, eps); }
};

// a: the arrays in the order of Rule; g: the gradient made ready.
template <Rule rule, class V> HWY_INLINE void apply(const Numbers<V>& c, V* a, V g) {
  V& p = a[0];
  if constexpr (rule == Rule::sgd) {
    p = fma(c.rate, g, p);
  } else if constexpr (rule == Rule::sgd_momentum) {
    a[2] = c.mean(a[2], g);
    p = fma(c.rate, c.nesterov ? fma(c.keep1, a[2], g) : a[2], p);
  } else if constexpr (rule == Rule::adam || rule == Rule::adam_amsgrad) {
    a[2] = c.mean(a[2], g);
    a[3] = c.squares(a[3], g);
    if constexpr (rule == Rule::adam_amsgrad) a[4] = maximum(a[4], a[3]);
    p = fma(c.rate, a[2] / c.divisor(a[rule == Rule::adam ? 3 : 4]), p);
  } else if constexpr (rule == Rule::adagrad) {
    a[2] = fma(g, g, a[2]);
    p = fma(c.rate, g / c.divisor(a[2]), p);
  } else if constexpr (rule == Rule::adadelta) {
    a[2] = c.squares(a[2], g);
    const V change = sqrt(a[3] + c.eps) / sqrt(a[2] + c.eps) * g;
    a[3] = c.squares(a[3], change);
    p = fma(c.rate, change, p);
  } else if constexpr (rule == Rule::nadam) {
    a[2] = c.mean(a[2], g);
    a[3] = c.squares(a[3], g);
    const V divisor = c.divisor(a[3]);
    p = fma(c.rate2, a[2] / divisor, fma(c.rate, g / divisor, p));
  } else if constexpr (rule == Rule::radam) {
    a[2] = c.mean(a[2], g);
    a[3] = c.squares(a[3], g);
    p = fma(c.rate, c.rectified ? a[2] / c.divisor(a[3]) : a[2], p);
  } else {                                                    // lion: the step's mean differs from the one that is kept
    static_assert(rule == Rule::lion);
    p = fma(c.rate, sign(c.mean(a[2], g)), p);
    a[2] = fma(c.keep2, a[2], c.take2 * g);
  }
}
template <bool centered, bool momentum, class V> HWY_INLINE void apply_rmsprop(const Numbers<V>& c, V* a, V g) {
  a[2] = c.squares(a[2], g);
  V spread = a[2];
  if constexpr (centered) {
    a[3] = fma(c.keep2, a[3], c.take2 * g);
    spread = fma(-a[3], a[3], spread);
  }
  V change = g / c.divisor(spread);
  if constexpr (momentum) {
    V& kept = a[centered ? 4 : 3];
    kept = change = fma(c.keep1, kept, change);
  }
  a[0] = fma(c.rate, change, a[0]);
}

template <Rule rule, class V> HWY_INLINE void step(const Numbers<V>& c, V* a) {
  if constexpr (rule == Rule::scale) {
    a[0] = a[0] * c.keep1;
  } else if constexpr (rule == Rule::clamp) {                 // a NaN stays one
    a[0] = select(a[0] > c.keep1, c.keep1, select(a[0] < -c.keep1, -c.keep1, a[0]));
  } else {
    V g = c.maximize ? -a[1] : a[1];
    if (c.decays) g = fma(c.decay, a[0], g);
    if (c.shrinks) a[0] = a[0] * c.shrink;
    if constexpr (rule == Rule::rmsprop) apply_rmsprop<false, false>(c, a, g);
    else if constexpr (rule == Rule::rmsprop_momentum) apply_rmsprop<false, true>(c, a, g);
    else if constexpr (rule == Rule::rmsprop_centered) apply_rmsprop<true, false>(c, a, g);
    else if constexpr (rule == Rule::rmsprop_centered_momentum) apply_rmsprop<true, true>(c, a, g);
    else apply<rule>(c, a, g);
  }
}

template <Rule rule, class T> void run_update(const UpdateStrip& s) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const D d;
  constexpr int k = kernels::arrays_of(rule);
  const Numbers<V> c(*s.step);
  const size_t n = static_cast<size_t>(s.n), lanes = hn::Lanes(d);
  T* p[k];
  GRADUS_FLAT for (int j = 0; j < k; ++j) p[j] = static_cast<T*>(s.array[j]);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    V a[k];
    GRADUS_FLAT for (int j = 0; j < k; ++j) a[j] = hn::LoadU(d, p[j] + i);
    step<rule>(c, a);
    GRADUS_FLAT for (int j = 0; j < k; ++j) if (j != 1) hn::StoreU(a[j].v, d, p[j] + i);
  }
  if (i == n) return;
  V a[k];
  GRADUS_FLAT for (int j = 0; j < k; ++j) a[j] = load_some(d, p[j] + i, n - i);
  step<rule>(c, a);
  GRADUS_FLAT for (int j = 0; j < k; ++j) if (j != 1) store_some(d, a[j].v, p[j] + i, n - i);
}

template <class T, int... rule> UpdateFn pick(Rule wanted, std::integer_sequence<int, rule...>) {
  static constexpr UpdateFn all[] = {run_update<static_cast<Rule>(rule), T>...};
  return all[static_cast<int>(wanted)];
}
UpdateFn update_rule(Rule rule, bool twice) {
  constexpr auto rules = std::make_integer_sequence<int, static_cast<int>(Rule::count)>();
  return twice ? pick<double>(rule, rules) : pick<float>(rule, rules);
}

// In double lanes; what is missing of the last vector counts as zeros.
template <class T> double sum(Sum what, const T* x, int64_t count) {
  using D = hn::ScalableTag<double>;
  using V = Value<D>;
  const D d;
  const hn::Rebind<T, D> narrow;
  const size_t n = static_cast<size_t>(count), lanes = hn::Lanes(d);
  const auto wide = [&](hn::Vec<decltype(narrow)> v) HWY_ATTR -> V {
    if constexpr (sizeof(T) == 8) return v; else return hn::PromoteTo(d, v);
  };
  const auto add = [what](V to, V v) HWY_ATTR -> V {
    if (what == Sum::squares) return fma(v, v, to);
    return what == Sum::absolutes ? to + abs(v) : maximum(abs(v), to);
  };
  V s[4] = {V(0), V(0), V(0), V(0)};
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    for (size_t k = 0; k < 4; ++k) s[k] = add(s[k], wide(hn::LoadU(narrow, x + i + k * lanes)));
  HWY_ALIGN T rest[HWY_MAX_BYTES / sizeof(T)];
  for (; i < n; i += lanes) {
    for (size_t k = 0; k < lanes; ++k) rest[k] = i + k < n ? x[i + k] : T(0);
    s[0] = add(s[0], wide(hn::Load(narrow, rest)));
  }
  const V all = what == Sum::largest ? maximum(maximum(s[0], s[1]), maximum(s[2], s[3])) : (s[0] + s[1]) + (s[2] + s[3]);
  HWY_ALIGN double each[HWY_MAX_BYTES / sizeof(double)];
  hn::Store(all.v, d, each);
  double r = each[0];
  for (size_t k = 1; k < lanes; ++k) r = what != Sum::largest ? r + each[k] : each[k] > r || each[k] != each[k] ? each[k] : r;
  return r;
}
double sum_f32(Sum what, const float* x, int64_t n) { return sum(what, x, n); }
double sum_f64(Sum what, const double* x, int64_t n) { return sum(what, x, n); }

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(update_rule);
HWY_EXPORT(sum_f32);
HWY_EXPORT(sum_f64);
namespace kernels {
UpdateFn update_fn(Rule rule, bool twice) { return HWY_DYNAMIC_DISPATCH(update_rule)(rule, twice); }
double sum_of(Sum what, const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(sum_f32)(what, x, n); }
double sum_of(Sum what, const double* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(sum_f64)(what, x, n); }
}  // namespace kernels
}  // namespace gradus
#endif
