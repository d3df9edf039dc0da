// Complex tensors as gradcheck sees them: pairs of real numbers, of which each is moved by itself.
#pragma once
#include "autograd/gradcheck.h"
#include "graph/history.h"
#include "ops/ops.h"

namespace gradus {

// The same leaf as pairs, in the same memory; what is not complex is itself.
inline Tensor pairs_of(const Tensor& t) {
  if (!t || !is_complex(t.dtype())) return t;
  const Tensor p = detach(view_as_real(detach(t)));
  if (needs_grad(t.impl())) set_requires_grad(p.impl(), true);
  return p;
}
inline Tensors pairs_of(std::span<const Tensor> list) {
  Tensors out;
  for (const Tensor& t : list) out.push_back(pairs_of(t));
  return out;
}

// f as a function of pairs, with pairs as results.
inline GradcheckFunction over_pairs(const GradcheckFunction& f, std::span<const Tensor> inputs) {
  return [&f, inputs](std::span<const Tensor> pairs) {
    Tensors given;
    for (size_t i = 0; i < pairs.size(); ++i) given.push_back(is_complex(inputs[i].dtype()) ? view_as_complex(pairs[i]) : pairs[i]);
    Tensors results = f(given);
    for (Tensor& t : results)
      if (t && is_complex(t.dtype())) t = view_as_real(t);
    return results;
  };
}

}  // namespace gradus
