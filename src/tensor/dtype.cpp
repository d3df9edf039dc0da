#include "tensor/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradus {

std::string_view name(Dtype t) {
  constexpr std::string_view names[kDtypes] = {"none",  "bool",    "uint8",    "int8",    "int16",   "int32",     "int64",
                                               "float16", "bfloat16", "float32", "float64", "complex64", "complex128"};
  return names[static_cast<int>(t)];
}

Dtype promote(Dtype a, Dtype b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);                                 // the enumeration is ordered by kind
  if (b == Dtype::c128) return b;
  if (b == Dtype::c64) return a == Dtype::f64 ? Dtype::c128 : b;
  if (b == Dtype::bf16 && a == Dtype::f16) return Dtype::f32;
  if (is_floating(b) || a == Dtype::boolean) return b;
  return a == Dtype::u8 && b == Dtype::i8 ? Dtype::i16 : b;   // u8 with a signed type: the next wider one
}

float to_float(Half h) {
  const uint32_t sign = static_cast<uint32_t>(h.bits & 0x8000) << 16, exponent = h.bits >> 10 & 31, mantissa = h.bits & 0x3ff;
  uint32_t bits;
  if (exponent == 31) bits = sign | 0x7f800000 | mantissa << 13;
  else if (exponent != 0) bits = sign | (exponent + 112) << 23 | mantissa << 13;
  else {                                                      // zero or subnormal: mantissa * 2^-24
    const float f = static_cast<float>(mantissa) * 0x1p-24f;
    std::memcpy(&bits, &f, sizeof bits);
    bits |= sign;
  }
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

Half to_half(float f) {                                       // to nearest, ties to even
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>(sign | 0x7e00)};
  if (magnitude >= 0x47800000) return {static_cast<uint16_t>(sign | 0x7c00)};  // 65536 and above
  if (magnitude < 0x38800000) {                               // below the normal range: adding 2^-1 rounds at 2^-24
    float small;
    std::memcpy(&small, &magnitude, sizeof small);
    small += 0.5f;
    uint32_t rounded;
    std::memcpy(&rounded, &small, sizeof rounded);
    return {static_cast<uint16_t>(sign | (rounded - 0x3f000000))};
  }
  return {static_cast<uint16_t>(sign | ((magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13))};
}

float to_odd_float(double v) {
  float f = static_cast<float>(v);
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  const double nearest = static_cast<double>(f);
  if (nearest != v && v == v && !(bits & 1)) {                // its neighbour on the side of v is odd
    bits = std::fabs(nearest) < std::fabs(v) ? bits + 1 : bits - 1;
    std::memcpy(&f, &bits, sizeof f);
  }
  return f;
}

}  // namespace gradus
