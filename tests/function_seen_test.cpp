// Functions of the host as others see them: anomaly mode, profiler and log.
#include <cmath>

#include "fixture.h"
#include "graph/custom.h"
#include "graph/observer.h"
#include "profile/anomaly.h"
#include "profile/logger.h"
#include "profile/profile.h"

namespace gradus {
namespace {

struct Twice : Function {                                     // what it returns and hands back is set by the test
  std::function<Tensor(FunctionCall&, const Tensor&)> value;
  std::function<Tensor(const Tensor&)> gradient;
  std::string name() const override { return "Twice"; }
  void forward(FunctionCall& call, std::span<const Tensor> inputs, std::vector<Tensor>& results) override { results = {value(call, inputs[0])}; }
  void pull(FunctionCall&, std::span<const Tensor> gradients, std::vector<Tensor>& results) override { results = {gradient(gradients[0])}; }
};

class FunctionSeen : public Core {
 protected:
  FunctionSeen() : twice_(Ref<Twice>::adopt(new Twice)) {
    twice_->value = [](FunctionCall&, const Tensor& x) { return mul(x, 2.0); };
    twice_->gradient = [](const Tensor& g) { return mul(g, 2.0); };
  }
  ~FunctionSeen() override { stop_observing(context_); }
  Tensor twice(const Tensor& x) const {
    std::vector<Tensor> results;
    apply_function(Ref<Function>::share(twice_.get()), {&x, 1}, results);
    return results.at(0);
  }
  static Tensor sum_of(const Tensor& t) { return call(*find_op("sum"), {t}); }
  Ref<Twice> twice_;
};

}  // namespace

TEST_F(FunctionSeen, AnomalyModeLooksAtItsResults) {
  const Tensor x = leaf({1, 2}, {2}), bad = tensor({NAN, 1}, {2});
  twice_->value = [this](FunctionCall&, const Tensor&) { return tensor({NAN, 1}, {2}); };
  EXPECT_TRUE(std::isnan(values(twice(x))[0]));
  set_anomaly(context_, anomaly::nan | anomaly::forward);
  begin_range(context_, "model");
  expect_error(Status::anomaly, "Twice: result 0, of shape [2], holds NaN in 1 of 2 elements; the call: Twice([2]), in range 'model'", [&] { twice(x); });
  expect_error(Status::anomaly, "argument 0 holds it already", [&] { twice(bad); });
  end_range(context_);
  twice_->value = [](FunctionCall&, const Tensor& t) { return log(mul(t, -1.0)); };
  expect_error(Status::anomaly, "log: result 0, of shape [2], holds NaN in 2 of 2 elements; the call: log([2]); called by Twice", [&] { twice(x); });
  twice_->value = [](FunctionCall&, const Tensor& t) { return mul(t, 2.0); };
  EXPECT_EQ(values(twice(x))[1], 4);
}

TEST_F(FunctionSeen, AnomalyModeNamesItsForwardCall) {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor before = sum_of(twice(x));
  twice_->gradient = [](const Tensor& g) { return div(g, 0.0); };
  set_anomaly(context_, anomaly::inf | anomaly::trace);
  begin_range(context_, "here");
  const Tensor loss = sum_of(cos(twice(sin(x))));
  end_range(context_);
  expect_error(Status::anomaly, "holds infinity in 2 of 2 elements; its forward call: Twice([2]), in range 'here'; from there to the root: cos([2]), sum([2])",
               [&] { backward({&loss, 1}, {}); });
  expect_error(Status::anomaly, "its forward call was not traced", [&] { backward({&before, 1}, {}); });
  twice_->gradient = [](const Tensor& g) { return g; };
  const Tensor root = sum_of(twice(sqrt(mul(x, 0.0))));
  expect_error(Status::anomaly, "from there to the root: Twice([2]), sum([2])", [&] { backward({&root, 1}, {}); });
}

TEST_F(FunctionSeen, AProfileHasItsForwardAndPairsItWithItsBackward) {
  const Tensor x = leaf({1, 2}, {2});
  const auto p = start_profile(context_, {.shapes = true});
  const Tensor y = twice(x), loss = sum_of(y);
  backward({&loss, 1}, {});
  stop_profile(context_, *p);
  const Recorder& r = p->recorder;
  const ProfileEvent *forward = nullptr, *node = nullptr, *part = nullptr;
  for (const ProfileEvent& e : r.events()) {
    if (r.text(e.name) == "Twice") forward = &e;
    if (r.text(e.name) == "TwiceBackward") node = &e;
    if (r.text(e.name) == "mul" && !part) part = &e;
  }
  ASSERT_TRUE(forward && node && part);
  EXPECT_EQ(forward->kind, EventKind::call);
  EXPECT_EQ(r.text(forward->shapes), "[2]");
  EXPECT_EQ(forward->bytes, 16);
  EXPECT_EQ(forward->sequence, y.impl()->grad_fn->sequence);
  EXPECT_EQ(node->sequence, forward->sequence);
  EXPECT_EQ(&r.events()[static_cast<size_t>(part->parent)], forward);
  EXPECT_NE(profile_table(r, {}).find("Twice "), std::string::npos);
  EXPECT_NE(profile_trace(r).find("\"ph\": \"s\", \"name\": \"fwdbwd\""), std::string::npos);
}

TEST_F(FunctionSeen, AFailureIsAFailedCallOfItAndStillItsError) {
  const Tensor x = leaf({1}, {1});
  twice_->value = [](FunctionCall&, const Tensor&) -> Tensor { fail(Status::value, "Twice: no"); };
  const auto p = start_profile(context_, {});
  expect_error(Status::value, "Twice: no", [&] { twice(x); });
  stop_profile(context_, *p);
  ASSERT_EQ(p->recorder.events().size(), 1u);
  EXPECT_TRUE(p->recorder.events()[0].failed);
  context_.attention.fetch_or(Context::kCancelled);
  expect_error(Status::cancelled, "Twice: cancelled", [&] { twice(x); });
  context_.attention.fetch_and(~uint32_t{Context::kCancelled});
}

TEST_F(FunctionSeen, TheLogHasItsCall) {
  std::string text;
  context_.user = &text;
  context_.log = [](void* user, int32_t, const char* s, size_t length) { static_cast<std::string*>(user)->append(s, length).append("\n"); };
  context_.log_level = 3;
  start_logger(context_);
  twice(leaf({1, 2}, {2}));
  EXPECT_NE(text.find("mul([2]) -> [2]\nTwice([2]) -> [2]\n"), std::string::npos) << text;
  context_.log_level = 0;
}

// PyTorch's message of a changed value, with who wrote it.
TEST_F(FunctionSeen, AValueThatItWroteNamesItAndWhereTheValueCameFrom) {
  const Tensor a = leaf({1, 2}, {2}), b = mul(a, 1.0), kept = sum_of(mul(b, b));
  twice_->value = [](FunctionCall& call, const Tensor& x) {
    call.mark_dirty({&x, 1});
    return x;
  };
  const auto expect_changed = [](const Tensor& by, const std::string& message) {
    expect_error(Status::in_place, message, [&] { backward({&by, 1}, {}, {.retain_graph = true}); });
  };
  twice(b);
  const std::string fact = "MulBackward0: a saved tensor of shape [2], output 0 of MulBackward0, was changed in place by Twice: it is at version 1, expected 0";
  expect_changed(kept, fact + "; anomaly mode with TRACE names the call that saved it");
  set_anomaly(context_, anomaly::nan);
  expect_changed(kept, fact);

  const Tensor c = mul(a, 1.0), made = twice(c), late = sum_of(mul(made, made));   // the function made it, and an op wrote it
  call_in_place(mul_op, {made, 2.0});
  expect_changed(late, "output 0 of TwiceBackward, was changed in place by mul_");
  made.storage().bump();
  expect_changed(late, "was changed in place by its owner: it is at version 3");

  const Tensor d = leaf({1, 2}, {2}), square = sum_of(mul(d, d));
  {
    const GradMode off(false);
    twice(d);
  }
  expect_changed(square, "shape [2], a leaf, was changed in place by a function of the host");
}

}  // namespace gradus
