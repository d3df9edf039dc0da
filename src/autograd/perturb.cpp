#include "autograd/perturb.h"

#include <cmath>
#include <cstring>

#include "base/philox.h"
#include "graph/history.h"
#include "kernels/copy.h"

namespace gradus {

static View view_of(const Numbers& v, SizesRef sizes, const Sizes& strides) {
  return {reinterpret_cast<char*>(const_cast<double*>(v.data())), Dtype::f64, static_cast<int>(sizes.size()), sizes.data(), strides.data(),
          static_cast<int64_t>(v.size()), true};
}

Numbers numbers_of(const Tensor& t) {
  Numbers v(static_cast<size_t>(t.numel()));
  if (!v.empty()) kernels::copy(view_of(v, t.sizes(), contiguous_strides(t.sizes())), view_of(t));
  return v;
}

Tensor tensor_of(const Numbers& v, const OutputMeta& m, bool strided) {
  const Sizes dense = contiguous_strides(m.sizes);
  Sizes strides = dense;
  for (int64_t& s : strides) s *= 2;
  Tensor t = strided ? empty_strided(m.dtype, m.sizes, strides) : empty(m.dtype, m.sizes);
  if (!v.empty()) kernels::copy(view_of(t), view_of(v, m.sizes, dense));
  return t;
}

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Numbers Directions::take(int64_t n) {
  Numbers v(static_cast<size_t>(n));
  for (double& x : v) {
    const auto bits = philox_block(seed_, block_++);
    x = (bits[0] & 1 ? 0.5 : -0.5) * (1 + bits[1] * 0x1p-32);
  }
  return v;
}
Numbers Directions::unit(int64_t n) {
  Numbers v = take(n);
  const double norm = std::sqrt(dot(v, v));
  for (double& x : v) x /= norm;
  return v;
}

Movable::Movable(const Tensor& t, size_t position)
    : t_(t), position_(position), bytes_(static_cast<size_t>(t.numel() * size_of(t.dtype()))), values_(numbers_of(t)),
      kept_(t.impl()->autograd && t.impl()->autograd->retained_by) {
  for (int64_t i = 0; i < t.numel(); ++i) std::memcpy(original(i), at(i), element());
  if (kept_) grad_ = std::exchange(t.impl()->autograd->grad, Tensor());
}
Movable::~Movable() {
  restore();
  if (kept_) t_.impl()->autograd->grad = std::move(grad_);
}

double Movable::move(int64_t i, double by) {
  moved_ = true;
  const double from = values_[static_cast<size_t>(i)];
  return visit(t_.dtype(), [&]<class T>() {
    T* x = reinterpret_cast<T*>(at(i));
    *x = convert<T>(from + by);
    return convert<double>(*x) - from;
  });
}
void Movable::restore(int64_t i) { std::memcpy(at(i), original(i), element()); }
void Movable::restore() {
  for (int64_t i = 0; moved_ && i < numel(); ++i) restore(i);
  moved_ = false;
}

char* Movable::at(int64_t i) {
  int64_t offset = 0;
  for (int64_t d = t_.ndim(); d-- > 0; i /= t_.size(d)) offset += i % t_.size(d) * t_.stride(d);
  return t_.impl()->data() + offset * size_of(t_.dtype());
}

}  // namespace gradus
