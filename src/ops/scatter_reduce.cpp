// scatter_reduce and index_reduce: several values for one place are reduced.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "ops/indices.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Combine;

enum class Reduce { sum, prod, mean, amax, amin };
Reduce reduce_of(const Args& a) {
  constexpr std::string_view names[] = {"sum", "prod", "mean", "amax", "amin"};
  for (int i = 0; i < 5; ++i)
    if (a.text(4) == names[i]) return static_cast<Reduce>(i);
  fail(Status::value, "scatter_reduce: reduce '{}', where 'sum', 'prod', 'mean', 'amax' or 'amin' is wanted", a.text(4));
}

void refuse_mean_of_booleans(const Args& a) {
  GRADUS_CHECK(reduce_of(a) != Reduce::mean || a.tensor(0).dtype() != Dtype::boolean, dtype, "{}: the mean of bool", name(a.op()));
}

void check_scatter_reduce(const Args& a, Metas& out) {
  refuse_mean_of_booleans(a);
  const Tensor &self = a.tensor(0), &index = a.tensor(2), &src = a.tensor(3);
  check_along(self.sizes(), a.integer(1), index, "scatter_reduce");
  GRADUS_CHECK(src.dtype() == self.dtype(), dtype, "scatter_reduce: a source of {} for a tensor of {}", name(src.dtype()), name(self.dtype()));
  bool fits = src.ndim() == index.ndim() || index.numel() == 0;
  for (int64_t d = 0; fits && index.numel() > 0 && d < src.ndim(); ++d) fits = index.size(d) <= src.size(d);
  GRADUS_CHECK(fits, shape, "scatter_reduce: a source of shape {} for an index of shape {}", text(src.sizes()), text(index.sizes()));
  out.push_back(self.meta());
}

// What a place starts from that does not include its own value.
Tensor neutral(Reduce r, Dtype dtype) {
  const Tensor t = empty(dtype, Sizes{});
  visit(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      *t.data<T>() = r == Reduce::prod ? T(1) : r == Reduce::amax ? std::numeric_limits<T>::lowest() : r == Reduce::amin ? std::numeric_limits<T>::max() : T(0);
    } else {
      const double infinity = std::numeric_limits<double>::infinity();
      *t.data<T>() = convert<T>(r == Reduce::prod ? 1.0 : r == Reduce::amax ? -infinity : r == Reduce::amin ? infinity : 0.0);
    }
  });
  return t;
}

// Divides each place by how many values went in; integers towards minus infinity.
void divide(const Tensor& out, const Indexed& at, bool include_self) {
  const Tensor counts = empty_strided(Dtype::i64, out.sizes(), out.strides()), one = empty(Dtype::i64, Sizes{});
  *one.data<int64_t>() = 1;
  kernels::fill(view_of(counts), Number(include_self ? 1 : 0));
  write(counts, one, at, Combine::add);
  const Tensor n = clone(counts), sums = clone(out);          // row-major
  visit(out.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < n.numel(); ++i) {
      const int64_t k = std::max<int64_t>(1, n.data<int64_t>()[i]);
      T& s = sums.data<T>()[i];
      if constexpr (std::is_integral_v<T>) {
        const auto v = static_cast<int64_t>(s);
        s = static_cast<T>(v / k - (v % k < 0));
      } else {
        s = convert<T>(convert<double>(s) / static_cast<double>(k));
      }
    }
  });
  kernels::copy(view_of(out), view_of(sums));
}

// index_reduce is scatter_reduce with one index for a whole part.
bool by_rows(const Op& op) { return &op == &index_reduce_op || op.info->functional == &index_reduce_op; }
Tensor index_of(const Op& op, const Tensor& index, int64_t dim, SizesRef source) {
  if (!by_rows(op)) return index;
  Sizes strides(source.size(), 0);
  if (!source.empty()) strides[static_cast<size_t>(wrap_dim(dim, static_cast<int64_t>(source.size()), name(op)))] = index.ndim() == 0 ? 1 : index.stride(0);
  return alias(index, source, strides, index.offset());
}
void check_index_reduce(const Args& a, Metas& out) {
  const Tensor &self = a.tensor(0), &index = a.tensor(2), &source = a.tensor(3);
  refuse_mean_of_booleans(a);
  GRADUS_CHECK(reduce_of(a) != Reduce::sum, value, "index_reduce: reduce 'sum', where 'prod', 'mean', 'amax' or 'amin' is wanted: index_add sums");
  const int64_t d = wrap_dim(a.integer(1), self.ndim(), "index_reduce");
  check_index_dtype(index, "index_reduce");
  GRADUS_CHECK(index.ndim() <= 1, shape, "index_reduce: an index of shape {}, where a vector is wanted", text(index.sizes()));
  GRADUS_CHECK(source.dtype() == self.dtype(), dtype, "index_reduce: a source of {} for a tensor of {}", name(source.dtype()), name(self.dtype()));
  Sizes wanted(self.sizes());
  if (!wanted.empty()) wanted[static_cast<size_t>(d)] = index.numel();
  GRADUS_CHECK(same(source.sizes(), wanted) && (!wanted.empty() || index.numel() == 1), shape, "index_reduce: a source of shape {} for {} indices of dim {} of shape {}",
               text(source.sizes()), index.numel(), d, text(self.sizes()));
  out.push_back(self.meta());
}

void scatter_reduce_kernel(const Args& a, const Tensors& out) {
  const Reduce r = reduce_of(a);
  const Tensor& self = out[0];
  if (a.tensor(2).numel() == 0) return;
  const Tensor index = index_of(a.op(), a.tensor(2), a.integer(1), a.tensor(3).sizes());
  const int64_t d = wrap_dim(a.integer(1), self.ndim(), name(a.op()));
  const Indexed at = along(self.layout(), d, checked_index(index, self.ndim() == 0 ? 1 : self.size(d), false, name(a.op())));
  const Tensor src = clone(alias(a.tensor(3), index.sizes(), a.tensor(3).strides(), a.tensor(3).offset()));   // before a write that may reach it
  if (!a.flag(5)) write(self, neutral(r, self.dtype()), at, Combine::replace);
  constexpr Combine how[] = {Combine::add, Combine::multiply, Combine::add, Combine::max, Combine::min};
  write(self, src, at, how[static_cast<int>(r)]);
  if (r == Reduce::mean) divide(self, at, a.flag(5));
}

// ---- the rules: self = tensor 0, index = 2, src = 3
struct Rules {
  const Call& c;
  const Tensor& g;
  int64_t dim;
  Tensor index;
  Rules(const Call& call, const Tensor& gradient) : c(call), g(gradient), dim(c.integer(1)), index(index_of(c.op(), c.tensor(2), dim, c.tensor(3).sizes())) {}

  Tensor at(const Tensor& t) const { return gather(t, dim, index); }
  Tensor cleared(const Tensor& t) const { return c.flag(5) ? t : scatter(t, dim, index, 0); }   // a self that was not included has no share
  Tensor src() const {                                        // the part that the index has elements for
    Tensor s = c.tensor(3);
    for (int64_t d = 0; d < s.ndim(); ++d)
      if (s.size(d) != index.size(d)) s = slice(s, d, 0, index.size(d));
    return s;
  }
  Tensor padded(Tensor t) const {
    for (size_t d = 0; d < t.sizes().size(); ++d) {
      if (t.sizes()[d] == c.sizes()[d]) continue;
      Sizes sizes(t.sizes());
      sizes[d] = c.sizes()[d];
      t = call(slice_backward_op, {t, sizes, static_cast<int64_t>(d), 0, t.sizes()[d], 1});
    }
    return t;
  }
  Tensor counts() const {                                     // how many values went to each place
    const Tensor n = c.flag(5) ? ones(g.sizes(), g.dtype()) : zeros(g.sizes(), g.dtype());
    const Tensor sum = scatter_add(n, dim, index, ones(index.sizes(), g.dtype()));
    return maximum(sum, 1);
  }
  // For amax and amin: g shared evenly by the values that are the result.
  Tensor shared() const {
    const Tensor own = cleared(to(eq(c.tensor(0), c.output()), g.dtype()));
    return div(g, maximum(scatter_add(own, dim, index, to(eq(src(), at(c.output())), g.dtype())), 1));
  }
  Tensor prod_of_self() const {
    const Tensor plain = masked_fill(c.tensor(0), eq(c.tensor(0), 0), 1);
    return mul(g, div(scatter_reduce(plain, dim, index, src(), "prod", c.flag(5)), plain));
  }
  // The product of the others: divided out, or, for the only zero, calculated without it.
  Tensor prod_of_src() const {
    const Tensor x = src(), zero = eq(x, 0);
    const Tensor zero_count = at(scatter_add(zeros(g.sizes(), g.dtype()), dim, index, to(zero, g.dtype())));
    const Tensor only = mul(zero, eq(zero_count, 1));
    const Tensor without = scatter_reduce(c.tensor(0), dim, index, masked_fill(x, only, 1), "prod", c.flag(5));
    return where(only, at(mul(g, without)), div(at(mul(g, scatter_reduce(c.tensor(0), dim, index, x, "prod", c.flag(5)))), masked_fill(x, zero, 1)));
  }
};

Tensor pull_self(const Call& c, const Tensor& g) {
  if (c.tensor(2).numel() == 0) return g;
  const Rules r(c, g);
  switch (reduce_of(c.args())) {
    case Reduce::sum: return r.cleared(g);
    case Reduce::prod: return r.cleared(r.prod_of_self());
    case Reduce::mean: return r.cleared(div(g, r.counts()));
    default: return r.cleared(mul(to(eq(c.tensor(0), c.output()), g.dtype()), r.shared()));
  }
}
Tensor pull_src(const Call& c, const Tensor& g) {
  if (c.tensor(2).numel() == 0) return zeros(c.sizes(), g.dtype());
  const Rules r(c, g);
  switch (reduce_of(c.args())) {
    case Reduce::sum: return r.padded(r.at(g));
    case Reduce::prod: return r.padded(r.prod_of_src());
    case Reduce::mean: return r.padded(r.at(div(g, r.counts())));
    default: return r.padded(mul(to(eq(r.src(), r.at(c.output())), g.dtype()), r.at(r.shared())));
  }
}

}  // namespace

Op scatter_reduce_op{
    .schema = "scatter_reduce(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor",
    .doc = "self with src reduced into out[i, index[i, j, ...], ...] for dim 1: reduce is 'sum', 'prod', 'mean', 'amax' or 'amin'. Without include_self the "
           "former value of a place that is written does not count. Equal largest or smallest values share the gradient evenly.",
    .serves = "scatter_reduce.two",
    .shape = check_scatter_reduce,
    .kernel = scatter_reduce_kernel,
    .updates = true,
    .vjp = {pull_self, nullptr, pull_src},
    .save = input(0) | input(1) | input(2) | output(),
    .samples = [](Samples& s) {
      const auto many = [&](const char* reduce, bool include) {
        s.add({s.rand({2, 3}), Value(1), s.values({2, 4}, {2, 0, 2, 2, 1, 1, 0, 1}, Dtype::i64), s.rand({2, 4}), s.text(reduce), Value(include)});
      };
      for (const char* reduce : {"sum", "prod", "mean", "amax", "amin"}) {
        many(reduce, true);
        many(reduce, false);
      }
      s.add({s.rand({3, 2}), Value(0), s.values({1, 2}, {1, 2}, Dtype::i64), s.rand({2, 3}), s.text("prod")});
      s.error({s.rand({3}), Value(0), s.values({1}, {3}, Dtype::i64), s.rand({1}), s.text("sum")}, "index 3 is out of range for size 3");
      s.error({s.rand({3}), Value(0), s.values({1}, {0}, Dtype::i64), s.rand({1}), s.text("max")}, "reduce 'max'");
    },
};

Op index_reduce_op{
    .schema = "index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, bool include_self=True) -> Tensor",
    .doc = "self with the parts of source reduced into the indices of a dimension: 'prod', 'mean', 'amax' or 'amin', as scatter_reduce.",
    .shape = check_index_reduce,
    .kernel = scatter_reduce_kernel,
    .updates = true,
    .vjp = {pull_self, nullptr, pull_src},
    .save = input(0) | input(1) | input(2) | output(),
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), Value(0), s.values({2}, {2, 0}, Dtype::i64), s.rand({2, 2}), s.text("mean")});
      s.add({s.rand({2, 3}), Value(1), s.values({4}, {1, 1, 0, 1}, Dtype::i64), s.rand({2, 4}), s.text("prod"), Value(false)});
      s.add({s.rand({2, 3}), Value(1), s.values({4}, {1, 1, 0, 1}, Dtype::i64), s.rand({2, 4}), s.text("amax")});
      s.error({s.rand({3}), Value(0), s.values({1}, {0}, Dtype::i64), s.rand({1}), s.text("sum")}, "reduce 'sum'");
      s.error({s.rand({3}), Value(0), s.values({1}, {0}, Dtype::i64), s.rand({2}), s.text("mean")}, "a source of shape [2] for 1 indices");
    },
};

static Op* const all[] = {&scatter_reduce_op, &index_reduce_op};
const OpList scatter_reduce_ops = all;

}  // namespace gradus
