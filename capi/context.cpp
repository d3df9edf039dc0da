// Contexts, and the references of every kind of handle.
#include <sys/random.h>

#include <cerrno>
#include <new>

#include "capi/invoke.h"
#include "base/host.h"
#include "graph/observer.h"
#include "graph/custom.h"
#include "graph/saved_copies.h"
#include "ops/lists.h"
#include "optim/scheduler.h"
#include "io/file.h"
#include "profile/anomaly.h"
#include "profile/logger.h"
#include "profile/profile.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

uint64_t seed_of_the_system() {
  uint64_t seed = 0;
  for (char *at = reinterpret_cast<char*>(&seed), *end = at + sizeof seed; at < end;) {
    const ssize_t n = getrandom(at, static_cast<size_t>(end - at), 0);
    GRADUS_CHECK(n > 0 || errno == EINTR, io, "the system gives no random numbers");
    if (n > 0) at += n;
  }
  return seed;
}

Context* make_context(const gradus_context_options& o) {
  GRADUS_CHECK(!o.alloc == !o.dealloc, argument, "alloc and dealloc go together");
  GRADUS_CHECK(o.threads >= 0, argument, "{} threads", o.threads);
  check_flags(o.flags, GRADUS_CTX_POLLED_DESTROY | GRADUS_CTX_DETERMINISTIC);
  define_all_ops();
  [[maybe_unused]] static const bool found = (find_ops(), true);   // once: other threads may be reading
  const uint64_t seed = o.seed ? o.seed : seed_of_the_system();
  auto* c = new Context;
  c->threads = o.threads;
  c->deterministic = o.flags & GRADUS_CTX_DETERMINISTIC;
  c->log_level = o.log_level;
  c->log = o.log;
  c->interrupt = o.interrupt;
  c->user = o.user;
  c->generator.seed = seed;
  try {                                                       // blocks outlive contexts: the allocator keeps user then
    start_logger(*c);
    if (o.flags & GRADUS_CTX_POLLED_DESTROY) c->destroys = make_destroy_queue();
    if (o.alloc) c->allocator = make_allocator(o.alloc, o.dealloc, o.user, o.destroy);
    else c->destroy = o.destroy;
  } catch (...) {
    stop_observing(*c);
    if (c->destroys) close_destroy_queue(c->destroys);
    delete c;
    throw;
  }
  count_live(Live::contexts, 1);
  return c;
}

}  // namespace

void gradus::capi::free_context(Context* c) {
  stop_observing(*c);
  c->kind = Kind::dead;
  free_saved_copies(*c);
  if (c->saved_hooks) release(c->saved_hooks);
  if (c->allocator) release(c->allocator);
  if (c->destroys) close_destroy_queue(c->destroys);
  if (c->destroy) run_destroy(c->destroy, c->user);
  count_live(Live::contexts, -1);
  delete c;
}

namespace {

void release_context(Context* c) {
  if (!c->refs.down()) return;
  if (c->busy.load(std::memory_order_relaxed) == t_thread) c->released = true;   // from a callback: its call goes on to the end
  else free_context(c);
}

gradus_status set_mode(gradus_context* ctx, const char* where, bool Context::*mode, int32_t on, int32_t* previous) {
  if (previous) *previous = 0;
  return guard(ctx, where, [&](Context& c) {
    const bool before = std::exchange(c.*mode, on != 0);
    if (previous) *previous = before;
  });
}

}  // namespace

void gradus_retain(void* handle) {
  if (!handle) return;
  switch (kind_of(handle)) {
    case Kind::context: static_cast<Context*>(handle)->refs.up(); break;
    case Kind::tensor: retain(static_cast<TensorImpl*>(handle)); break;
    case Kind::node: retain(static_cast<Node*>(handle)); break;
    case Kind::profile: retain(static_cast<Profile*>(handle)); break;
    case Kind::optimizer: retain(static_cast<Optimizer*>(handle)); break;
    case Kind::scheduler: retain(static_cast<Scheduler*>(handle)); break;
    case Kind::call: retain(static_cast<FunctionCall*>(handle)); break;
    case Kind::file: retain(static_cast<File*>(handle)); break;
    default: break;
  }
}

void gradus_release(void* handle) {
  const Thread* me = handle ? thread_or_null() : nullptr;
  if (!me || me->orphan) return;                              // without memory for a thread's record nothing can be freed
  switch (kind_of(handle)) {
    case Kind::context: release_context(static_cast<Context*>(handle)); break;
    case Kind::tensor: release(static_cast<TensorImpl*>(handle)); break;
    case Kind::node: release(static_cast<Node*>(handle)); break;
    case Kind::profile: release(static_cast<Profile*>(handle)); break;
    case Kind::optimizer: release(static_cast<Optimizer*>(handle)); break;
    case Kind::scheduler: release(static_cast<Scheduler*>(handle)); break;
    case Kind::call: release(static_cast<FunctionCall*>(handle)); break;
    case Kind::file: release(static_cast<File*>(handle)); break;
    default: break;
  }
}

gradus_status gradus_context_create(const gradus_context_options* options, gradus_context** context) {
  if (!context) return GRADUS_E_NULL;
  *context = nullptr;
  const SettingUp in;
  if (!in) return refused(nullptr);
  try {
    *context = handle(make_context(read_options(options)));
    return GRADUS_OK;
  } catch (const Error& e) {
    return number(e.status());
  } catch (const std::bad_alloc&) {
    return GRADUS_E_MEMORY;
  } catch (...) {
    return GRADUS_E_INTERNAL;
  }
}

void gradus_context_error(const gradus_context* ctx, gradus_error* error) {
  if (!error) return;
  gradus_error e{};
  if (is(ctx, Kind::context)) {
    const ErrorRecord& r = core<Context>(ctx)->error;
    e = {0, r.status, r.argument, 0, r.length, r.user_code, r.message, r.where};
  } else {
    const std::string_view text = ctx ? "the context is released, or another kind of handle" : "the context is null";
    e = {0, ctx ? GRADUS_E_HANDLE : GRADUS_E_NULL, -1, 0, text.size(), 0, text.data(), ""};
  }
  write_info(error, e);
}

gradus_status gradus_context_fail(gradus_context* ctx, gradus_status status, int64_t user_code, const char* message, size_t length) {
  if (!is(ctx, Kind::context)) return ctx ? GRADUS_E_HANDLE : GRADUS_E_NULL;
  if (status == GRADUS_OK || !is_status(status)) status = GRADUS_E_CALLBACK;
  Context& c = *core<Context>(ctx);
  Thread* owner = c.busy.load(std::memory_order_relaxed);     // the thread that runs the callback, or nobody
  if (owner && owner != t_thread) return GRADUS_E_BUSY;
  write_error(c, status, message && length <= kLongest ? std::string_view(message, length) : std::string_view(), "callback", -1, user_code);
  return status;
}

gradus_status gradus_context_poll(gradus_context* ctx, uint64_t* ran) {
  if (ran) *ran = 0;
  return guard(ctx, "context_poll", [&](Context& c) {
    const uint64_t n = c.destroys ? run_destroy_queue(c.destroys) : 0;
    if (ran) *ran = n;
  });
}

void gradus_context_cancel(gradus_context* ctx) {
  if (is(ctx, Kind::context)) core<Context>(ctx)->attention.fetch_or(Context::kCancelled, std::memory_order_relaxed);
}

gradus_status gradus_context_set_recording(gradus_context* ctx, int32_t on, int32_t* previous) {
  return set_mode(ctx, "context_set_recording", &Context::grad_mode, on, previous);
}
gradus_status gradus_context_set_inference(gradus_context* ctx, int32_t on, int32_t* previous) {
  return set_mode(ctx, "context_set_inference", &Context::inference_mode, on, previous);
}
gradus_status gradus_context_set_deterministic(gradus_context* ctx, int32_t on, int32_t* previous) {
  return set_mode(ctx, "context_set_deterministic", &Context::deterministic, on, previous);
}

gradus_status gradus_context_set_mutation_on_saved(gradus_context* ctx, int32_t on, int32_t* previous) {
  if (previous) *previous = 0;
  return guard(ctx, "context_set_mutation_on_saved", [&](Context& c) {
    const bool before = set_saved_copies(c, on != 0);
    if (previous) *previous = before;
  });
}

gradus_status gradus_context_set_anomaly(gradus_context* ctx, uint32_t flags, uint32_t* previous) {
  if (previous) *previous = 0;
  return guard(ctx, "context_set_anomaly", [&](Context& c) {
    constexpr uint32_t checks = GRADUS_ANOMALY_NAN | GRADUS_ANOMALY_INF, known = checks | GRADUS_ANOMALY_FORWARD | GRADUS_ANOMALY_TRACE;
    check_flags(flags, known);
    GRADUS_CHECK(!(flags & GRADUS_ANOMALY_FORWARD) || (flags & checks), value, "FORWARD says where to look, NAN or INF for what: neither is set");
    const uint32_t before = set_anomaly(c, flags);
    if (previous) *previous = before;
  });
}

gradus_status gradus_context_set_seed(gradus_context* ctx, uint64_t seed) { return gradus_context_set_random_state(ctx, seed, 0); }
gradus_status gradus_context_set_random_state(gradus_context* ctx, uint64_t seed, uint64_t offset) {
  return guard(ctx, "context_set_random_state", [&](Context& c) { c.generator = {seed, offset}; });
}

gradus_status gradus_context_describe(gradus_context* ctx, gradus_context_info* info) {
  return guard(ctx, "context_describe", [&](Context& c) {
    gradus_context_info i{};
    i.flags = bit(c.grad_mode, GRADUS_CONTEXT_RECORDING) | bit(c.inference_mode, GRADUS_CONTEXT_INFERENCE) |
              bit(c.copies, GRADUS_CONTEXT_MUTATION_ON_SAVED) | bit(c.deterministic, GRADUS_CONTEXT_DETERMINISTIC);
    i.threads = c.threads;
    i.log_level = c.log_level;
    i.seed = c.generator.seed;
    i.random_offset = c.generator.offset;
    i.saved_copies = saved_copies(c);
    i.anomaly = anomaly_flags(c);
    fill_info(info, i);
  });
}
