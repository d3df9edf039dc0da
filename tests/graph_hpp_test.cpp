// The recorded graph in C++: what nodes saved, callbacks of a pass, passes into chosen tensors, parts that are freed, and data behind the record.
#include "gradus/checkpoint.hpp"
#include "gradus/invoke.hpp"
#include "gradus/optim.hpp"
#include "hpp_fixture.h"

namespace {

using gradus::GradientEdge;
using gradus::Node;
using gradus::OperatorHandle;
using gradus::Tensor;
using Tensors = std::vector<Tensor>;

class GraphHpp : public Clean {};

Tensor leaf(std::vector<double> v) { return gradus::tensor(v).requires_grad_(); }
Tensor vec(std::vector<double> v) { return gradus::tensor(v); }

// ---- nodes

TEST_F(GraphHpp, NodesTellTheirOperationAndWhatTheySaved) {
  const Tensor x = leaf({1, 2, 3, 4}), y = x * vec({5, 6, 7, 8}), s = y.reshape({2, 2}).sum({1}, true);
  const Node mul = y.grad_fn(), sum = s.grad_fn();
  EXPECT_EQ(mul.op().name(), "mul");
  EXPECT_EQ(mul.op(), OperatorHandle("mul"));
  EXPECT_EQ(mul.op().schema().find("mul("), 0u) << mul.op().schema();
  EXPECT_EQ(mul.op().argument(1).schema_name, std::string("other"));
  expect_error(GRADUS_E_INDEX, "mul: there is no argument 9", [&] { mul.op().argument(9); });
  expect_error(GRADUS_E_UNKNOWN_NAME, "no_such_operation", [] { OperatorHandle("no_such_operation"); });
  EXPECT_FALSE(mul.next_functions()[0].first.op());           // a leaf's
  EXPECT_EQ(OperatorHandle().name(), "");

  EXPECT_EQ(sum.saved("dim").to<std::vector<int64_t>>(), (std::vector<int64_t>{1}));
  EXPECT_TRUE(sum.saved("keepdim").to<bool>());
  EXPECT_TRUE(sum.saved("dtype").is_none());
  EXPECT_FALSE(sum.saved("dtype").to<std::optional<gradus::Dtype>>());
  expect_values(mul.saved("other").to<Tensor>(), {5, 6, 7, 8});
  EXPECT_FALSE(mul.saved("self").to<Tensor>());               // no gradient flows to other: it is not saved
  expect_error(GRADUS_E_VALUE, "another type", [&] { sum.saved("dim").to<double>(); });
  expect_error(GRADUS_E_VALUE, "another type", [&] { mul.saved("other").to<int64_t>(); });
  expect_error(GRADUS_E_INDEX, "no argument or result 'axis'", [&] { sum.saved("axis"); });

  const Tensor e = x.exp();
  const auto result = e.grad_fn().saved("result");
  EXPECT_TRUE(result.is_tensor());
  EXPECT_TRUE(result.to<Tensor>().grad_fn().is_same(e.grad_fn()));
  EXPECT_FALSE(mul.is_freed());
  s.sum().backward();
  EXPECT_TRUE(mul.is_freed());
  expect_error(GRADUS_E_GRAPH_FREED, "", [&] { mul.saved("other"); });
}

TEST_F(GraphHpp, AllOperationsAreListed) {
  const auto all = gradus::operators();
  ASSERT_EQ(all.size(), gradus_op_count());
  EXPECT_NE(std::find(all.begin(), all.end(), OperatorHandle("mul")), all.end());
  const std::string json = gradus::registry_json();
  EXPECT_EQ(json.front(), '{');
  EXPECT_NE(json.find("\"name\": \"mul\""), std::string::npos);
}

TEST_F(GraphHpp, HooksOnOneSavedTensor) {
  const Tensor x = leaf({1, 2}), y = x * x;
  int unpacked = 0;
  std::string by;
  y.grad_fn().register_saved_hooks("self", [&](const Tensor& t, OperatorHandle op) { return by = op.name(), t * 10; },
                                   [&](const Tensor& t) { return ++unpacked, t / 10; });
  EXPECT_EQ(by, "mul");
  EXPECT_EQ(unpacked, 0);
  expect_error(GRADUS_E_STATE, "kept by hooks already", [&] {
    y.grad_fn().register_saved_hooks("self", [](const Tensor& t) { return t; }, [](const Tensor& t) { return t; });
  });
  y.sum().backward();
  EXPECT_EQ(unpacked, 1);
  expect_values(x.grad(), {2, 4});
}

TEST_F(GraphHpp, PackFunctionsSeeTheOperation) {
  const Tensor x = leaf({1, 2});
  std::vector<std::string> seen;
  {
    const gradus::SavedTensorHooks hooks([&](const Tensor& t, const OperatorHandle& op) { return seen.push_back(op.name()), t.to_vector<double>(); },
                                         [](const std::vector<double>& v) { return gradus::tensor(v); });
    (x.exp() * x).sum().backward();
  }
  EXPECT_EQ(seen.at(0), "exp");
  EXPECT_EQ(seen.at(1), "mul");
  expect_values(x.grad(), {2 * std::exp(1.0), 3 * std::exp(2.0)});
}

TEST_F(GraphHpp, ANodeIsCalled) {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4}), c = vec({5, 6}), y = x * w, s = (x * c).sum();
  const Tensors g = y.grad_fn()({vec({10, 1})});
  ASSERT_EQ(g.size(), 2u);
  expect_values(g[0], {30, 4});
  expect_values(g[1], {10, 2});
  EXPECT_TRUE(g[0].requires_grad());                          // recorded: the gradient depends on w
  expect_values(gradus::grad({g[0].sum()}, {w})[0], {10, 1});
  {
    const gradus::NoGradGuard off;
    EXPECT_FALSE(y.grad_fn()({vec({10, 1})})[0].requires_grad());
  }
  const Node mul = s.grad_fn().next_functions()[0].first;
  EXPECT_FALSE(mul({vec({1, 1})})[1]);                        // c wants none
  EXPECT_FALSE(mul({Tensor()})[0]);
  EXPECT_FALSE(x.grad());
  EXPECT_TRUE(mul.next_functions()[0].first({vec({1, 2})}).empty());
  expect_values(x.grad(), {1, 2});                            // a leaf's adds
  expect_error(GRADUS_E_VALUE, "MulBackward0: 2 gradients for 1 outputs", [&] { mul({c, c}); });
  expect_error(GRADUS_E_SHAPE, "gradient 0 has shape [3]", [&] { mul({vec({1, 2, 3})}); });
  s.backward();
  expect_error(GRADUS_E_GRAPH_FREED, "", [&] { mul({c}); });
}

TEST_F(GraphHpp, ANodeKeepsWhatTheProgramGivesIt) {
  const auto alive = std::make_shared<int>(7);
  {
    const Tensor x = leaf({1, 2}), y = x.exp();
    EXPECT_FALSE(y.grad_fn().metadata().has_value());
    y.grad_fn().set_metadata(std::string("first"));
    EXPECT_EQ(std::any_cast<std::string>(y.grad_fn().metadata()), "first");
    y.grad_fn().set_metadata(alive);
    y.grad_fn().set_metadata(alive);
    EXPECT_EQ(alive.use_count(), 2);
    y.sum().backward();
    EXPECT_EQ(std::any_cast<std::shared_ptr<int>>(y.grad_fn().metadata()), alive);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

// ---- inside a pass

TEST_F(GraphHpp, ThePlannedOrderOfAPass) {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4}), a = x * 2, b = a + w, y = b.sum();
  std::vector<std::string> order, restricted;
  std::vector<uint64_t> ids;
  std::vector<std::string>* to = &order;
  b.register_hook([&](const Tensor&) {
    for (const Node& n : gradus::get_current_graph_task_execution_order()) to->push_back(n.name());
    ids.push_back(gradus::get_current_graph_task_id());
  });
  b.register_hook([&](const Tensor&) { ids.push_back(gradus::get_current_graph_task_id()); });
  std::vector<std::string> ran;
  const auto watch = [&](const Node& n) { n.register_prehook([&ran, name = n.name()](const Tensors&) { ran.push_back(name); }); };
  const Node add = b.grad_fn(), mul = a.grad_fn();
  for (const Node& n : {y.grad_fn(), add, mul, mul.next_functions()[0].first, add.next_functions()[1].first}) watch(n);
  y.backward({}, {true});
  EXPECT_EQ(order, (std::vector<std::string>{"SumBackward0", "AddBackward0", "AccumulateGrad", "MulBackward0", "AccumulateGrad"}));
  EXPECT_EQ(ran, order);
  to = &restricted;
  gradus::grad({y}, {w}, {}, {true});
  EXPECT_EQ(restricted, (std::vector<std::string>{"SumBackward0", "AddBackward0", "AccumulateGrad"}));
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(ids[2], ids[3]);
  EXPECT_NE(ids[0], ids[2]);
  EXPECT_NE(ids[0], 0u);
  EXPECT_EQ(gradus::get_current_graph_task_id(), 0u);
  expect_error(GRADUS_E_STATE, "no backward pass is running", [] { gradus::get_current_graph_task_execution_order(); });
}

TEST_F(GraphHpp, CallbacksOfAPass) {
  const Tensor x = leaf({1, 2}), z = leaf({3, 4}), y = x * 3, other = z.exp();
  std::vector<std::string> order;
  y.register_hook([&](const Tensor&) {
    order.push_back(gradus::get_current_node().name());
    EXPECT_TRUE(gradus::will_execute_node(y.grad_fn()));
    EXPECT_FALSE(gradus::will_execute_node(other.grad_fn()));
    gradus::queue_callback([&] {
      order.push_back("last");
      EXPECT_FALSE(gradus::get_current_node());
      gradus::queue_callback([&] { order.push_back("and after"); });
    });
  });
  x.register_post_accumulate_grad_hook([&](const Tensor&) { order.push_back("leaf"); });
  y.sum().backward();
  EXPECT_EQ(order, (std::vector<std::string>{"MulBackward0", "leaf", "last", "and after"}));

  struct Oops {};
  y.register_hook([](const Tensor&) { gradus::queue_callback([] { throw Oops(); }); });
  EXPECT_THROW((y * 2).sum().backward(), Oops);
  expect_error(GRADUS_E_STATE, "no backward pass is running", [] { gradus::queue_callback([] {}); });
  expect_error(GRADUS_E_STATE, "no backward pass is running", [] { gradus::get_current_node(); });
  expect_error(GRADUS_E_STATE, "no backward pass is running", [&] { gradus::will_execute_node(y.grad_fn()); });
}

// ---- passes

TEST_F(GraphHpp, PassesIntoChosenTensors) {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4}), y = (x * w).sum();
  y.backward({}, {true}, {x});
  expect_values(x.grad(), {3, 4});
  EXPECT_FALSE(w.grad());
  gradus::backward(std::vector<GradientEdge>{GradientEdge(y)}, {}, {true}, {w});
  expect_values(w.grad(), {1, 2});
  expect_values(x.grad(), {3, 4});
  gradus::backward({y}, {}, {true}, {x, w});
  expect_values(x.grad(), {6, 8});
}

TEST_F(GraphHpp, AnEmptyListOfInputsIsRefused) {
  const Tensor x = leaf({1, 2}), y = x.sum();
  const std::vector<GradientEdge> edge{GradientEdge(y)};
  expect_error(GRADUS_E_VALUE, "backward: no inputs given", [&] { y.backward({}, {}, Tensors()); });
  expect_error(GRADUS_E_VALUE, "backward: no inputs given", [&] { gradus::backward({y}, {}, {}, {}); });
  expect_error(GRADUS_E_VALUE, "backward: no inputs given", [&] { gradus::backward(edge, {}, {}, Tensors()); });
  expect_error(GRADUS_E_VALUE, "grad: no inputs given", [&] { gradus::grad({y}, gradus::TensorList()); });
  expect_error(GRADUS_E_VALUE, "grad: no inputs given", [&] { gradus::grad(edge, std::vector<GradientEdge>()); });
  expect_error(GRADUS_E_VALUE, "backward: 2 gradients for 1 outputs", [&] { gradus::backward({y}, {y, y}); });
  expect_error(GRADUS_E_VALUE, "grad: 2 gradients for 1 outputs", [&] { gradus::grad({y}, {x}, {y, y}); });
  EXPECT_FALSE(x.grad());
  y.backward();
  expect_values(x.grad(), {1, 1});
}

TEST_F(GraphHpp, APartOfTheGraphIsFreed) {
  const Tensor x = leaf({1, 2}), e = x.exp(), y = (e * e).sum(), s = e.sin().sum();
  gradus::free_graph({y}, {s});
  EXPECT_TRUE(y.grad_fn().next_functions()[0].first.is_freed());
  EXPECT_FALSE(e.grad_fn().is_freed());
  expect_error(GRADUS_E_GRAPH_FREED, "", [&] { y.backward(); });
  gradus::free_graph(std::vector<GradientEdge>{GradientEdge(s)});
  EXPECT_TRUE(e.grad_fn().is_freed());
}

// ---- tensors behind the record

TEST_F(GraphHpp, ViewsKnowTheirBase) {
  const Tensor x = vec({1, 2, 3, 4}), row = x.view({2, 2})[1];
  EXPECT_TRUE(row.is_view());
  EXPECT_FALSE(x.is_view());
  EXPECT_TRUE(row._base().is_same(x));
  EXPECT_FALSE(x._base());
}

TEST_F(GraphHpp, DataIsExchangedAndWritesOfOthersAreCounted) {
  const Tensor x = leaf({1, 2}), y = (x * x).sum();
  double* memory = x.detach().data_ptr<double>();
  memory[0] = 5;
  x.detach().increment_version();
  expect_error(GRADUS_E_IN_PLACE, "", [&] { y.backward(); });
  x.set_data(vec({7, 8, 9}));
  EXPECT_TRUE(x.requires_grad());
  expect_values(x, {7, 8, 9});
  expect_error(GRADUS_E_STATE, "", [&] { y.set_data(vec({1})); });
  expect_error(GRADUS_E_DTYPE, "", [&] { x.set_data(gradus::tensor({1}, gradus::int64)); });
  const Tensor kept = x * 2;
  EXPECT_FALSE(kept.retains_grad());
  EXPECT_TRUE(kept.retain_grad().retains_grad());
  const gradus::InferenceGuard inference;
  EXPECT_TRUE((x * 2).is_inference());
  EXPECT_FALSE(x.is_inference());
}

// ---- checkpoints, out=, optimizers

TEST_F(GraphHpp, ACheckpointsPolicyIsAskedCallByCall) {
  const Tensor x = leaf({1, 2});
  int runs = 0;
  std::vector<std::string> asked;
  std::vector<double> factor;
  gradus::CheckpointOptions o;
  o.early_stop = false;
  const auto f = [&](const Tensor& t) { return ++runs, t.mul(vec({3, 4})).sin(); };
  o.policy = [&](OperatorHandle op, const std::vector<gradus::IValue>& arguments) {
    asked.push_back(op.name());
    if (op.name() == "mul") factor = arguments.at(1).to<Tensor>().to_vector<double>();
    return true;
  };
  const Tensor y = gradus::checkpoint(f, {x}, o);
  EXPECT_EQ(asked, (std::vector<std::string>{"mul", "sin"}));
  EXPECT_EQ(factor, (std::vector<double>{3, 4}));
  y.sum().backward();
  EXPECT_EQ(asked.size(), 2u);
  expect_values(x.grad(), {3 * std::cos(3.0), 4 * std::cos(8.0)});
  struct Oops {};
  o.policy = [](OperatorHandle, const std::vector<gradus::IValue>&) -> bool { throw Oops(); };
  EXPECT_THROW(gradus::checkpoint(f, {x}, o), Oops);
  EXPECT_THROW(gradus::checkpoint_loop([](int64_t, const Tensor& t) { return t.sin(); }, 4, x, o), Oops);
}

TEST_F(GraphHpp, APolicyKeepsRandomResults) {
  const Tensor ones = gradus::ones({100}).requires_grad_();
  gradus::CheckpointOptions o;
  o.preserve_rng_state = false;
  o.policy = [](OperatorHandle op, const std::vector<gradus::IValue>&) { return op.name() == "dropout"; };
  const Tensor y = gradus::checkpoint([](const Tensor& t) { return gradus::dropout(t.exp(), 0.5, true); }, {ones}, o);
  y.sum().backward();
  EXPECT_EQ(y.to_vector<double>(), ones.grad().to_vector<double>());   // the mask of the first run
}

TEST_F(GraphHpp, ResultsInGivenTensors) {
  const Tensor x = vec({1, 2}), r = gradus::zeros({2}, gradus::float64);
  const double* memory = r.data_ptr<double>();
  gradus::invoke_out("add", {x, x}, {r});
  expect_values(r, {2, 4});
  EXPECT_EQ(r.data_ptr<double>(), memory);
  expect_error(GRADUS_E_UNSUPPORTED, "", [&] { gradus::invoke_out("add_", {x, x}, {r}); });
  expect_error(GRADUS_E_VALUE, "", [&] { gradus::invoke_out("add", {x, x}, {r, r}); });
}

TEST_F(GraphHpp, AnOptimizerListsItsParameters) {
  const Tensor a = leaf({1}), b = leaf({2});
  const gradus::optim::Optimizer sgd("SGD", {a}, {{"lr", 0.1}});
  sgd.add_group({b});
  const Tensors params = sgd.params();
  ASSERT_EQ(params.size(), 2u);
  EXPECT_TRUE(params[0].is_same(a));
  EXPECT_TRUE(params[1].is_same(b));
}

}  // namespace
