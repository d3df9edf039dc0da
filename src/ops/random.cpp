// Random numbers: the i-th of a call depends on the seed, the generator's offset and i alone, whatever the number of threads.
// No gradient flows through them: what they write has lost its history.
#include "kernels/random.h"

#include <cmath>
#include <numbers>

#include "base/context.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

kernels::Stream take(int64_t words) {
  Generator& g = context().generator;
  return {g.seed, g.take(static_cast<uint64_t>(words))};
}
kernels::Stream take_for(const Tensor& out) { return take(2 * out.numel()); }                // two words an element
kernels::Stream take_digits(const Tensor& out) { return take(kernels::words_of(out.dtype()) * (out.numel() + 1)); }

void check_floating(const Args& a, Dtype d) {
  GRADUS_CHECK(is_differentiable(d), dtype, "{}: not defined for {}", name(a.op()), name(d));
}
void check_probability(const Args& a, double p) { GRADUS_CHECK(p >= 0 && p <= 1, value, "{}: p {} is outside [0, 1]", name(a.op()), p); }
void check_spread(const Args& a, double std, std::string_view what) {
  GRADUS_CHECK(std >= 0, value, "{}: {} {} is negative or not a number", name(a.op()), what, std);
}

void sized(const Args& a, Metas& out, Dtype d, SizesRef sizes) {
  numel_of(sizes);
  check_floating(a, d);
  out.push_back({d, Sizes(sizes)});
}
void by_size(const Args& a, Metas& out) { sized(a, out, a.dtype(1, Dtype::f32), a.integers(0)); }
void like(const Args& a, Metas& out) { sized(a, out, a.dtype(1, a.tensor(0).dtype()), a.tensor(0).sizes()); }
// A complex number is two real ones, of which normal ones have half of the variance each; a mean is that of the real parts.
void put_uniform(const Tensor& out, double from, double to) {
  const Tensor t = is_complex(out.dtype()) ? parts_of(out) : out;
  kernels::uniform(view_of(t), take_digits(t), from, to);
}
void put_normal(const Tensor& out, double mean, double std) {
  if (!is_complex(out.dtype())) return kernels::normal(view_of(out), take_digits(out), mean, std);
  const Tensor t = parts_of(out);
  kernels::normal(view_of(t), take_digits(t), 0, std * std::numbers::sqrt2 / 2);
  const GradMode off(false);
  if (mean != 0) call_in_place(add_op, {out, mean});
}
void unit_uniform(const Args&, const Tensors& out) { put_uniform(out[0], 0, 1); }
void unit_normal(const Args&, const Tensors& out) { put_normal(out[0], 0, 1); }

void size_samples(Samples& s) {
  s.add({s.list({2, 3})});
  s.add({s.list({0}), Value(Dtype::f64)});
  s.error({s.list({-2})}, "negative size");
  s.error({s.list({2}), Value(Dtype::i64)}, "not defined for int64");
}
void like_samples(Samples& s) {
  s.add({s.rand({2, 3})});
  s.error({s.integers({2}, 0, 3)}, "not defined for int64");
}

// Integers from low to high - 1.
void check_range(const Args& a, int64_t low, int64_t high) { GRADUS_CHECK(low < high, value, "{}: no integers from {} to below {}", name(a.op()), low, high); }
uint64_t range(int64_t low, int64_t high) { return static_cast<uint64_t>(high) - static_cast<uint64_t>(low); }

// The largest n such that all integers up to n are values of the dtype.
int64_t whole_numbers(Dtype d) {
  switch (d) {
    case Dtype::boolean: return 1;
    case Dtype::u8: return 255;
    case Dtype::i8: return 127;
    case Dtype::i16: return INT16_MAX;
    case Dtype::i32: return INT32_MAX;
    case Dtype::i64: return INT64_MAX;
    case Dtype::f16: return 1 << 11;
    case Dtype::bf16: return 1 << 8;
    case Dtype::f64: return int64_t{1} << 53;
    default: return 1 << 24;
  }
}

// random(self), random(self, to), random(self, from, to): the bounds, both included.
struct Bounds {
  int64_t low, high;
  explicit Bounds(const Args& a) : low(a.has(2) ? a.integer(1) : 0), high(a.has(2) ? a.integer(2) : a.has(1) ? a.integer(1) : 0) {
    const Dtype d = a.tensor(0).dtype();
    const int64_t most = whole_numbers(d);
    if (!a.has(1)) { high = most; return; }
    check_range(a, low, high);
    --high;
    const bool fits = is_floating(d) ? low >= -most && high <= most : low >= (d == Dtype::u8 || d == Dtype::boolean ? 0 : -most - 1) && high <= most;
    GRADUS_CHECK(fits, value, "{}: {} to {} are not all values of {}", name(a.op()), low, high, name(d));
  }
};

template <void (*check)(const Args&)> void update_shape(const Args& a, Metas& out) {
  check_floating(a, a.tensor(0).dtype());
  check(a);
  out.push_back(a.tensor(0).meta());
}
void check_uniform(const Args& a) {
  GRADUS_CHECK(a.real(1) <= a.real(2), value, "{}: from {} is greater than to {}", name(a.op()), a.real(1), a.real(2));
  GRADUS_CHECK(std::isfinite(a.real(1)) && std::isfinite(a.real(2) - a.real(1)), value, "{}: the range from {} to {} is not finite", name(a.op()), a.real(1), a.real(2));
}
void check_std(const Args& a) { check_spread(a, a.real(2), "std"); }
void check_rate(const Args& a) { GRADUS_CHECK(a.real(1) > 0, value, "{}: lambd {} is not positive", name(a.op()), a.real(1)); }
void check_scale(const Args& a) { GRADUS_CHECK(a.real(2) > 0, value, "{}: sigma {} is not positive", name(a.op()), a.real(2)); }

// Probabilities that must be checked before anything is written.
void check_probabilities(const Args& a, const Tensor& p) {
  const GradMode off(false);
  const Tensor values = contiguous(to(p, Dtype::f64));
  for (int64_t i = 0; i < values.numel(); ++i) check_probability(a, values.data<double>()[i]);
}

}  // namespace

Op rand_op{
    .schema = "rand(int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Numbers spread evenly over [0, 1); float32 unless a dtype is given.",
    .complex = true,
    .shape = by_size,
    .kernel = unit_uniform,
    .random = true,
    .samples = size_samples,
};
Op randn_op{
    .schema = "randn(int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Normal numbers of mean 0 and standard deviation 1, by Box and Muller's transform: at most 6.6 in float32, 8.5 in float64.",
    .complex = true,
    .shape = by_size,
    .kernel = unit_normal,
    .random = true,
    .samples = size_samples,
};
Op rand_like_op{
    .schema = "rand_like(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    .doc = "rand in the shape and dtype of self.",
    .complex = true,
    .shape = like,
    .kernel = unit_uniform,
    .random = true,
    .samples = like_samples,
};
Op randn_like_op{
    .schema = "randn_like(Tensor self, *, ScalarType? dtype=None) -> Tensor",
    .doc = "randn in the shape and dtype of self.",
    .complex = true,
    .shape = like,
    .kernel = unit_normal,
    .random = true,
    .samples = like_samples,
};
Op randint_op{
    .schema = "randint(int low, int high, int[] size, *, ScalarType? dtype=long) -> Tensor",
    .doc = "Integers from low to high - 1, each as likely as the others.",
    .serves = "randint.low randint.low_generator",
    .shape = [](const Args& a, Metas& out) {
      numel_of(a.integers(2));
      check_range(a, a.integer(0), a.integer(1));
      out.push_back({a.dtype(3, Dtype::i64), Sizes(a.integers(2))});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      kernels::integers(view_of(out[0]), take_for(out[0]), a.integer(0), range(a.integer(0), a.integer(1)));
    },
    .random = true,
    .samples = [](Samples& s) {
      s.add({Value(-3), Value(4), s.list({2, 3})});
      s.add({Value(0), Value(10), s.list({}), Value(Dtype::f32)});
      s.error({Value(3), Value(3), s.list({2})}, "no integers from 3 to below 3");
    },
};
Op randint_below_op{
    .schema = "randint_below(int high, int[] size, *, ScalarType? dtype=long) -> Tensor",
    .doc = "randint from 0.",
    .serves = "randint randint.generator",
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(randint_op, {Value(0), a[0], a[1], a[2]})); },
    .random = true,
    .samples = [](Samples& s) {
      s.add({Value(4), s.list({2, 3})});
      s.add({Value(10), s.list({}), Value(Dtype::f32)});
      s.error({Value(0), s.list({2})}, "no integers from 0 to below 0");
    },
};
Op randint_like_op{
    .schema = "randint_like(Tensor self, int low, int? high=None, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Integers from low to high - 1 in the shape and dtype of self; one number alone is high, and low 0.",
    .serves = "randint_like randint_like.low_dtype",
    .shape = [](const Args& a, Metas& out) {
      check_range(a, a.has(2) ? a.integer(1) : 0, a.has(2) ? a.integer(2) : a.integer(1));
      out.push_back({a.dtype(3, a.tensor(0).dtype()), Sizes(a.tensor(0).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const int64_t low = a.has(2) ? a.integer(1) : 0, high = a.has(2) ? a.integer(2) : a.integer(1);
      kernels::integers(view_of(out[0]), take_for(out[0]), low, range(low, high));
    },
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(5)});
      s.add({s.rand({2}), Value(-5), Value(5), Value(Dtype::i32)});
      s.error({s.rand({2}), Value(0)}, "no integers");
    },
};
Op randperm_op{
    .schema = "randperm(int n, *, ScalarType? dtype=long) -> Tensor",
    .doc = "The integers from 0 to n - 1 in random order.",
    .shape = [](const Args& a, Metas& out) {
      const int64_t n = a.integer(0);
      GRADUS_CHECK(n >= 0, value, "randperm: negative n {}", n);
      const Dtype d = a.dtype(1, Dtype::i64);
      GRADUS_CHECK(n <= whole_numbers(d), value, "randperm: {} numbers are not all values of {}", n, name(d));
      out.push_back({d, Sizes{n}});
    },
    .kernel = [](const Args&, const Tensors& out) { kernels::permutation(view_of(out[0]), take_for(out[0])); },
    .random = true,
    .samples = [](Samples& s) { s.add({Value(7)}); s.add({Value(0)}); s.error({Value(-1)}, "negative n"); },
};

Op uniform_op{
    .schema = "uniform(Tensor self, float from=0, float to=1) -> Tensor",
    .doc = "Numbers spread evenly over [from, to) in place of the elements of self.",
    .serves = "uniform_",
    .complex = true,
    .shape = update_shape<check_uniform>,
    .kernel = [](const Args& a, const Tensors& out) { put_uniform(out[0], a.real(1), a.real(2)); },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({5}), Value(-2), Value(3)});
      s.error({s.rand({2}), Value(2), Value(1)}, "from 2 is greater than to 1");
    },
};
Op normal_op{
    .schema = "normal(Tensor self, float mean=0, float std=1) -> Tensor",
    .doc = "Normal numbers in place of the elements of self.",
    .serves = "normal_ normal_functional",
    .complex = true,
    .shape = update_shape<check_std>,
    .kernel = [](const Args& a, const Tensors& out) { put_normal(out[0], a.real(1), a.real(2)); },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({5}), Value(-2), Value(3)});
      s.error({s.rand({2}), Value(0), Value(-1)}, "std -1 is negative");
    },
};
Op exponential_op{
    .schema = "exponential(Tensor self, float lambd=1) -> Tensor",
    .doc = "Exponential numbers of the rate lambd in place of the elements of self.",
    .serves = "exponential_",
    .shape = update_shape<check_rate>,
    .kernel = [](const Args& a, const Tensors& out) { kernels::exponential(view_of(out[0]), take_for(out[0]), a.real(1)); },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), Value(0.5)}); s.error({s.rand({2}), Value(0)}, "lambd 0 is not positive"); },
};
Op log_normal_op{
    .schema = "log_normal(Tensor self, float mean=1, float std=2) -> Tensor",
    .doc = "Numbers whose logarithms are normal, of that mean and standard deviation, in place of the elements of self.",
    .serves = "log_normal_",
    .shape = update_shape<check_std>,
    .kernel = [](const Args& a, const Tensors& out) { kernels::log_normal(view_of(out[0]), take(2 * (out[0].numel() + 1)), a.real(1), a.real(2)); },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) { s.add({s.rand({2, 3})}); s.error({s.rand({2}), Value(0), Value(-1)}, "std -1"); },
};
Op cauchy_op{
    .schema = "cauchy(Tensor self, float median=0, float sigma=1) -> Tensor",
    .doc = "Cauchy numbers in place of the elements of self.",
    .serves = "cauchy_",
    .shape = update_shape<check_scale>,
    .kernel = [](const Args& a, const Tensors& out) { kernels::cauchy(view_of(out[0]), take_for(out[0]), a.real(1), a.real(2)); },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) { s.add({s.rand({2, 3})}); s.error({s.rand({2}), Value(0), Value(0)}, "sigma 0 is not positive"); },
};
Op geometric_op{
    .schema = "geometric(Tensor self, float p) -> Tensor",
    .doc = "How many tries of probability p it takes to succeed, from 1 on, in place of the elements of self.",
    .serves = "geometric_",
    .shape = [](const Args& a, Metas& out) {
      GRADUS_CHECK(a.real(1) > 0 && a.real(1) <= 1, value, "{}: p {} is outside (0, 1]", name(a.op()), a.real(1));
      out.push_back(a.tensor(0).meta());
    },
    .kernel = [](const Args& a, const Tensors& out) { kernels::geometric(view_of(out[0]), take_for(out[0]), a.real(1)); },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), Value(0.3)}); s.add({s.rand({2}), Value(1)}); s.error({s.rand({2}), Value(0)}, "p 0 is outside"); },
};
Op random_op{
    .schema = "random(Tensor self, int? from=None, int? to=None) -> Tensor",
    .doc = "Integers from `from` to `to` - 1 in place of the elements of self; one number alone is `to`, none stands for all integers from 0 that "
           "the dtype holds without gaps.",
    .serves = "random_ random_.to random_.from",
    .shape = [](const Args& a, Metas& out) {
      Bounds bounds(a);
      out.push_back(a.tensor(0).meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Bounds b(a);
      kernels::integers(view_of(out[0]), take_for(out[0]), b.low, range(b.low, b.high) + 1);
    },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({2, 3}), Value(5)});
      s.add({s.rand({4}), Value(-5), Value(5)});
      s.error({s.rand({2}), Value(3), Value(3)}, "no integers from 3 to below 3");
      s.error({s.integers({2}, 0, 2, Dtype::u8), Value(300)}, "not all values of uint8");
    },
};
Op bernoulli_op{
    .schema = "bernoulli(Tensor self, float? p=None) -> Tensor",
    .doc = "1 with probability p, else 0, in the shape and dtype of self. Without p the elements of self are the probabilities; bernoulli_ takes 0.5.",
    .serves = "bernoulli bernoulli.p bernoulli_.float",
    .shape = [](const Args& a, Metas& out) {
      if (a.has(1)) check_probability(a, a.real(1));
      else if (!a.op().info->functional) { check_floating(a, a.tensor(0).dtype()); check_probabilities(a, a.tensor(0)); }
      out.push_back(a.tensor(0).meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const bool given = a.has(1) || a.op().info->functional;
      const double p = a.has(1) ? a.real(1) : 0.5;
      if (given) kernels::bernoulli(view_of(out[0]), take_for(out[0]), p);
      else kernels::bernoulli(view_of(out[0]), take_for(out[0]), view_of(a.tensor(0)));
    },
    .updates = true,
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}, 0, 1)});
      s.add({s.rand({4}), Value(0.25)});
      s.error({s.rand({2}), Value(1.5)}, "p 1.5 is outside [0, 1]");
      s.error({s.values({2}, {0.5, 2})}, "p 2 is outside [0, 1]");
    },
};
Op normal_around_op{
    .schema = "normal_around(Tensor mean, Tensor std) -> Tensor",
    .doc = "Normal numbers, each with a mean and a standard deviation of its own; the two broadcast. No gradient flows: for one, write "
           "mean + std * randn.",
    .serves = "normal.Tensor_Tensor",
    .shape = [](const Args& a, Metas& out) {
      const Tensor &mean = a.tensor(0), &std = a.tensor(1);
      check_floating(a, mean.dtype());
      GRADUS_CHECK(mean.dtype() == std.dtype(), dtype, "normal: {} against {}", name(mean.dtype()), name(std.dtype()));
      const GradMode off(false);
      const Tensor spreads = contiguous(to(std, Dtype::f64));
      for (int64_t i = 0; i < spreads.numel(); ++i) check_spread(a, spreads.data<double>()[i], "std");
      out.push_back({mean.dtype(), broadcast_sizes(mean.sizes(), std.sizes(), "normal")});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const GradMode off(false);
      kernels::normal(view_of(out[0]), take_digits(out[0]), 0, 1);
      call_in_place(mul_op, {out[0], a.tensor(1)});
      call_in_place(add_op, {out[0], a.tensor(0)});
    },
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3}, 0, 2)});
      s.error({s.rand({2}), s.values({2}, {1, -1})}, "std -1 is negative");
    },
};
Op multinomial_op{
    .schema = "multinomial(Tensor self, int num_samples, bool replacement=False) -> Tensor",
    .doc = "num_samples indices per row of self, drawn in proportion to its elements; all different unless there is replacement.",
    .shape = [](const Args& a, Metas& out) {
      const Tensor& p = a.tensor(0);
      check_floating(a, p.dtype());
      GRADUS_CHECK(p.ndim() == 1 || p.ndim() == 2, shape, "multinomial: probabilities of shape {}, not one or two dimensions", text(p.sizes()));
      GRADUS_CHECK(a.integer(1) > 0, value, "multinomial: {} draws", a.integer(1));
      GRADUS_CHECK(a.flag(2) || a.integer(1) <= p.size(-1), value, "multinomial: {} draws without replacement from {} categories", a.integer(1), p.size(-1));
      GRADUS_CHECK(p.size(-1) > 0, value, "multinomial: no categories");
      Sizes sizes(p.sizes());
      sizes.back() = a.integer(1);
      out.push_back({Dtype::i64, sizes});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor& p = a.tensor(0);
      const int64_t rows = p.ndim() == 2 ? p.size(0) : 1, bits = a.flag(2) ? a.integer(1) : p.size(-1);
      kernels::multinomial(view_of(out[0]), view_of(p), take(rows * ((2 * bits + 3) / 4 * 4)), a.flag(2));
    },
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 5}, 0.1, 1), Value(3)});
      s.add({s.rand({4}, 0.1, 1), Value(9), Value(true)});
      s.error({s.rand({4}, 0.1, 1), Value(9)}, "9 draws without replacement from 4");
      s.error({s.values({2}, {0.5, -1}), Value(1)}, "probability -1");
    },
};

static Op* const all[] = {&rand_op, &randn_op, &rand_like_op, &randn_like_op, &randint_op, &randint_below_op, &randint_like_op, &randperm_op, &uniform_op, &normal_op, &exponential_op,
                          &log_normal_op, &cauchy_op, &geometric_op, &random_op, &bernoulli_op, &normal_around_op, &multinomial_op};
const OpList random_ops = all;

}  // namespace gradus
