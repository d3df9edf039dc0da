// Writes: in-place forms, views and what is written through them, and calls that must fail without a trace.
#include "autograd/grad.h"
#include "graph/relayout.h"
#include "op_suite.h"

namespace gradus::suite {
namespace {

uint32_t version(const Tensor& t) { return t.storage().current(); }

// The functional result as the in-place form has to store it; null when it does not fit. Some forms give self any shape.
Tensor fitting(const Attempt& a) {
  const Tensor y = a.run()[0];
  if (changes_itself(*a.op.info->in_place)) return y;
  const Tensor& self = a.inputs[0];
  if (!same(y.sizes(), self.sizes()) || !can_cast(y.dtype(), self.dtype())) return {};
  return to(y, self.dtype());
}

// Runs op_ on a self in the given memory and compares it with the functional result.
void in_place_equals(const Attempt& a, const Tensor& self, const Tensor& want, Report& r) {
  Inputs inputs = a.inputs;
  inputs[0] = self;
  const uint32_t before = version(self);
  const Tensors out = a.with(inputs).run(*a.op.info->in_place);
  r.check();
  if (out.size() != 1 || out[0].impl() != self.impl()) r.fail("does not return its input");
  if (version(self) != before + 1) r.fail("raises the version by {}", version(self) - before);
  if (auto d = differ_in_bits(self, want)) r.fail("in place, {}", *d);
}

// The bytes of the storage that belong to no element of t.
std::vector<char> gaps(const Tensor& t) {
  std::vector<char> bytes = bytes_of(t);
  std::vector<int64_t> index(static_cast<size_t>(t.ndim()), 0), sizes(t.sizes().begin(), t.sizes().end());
  for (int64_t i = 0; i < t.numel(); ++i, oracle::step(index, sizes)) {
    int64_t at = t.offset();
    for (size_t d = 0; d < index.size(); ++d) at += index[d] * t.strides()[d];
    for (int64_t b = 0; b < size_of(t.dtype()); ++b) bytes[static_cast<size_t>(at * size_of(t.dtype()) + b)] = 0;
  }
  return bytes;
}

// Ops whose form op_ does something else.
const Exceptions kAnotherInPlace = {
    {"bernoulli", "without p, bernoulli reads probabilities from self, and bernoulli_ takes 0.5"},
    {"detach", "detach_ writes nothing: the version stays"},
    {"resize", "resize_ keeps memory, not elements"},
    {"resize_as", "resize_as_ keeps memory, not elements"},
    {"as_strided", "reads the memory under its input"},
};

TEST_F(Suite, InPlace) {
  each("in_place", good, kAnotherInPlace, [](const Attempt& a, Report& r) {
    if (!a.writes_first()) return;
    const Tensor want = fitting(a);
    if (!want) {
      const Tensor self = copy_of(a.inputs[0]);
      const std::vector<char> bytes = bytes_of(self);
      try {
        in_place_equals(a, self, a.run()[0], r);
        r.fail("in place, a result that does not fit was accepted");
      } catch (const Error& e) {
        if (e.status() != Status::shape && e.status() != Status::dtype) r.fail("in place, threw \"{}\"", e.what());
        if (bytes_of(self) != bytes) r.fail("in place, a refused write changed its input");
      }
      return;
    }
    in_place_equals(a, copy_of(a.inputs[0]), want, r);
    for (Memory m : {Memory::transposed, Memory::sliced, Memory::step}) {
      r.about(format("/{}", name(m)).c_str());
      const Tensor self = relayout(a.inputs[0], m);
      const std::vector<char> before = gaps(self);
      in_place_equals(a, self, want, r);
      if (gaps(self) != before) r.fail("in place, memory between the elements was written");
    }
  });
}

Inputs as_leaves(const Inputs& inputs) {
  Inputs out;
  for (const Tensor& t : inputs) {
    out.push_back(t ? copy_of(t) : t);
    if (t && t.dtype() == Dtype::f64) set_requires_grad(out.back().impl(), true);
  }
  return out;
}

// Gradients of the leaves through y; zeros where nothing flows.
Tensors gradients(const Tensor& y, const Inputs& x) {
  Inputs asked;
  for (const Tensor& t : x) if (t && t.impl()->requires_grad) asked.push_back(t);
  if (!needs_grad(y.impl())) {
    Tensors none;
    for (const Tensor& t : asked) none.push_back(zeros(t.sizes(), Dtype::f64));
    return none;
  }
  const Tensor seed = noise(y.sizes(), 3);
  return grad({&y, 1}, asked, {&seed, 1}, {.allow_unused = true, .materialize = true});
}

TEST_F(Suite, GradientThroughInPlace) {
  const Exceptions refuse_gradients = {{"resize", "resize_ takes nothing that requires grad"}, {"resize_as", "resize_as_ takes nothing that requires grad"}};
  each("in_place_gradient", good, refuse_gradients, [](const Attempt& a, Report& r) {
    if (!a.writes_first() || a.inputs[0].dtype() != Dtype::f64) return;
    const Tensor fits = fitting(a);
    if (!fits || a.run()[0].dtype() != Dtype::f64) return;
    const Inputs x = as_leaves(a.inputs);
    const Tensors want = gradients(a.with(x).run()[0], x);
    Inputs inputs = x;
    inputs[0] = call(clone_op, {x[0]});
    const Tensor y = a.with(inputs).run(*a.op.info->in_place)[0];
    const Tensors got = gradients(y, x);
    for (size_t k = 0; k < got.size(); ++k) {
      r.check();
      if (auto d = differ(got[k], want[k], 1e-12)) r.fail("through {}, gradient {} is {}", name(*a.op.info->in_place), k, *d);
    }
  });
}

// ---- views
TEST_F(Suite, ViewsShareMemory) {
  each("view", good, {}, [](const Attempt& a, Report& r) {
    if (!a.op.view) return;
    Inputs inputs = a.inputs;
    inputs[0] = copy_of(inputs[0]);
    const Tensors views = a.with(inputs).run();
    for (size_t k = 0; k < views.size(); ++k) {
      r.check();
      const Tensor& v = views[k];
      if (v.impl()->storage != inputs[0].impl()->storage) { r.fail("result {} has memory of its own", k); continue; }
      if (!is_non_overlapping(v.sizes(), v.strides())) continue;
      const uint32_t before = version(inputs[0]);
      call_in_place(fill_op, {v, 77});
      if (version(inputs[0]) != before + 1) r.fail("a write to result {} does not raise the version of the input", k);
      const Tensor again = a.with(inputs).run()[k];
      for (double e : array(again).values)
        if (e != 77) { r.fail("a write to result {} does not show", k); break; }
    }
  });
}

// With y = clone(x) and its view multiplied by 3 in place, f(x) = sum of u * y: the gradient is u, times 3 under the view.
TEST_F(Suite, GradientThroughAWriteToAView) {
  each("view_write", good, {}, [](const Attempt& a, Report& r) {
    if (!a.op.view || a.inputs[0].dtype() != Dtype::f64) return;
    Inputs inputs = a.inputs;
    const Tensor x = copy_of(inputs[0]);
    set_requires_grad(x.impl(), true);
    const Tensor y = inputs[0] = call(clone_op, {x});
    const Tensors views = a.with(inputs).run();
    if (views.empty() || !is_non_overlapping(views[0].sizes(), views[0].strides())) return;
    if (a.op.multi_view) return expect_error(Status::state, "one of several outputs", [&] { call_in_place(mul_op, {views[0], 3}); });
    call_in_place(mul_op, {views[0], 3});
    const Tensor u = noise(y.sizes(), 5);
    const Tensor g = grad({&y, 1}, {&x, 1}, {&u, 1})[0];
    Inputs marked = a.inputs;
    marked[0] = copy_of(u);
    call_in_place(mul_op, {a.with(marked).run()[0], 3});
    r.check();
    if (auto d = differ(g, marked[0], 1e-12)) r.fail("the gradient is {}", *d);
    const Tensor after = a.with(inputs).run()[0];             // a view made later sees the write
    if (auto d = differ(after, views[0], 0)) r.fail("a later view is {}", *d);
  });
}

// ---- errors
struct Snapshot {
  std::vector<std::vector<char>> bytes;
  std::vector<uint32_t> versions;
  explicit Snapshot(const Inputs& inputs) {
    for (const Tensor& t : inputs) {
      bytes.push_back(t ? bytes_of(t) : std::vector<char>());
      versions.push_back(t ? version(t) : 0);
    }
  }
  bool operator==(const Snapshot&) const = default;
};

TEST_F(Suite, Errors) {
  each("error", bad, kAnotherInPlace, [](const Attempt& a, Report& r) {
    const Snapshot before(a.inputs);
    const auto attempt = [&](const Op& form, bool exact) {
      r.check();
      try {
        a.run(form);
        r.fail("{}: no error; expected: {}", name(form), a.sample.error);
      } catch (const Error& e) {
        if (e.status() == Status::internal) r.fail("an internal error: {}", e.what());
        if (exact && !lacks_lapack(a.op, e) && std::string(e.what()).find(a.sample.error) == std::string::npos) r.fail("\"{}\" does not contain \"{}\"", e.what(), a.sample.error);
      }
      if (!(Snapshot(a.inputs) == before)) r.fail("{}: the failed call changed an input", name(form));
    };
    attempt(a.op, true);
    if (a.writes_first()) attempt(*a.op.info->in_place, false);
  });
}

}  // namespace
}  // namespace gradus::suite
