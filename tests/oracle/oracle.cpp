// The joined table of references, and elements read by hand.
#include "oracle/oracle.h"

#include <cmath>
#include <cstring>

namespace gradus::oracle {
namespace {

double binary_float(uint32_t bits, int exponent_bits, int fraction_bits) {
  const uint32_t fraction = bits & ((1u << fraction_bits) - 1);
  const uint32_t exponent = bits >> fraction_bits & ((1u << exponent_bits) - 1);
  const uint32_t top = (1u << exponent_bits) - 1;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = bits >> (exponent_bits + fraction_bits) ? -1 : 1;
  if (exponent == top) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1u << fraction_bits), static_cast<int>(exponent) - bias - fraction_bits);
}

template <class T> T load(const char* at) {
  T v;
  std::memcpy(&v, at, sizeof v);
  return v;
}

double element(const char* at, Dtype t) {
  switch (t) {
    case Dtype::boolean: return *at != 0;
    case Dtype::u8: return load<uint8_t>(at);
    case Dtype::i8: return load<int8_t>(at);
    case Dtype::i16: return load<int16_t>(at);
    case Dtype::i32: return load<int32_t>(at);
    case Dtype::i64: return static_cast<double>(load<int64_t>(at));
    case Dtype::f16: return binary_float(load<uint16_t>(at), 5, 10);
    case Dtype::bf16: return binary_float(load<uint16_t>(at), 8, 7);
    case Dtype::f32: return load<float>(at);
    default: return load<double>(at);
  }
}

}  // namespace

Array Arguments::from(const Tensor& t) {
  Array a(std::vector<int64_t>(t.sizes().begin(), t.sizes().end()));
  std::vector<int64_t> index(a.ndim(), 0);
  for (double& v : a.values) {
    int64_t o = t.offset();
    for (size_t d = 0; d < index.size(); ++d) o += index[d] * t.strides()[d];
    v = element(t.storage().data + o * size_of(t.dtype()), t.dtype());
    step(index, a.sizes);
  }
  return a;
}

const Oracle* find(const std::string& op) {
  static const Oracles all = [] {
    Oracles joined;
    for (Oracles (*table)() : {elementwise, reductions, views_and_indices, products, creation_and_losses, layers, convolutions, images, copies, statistics, special, counting,
                               linear_algebra, spectra})
      joined.merge(table());
    return joined;
  }();
  const auto at = all.find(op);
  return at == all.end() ? nullptr : &at->second;
}

}  // namespace gradus::oracle
