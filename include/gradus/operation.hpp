// gradus/operation.hpp - operations as the program meets them in graphs and callbacks: which one it is, and its values. Part of gradus.hpp.
//
//   const OperatorHandle op = y.grad_fn().op();               // op.name() is "mul"
//   const auto dims = y.grad_fn().saved("dim").to<std::vector<int64_t>>();
#ifndef GRADUS_OPERATION_HPP
#define GRADUS_OPERATION_HPP

#include "gradus/tensor.hpp"

namespace gradus {
inline namespace v1 {

namespace detail {
template <class X> struct IsOptional : std::false_type {};
template <class X> struct IsOptional<std::optional<X>> : std::true_type {};
inline std::vector<Tensor> borrowed(gradus_tensor* const* given, size_t n) {
  std::vector<Tensor> all;
  all.reserve(n);
  for (size_t i = 0; i < n; ++i) all.push_back(Tensor::share(given[i]));
  return all;
}

// A value that a callback gets, as the type that its function wants.
template <class X> X decode(const gradus_value& v) {
  if constexpr (IsOptional<X>::value) {
    return v.kind == GRADUS_V_NONE ? X() : X(decode<typename X::value_type>(v));
  } else if constexpr (std::is_same_v<X, Tensor>) {
    return v.kind == GRADUS_V_TENSOR ? Tensor::share(v.u.tensor) : Tensor();
  } else if constexpr (std::is_same_v<X, std::vector<Tensor>>) {
    return v.kind == GRADUS_V_NONE ? X() : borrowed(static_cast<gradus_tensor* const*>(v.u.ptr), static_cast<size_t>(v.length));
  } else if constexpr (std::is_same_v<X, Dtype>) {
    return static_cast<Dtype>(v.aux);
  } else if constexpr (std::is_same_v<X, std::string>) {
    return {static_cast<const char*>(v.u.ptr), static_cast<size_t>(v.length)};
  } else if constexpr (std::is_arithmetic_v<X>) {
    return v.kind == GRADUS_V_F64 ? static_cast<X>(v.u.f64) : static_cast<X>(v.u.i64);
  } else {
    static_assert(std::is_same_v<X, std::vector<int64_t>> || std::is_same_v<X, std::vector<double>>, "no type of a schema");
    const auto* list = static_cast<const typename X::value_type*>(v.u.ptr);
    return {list, list + v.length};
  }
}
// Whether decode<X> makes sense of it.
template <class X> bool decodes(const gradus_value& v) {
  if constexpr (IsOptional<X>::value) return v.kind == GRADUS_V_NONE || decodes<typename X::value_type>(v);
  else if constexpr (std::is_same_v<X, Tensor>) return v.kind == GRADUS_V_TENSOR || v.kind == GRADUS_V_NONE;
  else if constexpr (std::is_same_v<X, std::vector<Tensor>>) return v.kind == GRADUS_V_TENSOR_LIST || v.kind == GRADUS_V_NONE;
  else if constexpr (std::is_same_v<X, Dtype>) return v.kind == GRADUS_V_DTYPE;
  else if constexpr (std::is_same_v<X, std::string>) return v.kind == GRADUS_V_TEXT;
  else if constexpr (std::is_same_v<X, bool>) return v.kind == GRADUS_V_BOOL;
  else if constexpr (std::is_integral_v<X>) return v.kind == GRADUS_V_I64 || v.kind == GRADUS_V_BOOL;
  else if constexpr (std::is_floating_point_v<X>) return v.kind == GRADUS_V_F64 || v.kind == GRADUS_V_I64 || v.kind == GRADUS_V_BOOL;
  else return v.kind == (std::is_same_v<X, std::vector<double>> ? GRADUS_V_F64_LIST : GRADUS_V_I64_LIST);
}
}  // namespace detail

// An operation of the library; an empty one stands for a function of the program, or for a leaf.
class OperatorHandle {
 public:
  OperatorHandle() = default;
  explicit OperatorHandle(const gradus_op* op) : op_(op) {}
  explicit OperatorHandle(std::string_view name) : op_(detail::Op(name).get()) {}   // UNKNOWN_NAME if there is none
  const gradus_op* get() const { return op_; }
  explicit operator bool() const { return op_ != nullptr; }
  friend bool operator==(OperatorHandle a, OperatorHandle b) { return a.op_ == b.op_; }
  friend bool operator!=(OperatorHandle a, OperatorHandle b) { return a.op_ != b.op_; }

  std::string name() const { return op_ ? info().name : ""; }
  std::string schema() const { return op_ ? info().schema : ""; }
  gradus_op_info info() const {
    gradus_op_info i{};
    i.struct_size = sizeof i;
    const gradus_status s = gradus_op_describe(op_, &i);
    if (s != GRADUS_OK) throw Error(s, "the operation is empty");
    return i;
  }
  gradus_argument_info argument(uint32_t index) const {       // INDEX if there is no such argument
    gradus_argument_info i{};
    i.struct_size = sizeof i;
    const gradus_status s = gradus_op_describe_argument(op_, index, &i);
    if (s != GRADUS_OK) throw Error(s, name() + ": there is no argument " + std::to_string(index));
    return i;
  }

 private:
  const gradus_op* op_ = nullptr;
};
// All of them, in the order of the manual.
inline std::vector<OperatorHandle> operators() {
  std::vector<OperatorHandle> all;
  for (size_t i = 0, n = gradus_op_count(); i < n; ++i) all.emplace_back(gradus_op_at(i));
  return all;
}
// What is known of all of them, as one JSON text: gradus/invoke.h.
inline std::string registry_json() {
  size_t length = 0;
  gradus_registry_json(nullptr, 0, &length);
  std::string s(length + 1, '\0');
  const gradus_status status = gradus_registry_json(s.data(), s.size(), &length);
  if (status != GRADUS_OK) throw Error(status, "registry_json: the text has no room");
  s.resize(length);
  return s;
}

// One value of an operation: a tensor, a number, a list, a text, an element type, or nothing. In a callback it is good during the call.
class IValue {
 public:
  explicit IValue(const gradus_value& v) : v_(v) {}
  // What gradus_node_saved gave: it owns the tensor, and the node keeps the rest.
  IValue(const gradus_value& v, detail::Handle<gradus_node> node) : v_(v), node_(std::move(node)) {
    if (v.kind == GRADUS_V_TENSOR) owned_ = detail::TensorHandle(v.u.tensor);
  }
  bool is_none() const { return v_.kind == GRADUS_V_NONE; }
  bool is_tensor() const { return v_.kind == GRADUS_V_TENSOR; }
  int32_t kind() const { return v_.kind; }                    // GRADUS_V_*
  // As Tensor, a vector of them, int64_t, double, bool, std::string, Dtype, a vector of int64_t or double, or an optional of these: none is
  // an empty tensor, list of tensors or optional. VALUE if it is of another kind.
  template <class T> T to() const {
    if (!detail::decodes<T>(v_)) throw Error(GRADUS_E_VALUE, "a value of an operation is of another type than asked for (its kind is " + std::to_string(v_.kind) + ")");
    return detail::decode<T>(v_);
  }

 private:
  gradus_value v_;
  detail::TensorHandle owned_;
  detail::Handle<gradus_node> node_;
};

}  // namespace v1
}  // namespace gradus
#endif
