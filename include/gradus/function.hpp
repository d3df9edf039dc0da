// gradus/function.hpp - functions with a derivative of their own, for C++:
//
//   struct MyExp : gradus::Function<MyExp> {
//     static Tensor forward(gradus::AutogradContext* ctx, const Tensor& x, double scale) {
//       const Tensor y = (x * scale).exp();
//       ctx->save_for_backward({y});
//       ctx->saved_data["scale"] = scale;
//       return y;
//     }
//     static std::vector<Tensor> backward(gradus::AutogradContext* ctx, const std::vector<Tensor>& g) {
//       return {g[0] * ctx->saved_tensors()[0] * std::any_cast<double>(ctx->saved_data["scale"]), Tensor()};
//     }
//   };
//   const Tensor y = MyExp::apply(x, 2.0);
//
// gradus/function.h has the rules. Exceptions go through to the caller as themselves.
#ifndef GRADUS_FUNCTION_HPP
#define GRADUS_FUNCTION_HPP

#include <any>
#include <map>

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {

// What forward keeps for backward.
class AutogradContext {
 public:
  void save_for_backward(const TensorList& tensors) const { detail::call(gradus_function_save_for_backward, call_, tensors.data(), tensors.size()); }
  std::vector<Tensor> saved_tensors() const {
    std::vector<Tensor> all;
    for (size_t i = 0, n = gradus_function_saved_count(call_); i < n; ++i) {
      gradus_tensor* t = nullptr;
      detail::call(gradus_function_saved, call_, i, &t);
      all.push_back(Tensor(t));
    }
    return all;
  }
  void mark_dirty(const TensorList& inputs) const { detail::call(gradus_function_mark_dirty, call_, inputs.data(), inputs.size()); }
  void mark_non_differentiable(const TensorList& results) const {
    detail::call(gradus_function_mark_non_differentiable, call_, results.data(), results.size());
  }
  void set_materialize_grads(bool on) const { detail::call(gradus_function_set_materialize, call_, int32_t{on}); }
  bool needs_input_grad(size_t tensor) const {                // the tensors among the arguments, counted by themselves
    int32_t yes = 0;
    detail::call(gradus_function_needs_input_grad, call_, tensor, &yes);
    return yes != 0;
  }
  std::map<std::string, std::any> saved_data;                 // what is no tensor

 private:
  template <class> friend class Function;
  gradus_function_call* call_ = nullptr;
};

namespace detail {
template <class T> std::string type_name() {
#if defined(_MSC_VER)
  std::string_view s = __FUNCSIG__;
  s = s.substr(s.find("type_name<") + 10);
  s = s.substr(0, s.rfind(">("));
#else
  std::string_view s = __PRETTY_FUNCTION__;                   // "… [with T = a::MyExp; …]", "… [T = a::MyExp]"
  s = s.substr(s.find("T = ") + 4);
  s = s.substr(0, s.find_first_of(";]"));
#endif
  return std::string(s.substr(s.find_last_of(": ") + 1));
}

template <class T> constexpr auto has_jvp(int) -> decltype(&T::jvp, bool()) { return true; }
template <class T> constexpr bool has_jvp(...) { return false; }

// The tensors among the arguments; places: for each gradient that backward returns, whether there is a tensor.
struct Inputs {
  std::vector<Tensor> tensors;
  std::vector<bool> places;
  void add(const Tensor& t) { put(t); }
  void add(const std::vector<Tensor>& list) { for (const Tensor& t : list) put(t); }
  template <class A> void add(const A&) { places.push_back(false); }

 private:
  void put(const Tensor& t) {
    tensors.push_back(t);
    places.push_back(true);
  }
};
}  // namespace detail

// T has static forward(AutogradContext*, arguments...), which returns a Tensor or a vector of them, and static
// backward(AutogradContext*, gradients), which returns one gradient per argument (per member of a vector of tensors), empty where
// there is none: a vector, or one Tensor. Optional: `static constexpr bool once_differentiable = true`, and then static
// jvp(AutogradContext*, tangents): one tangent per result from one per argument (empty where there is none), as gradus/function.h says.
template <class T> class Function {
 public:
  static constexpr bool once_differentiable = false;

  template <class... A> static auto apply(A&&... arguments) {
    using Result = decltype(T::forward(static_cast<AutogradContext*>(nullptr), arguments...));
    static_assert(std::is_same_v<Result, Tensor> || std::is_same_v<Result, std::vector<Tensor>>, "forward returns a Tensor or a vector of them");
    detail::Inputs inputs;
    (inputs.add(arguments), ...);
    auto frame = std::make_unique<Frame>();
    frame->places = std::move(inputs.places);
    frame->forward = [&](AutogradContext* ctx) { return detail::listed(T::forward(ctx, arguments...)); };
    std::vector<Tensor> out = run(frame, inputs.tensors, std::is_same_v<Result, Tensor> ? 1 : kMostResults);
    if constexpr (std::is_same_v<Result, Tensor>) return std::move(out.at(0));
    else return out;
  }

 private:
  static constexpr size_t kMostResults = 1024;
  struct Frame {                                              // of one application; it lives as long as its node
    AutogradContext ctx;
    std::vector<bool> places;
    std::function<std::vector<Tensor>(AutogradContext*)> forward;
  };

  static std::vector<Tensor> run(std::unique_ptr<Frame>& frame, const std::vector<Tensor>& inputs, size_t capacity) {
    const std::string name = detail::type_name<T>();
    gradus_function f{};
    f.struct_size = sizeof f;
    f.flags = T::once_differentiable ? uint32_t{GRADUS_FUNCTION_ONCE_DIFFERENTIABLE} : 0;
    f.name = name.c_str();
    f.forward = forward_of;
    f.vjp = vjp_of;
    if constexpr (detail::has_jvp<T>(0)) f.jvp = jvp_of;
    f.user = frame.get();
    f.destroy = [](void* user) { delete static_cast<Frame*>(user); };
    detail::Results results(capacity);
    size_t count = 0;
    const TensorList list(inputs);
    gradus_context* c = Context::current();
    detail::check(c, gradus_function_apply(c, &f, list.data(), list.size(), results.data(), capacity, &count));
    frame.release();                                          // NOLINT: the node has it, or it is gone
    return results.take(count);
  }
  static gradus_status forward_of(void* user, gradus_context* c, gradus_function_call* call, gradus_tensor* const*, size_t, gradus_tensor** results,
                                  size_t capacity, size_t* count) {
    return detail::protect(c, [&] {
      auto& frame = *static_cast<Frame*>(user);
      frame.ctx.call_ = call;
      detail::return_tensors(std::exchange(frame.forward, nullptr)(&frame.ctx), results, capacity, count);
    });
  }
  static gradus_status jvp_of(void* user, gradus_context* c, gradus_function_call*, gradus_tensor* const* tangents, size_t n, gradus_tensor** results,
                              size_t capacity, size_t* count) {
    return detail::protect(c, [&] {
      auto& frame = *static_cast<Frame*>(user);
      const std::vector<Tensor> given = detail::borrowed(tangents, n);
      std::vector<Tensor> along;
      size_t next = 0;
      for (const bool is_tensor : frame.places) along.push_back(is_tensor ? given.at(next++) : Tensor());
      detail::return_tensors(detail::listed(T::jvp(&frame.ctx, along)), results, capacity, count);
    });
  }
  static gradus_status vjp_of(void* user, gradus_context* c, gradus_function_call*, gradus_tensor* const* gradients, size_t n, gradus_tensor** results,
                              size_t capacity, size_t* count) {
    return detail::protect(c, [&] {
      auto& frame = *static_cast<Frame*>(user);
      const std::vector<Tensor> made = detail::listed(T::backward(&frame.ctx, detail::borrowed(gradients, n)));
      std::vector<Tensor> kept;
      const size_t wanted = frame.places.size();
      for (size_t i = 0; i < made.size(); ++i) {
        if (i < wanted && frame.places[i]) kept.push_back(made[i]);
        else if (made[i]) throw Error(GRADUS_E_VALUE, detail::type_name<T>() + "Backward: gradient " + std::to_string(i) + " is of an argument that is no tensor");
      }
      if (made.size() < wanted)
        throw Error(GRADUS_E_VALUE, detail::type_name<T>() + "Backward: it returned " + std::to_string(made.size()) + " gradients for " +
                                        std::to_string(wanted) + " arguments");
      detail::return_tensors(kept, results, capacity, count);
    });
  }
};

}  // namespace v1
}  // namespace gradus
#endif
