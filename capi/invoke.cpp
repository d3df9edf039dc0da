// Operations by name: the generic call and the batch.
#include "capi/invoke.h"

#include <vector>

#include "base/interrupt.h"
#include "capi/names.h"
#include "graph/out.h"
#include "ops/lists.h"

using namespace gradus;
using namespace gradus::capi;

namespace gradus::capi {


void check_value(const Op& op, int position, const Value& v) {
  const auto& arguments = op.info->schema.arguments;
  const bool known = position < static_cast<int>(arguments.size());
  const char* what = known ? argument_name(*op.info, static_cast<size_t>(position)) : "argument";
  switch (v.tag) {
    case Tag::absent: case Tag::none: case Tag::boolean: case Tag::integer: case Tag::real: case Tag::complex: case Tag::dtype: return;
    case Tag::tensor:
      if (!is(v.t, Kind::tensor)) refuse_handle(v.t, Kind::tensor, what, position);
      return;
    case Tag::text: case Tag::integers: case Tag::reals: case Tag::tensors:
      if (v.length > kLongest) throw Error(Status::value, format("{}: argument '{}' has length {}", name(op), what, v.length), position);
      if (!v.p && v.length > 0) throw Error(Status::null, format("{}: argument '{}' is null with length {}", name(op), what, v.length), position);
      if (v.tag == Tag::tensors)
        for (const Tensor& t : v.list())                      // whether gaps are allowed is the schema's
          if (t.impl() && !is(t.impl(), Kind::tensor)) refuse_handle(t.impl(), Kind::tensor, what, position);
      return;
    default: throw Error(Status::value, format("{}: argument '{}' has the unknown kind {}", name(op), what, static_cast<int>(v.tag)), position);
  }
}

void no_op(int which) { fail(Status::internal, "the library has no operation {}", which); }

void return_list(Tensors& out, gradus_tensor** results, size_t capacity, size_t* count) {
  if (count) *count = out.size();
  GRADUS_CHECK(out.size() <= capacity, value, "{} results, room for {}", out.size(), capacity);
  needed(results, "results");
  needed(count, "count");
  for (size_t i = 0; i < out.size(); ++i) results[i] = give(std::move(out[i]));
}

}  // namespace gradus::capi

namespace {

const Op& op_of(const gradus_op* op) {
  if (!is(op, Kind::op)) refuse_handle(op, Kind::op, "op");
  return *op_info(op)->op;
}

const Value* values(const gradus_value* v) { return reinterpret_cast<const Value*>(v); }

void return_values(Tensors& out, gradus_value* results, size_t capacity, size_t* count) {
  if (count) *count = out.size();
  if (!results) return;
  GRADUS_CHECK(out.size() <= capacity, value, "{} results, room for {}", out.size(), capacity);
  for (size_t i = 0; i < out.size(); ++i) results[i] = {GRADUS_V_TENSOR, 0, {.tensor = give(std::move(out[i]))}, 0};
}

void clear(gradus_value* results, size_t capacity) {
  if (results && capacity <= kLongest) std::memset(static_cast<void*>(results), 0, capacity * sizeof(gradus_value));
}

void check_count(const Op& op, uint64_t n, const void* arguments) {
  GRADUS_CHECK(n <= op.info->schema.arguments.size(), argument, "{}: {} arguments given, at most {} taken", name(op), n, op.info->schema.arguments.size());
  GRADUS_CHECK(arguments || n == 0, null, "{}: 'arguments' is null with a count of {}", name(op), n);
}

// The op, once it is known that the arguments can be its own.
const Op& checked(const gradus_op* handle, const gradus_value* arguments, size_t count) {
  const Op& op = op_of(handle);
  check_count(op, count, arguments);
  check_values(op, values(arguments), static_cast<int>(count));
  return op;
}

// The calls of one batch, and the results they keep for each other.
class Batch {
 public:
  Batch(Context& c, void* calls, size_t count, size_t bytes) : context_(c), calls_(static_cast<char*>(calls)), count_(count), bytes_(bytes) {
    GRADUS_CHECK(bytes >= sizeof(gradus_call), argument, "call_bytes {} is less than {}", bytes, sizeof(gradus_call));
    GRADUS_CHECK(bytes <= kLargestStruct && bytes % alignof(gradus_call) == 0, argument, "call_bytes {} is no size of a struct", bytes);
    GRADUS_CHECK(count <= kLongest, value, "{} calls", count);
    check_list(calls, count, "calls");
    kept_.resize(count);
  }
  gradus_call& at(size_t i) { return *reinterpret_cast<gradus_call*>(calls_ + i * bytes_); }

  void prepare() {
    for (size_t i = 0; i < count_; ++i) {
      gradus_call& c = at(i);
      const char* bytes = reinterpret_cast<const char*>(&c);
      for (size_t k = sizeof(gradus_call); k < bytes_; ++k)
        GRADUS_CHECK(bytes[k] == 0, unknown_field, "call {} has fields set that this library does not know", i);
      GRADUS_CHECK(c.reserved0 == 0, unknown_field, "call {}: reserved0 is not 0", i);
      c.result_count = 0;
      clear(c.results, c.result_capacity);
    }
  }
  void run(size_t i) {
    host_.step(i, "batch");
    gradus_call& c = at(i);
    const Op& op = op_of(c.op);
    check_count(op, c.argument_count, c.arguments);
    Value v[kMaxArguments];
    const int n = static_cast<int>(c.argument_count);
    for (int k = 0; k < n; ++k) v[k] = resolve(op, k, values(c.arguments)[k], i);
    check_values(op, v, n);
    Tensors& out = kept_[i];
    call(op, v, n, out);
    Tensors given = out;                                      // later calls may want them too
    size_t made = 0;
    try {
      return_values(given, c.results, c.result_capacity, &made);
    } catch (...) {
      c.result_count = made;
      throw;
    }
    c.result_count = made;
  }

 private:
  Value resolve(const Op& op, int position, const Value& v, size_t now) const {
    if (v.tag != Tag::result_of) return v;
    if (v.i < 0 || static_cast<uint64_t>(v.i) >= now || v.aux >= kept_[static_cast<size_t>(v.i)].size())
      throw Error(Status::index, format("{}: argument {} names result {} of call {}, which is not there", name(op), position, v.aux, v.i), position);
    return Value(kept_[static_cast<size_t>(v.i)][v.aux]);
  }

  Context& context_;
  Interrupt host_{&context_};
  char* calls_;
  size_t count_, bytes_;
  std::vector<Tensors> kept_;
};

}  // namespace

gradus_status gradus_invoke(gradus_context* ctx, const gradus_op* handle, const gradus_value* arguments, size_t argument_count,
                            gradus_value* results, size_t result_capacity, size_t* result_count) {
  if (result_count) *result_count = 0;
  clear(results, result_capacity);
  const char* where = is(handle, Kind::op) ? op_info(handle)->name.c_str() : "invoke";
  return guard(ctx, where, [&](Context&) {
    const Op& op = checked(handle, arguments, argument_count);
    Tensors out;
    call(op, values(arguments), static_cast<int>(argument_count), out);
    return_values(out, results, result_capacity, result_count);
  });
}

gradus_status gradus_invoke_out(gradus_context* ctx, const gradus_op* handle, const gradus_value* arguments, size_t argument_count,
                                gradus_tensor* const* outs, size_t out_count) {
  const char* where = is(handle, Kind::op) ? op_info(handle)->name.c_str() : "invoke_out";
  return guard(ctx, where, [&](Context&) {
    const Op& op = checked(handle, arguments, argument_count);
    call_out(op, values(arguments), static_cast<int>(argument_count), tensors(outs, out_count, "outs"));
  });
}

gradus_status gradus_invoke_batch(gradus_context* ctx, gradus_call* calls, size_t call_count, size_t call_bytes, size_t* done) {
  size_t finished = 0;
  if (done) *done = 0;
  const gradus_status s = guard(ctx, "invoke_batch", [&](Context& c) {
    Batch batch(c, calls, call_count, call_bytes);
    batch.prepare();
    for (; finished < call_count; ++finished) {
      const gradus_call& call = batch.at(finished);
      try {
        batch.run(finished);
      } catch (const Error& e) {
        write_error(c, number(e.status()), e.what(), call.label ? call.label : "invoke_batch", e.argument(), 0);
        throw CallbackFailed(e.status());                     // the record is complete
      }
    }
  });
  if (done) *done = finished;
  return s;
}
