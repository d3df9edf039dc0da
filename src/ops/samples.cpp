#include "ops/samples.h"

#include <cmath>

#include "base/context.h"

namespace gradus {

double Samples::next() {                                      // splitmix64
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

template <class Next> static Tensor filled(SizesRef sizes, Dtype dtype, const Next& next) {
  Tensor t = empty(dtype, sizes);
  visit(dtype, [&]<class T>() {
    for (int64_t i = 0; i < t.numel(); ++i) t.data<T>()[i] = convert<T>(next(i));
  });
  return t;
}

Value Samples::rand(SizesRef sizes, double low, double high, Dtype dtype) {
  current_.tensors.push_back(filled(sizes, dtype, [&](int64_t) { return low + (high - low) * next(); }));
  return Value(current_.tensors.back());
}
Value Samples::complex(std::initializer_list<int64_t> sizes, double low, double high) {
  Tensor t = empty(Dtype::c128, SizesRef(sizes.begin(), sizes.size()));
  for (int64_t i = 0; i < 2 * t.numel(); ++i) t.data<double>()[i] = low + (high - low) * next();
  current_.tensors.push_back(t);
  return Value(t);
}
Value Samples::spread(std::initializer_list<int64_t> sizes) {
  const int64_t n = numel_of({sizes.begin(), sizes.size()});
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i) v.insert(v.begin() + static_cast<int64_t>(next() * static_cast<double>(i + 1)), 0.25 * static_cast<double>(i - n / 2) + 0.1);
  current_.tensors.push_back(filled({sizes.begin(), sizes.size()}, Dtype::f64, [&](int64_t i) { return v[static_cast<size_t>(i)]; }));
  return Value(current_.tensors.back());
}
Value Samples::integers(std::initializer_list<int64_t> sizes, int64_t low, int64_t high, Dtype dtype) {
  current_.tensors.push_back(filled({sizes.begin(), sizes.size()}, dtype, [&](int64_t) {
    return low + static_cast<int64_t>(next() * static_cast<double>(high - low));
  }));
  return Value(current_.tensors.back());
}
Value Samples::values(std::initializer_list<int64_t> sizes, std::initializer_list<double> v, Dtype dtype) {
  current_.tensors.push_back(filled({sizes.begin(), sizes.size()}, dtype, [&](int64_t i) { return v.begin()[i]; }));
  return Value(current_.tensors.back());
}
Value Samples::regular(std::initializer_list<int64_t> sizes, bool symmetric) {
  const Value v = rand(sizes, -0.4, 0.4);
  const TensorImpl* t = v.t;
  const int64_t rows = t->sizes()[t->ndim - 2u], cols = t->sizes()[t->ndim - 1u];
  double* x = reinterpret_cast<double*>(t->data());
  for (int64_t b = 0; rows * cols > 0 && b < t->numel / (rows * cols); ++b, x += rows * cols)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) {
        if (i == j) x[i * cols + j] += 2 + 1.5 * static_cast<double>(i);
        if (symmetric && i > j) x[i * cols + j] = x[j * cols + i];
      }
  return v;
}
Value Samples::list(std::initializer_list<int64_t> v) {
  current_.integers.emplace_back(v);
  return Value(SizesRef(current_.integers.back()));
}
Value Samples::tensors(std::initializer_list<Value> v) {
  std::vector<Tensor> list;
  for (const Value& x : v) list.push_back(x.tag == Tag::tensor ? Tensor::share(x.t) : Tensor());
  current_.lists.push_back(std::move(list));
  return Value(std::span<const Tensor>(current_.lists.back()));
}
Value Samples::text(std::string s) {
  current_.texts.push_back(std::move(s));
  return Value(std::string_view(current_.texts.back()));
}

void Samples::finish(std::initializer_list<Value> arguments, std::string message) {
  current_.arguments = arguments;                             // their lists move with the vectors that hold them
  current_.error = std::move(message);
  samples_.push_back(std::move(current_));
  current_ = Sample();
}
void Samples::add(std::initializer_list<Value> arguments) { finish(arguments, ""); }
void Samples::error(std::initializer_list<Value> arguments, std::string message) { finish(arguments, std::move(message)); }

void unary_samples(Samples& s, double low, double high) {
  s.add({s.rand({2, 3}, low, high)});
  s.add({s.rand({}, low, high)});
  s.add({s.rand({0, 2}, low, high)});
  s.add({s.rand({37}, low, high)});
}
static void binary_samples(Samples& s, double low, double high) {
  s.add({s.rand({2, 3}, low, high), s.rand({2, 3}, low, high)});
  s.add({s.rand({2, 3}, low, high), s.rand({3}, low, high)});                // broadcast on the right
  s.add({s.rand({2, 1}, low, high), s.rand({1, 3}, low, high)});             // and on both sides
  s.add({s.rand({0, 3}, low, high), s.rand({3}, low, high)});                // nothing to do
  s.add({s.rand({4}, low, high), Value(1.5)});
  s.error({s.rand({2}), s.rand({3})}, "2 and 3");
}
void broadcasts(Samples& s) { binary_samples(s, -2, 2); }
void broadcasts_positive(Samples& s) { binary_samples(s, 0.5, 3); }

void reductions(Samples& s) {
  s.add({s.rand({2, 3})});
  s.add({s.rand({2, 3, 4}), s.list({1})});
  s.add({s.rand({2, 3, 4}), s.list({0, -1}), Value(true)});
  s.add({s.rand({})});
  s.error({s.rand({2, 3}), s.list({2})}, "dim 2 is out of range");
  s.error({s.rand({2, 3}), s.list({0, 0})}, "appears twice");
}

}  // namespace gradus
