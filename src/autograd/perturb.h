// What differences need: elements that move and come back, random directions, tensors as numbers and back.
#pragma once
#include "autograd/jacobian.h"
#include "graph/node.h"

namespace gradus {

Numbers numbers_of(const Tensor& t);                          // row-major
// A tensor of these numbers, contiguous or of every second element of its memory.
Tensor tensor_of(const Numbers& v, const OutputMeta& m, bool strided = false);
inline OutputMeta meta_of(const Tensor& t) { return {t.dtype(), t.sizes()}; }
double dot(const Numbers& a, const Numbers& b);

// Random numbers of its own: the context's are for the function. 1/2 <= |x| < 1, so that no element is nearly left out.
class Directions {
 public:
  explicit Directions(uint64_t seed) : seed_(seed) {}
  Numbers take(int64_t n);
  Numbers unit(int64_t n);                                    // of norm 1

 private:
  uint64_t seed_, block_ = 0;
};

// An input whose elements are moved. The version is not raised, as the values that graphs have saved come back.
class Movable {
 public:
  Movable(const Tensor& t, size_t position);
  ~Movable();
  Movable(const Movable&) = delete;
  Movable& operator=(const Movable&) = delete;

  const Tensor& tensor() const { return t_; }
  size_t position() const { return position_; }               // among the inputs
  int64_t numel() const { return t_.numel(); }
  // Element i becomes its original value + by, rounded to the dtype; returns how far that is.
  double move(int64_t i, double by);
  void restore(int64_t i);
  void restore();

 private:
  size_t element() const { return static_cast<size_t>(size_of(t_.dtype())); }
  char* original(int64_t i) { return bytes_.data() + static_cast<size_t>(i) * element(); }
  char* at(int64_t i);

  Tensor t_, grad_;
  size_t position_;
  std::vector<char> bytes_;
  Numbers values_;
  bool moved_ = false;
  bool kept_;                                                 // a computed tensor with a kept gradient, which every pass would add to
};

}  // namespace gradus
