// Attention whose weights are never in memory, and its gradients. For what it leaves out see attention.cpp.
#include <cmath>

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "kernels/attention.h"
#include "kernels/copy.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Tensor exchanged(const Tensor& t) { return transpose(t, -2, -1); }
SizesRef leading(const Tensor& t) { return t.sizes().first(static_cast<size_t>(t.ndim() - 2)); }
Sizes joined(SizesRef first, std::initializer_list<int64_t> last) {
  Sizes s(first);
  for (int64_t size : last) s.push_back(size);
  return s;
}

// What both ops read, from argument `at` on: query, key, value, mask. Leading sizes are broadcast.
struct Operands {
  const Tensor &query, &key, &value, &mask;                   // mask: or none
  Sizes batch;

  Operands(const Args& a, int at) : query(a.tensor(at)), key(a.tensor(at + 1)), value(a.tensor(at + 2)), mask(a.optional_tensor(at + 3)) {
    const Tensor &q = query, &k = key, &v = value;
    const std::string& op = name(a.op());
    GRADUS_CHECK(q.dtype() == Dtype::f32 || q.dtype() == Dtype::f64, dtype, "{}: not defined for {}", op, name(q.dtype()));
    GRADUS_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(), dtype, "{}: a query of {} with a key of {} and a value of {}", op, name(q.dtype()),
                 name(k.dtype()), name(v.dtype()));
    GRADUS_CHECK(q.ndim() >= 2 && k.ndim() >= 2 && v.ndim() >= 2 && q.size(-1) == k.size(-1) && k.size(-2) == v.size(-2), shape,
                 "{}: a query of shape {} with a key of {} and a value of {}", op, text(q.sizes()), text(k.sizes()), text(v.sizes()));
    batch = broadcast_sizes(broadcast_sizes(leading(q), leading(k), op), leading(v), op);
    if (mask) add_mask(op);
    GRADUS_CHECK(numel_of(batch) > 0 && q.numel() > 0 && v.numel() > 0, shape, "{}: nothing to attend to: a query of shape {}, a value of {}", op,
                 text(q.sizes()), text(v.sizes()));
  }
  // The sizes of query, key, value and mask, all of them broadcast, and of the result and its logsumexp.
  Sizes whole(const Tensor& t) const { return joined(batch, {t.size(-2), t.size(-1)}); }
  Sizes scores() const { return joined(batch, {query.size(-2), key.size(-2)}); }
  Sizes out() const { return joined(batch, {query.size(-2), value.size(-1)}); }
  Sizes rows() const { return joined(batch, {query.size(-2)}); }
  Sizes mask_rows() const { return joined(mask.sizes().first(static_cast<size_t>(mask.ndim() - 1)), {key.size(-2)}); }

 private:
  void add_mask(const std::string& op) {
    const auto fits = [this](int64_t dim, int64_t size) { return mask.size(dim) == size || mask.size(dim) == 1; };
    GRADUS_CHECK(mask.dtype() == Dtype::boolean || mask.dtype() == query.dtype(), dtype, "{}: a query of {} with a mask of {}", op, name(query.dtype()),
                 name(mask.dtype()));
    GRADUS_CHECK(mask.ndim() >= 2 && fits(-2, query.size(-2)) && fits(-1, key.size(-2)), shape, "{}: a mask of shape {} for {} queries and {} keys", op,
                 text(mask.sizes()), query.size(-2), key.size(-2));
    batch = broadcast_sizes(batch, leading(mask), op);
  }
};

// t as a kernel sees it, repeated to other sizes by strides of 0, and what holds the memory.
struct Seen {
  Tensor t;
  View view;

  Seen() = default;
  Seen(const Tensor& of, SizesRef sizes) : t(alias(of, sizes, broadcast_strides(of.sizes(), of.strides(), sizes), of.offset())), view(view_of(t)) {}
  static Seen dense(const Tensor& of, SizesRef sizes) { return {of.stride(-1) == 1 && of.stride(-2) >= 0 ? of : clone(of), sizes}; }
};
// Every key has its place in a row of the mask, though one may stand for all.
Seen seen_mask(const Operands& o) { return o.mask ? Seen::dense(expand(o.mask, o.mask_rows()), o.scores()) : Seen(); }

// The result as it lies in memory has its queries before `turned` dimensions of heads; and the way back.
Tensor straight(const Tensor& t, int64_t turned) {
  const int64_t from = -2 - turned, to = -2;
  return turned == 0 ? t : movedim(t, {&from, 1}, {&to, 1});
}

// ---- forward: (query, key, value, mask, scale, causal, turned)
void forward_shape(const Args& a, Metas& out) {
  const Operands o(a, 0);
  Sizes sizes = o.out();
  const int64_t turned = a.integer(6);
  GRADUS_CHECK(turned >= 0 && turned <= static_cast<int64_t>(o.batch.size()), shape, "{}: a result of shape {} has no {} dimensions of heads to be turned",
               name(a.op()), text(sizes), turned);
  std::rotate(sizes.end() - 2 - turned, sizes.end() - 2, sizes.end() - 1);
  out.push_back({o.query.dtype(), sizes});
  out.push_back({o.query.dtype(), o.rows()});
}
void forward_kernel(const Args& a, const Tensors& out) {
  const GradMode off(false);
  const Operands o(a, 0);
  const auto q = Seen::dense(o.query, o.whole(o.query)), k = Seen::dense(o.key, o.whole(o.key)), v = Seen::dense(o.value, o.whole(o.value)), m = seen_mask(o);
  const Tensor to = straight(out[0], a.integer(6));
  kernels::attention({q.view, k.view, v.view, m.view, view_of(to), view_of(out[1]), a.real(4), a.flag(5)});
}
void forward_pull(const Call& c, Tensors& d) {
  int64_t wanted = 0;
  for (int i = 0; i < 4; ++i) wanted |= int64_t{c.wants(i)} << i;
  const Value* a = c.args().values();
  const Tensors all = call_all(attention_backward_op, {straight(c.grad(0), c.integer(6)), c.grad(1), c.tensor(0), c.tensor(1), c.tensor(2), a[3],
                                                       straight(c.output(0), c.integer(6)), c.output(1), a[4], a[5], wanted});
  for (size_t i = 0; i < 4; ++i)
    if (wanted >> i & 1) d[i] = all[i];
}

// ---- backward: (grad, grad_logsumexp, query, key, value, mask, out, logsumexp, scale, causal, wanted)
void backward_shape(const Args& a, Metas& out) {
  const Operands o(a, 2);
  const Dtype d = o.query.dtype();
  for (int i : {0, 6})
    GRADUS_CHECK(same(a.tensor(i).sizes(), o.out()) && a.tensor(i).dtype() == d, shape, "{}: a {} of shape {} where query and value make one of {}", name(a.op()),
                 i ? "result" : "gradient", text(a.tensor(i).sizes()), text(o.out()));
  for (int i : {1, 7})
    GRADUS_CHECK(same(a.tensor(i).sizes(), o.rows()) && a.tensor(i).dtype() == d, shape, "{}: a logsumexp of shape {} where the queries make one of {}",
                 name(a.op()), text(a.tensor(i).sizes()), text(o.rows()));
  const int64_t wanted = a.integer(10);
  GRADUS_CHECK(wanted >= 0 && wanted < 16 && (wanted < 8 || (o.mask && o.mask.dtype() == d)), argument, "{}: no gradients {} of a mask of {}", name(a.op()), wanted,
               o.mask ? name(o.mask.dtype()) : "none");
  const Tensor* of[] = {&o.query, &o.key, &o.value};
  for (int i = 0; i < 3; ++i) out.push_back({d, wanted >> i & 1 ? Sizes(of[i]->sizes()) : Sizes{0}});
  out.push_back({d, wanted & 8 ? o.mask_rows() : Sizes{0}});
}
void backward_kernel(const Args& a, const Tensors& out) {
  const GradMode off(false);
  const Operands o(a, 2);
  const int64_t wanted = a.integer(10);
  const auto q = Seen::dense(o.query, o.whole(o.query)), k = Seen::dense(o.key, o.whole(o.key)), v = Seen::dense(o.value, o.whole(o.value)), m = seen_mask(o),
             g = Seen::dense(a.tensor(0), o.out()), result = Seen::dense(a.tensor(6), o.out());
  const auto gradient = [&](int i, const Sizes& sizes) { return wanted >> i & 1 ? Seen(out[static_cast<size_t>(i)], sizes) : Seen(); };
  const Seen gq = gradient(0, o.whole(o.query)), gk = gradient(1, o.whole(o.key)), gv = gradient(2, o.whole(o.value)), gm = gradient(3, o.scores());
  kernels::fill(view_of(out[3]), Number(0));
  kernels::attention_backward({q.view, k.view, v.view, m.view, result.view, view_of(a.tensor(7)), a.real(8), a.flag(9)},
                              {g.view, view_of(a.tensor(1)), gq.view, gk.view, gv.view, gm.view});
}
// With weights P = exp(S - logsumexp), S = scale q k' + mask: dS = P * (g v' - sum(g * out) + grad_logsumexp).
void backward_compose(const Args& a, Tensors& out) {
  const Operands o(a, 2);
  const Tensor &g = a.tensor(0), &logsumexp = a.tensor(7);
  const int64_t last = -1;
  const Tensor sees = ne(logsumexp, -HUGE_VAL), all = unsqueeze(where(sees, logsumexp, 0.0), -1);
  Tensor scores = sub(mul(matmul(o.query, exchanged(o.key)), a.real(8)), all);
  if (a.flag(9)) scores = where(tril(ones(Sizes{scores.size(-2), scores.size(-1)}, Dtype::boolean)), scores, -HUGE_VAL);   // before exp, which may overflow
  if (o.mask) scores = o.mask.dtype() == Dtype::boolean ? where(o.mask, scores, -HUGE_VAL) : add(scores, o.mask);
  const Tensor weights = exp(scores);
  const Tensor shift = unsqueeze(sub(sum(mul(g, a.tensor(6)), {&last, 1}), a.tensor(1)), -1);
  const Tensor slopes = mul(weights, sub(matmul(g, exchanged(o.value)), shift)), scaled = mul(slopes, a.real(8));
  const auto give = [&](int bit, const Tensor& d, SizesRef sizes) {
    out.push_back(a.integer(10) & bit ? call(sum_to_size_op, {d, sizes}) : empty(d.dtype(), Sizes{0}));
  };
  give(1, matmul(scaled, o.key), o.query.sizes());
  give(2, matmul(exchanged(scaled), o.query), o.key.sizes());
  give(4, matmul(exchanged(weights), g), o.value.sizes());
  give(8, slopes, o.mask ? o.mask_rows() : Sizes());
}

void forward_samples(Samples& s) {
  const Value none(std::nullopt);
  s.add({s.rand({2, 3, 4}), s.rand({2, 5, 4}), s.rand({2, 5, 2}), none, Value(0.5), Value(false), Value(0)});
  s.add({s.rand({2, 2, 3, 2}), s.rand({2, 1, 4, 2}), s.rand({4, 3}), none, Value(0.7), Value(true), Value(1)});
  s.add({s.rand({2, 1, 2, 3, 2}), s.rand({2, 1, 2, 2}), s.rand({2, 1, 2, 3}), s.values({3, 2}, {1, 0, 0, 1, 1, 1}, Dtype::boolean), Value(1), Value(false), Value(2)});
  s.add({s.rand({3, 2}), s.rand({2, 4, 2}), s.rand({2, 4, 2}), s.rand({2, 3, 4}), Value(0.3), Value(false), Value(0)});
  s.add({s.rand({2, 4, 2}), s.rand({2, 3, 2}), s.rand({2, 3, 2}), s.rand({2, 1, 3}), Value(0.3), Value(true), Value(0)});
  s.error({s.rand({3, 2}), s.rand({4, 3}), s.rand({4, 3}), none, Value(1), Value(false), Value(0)}, "a query of shape [3, 2] with a key of [4, 3]");
  s.error({s.rand({2, 3, 2}), s.rand({3, 4, 2}), s.rand({3, 4, 2}), none, Value(1), Value(false), Value(0)}, "do not broadcast");
  s.error({s.rand({3, 2}), s.rand({4, 2}), s.rand({4, 3}), s.rand({2, 4}), Value(1), Value(false), Value(0)}, "a mask of shape [2, 4] for 3 queries and 4 keys");
  s.error({s.rand({3, 2}), s.rand({4, 2}), s.rand({4, 3}), none, Value(1), Value(false), Value(1)}, "no 1 dimensions of heads");
}
void backward_samples(Samples& s) {
  const Value none(std::nullopt);
  s.add({s.rand({2, 3, 2}), s.rand({2, 3}), s.rand({2, 3, 4}), s.rand({2, 5, 4}), s.rand({2, 5, 2}), none, s.rand({2, 3, 2}), s.rand({2, 3}, 1, 3), Value(0.5), Value(true), Value(7)});
  s.add({s.rand({2, 3, 3}), s.rand({2, 3}), s.rand({3, 2}), s.rand({2, 4, 2}), s.rand({1, 4, 3}), s.rand({3, 1}), s.rand({2, 3, 3}), s.rand({2, 3}, 1, 3), Value(0.7), Value(false),
         Value(15)});
  for (int64_t wanted : {1, 2, 4, 8})
    s.add({s.rand({2, 2, 3}), s.rand({2, 2}), s.rand({2, 2, 2}), s.rand({4, 2}), s.rand({2, 4, 3}), s.rand({2, 4}), s.rand({2, 2, 3}), s.rand({2, 2}, 1, 3), Value(0.7), Value(false),
           Value(wanted)});
  s.error({s.rand({3, 4}), s.rand({3}), s.rand({3, 2}), s.rand({4, 2}), s.rand({4, 3}), none, s.rand({3, 3}), s.rand({3}), Value(1), Value(false), Value(7)}, "a gradient of shape [3, 4]");
  s.error({s.rand({3, 3}), s.rand({3}), s.rand({3, 2}), s.rand({4, 2}), s.rand({4, 3}), none, s.rand({3, 3}), s.rand({3}), Value(1), Value(false), Value(8)}, "of a mask of none");
}

}  // namespace

Op attention_op{
    .schema = "_attention(Tensor query, Tensor key, Tensor value, Tensor? mask, float scale, bool causal, int turned) -> (Tensor, Tensor)",
    .doc = "softmax(scale query key' + mask) value, and the logarithm of each row's sum of exponentials. Leading sizes are broadcast; a boolean mask says "
           "what may be seen. In the result the dimension of the queries stands before as many of the heads' as `turned` says.",
    .shape = forward_shape,
    .kernel = forward_kernel,
    .vjp_all = forward_pull,
    .save = input(0) | input(1) | input(2) | input(3) | output(0) | output(1),
    .samples = forward_samples,
};
Op attention_backward_op{
    .schema = "_attention_backward(Tensor grad, Tensor grad_logsumexp, Tensor query, Tensor key, Tensor value, Tensor? mask, Tensor out, Tensor logsumexp, "
              "float scale, bool causal, int wanted) -> (Tensor, Tensor, Tensor, Tensor)",
    .doc = "The gradients of _attention by query, key, value and mask, where the bits 1, 2, 4 and 8 of wanted ask for them.",
    .shape = backward_shape,
    .kernel = backward_kernel,
    .compose = backward_compose,
    .samples = backward_samples,
};

static Op* const all[] = {&attention_op, &attention_backward_op};
const OpList attention_fused_ops = all;

}  // namespace gradus
