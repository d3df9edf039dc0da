// Steps of optimizers: rules over arrays that are read and written in one pass, many parameters at a time. Work is cut into
// pieces of all parameters together, so the bits do not depend on the number of threads.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

// The arrays of a rule: the parameter, its gradient (never written), then what the rule keeps from step to step.
enum class Rule : uint8_t {
  sgd, sgd_momentum,                                          // momentum
  adam, adam_amsgrad,                                         // mean, mean of squares, its maximum
  adagrad,                                                    // sum of squares
  rmsprop, rmsprop_momentum, rmsprop_centered, rmsprop_centered_momentum,   // mean of squares, mean, momentum
  adadelta,                                                   // mean of squares, mean of squared updates
  nadam, radam,                                               // mean, mean of squares
  lion,                                                       // mean
  scale, clamp,                                               // one array alone
  count
};
inline constexpr int kMaxArrays = 5;
constexpr int arrays_of(Rule r) {
  constexpr int arrays[] = {2, 3, 4, 5, 3, 3, 4, 4, 5, 4, 4, 4, 3, 1, 1};
  return arrays[static_cast<int>(r)];
}

// The numbers of one parameter's step. g is the gradient after: -g if maximize, then + decay p; p is shrink p first.
struct Step {
  double rate = 0, decay = 0, shrink = 1;
  double keep1 = 0, take1 = 0;                                // mean = keep1 mean + take1 g
  double keep2 = 0, take2 = 0;                                // squares = keep2 squares + take2 g^2
  double correction = 1, eps = 0;                             // sqrt(squares) correction + eps divides
  double rate2 = 0;                                           // nadam: of the mean beside the gradient
  bool maximize = false;
  bool nesterov = false;
  bool rectified = true;                                      // radam: false divides by nothing
};
struct Update {
  Rule rule = Rule::sgd;
  Step step;
  View array[kMaxArrays];                                     // of one dtype and shape, any strides
};
void update(std::span<const Update> updates);

// The p-norm of all arrays together, in double; p may be 0 (how many are not zero) and infinity.
double norm(std::span<const View> arrays, double p);

// ---- in vectors of this machine (optimize_rules.cpp)
struct UpdateStrip {
  int64_t n;
  void* array[kMaxArrays];
  const Step* step;
};
using UpdateFn = void (*)(const UpdateStrip&);
UpdateFn update_fn(Rule rule, bool twice);                    // of f64, else of f32
enum class Sum : int { squares, absolutes, largest };
double sum_of(Sum what, const float* x, int64_t n);
double sum_of(Sum what, const double* x, int64_t n);

}  // namespace gradus::kernels
