#include "optim/init.h"

#include <cmath>

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "ops/ops.h"

namespace gradus {
namespace {

struct Fans { double in, out; };
Fans fans_of(const Tensor& t, std::string_view by) {
  GRADUS_CHECK(t.ndim() >= 2, shape, "{}: shape {} has fewer than two dimensions, hence no fan", by, text(t.sizes()));
  double field = 1;
  for (int64_t d = 2; d < t.ndim(); ++d) field *= static_cast<double>(t.size(d));
  return {static_cast<double>(t.size(1)) * field, static_cast<double>(t.size(0)) * field};
}
void check_gain(double gain, std::string_view by) { GRADUS_CHECK(std::isfinite(gain), value, "{}: 'gain' is {}, not a finite number", by, gain); }

void draw_with(const Tensor& t, Draw draw, double std) {
  const GradMode off(false);
  const double bound = std::sqrt(3.0) * std;
  if (draw == Draw::normal) call_in_place(normal_op, {t, 0.0, std});
  else call_in_place(uniform_op, {t, -bound, bound});
}

double normal_cdf(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

Tensor rows(const Tensor& m, int64_t from, int64_t count) {
  const int64_t sizes[] = {count, m.size(1)};
  return alias(m, sizes, m.strides(), m.offset() + from * m.stride(0));
}
Tensor transposed(const Tensor& m) {
  const int64_t sizes[] = {m.size(1), m.size(0)}, strides[] = {m.stride(1), m.stride(0)};
  return alias(m, sizes, strides, m.offset());
}

// Twice is enough: after the second pass what is left of other rows is rounding.
constexpr int kPasses = 2;
constexpr int64_t kBlock = 32;

void orthonormalize_block(double* m, int64_t count, int64_t n) {
  for (int64_t i = 0; i < count; ++i) {
    double* x = m + i * n;
    for (int pass = 0; pass < kPasses; ++pass) {
      for (int64_t k = 0; k < i; ++k) {
        const double* q = m + k * n;
        double s = 0;
        for (int64_t e = 0; e < n; ++e) s += x[e] * q[e];
        for (int64_t e = 0; e < n; ++e) x[e] -= s * q[e];
      }
    }
    double s = 0;
    for (int64_t e = 0; e < n; ++e) s += x[e] * x[e];
    const double factor = s > 0 ? 1 / std::sqrt(s) : 0;
    for (int64_t e = 0; e < n; ++e) x[e] *= factor;
  }
}
// Gram and Schmidt's process on the rows, in blocks: the factor Q of a QR decomposition with a positive diagonal in R.
void orthonormalize_rows(const Tensor& m) {
  const int64_t count = m.size(0), n = m.size(1);
  for (int64_t at = 0; at < count; at += kBlock) {
    const int64_t size = std::min(kBlock, count - at);
    const Tensor block = rows(m, at, size), done = rows(m, 0, at);
    for (int pass = 0; at > 0 && pass < kPasses; ++pass) call_in_place(sub_op, {block, matmul(matmul(block, transposed(done)), done)});
    orthonormalize_block(m.data<double>() + at * n, size, n);
  }
}

}  // namespace

double gain_of(std::string_view f, double parameter) {
  for (const std::string_view plain : {"linear", "identity", "sigmoid", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
    if (f == plain) return 1;
  if (f == "tanh") return 5.0 / 3;
  if (f == "relu") return std::sqrt(2.0);
  if (f == "leaky_relu") return std::sqrt(2 / (1 + parameter * parameter));
  if (f == "selu") return 0.75;
  fail(Status::unknown_name, "gain: no nonlinearity '{}'", f);
}

void init_xavier(const Tensor& t, Draw draw, double gain) {
  const Fans f = fans_of(t, "xavier");
  check_gain(gain, "xavier");
  GRADUS_CHECK(gain >= 0, value, "xavier: 'gain' is {}, not at least 0", gain);
  if (t.numel() > 0) draw_with(t, draw, gain * std::sqrt(2 / (f.in + f.out)));
}
void init_kaiming(const Tensor& t, Draw draw, double slope, Fan fan, std::string_view nonlinearity) {
  const Fans f = fans_of(t, "kaiming");
  const double gain = gain_of(nonlinearity, slope);
  check_gain(gain, "kaiming");
  if (t.numel() > 0) draw_with(t, draw, gain / std::sqrt(fan == Fan::in ? f.in : f.out));
}

void init_orthogonal(const Tensor& t, double gain) {
  GRADUS_CHECK(t.ndim() >= 2, shape, "orthogonal: shape {} has fewer than two dimensions", text(t.sizes()));
  GRADUS_CHECK(is_floating(t.dtype()), dtype, "orthogonal: not defined for {}", name(t.dtype()));
  check_gain(gain, "orthogonal");
  if (t.numel() == 0) return;
  const GradMode off(false);
  const int64_t height = t.size(0), width = t.numel() / height;
  const int64_t sizes[] = {std::min(height, width), std::max(height, width)};
  const Tensor m = empty(Dtype::f64, sizes);
  call_in_place(normal_op, {m, 0.0, 1.0});
  orthonormalize_rows(m);
  call_in_place(mul_op, {m, gain});
  const Tensor q = height <= width ? m : clone(transposed(m));
  call_in_place(copy_op, {t, alias(q, t.sizes(), contiguous_strides(t.sizes()), 0)});
}

void init_trunc_normal(const Tensor& t, double mean, double std, double low, double high) {
  GRADUS_CHECK(std > 0 && std::isfinite(std) && std::isfinite(mean), value, "trunc_normal: mean {} and std {}", mean, std);
  GRADUS_CHECK(low < high, value, "trunc_normal: no numbers from {} to {}", low, high);
  GRADUS_CHECK(is_floating(t.dtype()), dtype, "trunc_normal: not defined for {}", name(t.dtype()));
  if (t.numel() == 0) return;
  const GradMode off(false);
  const double from = normal_cdf((low - mean) / std), to = normal_cdf((high - mean) / std);
  const Tensor x = empty(compute_dtype(t.dtype()), t.sizes());
  call_in_place(uniform_op, {x, 2 * from - 1, 2 * to - 1});
  call_in_place(erfinv_op, {x});
  call_in_place(mul_op, {x, std * std::sqrt(2.0)});
  call_in_place(add_op, {x, mean});
  call_in_place(clamp_op, {x, low, high});
  call_in_place(copy_op, {t, x});
}

}  // namespace gradus
