// Nothing thrown crosses the border: every kind of callback throws an int, a std::exception and a std::bad_alloc. A callback that
// computes fails with CALLBACK; where there is nobody to tell, the exception is dropped; afterwards all works, and nothing lives.
#include <cstdlib>
#include <functional>
#include <new>
#include <stdexcept>

#include "../capi_check.h"

namespace {

enum Kind { nothing, number, standard, memory };
Kind kind = nothing;
int thrown = 0;
void maybe_throw() {
  if (kind == nothing) return;
  ++thrown;
  if (kind == number) throw 7;
  if (kind == standard) throw std::runtime_error("of the host");
  throw std::bad_alloc();
}

void on_destroy(void*) { maybe_throw(); }
gradus_status hook(void*, gradus_context*, gradus_tensor*, gradus_tensor**) { maybe_throw(); return GRADUS_OK; }
gradus_status node_hook(void*, gradus_context*, gradus_tensor* const*, size_t, gradus_tensor* const*, size_t, gradus_tensor**) { maybe_throw(); return GRADUS_OK; }
gradus_status multi_hook(void*, gradus_context*, gradus_tensor* const*, size_t) { maybe_throw(); return GRADUS_OK; }
gradus_status leaf_hook(void*, gradus_context*, gradus_tensor*) { maybe_throw(); return GRADUS_OK; }
gradus_status deferred(void*, gradus_context*) { maybe_throw(); return GRADUS_OK; }
gradus_status deferring(void*, gradus_context* ctx, gradus_tensor*, gradus_tensor**) { return gradus_backward_defer(ctx, deferred, nullptr, nullptr); }
gradus_status keep(void*, gradus_context* ctx, gradus_tensor* t, const gradus_op*, gradus_tensor** replacement, void** token) {
  *token = ctx;
  gradus_retain(*replacement = t);
  return GRADUS_OK;
}
gradus_status pack(void* user, gradus_context* ctx, gradus_tensor* t, const gradus_op* op, gradus_tensor** replacement, void** token) {
  maybe_throw();
  return keep(user, ctx, t, op, replacement, token);
}
gradus_status give_back(void*, gradus_context*, gradus_tensor* replacement, void*, gradus_tensor** result) {
  gradus_retain(*result = replacement);
  return GRADUS_OK;
}
gradus_status unpack(void* user, gradus_context* ctx, gradus_tensor* replacement, void* token, gradus_tensor** result) {
  maybe_throw();
  return give_back(user, ctx, replacement, token, result);
}
void discard(void*, void*) { maybe_throw(); }
gradus_status same(void*, gradus_context*, gradus_function_call*, gradus_tensor* const* in, size_t, gradus_tensor** out, size_t, size_t* count) {
  gradus_retain(out[0] = in[0]);
  *count = 1;
  return GRADUS_OK;
}
gradus_status bad_function(void* u, gradus_context* c, gradus_function_call* f, gradus_tensor* const* in, size_t n, gradus_tensor** out, size_t m, size_t* count) {
  same(u, c, f, in, n, out, m, count);
  maybe_throw();
  return GRADUS_OK;
}
gradus_status stateful(void* u, gradus_context* c, gradus_function_call* f, gradus_tensor* const* in, size_t n, gradus_tensor** out, size_t m, size_t* count) {
  gradus_function_set_state(c, f, nullptr, on_destroy);
  return same(u, c, f, in, n, out, m, count);
}
gradus_status op_forward(void*, gradus_context*, const gradus_value* in, size_t, gradus_value* out, size_t, size_t* count) {
  maybe_throw();
  gradus_retain(in[0].u.tensor);
  out[0] = in[0];
  *count = 1;
  return GRADUS_OK;
}
gradus_status segment(void*, gradus_context* ctx, gradus_tensor* const* in, size_t, gradus_tensor** out, size_t, size_t* count) {
  maybe_throw();
  *count = 1;
  return gradus_sin(ctx, in[0], out);
}
gradus_status policy(void*, gradus_context*, const gradus_op*, const gradus_value*, size_t, int32_t* yes) { maybe_throw(); *yes = 1; return GRADUS_OK; }
gradus_status calm_segment(void*, gradus_context* ctx, gradus_tensor* const* in, size_t, gradus_tensor** out, size_t, size_t* count) {
  *count = 1;
  return gradus_sin(ctx, in[0], out);
}
gradus_status loop_step(void*, gradus_context* ctx, int64_t, gradus_tensor* const* in, size_t, gradus_tensor** out) {
  maybe_throw();
  return gradus_sin(ctx, in[0], out);
}
int32_t interrupt(void*) { maybe_throw(); return 0; }
void sink(void*, int32_t, const char*, size_t) { maybe_throw(); }
void* take(void*, size_t bytes, size_t alignment) {
  maybe_throw();
  void* p = nullptr;
  return posix_memalign(&p, alignment, bytes) == 0 ? p : nullptr;
}
void give(void*, void* block, size_t, size_t) { std::free(block); maybe_throw(); }

template <class S> S options() {
  S s;
  memset(&s, 0, sizeof s);
  s.struct_size = sizeof s;
  return s;
}
gradus_context* context_with(const std::function<void(gradus_context_options&)>& set) {
  auto o = options<gradus_context_options>();
  set(o);
  gradus_context* ctx = nullptr;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  return ctx;
}

const double ones[2] = {1, 1};
struct Leaf {
  explicit Leaf(gradus_context* c) : ctx(c), t(vector(c, ones, 2)) { OK(gradus_tensor_set_requires_grad(ctx, t, 1)); }
  ~Leaf() { gradus_release(t); }
  gradus_context* ctx;
  gradus_tensor* t;
};
gradus_status backward_of(gradus_context* ctx, gradus_tensor* t) {
  gradus_tensor* s = nullptr;
  gradus_status status = gradus_sum(ctx, t, nullptr, 0, 0, 0, &s);
  if (status == GRADUS_OK) status = gradus_backward(ctx, &s, 1, nullptr, nullptr);
  gradus_release(s);
  return status;
}
gradus_status long_pass(gradus_context* ctx, gradus_tensor* t) {                 // of more than 64 nodes: the interrupt callback is asked
  gradus_status status = GRADUS_OK;
  gradus_retain(t);
  for (int i = 0; i < 100 && status == GRADUS_OK; ++i) {
    gradus_tensor* next = nullptr;
    status = gradus_sin(ctx, t, &next);
    gradus_release(t);
    t = next;
  }
  if (status == GRADUS_OK) status = backward_of(ctx, t);
  gradus_release(t);
  return status;
}
gradus_status saving(gradus_context* ctx, gradus_pack_fn p, gradus_unpack_fn u, gradus_discard_fn d, gradus_tensor* x) {
  auto h = options<gradus_saved_hooks>();
  h.pack = p;
  h.unpack = u;
  h.discard = d;
  h.destroy = on_destroy;
  CHECK(gradus_context_push_saved_hooks(ctx, &h) == GRADUS_OK);
  gradus_tensor* y = nullptr;
  gradus_status status = gradus_sin(ctx, x, &y);
  CHECK(gradus_context_pop_saved_hooks(ctx) == GRADUS_OK);
  if (status == GRADUS_OK) status = backward_of(ctx, y);
  gradus_release(y);
  return status;
}
gradus_status applying(gradus_context* ctx, gradus_function_fn forward, gradus_function_fn vjp, gradus_tensor* x) {
  auto f = options<gradus_function>();
  f.name = "F";
  f.forward = forward;
  f.vjp = vjp;
  f.destroy = on_destroy;
  gradus_tensor* y = nullptr;
  gradus_status status = gradus_function_apply(ctx, &f, &x, 1, &y, 1, nullptr);
  if (status == GRADUS_OK) status = backward_of(ctx, y);
  gradus_release(y);
  return status;
}

using Case = std::function<gradus_status(gradus_context*, gradus_tensor*)>;
const gradus_op* host_op = nullptr;
gradus_status call_host_op(gradus_context* ctx, gradus_tensor* x) {
  gradus_value v = {}, r = {};
  v.kind = GRADUS_V_TENSOR;
  v.u.tensor = x;
  size_t count = 0;
  const gradus_status s = gradus_invoke(ctx, host_op, &v, 1, &r, 1, &count);
  CHECK(s == GRADUS_OK || r.u.tensor == nullptr);
  gradus_release(r.u.tensor);
  return s;
}

// Those that compute: they fail, and say so.
const Case computing[] = {
    [](gradus_context* c, gradus_tensor* x) { gradus_tensor_add_hook(c, x, hook, nullptr, nullptr, nullptr); return backward_of(c, x); },
    [](gradus_context* c, gradus_tensor* x) { gradus_tensor_add_hook(c, x, deferring, nullptr, nullptr, nullptr); return backward_of(c, x); },
    [](gradus_context* c, gradus_tensor* x) { gradus_tensor_add_grad_hook(c, x, leaf_hook, nullptr, nullptr, nullptr); return backward_of(c, x); },
    [](gradus_context* c, gradus_tensor* x) { gradus_tensors_add_hook(c, &x, 1, GRADUS_HOOK_ALL, multi_hook, nullptr, nullptr, nullptr); return backward_of(c, x); },
    [](gradus_context* c, gradus_tensor* x) {
      gradus_tensor* y = nullptr;
      gradus_node* n = nullptr;
      gradus_sin(c, x, &y);
      gradus_tensor_grad_fn(c, y, &n);
      gradus_node_add_hook(c, n, GRADUS_HOOK_AFTER, node_hook, nullptr, nullptr, nullptr);
      const gradus_status s = backward_of(c, y);
      gradus_release(n);
      gradus_release(y);
      return s;
    },
    [](gradus_context* c, gradus_tensor* x) { return saving(c, pack, give_back, nullptr, x); },
    [](gradus_context* c, gradus_tensor* x) {
      auto o = options<gradus_checkpoint_options>();
      o.keep = policy;
      gradus_tensor* y = nullptr;
      size_t count = 0;
      const gradus_status s = gradus_checkpoint(c, calm_segment, nullptr, nullptr, &x, 1, &o, &y, 1, &count);
      CHECK(s == GRADUS_OK || y == nullptr);
      gradus_release(y);
      return s;
    },
    [](gradus_context* c, gradus_tensor* x) { return saving(c, keep, unpack, nullptr, x); },
    [](gradus_context* c, gradus_tensor* x) { return applying(c, bad_function, same, x); },
    [](gradus_context* c, gradus_tensor* x) { return applying(c, same, bad_function, x); },
    call_host_op,
    [](gradus_context* c, gradus_tensor* x) {
      gradus_tensor* y = nullptr;
      size_t n = 0;
      const gradus_status s = gradus_checkpoint(c, segment, nullptr, on_destroy, &x, 1, nullptr, &y, 1, &n);
      gradus_release(y);
      return s;
    },
    [](gradus_context* c, gradus_tensor* x) {
      gradus_tensor* y = nullptr;
      const gradus_status s = gradus_checkpoint_loop(c, loop_step, nullptr, on_destroy, 3, &x, 1, nullptr, &y);
      gradus_release(y);
      return s;
    },
};
// Those that nobody waits for: the call succeeds.
const Case quiet[] = {
    [](gradus_context* c, gradus_tensor* x) { return gradus_tensor_add_hook(c, x, [](void*, gradus_context*, gradus_tensor*, gradus_tensor**) { return gradus_status{}; }, nullptr, on_destroy, nullptr); },
    [](gradus_context* c, gradus_tensor*) {
      static double data[2];
      const int64_t two = 2;
      gradus_tensor* t = nullptr;
      const gradus_status s = gradus_tensor_wrap(c, GRADUS_F64, 1, &two, nullptr, data, sizeof data, 0, on_destroy, nullptr, &t);
      gradus_release(t);
      return s;
    },
    [](gradus_context* c, gradus_tensor* x) { return saving(c, keep, give_back, discard, x); },
    [](gradus_context* c, gradus_tensor* x) { return applying(c, stateful, same, x); },
};

void in_calls() {
  gradus_context* ctx = new_context();
  auto d = options<gradus_op_definition>();
  d.name = "throw.op";
  d.schema = "(Tensor x) -> Tensor";
  d.forward = op_forward;
  OK(gradus_op_register(ctx, &d, &host_op));
  for (Kind k : {number, standard, memory}) {
    for (const Case& c : computing) {
      Leaf x(ctx);
      const int before = thrown;
      kind = k;
      const gradus_status s = c(ctx, x.t);
      kind = nothing;
      FAILS(s, GRADUS_E_CALLBACK, k == standard ? "of the host" : "");
      CHECK(thrown > before);
    }
    for (const Case& c : quiet) {
      const int before = thrown;
      kind = k;
      {
        Leaf x(ctx);
        OK(c(ctx, x.t));
      }
      kind = nothing;
      CHECK(thrown > before);
    }
  }
  Leaf x(ctx);
  OK(backward_of(ctx, x.t));
  gradus_release(ctx);
}

void in_contexts(bool polled) {
  for (Kind k : {number, standard, memory}) {
    gradus_context* ctx = context_with([&](gradus_context_options& o) {
      o.log = sink;
      o.log_level = 3;
      o.destroy = on_destroy;
      o.flags = polled ? GRADUS_CTX_POLLED_DESTROY : 0;
    });
    kind = k;
    {
      Leaf x(ctx);
      OK(backward_of(ctx, x.t));
      for (const Case& c : quiet) OK(c(ctx, x.t));
    }
    OK(gradus_context_poll(ctx, nullptr));
    gradus_release(ctx);
    kind = nothing;

    ctx = context_with([](gradus_context_options& o) { o.interrupt = interrupt; });
    {
      Leaf x(ctx);
      kind = k;
      const gradus_status s = long_pass(ctx, x.t);
      kind = nothing;
      FAILS(s, GRADUS_E_CALLBACK, k == standard ? "of the host" : "");
    }
    gradus_release(ctx);

    ctx = context_with([](gradus_context_options& o) { o.alloc = take; o.dealloc = give; o.destroy = on_destroy; });
    {
      Leaf x(ctx);
      gradus_tensor* y = nullptr;
      kind = k;
      const gradus_status s = gradus_sin(ctx, x.t, &y);
      kind = nothing;
      FAILS(s, k == memory ? GRADUS_E_MEMORY : GRADUS_E_CALLBACK, "");
      CHECK(y == nullptr);
      kind = k;
    }
    gradus_release(ctx);
    kind = nothing;
  }
}

}  // namespace

int main() {
  in_calls();
  in_contexts(false);
  in_contexts(true);
  std::printf("throw_test: %d exceptions\n", thrown);
  return finish("throw_test");
}
