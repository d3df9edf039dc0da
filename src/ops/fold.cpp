// Windows of an image as columns, and back; pixels moved into channels, and back.
#include "dispatch/evaluate.h"
#include "kernels/image_map.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Fold;

// kernel_size, dilation, padding and stride begin at `at`; the image is [channels, height, width] behind the batch.
Fold fold_of(const Args& a, int at, int64_t images, int64_t channels, SizesRef size) {
  const Sizes kernel = a.integers(at, 2), dilation = a.integers(at + 1, 2), padding = a.integers(at + 2, 2), stride = a.integers(at + 3, 2);
  Fold f{images, channels, {}, {}, {}, {}, {}, {}};
  for (size_t d = 0; d < 2; ++d) {
    for (int64_t v : {kernel[d], dilation[d], stride[d]}) GRADUS_CHECK(v > 0 && v <= INT32_MAX, value, "{}: kernel_size, dilation and stride must be at least 1, not {}", name(a.op()), v);
    GRADUS_CHECK(padding[d] >= 0 && padding[d] <= INT32_MAX, value, "{}: padding must be at least 0, not {}", name(a.op()), padding[d]);
    f.size[d] = size[d], f.kernel[d] = kernel[d], f.dilation[d] = dilation[d], f.padding[d] = padding[d], f.stride[d] = stride[d];
    const int64_t room = size[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
    GRADUS_CHECK(size[d] > 0 && room >= 0, shape, "{}: no window of kernel_size {} with dilation {} and padding {} fits an image of {}", name(a.op()), kernel[d], dilation[d],
                 padding[d], text(size));
    f.count[d] = room / stride[d] + 1;
  }
  return f;
}
void check_dtype(const Args& a) {
  const Dtype t = a.tensor(0).dtype();
  GRADUS_CHECK(is_differentiable(t), dtype, "{}: not defined for {}", name(a.op()), name(t));
}
SizesRef without_batch(const Tensor& t, size_t n) { return t.sizes().last(n); }
int64_t batch_of(const Tensor& t, size_t n) { return t.sizes().size() == n + 1 ? t.size(0) : 1; }
Sizes like_batch(const Tensor& t, size_t n, std::initializer_list<int64_t> rest) {
  Sizes s;
  if (t.sizes().size() == n + 1) s.push_back(t.size(0));
  for (int64_t r : rest) s.push_back(r);
  return s;
}

Fold columns_fold(const Args& a) {
  const Tensor& x = a.tensor(0);
  const SizesRef image = without_batch(x, 3);
  return fold_of(a, 1, batch_of(x, 3), image[0], image.last(2));
}
Fold image_fold(const Args& a) {
  const Tensor& x = a.tensor(0);
  const SizesRef columns = without_batch(x, 2);
  const Sizes kernel = a.integers(2, 2), size = a.integers(1, 2);
  for (int64_t k : kernel) GRADUS_CHECK(k > 0 && k <= INT32_MAX, value, "{}: kernel_size must be at least 1, not {}", name(a.op()), k);
  GRADUS_CHECK(columns[0] > 0 && columns[0] % (kernel[0] * kernel[1]) == 0, shape, "{}: {} rows are no multiple of the {} x {} elements of a window", name(a.op()), columns[0],
               kernel[0], kernel[1]);
  const Fold f = fold_of(a, 2, batch_of(x, 2), columns[0] / (kernel[0] * kernel[1]), size);
  GRADUS_CHECK(columns[1] == f.count[0] * f.count[1], shape, "{}: {} columns for {} x {} windows", name(a.op()), columns[1], f.count[0], f.count[1]);
  return f;
}
Tensor dense(const Tensor& t) { return t.contiguous() ? t : clone(t); }

// ---- pixels and channels
SizesRef lead_of(const Tensor& t) { return t.sizes().first(t.sizes().size() - 3); }
Tensor rearranged(const Tensor& x, std::initializer_list<int64_t> split, std::initializer_list<int64_t> order, std::initializer_list<int64_t> joined) {
  Sizes apart(lead_of(x)), dims, together(lead_of(x));
  const auto n = static_cast<int64_t>(apart.size());
  for (int64_t d = 0; d < n; ++d) dims.push_back(d);
  for (int64_t s : split) apart.push_back(s);
  for (int64_t o : order) dims.push_back(n + o);
  for (int64_t s : joined) together.push_back(s);
  return reshape(permute(reshape(x, apart), dims), together);
}
void check_shuffle(const Args& a, int64_t factor, std::string_view what) {
  GRADUS_CHECK(a.tensor(0).ndim() >= 3, shape, "{}: the input must have at least 3 dimensions, not shape {}", name(a.op()), text(a.tensor(0).sizes()));
  GRADUS_CHECK(factor > 0 && factor <= INT32_MAX, value, "{}: {} must be at least 1, not {}", name(a.op()), what, factor);
}
void shuffle(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const int64_t r = a.integer(1);
  check_shuffle(a, r, "upscale_factor");
  const int64_t c = x.size(-3), h = x.size(-2), w = x.size(-1);
  GRADUS_CHECK(c % (r * r) == 0, shape, "pixel_shuffle: {} channels are no multiple of {}", c, r * r);
  out.push_back(rearranged(x, {c / (r * r), r, r, h, w}, {0, 3, 1, 4, 2}, {c / (r * r), h * r, w * r}));
}
void unshuffle(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const int64_t r = a.integer(1);
  check_shuffle(a, r, "downscale_factor");
  const int64_t c = x.size(-3), h = x.size(-2), w = x.size(-1);
  GRADUS_CHECK(h % r == 0 && w % r == 0, shape, "pixel_unshuffle: height {} and width {} must be multiples of {}", h, w, r);
  out.push_back(rearranged(x, {c, h / r, r, w / r, r}, {0, 2, 4, 1, 3}, {c * r * r, h / r, w / r}));
}
void shuffle_channels(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const int64_t groups = a.integer(1);
  check_shuffle(a, groups, "groups");
  GRADUS_CHECK(x.size(1) % groups == 0, shape, "channel_shuffle: {} channels are no multiple of {} groups", x.size(1), groups);
  Sizes split{x.size(0), groups, x.size(1) / groups}, dims{0, 2, 1};
  for (int64_t d = 2; d < x.ndim(); ++d) {
    split.push_back(x.size(d));
    dims.push_back(d + 1);
  }
  out.push_back(reshape(permute(reshape(x, split), dims), x.sizes()));
}

}  // namespace

Op im2col_op{
    .schema = "im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor",
    .doc = "The windows of an image [n, channels, height, width] as columns [n, channels * kernel elements, windows].",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Tensor& x = a.tensor(0);
      GRADUS_CHECK((x.ndim() == 3 || x.ndim() == 4) && x.size(-3) > 0, shape, "im2col: the input must have 3 or 4 dimensions and channels, not shape {}", text(x.sizes()));
      const Fold f = columns_fold(a);
      out.push_back({x.dtype(), like_batch(x, 3, {multiply(f.channels, f.kernel[0] * f.kernel[1]), multiply(f.count[0], f.count[1])})});
    },
    .kernel = [](const Args& a, const Tensors& out) { kernels::image_to_columns(columns_fold(a), out[0].dtype(), dense(a.tensor(0)).impl()->data(), out[0].impl()->data()); },
    .vjp = {[](const Call& c, const Tensor& g) { return call(col2im_op, {g, c.sizes().last(2), c.integers(1), c.integers(2), c.integers(3), c.integers(4)}); }},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4, 5}), s.list({2, 3}), s.list({1, 1}), s.list({0, 1}), s.list({1, 2})});
      s.add({s.rand({2, 5, 4}), s.list({2, 2}), s.list({2, 1}), s.list({1, 0}), s.list({1, 1})});
      s.add({s.rand({0, 2, 3, 3}), Value(2), Value(1), Value(0), Value(1)});
      s.error({s.rand({1, 2, 3, 3}), Value(4), Value(1), Value(0), Value(1)}, "no window of kernel_size 4");
      s.error({s.rand({3, 3}), Value(2), Value(1), Value(0), Value(1)}, "must have 3 or 4 dimensions");
    },
};
Op col2im_op{
    .schema = "col2im(Tensor self, int[2] output_size, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor",
    .doc = "Columns [n, channels * kernel elements, windows] added up into an image of output_size: the transposed map of im2col.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Tensor& x = a.tensor(0);
      check_dtype(a);
      GRADUS_CHECK(x.ndim() == 2 || x.ndim() == 3, shape, "col2im: the input must have 2 or 3 dimensions, not shape {}", text(x.sizes()));
      const Fold f = image_fold(a);
      out.push_back({x.dtype(), like_batch(x, 2, {f.channels, f.size[0], f.size[1]})});
    },
    .kernel = [](const Args& a, const Tensors& out) { kernels::columns_to_image(image_fold(a), out[0].dtype(), dense(a.tensor(0)).impl()->data(), out[0].impl()->data()); },
    .vjp = {[](const Call& c, const Tensor& g) { return call(im2col_op, {g, c.integers(2), c.integers(3), c.integers(4), c.integers(5)}); }},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6, 6}), s.list({4, 3}), s.list({2, 1}), s.list({1, 1}), s.list({0, 0}), s.list({1, 2})});
      s.add({s.rand({8, 9}), s.list({3, 4}), s.list({2, 2}), s.list({2, 1}), s.list({1, 0}), s.list({1, 1})});
      s.error({s.rand({2, 5, 6}), s.list({4, 3}), s.list({2, 1}), s.list({1, 1}), s.list({0, 0}), s.list({1, 2})}, "5 rows are no multiple");
      s.error({s.rand({2, 6, 5}), s.list({4, 3}), s.list({2, 1}), s.list({1, 1}), s.list({0, 0}), s.list({1, 2})}, "5 columns for 3 x 2 windows");
    },
};
Op pixel_shuffle_op{
    .schema = "pixel_shuffle(Tensor self, int upscale_factor) -> Tensor",
    .doc = "[…, c * r * r, h, w] as [… , c, h * r, w * r]: channels become pixels.",
    .complex = true,
    .compose = shuffle,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 8, 2, 3}), Value(2)});
      s.error({s.rand({2, 6, 2, 3}), Value(2)}, "6 channels are no multiple of 4");
    },
};
Op pixel_unshuffle_op{
    .schema = "pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor",
    .doc = "[…, c, h * r, w * r] as […, c * r * r, h, w]: pixels become channels.",
    .complex = true,
    .compose = unshuffle,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 2, 4, 6}), Value(2)});
      s.error({s.rand({2, 4, 5}), Value(2)}, "must be multiples of 2");
    },
};
Op channel_shuffle_op{
    .schema = "channel_shuffle(Tensor self, int groups) -> Tensor",
    .doc = "The channels of groups in turn: channel (g, i) of [n, groups * k, …] goes to place (i, g).",
    .complex = true,
    .compose = shuffle_channels,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6, 2, 3}), Value(3)});
      s.error({s.rand({2, 5, 2}), Value(3)}, "no multiple of 3 groups");
    },
};

static Op* const all[] = {&im2col_op, &col2im_op, &pixel_shuffle_op, &pixel_unshuffle_op, &channel_shuffle_op};
const OpList fold_ops = all;

}  // namespace gradus
