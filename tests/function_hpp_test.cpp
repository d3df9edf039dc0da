// Functions with a derivative of their own in C++: the face, and the rules for what forward marks and returns.
#include "gradus/function.hpp"

#include <cmath>

#include "hpp_fixture.h"

namespace {

using gradus::AutogradContext;
using gradus::Tensor;
using Tensors = std::vector<Tensor>;

Tensor leaf(std::vector<double> v) { return gradus::tensor(v).requires_grad_(); }

using Function = Clean;

struct ScaledExp : gradus::Function<ScaledExp> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double scale) {
    const Tensor y = (x * scale).exp();
    ctx->save_for_backward({y});
    ctx->saved_data["scale"] = scale;
    return y;
  }
  static Tensors backward(AutogradContext* ctx, const Tensors& g) {
    return {g[0] * ctx->saved_tensors()[0] * std::any_cast<double>(ctx->saved_data["scale"]), Tensor()};
  }
};

TEST_F(Function, AnyNumberOfDerivatives) {
  const Tensor x = leaf({0, 0.5});
  Tensor y = ScaledExp::apply(x, 3.0);
  EXPECT_EQ(y.grad_fn().name(), "ScaledExpBackward");
  for (int order = 1; order <= 3; ++order) {
    y = gradus::grad({y.sum()}, {x}, {}, {true, true})[0];
    expect_values(y, {std::pow(3, order), std::pow(3, order) * std::exp(1.5)});
  }
}

struct Sum : gradus::Function<Sum> {                          // of a list of any length, and 7 for an argument between
  static Tensor forward(AutogradContext* ctx, const Tensors& parts, int, const Tensor& last) {
    EXPECT_TRUE(ctx->needs_input_grad(0));
    EXPECT_FALSE(ctx->needs_input_grad(1));
    Tensor sum = last;
    for (const Tensor& p : parts) sum = sum + p;
    return sum;
  }
  static Tensors backward(AutogradContext*, const Tensors& g) { return {g[0], g[0], Tensor(), g[0] * 2}; }
};

TEST_F(Function, ListsAndGradientsThatAreSummedOverBroadcastDimensions) {
  const Tensor a = leaf({1, 2}), b = gradus::tensor(std::vector<double>{3, 4}), c = leaf({10});
  const Tensor y = Sum::apply(Tensors{a, b}, 7, c);
  expect_values(y, {14, 16});
  y.sum().backward();
  expect_values(a.grad(), {1, 1});
  expect_values(c.grad(), {4});
  EXPECT_FALSE(b.grad());
}

struct Doubled : gradus::Function<Doubled> {                  // x is written
  static Tensors forward(AutogradContext* ctx, const Tensor& x, const std::string& how) {
    if (how != "unwritten") x.mul_(2);
    ctx->mark_dirty({x});
    if (how == "lost") return {x * 1};
    if (how == "constant") ctx->mark_non_differentiable({x});
    if (how == "twice") return {x, x};
    if (how == "saved") ctx->save_for_backward({x});
    return {x};
  }
  static Tensors backward(AutogradContext* ctx, const Tensors& g) {
    if (!ctx->saved_tensors().empty()) return {g[0] * ctx->saved_tensors()[0], Tensor()};
    return {(g.size() == 2 ? g[0] + g[1] : g[0]) * 2, Tensor()};
  }
};

TEST_F(Function, WrittenInputs) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 1;
  const uint64_t version = y.version();
  const Tensors r = Doubled::apply(y, std::string("once"));
  EXPECT_TRUE(r[0].is_same(y));
  EXPECT_EQ(y.grad_fn().name(), "DoubledBackward");
  EXPECT_GT(y.version(), version);
  (y * y).sum().backward();
  expect_values(x.grad(), {8, 16});

  const Tensor z = x * 1;
  const Tensors twice = Doubled::apply(z, std::string("twice"));
  EXPECT_TRUE(twice[0].is_same(twice[1]));
  expect_values(gradus::grad({twice[0].sum()}, {x})[0], {2, 2});

  const Tensor w = x * 1;
  const Tensors saved = Doubled::apply(w, std::string("saved"));
  expect_values(gradus::grad({saved[0].sum()}, {x})[0], {2, 4});

  const Tensor v = x * 1, kept = v * v;                       // saved by another before it was written
  Doubled::apply(v, std::string("once"));
  expect_error(GRADUS_E_IN_PLACE, "version", [&] { kept.sum().backward(); });

  const Tensor u = x * 1, too = u * u;                        // the mark counts, not what the library saw
  Doubled::apply(u, std::string("unwritten"));
  expect_error(GRADUS_E_IN_PLACE, "changed in place by Doubled: it is at version", [&] { too.sum().backward(); });

  const Tensor t = x * 1, result = t.exp();                   // saved by its own node: that has the tensor's memory, not its history
  Doubled::apply(result, std::string("once"));
  expect_error(GRADUS_E_IN_PLACE, "output 0 of ExpBackward0, was changed in place by a function of the host", [&] { gradus::grad({(result * 1).sum()}, {x}); });

  const Tensor constant = Doubled::apply(x * 1, std::string("constant"))[0];
  EXPECT_FALSE(constant.requires_grad());
}

TEST_F(Function, WrittenInputsThatAreRefused) {
  const Tensor x = leaf({1, 2});
  expect_error(GRADUS_E_STATE, "Doubled: a leaf", [&] { Doubled::apply(x, std::string("once")); });
  expect_error(GRADUS_E_STATE, "not returned", [&] { Doubled::apply(x * 1, std::string("lost")); });
  const Tensor y = x * 1;
  expect_error(GRADUS_E_STATE, "more than that one", [&] { Doubled::apply(y.view({2}), std::string("twice")); });
  EXPECT_EQ(y.grad_fn().name(), "MulBackward0");
}

TEST_F(Function, WritesThroughAViewReachTheBase) {
  const Tensor x = leaf({1, 2, 3}), base = x * 1, view = base.narrow(0, 1, 2);
  Doubled::apply(view, std::string("once"));
  expect_values(base, {1, 4, 6});
  (base * gradus::tensor({1.0, 10.0, 100.0}, gradus::float64)).sum().backward();
  expect_values(x.grad(), {1, 20, 200});
  expect_values(gradus::grad({Doubled::apply((x * 1).narrow(0, 0, 1), std::string("once"))[0].sum()}, {x})[0], {2, 0, 0});
}

struct AsItIs : gradus::Function<AsItIs> {
  static Tensor forward(AutogradContext*, const Tensor& x) { return x; }
  static Tensor backward(AutogradContext*, const Tensors& g) { return g[0] * 5; }
};
struct Row : gradus::Function<Row> {
  static Tensor forward(AutogradContext*, const Tensor& x) { return x.narrow(0, 0, 1); }
  static Tensor backward(AutogradContext*, const Tensors& g) { return gradus::cat({g[0], g[0] * 0}); }
};

struct WholeAndPart : gradus::Function<WholeAndPart> {         // the part was made before the whole was written
  static Tensors forward(AutogradContext* ctx, const Tensor& x) {
    const Tensor part = x.narrow(0, 0, 1);
    x.mul_(2);
    ctx->mark_dirty({x});
    return {x, part};
  }
  static Tensor backward(AutogradContext*, const Tensors& g) { return 2 * (g[0] + gradus::cat({g[1], g[1] * 0})); }
};

TEST_F(Function, InputsAndViewsThatAreReturned) {
  const Tensor x = leaf({1, 2});
  const Tensor y = AsItIs::apply(x);
  EXPECT_FALSE(y.is_same(x));
  EXPECT_TRUE(x.is_leaf());
  y.sum().backward();
  expect_values(x.grad(), {5, 5});
  const Tensor inner = x * 1, same = AsItIs::apply(inner), row = Row::apply(inner);
  EXPECT_EQ(inner.grad_fn().name(), "MulBackward0");
  expect_values(gradus::grad({row.sum()}, {x})[0], {1, 0});
  expect_error(GRADUS_E_STATE, "custom function", [&] { same.mul_(2); });
  expect_error(GRADUS_E_STATE, "custom function", [&] { row.mul_(2); });
  const Tensors both = WholeAndPart::apply(x * 1);
  expect_values(gradus::grad({both[1].sum()}, {x})[0], {2, 0});
  const Tensor plain = gradus::tensor({1.0, 2.0}, gradus::float64), shown = AsItIs::apply(plain);
  EXPECT_FALSE(shown.is_same(plain));
  expect_error(GRADUS_E_STATE, "custom function", [&] { shown.mul_(x); });
  const gradus::NoGradGuard off;
  EXPECT_FALSE(AsItIs::apply(inner).requires_grad());
}

struct Parts : gradus::Function<Parts> {                      // value, integers, and a constant
  static Tensors forward(AutogradContext* ctx, const Tensor& x, bool materialize) {
    const Tensor constant = x * 0, rounded = x.to(gradus::int64);
    ctx->mark_non_differentiable({constant});
    ctx->set_materialize_grads(materialize);
    return {x * 2, rounded, constant, x * 3, Tensor()};
  }
  static Tensors backward(AutogradContext*, const Tensors& g) {
    seen = g;
    return {g[0] * 2, Tensor()};
  }
  static inline Tensors seen;
};

TEST_F(Function, ResultsWithoutGradients) {
  const Tensor x = leaf({1, 2});
  Tensors y = Parts::apply(x, true);
  EXPECT_TRUE(y[0].requires_grad());
  EXPECT_FALSE(y[1].requires_grad());
  EXPECT_FALSE(y[2].requires_grad());
  EXPECT_FALSE(y[4].defined());
  y[0].sum().backward();
  ASSERT_EQ(Parts::seen.size(), 5u);
  expect_values(Parts::seen[3], {0, 0});
  expect_values(Parts::seen[2], {0, 0});
  EXPECT_FALSE(Parts::seen[4].defined());
  y = Parts::apply(x, false);
  y[0].sum().backward();
  for (size_t i = 1; i < 5; ++i) EXPECT_FALSE(Parts::seen[i].defined());
  Parts::seen.clear();
}

struct Thrown {};
struct Throws : gradus::Function<Throws> {
  static Tensor forward(AutogradContext*, const Tensor& x, bool now) {
    if (now) throw Thrown();
    return x * 1;
  }
  static Tensor backward(AutogradContext*, const Tensors&) { throw std::out_of_range("mine"); }
};

TEST_F(Function, ExceptionsPassAsThemselves) {
  const Tensor x = leaf({1});
  EXPECT_THROW(Throws::apply(x, true), Thrown);
  const Tensor y = Throws::apply(x, false);
  EXPECT_THROW(y.backward(), std::out_of_range);
  EXPECT_THROW(gradus::grad({y}, {x}), std::out_of_range);
  expect_values(x * 2, {2});
}

TEST_F(Function, WhatACallbackOfCThrowsIsCaught) {
  gradus_function f{};
  f.struct_size = sizeof f;
  f.name = "Wild";
  f.forward = [](void*, gradus_context*, gradus_function_call*, gradus_tensor* const*, size_t, gradus_tensor**, size_t, size_t*) -> gradus_status {
    throw std::runtime_error("from far away");
  };
  f.vjp = f.forward;
  const Tensor x = leaf({1});
  gradus_tensor *in = x.handle(), *out = nullptr;
  gradus_context* c = gradus::Context::current();
  EXPECT_EQ(gradus_function_apply(c, &f, &in, 1, &out, 1, nullptr), GRADUS_E_CALLBACK);
  gradus_error e{};
  e.struct_size = sizeof e;
  gradus_context_error(c, &e);
  EXPECT_STREQ(e.message, "from far away");
  f.forward = [](void*, gradus_context*, gradus_function_call*, gradus_tensor* const*, size_t, gradus_tensor**, size_t, size_t*) -> gradus_status { throw 5; };
  EXPECT_EQ(gradus_function_apply(c, &f, &in, 1, &out, 1, nullptr), GRADUS_E_CALLBACK);
  EXPECT_EQ(out, nullptr);
}

// Every saved value passes the hooks: they keep half of it, so what comes back shows whether they were asked.
TEST_F(Function, SavedTensorsPassTheHooks) {
  gradus_saved_hooks h{};
  h.struct_size = sizeof h;
  h.pack = [](void* user, gradus_context* c, gradus_tensor* t, const gradus_op* op, gradus_tensor** replacement, void** token) -> gradus_status {
    if (op) return GRADUS_OK;                                 // those of functions only
    *token = user;
    return gradus_mul_scalar(c, t, 0.5, replacement);
  };
  h.unpack = [](void* user, gradus_context* c, gradus_tensor* t, void*, gradus_tensor** result) -> gradus_status {
    ++*static_cast<int*>(user);
    return gradus_mul_scalar(c, t, 4, result);
  };
  int unpacked = 0;
  h.user = &unpacked;
  gradus_context* c = gradus::Context::current();
  const Tensor x = leaf({0});
  ASSERT_EQ(gradus_context_push_saved_hooks(c, &h), GRADUS_OK);
  const Tensor y = ScaledExp::apply(x, 1.0), z = ScaledExp::apply(leaf({3}), 1.0);
  ASSERT_EQ(gradus_context_pop_saved_hooks(c), GRADUS_OK);
  y.backward();
  expect_values(x.grad(), {2});
  EXPECT_EQ(unpacked, 1);
}

struct ViewSaved : gradus::Function<ViewSaved> {              // a saved view of the result must not own it
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    const Tensor y = x.exp();
    ctx->save_for_backward({y.view({2, 1}), x});
    return y;
  }
  static Tensor backward(AutogradContext* ctx, const Tensors& g) { return g[0] * ctx->saved_tensors()[0].view({2}) + 0 * ctx->saved_tensors()[1]; }
};
struct Inner : gradus::Function<Inner> {                      // differentiates inside of its forward
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    const gradus::EnableGradGuard on;
    const Tensor own = x.detach().requires_grad_();
    const Tensor y = own.exp();
    ctx->save_for_backward({gradus::grad({y.sum()}, {own})[0]});
    return own.exp();
  }
  static Tensor backward(AutogradContext* ctx, const Tensors& g) { return g[0] * ctx->saved_tensors()[0]; }
};

TEST_F(Function, NothingOwnsItself) {
  const Tensor x = leaf({0, 1});
  ViewSaved::apply(x);
  ViewSaved::apply(x).sum().backward();
  expect_values(x.grad(), {1, std::exp(1)});
  const Tensor y = Inner::apply(x);
  EXPECT_EQ(y.grad_fn().name(), "InnerBackward");
  expect_values(gradus::grad({y.sum()}, {x})[0], {1, std::exp(1)});
}

struct Careless : gradus::Function<Careless> {                // leaves a mode on, and saves what was made elsewhere
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& other) {
    const Tensor y = x * other;
    gradus_context_set_recording(gradus::Context::current(), 1, nullptr);
    ctx->save_for_backward({other});
    return y;
  }
  static Tensors backward(AutogradContext* ctx, const Tensors& g) { return {g[0] * ctx->saved_tensors()[0], Tensor()}; }
};

TEST_F(Function, Modes) {
  const Tensor x = leaf({1, 2});
  Tensor other;
  {
    const gradus::InferenceGuard inference;
    other = gradus::tensor({5.0, 6.0}, gradus::float64);
    EXPECT_FALSE(Careless::apply(x, other).requires_grad());
  }
  expect_error(GRADUS_E_STATE, "Careless: a tensor made in inference mode", [&] { Careless::apply(x, other); });
  const Tensor y = Careless::apply(x, other.clone());
  EXPECT_EQ(y.grad_fn().name(), "CarelessBackward");
  expect_values(gradus::grad({y.sum()}, {x})[0], {5, 6});
  const gradus::NoGradGuard off;
  EXPECT_FALSE(Careless::apply(x, other).requires_grad());
  EXPECT_FALSE(gradus::is_grad_enabled());
}

struct Short : gradus::Function<Short> {
  static Tensor forward(AutogradContext*, const Tensor& a, const Tensor& b, int) { return a + b; }
  static Tensors backward(AutogradContext*, const Tensors& g) { return g; }
};
struct Numbered : gradus::Function<Numbered> {
  static Tensor forward(AutogradContext*, const Tensor& a, int) { return a * 1; }
  static Tensors backward(AutogradContext*, const Tensors& g) { return {g[0], g[0]}; }
};

TEST_F(Function, WrongNumbersOfGradients) {
  const Tensor x = leaf({1});
  expect_error(GRADUS_E_VALUE, "1 gradients for 3 arguments", [&] { Short::apply(x, x, 1).backward(); });
  expect_error(GRADUS_E_VALUE, "no tensor", [&] { Numbered::apply(x, 1).backward(); });
}

}  // namespace
