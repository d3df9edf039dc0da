// softmax, log_softmax, logsumexp. The pull-backs of softmax are ops of their own, whose pull-backs are made of them again.
#include "kernels/softmax.h"

#include "base/context.h"
#include "kernels/copy.h"
#include "kernels/reduce.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// Row-major and of dtype d: t itself or a copy.
Tensor laid_out(const Tensor& t, Dtype d) {
  if (t.contiguous() && t.dtype() == d) return t;
  const Tensor c = empty(d, t.sizes());
  kernels::copy(view_of(c), view_of(t));
  return c;
}
Dtype compute(Dtype d) { return d == Dtype::f64 ? d : Dtype::f32; }

// A kernel over (out, in, grad) along dim; halves go through float copies.
void run(const Tensor& out, const Tensor& in, const Tensor& grad, int64_t dim, kernels::Softmax s) {
  const Dtype d = compute(in.dtype());
  const Tensor x = laid_out(in, d), g = grad ? laid_out(grad, d) : Tensor();
  const Tensor y = out.dtype() == d ? out : empty(d, out.sizes());
  const kernels::Lines l = lines_of(in.sizes(), dim);
  s.dtype = d;
  s.out = y.data<char>();
  s.in = x.data<char>();
  s.grad = g ? g.data<char>() : nullptr;
  s.outer = l.outer;
  s.n = l.n;
  s.inner = l.inner;
  if (out.numel() > 0) g ? kernels::softmax_backward(s) : kernels::softmax(s);
  if (y.impl() != out.impl()) kernels::copy(view_of(out), view_of(y));
}

void floating_only(const Args& a, Dtype d) {
  GRADUS_CHECK(is_floating(d), dtype, "{}: not defined for {}: give a dtype", name(a.op()), name(d));
}

// (self, dim, half_to_float)
void forward_shape(const Args& a, Metas& out) {
  const Tensor& self = a.tensor(0);
  floating_only(a, self.dtype());
  wrap_dim(a.integer(1), self.ndim(), name(a.op()));
  out.push_back({a.flag(2) ? compute(self.dtype()) : self.dtype(), Sizes(self.sizes())});
}
int64_t the_dim(const Args& a, int position) { return wrap_dim(a.integer(position), a.tensor(0).ndim(), name(a.op())); }
template <bool log> void forward_kernel(const Args& a, const Tensors& out) { run(out[0], a.tensor(0), {}, the_dim(a, 1), {.log = log}); }

// (grad_output, output, dim, input_dtype)
void backward_shape(const Args& a, Metas& out) {
  const Tensor &g = a.tensor(0), &y = a.tensor(1);
  floating_only(a, y.dtype());
  GRADUS_CHECK(same(g.sizes(), y.sizes()), shape, "{}: a gradient of shape {} for shape {}", name(a.op()), text(g.sizes()), text(y.sizes()));
  wrap_dim(a.integer(2), y.ndim(), name(a.op()));
  out.push_back({a.dtype(3, y.dtype()), Sizes(y.sizes())});
}
template <bool log> void backward_kernel(const Args& a, const Tensors& out) { run(out[0], a.tensor(1), a.tensor(0), the_dim(a, 2), {.log = log}); }

template <const Op* backward> Tensor forward_pull(const Call& c, const Tensor& g) {
  return call(*backward, {g, c.output(), c.integer(1), c.meta().dtype});
}
// The composition by which a public form comes from its kernel op.
template <const Op* data> void with_dtype(const Args& a, Tensors& out) {
  const Tensor& self = a.tensor(0);
  const Dtype d = a.dtype(2, self.dtype());
  if (is_complex(d)) refuse_complex(a.op(), d);               // of complex tensors the real part, where d asks for it
  floating_only(a, d);
  out.push_back(call(*data, {to(self, d), a.integer(1), false}));
}

void softmax_samples(Samples& s) {
  s.add({s.rand({2, 3}), Value(1)});
  s.add({s.rand({2, 3, 4}), Value(1)});
  s.add({s.rand({5, 2}), Value(0), Value(Dtype::f64)});
  s.add({s.rand({}), Value(0)});
  s.add({s.rand({0, 3}), Value(-1)});
  s.add({s.rand({3, 37}, -30, 30), Value(-1)});
  s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
  s.error({s.integers({2, 3}, 0, 4), Value(1)}, "not defined for int64");
}
void data_samples(Samples& s) {
  s.add({s.rand({2, 3}), Value(1), Value(false)});
  s.add({s.rand({2, 3, 4}), Value(0), Value(false)});
  s.error({s.rand({2, 3}), Value(2), Value(false)}, "dim 2 is out of range");
}
void backward_samples(Samples& s) {
  s.add({s.rand({2, 3}), s.rand({2, 3}, -2, 0), Value(1), Value(Dtype::f64)});
  s.add({s.rand({2, 3, 4}), s.rand({2, 3, 4}, -2, 0), Value(0), Value(Dtype::f64)});
  s.error({s.rand({2, 3}), s.rand({3}), Value(0), Value(Dtype::f64)}, "a gradient of shape [2, 3] for shape [3]");
}

// ---- logsumexp: (self, dim, keepdim)
void logsumexp_kernel(const Args& a, const Tensors& out) {
  const Tensor& self = a.tensor(0);
  const uint64_t dims = ReducedDims(a, 1).mask;
  const Tensor center = empty(Dtype::f64, out[0].sizes());    // the maxima; 0 where they are infinite
  kernels::reduce({.kind = kernels::Reduction::max, .out = view_of(center), .in = view_of(real(self)), .dims = dims});
  double* m = center.data<double>();
  for (int64_t i = 0; i < center.numel(); ++i)
    if (std::isinf(m[i])) m[i] = 0;
  if (is_complex(self.dtype())) {
    const GradMode off(false);
    const ReducedDims reduced(a, 1);
    const Tensor terms = exp(sub(self, restore_dims(center, self.sizes(), reduced, a.flag(2))));
    return kernels::copy(view_of(out[0]), view_of(add(log(sum(terms, a.integers(1), a.flag(2))), center)));
  }
  kernels::reduce({.kind = kernels::Reduction::exp_sum, .out = view_of(out[0]), .in = view_of(self), .dims = dims, .type = out[0].dtype(), .center = m,
                   .finish = kernels::Finish::log_plus});
}
// g e^(x - y); where y is -inf all of x is, and the gradient 0.
Tensor logsumexp_pull(const Call& c, const Tensor& g) {
  const Tensor& x = c.tensor(0);
  const ReducedDims dims(c.args(), 1, x.sizes());
  const Tensor &y = c.output(), finite = where(eq(real(y), -HUGE_VAL), 0.0, y);
  return mul(restore_dims(g, x.sizes(), dims, c.flag(2)), conj(exp(sub(x, restore_dims(finite, x.sizes(), dims, c.flag(2))))));
}

}  // namespace

Op softmax_op{
    .schema = "softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
    .doc = "e^x over its sum along dim.",
    .serves = "softmax.int",
    .complex = true,
    .compose = with_dtype<&softmax_data_op>,
    .samples = softmax_samples,
};
Op log_softmax_op{
    .schema = "log_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
    .doc = "x less the logarithm of the sum of e^x along dim.",
    .serves = "log_softmax.int",
    .complex = true,
    .compose = with_dtype<&log_softmax_data_op>,
    .samples = softmax_samples,
};
Op softmax_data_op{
    .schema = "_softmax(Tensor self, int dim, bool half_to_float) -> Tensor",
    .doc = "softmax; float32 of half precision if half_to_float.",
    .shape = forward_shape,
    .kernel = forward_kernel<false>,
    .vjp = {forward_pull<&softmax_backward_data_op>},
    .save = output(),
    .samples = data_samples,
};
Op log_softmax_data_op{
    .schema = "_log_softmax(Tensor self, int dim, bool half_to_float) -> Tensor",
    .doc = "log_softmax; float32 of half precision if half_to_float.",
    .shape = forward_shape,
    .kernel = forward_kernel<true>,
    .vjp = {forward_pull<&log_softmax_backward_data_op>},
    .save = output(),
    .samples = data_samples,
};
Op safe_softmax_op{
    .schema = "_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor",
    .doc = "softmax with zeros where all elements along dim are -inf.",
    .shape = [](const Args& a, Metas& out) {
      floating_only(a, a.dtype(2, a.tensor(0).dtype()));
      the_dim(a, 1);
      out.push_back({a.dtype(2, a.tensor(0).dtype()), Sizes(a.tensor(0).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) { run(out[0], laid_out(a.tensor(0), out[0].dtype()), {}, the_dim(a, 1), {.safe = true}); },
    .vjp = {forward_pull<&softmax_backward_data_op>},
    .save = output(),
    .samples = [](Samples& s) {
      softmax_samples(s);
      s.add({s.values({2, 3}, {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL, 0, 1, -HUGE_VAL}), Value(1)});
      s.add({s.values({2, 3}, {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL, -HUGE_VAL, 1, 2}), Value(0)});
    },
};
Op softmax_backward_data_op{
    .schema = "_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor",
    .doc = "y (g - sum(g y)) along dim: the gradient of softmax, which has the result y.",
    .shape = backward_shape,
    .kernel = backward_kernel<false>,
    .vjp = {[](const Call& c, const Tensor& v) { return call(softmax_backward_data_op, {v, c.tensor(1), c.integer(2), c.meta().dtype}); },
            [](const Call& c, const Tensor& v) {
              const Tensor &g = c.tensor(0), &y = c.tensor(1);
              const Sizes dim{c.integer(2)};
              return sub(mul(v, sub(g, sum(mul(g, y), dim, true))), mul(g, sum(mul(v, y), dim, true)));
            }},
    .save = input(0) | input(1),
    .samples = backward_samples,
};
Op log_softmax_backward_data_op{
    .schema = "_log_softmax_backward_data(Tensor grad_output, Tensor output, int dim, ScalarType input_dtype) -> Tensor",
    .doc = "g - e^y sum(g) along dim: the gradient of log_softmax, which has the result y.",
    .shape = backward_shape,
    .kernel = backward_kernel<true>,
    .vjp = {[](const Call& c, const Tensor& v) { return sub(v, sum(mul(v, exp(c.tensor(1))), Sizes{c.integer(2)}, true)); },
            [](const Call& c, const Tensor& v) { return neg(mul(mul(v, exp(c.tensor(1))), sum(c.tensor(0), Sizes{c.integer(2)}, true))); }},
    .save = input(0) | input(1),
    .samples = backward_samples,
};
Op logsumexp_op{
    .schema = "logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor",
    .doc = "The logarithm of the sum of e^x over the dimensions in dim; -inf of nothing but -inf, with gradient 0 there.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Dtype d = a.tensor(0).dtype();
      out.push_back({is_integral(d) ? Dtype::f32 : d, reduced_sizes(a.tensor(0).sizes(), ReducedDims(a, 1), a.flag(2))});
    },
    .kernel = logsumexp_kernel,
    .vjp = {logsumexp_pull},
    .save = input(0) | output(),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({1})});
      s.add({s.rand({2, 3, 4}), s.list({0, -1}), Value(true)});
      s.add({s.rand({}), s.list({0})});
      s.add({s.rand({2, 3}, 700, 800), s.list({0})});
      s.add({s.values({2, 2}, {-HUGE_VAL, -HUGE_VAL, 0, 1}, Dtype::f32), s.list({1})});
      s.error({s.rand({2, 3}), s.list({2})}, "dim 2 is out of range");
    },
};

static Op* const all[] = {&softmax_op, &log_softmax_op, &softmax_data_op, &log_softmax_data_op, &safe_softmax_op, &softmax_backward_data_op, &log_softmax_backward_data_op, &logsumexp_op};
const OpList softmax_ops = all;

}  // namespace gradus
