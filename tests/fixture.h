// What every test of the core starts from: a context of its own, and nothing left alive at the end.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "autograd/grad.h"
#include "base/context.h"
#include "base/live.h"
#include "dispatch/evaluate.h"
#include "graph/history.h"
#include "ops/lists.h"
#include "ops/ops.h"

namespace gradus {

class Core : public ::testing::Test {
 protected:
  Core() : scope_((define_all_ops(), context_)) {
    context_.generator.seed = 42;
    for (int i = 0; i < static_cast<int>(Live::count); ++i) before_[i] = live_count(static_cast<Live>(i));
  }
  void TearDown() override {
    EXPECT_EQ(live_count(Live::tensors), before_[static_cast<int>(Live::tensors)]) << "tensors were left";
    EXPECT_EQ(live_count(Live::nodes), before_[static_cast<int>(Live::nodes)]) << "graph nodes were left";
  }

  static Tensor tensor(std::initializer_list<double> values, std::initializer_list<int64_t> sizes, Dtype dtype = Dtype::f64) {
    Tensor t = empty(dtype, {sizes.begin(), sizes.size()});
    visit(dtype, [&]<class T>() {
      for (size_t i = 0; i < values.size(); ++i) t.data<T>()[i] = convert<T>(values.begin()[i]);
    });
    return t;
  }
  static Tensor leaf(std::initializer_list<double> values, std::initializer_list<int64_t> sizes) {
    Tensor t = tensor(values, sizes);
    set_requires_grad(t.impl(), true);
    return t;
  }
  static std::vector<double> values(const Tensor& t) {
    const Tensor c = clone(to(detach(t), Dtype::f64));
    return {c.data<double>(), c.data<double>() + c.numel()};
  }
  static const Tensor& grad_of(const Tensor& t) { return autograd_meta(t.impl()).grad; }

  Context context_;

 private:
  ContextScope scope_;
  int64_t before_[static_cast<int>(Live::count)];
};

// The status of the Error that f throws, and part of its message.
template <class F> void expect_error(Status status, const std::string& part, F&& f) {
  try {
    f();
    ADD_FAILURE() << "no error; expected: " << part;
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.status()), static_cast<int>(status)) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

}  // namespace gradus
