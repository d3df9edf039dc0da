// Checkpoints with the host's code inside.
#include "graph/checkpoint.h"

#include "capi/callback.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

CheckpointOptions options_of(const gradus_checkpoint_options* given) {
  const gradus_checkpoint_options o = read_options(given);
  constexpr uint32_t known = GRADUS_CHECKPOINT_NEW_RANDOM | GRADUS_CHECKPOINT_WHOLE | GRADUS_CHECKPOINT_UNCHECKED;
  check_flags(o.flags, known);
  GRADUS_CHECK(!o.reserved0 && !o.reserved1, unknown_field, "reserved0 or reserved1 is not null");
  check_list(o.kept, o.kept_count, "kept");
  GRADUS_CHECK(o.kept_count < (uint64_t{1} << 16), value, "'kept' has a count of {}", o.kept_count);
  CheckpointOptions c;
  c.keep_random = !(o.flags & GRADUS_CHECKPOINT_NEW_RANDOM);
  c.early_stop = !(o.flags & GRADUS_CHECKPOINT_WHOLE);
  c.check = !(o.flags & GRADUS_CHECKPOINT_UNCHECKED);
  for (uint64_t i = 0; i < o.kept_count; ++i) {
    if (!is(o.kept[i], Kind::op)) refuse_handle(o.kept[i], Kind::op, "kept");
    c.kept.push_back(op_info(o.kept[i])->op);
  }
  return c;
}

// The host's choice of what is kept; it has the user data of the segment.
template <class Fn> void ask(CheckpointOptions& c, const gradus_checkpoint_options* given, const Callback<Fn>& f) {
  const gradus_keep_fn keep = read_options(given).keep;
  if (!keep) return;
  c.keep = [keep, f](const Op& op, const Args& args) {
    Context& now = context();
    now.error.status = GRADUS_OK;
    int32_t yes = 0;
    const auto* values = reinterpret_cast<const gradus_value*>(args.values());
    const gradus_status answer = ask_host("keep callback", [&] {
      return keep(f.user(), capi::handle(&now), capi::handle(op.info), values, op.info->schema.arguments.size(), &yes);
    });
    Callback<Fn>::check(answer, "keep callback");
    return yes != 0;
  };
}

void take_results(ReturnedList& from, size_t n, Tensors& to) {
  for (size_t i = 0; i < n; ++i) {
    to.push_back(from.take(i, "result"));
    if (!to.back()) refuse_handle(nullptr, Kind::tensor, "result");
  }
}

}  // namespace

gradus_status gradus_checkpoint(gradus_context* ctx, gradus_segment_fn segment, void* user, gradus_destroy_fn destroy, gradus_tensor* const* inputs,
                                size_t input_count, const gradus_checkpoint_options* options, gradus_tensor** results, size_t capacity,
                                size_t* count) {
  if (count) *count = 0;
  clear(results, capacity);
  return guard(ctx, "checkpoint", [&](Context&) {
    const Callback<gradus_segment_fn> f(needed(segment, "segment"), user, destroy);
    needed(count, "count");
    check_room(results, capacity, "results");
    GRADUS_CHECK(capacity <= kLongest, value, "'capacity' is {}", capacity);
    CheckpointOptions o = options_of(options);
    ask(o, options, f);
    const auto run = [f, capacity](const Tensors& in, Tensors& out) {
      ReturnedList r(capacity);
      size_t made = 0;
      f.run("segment", handles(in), in.size(), r.data(), capacity, &made);
      GRADUS_CHECK(made <= capacity, value, "checkpoint: {} results, room for {}", made, capacity);
      take_results(r, made, out);
    };
    Tensors out;
    checkpoint(run, tensors(inputs, input_count, "inputs", true), o, out);
    f.arm();
    *count = out.size();
    for (size_t i = 0; i < out.size(); ++i) results[i] = give(std::move(out[i]));
  });
}

gradus_status gradus_checkpoint_loop(gradus_context* ctx, gradus_step_fn step, void* user, gradus_destroy_fn destroy, int64_t steps,
                                     gradus_tensor* const* state, size_t state_count, const gradus_checkpoint_options* options, gradus_tensor** results) {
  clear(results, state_count);
  return guard(ctx, "checkpoint_loop", [&](Context&) {
    const Callback<gradus_step_fn> f(needed(step, "step"), user, destroy);
    needed(results, "results");
    CheckpointOptions o = options_of(options);
    ask(o, options, f);
    const auto run = [f](int64_t i, const Tensors& in, Tensors& out) {
      ReturnedList r(in.size());
      f.run("step", i, handles(in), in.size(), r.data());
      take_results(r, in.size(), out);
    };
    Tensors out;
    checkpoint_loop(run, steps, tensors(state, state_count, "state"), o, out);
    f.arm();
    for (size_t i = 0; i < out.size(); ++i) results[i] = give(std::move(out[i]));
  });
}
