// Philox and Box-Muller in vectors, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/random_bits.cpp"
#include "hwy/foreach_target.h"
#include "base/philox.h"
#include "kernels/loops-inl.h"
#include "kernels/random.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR
using Words = hn::ScalableTag<uint32_t>;

// The upper and the lower halves of the products of each lane.
struct Halves { hn::Vec<Words> high, low; };
HWY_INLINE Halves multiply(hn::Vec<Words> a, hn::Vec<Words> b) {
  const Words d;
  const hn::RepartitionToWide<Words> dw;
  const auto even = hn::MulEven(a, b);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(dw, a))), b);
  return {hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even))), hn::Mul(a, b)};
}

int64_t vector_blocks(kernels::Stream s, int64_t blocks, uint32_t* out) {
  const Words d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const auto m0 = hn::Set(d, 0xD2511F53u), m1 = hn::Set(d, 0xCD9E8D57u);
  int64_t i = 0;
  for (; i + n <= blocks; i += n) {
    const uint64_t first = s.block + static_cast<uint64_t>(i);
    const auto low = hn::Set(d, static_cast<uint32_t>(first)), high = hn::Set(d, static_cast<uint32_t>(first >> 32));
    auto c0 = hn::Add(low, hn::Iota(d, 0));
    auto c1 = hn::IfThenElse(hn::Lt(c0, low), hn::Add(high, hn::Set(d, 1u)), high);            // the carry
    auto c2 = hn::Zero(d), c3 = hn::Zero(d);
    uint32_t k0 = static_cast<uint32_t>(s.seed), k1 = static_cast<uint32_t>(s.seed >> 32);
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
      const Halves p = multiply(c0, m0), q = multiply(c2, m1);
      c0 = hn::Xor(hn::Xor(q.high, c1), hn::Set(d, k0));
      c2 = hn::Xor(hn::Xor(p.high, c3), hn::Set(d, k1));
      c1 = q.low;
      c3 = p.low;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, d, out + 4 * i);
  }
  return i;
}
#else
int64_t vector_blocks(kernels::Stream, int64_t, uint32_t*) { return 0; }
#endif

void words(kernels::Stream s, int64_t blocks, uint32_t* out) {
  for (int64_t i = vector_blocks(s, blocks, out); i < blocks; ++i) {
    const auto b = philox_block(s.seed, s.block + static_cast<uint64_t>(i));
    for (int64_t j = 0; j < 4; ++j) out[4 * i + j] = b[static_cast<size_t>(j)];
  }
}

// r cos(t) and r sin(t), r = sqrt(-2 log(u)); u of (0, 1], t of [-pi, pi).
template <class D> HWY_INLINE void pair_of(Value<D> u, Value<D> t, Value<D> mean, Value<D> std, Value<D>& x, Value<D>& y) {
  const Value<D> r = sqrt(Value<D>(-2) * log(u)) * std;
  x = fma(r, cos(t), mean);
  y = fma(r, sin(t), mean);
}

template <class T, class Body> HWY_INLINE void by_pairs(const std::make_unsigned_t<hwy::MakeSigned<T>>* in, int64_t pairs, T* out, const Body& body) {
  using D = hn::ScalableTag<T>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  alignas(64) hwy::MakeUnsigned<T> rest[2 * HWY_MAX_BYTES / sizeof(T)] = {};
  alignas(64) T last[2 * HWY_MAX_BYTES / sizeof(T)];
  for (int64_t i = 0; i < pairs; i += n) {
    const bool whole = i + n <= pairs;                        // the same vectors on the rest: the same bits anywhere
    if (!whole) std::copy(in + 2 * i, in + 2 * pairs, rest);
    hn::Vec<decltype(du)> a, b;
    hn::LoadInterleaved2(du, whole ? in + 2 * i : rest, a, b);
    Value<D> x, y;
    body(a, b, x, y);
    hn::StoreInterleaved2(x.v, y.v, d, whole ? out + 2 * i : last);
    if (!whole) std::copy(last, last + 2 * (pairs - i), out + 2 * i);
  }
}

void floats(const uint32_t* in, int64_t pairs, float mean, float std, float* out) {
  using D = hn::ScalableTag<float>;
  const D d;
  const hn::RebindToSigned<D> di;
  by_pairs<float>(in, pairs, out, [=](auto a, auto b, Value<D>& x, Value<D>& y) HWY_ATTR {
    // Two parts that are exact in float: the upper 16 bits and the lower ones, so small u keep their digits.
    const Value<D> high = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<16>(a)));
    const Value<D> low = hn::ConvertTo(d, hn::BitCast(di, hn::And(a, hn::Set(hn::RebindToUnsigned<D>(), 0xffffu))));
    const Value<D> u = fma(high, Value<D>(0x1p-16), fma(low, Value<D>(0x1p-32), Value<D>(0x1p-32)));
    const Value<D> t = Value<D>(hn::ConvertTo(d, hn::BitCast(di, b))) * Value<D>(3.14159265358979323846 * 0x1p-31);
    pair_of<D>(u, t, Value<D>(static_cast<double>(mean)), Value<D>(static_cast<double>(std)), x, y);
  });
}

void doubles(const uint64_t* in, int64_t pairs, double mean, double std, double* out) {
  using D = hn::ScalableTag<double>;
  const D d;
  const hn::RebindToSigned<D> di;
  by_pairs<double>(in, pairs, out, [=](auto a, auto b, Value<D>& x, Value<D>& y) HWY_ATTR {
    const Value<D> u = (Value<D>(hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<11>(a)))) + Value<D>(1)) * Value<D>(0x1p-53);
    const Value<D> t = (Value<D>(hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<11>(b)))) * Value<D>(0x1p-52) - Value<D>(1)) * Value<D>(3.14159265358979323846);
    pair_of<D>(u, t, Value<D>(mean), Value<D>(std), x, y);
  });
}

// u = whole number from the upper bits times unit, for n words of the width of T.
template <class T> HWY_INLINE void spread(const hwy::MakeUnsigned<T>* in, int64_t count, int shift, double unit, kernels::UniformRange r, T* out) {
  using D = hn::ScalableTag<T>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const auto n = static_cast<size_t>(count), lanes = hn::Lanes(d);
  const Value<D> one = unit, low = r.low, width = r.width, most = r.most;
  const auto value = [&](auto bits) HWY_ATTR {
    const Value<D> u = Value<D>(hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRightSame(bits, shift)))) * one;
    return hn::Min(fma(u, width, low).v, most.v);
  };
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(value(hn::LoadU(du, in + i)), d, out + i);
  if (i < n) store_some(d, value(load_some(du, in + i, n - i)), out + i, n - i);
}
void spread_floats(const uint32_t* in, int64_t n, int digits, kernels::UniformRange r, float* out) { spread<float>(in, n, 32 - digits, 1.0 / (1 << digits), r, out); }
void spread_doubles(const uint64_t* in, int64_t n, kernels::UniformRange r, double* out) { spread<double>(in, n, 11, 0x1p-53, r, out); }

void keep(const uint32_t* words, uint32_t threshold, const float* in, float scale, int64_t n, bool* mask, float* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<hn::ScalableTag<float>> du;
  const hn::Rebind<uint8_t, decltype(du)> d8;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto* bytes = reinterpret_cast<uint8_t*>(mask);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto kept = words ? hn::Not(hn::Lt(hn::LoadU(du, words + i), hn::Set(du, threshold))) : hn::Ne(hn::PromoteTo(du, hn::LoadU(d8, bytes + i)), hn::Zero(du));
    if (words) hn::StoreU(hn::TruncateTo(d8, hn::IfThenElseZero(kept, hn::Set(du, 1u))), d8, bytes + i);
    hn::StoreU(hn::IfThenElseZero(hn::RebindMask(d, kept), hn::Mul(hn::LoadU(d, in + i), hn::Set(d, scale))), d, out + i);
  }
  for (; i < n; ++i) {
    if (words) mask[i] = words[i] >= threshold;
    out[i] = mask[i] ? in[i] * scale : 0;
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(words);
HWY_EXPORT(floats);
HWY_EXPORT(doubles);
HWY_EXPORT(spread_floats);
HWY_EXPORT(spread_doubles);
HWY_EXPORT(keep);
namespace kernels {
void random_words(Stream s, int64_t blocks, uint32_t* out) { HWY_DYNAMIC_DISPATCH(words)(s, blocks, out); }
void normal_floats(const uint32_t* w, int64_t pairs, float mean, float std, float* out) { HWY_DYNAMIC_DISPATCH(floats)(w, pairs, mean, std, out); }
void normal_doubles(const uint64_t* w, int64_t pairs, double mean, double std, double* out) { HWY_DYNAMIC_DISPATCH(doubles)(w, pairs, mean, std, out); }
void uniform_floats(const uint32_t* w, int64_t n, int digits, UniformRange range, float* out) { HWY_DYNAMIC_DISPATCH(spread_floats)(w, n, digits, range, out); }
void uniform_doubles(const uint64_t* w, int64_t n, UniformRange range, double* out) { HWY_DYNAMIC_DISPATCH(spread_doubles)(w, n, range, out); }
void keep_floats(const uint32_t* words, uint32_t threshold, const float* in, float scale, int64_t n, bool* mask, float* out) {
  HWY_DYNAMIC_DISPATCH(keep)(words, threshold, in, scale, n, mask, out);
}
}  // namespace kernels
}  // namespace gradus
#endif
