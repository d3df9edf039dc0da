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
//   gradus::invoke_out("add", {x, y}, {r});                   // the sum, in the memory of r
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

// Writes what the operation returns into given tensors, PyTorch's out=: one for each result, in order. gradus/invoke.h says which are resized.
inline void invoke_out(std::string_view name, std::initializer_list<Argument> arguments, const TensorList& outs) {
  detail::call(gradus_invoke_out, detail::Op(name).get(), reinterpret_cast<const gradus_value*>(arguments.begin()), arguments.size(), outs.data(), outs.size());
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
