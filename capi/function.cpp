// Functions of the host: one application, and what its callbacks say and ask.
#include "graph/custom.h"

#include <vector>

#include "capi/callback.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

gradus_function_call* handle_of(FunctionCall& c) { return reinterpret_cast<gradus_function_call*>(&c); }
FunctionCall& call_of(const gradus_function_call* c) { return *object<FunctionCall>(c, Kind::call, "call"); }

class ForeignFunction : public Function {
 public:
  ForeignFunction(const gradus_function& d, size_t capacity, size_t* needed_results)
      : name_(d.name), forward_(d.forward), vjp_(needed(d.vjp, "vjp"), d.user, d.destroy), jvp_(d.jvp), capacity_(capacity), needed_(needed_results) {
    once_differentiable = d.flags & GRADUS_FUNCTION_ONCE_DIFFERENTIABLE;
  }
  void arm() const { vjp_.arm(); }

  std::string name() const override { return name_; }
  void forward(FunctionCall& call, std::span<const Tensor> inputs, std::vector<Tensor>& results) override {
    const auto check_room = [this](size_t count, size_t room) {
      if (count > room) *needed_ = count;
      GRADUS_CHECK(count <= room, value, "{}: {} results, room for {}", name_, count, room);
    };
    if (forward_) return run(Callback<gradus_function_fn>(forward_, vjp_.user(), nullptr), "forward", call, inputs, capacity_, results, check_room);
    check_room(inputs.size(), capacity_);
    results.assign(inputs.begin(), inputs.end());
  }
  void pull(FunctionCall& call, std::span<const Tensor> gradients, std::vector<Tensor>& results) override {
    run(vjp_, "vjp", call, gradients, call.input_count(), results, [this](size_t count, size_t room) {
      GRADUS_CHECK(count <= room, value, "{}: it returned {} gradients for {} inputs", node_name(), count, room);
    });
  }
  bool has_jvp() const override { return jvp_ != nullptr; }
  void push(FunctionCall& call, std::span<const Tensor> tangents, std::vector<Tensor>& results) override {
    run(Callback<gradus_function_fn>(jvp_, vjp_.user(), nullptr), "jvp", call, tangents, call.result_count(), results, [this](size_t count, size_t room) {
      GRADUS_CHECK(count <= room, value, "{}: its jvp returned {} tangents for {} results", name_, count, room);
    });
  }

 private:
  template <class Check>
  void run(const Callback<gradus_function_fn>& f, const char* what, FunctionCall& call, std::span<const Tensor> tensors, size_t capacity,
           std::vector<Tensor>& results, Check check) const {
    ReturnedList given(capacity);
    size_t count = 0;
    f.run(what, handle_of(call), reinterpret_cast<gradus_tensor* const*>(tensors.data()), tensors.size(), given.data(), capacity, &count);
    check(count, capacity);
    results.reserve(count);
    for (size_t i = 0; i < count; ++i) results.push_back(given.take(i, "results"));
  }

  std::string name_;
  gradus_function_fn forward_;
  Callback<gradus_function_fn> vjp_;
  gradus_function_fn jvp_;
  size_t capacity_;
  size_t* needed_;                                            // of the caller, while forward runs
};

constexpr size_t kMostResults = UINT16_MAX;

gradus_function definition_of(const gradus_function* given) {
  const gradus_function d = read_options(needed(given, "definition"));
  check_flags(d.flags, GRADUS_FUNCTION_ONCE_DIFFERENTIABLE);
  needed(d.name, "name");
  return d;
}

using Mark = void (FunctionCall::*)(std::span<const Tensor>);
gradus_status mark(gradus_context* ctx, const char* where, gradus_function_call* call, Mark how, gradus_tensor* const* list, size_t count) {
  return guard(ctx, where, [&](Context&) { (call_of(call).*how)(tensors(list, count, "tensors", true)); });
}

}  // namespace

gradus_status gradus_function_apply(gradus_context* ctx, const gradus_function* definition, gradus_tensor* const* inputs, size_t input_count,
                                    gradus_tensor** results, size_t result_capacity, size_t* result_count) {
  const size_t capacity = std::min(result_capacity, kMostResults);
  clear(results, capacity);
  size_t count = 0;
  const gradus_status s = guard(ctx, "function_apply", [&](Context&) {
    const gradus_function d = definition_of(definition);
    check_room(results, capacity, "results");
    const auto f = Ref<ForeignFunction>::adopt(new ForeignFunction(d, capacity, &count));
    std::vector<Tensor> made;
    apply_function(Ref<Function>::share(f.get()), tensors(inputs, input_count, "inputs", true), made);
    f->arm();
    count = made.size();
    for (size_t i = 0; i < count; ++i) results[i] = give(std::move(made[i]));
  });
  if (result_count) *result_count = count;
  return s;
}

gradus_status gradus_function_save_for_backward(gradus_context* ctx, gradus_function_call* call, gradus_tensor* const* list, size_t count) {
  return mark(ctx, "function_save_for_backward", call, &FunctionCall::save, list, count);
}
gradus_status gradus_function_mark_dirty(gradus_context* ctx, gradus_function_call* call, gradus_tensor* const* list, size_t count) {
  return mark(ctx, "function_mark_dirty", call, &FunctionCall::mark_dirty, list, count);
}
gradus_status gradus_function_mark_non_differentiable(gradus_context* ctx, gradus_function_call* call, gradus_tensor* const* list, size_t count) {
  return mark(ctx, "function_mark_non_differentiable", call, &FunctionCall::mark_non_differentiable, list, count);
}
gradus_status gradus_function_set_materialize(gradus_context* ctx, gradus_function_call* call, int32_t on) {
  return guard(ctx, "function_set_materialize", [&](Context&) { call_of(call).set_materialize(on != 0); });
}
gradus_status gradus_function_needs_input_grad(gradus_context* ctx, gradus_function_call* call, size_t index, int32_t* yes) {
  return guard_result(ctx, "function_needs_input_grad", yes, [&](Context&) { return static_cast<int32_t>(call_of(call).needs_input_grad(index)); }, "yes");
}
gradus_status gradus_function_set_state(gradus_context* ctx, gradus_function_call* call, void* user, gradus_destroy_fn destroy) {
  return guard(ctx, "function_set_state", [&](Context&) { call_of(call).set_state(user, destroy); });
}
void* gradus_function_state(const gradus_function_call* call) { return is(call, Kind::call) ? core<FunctionCall>(call)->state() : nullptr; }
size_t gradus_function_saved_count(const gradus_function_call* call) { return is(call, Kind::call) ? core<FunctionCall>(call)->saved_count() : 0; }
gradus_status gradus_function_saved(gradus_context* ctx, gradus_function_call* call, size_t index, gradus_tensor** result) {
  return guard_result(ctx, "function_saved", result, [&](Context&) { return give(call_of(call).saved(index)); });
}
