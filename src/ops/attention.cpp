// Scaled dot product attention.
#include <cmath>

#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

struct Attention {
  Tensor query, key, value, mask, dropout_mask;
  double dropout_p = 0;
  bool causal = false, grouped = false;
  std::optional<double> scale;
};

void check(const Args& a, const Attention& t) {
  const Tensor &q = t.query, &k = t.key, &v = t.value;
  for (const Tensor* x : {&q, &k, &v}) {
    GRADUS_CHECK(x->ndim() >= 2, shape, "{}: {} of shape {} has fewer than 2 dimensions", name(a.op()), x == &q ? "query" : x == &k ? "key" : "value", text(x->sizes()));
    GRADUS_CHECK(is_floating(x->dtype()), dtype, "{}: not defined for {}", name(a.op()), name(x->dtype()));
    GRADUS_CHECK(x->dtype() == q.dtype(), dtype, "{}: a query of {} with {}", name(a.op()), name(q.dtype()), name(x->dtype()));
  }
  GRADUS_CHECK(q.size(-1) == k.size(-1), shape, "{}: a query of shape {} for a key of shape {}", name(a.op()), text(q.sizes()), text(k.sizes()));
  GRADUS_CHECK(k.size(-2) == v.size(-2), shape, "{}: a key of shape {} with a value of shape {}", name(a.op()), text(k.sizes()), text(v.sizes()));
  GRADUS_CHECK(!(t.causal && t.mask), argument, "{}: is_causal with an attn_mask", name(a.op()));
  GRADUS_CHECK(t.dropout_p >= 0 && t.dropout_p <= 1, value, "{}: dropout_p {} is outside [0, 1]", name(a.op()), t.dropout_p);
  GRADUS_CHECK(!t.mask || t.mask.dtype() == Dtype::boolean || is_floating(t.mask.dtype()), dtype, "{}: an attn_mask of {}", name(a.op()), name(t.mask.dtype()));
  for (const Tensor* x : {&k, &v})
    GRADUS_CHECK(!t.grouped || (q.ndim() >= 3 && x->ndim() >= 3 && x->size(-3) > 0 && q.size(-3) % x->size(-3) == 0), shape,
                 "{}: heads of shape {} for a query of shape {}", name(a.op()), text(x->sizes()), text(q.sizes()));
}

double scale_of(const Attention& t) { return t.scale ? *t.scale : 1 / std::sqrt(static_cast<double>(t.query.size(-1))); }

// Each head of t serves as many heads of the query.
Tensor shared_heads(const Tensor& t, const Tensor& query) {
  const int64_t times = query.size(-3) / t.size(-3);
  return times == 1 ? t : call(repeat_interleave_op, {t, times, int64_t{-3}});
}

// Scores where the mask holds; -inf elsewhere. A number mask is added.
Tensor masked(const Tensor& scores, const Attention& t) {
  if (t.causal) {
    const Tensor lower = tril(ones(Sizes{scores.size(-2), scores.size(-1)}, Dtype::boolean));
    return where(lower, scores, -HUGE_VAL);
  }
  if (!t.mask) return scores;
  return t.mask.dtype() == Dtype::boolean ? where(t.mask, scores, -HUGE_VAL) : add(scores, to(t.mask, scores.dtype()));
}

// The result and the weights. A query that may see nothing gets zeros.
void attend_in_full(Attention t, Tensors& out) {
  if (t.grouped)
    for (Tensor* x : {&t.key, &t.value}) *x = shared_heads(*x, t.query);
  const Tensor& v = t.value;
  const Tensor scores = matmul(mul(t.query, scale_of(t)), transpose(t.key, -2, -1));
  const Tensor weights = call(safe_softmax_op, {masked(scores, t), int64_t{-1}});
  if (t.dropout_p == 0) {
    out.push_back(matmul(weights, v));
    out.push_back(weights);
  } else if (t.dropout_mask) {
    out.push_back(matmul(masked_fill(weights, logical_not(t.dropout_mask), 0.0), mul(v, 1 / (1 - t.dropout_p))));
    out.push_back(weights);
  } else {
    const Tensor kept = dropout(weights, t.dropout_p, true);
    out.push_back(matmul(kept, v));
    out.push_back(kept);
  }
}

// The weights need not be in memory, unless some are dropped. A mask that adds rows or columns, and what is empty, are left to the composition.
bool is_fused(const Attention& t) {
  const Tensor &q = t.query, &k = t.key, &v = t.value, &m = t.mask;
  const auto fits = [&m](int64_t dim, int64_t size) { return m.size(dim) == size || m.size(dim) == 1; };
  if (m && (m.ndim() < 2 || m.numel() == 0 || !fits(-2, q.size(-2)) || !fits(-1, k.size(-2)))) return false;
  return t.dropout_p == 0 && q.numel() > 0 && k.numel() > 0 && v.numel() > 0 && (!t.grouped || k.size(-3) == v.size(-3));
}

// Heads of the query in groups, one for each head of the key: [*, H, L, E] becomes [*, K, H / K, L, E], for keys of [*, K, 1, S, E].
void split_in_groups(Attention& t) {
  const int64_t groups = t.key.size(-3);
  const auto split = [groups](const Tensor& x) { return call(unflatten_op, {x, int64_t{-3}, Sizes{groups, x.size(-3) / groups}}); };
  t.query = split(t.query);
  for (Tensor* x : {&t.key, &t.value}) *x = unsqueeze(*x, -3);
  if (t.mask && t.mask.ndim() > 2) t.mask = t.mask.size(-3) == 1 ? unsqueeze(t.mask, -3) : split(t.mask);
}
Tensor attend_fused(Attention t) {
  const Tensor& q = t.query;
  const bool turned = q.ndim() > 2 && q.stride(-3) < q.stride(-2);     // heads side by side in each row: so will they be in the result
  const bool groups = t.grouped && q.size(-3) != t.key.size(-3);
  const int64_t heads = !turned ? 0 : groups ? 2 : 1, from = -2 - heads, last = -2;
  if (groups) split_in_groups(t);
  if (t.mask && t.mask.dtype() != Dtype::boolean) t.mask = to(t.mask, q.dtype());
  Tensor out = call_all(attention_op, {t.query, t.key, t.value, t.mask, scale_of(t), t.causal, heads})[0];
  if (turned) out = movedim(out, {&from, 1}, {&last, 1});
  return groups ? flatten(out, -4, -3) : out;
}

// Half precision is computed in float: rounded scores would be seen in their exponentials.
void attend(const Args& a, Attention t, bool weights, Tensors& out) {
  check(a, t);
  const Dtype d = t.query.dtype();
  if (d != Dtype::f32 && d != Dtype::f64)
    for (Tensor* x : {&t.query, &t.key, &t.value}) *x = to(*x, Dtype::f32);
  Tensors full;
  if (!weights && is_fused(t)) full.push_back(attend_fused(t));
  else attend_in_full(t, full);
  for (const Tensor& x : full) out.push_back(to(x, d));
}

std::optional<double> number_at(const Args& a, int i) { return a.has(i) ? std::optional<double>(a.real(i)) : std::nullopt; }
Attention common(const Args& a) { return {a.tensor(0), a.tensor(1), a.tensor(2), a.optional_tensor(3), {}, a.real(4), a.flag(5), false, {}}; }

void samples(Samples& s) {
  s.add({s.rand({2, 3, 4}), s.rand({2, 5, 4}), s.rand({2, 5, 2})});
  s.add({s.rand({3, 2}), s.rand({4, 2}), s.rand({4, 3}), s.rand({3, 4})});
  s.add({s.rand({1, 2, 3, 2}), s.rand({1, 2, 2, 2}), s.rand({1, 2, 2, 2}), s.values({3, 2}, {1, 0, 0, 0, 1, 1}, Dtype::boolean)});       // one row sees nothing
  for (int64_t keys : {2, 3, 4}) s.add({s.rand({2, 3, 2}), s.rand({2, keys, 2}), s.rand({2, keys, 2}), Value(std::nullopt), Value(0), Value(true)});
  s.add({s.rand({2, 1, 3, 2}), s.rand({3, 4, 2}), s.rand({2, 1, 4, 3})});
  s.add({s.rand({3, 2}), s.rand({0, 2}), s.rand({0, 3})});
  s.error({s.rand({3, 2}), s.rand({4, 3}), s.rand({4, 3})}, "a query of shape [3, 2] for a key of shape [4, 3]");
  s.error({s.rand({3, 2}), s.rand({4, 2}), s.rand({3, 3})}, "a key of shape [4, 2] with a value of shape [3, 3]");
  s.error({s.rand({3, 2}), s.rand({4, 2}), s.rand({4, 3}), s.rand({3, 4}), Value(0), Value(true)}, "is_causal with an attn_mask");
}

}  // namespace

Op scaled_dot_product_attention_op{
    .schema = "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, *, "
              "float? scale=None, bool enable_gqa=False) -> Tensor",
    .doc = "softmax(scale query key' + mask) value, with scale 1 / sqrt(size) by default. A boolean mask says what may be seen, a number mask is added; "
           "a row that may see nothing gives zeros. With enable_gqa a head of key and value serves several heads of query.",
    .compose = [](const Args& a, Tensors& out) {
      Attention t = common(a);
      t.scale = number_at(a, 6);
      t.grouped = a.flag(7);
      Tensors all;
      attend(a, t, false, all);
      out.push_back(all[0]);
    },
    .samples = [](Samples& s) {
      samples(s);
      s.add({s.rand({1, 4, 2, 2}), s.rand({1, 2, 3, 2}), s.rand({1, 2, 3, 2}), Value(std::nullopt), Value(0), Value(false), Value(0.3), Value(true)});
      s.add({s.rand({2, 4, 3, 2}), s.rand({1, 2, 3, 2}), s.rand({2, 2, 3, 2}), s.rand({1, 3, 3}), Value(0), Value(false), Value(std::nullopt), Value(true)});
      s.error({s.rand({1, 3, 2, 2}), s.rand({1, 2, 3, 2}), s.rand({1, 2, 3, 2}), Value(std::nullopt), Value(0), Value(false), Value(0.3), Value(true)}, "heads of shape [1, 2, 3, 2]");
    },
};
Op scaled_dot_product_attention_math_op{
    .schema = "_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float dropout_p=0.0, bool is_causal=False, "
              "Tensor? dropout_mask=None, *, float? scale=None, bool enable_gqa=False) -> (Tensor, Tensor)",
    .doc = "scaled_dot_product_attention, and its weights; dropout_mask says which ones to keep.",
    .compose = [](const Args& a, Tensors& out) {
      Attention t = common(a);
      t.dropout_mask = a.optional_tensor(6);
      t.scale = number_at(a, 7);
      t.grouped = a.flag(8);
      attend(a, t, true, out);
    },
    .samples = [](Samples& s) {
      samples(s);
      s.add({s.rand({2, 2}), s.rand({3, 2}), s.rand({3, 2}), Value(std::nullopt), Value(0.5), Value(false), s.values({2, 3}, {1, 0, 1, 1, 1, 0}, Dtype::boolean)});
    },
};

static Op* const all[] = {&scaled_dot_product_attention_op, &scaled_dot_product_attention_math_op};
const OpList attention_ops = all;

}  // namespace gradus
