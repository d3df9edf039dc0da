// gradus/invoke.hpp - operations by name, for C++: calls, many calls in one crossing, and operations of the program's own:
//
//   struct Distance {                                         // what the schema says, as C++ types
//     static Tensor forward(const Tensor& x, const Tensor& y, double scale) { return (x * x + y * y).sqrt() * scale; }
//     static std::vector<Tensor> backward(const Tensor& x, const Tensor& y, double scale, const Tensor& r, const Tensor& g) {
//       const Tensor slope = g * (scale * scale) / r;
//       return {slope * x, slope * y};
//     }
//   };
//   gradus::register_op<Distance>("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor");
//   const Tensor r = gradus::invoke("demo.distance", {x, y})[0];
//   const Tensor s = gradus::batch({{"demo.distance", {x, y, 2.0}}, {"sum", {gradus::ResultOf{0}}}})[0];
//
// gradus/invoke.h and gradus/function.h have the rules. Exceptions go through to the caller as themselves.
#ifndef GRADUS_INVOKE_HPP
#define GRADUS_INVOKE_HPP

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {

// What an operation takes: tensors, numbers, lists, texts, element types, an empty optional for "none". It looks at lists and texts.
using Argument = detail::Arg;

// An operation by name, with its arguments in the order of the schema.
inline std::vector<Tensor> invoke(std::string_view name, std::initializer_list<Argument> arguments) {
  return detail::many<Tensor>(detail::Op(name), arguments);
}

// One call of a batch. What its arguments look at has to live until the batch is called.
struct Call {
  std::string name;
  std::vector<Argument> arguments;
};
// Makes the calls in one crossing; ResultOf{0} is the result of the first. Returns what the last one gives, which may be 64 results at most.
inline std::vector<Tensor> batch(const std::vector<Call>& calls) {
  if (calls.empty()) return {};
  std::array<gradus_value, 64> results;
  std::vector<gradus_call> list(calls.size());
  for (size_t i = 0; i < list.size(); ++i) {
    list[i].op = detail::Op(calls[i].name).get();
    list[i].argument_count = calls[i].arguments.size();
    list[i].arguments = reinterpret_cast<const gradus_value*>(calls[i].arguments.data());
  }
  list.back().results = results.data();
  list.back().result_capacity = results.size();
  detail::call(gradus_invoke_batch, list.data(), list.size(), sizeof(gradus_call), static_cast<size_t*>(nullptr));
  std::vector<Tensor> made;
  for (size_t i = 0; i < list.back().result_count; ++i) made.push_back(Tensor(results[i].u.tensor));
  return made;
}

namespace detail {
template <class X> struct IsOptional : std::false_type {};
template <class X> struct IsOptional<std::optional<X>> : std::true_type {};

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
template <class R, class... A, size_t... i>
std::vector<Tensor> decoded_call(R (*f)(A...), const gradus_value* values, std::index_sequence<i...>) {
  return listed(f(decode<std::decay_t<A>>(values[i])...));
}
template <class R, class... A>
gradus_status run_op(gradus_context* c, R (*f)(A...), const gradus_value* values, size_t n, gradus_value* results, size_t capacity, size_t* count) {
  return protect(c, [&] {
    if (n != sizeof...(A)) throw Error(GRADUS_E_VALUE, "a function of " + std::to_string(sizeof...(A)) + " for " + std::to_string(n) + " values of the schema");
    const std::vector<Tensor> made = decoded_call(f, values, std::index_sequence_for<A...>());
    *count = made.size();
    for (size_t i = 0; i < made.size() && i < capacity; ++i) {
      results[i] = Operand(made[i]).value();
      gradus_retain(made[i].handle());
    }
  });
}
}  // namespace detail

// Registers an operation for the whole process, for good. T has static forward(arguments...), which returns a Tensor or a vector of
// them, and static backward(arguments..., results..., gradients...), which returns one gradient per tensor among the arguments, empty
// where there is none.
template <class T> void register_op(const std::string& name, const std::string& schema, const std::string& summary = {}) {
  gradus_op_definition d{};
  d.struct_size = sizeof d;
  d.name = name.c_str();
  d.schema = schema.c_str();
  d.summary = summary.c_str();
  d.forward = [](void*, gradus_context* c, const gradus_value* values, size_t n, gradus_value* results, size_t capacity, size_t* count) {
    return detail::run_op(c, &T::forward, values, n, results, capacity, count);
  };
  d.backward = [](void*, gradus_context* c, const gradus_value* values, size_t n, gradus_value* results, size_t capacity, size_t* count) {
    return detail::run_op(c, &T::backward, values, n, results, capacity, count);
  };
  detail::call(gradus_op_register, &d, static_cast<const gradus_op**>(nullptr));
}

}  // namespace v1
}  // namespace gradus
#endif
