// Gradients against differences, of a function of the caller.
#include "autograd/gradcheck.h"

#include "capi/callback.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

constexpr size_t kResults = 64;

GradcheckOptions options_of(const gradus_gradcheck_options* given) {
  const gradus_gradcheck_options o = read_options(given);
  constexpr uint32_t known = GRADUS_GRADCHECK_FAST | GRADUS_GRADCHECK_NO_UNDEFINED | GRADUS_GRADCHECK_NO_SCALING | GRADUS_GRADCHECK_STRIDED;
  check_flags(o.flags, known);
  GradcheckOptions g;
  if (o.eps != 0) g.eps = o.eps;
  if (o.atol != 0) g.atol = o.atol;
  if (o.rtol != 0) g.rtol = o.rtol;
  g.nondet_tol = o.nondet_tol;
  g.fast = o.flags & GRADUS_GRADCHECK_FAST;
  g.undefined = !(o.flags & GRADUS_GRADCHECK_NO_UNDEFINED);
  g.scaling = !(o.flags & GRADUS_GRADCHECK_NO_SCALING);
  g.strided = o.flags & GRADUS_GRADCHECK_STRIDED;
  g.seed = o.seed;
  return g;
}

Tensors call(gradus_gradcheck_fn compute, void* user, std::span<const Tensor> inputs) {
  ReturnedList results(kResults);
  size_t count = 0;
  Callback<gradus_gradcheck_fn>(compute, user, nullptr)
      .run("function", reinterpret_cast<gradus_tensor* const*>(inputs.data()), inputs.size(), results.data(), size_t{kResults}, &count);
  GRADUS_CHECK(count <= kResults, value, "the function has {} results, and there is room for {}", count, kResults);
  Tensors taken;
  for (size_t k = 0; k < count; ++k) {
    taken.push_back(results.take(k, "results"));
    if (!taken[k]) refuse_handle(nullptr, Kind::tensor, "results", static_cast<int>(k));
  }
  return taken;
}

// The checks have all but the second argument in common.
template <class F>
gradus_status check(gradus_context* ctx, const char* where, gradus_gradcheck_fn compute, void* user, const gradus_gradcheck_options* options, int32_t* passed,
                    char* report, size_t capacity, size_t* length, F&& run) {
  if (passed) *passed = 0;
  if (length) *length = 0;
  if (report && capacity > 0) *report = 0;
  return guard(ctx, where, [&](Context&) {
    needed(compute, "compute");
    needed(passed, "passed");
    check_room(report, capacity, "report");
    const GradcheckResult r = run([compute, user](std::span<const Tensor> inputs) { return call(compute, user, inputs); }, options_of(options));
    write_text(r.report, report, capacity, length);
    *passed = r.passed;
  });
}

}  // namespace

gradus_status gradus_gradcheck(gradus_context* ctx, gradus_gradcheck_fn compute, void* user, gradus_tensor* const* inputs, size_t input_count,
                               const gradus_gradcheck_options* options, int32_t* passed, char* report, size_t capacity, size_t* length) {
  return check(ctx, "gradcheck", compute, user, options, passed, report, capacity, length, [&](const GradcheckFunction& f, const GradcheckOptions& o) {
    return gradcheck(f, tensors(inputs, input_count, "inputs"), o);
  });
}

gradus_status gradus_gradgradcheck(gradus_context* ctx, gradus_gradcheck_fn compute, void* user, gradus_tensor* const* inputs, size_t input_count,
                                   gradus_tensor* const* grad_outputs, size_t grad_output_count, const gradus_gradcheck_options* options,
                                   int32_t* passed, char* report, size_t capacity, size_t* length) {
  return check(ctx, "gradgradcheck", compute, user, options, passed, report, capacity, length, [&](const GradcheckFunction& f, const GradcheckOptions& o) {
    return gradgradcheck(f, tensors(inputs, input_count, "inputs"), tensors(grad_outputs, grad_output_count, "grad_outputs", true), o);
  });
}
