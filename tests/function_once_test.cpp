// Functions in C++ whose backward is not recorded: what they refuse, what their jvp adds, and what they learn of a pass.
#include "gradus/function.hpp"
#include "gradus/functional.hpp"

#include "hpp_fixture.h"

namespace {

using gradus::AutogradContext;
using gradus::Tensor;
using Tensors = std::vector<Tensor>;

Tensor leaf(std::vector<double> v) { return gradus::tensor(v).requires_grad_(); }

using OnceDifferentiable = Clean;

struct Once : gradus::Function<Once> {
  static constexpr bool once_differentiable = true;
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x;
  }
  static Tensor backward(AutogradContext* ctx, const Tensors& g) {
    EXPECT_FALSE(gradus::is_grad_enabled());
    return g[0] * ctx->saved_tensors()[0] * 2;
  }
};

TEST_F(OnceDifferentiable, RefusesASecondDerivative) {
  const Tensor x = leaf({3, 4});
  const Tensor g = gradus::grad({Once::apply(x).sum()}, {x}, {}, {true, true})[0];
  expect_values(g, {6, 8});
  EXPECT_TRUE(g.requires_grad());
  expect_error(GRADUS_E_STATE, "OnceBackward: it is differentiable once only", [&] { g.sum().backward(); });
  EXPECT_FALSE(gradus::grad({Once::apply(x).sum()}, {x})[0].requires_grad());
}

struct Opaque : gradus::Function<Opaque> {                      // scale x^2 w, by a rule that nothing records
  static constexpr bool once_differentiable = true;
  static inline std::vector<bool> asked, along;
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double scale, const Tensor& w) {
    ctx->save_for_backward({x, w});
    ctx->saved_data["scale"] = scale;
    return x * x * w * scale;
  }
  static Tensors backward(AutogradContext* ctx, const Tensors& g) {
    const Tensors saved = ctx->saved_tensors();
    const double scale = std::any_cast<double>(ctx->saved_data["scale"]);
    asked = {ctx->needs_input_grad(0), ctx->needs_input_grad(1)};
    return {g[0] * saved[0] * saved[1] * (2 * scale), Tensor(), g[0] * saved[0] * saved[0] * scale};
  }
  static Tensor jvp(AutogradContext* ctx, const Tensors& t) {
    const Tensors saved = ctx->saved_tensors();
    const double scale = std::any_cast<double>(ctx->saved_data["scale"]);
    along = {t.at(0).defined(), t.at(1).defined(), t.at(2).defined()};
    Tensor out = t[0] ? t[0] * saved[0] * saved[1] * (2 * scale) : gradus::zeros_like(saved[0]);
    return t[2] ? out + t[2] * saved[0] * saved[0] * scale : out;
  }
};

TEST_F(OnceDifferentiable, JvpGoesThrough) {
  const Tensor x = leaf({3, 4}), w = leaf({2, -1});
  const Tensors t{gradus::tensor({1.0, 10.0}, gradus::float64), gradus::tensor({-1.0, 1.0}, gradus::float64)};
  const auto through = [](const Tensors& in) { return gradus::sin(Opaque::apply(in[0], 0.5, in[1])); };
  const auto plain = [](const Tensors& in) { return gradus::sin(in[0] * in[0] * in[1] * 0.5); };
  const Tensor got = gradus::autograd::jvp(through, {x, w}, t).values[0], want = gradus::autograd::jvp(plain, {x, w}, t).values[0];
  EXPECT_TRUE(gradus::allclose(got, want));
  EXPECT_EQ(Opaque::along, (std::vector<bool>{true, false, true}));
  gradus::autograd::jvp([&](const Tensors& in) { return Opaque::apply(in[0], 0.5, w); }, {x}, {t[0]});
  EXPECT_EQ(Opaque::along, (std::vector<bool>{true, false, false}));
  const Tensor g = gradus::grad({Opaque::apply(x, 1.0, w).sum()}, {x}, {}, {true, true})[0];
  expect_error(GRADUS_E_STATE, "OpaqueBackward: it is differentiable once only", [&] { gradus::grad({g.sum()}, {x}); });   // jvp says nothing of that
  EXPECT_FALSE(x.grad());
}

TEST_F(OnceDifferentiable, LearnsWhatAPassAsksFor) {
  const Tensor x = leaf({3, 4}), w = leaf({2, -1});
  const Tensor y = Opaque::apply(x, 1.0, w).sum();
  gradus::grad({y}, {w}, {}, {true, false});
  EXPECT_EQ(Opaque::asked, (std::vector<bool>{false, true}));
  gradus::grad({y}, {x}, {}, {true, false});
  EXPECT_EQ(Opaque::asked, (std::vector<bool>{true, false}));
  y.backward();
  EXPECT_EQ(Opaque::asked, (std::vector<bool>{true, true}));
}

}  // namespace
