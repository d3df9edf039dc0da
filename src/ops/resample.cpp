// Images brought to other sizes. All modes are maps by tables, dim by dim; the transposed map is the gradient.
#include <cmath>

#include "ops/image_map.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

constexpr std::string_view kNearest = "nearest", kExact = "nearest-exact", kLinear = "linear", kCubic = "cubic";

// One dim of `in` elements made into `out`. scale: the caller's factor, or 0 for out / in.
struct Axis {
  int64_t in, out;
  bool align_corners;
  double scale;

  double step() const {                                       // elements of the input per element of the result
    if (align_corners) return out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
    return scale > 0 ? 1 / scale : static_cast<double>(in) / static_cast<double>(out);
  }
  double place(int64_t o) const { return align_corners ? step() * static_cast<double>(o) : step() * (static_cast<double>(o) + 0.5) - 0.5; }
};

// In float, as PyTorch does: results that fall on a boundary must agree.
int64_t nearest_of(const Axis& x, int64_t o, float shift) {
  const float step = x.scale > 0 ? static_cast<float>(1 / x.scale) : static_cast<float>(x.in) / static_cast<float>(x.out);
  return std::min(static_cast<int64_t>(std::floor((static_cast<float>(o) + shift) * step)), x.in - 1);
}
void add_linear(ImageMaps& m, size_t d, const Axis& x, int64_t o) {
  const double at = std::max(0.0, x.place(o));
  const int64_t low = std::min(static_cast<int64_t>(at), x.in - 1);
  const double part = std::clamp(at - static_cast<double>(low), 0.0, 1.0);
  m.add(d, low, 1 - part);
  m.add(d, std::min(low + 1, x.in - 1), part);
}
// Keys' cubic with a = -3/4: by the distance t from the element.
double cubic(double t) {
  constexpr double a = -0.75;
  t = std::abs(t);
  return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}
void add_cubic(ImageMaps& m, size_t d, const Axis& x, int64_t o) {
  const double at = x.place(o);
  const double low = std::floor(at);
  for (int64_t k = -1; k <= 2; ++k) m.add(d, std::clamp<int64_t>(static_cast<int64_t>(low) + k, 0, x.in - 1), cubic(at - low - static_cast<double>(k)));
}

// (self, mode, size, align_corners, scales_d, scales_h, scales_w): size is spatial.
ImageMaps table(const Args& a, SizesRef image, SizesRef size) {
  const size_t n = size.size();
  const std::string_view mode = a.text(1);
  ImageMaps m(image, n);
  for (size_t d = 0; d < n; ++d) {
    const int position = static_cast<int>(7 - n + d);
    const Axis x{image[image.size() - n + d], size[d], a.flag(3), a.has(position) ? a.real(position) : 0};
    GRADUS_CHECK(x.in > 0 && x.out > 0, shape, "{}: sizes {} to {} of an image of shape {}", name(a.op()), x.in, x.out, text(image));
    m.start(d, x.in, x.out, mode == kLinear ? 2 : mode == kCubic ? 4 : 1, mode == kLinear || mode == kCubic);
    for (int64_t o = 0; o < x.out; ++o) {
      if (mode == kNearest) m.add(d, nearest_of(x, o, 0));
      else if (mode == kExact) m.add(d, nearest_of(x, o, 0.5f));
      else if (mode == kLinear) add_linear(m, d, x, o);
      else add_cubic(m, d, x, o);
    }
  }
  return m;
}
void check_call(const Args& a) {
  const size_t n = a.integers(2).size();
  GRADUS_CHECK(n >= 1 && n <= 3 && n < a.tensor(0).sizes().size(), shape, "{}: size {} for shape {}", name(a.op()), text(a.integers(2)), text(a.tensor(0).sizes()));
  const Dtype t = a.tensor(0).dtype();
  GRADUS_CHECK(is_floating(t) || t == Dtype::u8, dtype, "{}: not defined for {}", name(a.op()), name(t));
  GRADUS_CHECK(is_floating(t) || a.text(1) == kNearest || a.text(1) == kExact, dtype, "{}: not defined for {}", name(a.op()), name(t));
  const std::string_view mode = a.text(1);
  GRADUS_CHECK(mode == kNearest || mode == kExact || mode == kLinear || mode == kCubic, value, "{}: unknown mode '{}'", name(a.op()), mode);
}
Sizes resized(SizesRef sizes, SizesRef last) {
  Sizes s(sizes.first(sizes.size() - last.size()));
  for (int64_t v : last) s.push_back(v);
  return s;
}
Tensor opposite(const Op& op, const Call& c, const Tensor& g) {
  const Args& a = c.args();
  return call(op, {g, a[1], c.sizes().last(c.integers(2).size()), a[3], a[4], a[5], a[6]});
}

// ---- what users call: (self, output_size, [align_corners,] scales…); scales come in the order of the dims
struct Scales {
  Value of[3] = {std::nullopt, std::nullopt, std::nullopt};
  Scales(const Args& a, int at, size_t n) {
    for (size_t d = 0; d < n; ++d) of[3 - n + d] = a[at + static_cast<int>(d)];
  }
};
void check_image(const Args& a, SizesRef sizes, size_t n) {
  GRADUS_CHECK(sizes.size() == n + 2, shape, "{}: the input must have {} dimensions, not shape {}", name(a.op()), n + 2, text(sizes));
  GRADUS_CHECK(sizes[1] > 0, shape, "{}: an input without channels: {}", name(a.op()), text(sizes));
}
template <size_t n, const std::string_view& mode, bool corners> void upsample(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  check_image(a, x.sizes(), n);
  const Scales scales(a, corners ? 3 : 2, n);
  Sizes size;
  if (a.has(1)) {
    size = a.integers(1, n);
  } else {
    for (size_t d = 0; d < n; ++d) {
      const Value& s = scales.of[3 - n + d];
      GRADUS_CHECK(s.tag == Tag::real && s.d > 0 && s.d < 1e9, argument, "{}: either output_size or all scales must be given", name(a.op()));
      size.push_back(static_cast<int64_t>(static_cast<double>(x.sizes()[d + 2]) * s.d));
    }
  }
  out.push_back(call(resample_op, {x, mode, size, corners && a.flag(2), scales.of[0], scales.of[1], scales.of[2]}));
}
// (grad_output, output_size, input_size, [align_corners,] scales…): input_size has all dims
template <size_t n, const std::string_view& mode, bool corners> void upsample_backward(const Args& a, Tensors& out) {
  const SizesRef size = a.integers(2);
  check_image(a, size, n);
  const Sizes expected = resized(size, a.integers(1, n));
  GRADUS_CHECK(same(a.tensor(0).sizes(), expected), shape, "{}: a gradient of shape {}, where {} is expected", name(a.op()), text(a.tensor(0).sizes()), text(expected));
  const Scales scales(a, corners ? 4 : 3, n);
  out.push_back(call(resample_back_op, {a.tensor(0), mode, size.last(n), corners && a.flag(3), scales.of[0], scales.of[1], scales.of[2]}));
}

}  // namespace

Op resample_op{
    .schema = "_resample(Tensor self, str mode, int[] size, bool align_corners, float? scales_d, float? scales_h, float? scales_w) -> Tensor",
    .doc = "The last dims brought to another size.",
    .shape = [](const Args& a, Metas& out) {
      check_call(a);
      table(a, a.tensor(0).sizes(), a.integers(2));
      out.push_back({a.tensor(0).dtype(), resized(a.tensor(0).sizes(), a.integers(2))});
    },
    .kernel = [](const Args& a, const Tensors& out) { table(a, a.tensor(0).sizes(), a.integers(2)).run(a.tensor(0), out[0]); },
    .vjp = {[](const Call& c, const Tensor& g) { return opposite(resample_back_op, c, g); }},
};
Op resample_back_op{
    .schema = "_resample_back(Tensor self, str mode, int[] size, bool align_corners, float? scales_d, float? scales_h, float? scales_w) -> Tensor",
    .doc = "The gradient of _resample by its input, whose size is given.",
    .shape = [](const Args& a, Metas& out) {
      check_call(a);
      const Sizes image = resized(a.tensor(0).sizes(), a.integers(2));
      table(a, image, a.tensor(0).sizes().last(a.integers(2).size()));
      out.push_back({a.tensor(0).dtype(), image});
    },
    .kernel = [](const Args& a, const Tensors& out) { table(a, out[0].sizes(), a.tensor(0).sizes().last(a.integers(2).size())).run_back(a.tensor(0), out[0]); },
    .vjp = {[](const Call& c, const Tensor& g) { return opposite(resample_op, c, g); }},
};

static void nearest1d(Samples& s) {
  s.add({s.rand({2, 3, 4}), Value(7)});
  s.add({s.rand({1, 2, 5}), Value(std::nullopt), Value(0.7)});
  s.error({s.rand({3, 4}), Value(7)}, "must have 3 dimensions");
}
static void nearest2d(Samples& s) {
  s.add({s.rand({2, 2, 3, 4}), s.list({6, 5})});
  s.add({s.rand({1, 2, 5, 3}), Value(std::nullopt), Value(0.5), Value(2.3)});
  s.add({s.rand({0, 2, 3, 4}), s.list({6, 5})});
  s.error({s.rand({1, 2, 5, 3}), Value(std::nullopt), Value(0.5)}, "either output_size or all scales");
  s.error({s.rand({1, 2, 5, 3}), s.list({0, 2})}, "sizes 5 to 0");
}
static void nearest3d(Samples& s) {
  s.add({s.rand({1, 2, 2, 3, 2}), s.list({3, 5, 4})});
  s.error({s.rand({1, 2, 3, 2}), s.list({3, 5, 4})}, "must have 5 dimensions");
}
static void linear1d(Samples& s) {
  s.add({s.rand({2, 2, 4}), Value(7), Value(false)});
  s.add({s.rand({2, 2, 4}), Value(6), Value(true)});
  s.error({s.rand({4}), Value(7), Value(false)}, "must have 3 dimensions");
}
static void linear2d(Samples& s) {
  s.add({s.rand({2, 2, 3, 4}), s.list({6, 3}), Value(false)});
  s.add({s.rand({1, 2, 3, 4}), s.list({1, 5}), Value(true)});
  s.add({s.rand({1, 1, 3, 4}), Value(std::nullopt), Value(false), Value(1.7), Value(0.6)});
  s.error({s.rand({2, 3, 4}), s.list({6, 3}), Value(false)}, "must have 4 dimensions");
}
static void linear3d(Samples& s) {
  s.add({s.rand({1, 2, 2, 3, 2}), s.list({3, 2, 4}), Value(false)});
  s.error({s.rand({1, 0, 2, 3, 2}), s.list({3, 2, 4}), Value(false)}, "without channels");
}
#define GRADUS_UPSAMPLE(cxx, aten, n, mode, corners, scale_arguments, words, sample)                                                      \
  Op cxx##_op{                                                                                                                            \
      .schema = aten "(Tensor self, int[" #n "]? output_size=None, " scale_arguments ") -> Tensor",                                       \
      .doc = words,                                                                                                                       \
      .serves = aten " " aten ".vec",                                                                                                     \
      .compose = upsample<n, mode, corners>,                                                                                              \
      .samples = sample,                                                                                                                  \
  };
#define GRADUS_SCALES_1 "float? scales=None"
#define GRADUS_SCALES_2 "float? scales_h=None, float? scales_w=None"
#define GRADUS_SCALES_3 "float? scales_d=None, float? scales_h=None, float? scales_w=None"
static const char* const kNearestDoc = "Each element the one of the input at its place, rounded down. Without output_size the scales give the size.";
static const char* const kExactDoc = "Each element the nearest one of the input. Without output_size the scales give the size.";
static const char* const kLinearDoc = "Linear interpolation along each dimension; align_corners puts the first and last elements on those of the input.";
static const char* const kCubicDoc = "Cubic convolution (a = -0.75) along each dimension; align_corners puts the first and last elements on those of the input.";
GRADUS_UPSAMPLE(upsample_nearest1d, "upsample_nearest1d", 1, kNearest, false, GRADUS_SCALES_1, kNearestDoc, nearest1d)
GRADUS_UPSAMPLE(upsample_nearest2d, "upsample_nearest2d", 2, kNearest, false, GRADUS_SCALES_2, kNearestDoc, nearest2d)
GRADUS_UPSAMPLE(upsample_nearest3d, "upsample_nearest3d", 3, kNearest, false, GRADUS_SCALES_3, kNearestDoc, nearest3d)
GRADUS_UPSAMPLE(upsample_nearest_exact1d, "_upsample_nearest_exact1d", 1, kExact, false, GRADUS_SCALES_1, kExactDoc, nearest1d)
GRADUS_UPSAMPLE(upsample_nearest_exact2d, "_upsample_nearest_exact2d", 2, kExact, false, GRADUS_SCALES_2, kExactDoc, nearest2d)
GRADUS_UPSAMPLE(upsample_nearest_exact3d, "_upsample_nearest_exact3d", 3, kExact, false, GRADUS_SCALES_3, kExactDoc, nearest3d)
GRADUS_UPSAMPLE(upsample_linear1d, "upsample_linear1d", 1, kLinear, true, "bool align_corners=False, " GRADUS_SCALES_1, kLinearDoc, linear1d)
GRADUS_UPSAMPLE(upsample_bilinear2d, "upsample_bilinear2d", 2, kLinear, true, "bool align_corners=False, " GRADUS_SCALES_2, kLinearDoc, linear2d)
GRADUS_UPSAMPLE(upsample_trilinear3d, "upsample_trilinear3d", 3, kLinear, true, "bool align_corners=False, " GRADUS_SCALES_3, kLinearDoc, linear3d)
GRADUS_UPSAMPLE(upsample_bicubic2d, "upsample_bicubic2d", 2, kCubic, true, "bool align_corners=False, " GRADUS_SCALES_2, kCubicDoc, linear2d)
#undef GRADUS_UPSAMPLE

static void nearest2d_backward(Samples& s) {
  s.add({s.rand({2, 2, 6, 5}), s.list({6, 5}), s.list({2, 2, 3, 4})});
  s.error({s.rand({2, 2, 6, 5}), s.list({6, 6}), s.list({2, 2, 3, 4})}, "where [2, 2, 6, 6] is expected");
}
static void linear2d_backward(Samples& s) {
  s.add({s.rand({2, 2, 6, 5}), s.list({6, 5}), s.list({2, 2, 3, 4}), Value(true)});
  s.add({s.rand({1, 1, 2, 5}), s.list({2, 5}), s.list({1, 1, 3, 4}), Value(false)});
  s.error({s.rand({2, 2, 6, 5}), s.list({6, 6}), s.list({2, 2, 3, 4}), Value(true)}, "where [2, 2, 6, 6] is expected");
}
#define GRADUS_UPSAMPLE_BACKWARD(stem, mode, corners, corner_argument, sample)                                                            \
  Op stem##_backward_op{                                                                                                                  \
      .schema = #stem "_backward(Tensor grad_output, int[2] output_size, int[4] input_size, " corner_argument GRADUS_SCALES_2 ") -> Tensor", \
      .doc = "The gradient of " #stem " by its input.",                                                                                   \
      .compose = upsample_backward<2, mode, corners>,                                                                                     \
      .samples = sample,                                                                                                                  \
  };
GRADUS_UPSAMPLE_BACKWARD(upsample_nearest2d, kNearest, false, "", nearest2d_backward)
GRADUS_UPSAMPLE_BACKWARD(upsample_bilinear2d, kLinear, true, "bool align_corners, ", linear2d_backward)
GRADUS_UPSAMPLE_BACKWARD(upsample_bicubic2d, kCubic, true, "bool align_corners, ", linear2d_backward)
#undef GRADUS_UPSAMPLE_BACKWARD
#undef GRADUS_SCALES_1
#undef GRADUS_SCALES_2
#undef GRADUS_SCALES_3

static Op* const all[] = {&resample_op, &resample_back_op, &upsample_nearest1d_op, &upsample_nearest2d_op, &upsample_nearest3d_op, &upsample_nearest_exact1d_op,
                          &upsample_nearest_exact2d_op, &upsample_nearest_exact3d_op, &upsample_linear1d_op, &upsample_bilinear2d_op, &upsample_trilinear3d_op,
                          &upsample_bicubic2d_op, &upsample_nearest2d_backward_op, &upsample_bilinear2d_backward_op, &upsample_bicubic2d_backward_op};
const OpList resample_ops = all;

}  // namespace gradus
