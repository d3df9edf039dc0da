// Every op call of the library passes here: evaluate, then record what is needed to differentiate.
#pragma once
#include <initializer_list>

#include "graph/node.h"

namespace gradus {

// Values in schema order; missing ones at the end take their defaults.
void call(const Op& op, const Value* values, int n, Tensors& out);

// Of an op with one result.
Tensor call_one(const Op& op, const Value* values, int n);

inline Tensor call(const Op& op, std::initializer_list<Value> values) { return call_one(op, values.begin(), static_cast<int>(values.size())); }
inline Tensors call_all(const Op& op, std::initializer_list<Value> values) {
  Tensors out;
  call(op, values.begin(), static_cast<int>(values.size()), out);
  return out;
}
// op_(self, …): by the in-place form of a functional record.
inline const Tensor& call_in_place(const Op& op, std::initializer_list<Value> values) {
  Tensors out;
  call(*op.info->in_place, values.begin(), static_cast<int>(values.size()), out);
  return reinterpret_cast<const Tensor&>(values.begin()->t);
}

// What a rule sees of one recorded call: the arguments (tensors only where Op::save names them), saved outputs, the metadata
// of the input whose gradient is asked for, and the gradients of all outputs.
class Call {
 public:
  Call(Node* node, const Unpacked& saved, const Tensors& gradients, const Pass& pass)
      : node_(node), saved_(saved), gradients_(gradients), pass_(pass), args_(saved.args()) {}

  const Op& op() const { return *node_->op; }
  const Args& args() const { return args_; }
  const Tensor& tensor(int position) const;                   // by position in the schema; throws unless saved
  const Tensor& output(int i = 0) const;
  const Tensor& grad(int i) const { return gradients_[static_cast<size_t>(i)]; }
  // Of a flat input that wants a gradient.
  OutputMeta meta(int flat) const { return output_meta(node_->edges()[flat].node, node_->edges()[flat].nr); }
  OutputMeta meta() const { return meta(flat_); }             // of the input asked for
  SizesRef sizes() const { return meta().sizes; }
  bool wants(int flat) const { return pass_.wants(node_->edges()[flat]); }
  int member() const { return member_; }                      // which one inside a Tensor[] argument
  OutputMeta result(int i = 0) const { return output_meta(node_, static_cast<uint32_t>(i)); }

  // The engine's: which input is asked for.
  void ask(int flat, int member) { flat_ = flat; member_ = member; }
  int flat() const { return flat_; }
  Node* node() const { return node_; }

  int64_t integer(int i) const { return args_.integer(i); }
  double real(int i) const { return args_.real(i); }
  bool flag(int i) const { return args_.flag(i); }
  Number number(int i) const { return args_.number(i); }
  SizesRef integers(int i) const { return args_.integers(i); }

 private:
  Node* node_;
  const Unpacked& saved_;
  const Tensors& gradients_;
  const Pass& pass_;
  Args args_;
  int flat_ = 0, member_ = 0;
};

}  // namespace gradus
