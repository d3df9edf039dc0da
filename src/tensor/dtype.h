// Element types: numbers as in gradus.h, their sizes, names, kinds, and PyTorch's promotion.
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

namespace gradus {

enum class Dtype : uint8_t { none = 0, boolean = 1, u8, i8, i16, i32, i64, f16, bf16, f32, f64, c64, c128 };
inline constexpr int kDtypes = 13;                            // none included

constexpr int64_t size_of(Dtype t) {
  constexpr uint8_t sizes[kDtypes] = {0, 1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16};
  return sizes[static_cast<int>(t)];
}
constexpr bool is_complex(Dtype t) { return t >= Dtype::c64; }
constexpr bool is_floating(Dtype t) { return t >= Dtype::f16 && t <= Dtype::f64; }
constexpr bool is_integral(Dtype t) { return t >= Dtype::boolean && t <= Dtype::i64; }     // booleans included
constexpr bool is_differentiable(Dtype t) { return t >= Dtype::f16; }

std::string_view name(Dtype);                                 // "float32", as PyTorch prints it

// The dtype that holds values of both, for tensors of equal standing (PyTorch's torch.promote_types).
Dtype promote(Dtype a, Dtype b);

// What kernels calculate in: half and bfloat16 in float, every integer in 64 bits with wrap-around.
constexpr Dtype compute_dtype(Dtype t) {
  if (t == Dtype::f16 || t == Dtype::bf16) return Dtype::f32;
  return is_integral(t) ? Dtype::i64 : t;
}

// The dtypes without a C++ type of their own.
struct Half { uint16_t bits; };
struct BFloat16 { uint16_t bits; };

inline float to_float(BFloat16 h) {
  const uint32_t bits = static_cast<uint32_t>(h.bits) << 16;
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}
inline BFloat16 to_bfloat16(float f) {                        // to nearest, ties to even; a NaN stays one
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  if (f != f) return {static_cast<uint16_t>(0x7fc0 | (bits >> 16 & 0x8000))};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
float to_float(Half);
Half to_half(float);
// Of the two floats around v, v not being one, the odd one: rounding that to fewer digits is rounding v once.
float to_odd_float(double v);

template <class T> struct DtypeOf;
template <> struct DtypeOf<bool> { static constexpr Dtype value = Dtype::boolean; };
template <> struct DtypeOf<uint8_t> { static constexpr Dtype value = Dtype::u8; };
template <> struct DtypeOf<int8_t> { static constexpr Dtype value = Dtype::i8; };
template <> struct DtypeOf<int16_t> { static constexpr Dtype value = Dtype::i16; };
template <> struct DtypeOf<int32_t> { static constexpr Dtype value = Dtype::i32; };
template <> struct DtypeOf<int64_t> { static constexpr Dtype value = Dtype::i64; };
template <> struct DtypeOf<Half> { static constexpr Dtype value = Dtype::f16; };
template <> struct DtypeOf<BFloat16> { static constexpr Dtype value = Dtype::bf16; };
template <> struct DtypeOf<float> { static constexpr Dtype value = Dtype::f32; };
template <> struct DtypeOf<double> { static constexpr Dtype value = Dtype::f64; };

// Calls f.template operator()<T>() with the C++ type of a real dtype.
template <class F> decltype(auto) visit(Dtype t, F&& f) {
  switch (t) {
    case Dtype::boolean: return f.template operator()<bool>();
    case Dtype::u8: return f.template operator()<uint8_t>();
    case Dtype::i8: return f.template operator()<int8_t>();
    case Dtype::i16: return f.template operator()<int16_t>();
    case Dtype::i32: return f.template operator()<int32_t>();
    case Dtype::i64: return f.template operator()<int64_t>();
    case Dtype::f16: return f.template operator()<Half>();
    case Dtype::bf16: return f.template operator()<BFloat16>();
    case Dtype::f64: return f.template operator()<double>();
    default: return f.template operator()<float>();
  }
}

// Conversions between element types as PyTorch's casts; out-of-range floats saturate in integers, NaN becomes 0.
template <class To, class From> inline To convert(From v) {
  if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    if constexpr (std::is_same_v<To, From>) return v; else return convert<To>(to_float(v));
  } else if constexpr (std::is_same_v<From, double> && (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>)) {
    return convert<To>(to_odd_float(v));
  } else if constexpr (std::is_same_v<To, Half>) {
    return to_half(static_cast<float>(v));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return to_bfloat16(static_cast<float>(v));
  } else if constexpr (std::is_same_v<To, bool>) {
    return v != From(0);
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    using Limits = std::numeric_limits<To>;
    if (!(v == v)) return To(0);
    constexpr From above = static_cast<From>(Limits::max() / 2 + 1) * 2;       // a power of two, hence exact
    return v >= above ? Limits::max() : v <= static_cast<From>(Limits::min()) ? Limits::min() : static_cast<To>(v);
  } else {
    return static_cast<To>(v);
  }
}

}  // namespace gradus
