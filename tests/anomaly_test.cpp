// Anomaly mode: what is found, where it is said to come from, and that nothing is said when it is off.
#include "profile/anomaly.h"

#include "fixture.h"
#include "graph/observer.h"

namespace gradus {
namespace {

class AnomalyMode : public Core {
 protected:
  ~AnomalyMode() override { stop_observing(context_); }
  Tensor sum_of(const Tensor& t) { return call(*find_op("sum"), {t}); }
  // The message of the anomaly that f meets; empty if there is none.
  template <class F> static std::string message(F&& f) {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(static_cast<int>(e.status()), static_cast<int>(Status::anomaly)) << e.what();
      return e.what();
    }
    return {};
  }
  static void expect_words(const std::string& text, std::initializer_list<const char*> words) {
    size_t at = 0;
    for (const char* w : words) {
      const size_t found = text.find(w, at);
      EXPECT_NE(found, std::string::npos) << "'" << w << "' is not (behind the words before it) in: " << text;
      if (found != std::string::npos) at = found;
    }
  }
};

TEST_F(AnomalyMode, NamesTheNodeTheOutputTheCallItsRangeAndTheWayToTheRoot) {
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor x = leaf({0, 4, 0}, {3});
  begin_range(context_, "model");
  begin_range(context_, "norm");
  const Tensor root = sqrt(x);                                // the slope at 0 is infinite, and 0 times that NaN
  end_range(context_);
  end_range(context_);
  const Tensor loss = sum_of(mul(root, 0.0));
  expect_words(message([&] { backward({&loss, 1}, {}); }),
               {"SqrtBackward0: output 0", "[3]", "NaN in 2 of 3", "forward call: sqrt([3]), in range 'model/norm'", "to the root: mul([3]), sum([3])"});
}

TEST_F(AnomalyMode, InfinityIsFoundWhenAskedForAndNotOtherwise) {
  const auto run = [&] {
    const Tensor x = leaf({0, 4}, {2}), loss = sum_of(sqrt(x));
    backward({&loss, 1}, {});
  };
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  EXPECT_EQ(message(run), "");
  set_anomaly(context_, anomaly::inf | anomaly::trace);
  expect_words(message(run), {"SqrtBackward0: output 0", "infinity in 1 of 2", "sqrt([2])", "sum([2])"});
  EXPECT_EQ(set_anomaly(context_, 0), anomaly::inf | anomaly::trace);
  EXPECT_EQ(context_.attention.load(), 0u);
  EXPECT_EQ(message(run), "");
}

TEST_F(AnomalyMode, ForwardValuesAreLookedAtWhenAskedFor) {
  const Tensor zero = tensor({0, 1}, {2}), x = leaf({0, 2}, {2});
  set_anomaly(context_, anomaly::nan);
  const Tensor quiet = div(x, zero);
  set_anomaly(context_, anomaly::nan | anomaly::forward);
  begin_range(context_, "ratio");
  expect_words(message([&] { div(x, zero); }), {"div: result 0", "[2]", "NaN in 1 of 2", "div([2], [2]), in range 'ratio'"});
  end_range(context_);
  expect_words(message([&] { add(quiet, zero); }), {"add: result 0", "argument 0 holds it already"});
  EXPECT_EQ(message([&] { empty(Dtype::f32, Sizes{4}); call(*find_op("empty"), {Value(Sizes{64})}); }), "");
  EXPECT_EQ(message([&] { mul(x, zero); }), "");
  set_anomaly(context_, anomaly::inf | anomaly::forward);
  expect_words(message([&] { log(x); }), {"log: result 0", "infinity in 1 of 2"});
}

TEST_F(AnomalyMode, ComplexNumbersAreLookedAtToo) {
  const Op& complex = *find_op("view_as_complex");
  const Tensor x = detach(call(complex, {tensor({0, 0, 4, 0}, {2, 2})})), bad = call(complex, {tensor({0, NAN, 1, 0}, {2, 2})});
  set_requires_grad(x.impl(), true);
  set_anomaly(context_, anomaly::nan | anomaly::forward | anomaly::trace);
  expect_words(message([&] { mul(bad, x); }), {"mul: result 0", "NaN in 1 of 2", "argument 0 holds it already"});
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor loss = sum_of(abs(mul(sqrt(x), 0.0)));
  expect_words(message([&] { backward({&loss, 1}, {}); }), {"SqrtBackward0: output 0", "NaN in", "sqrt([2])"});
}

TEST_F(AnomalyMode, AWriteInPlaceTellsWhichOtherArgumentIsBad) {
  const Tensor a = tensor({1, 2}, {2}), bad = tensor({1, NAN}, {2});
  set_anomaly(context_, anomaly::nan | anomaly::forward);
  const std::string said = message([&] { call_in_place(mul_op, {a, bad}); });
  expect_words(said, {"result 0", "argument 1 holds it already"});
  EXPECT_EQ(said.find("argument 0"), std::string::npos) << said;
}

TEST_F(AnomalyMode, TheCallInsideACompositionIsNamedWithTheComposition) {
  set_anomaly(context_, anomaly::nan | anomaly::forward);
  const Tensor x = tensor({-1, INFINITY}, {2});
  expect_words(message([&] { call(*find_op("mse_loss"), {x, x, 1}); }), {"sub: result 0", "NaN in 1 of 2", "called by mse_loss"});
  EXPECT_EQ(message([&] { sqrt(x); }).find("called by"), std::string::npos);
}

TEST_F(AnomalyMode, TheForwardCallOfACompositionIsNamedWithIt) {
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor x = leaf({INFINITY}, {1}), y = tensor({1}, {1}), loss = call(*find_op("mse_loss"), {x, y, 1});
  const Tensor none = mul(loss, 0.0);
  expect_words(message([&] { backward({&none, 1}, {}); }), {"forward call: square([1]) within mse_loss"});
}

TEST_F(AnomalyMode, ADerivativeOfADerivativeNamesTheCallBehind) {
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor x = leaf({0}, {1}), y = pow(x, 1.5);           // first derivative 1.5 x^0.5: its own is infinite at 0
  GradOptions create;
  create.create_graph = true;
  const Tensor dy = grad({&y, 1}, {&x, 1}, {}, create)[0];
  const Tensor zero_times = sum_of(mul(dy, 0.0));
  expect_words(message([&] { grad({&zero_times, 1}, {&x, 1}, {}); }), {"Backward0: output", "NaN", "forward call: ", "made by the backward of pow([1])"});
}

TEST_F(AnomalyMode, ALongWayToTheRootIsCut) {
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor x = leaf({0}, {1});
  Tensor y = mul(sqrt(x), 0.0);
  for (int i = 0; i < 30; ++i) y = neg(y);
  const std::string text = message([&] { backward({&y, 1}, {}); });
  expect_words(text, {"SqrtBackward0", "mul([1]), neg([1])", "and 21 more"});
}

TEST_F(AnomalyMode, ABadSeedOrHookIsBlamedOnItself) {
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor x = leaf({1, 2}, {2}), y = mul(x, 2.0), seed = tensor({NAN, 1}, {2});
  GradOptions keep;
  keep.retain_graph = true;
  expect_words(message([&] { backward({&y, 1}, {&seed, 1}, keep); }), {"MulBackward0", "comes in for output 0", "seed", "mul([2])"});
  add_hook(x.impl(), [](const Tensor& g) { return mul(g, double(NAN)); });
  const Tensor ones_seed = ones(Sizes{2}, Dtype::f64);
  expect_words(message([&] { backward({&y, 1}, {&ones_seed, 1}); }), {"AccumulateGrad", "comes in", "hook"});
}

TEST_F(AnomalyMode, OtherFailuresOfAPassNameTheForwardCallToo) {
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor x = leaf({1, 2}, {2}), a = sin(x), y = mul(a, a), loss = sum_of(y);
  {
    const GradMode off(false);
    call_in_place(add_op, {a, 1.0});
  }
  try {
    backward({&loss, 1}, {});
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.status()), static_cast<int>(Status::in_place));
    expect_words(e.what(), {"changed in place", "in MulBackward0 of mul([2], [2])"});
  }
}

TEST_F(AnomalyMode, WithoutTheTraceNodesAreNamed) {
  const Tensor x = leaf({0}, {1});
  const Tensor loss = sum_of(mul(sqrt(x), 0.0));
  set_anomaly(context_, anomaly::nan);
  const std::string text = message([&] { backward({&loss, 1}, {}); });
  expect_words(text, {"SqrtBackward0: output 0", "MulBackward0, SumBackward0"});
  EXPECT_EQ(text.find("traced"), std::string::npos);
}

TEST_F(AnomalyMode, CallsFromBeforeAreSaidToBeUntraced) {
  const Tensor x = leaf({0}, {1}), loss = mul(sqrt(x), 0.0);
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  expect_words(message([&] { backward({&loss, 1}, {}); }), {"SqrtBackward0", "was not traced", "MulBackward0"});
}

TEST_F(AnomalyMode, APassAfterAFailureWorks) {
  set_anomaly(context_, anomaly::nan | anomaly::trace);
  const Tensor x = leaf({0, 1}, {2});
  const Tensor bad = sum_of(mul(sqrt(x), 0.0)), good = sum_of(mul(x, 2.0));
  EXPECT_NE(message([&] { backward({&bad, 1}, {}); }), "");
  set_grad(x.impl(), Tensor());
  EXPECT_EQ(message([&] { backward({&good, 1}, {}); }), "");
  EXPECT_EQ(values(grad_of(x)), (std::vector<double>{2, 2}));
}

TEST_F(AnomalyMode, BelongsToOneContext) {
  set_anomaly(context_, anomaly::nan | anomaly::forward);
  Context other;
  const ContextScope scope(other);
  const Tensor zero = tensor({0}, {1});
  EXPECT_EQ(message([&] { div(zero, zero); }), "");
}

}  // namespace
}  // namespace gradus
