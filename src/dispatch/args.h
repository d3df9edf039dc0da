// The arguments of one call, complete and checked against the schema; positions are the schema's.
#pragma once
#include "dispatch/schema.h"

namespace gradus {

struct Op;

class Args {
 public:
  Args(const Op& op, const Value* values) : op_(&op), v_(values) {}

  const Op& op() const { return *op_; }
  const Value& operator[](int i) const { return v_[i]; }
  const Value* values() const { return v_; }
  bool has(int i) const { return v_[i].tag != Tag::none; }

  const Tensor& tensor(int i) const {
    static_assert(sizeof(Tensor) == sizeof(TensorImpl*));
    return reinterpret_cast<const Tensor&>(v_[i].t);
  }
  const Tensor& optional_tensor(int i) const;                 // null when absent
  std::span<const Tensor> tensors(int i) const { return v_[i].list(); }
  int64_t integer(int i) const { return v_[i].i; }
  double real(int i) const { return v_[i].number().f; }
  bool flag(int i) const { return v_[i].i != 0; }
  Number number(int i) const { return v_[i].number(); }
  SizesRef integers(int i) const { return {static_cast<const int64_t*>(v_[i].p), static_cast<size_t>(v_[i].length)}; }
  Sizes integers(int i, size_t n) const;                      // one number serves for all n
  Dtype dtype(int i, Dtype otherwise) const { return has(i) ? static_cast<Dtype>(v_[i].aux) : otherwise; }
  std::string_view text(int i) const { return {static_cast<const char*>(v_[i].p), static_cast<size_t>(v_[i].length)}; }

 private:
  const Op* op_;
  const Value* v_;
};

// Checks n values against the schema, fills in defaults and turns single numbers into lists where lists are wanted.
// `room` holds kMaxArguments values; `scratch` what they point at.
struct ArgScratch {
  int64_t numbers[16];
  int used = 0;
};
[[noreturn, gnu::cold]] void refuse_complex(const Op& op, Dtype t);   // what is said of tensors and dtypes that a record does not take
Args complete(const Op& op, const Value* values, int n, Value* room, ArgScratch& scratch);

}  // namespace gradus
