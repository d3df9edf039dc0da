// Calls of operations from C: values are checked here, before the core sees them. The generated functions call these.
#pragma once
#include "capi/guard.h"
#include "graph/call.h"

namespace gradus::capi {

// Handles, pointers and lengths of one value. Whether the schema wants it is the core's question.
void check_value(const Op& op, int position, const Value& v);
inline void check_values(const Op& op, const Value* v, int n) {
  for (int i = 0; i < n; ++i) {
    if (v[i].tag == Tag::tensor && is(v[i].t, Kind::tensor)) [[likely]] continue;
    if (v[i].tag != Tag::absent && v[i].tag != Tag::none) check_value(op, i, v[i]);
  }
}

// ---- arguments of the generated functions; qualified there, so that a parameter may be called list
namespace arg {
inline Value given(const gradus_tensor* t) {                  // a tensor that has to be there
  Value v;
  v.tag = Tag::tensor;
  v.t = core<TensorImpl>(t);
  return v;
}
inline Value optional(const gradus_tensor* t) { return Value(core<TensorImpl>(t)); }
template <class T> Value optional(const T* number) { return number ? Value(*number) : Value(std::nullopt); }
inline Value list(const int64_t* p, size_t n) {               // null: the default
  Value v;
  if (p) { v.tag = Tag::integers; v.p = p; v.length = n; }
  else if (n) { v.tag = Tag::integers; v.p = nullptr; v.length = n; }        // refused
  return v;
}
inline Value list(const double* p, size_t n) {
  Value v;
  if (p || n) { v.tag = Tag::reals; v.p = p; v.length = n; }
  return v;
}
inline Value list(gradus_tensor* const* p, size_t n) {
  Value v;
  v.tag = Tag::tensors;
  v.p = p;
  v.length = n;
  return v;
}
inline Value text(const char* p, size_t n) {
  Value v;
  if (p || n) { v.tag = Tag::text; v.p = p; v.length = n; }
  return v;
}
inline Value dtype(int32_t number) {
  Value v;
  if (number) { v.tag = Tag::dtype; v.aux = static_cast<uint32_t>(number); }
  return v;
}
inline Value flag(int32_t on) { return Value(on != 0); }
// A number whose default is an integer: whole ones are integers, so that alpha = 2 serves integer tensors.
inline Value whole(double d) { return d == static_cast<double>(Number(d).i) ? Value(Number(d).i) : Value(d); }
}  // namespace arg

// ---- one call each; ops[which] was looked up when the first context was made
extern const Op* ops[];
[[noreturn, gnu::cold]] void no_op(int which);
void find_ops();                                              // fills ops; any number of times

template <int n> void call_checked(const Op* op, int which, const Value (&v)[n], Tensors& out) {
  if (!op) [[unlikely]] no_op(which);
  check_values(*op, v, n);
  call(*op, v, n, out);
}
template <int n> gradus_status call_one(gradus_context* ctx, int which, const char* where, const Value (&v)[n], gradus_tensor** result) {
  if (result) *result = nullptr;
  return guard(ctx, where, [&](Context&) {
    needed(result, "result");
    Tensors out;
    call_checked(ops[which], which, v, out);
    *result = give(std::move(out[0]));
  });
}
// Results that may be null: not wanted.
template <int n, int m> gradus_status call_some(gradus_context* ctx, int which, const char* where, const Value (&v)[n], gradus_tensor** const (&results)[m]) {
  for (gradus_tensor** r : results)
    if (r) *r = nullptr;
  return guard(ctx, where, [&](Context&) {
    Tensors out;
    call_checked(ops[which], which, v, out);
    for (int i = 0; i < m; ++i)
      if (results[i]) *results[i] = give(std::move(out[static_cast<size_t>(i)]));
  });
}
void return_list(Tensors& out, gradus_tensor** results, size_t capacity, size_t* count);
template <int n> gradus_status call_list(gradus_context* ctx, int which, const char* where, const Value (&v)[n], gradus_tensor** results, size_t capacity,
                                         size_t* count) {
  if (count) *count = 0;
  clear(results, capacity);
  return guard(ctx, where, [&](Context&) {
    Tensors out;
    call_checked(ops[which], which, v, out);
    return_list(out, results, capacity, count);
  });
}

}  // namespace gradus::capi
