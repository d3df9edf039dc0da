// New tensors and losses, written out.
#include <algorithm>
#include <cmath>

#include "oracle.h"

namespace gradus::oracle {
namespace {

using Result = std::vector<Array>;

Array filled(std::vector<int64_t> sizes, double v) { return Array(std::move(sizes), v); }

Result arange(const Arguments& a) {
  const double start = a.has(1) ? a.number(0) : 0, end = a.has(1) ? a.number(1) : a.number(0), step = a.number(2);
  Array out({0});
  for (int64_t i = 0; step > 0 ? start + static_cast<double>(i) * step < end : start + static_cast<double>(i) * step > end; ++i)
    out.values.push_back(start + static_cast<double>(i) * step);
  out.sizes[0] = static_cast<int64_t>(out.values.size());
  return {out};
}
Result range(const Arguments& a) {
  Array out({0});
  for (double v = a.number(0); v <= a.number(1); v += a.number(2)) out.values.push_back(v);
  out.sizes[0] = static_cast<int64_t>(out.values.size());
  return {out};
}
Array even(const Arguments& a) {
  const double start = a.number(0), end = a.number(1);
  Array out({a.integer(2)});
  const double last = static_cast<double>(a.integer(2) - 1);
  for (size_t i = 0; i < out.values.size(); ++i)
    out.values[i] = last == 0 ? start : (start * (last - static_cast<double>(i)) + end * static_cast<double>(i)) / last;
  return out;
}
Result logspace(const Arguments& a) {
  Array out = even(a);
  for (double& v : out.values) v = std::pow(a.number(3), v);
  return {out};
}
Result eye(const Arguments& a) {
  Array out({a.integer(0), a.has(1) ? a.integer(1) : a.integer(0)});
  for (int64_t i = 0; i < std::min(out.sizes[0], out.sizes[1]); ++i) out.at({i, i}) = 1;
  return {out};
}

Result dropout_backward(const Arguments& a) {
  Array out = a.array(0);
  const Array mask = a.array(1);
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = mask.values[i] != 0 ? out.values[i] * a.number(2) : 0;
  return {out};
}

}  // namespace

Oracles creation_and_losses() {
  return {
      {"zeros", [](const Arguments& a) -> Result { return {filled(a.integers(0), 0)}; }},
      {"ones", [](const Arguments& a) -> Result { return {filled(a.integers(0), 1)}; }},
      {"full", [](const Arguments& a) -> Result { return {filled(a.integers(0), a.number(1))}; }},
      {"scalar_tensor", [](const Arguments& a) -> Result { return {filled({}, a.number(0))}; }},
      {"zeros_like", [](const Arguments& a) -> Result { return {filled(a.array(0).sizes, 0)}; }},
      {"ones_like", [](const Arguments& a) -> Result { return {filled(a.array(0).sizes, 1)}; }},
      {"full_like", [](const Arguments& a) -> Result { return {filled(a.array(0).sizes, a.number(1))}; }},
      {"new_zeros", [](const Arguments& a) -> Result { return {filled(a.integers(1), 0)}; }},
      {"new_ones", [](const Arguments& a) -> Result { return {filled(a.integers(1), 1)}; }},
      {"new_full", [](const Arguments& a) -> Result { return {filled(a.integers(1), a.number(2))}; }},
      {"arange", arange}, {"range", range}, {"linspace", [](const Arguments& a) -> Result { return {even(a)}; }},
      {"logspace", logspace}, {"eye", eye}, {"native_dropout_backward", dropout_backward},
  };
}

}  // namespace gradus::oracle
