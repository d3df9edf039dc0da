// Shape, allocate, compute. Knows nothing of gradients.
#pragma once
#include "dispatch/op.h"

namespace gradus {

void evaluate(const Op& op, const Args& args, Tensors& out);
Tensor evaluate_formula(const Op& op, const Args& args);
// Writes the result over the first argument, whose dtype and shape it must fit.
void evaluate_in_place(const Op& op, const Args& args);
// What a formula's result will be, and computing it into a tensor of that shape whose dtype it can be cast to.
Meta formula_result(const Op& op, const Args& args);
void evaluate_formula_into(const Op& op, const Args& args, const Tensor& out);
// By the op's shape rule; complex numbers go into complex results alone.
void shape_of(const Op& op, const Args& args, Metas& metas);

// The dtype of a result of these operands: tensors with dimensions before tensors without, both before numbers.
class Promotion {
 public:
  void add(const Value& v);
  void add(const TensorImpl* t) { add(t->ndim > 0 ? dims_ : scalars_, t->dtype); }
  Dtype result() const;

 private:
  static void add(Dtype& to, Dtype t) { to = to == Dtype::none ? t : promote(to, t); }
  Dtype dims_ = Dtype::none, scalars_ = Dtype::none, numbers_ = Dtype::none;
};
bool can_cast(Dtype from, Dtype to);                          // as an in-place result: no float into integers

Tensor clone(const Tensor& t);                                // a contiguous copy without history

}  // namespace gradus
