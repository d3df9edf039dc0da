// What the tests of layers start from: random arrays and their comparison.
#pragma once
#include "fixture.h"

namespace gradus {

class Layers : public Core {
 protected:
  static Tensor random(SizesRef sizes, Dtype dtype = Dtype::f64, double shift = 0) { return to(add(call(randn_op, {sizes, Dtype::f64}), shift), dtype); }
  static Tensor leaf_of(const Tensor& t) {
    const Tensor l = detach(clone(t));
    set_requires_grad(l.impl(), true);
    return l;
  }
  static Tensor clone(const Tensor& t) { return call(clone_op, {t}); }
  static void expect_close(const Tensor& got, const Tensor& want, double tolerance) {
    ASSERT_TRUE(same(got.sizes(), want.sizes())) << text(got.sizes()) << " " << text(want.sizes());
    const auto a = values(got), b = values(want);
    double scale = 0, off = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      scale = std::max(scale, std::abs(b[i]));
      off = std::max(off, std::abs(a[i] - b[i]));
    }
    EXPECT_LE(off, tolerance * (scale + 1e-30));
  }
};

}  // namespace gradus
