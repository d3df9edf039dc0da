// Padding. Constant padding with the sizes turned round is its own gradient; the other modes read elements of the input again,
// and their transposed map adds up where they were read.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "ops/image_map.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// ---- constant: pairs (before, behind) from the last dim on; a negative number cuts off
Sizes padded_sizes(const Args& a, const Tensor& x, SizesRef pad) {
  GRADUS_CHECK(pad.size() % 2 == 0 && pad.size() <= 2 * x.sizes().size(), shape, "{}: {} padding numbers for an input of shape {}", name(a.op()), pad.size(), text(x.sizes()));
  Sizes sizes(x.sizes());
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    int64_t& s = sizes[sizes.size() - 1 - i];
    int64_t bigger;
    GRADUS_CHECK(pad[2 * i] >= -INT64_MAX / 2, shape, "{}: padding {} of dimension {}", name(a.op()), pad[2 * i], sizes.size() - 1 - i);
    GRADUS_CHECK(!__builtin_add_overflow(pad[2 * i], pad[2 * i + 1], &bigger) && !__builtin_add_overflow(s, bigger, &bigger) && bigger >= 0, shape,
                 "{}: padding {} and {} of dimension {} of {} leaves no size", name(a.op()), pad[2 * i], pad[2 * i + 1], sizes.size() - 1 - i, text(x.sizes()));
    s = bigger;
  }
  return sizes;
}
void constant_kernel(const Args& a, const Tensors& out) {
  const Tensor& x = a.tensor(0);
  const SizesRef pad = a.integers(1);
  Layout from = x.layout(), to = out[0].layout();
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    const size_t d = from.sizes.size() - 1 - i;
    const int64_t before = pad[2 * i], begin = std::max<int64_t>(0, -before), end = std::min(from.sizes[d], to.sizes[d] - before);
    from.offset += begin * from.strides[d];
    to.offset += (begin + before) * to.strides[d];
    from.sizes[d] = to.sizes[d] = std::max<int64_t>(0, end - begin);
  }
  if (numel_of(to.sizes) != out[0].numel()) kernels::fill(view_of(out[0]), a.number(2));
  if (numel_of(to.sizes) == 0) return;
  kernels::copy(view_of(alias(out[0], to.sizes, to.strides, to.offset)), view_of(alias(x, from.sizes, from.strides, from.offset)));
}

// ---- the other modes, over the last dims
int64_t source_of(std::string_view mode, int64_t u, int64_t size) {
  if (mode == "replicate") return std::clamp<int64_t>(u, 0, size - 1);
  if (mode == "reflect") return u < 0 ? -u : u >= size ? 2 * (size - 1) - u : u;
  return (u + size) % size;
}
ImageMaps pad_map(const Args& a, SizesRef sizes, std::string_view mode, SizesRef pad) {
  const size_t n = pad.size() / 2;
  ImageMaps m(sizes, n);
  for (size_t d = 0; d < n; ++d) {
    const int64_t before = pad[2 * (n - 1 - d)], behind = pad[2 * (n - 1 - d) + 1], in = sizes[sizes.size() - n + d];
    GRADUS_CHECK(std::min(before, behind) >= -INT32_MAX, value, "{}: padding {} and {} of a dimension of size {}", name(a.op()), before, behind, in);
    const bool circular = mode == "circular";                 // a dimension is cut first, and what is left goes round
    const int64_t first = circular ? std::max<int64_t>(-before, 0) : 0, left = circular ? in - first - std::max<int64_t>(-behind, 0) : in;
    const int64_t most = std::max(before, behind), limit = mode == "reflect" ? in - 1 : circular ? left : INT32_MAX;
    GRADUS_CHECK(in > 0 && most <= limit, value, "{}: padding {} and {} in mode {} of a dimension of size {}", name(a.op()), before, behind, mode, in);
    const int64_t out = in + before + behind;
    GRADUS_CHECK(out >= 1, shape, "{}: padding {} and {} leaves nothing of a dimension of size {}", name(a.op()), before, behind, in);
    m.start(d, in, out, 1, false);
    for (int64_t o = 0; o < out; ++o) m.add(d, first + source_of(mode, o - before - first, left));
  }
  return m;
}
// _pad_image(self, mode, pad) and its back: the same with the sizes of the image found from those of the gradient.
void check_pad(const Args& a) {
  const size_t n = a.integers(2).size(), dims = a.tensor(0).sizes().size();
  GRADUS_CHECK(n >= 2 && n <= 6 && n % 2 == 0 && n / 2 <= dims, shape, "{}: {} padding numbers for shape {}", name(a.op()), n, text(a.tensor(0).sizes()));
}
Sizes unpadded(const Args& a) {
  const SizesRef pad = a.integers(2);
  Sizes sizes(a.tensor(0).sizes());
  for (size_t i = 0; i < pad.size(); ++i) {
    int64_t& s = sizes[sizes.size() - 1 - i / 2];
    GRADUS_CHECK(!__builtin_sub_overflow(s, pad[i], &s) && (i % 2 == 0 || s >= 0), shape, "{}: padding {} for a gradient of shape {}", name(a.op()), text(pad),
                 text(a.tensor(0).sizes()));
  }
  return sizes;
}
Tensor pad_image(const Tensor& x, std::string_view mode, SizesRef pad) { return call(pad_image_op, {x, mode, pad}); }

// The input of a user's op: n spatial dims behind a channel and perhaps a batch.
void check_image(const Args& a, const Tensor& x, size_t n) {
  GRADUS_CHECK(x.sizes().size() == n + 1 || x.sizes().size() == n + 2, shape, "{}: {} padding numbers need {} or {} dimensions, not shape {}", name(a.op()), 2 * n, n + 1,
               n + 2, text(x.sizes()));
}
constexpr std::string_view kReflect = "reflect", kReplicate = "replicate";
template <size_t n, const std::string_view& mode> void pad_nd(const Args& a, Tensors& out) {
  check_image(a, a.tensor(0), n);
  out.push_back(pad_image(a.tensor(0), mode, a.integers(1, 2 * n)));
}
template <size_t n, const std::string_view& mode> void pad_nd_backward(const Args& a, Tensors& out) {
  check_image(a, a.tensor(1), n);
  const Tensor d = call(pad_image_back_op, {a.tensor(0), mode, a.integers(2, 2 * n)});
  GRADUS_CHECK(same(d.sizes(), a.tensor(1).sizes()), shape, "{}: a gradient of shape {} for an input of shape {}", name(a.op()), text(a.tensor(0).sizes()), text(a.tensor(1).sizes()));
  out.push_back(d);
}
void pad_by_mode(const Args& a, Tensors& out) {
  const std::string_view mode = a.text(2);
  if (mode == "constant") return out.push_back(constant_pad_nd(a.tensor(0), a.integers(1), a.has(3) ? a.number(3) : Number(0)));
  GRADUS_CHECK(mode == "reflect" || mode == "replicate" || mode == "circular", value, "pad: mode must be constant, reflect, replicate or circular, not '{}'", mode);
  GRADUS_CHECK(!a.has(3) || a.number(3).f == 0, value, "pad: mode {} takes no value", mode);
  const size_t n = a.integers(1).size();
  GRADUS_CHECK(n == 2 || n == 4 || n == 6, shape, "pad: mode {} takes 2, 4 or 6 padding numbers, not {}", mode, n);
  check_image(a, a.tensor(0), n / 2);
  out.push_back(pad_image(a.tensor(0), mode, a.integers(1)));
}

}  // namespace

Op constant_pad_nd_op{
    .schema = "constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor",
    .doc = "The input with value around it: pad holds pairs (before, behind) from the last dimension on; a negative number cuts off.",
    .complex = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) {
      out.push_back({a.tensor(0).dtype(), padded_sizes(a, a.tensor(0), a.integers(1))});
    },
    .kernel = constant_kernel,
    .vjp = {[](const Call& c, const Tensor& g) {
              Sizes back(c.integers(1));
              for (int64_t& p : back) p = -p;
              return constant_pad_nd(g, back, 0);
            }},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({1, 2}), Value(1.5)});
      s.add({s.rand({2, 3, 4}), s.list({-1, 1, 0, -2, 2, 0})});
      s.add({s.rand({2}), s.list({})});
      s.add({s.rand({0, 2}), s.list({0, 0, 1, 1})});
      s.error({s.rand({2, 3}), s.list({1})}, "1 padding numbers");
      s.error({s.rand({2, 3}), s.list({-2, -2})}, "leaves no size");
    },
};
Op pad_image_op{
    .schema = "_pad_image(Tensor self, str mode, int[] pad) -> Tensor",
    .doc = "The last dims padded by reflection, by their first and last elements, or in a circle.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      check_pad(a);
      out.push_back({a.tensor(0).dtype(), pad_map(a, a.tensor(0).sizes(), a.text(1), a.integers(2)).out_sizes(a.tensor(0).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) { pad_map(a, a.tensor(0).sizes(), a.text(1), a.integers(2)).run(a.tensor(0), out[0]); },
    .vjp = {[](const Call& c, const Tensor& g) { return call(pad_image_back_op, {g, c.args()[1], c.args()[2]}); }},
};
Op pad_image_back_op{
    .schema = "_pad_image_back(Tensor self, str mode, int[] pad) -> Tensor",
    .doc = "The gradient of _pad_image by its input.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      check_pad(a);
      const Sizes sizes = unpadded(a);
      pad_map(a, sizes, a.text(1), a.integers(2));
      out.push_back({a.tensor(0).dtype(), sizes});
    },
    .kernel = [](const Args& a, const Tensors& out) { pad_map(a, out[0].sizes(), a.text(1), a.integers(2)).run_back(a.tensor(0), out[0]); },
    .vjp = {[](const Call& c, const Tensor& g) { return call(pad_image_op, {g, c.args()[1], c.args()[2]}); }},
};
Op pad_op{
    .schema = "pad(Tensor self, int[] pad, str mode='constant', float? value=None) -> Tensor",
    .doc = "The input padded with a constant, or over its last one to three dimensions by reflection, by its border or in a circle.",
    .complex = true,
    .compose = pad_by_mode,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({1, 2}), s.text("constant"), Value(0.5)});
      s.add({s.rand({2, 3, 4}), s.list({3, 1}), s.text("reflect")});
      s.add({s.rand({2, 3, 4}), s.list({-1, 2, 1, 0}), s.text("replicate")});
      s.add({s.rand({1, 2, 3, 4}), s.list({4, 1, -1, 2}), s.text("circular")});
      s.error({s.rand({2, 3, 4}), s.list({4, 1}), s.text("reflect")}, "padding 4 and 1 in mode reflect of a dimension of size 4");
      s.error({s.rand({2, 3, 4}), s.list({1, 1}), s.text("mirror")}, "not 'mirror'");
      s.error({s.rand({2, 3, 4}), s.list({1, 1}), s.text("reflect"), Value(1.0)}, "takes no value");
    },
};

template <int n> static void pad_samples(Samples& s) {
  if (n == 1) s.add({s.rand({2, 3, 4}), s.list({2, 1})});
  if (n == 1) s.add({s.rand({3, 4}), s.list({-1, 3})});
  if (n == 2) s.add({s.rand({2, 3, 4}), s.list({2, 1, 0, 2})});
  if (n == 3) s.add({s.rand({1, 2, 3, 2, 4}), s.list({2, 1, 0, 1, 1, 2})});
  s.error({s.rand({4}), s.list({1, 1})}, "dimensions, not shape");
}
template <int n> static void pad_backward_samples(Samples& s) {
  if (n == 1) s.add({s.rand({2, 3, 6}), s.rand({2, 3, 4}), s.list({1, 1})});
  if (n == 2) s.add({s.rand({2, 5, 6}), s.rand({2, 3, 4}), s.list({1, 1, 0, 2})});
  if (n == 3) s.add({s.rand({2, 3, 5, 6}), s.rand({2, 2, 3, 4}), s.list({1, 1, 0, 2, 1, 0})});
  s.error({s.rand({2, 3, 6}), s.rand({4}), s.list({1, 1})}, "dimensions, not shape");
}
static const char* const kReflectDoc = "The input padded by reflection at its first and last elements: pairs (before, behind) from the last dimension on.";
static const char* const kReplicateDoc = "The input padded by its first and last elements: pairs (before, behind) from the last dimension on.";
#define GRADUS_PAD(kind, mode, n, numbers, words)                                                                                         \
  Op kind##_pad##n##d_op{                                                                                                                 \
      .schema = #kind "_pad" #n "d(Tensor self, int[" numbers "] padding) -> Tensor",                                                     \
      .doc = words,                                                                                                                       \
      .complex = true,                                                                                                                    \
      .compose = pad_nd<n, mode>,                                                                                                         \
      .samples = pad_samples<n>,                                                                                                          \
  };                                                                                                                                      \
  Op kind##_pad##n##d_backward_op{                                                                                                        \
      .schema = #kind "_pad" #n "d_backward(Tensor grad_output, Tensor self, int[" numbers "] padding) -> Tensor",                        \
      .doc = "The gradient of " #kind "_pad" #n "d by its input.",                                                                        \
      .complex = true,                                                                                                                    \
      .compose = pad_nd_backward<n, mode>,                                                                                                \
      .samples = pad_backward_samples<n>,                                                                                                 \
  };
GRADUS_PAD(reflection, kReflect, 1, "2", kReflectDoc)
GRADUS_PAD(reflection, kReflect, 2, "4", kReflectDoc)
GRADUS_PAD(reflection, kReflect, 3, "6", kReflectDoc)
GRADUS_PAD(replication, kReplicate, 1, "2", kReplicateDoc)
GRADUS_PAD(replication, kReplicate, 2, "4", kReplicateDoc)
GRADUS_PAD(replication, kReplicate, 3, "6", kReplicateDoc)
#undef GRADUS_PAD

static Op* const all[] = {&constant_pad_nd_op, &pad_image_op, &pad_image_back_op, &pad_op, &reflection_pad1d_op, &reflection_pad2d_op, &reflection_pad3d_op,
                          &replication_pad1d_op, &replication_pad2d_op, &replication_pad3d_op, &reflection_pad1d_backward_op, &reflection_pad2d_backward_op,
                          &reflection_pad3d_backward_op, &replication_pad1d_backward_op, &replication_pad2d_backward_op, &replication_pad3d_backward_op};
const OpList pad_ops = all;

}  // namespace gradus
