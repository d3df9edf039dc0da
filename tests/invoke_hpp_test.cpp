// Operations by name in C++: calls, batches, operations of the program's own, and memory that is shared both ways.
#include "gradus/invoke.hpp"

#include "hpp_fixture.h"

namespace {

using gradus::ResultOf;
using gradus::Tensor;
using Tensors = std::vector<Tensor>;

using Invoke = Clean;

Tensor leaf(std::vector<double> v) { return gradus::tensor(v).requires_grad_(); }

TEST_F(Invoke, CallsByName) {
  const Tensor x = gradus::tensor(std::vector<double>{1, 2, 3});
  expect_values(gradus::invoke("mul", {x, 2})[0], {2, 4, 6});
  EXPECT_EQ(gradus::invoke("split", {x, int64_t{1}}).size(), 3u);
  EXPECT_THROW(gradus::invoke("no_such_operation", {x}), gradus::Error);
}

TEST_F(Invoke, ABatchFeedsResultsForwardAndRecords) {
  const Tensor x = leaf({1, 2, 3});
  const Tensors last = gradus::batch({{"mul", {x, x}}, {"split", {ResultOf{0}, int64_t{1}}}, {"add", {ResultOf{1, 0}, ResultOf{1, 2}}}});
  expect_values(last.at(0), {10});
  last[0].backward();
  expect_values(x.grad(), {2, 0, 6});
  EXPECT_TRUE(gradus::batch({}).empty());
  EXPECT_THROW(gradus::batch({{"mul", {x, x}}, {"reshape", {ResultOf{0}, gradus::IntList{7}}}}), gradus::Error);
}

struct Polynomial {                                           // x * scale^n + the sum of others; by the schema's kinds
  static Tensor forward(const Tensor& x, const Tensors& others, double scale, int64_t n, const std::vector<int64_t>& dims, const std::optional<double>& shift,
                        const std::string& mode, bool keep) {
    EXPECT_EQ(dims, (std::vector<int64_t>{1, 2}));
    EXPECT_TRUE(keep);
    if (mode == "throw") throw std::domain_error("of forward");
    Tensor y = x * std::pow(scale, n) + (shift ? *shift : 0);
    for (const Tensor& o : others) y = y + o;
    return y;
  }
  static Tensors backward(const Tensor&, const Tensors& others, double scale, int64_t n, const std::vector<int64_t>&, const std::optional<double>&,
                          const std::string& mode, bool, const Tensor&, const Tensor& g) {
    if (mode == "backward") throw std::domain_error("of backward");
    Tensors all{g * std::pow(scale, n)};
    all.resize(others.size() + 1, g);
    return all;
  }
};

TEST_F(Invoke, AnOperationOfTheProgram) {
  gradus::register_op<Polynomial>("cpp.polynomial", "(Tensor x, Tensor[] others, float scale=2.0, int n=3, int[] dims=[1, 2], float? shift=None, "
                                  "str mode='', bool keep=True) -> Tensor");
  const Tensor x = leaf({1, 2}), a = leaf({3, 4});
  const Tensors others{a, a};
  Tensor y = gradus::invoke("cpp.polynomial", {x, gradus::TensorList(others)})[0];
  expect_values(y, {14, 24});
  y.sum().backward();
  expect_values(x.grad(), {8, 8});
  expect_values(a.grad(), {2, 2});
  const auto call = [&](std::string_view mode, const gradus::Argument& shift) {
    return gradus::invoke("cpp.polynomial", {x, gradus::TensorList(others), 1.0, 1, gradus::IntList{1, 2}, shift, mode})[0];
  };
  expect_values(call("", 0.5), {7.5, 10.5});
  EXPECT_TRUE(gradus::gradcheck([&](const Tensor&, const Tensor&) { return call("", std::optional<double>()); }, {x, a}).passed);
  EXPECT_THROW(call("throw", 0.0), std::domain_error);
  EXPECT_THROW(call("backward", 0.0).sum().backward(), std::domain_error);
  EXPECT_THROW(gradus::register_op<Polynomial>("cpp.polynomial", "(Tensor x) -> Tensor"), gradus::Error);
  gradus::register_op<Polynomial>("cpp.other", "(Tensor x) -> Tensor");
  EXPECT_THROW(gradus::invoke("cpp.other", {x}), gradus::Error);            // eight parameters for one value
}

TEST_F(Invoke, MemoryOfTheProgramAndOfTheTensor) {
  std::weak_ptr<std::vector<float>> alive;
  Tensor view;
  {
    auto numbers = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
    alive = numbers;
    const Tensor x = gradus::wrap(numbers->data(), {2, 2}, numbers);
    EXPECT_EQ(x.data_ptr<float>(), numbers->data());
    view = x[1];
  }
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(view.data_ptr<float>()[1], 4);
  view = Tensor();
  EXPECT_TRUE(alive.expired());
  const Tensor y = gradus::wrap(std::vector<double>{1, 2, 3, 4}, {2, 2});
  EXPECT_THROW(y.data_ptr<float>(), gradus::Error);
  EXPECT_THROW(y.t().data_ptr<double>(), gradus::Error);
  EXPECT_THROW(gradus::wrap(std::vector<double>{1, 2}, {-1}), gradus::Error);
  const Tensor z = gradus::from_dlpack(gradus::to_dlpack(y));
  EXPECT_EQ(z.data_ptr<double>(), y.data_ptr<double>());
  EXPECT_THROW(gradus::to_dlpack(leaf({1})), gradus::Error);
}

}  // namespace
