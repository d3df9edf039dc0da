// gradcheck finds what is wrong with a gradient, says where, and leaves everything as it was.
#include "autograd/gradcheck.h"

#include "dispatch/registry.h"
#include "fixture.h"
#include "graph/custom.h"
#include "kernels/copy.h"

namespace gradus {
namespace {

using Gradcheck = Core;
using Inputs = std::span<const Tensor>;

GradcheckResult check(const GradcheckFunction& f, Tensors inputs, const GradcheckOptions& o = {}) { return gradcheck(f, inputs, o); }
GradcheckResult check_second(const GradcheckFunction& f, Tensors inputs, const GradcheckOptions& o = {}) { return gradgradcheck(f, inputs, {}, o); }

void expect_report(const GradcheckResult& r, std::initializer_list<const char*> parts) {
  EXPECT_FALSE(r.passed);
  for (const char* part : parts) EXPECT_NE(r.report.find(part), std::string::npos) << "\"" << part << "\" is not in\n" << r.report;
}
// x, whose gradient goes through a function of the test's: an operation with a derivative of one's own.
Tensor with_gradient(const Tensor& x, std::function<Tensor(const Tensor&)> of) {
  Tensor y = mul(x, 1);
  add_hook(y.impl(), std::move(of));
  return y;
}
const GradcheckOptions kFast = {.fast = true};

TEST_F(Gradcheck, RightGradientsPass) {
  const Tensor a = leaf({0.3, -1.2, 2.5, 0.7, 1.1, -0.4}, {2, 3}), b = leaf({0.5, 1.5, -0.9}, {3}), c = leaf({1, 2, 3, 4, 5, 6}, {3, 2});
  const GradcheckFunction functions[] = {
      [](Inputs x) { return Tensors{mul(sin(x[0]), exp(x[1]))}; },
      [](Inputs x) { return Tensors{matmul(x[0], x[2])}; },
      [](Inputs x) { return Tensors{softmax(mul(x[0], x[1]), 1)}; },
      [](Inputs x) { return Tensors{sum(mul(x[0], x[0])), div(x[2], add(mul(sum(x[1]), sum(x[1])), 1)), x[0]}; },
      [](Inputs x) { return split(mul(x[0], x[1]), 1, 1); },
  };
  for (const GradcheckFunction& f : functions)
    for (const bool fast : {false, true}) {
      const GradcheckResult r = check(f, {a, b, c}, {.fast = fast});
      EXPECT_TRUE(r.passed) << r.report;
      const GradcheckResult second = check_second(f, {a, b, c}, {.fast = fast, .strided = true});
      EXPECT_TRUE(second.passed) << second.report;
    }
}

TEST_F(Gradcheck, ALostPartOfAGradient) {
  const Tensor x = leaf({0.5, 2}, {2}), w = leaf({3, 5}, {2});
  const GradcheckFunction wrong = [](Inputs in) { return Tensors{sum(in[1]), mul(in[0], mul(in[1], detach(in[1])))}; };
  for (const GradcheckOptions& o : {GradcheckOptions(), kFast})
    expect_report(check(wrong, {x, w}, o),
                  {"the gradient of output 1 with respect to input 1 is wrong", "element [0] of the output by element [0] of the input: 1.5 by backward, 3",
                   "by differences", "wrong entries: 2 of 4", "largest difference 10", "[        1.5,           0]"});
}

TEST_F(Gradcheck, TheFastModeIsFastAndFindsOneEntryOfTenThousand) {
  const Tensor x = mul(ones(Sizes{100}, Dtype::f64), 2), mask = clone(ones(Sizes{100}, Dtype::f64));
  set_requires_grad(x.impl(), true);
  mask.data<double>()[37] = 1.01;
  int calls = 0;
  const GradcheckFunction right = [&](Inputs in) { ++calls; return Tensors{mul(in[0], in[0])}; };
  const GradcheckResult r = check(right, {x}, kFast);
  EXPECT_TRUE(r.passed);
  EXPECT_EQ(r.report.find("passed: 1 projections compared"), 0u) << r.report;
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(check(right, {x}).report.find("passed: 10000 entries compared"), 0u);
  const GradcheckFunction wrong = [&](Inputs in) { return Tensors{with_gradient(mul(in[0], in[0]), [&](const Tensor& g) { return mul(g, mask); })}; };
  expect_report(check(wrong, {x}, kFast), {"element [37] of the output by element [37] of the input: 4.04 by backward", "wrong entries: 1 of 10000"});
}

TEST_F(Gradcheck, AGradientOfTheWrongSign) {
  const Tensor x = leaf({0.5, 2}, {2});
  expect_report(check([](Inputs in) { return Tensors{with_gradient(in[0], [](const Tensor& g) { return neg(g); })}; }, {x}), {"-1 by backward, 1"});
}

TEST_F(Gradcheck, AnOutputThatLostItsHistory) {
  const Tensor x = leaf({0.5, 2}, {2});
  for (const GradcheckOptions& o : {GradcheckOptions(), kFast}) {
    expect_report(check([](Inputs in) { return Tensors{in[0], detach(sin(in[0]))}; }, {x}, o), {"output 1 does not require grad, but depends on input 0"});
    const GradcheckResult fine = check([](Inputs in) { return Tensors{in[0], ones(Sizes{3}, Dtype::f64), gt(in[0], 1)}; }, {x}, o);
    EXPECT_TRUE(fine.passed) << fine.report;
  }
}

TEST_F(Gradcheck, AFunctionThatIsNotDeterministic) {
  const Tensor x = leaf({0.5, 2}, {2});
  int calls = 0;
  const GradcheckFunction f = [&](Inputs in) { return Tensors{add(in[0], 1e-4 * ++calls)}; };
  expect_report(check(f, {x}), {"the function is not deterministic: element [0] of output 0 is 0.5001 and then 0.5002"});
}

TEST_F(Gradcheck, ABackwardThatIsNotDeterministic) {
  const Tensor x = leaf({0.5, 2}, {2});
  int passes = 0;
  const GradcheckFunction f = [&](Inputs in) {
    return Tensors{with_gradient(in[0], [&](const Tensor& g) { return mul(g, 1 + 1e-7 * ++passes); })};
  };
  expect_report(check(f, {x}), {"backward is not deterministic"});
  expect_report(check(f, {x}, {.scaling = false}), {"backward is not deterministic: the gradient of output 0 with respect to input 0", "the first pass"});
  expect_report(check(f, {x}, {.fast = true, .scaling = false}), {"backward is not deterministic"});
  EXPECT_TRUE(check(f, {x}, {.nondet_tol = 1e-4}).passed);
}

TEST_F(Gradcheck, AGradientThatDoesNotScale) {
  const Tensor x = leaf({0.5, 2}, {2});
  const auto f = [](std::function<Tensor(const Tensor&)> of) { return [of](Inputs in) { return Tensors{with_gradient(in[0], of)}; }; };
  expect_report(check(f([](const Tensor& g) { return ones(g.sizes(), g.dtype()); }), {x}), {"does not multiply by the outputs' gradients", "is 1, and not 0"});
  expect_report(check(f([](const Tensor& g) { return abs(g); }), {x}), {"is not linear"});
  // One-hot gradients do not see the difference: 0 and 1 are their own squares.
  EXPECT_TRUE(check(f([](const Tensor& g) { return mul(g, g); }), {x}, {.scaling = false}).passed);
  expect_report(check(f([](const Tensor& g) { return mul(g, g); }), {x}), {"is not linear"});
}

TEST_F(Gradcheck, AnOutputWithoutAGradientCountsAsZeros) {
  const Tensor x = leaf({0.5, 2}, {2});
  // The hook of the one output changes what it gives when the other has no gradient at all.
  bool other = false;
  const GradcheckFunction f = [&](Inputs in) {
    const Tensor a = with_gradient(in[0], [&](const Tensor& g) { return std::exchange(other, false) ? g : neg(g); });
    const Tensor b = with_gradient(in[0], [&](const Tensor& g) { other = true; return g; });      // newer, so it runs first
    return Tensors{a, b};
  };
  expect_report(check(f, {x}, {.scaling = false}), {"only output 0 has a gradient"});
}

// A function of the host: two outputs, x * x and 3 x, with a rule of its own.
struct OwnRule : HostRule {
  std::function<Tensor(const Tensors& incoming)> rule;
  std::string name() const override { return "OwnBackward"; }
  void pull(Node*, Tensors& gradients, const Tensors& incoming) override { gradients[0] = rule(incoming); }
  void free_saved() override {}
};
GradcheckFunction own_function(std::function<Tensor(const Tensor& x, const Tensors& incoming)> rule) {
  return [rule](Inputs in) {
    const Tensor x = in[0];
    auto own = std::make_unique<OwnRule>();
    own->rule = [rule, x = detach(x)](const Tensors& incoming) { return rule(x, incoming); };
    Tensors y;
    {
      const GradMode off(false);
      y = {mul(x, x), mul(x, 3)};
    }
    Edge to[] = {history(x.impl())};
    const Ref<Node> n = make_host_node(std::move(own), to, y);
    for (uint32_t k = 0; k < 2; ++k) set_history(y[k].impl(), n, k);
    return y;
  };
}
TEST_F(Gradcheck, AFunctionOfTheHost) {
  const Tensor x = leaf({0.5, 2}, {2});
  const auto of = [](const Tensor& g, const Tensor& t) { return g ? g : zeros(t.sizes(), t.dtype()); };
  const GradcheckResult right = check(own_function([&](const Tensor& t, const Tensors& g) { return add(mul(mul(of(g[0], t), t), 2), mul(of(g[1], t), 3)); }), {x});
  EXPECT_TRUE(right.passed) << right.report;
  expect_report(check(own_function([&](const Tensor& t, const Tensors& g) { return add(mul(of(g[0], t), t), mul(of(g[1], t), 3)); }), {x}),
                {"the gradient of output 0 with respect to input 0 is wrong", "0.5 by backward, 1"});
  // Forgets its second output where the first has no gradient.
  const auto forgets = [&](const Tensor& t, const Tensors& g) { return g[0] ? add(mul(mul(g[0], t), 2), mul(of(g[1], t), 3)) : Tensor(); };
  expect_report(check(own_function(forgets), {x}), {"only output 1 has a gradient and the others have none", "is 0, and not"});
}

TEST_F(Gradcheck, AShapeThatDependsOnTheValues) {
  const Tensor x = leaf({1, 2}, {2});
  const auto first = [](Inputs in) { return values(in[0])[0]; };
  expect_report(check([&](Inputs in) { return Tensors{first(in) > 1 ? sum(in[0]) : in[0]}; }, {x}), {"the shape of output 0 depends", "[2] and []"});
  expect_report(check([&](Inputs in) { return first(in) > 1 ? Tensors{in[0], in[0]} : Tensors{in[0]}; }, {x}), {"the number of outputs depends", "1 and 2"});
  expect_report(check([&](Inputs in) { return Tensors{to(in[0], first(in) > 1 ? Dtype::f32 : Dtype::f64)}; }, {x}), {"the dtype of output 0 depends"});
}

TEST_F(Gradcheck, TheSecondOrder) {
  const Tensor x = leaf({0.5, 2}, {2});
  EXPECT_TRUE(check_second([](Inputs in) { return Tensors{mul(in[0], mul(in[0], in[0]))}; }, {x}).passed);
  // The first derivative is right, but its own history is lost.
  const GradcheckFunction wrong = [](Inputs in) {
    return Tensors{with_gradient(in[0], [x = in[0]](const Tensor& g) { return mul(g, cos(detach(x))); })};
  };
  const GradcheckFunction forward = [&](Inputs in) {
    const Tensor y = wrong(in)[0];                            // sin x by value, cos x by gradient
    const GradMode off(false);
    kernels::copy(view_of(y), view_of(sin(in[0])));
    return Tensors{y};
  };
  EXPECT_TRUE(check(forward, {x}).passed);
  for (const GradcheckOptions& o : {GradcheckOptions(), kFast}) expect_report(check_second(forward, {x}, o), {"the gradient of input 0", "input 0"});
  const Tensor seed = leaf({1, -1}, {2});
  const GradcheckResult given = gradgradcheck([](Inputs in) { return Tensors{exp(in[0])}; }, {&x, 1}, {&seed, 1});
  EXPECT_TRUE(given.passed) << given.report;
  EXPECT_EQ(values(seed), (std::vector<double>{1, -1}));
}

TEST_F(Gradcheck, RandomNumbersAreTheSameInEveryCall) {
  const Tensor x = leaf({0.5, 2, 1, 4}, {4});
  const Generator before = context_.generator;
  const GradcheckFunction f = [](Inputs in) { return Tensors{call(*find_op("dropout"), {in[0], 0.5, true})}; };
  f({&x, 1});
  const uint64_t after_one = context_.generator.offset;
  for (const auto& any_order : {check, check_second}) {
    context_.generator = before;
    EXPECT_TRUE(any_order(f, {x}, {}).passed);
    EXPECT_EQ(context_.generator.offset, after_one);
  }
}

TEST_F(Gradcheck, InputsComeBackAsTheyWere) {
  const Tensor base = tensor({0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, {2, 3}), x = t(base);      // not contiguous
  set_requires_grad(x.impl(), true);
  set_grad(x.impl(), ones(Sizes{3, 2}, Dtype::f64));
  const auto before = values(x);
  const uint32_t version = x.storage().current();
  EXPECT_TRUE(check([](Inputs in) { return Tensors{sin(in[0])}; }, {x}).passed);
  int calls = 0;
  for (const bool fast : {false, true}) {
    calls = 0;
    const GradcheckFunction fails = [&](Inputs in) -> Tensors {
      if (++calls == 3) {
        EXPECT_NE(values(x), before);
        throw CallbackFailed(Status::callback);
      }
      return {sin(in[0])};
    };
    EXPECT_THROW(check(fails, {x}, {.fast = fast}), CallbackFailed);
    EXPECT_EQ(values(x), before);
  }
  EXPECT_EQ(x.storage().current(), version);
  EXPECT_EQ(values(grad_of(x)), std::vector<double>(6, 1));
}

TEST_F(Gradcheck, AComputedInputKeepsItsGradient) {
  const Tensor a = leaf({1, 2}, {2}), x = mul(a, 3);
  retain_grad(x.impl());
  const Tensor y = sum(mul(x, x));
  gradus::backward({&y, 1}, {}, {});
  const GradcheckResult r = check([](Inputs in) { return Tensors{mul(in[0], in[0])}; }, {x});
  EXPECT_TRUE(r.passed) << r.report;
  EXPECT_EQ(values(grad_of(x)), (std::vector<double>{6, 12}));
  EXPECT_EQ(values(grad_of(a)), (std::vector<double>{18, 36}));
}

struct Pair : Function {                                      // 2 x and 3 x, whose rule asks for both gradients
  Status status = Status::value;
  std::string name() const override { return "Pair"; }
  void forward(FunctionCall& call, std::span<const Tensor> in, std::vector<Tensor>& results) override {
    call.set_materialize(false);
    results = {mul(in[0], 2.0), mul(in[0], 3.0)};
  }
  void pull(FunctionCall&, std::span<const Tensor> g, std::vector<Tensor>& results) override {
    if (!g[1]) throw Error(status, "Pair: where is the second gradient?");
    results = {add(mul(g[1], 3.0), g[0] ? mul(g[0], 2.0) : mul(g[1], 0.0))};
  }
};

TEST_F(Gradcheck, ARuleThatCanNotTakeAMissingGradientIsWrong) {
  const Tensor x = leaf({0.5, 2}, {2});
  const auto pair = Ref<Pair>::adopt(new Pair);
  const GradcheckFunction f = [&](Inputs in) {
    std::vector<Tensor> results;
    apply_function(Ref<Function>::share(pair.get()), {&in[0], 1}, results);
    return Tensors{results[0], results[1]};
  };
  expect_report(check(f, {x}), {"backward fails without a gradient of output 1 and not with zeros: Pair: where is the second gradient?"});
  pair->status = Status::cancelled;
  expect_error(Status::cancelled, "where is the second", [&] { check(f, {x}); });
}

TEST_F(Gradcheck, OtherDtypesAreRemarkedUpon) {
  const Tensor x = tensor({0.5, 2}, {2}, Dtype::f32);
  set_requires_grad(x.impl(), true);
  const GradcheckFunction f = [](Inputs in) { return Tensors{mul(in[0], in[0])}; };
  const GradcheckResult r = check(f, {x}, {.eps = 1e-2, .atol = 1e-3});
  EXPECT_TRUE(r.passed) << r.report;
  EXPECT_NE(r.report.find("remark: input 0 is float32"), std::string::npos) << r.report;
  const GradcheckFunction steep = [](Inputs in) { return Tensors{exp(mul(in[0], 8))}; };
  expect_report(check(steep, {x}), {"is wrong", "remark: input 0 is float32: differences are reliable in float64 only: compare in float64, or with a larger eps"});
  const Tensor half = tensor({0.5, 2}, {2}, Dtype::f16);
  set_requires_grad(half.impl(), true);
  expect_error(Status::value, "eps 1e-06 is lost beside element [0] of input 0, which is float16", [&] { check(f, {half}); });
}

TEST_F(Gradcheck, RepeatedEmptyAndScalarInputs) {
  const Tensor x = leaf({2}, {}), none = leaf({}, {0, 3});
  EXPECT_TRUE(check([](Inputs in) { return Tensors{mul(in[0], in[1])}; }, {x, x}).passed);
  for (const GradcheckOptions& o : {GradcheckOptions(), kFast}) {
    const GradcheckResult r = check([](Inputs in) { return Tensors{mul(in[0], 2), sum(in[0]), in[1]}; }, {none, x}, o);
    EXPECT_TRUE(r.passed) << r.report;
  }
}

TEST_F(Gradcheck, BadCalls) {
  const GradcheckFunction same = [](Inputs in) { return Tensors{in[0]}; };
  const Tensor x = leaf({1, 2}, {2});
  expect_error(Status::state, "gradcheck: none of the 1 inputs requires grad", [&] { check(same, {tensor({1}, {1})}); });
  expect_error(Status::state, "gradcheck: none of the 0 inputs", [&] { check(same, {}); });
  const Tensor wide = expand(tensor({1}, {1}), Sizes{3});
  set_requires_grad(wide.impl(), true);
  expect_error(Status::state, "elements of input 1 of shape [3] and strides [0] share memory", [&] { check(same, {x, wide}); });
  expect_error(Status::value, "eps is -1", [&] { check(same, {x}, {.eps = -1}); });
  expect_error(Status::value, "rtol -2", [&] { check(same, {x}, {.rtol = -2}); });
  expect_error(Status::value, "returned no tensors", [&] { check([](Inputs) { return Tensors(); }, {x}); });
  expect_error(Status::state, "none of the 1 outputs requires grad", [&] { check_second([](Inputs in) { return Tensors{detach(in[0])}; }, {x}); });
  const Tensor two[] = {x, x};
  expect_error(Status::value, "2 gradients for 1 outputs", [&] { gradgradcheck(same, {&x, 1}, two); });
  context_.inference_mode = true;
  expect_error(Status::state, "inference mode", [&] { check(same, {x}); });
  context_.inference_mode = false;
  const GradMode off(false);
  EXPECT_TRUE(check([](Inputs in) { return Tensors{sin(in[0])}; }, {x}).passed);       // recording is on inside
}

}  // namespace
}  // namespace gradus
