// Inputs on which ops are tried: by the tests, the benchmarks and the manual. Small, odd and few.
#pragma once
#include <list>
#include <string>
#include <vector>

#include "dispatch/op.h"

namespace gradus {

// One call: its arguments, and for a bad one what the error says. Tensors are float64, or what the sample says.
struct Sample {
  std::vector<Value> arguments;
  std::vector<Tensor> tensors;                                // what the arguments point at
  std::vector<std::vector<int64_t>> integers;
  std::vector<std::vector<Tensor>> lists;
  std::list<std::string> texts;                               // a short text moves with its string
  std::string error;                                          // part of the message; empty for a good sample
};

class Samples {
 public:
  explicit Samples(uint64_t seed = 1) : state_(seed) {}

  // Values of their own that a sample's arguments point at.
  Value rand(SizesRef sizes, double low = -2, double high = 2, Dtype dtype = Dtype::f64);
  Value rand(std::initializer_list<int64_t> sizes, double low = -2, double high = 2, Dtype dtype = Dtype::f64) {
    return rand(SizesRef(sizes.begin(), sizes.size()), low, high, dtype);
  }
  Value complex(std::initializer_list<int64_t> sizes, double low = -2, double high = 2);   // complex128
  Value spread(std::initializer_list<int64_t> sizes);         // a quarter apart, in random order: order is far from changing
  Value integers(std::initializer_list<int64_t> sizes, int64_t low, int64_t high, Dtype dtype = Dtype::i64);   // high excluded
  Value values(std::initializer_list<int64_t> sizes, std::initializer_list<double> v, Dtype dtype = Dtype::f64);
  // Matrices with singular values of 2, 3.5, 5 … and a little: far from singular, and from each other.
  Value regular(std::initializer_list<int64_t> sizes, bool symmetric = false);
  Value list(std::initializer_list<int64_t> v);               // int[]
  Value tensors(std::initializer_list<Value> v);              // Tensor[]
  Value text(std::string s);

  void add(std::initializer_list<Value> arguments);
  void error(std::initializer_list<Value> arguments, std::string message);

  const std::vector<Sample>& all() const { return samples_; }

 private:
  double next();                                              // uniform in [0, 1)
  void finish(std::initializer_list<Value> arguments, std::string message);

  uint64_t state_;
  Sample current_;
  std::vector<Sample> samples_;
};

// Ready-made sets.
void unary_samples(Samples& s, double low, double high);
template <int low, int high> void on_interval(Samples& s) { unary_samples(s, low, high); }
void broadcasts(Samples& s);                                  // two inputs
void broadcasts_positive(Samples& s);
void reductions(Samples& s);                                  // (self, dim, keepdim)

}  // namespace gradus
