// Derivatives of functions, their check against differences, and the graph as text: as an application sees them.
#include "gradus/functional.hpp"

#include <cmath>

#include "hpp_fixture.h"

namespace {

using gradus::Tensor;
using gradus::autograd::Tensors;
using Doubles = std::vector<double>;

void expect_values(const Tensor& t, const std::vector<int64_t>& sizes, const Doubles& wanted) {
  EXPECT_EQ(t.sizes(), sizes);
  ::expect_values(t, wanted, 1e-12);
}

using Functional = Clean;
Tensor vec(std::initializer_list<double> v) { return gradus::tensor(std::vector<double>(v)); }

const auto products = [](const Tensor& x, const Tensor& y) { return Tensors{x * y, (x * x).sum()}; };
const auto cubes = [](const Tensor& x) { return (x * x * x).sum(); };

TEST_F(Functional, Jacobian) {
  expect_values(gradus::autograd::jacobian([](const Tensor& x) { return x.sin(); }, vec({0, 1})), {2, 2}, {1, 0, 0, std::cos(1)});
  expect_values(gradus::autograd::jacobian([](const Tensor& x) { return x.sum(); }, vec({0, 1, 2})), {3}, {1, 1, 1});
  const Tensor w = gradus::tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}, gradus::float64);
  expect_values(gradus::autograd::jacobian([&](const Tensor& x) { return gradus::mv(w, x); }, vec({7, 8, 9})), {2, 3}, {1, 2, 3, 4, 5, 6});
  expect_values(gradus::autograd::jacobian([](const Tensor& x) { return x.unsqueeze(0) * 2; }, vec({1, 2})), {1, 2, 2}, {2, 0, 0, 2});
}

TEST_F(Functional, JacobianOfSeveralByBlocks) {
  const Tensor x = vec({1, 2}).requires_grad_(), y = vec({3, 4});
  const auto j = gradus::autograd::jacobian(products, {x, y});
  ASSERT_EQ(j.size(), 2u);
  ASSERT_EQ(j[0].size(), 2u);
  expect_values(j[0][0], {2, 2}, {3, 0, 0, 4});
  expect_values(j[0][1], {2, 2}, {1, 0, 0, 2});
  expect_values(j[1][0], {2}, {2, 4});
  expect_values(j[1][1], {2}, {0, 0});                        // does not matter
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(j[0][0].requires_grad());
}

TEST_F(Functional, TheJacobianCanBeDifferentiated) {
  const Tensor x = vec({1, 2}).requires_grad_();
  gradus::autograd::FunctionalOptions o;
  o.create_graph = true;
  const Tensor j = gradus::autograd::jacobian([](const Tensor& t) { return t * t * t; }, x, o);
  expect_values(j, {2, 2}, {3, 0, 0, 12});
  j.sum().backward();
  expect_values(x.grad(), {2}, {6, 12});
}

TEST_F(Functional, ProductsWithTheJacobian) {
  const Tensor x = vec({1, 2}), y = vec({3, 4});
  const auto left = gradus::autograd::vjp(products, {x, y}, {vec({1, 10}), gradus::tensor(100.0, gradus::float64)});
  expect_values(left.outputs[0], {2}, {3, 8});
  expect_values(left.values[0], {2}, {3 + 200, 40 + 400});
  expect_values(left.values[1], {2}, {1, 20});
  const auto right = gradus::autograd::jvp(products, {x, y}, {vec({1, 10}), vec({100, 1000})});
  expect_values(right.outputs[1], {}, {5});
  expect_values(right.values[0], {2}, {3 + 100, 40 + 2000});
  expect_values(right.values[1], {}, {2 + 40});
  EXPECT_FALSE(right.values[0].requires_grad());
  expect_values(gradus::autograd::vjp(cubes, {x}).values[0], {2}, {3, 12});
  expect_values(gradus::autograd::jvp([](const Tensor& t) { return t.exp(); }, {vec({0})}).values[0], {1}, {1});
}

TEST_F(Functional, ProductsCanBeDifferentiated) {
  const Tensor x = vec({1, 2}).requires_grad_();
  gradus::autograd::FunctionalOptions o;
  o.create_graph = true;
  gradus::autograd::jvp([](const Tensor& t) { return t * t * t; }, {x}, {vec({1, 1})}, o).values[0].sum().backward();
  expect_values(x.grad(), {2}, {6, 12});
  x.zero_grad();
  gradus::autograd::vjp(cubes, {x}, {}, o).values[0].sum().backward();
  expect_values(x.grad(), {2}, {6, 12});
}

TEST_F(Functional, Hessian) {
  expect_values(gradus::autograd::hessian(cubes, vec({1, 2})), {2, 2}, {6, 0, 0, 12});
  const auto f = [](const Tensor& x, const Tensor& y) { return (x * x * y).sum(); };
  const Tensor x = vec({1, 2}), y = vec({3, 4}), u = vec({1, 10}), v = vec({100, 1000});
  const auto h = gradus::autograd::hessian(f, {x, y});
  expect_values(h[0][0], {2, 2}, {6, 0, 0, 8});
  expect_values(h[0][1], {2, 2}, {2, 0, 0, 4});
  expect_values(h[1][0], {2, 2}, {2, 0, 0, 4});
  expect_values(h[1][1], {2, 2}, {0, 0, 0, 0});
  for (const auto& p : {gradus::autograd::hvp(f, {x, y}, {u, v}), gradus::autograd::vhp(f, {x, y}, {u, v})}) {
    expect_values(p.outputs[0], {}, {3 + 16});
    expect_values(p.values[0], {2}, {6 + 200, 80 + 4000});
    expect_values(p.values[1], {2}, {2, 40});
  }
  expect_values(gradus::autograd::hessian([](const Tensor& t) { return t.sum(); }, vec({1, 2})), {2, 2}, {0, 0, 0, 0});
}

TEST_F(Functional, WorksWhereRecordingIsOff) {
  const gradus::NoGradGuard off;
  expect_values(gradus::autograd::hessian(cubes, vec({1, 2})), {2, 2}, {6, 0, 0, 12});
  EXPECT_FALSE(gradus::is_grad_enabled());
}

TEST_F(Functional, Refusals) {
  const Tensor x = vec({1, 2});
  gradus::autograd::FunctionalOptions strict;
  strict.strict = true;
  expect_error(GRADUS_E_VALUE, "vjp: v may be left out", [&] { gradus::autograd::vjp([](const Tensor& t) { return t * 2; }, {x}); });
  expect_error(GRADUS_E_VALUE, "jvp: 2 tensors v for 1", [&] { gradus::autograd::jvp(cubes, {x}, {x, x}); });
  expect_error(GRADUS_E_SHAPE, "jvp: v 0", [&] { gradus::autograd::jvp(cubes, {x}, {vec({1})}); });
  expect_error(GRADUS_E_VALUE, "hessian: the function has to return one", [&] { gradus::autograd::hessian([](const Tensor& t) { return t * 2; }, x); });
  expect_error(GRADUS_E_VALUE, "a function of 2 tensors for 1 inputs", [&] { gradus::autograd::jacobian(products, x); });
  expect_error(GRADUS_E_STATE, "jacobian: nothing depends on input 1", [&] { gradus::autograd::jacobian(products, {x, x}, strict); });
  expect_error(GRADUS_E_STATE, "vjp: output 0 does not depend", [&] { gradus::autograd::vjp([](const Tensor& t) { return t.detach(); }, {x}, {x}, strict); });
  expect_error(GRADUS_E_STATE, "hessian: the derivative by input 0 is constant", [&] { gradus::autograd::hessian([](const Tensor& t) { return t.sum(); }, x, strict); });
}

TEST_F(Functional, Gradcheck) {
  const Tensor x = vec({0.5, 2}).requires_grad_(), y = vec({3, 4}).requires_grad_();
  EXPECT_TRUE(gradus::gradcheck(products, {x, y}));
  EXPECT_TRUE(gradus::gradgradcheck(products, {x, y}));
  gradus::GradcheckOptions fast;
  fast.fast = true;
  EXPECT_EQ(gradus::gradcheck([](const Tensors& t) { return t[0].sin(); }, {x}, fast).report.find("passed: 1 projections"), 0u);
  const auto r = gradus::gradcheck([](const Tensor& t) { return t * t.detach(); }, {x});
  EXPECT_FALSE(r);
  EXPECT_NE(r.report.find("0.5 by backward"), std::string::npos) << r.report;
  struct Own {};
  EXPECT_THROW(gradus::gradcheck([](const Tensor& t) { if (t.defined()) throw Own(); return t; }, {x}), Own);
  expect_error(GRADUS_E_STATE, "none of the 1 inputs requires grad", [&] { gradus::gradcheck(products, {vec({1})}); });
}

TEST_F(Functional, TheGraphAsText) {
  const Tensor a = vec({1, 2}).requires_grad_(), b = a.sin();
  const std::string dot = gradus::graph_dot({b}, {{a, "a"}}, true), json = gradus::graph_json({b}, {{a, "a"}});
  EXPECT_EQ(dot.find("digraph autograd {"), 0u);
  EXPECT_NE(dot.find("label=\"a\\nfloat64 [2]\""), std::string::npos) << dot;
  EXPECT_NE(json.find("\"leaf\": {\"name\": \"a\""), std::string::npos) << json;
  EXPECT_EQ(json.back(), '\n');
}

}  // namespace
