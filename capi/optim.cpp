// Optimizers, schedulers, clipping and first values.
#include "capi/callback.h"
#include "optim/init.h"
#include "optim/scheduler.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

Optimizer* optimizer(const gradus_optimizer* o) { return object<Optimizer>(o, Kind::optimizer, "optimizer"); }
Scheduler* scheduler(const gradus_scheduler* s) { return object<Scheduler>(s, Kind::scheduler, "scheduler"); }

std::vector<NamedValue> settings_of(const gradus_setting* given, size_t count, size_t bytes) {
  check_list(given, count, "settings");
  GRADUS_CHECK(count == 0 || bytes == sizeof(gradus_setting), argument, "'setting_bytes' is {}, not {}", bytes, sizeof(gradus_setting));
  GRADUS_CHECK(count <= kLongest, value, "'settings' has a count of {}", count);
  std::vector<NamedValue> all;
  for (size_t i = 0; i < count; ++i) {
    GRADUS_CHECK(!given[i].reserved0, unknown_field, "'settings' {}: reserved0 is not null", i);
    all.push_back({needed(given[i].name, "name"), given[i].value});
  }
  return all;
}

Draw draw_of(int32_t number) {
  GRADUS_CHECK(number == GRADUS_DRAW_UNIFORM || number == GRADUS_DRAW_NORMAL, value, "'draw' is {}", number);
  return number == GRADUS_DRAW_UNIFORM ? Draw::uniform : Draw::normal;
}
Fan fan_of(int32_t number) {
  GRADUS_CHECK(number == GRADUS_FAN_IN || number == GRADUS_FAN_OUT, value, "'fan' is {}", number);
  return number == GRADUS_FAN_IN ? Fan::in : Fan::out;
}
Tensor shared(gradus_tensor* t) { return Tensor::share(tensor(t, "tensor")); }

}  // namespace

// ---- optimizers
gradus_status gradus_optimizer_create(gradus_context* ctx, const char* algorithm, size_t algorithm_length, gradus_tensor* const* parameters, size_t count,
                                      const gradus_setting* settings, size_t setting_count, size_t setting_bytes, gradus_optimizer** result) {
  return guard_result(ctx, "optimizer_create", result, [&](Context&) {
    const auto list = settings_of(settings, setting_count, setting_bytes);
    return reinterpret_cast<gradus_optimizer*>(
        new Optimizer(find_algorithm(text_of(algorithm, algorithm_length, "algorithm")), tensors(parameters, count, "parameters"), list));
  });
}
gradus_status gradus_optimizer_add_group(gradus_context* ctx, gradus_optimizer* o, gradus_tensor* const* parameters, size_t count,
                                         const gradus_setting* settings, size_t setting_count, size_t setting_bytes) {
  return guard(ctx, "optimizer_add_group", [&](Context&) {
    const auto list = settings_of(settings, setting_count, setting_bytes);
    optimizer(o)->add_group(tensors(parameters, count, "parameters"), list);
  });
}

gradus_status gradus_optimizer_step(gradus_context* ctx, gradus_optimizer* o) {
  return guard(ctx, "optimizer_step", [&](Context&) { optimizer(o)->step(); });
}
gradus_status gradus_optimizer_step_closure(gradus_context* ctx, gradus_optimizer* o, gradus_closure_fn closure, void* user, gradus_tensor** loss) {
  if (loss) *loss = nullptr;
  return guard(ctx, "optimizer_step_closure", [&](Context&) {
    const auto held = Ref<Optimizer>::share(optimizer(o));    // the closure may let go of it
    const Callback<gradus_closure_fn> f(needed(closure, "closure"), user, nullptr);
    Tensor first = held->step([&f] {
      Returned given;
      f.run("closure", given.place());
      Tensor t = given.take("loss");
      GRADUS_CHECK(t, null, "the closure gave no loss");
      return t;
    });
    if (loss) *loss = give(std::move(first));
  });
}
gradus_status gradus_optimizer_zero_grad(gradus_context* ctx, gradus_optimizer* o, int32_t set_to_none) {
  return guard(ctx, "optimizer_zero_grad", [&](Context&) { optimizer(o)->zero_grad(set_to_none != 0); });
}

gradus_status gradus_optimizer_set(gradus_context* ctx, gradus_optimizer* o, int64_t group, const char* name, size_t length, double value) {
  return guard(ctx, "optimizer_set", [&](Context&) { optimizer(o)->set(group, text_of(name, length, "name"), value); });
}
gradus_status gradus_optimizer_get(gradus_context* ctx, const gradus_optimizer* o, int64_t group, const char* name, size_t length, double* value) {
  return guard_result(ctx, "optimizer_get", value, [&](Context&) { return optimizer(o)->get(group, text_of(name, length, "name")); });
}
gradus_status gradus_optimizer_setting_at(gradus_context* ctx, const gradus_optimizer* o, int64_t group, size_t position, gradus_setting* setting) {
  return guard_result(ctx, "optimizer_setting_at", setting, [&](Context&) {
    const Optimizer& of = *optimizer(o);
    GRADUS_CHECK(position < of.info.settings.size(), index, "setting {} of {}", position, of.info.settings.size());
    const char* known = name(of.info.settings[position].setting);
    return gradus_setting{of.get(group, known), known, nullptr};
  });
}

gradus_status gradus_optimizer_describe(gradus_context* ctx, const gradus_optimizer* o, gradus_optimizer_info* info) {
  return guard(ctx, "optimizer_describe", [&](Context&) {
    const Optimizer& of = *optimizer(o);
    gradus_optimizer_info i{};
    i.group_count = of.groups.size();
    i.param_count = of.parameters.size();
    i.setting_count = of.info.settings.size();
    i.algorithm = of.info.name;
    fill_info(info, i);
  });
}
gradus_status gradus_optimizer_param(gradus_context* ctx, const gradus_optimizer* o, size_t position, int64_t* group, gradus_tensor** param) {
  if (group) *group = 0;
  return guard_result(ctx, "optimizer_param", param, [&](Context&) {
    const Optimizer& of = *optimizer(o);
    GRADUS_CHECK(position < of.parameters.size(), index, "parameter {} of {}", position, of.parameters.size());
    if (group) *group = static_cast<int64_t>(of.parameters[position].group);
    return give(of.parameters[position].tensor);
  });
}

gradus_status gradus_optimizer_state_count(gradus_context* ctx, const gradus_optimizer* o, size_t* count) {
  return guard_result(ctx, "optimizer_state_count", count, [&](Context&) { return static_cast<size_t>(optimizer(o)->state_count()); });
}
gradus_status gradus_optimizer_state_at(gradus_context* ctx, const gradus_optimizer* o, size_t position, gradus_optimizer_state_info* info,
                                        gradus_tensor** value) {
  return guard_result(ctx, "optimizer_state_at", value, [&](Context&) {
    StateItem item = optimizer(o)->state_at(position);
    gradus_optimizer_state_info i{};
    i.param = item.parameter;
    i.name = item.name;
    fill_info(info, i);
    return give(std::move(item.value));
  });
}
gradus_status gradus_optimizer_load_state(gradus_context* ctx, gradus_optimizer* o, uint64_t param, const char* name, size_t length,
                                          const gradus_tensor* value) {
  return guard(ctx, "optimizer_load_state", [&](Context&) {
    optimizer(o)->load_state(param, text_of(name, length, "name"), Tensor::share(tensor(value, "value")));
  });
}

// ---- gradients
gradus_status gradus_clip_grad_norm(gradus_context* ctx, gradus_tensor* const* list, size_t count, double max_norm, double norm_type,
                                    int32_t error_if_nonfinite, double* total_norm) {
  if (total_norm) *total_norm = 0;
  return guard(ctx, "clip_grad_norm", [&](Context&) {
    const double total = clip_grad_norm(tensors(list, count, "tensors"), max_norm, norm_type, error_if_nonfinite != 0);
    if (total_norm) *total_norm = total;
  });
}
gradus_status gradus_clip_grad_value(gradus_context* ctx, gradus_tensor* const* list, size_t count, double clip_value) {
  return guard(ctx, "clip_grad_value", [&](Context&) { clip_grad_value(tensors(list, count, "tensors"), clip_value); });
}

// ---- schedulers
gradus_status gradus_scheduler_create(gradus_context* ctx, gradus_optimizer* o, const char* name, size_t length, const gradus_setting* settings,
                                      size_t setting_count, size_t setting_bytes, gradus_scheduler** result) {
  return guard_result(ctx, "scheduler_create", result, [&](Context&) {
    const auto list = settings_of(settings, setting_count, setting_bytes);
    auto held = Ref<Optimizer>::share(optimizer(o));
    return reinterpret_cast<gradus_scheduler*>(new Scheduler(std::move(held), text_of(name, length, "name"), list));
  });
}
gradus_status gradus_scheduler_step(gradus_context* ctx, gradus_scheduler* s) {
  return guard(ctx, "scheduler_step", [&](Context&) { scheduler(s)->step(); });
}
gradus_status gradus_scheduler_step_metric(gradus_context* ctx, gradus_scheduler* s, double metric) {
  return guard(ctx, "scheduler_step_metric", [&](Context&) { scheduler(s)->step(metric); });
}
gradus_status gradus_scheduler_state_at(gradus_context* ctx, gradus_scheduler* s, size_t position, gradus_setting* entry) {
  return guard_result(ctx, "scheduler_state_at", entry, [&](Context&) {
    const auto& all = scheduler(s)->state();
    GRADUS_CHECK(position < all.size(), index, "entry {} of {}", position, all.size());
    return gradus_setting{all[position].second, all[position].first.c_str(), nullptr};
  });
}
gradus_status gradus_scheduler_load_state(gradus_context* ctx, gradus_scheduler* s, const char* name, size_t length, double value) {
  return guard(ctx, "scheduler_load_state", [&](Context&) { scheduler(s)->load_state(text_of(name, length, "name"), value); });
}

// ---- first values
gradus_status gradus_init_xavier(gradus_context* ctx, gradus_tensor* t, int32_t draw, double gain) {
  return guard(ctx, "init_xavier", [&](Context&) { init_xavier(shared(t), draw_of(draw), gain); });
}
gradus_status gradus_init_kaiming(gradus_context* ctx, gradus_tensor* t, int32_t draw, double slope, int32_t fan, const char* nonlinearity, size_t length) {
  return guard(ctx, "init_kaiming", [&](Context&) {
    init_kaiming(shared(t), draw_of(draw), slope, fan_of(fan), text_of(nonlinearity, length, "nonlinearity"));
  });
}
gradus_status gradus_init_orthogonal(gradus_context* ctx, gradus_tensor* t, double gain) {
  return guard(ctx, "init_orthogonal", [&](Context&) { init_orthogonal(shared(t), gain); });
}
gradus_status gradus_init_trunc_normal(gradus_context* ctx, gradus_tensor* t, double mean, double std, double low, double high) {
  return guard(ctx, "init_trunc_normal", [&](Context&) { init_trunc_normal(shared(t), mean, std, low, high); });
}
gradus_status gradus_init_gain(gradus_context* ctx, const char* nonlinearity, size_t length, double slope, double* gain) {
  return guard_result(ctx, "init_gain", gain, [&](Context&) { return gain_of(text_of(nonlinearity, length, "nonlinearity"), slope); });
}
