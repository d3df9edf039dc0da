// Arguments as every caller hands them over: one tagged value per argument of the schema, laid out like gradus_value.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/number.h"
#include "tensor/tensor.h"

namespace gradus {

enum class Tag : int32_t {
  absent = 0,                                                 // take the schema's default
  none = 1, boolean = 2, integer = 3, real = 4, text = 5, dtype = 6, tensor = 7, integers = 8, reals = 9, tensors = 10,
  result_of = 11,                                             // of an earlier call in a batch; the C layer resolves it
  complex = 12,                                               // d, and the bits of the imaginary part as the length
};

struct Value {
  Tag tag = Tag::absent;
  uint32_t aux = 0;                                           // the Dtype of Tag::dtype
  union {
    int64_t i = 0;
    double d;
    const void* p;
    TensorImpl* t;
  };
  uint64_t length = 0;                                        // of lists and texts; of a complex number see its tag

  Value() = default;
  Value(const Tensor& x) : Value(x.impl()) {}
  Value(TensorImpl* x) : tag(x ? Tag::tensor : Tag::none) { t = x; }
  Value(std::nullopt_t) : tag(Tag::none) {}
  Value(bool b) : tag(Tag::boolean) { i = b; }
  Value(int v) : Value(static_cast<int64_t>(v)) {}
  Value(int64_t v) : tag(Tag::integer) { i = v; }
  Value(double v) : tag(Tag::real) { d = v; }
  Value(Number n) : tag(n.is_complex() ? Tag::complex : n.is_real() ? Tag::real : n.is_boolean() ? Tag::boolean : Tag::integer) {
    if (n.is_real()) d = n.f; else i = n.i;
    if (n.is_complex()) length = std::bit_cast<uint64_t>(n.im);
  }
  Value(Dtype type) : tag(type == Dtype::none ? Tag::none : Tag::dtype), aux(static_cast<uint32_t>(type)) {}
  Value(SizesRef list) : tag(Tag::integers), length(list.size()) { p = list.data(); }
  Value(const Sizes& list) : Value(SizesRef(list)) {}
  Value(std::string_view s) : tag(Tag::text), length(s.size()) { p = s.data(); }
  Value(std::span<const Tensor> list) : tag(Tag::tensors), length(list.size()) { p = list.data(); }
  template <class T> Value(const std::optional<T>& v) { if (v) *this = Value(*v); else tag = Tag::none; }

  bool is_number() const { return tag == Tag::boolean || tag == Tag::integer || tag == Tag::real || tag == Tag::complex; }
  Number number() const {
    if (tag == Tag::real) return d;
    return tag == Tag::complex ? Number(d, std::bit_cast<double>(length)) : tag == Tag::boolean ? Number(i != 0) : Number(i);
  }
  std::span<const Tensor> list() const { return {static_cast<const Tensor*>(p), static_cast<size_t>(length)}; }
};
static_assert(sizeof(Value) == 24);

}  // namespace gradus
