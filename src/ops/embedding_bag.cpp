// Rows of a table summed, averaged or maximised in bags.
#include <algorithm>

#include "dispatch/evaluate.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

enum Mode : int64_t { kSum, kMean, kMax };

// (weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, padding_idx)
void check(const Args& a) {
  const Tensor &w = a.tensor(0), &i = a.tensor(1), &o = a.tensor(2), &each = a.optional_tensor(6);
  GRADUS_CHECK(w.ndim() == 2, shape, "embedding_bag: a weight of shape {}, not [rows, size]", text(w.sizes()));
  GRADUS_CHECK(is_floating(w.dtype()), dtype, "embedding_bag: not defined for {}", name(w.dtype()));
  for (const Tensor* t : {&i, &o}) {
    GRADUS_CHECK(t->dtype() == Dtype::i64 || t->dtype() == Dtype::i32, dtype, "embedding_bag: {} of {}, not int64 or int32", t == &i ? "indices" : "offsets", name(t->dtype()));
    GRADUS_CHECK(t->ndim() == 1, shape, "embedding_bag: {} of shape {}, not one list", t == &i ? "indices" : "offsets", text(t->sizes()));
  }
  GRADUS_CHECK(a.integer(4) >= kSum && a.integer(4) <= kMax, value, "embedding_bag: mode {} is not 0 (sum), 1 (mean) or 2 (max)", a.integer(4));
  GRADUS_CHECK(!each || a.integer(4) == kSum, argument, "embedding_bag: per_sample_weights are for sums, mode {} is none", a.integer(4));
  GRADUS_CHECK(!each || same(each.sizes(), i.sizes()), shape, "embedding_bag: per_sample_weights of shape {} for indices of shape {}", text(each ? each.sizes() : SizesRef()), text(i.sizes()));
  GRADUS_CHECK(!a.flag(7) || o.numel() > 0, shape, "embedding_bag: include_last_offset without an offset");
}

// The bag of each of n indices: the last one that begins at or before it. (offsets, n, include_last_offset)
void bags_kernel(const Args& a, const Tensors& out) {
  const Tensor offsets = a.tensor(0).contiguous() ? a.tensor(0) : clone(a.tensor(0));
  const int64_t count = offsets.numel(), n = a.integer(1), *o = offsets.data<int64_t>();
  if (count == 0) {
    GRADUS_CHECK(n == 0, value, "embedding_bag: {} indices without an offset", n);
    return;
  }
  GRADUS_CHECK(o[0] == 0, value, "embedding_bag: the first offset is {}, not 0", o[0]);
  for (int64_t k = 1; k < count; ++k) GRADUS_CHECK(o[k - 1] <= o[k], value, "embedding_bag: offset {} at {} follows {}", o[k], k, o[k - 1]);
  GRADUS_CHECK(o[count - 1] <= n, value, "embedding_bag: the last offset {} is beyond {} indices", o[count - 1], n);
  GRADUS_CHECK(!a.flag(2) || o[count - 1] == n, value, "embedding_bag: the last offset {} does not end {} indices", o[count - 1], n);
  auto* to = out[0].data<int64_t>();
  for (int64_t k = 0; k < count; ++k) std::fill(to + o[k], to + (k + 1 < count ? o[k + 1] : n), k);
}

Tensor pooled(const Args& a, const Tensor& rows, const Tensor& bag, const Tensor& sizes) {
  const Tensor nothing = zeros(Sizes{sizes.numel(), rows.size(1)}, rows.dtype());
  if (a.integer(4) == kMax) return call(index_reduce_op, {nothing, int64_t{0}, bag, rows, std::string_view("amax"), false});
  const Tensor sum = index_add(nothing, 0, bag, rows);
  return a.integer(4) == kSum ? sum : div(sum, unsqueeze(clamp_min(to(sizes, rows.dtype()), 1.0), 1));
}

void embedding_bag(const Args& a, Tensors& out) {
  check(a);
  const int64_t n = a.tensor(1).numel(), bags = a.tensor(2).numel() - a.flag(7);
  Tensor indices = to(a.tensor(1), Dtype::i64), each = a.optional_tensor(6);
  const Tensor all = call(bags_op, {to(a.tensor(2), Dtype::i64), n, a.flag(7)});
  Tensor bag = all;
  if (a.has(8)) {
    const int64_t rows = a.tensor(0).size(0), padding = a.integer(8) < 0 ? a.integer(8) + rows : a.integer(8);
    GRADUS_CHECK(padding >= 0 && padding < rows, index, "embedding_bag: padding_idx {} is none of {} rows", a.integer(8), rows);
    const Tensor kept = ne(indices, padding);
    bag = masked_select(bag, kept);
    indices = masked_select(indices, kept);
    if (each) each = masked_select(each, kept);
  }
  const Tensor sizes = index_add(zeros(Sizes{bags}, Dtype::i64), 0, bag, ones(Sizes{bag.numel()}, Dtype::i64));
  Tensor rows = embedding(a.tensor(0), indices, -1, a.flag(3));
  if (each) rows = mul(rows, unsqueeze(each, 1));
  out.push_back(pooled(a, rows, bag, sizes));
  out.push_back(all);
  out.push_back(sizes);
  out.push_back(zeros(Sizes{0}, Dtype::i64));
}

}  // namespace

Op bags_op{
    .schema = "_bags(Tensor offsets, int n, bool include_last_offset) -> Tensor",
    .doc = "The bag of each of n indices, where bags begin at offsets that grow from 0; with include_last_offset the last offset is their end.",
    .shape = [](const Args& a, Metas& out) {
      GRADUS_CHECK(a.tensor(0).ndim() == 1 && a.tensor(0).dtype() == Dtype::i64, argument, "_bags: offsets of {} and shape {}", name(a.tensor(0).dtype()), text(a.tensor(0).sizes()));
      GRADUS_CHECK(a.integer(1) >= 0, value, "_bags: {} indices", a.integer(1));
      out.push_back({Dtype::i64, Sizes{a.integer(1)}});
    },
    .kernel = bags_kernel,
};
Op embedding_bag_op{
    .schema = "embedding_bag(Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, bool sparse=False, "
              "Tensor? per_sample_weights=None, bool include_last_offset=False, int? padding_idx=None) -> (Tensor, Tensor, Tensor, Tensor)",
    .doc = "The sum (mode 0), mean (1) or maximum (2) of the rows of weight at the indices of each bag, which begins at its offset; an empty bag gives zeros. "
           "Then the bag of each index, the sizes of the bags, and nothing. Rows at padding_idx do not count. sparse is not heeded.",
    .serves = "embedding_bag.padding_idx",
    .compose = embedding_bag,
    .samples = [](Samples& s) {
      const auto indices = [&] { return s.values({6}, {0, 3, 1, 3, 2, 0}, Dtype::i64); };
      s.add({s.rand({4, 3}), indices(), s.values({3}, {0, 2, 2}, Dtype::i64)});
      s.add({s.rand({4, 3}), indices(), s.values({3}, {0, 1, 6}, Dtype::i64), Value(false), Value(1), Value(false), Value(std::nullopt), Value(true)});
      s.add({s.spread({4, 2}), s.values({5}, {0, 3, 1, 2, 0}, Dtype::i64), s.values({3}, {0, 3, 5}, Dtype::i64), Value(false), Value(2)});
      s.add({s.rand({4, 2}), indices(), s.values({2}, {0, 4}, Dtype::i64), Value(false), Value(0), Value(false), s.rand({6}), Value(false), Value(-1)});
      s.error({s.rand({4, 2}), indices(), s.values({2}, {1, 4}, Dtype::i64)}, "the first offset is 1, not 0");
      s.error({s.rand({4, 2}), indices(), s.values({2}, {0, 7}, Dtype::i64)}, "the last offset 7 is beyond 6 indices");
      s.error({s.rand({4, 2}), indices(), s.values({2}, {0, 4}, Dtype::i64), Value(false), Value(1), Value(false), s.rand({6})}, "per_sample_weights are for sums");
    },
};

static Op* const all[] = {&bags_op, &embedding_bag_op};
const OpList embedding_bag_ops = all;

}  // namespace gradus
