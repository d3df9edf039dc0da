// gradus/functional.hpp - derivatives of functions: PyTorch's torch.autograd.functional.
//
//   auto j = gradus::autograd::jacobian([](const Tensor& x) { return x.sin(); }, x);
//
// A function takes const std::vector<Tensor>&, or one, two or three tensors, and returns one tensor or several. It is called
// with inputs that require grad and have no history, so neither the given tensors nor their .grad take part. With create_graph
// the results can be differentiated again with respect to the given inputs. An input or output that does not matter gives zeros,
// or with strict an error.
#ifndef GRADUS_FUNCTIONAL_HPP
#define GRADUS_FUNCTIONAL_HPP

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {
namespace autograd {

// What functions of several tensors take and return.
using Tensors = std::vector<Tensor>;

// As the keywords of torch.autograd.functional.
struct FunctionalOptions {
  bool create_graph = false;                                  // the results have a history of their own
  bool strict = false;                                        // GRADUS_E_STATE where a derivative is zero because nothing depends on it
};

namespace detail {
using namespace v1::detail;

inline Error wrong(gradus_status status, const char* what, const std::string& why) { return Error(status, std::string(what) + ": " + why, what); }

// Inputs of a call: views of the given ones under create_graph, else tensors without history.
inline Tensors inputs_of(const TensorList& given, bool create_graph) {
  Tensors x;
  for (size_t i = 0; i < given.size(); ++i) {
    const Tensor t = Tensor::share(given.data()[i]);
    x.push_back(create_graph && t.requires_grad() ? t.view_as(t) : t.detach().requires_grad_());
  }
  return x;
}
template <class F> Tensors outputs_of(F& f, const Tensors& x, const char* what, bool strict) {
  Tensors y = listed(apply_to(f, x));
  if (y.empty()) throw wrong(GRADUS_E_VALUE, what, "the function returned no tensors");
  for (size_t k = 0; k < y.size(); ++k)
    if (strict && !y[k].requires_grad()) throw wrong(GRADUS_E_STATE, what, "output " + std::to_string(k) + " does not depend on the inputs");
  return y;
}
// Directions: as given, or ones where there is just one element.
inline Tensors directions(const Tensors& given, const Tensors& of, const char* what) {
  if (given.empty()) {
    if (of.size() != 1 || of[0].numel() != 1) throw wrong(GRADUS_E_VALUE, what, "v may be left out only for one tensor of one element");
    return {ones_like(of[0].detach())};
  }
  if (given.size() != of.size()) throw wrong(GRADUS_E_VALUE, what, std::to_string(given.size()) + " tensors v for " + std::to_string(of.size()));
  for (size_t i = 0; i < of.size(); ++i)
    if (given[i].sizes() != of[i].sizes()) throw wrong(GRADUS_E_SHAPE, what, "v " + std::to_string(i) + " has another shape than its tensor");
  return given;
}
// v' J by input; zeros, or with strict an error, for those that do not matter.
inline Tensors pull(const Tensors& y, const Tensors& x, const Tensors& v, bool record, const char* what, bool strict) {
  Tensors outputs, seeds, out(x.size());
  for (size_t k = 0; k < y.size(); ++k)
    if (y[k].requires_grad()) outputs.push_back(y[k]), seeds.push_back(v[k]);
  if (!outputs.empty()) {
    BackwardOptions o;
    o.create_graph = record;
    o.retain_graph = true;
    out = grad(outputs, x, seeds, o, Unused::none);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    if (strict && !out[i]) throw wrong(GRADUS_E_STATE, what, "nothing depends on input " + std::to_string(i));
    if (strict && record && !out[i].requires_grad()) throw wrong(GRADUS_E_STATE, what, "the derivative by input " + std::to_string(i) + " is constant");
    if (!out[i]) out[i] = zeros_like(x[i].detach());
  }
  return out;
}
// J u by output: the derivative of v' J by v, for any v, is J u.
inline Tensors push(const Tensors& y, const Tensors& x, const Tensors& u, bool record, const char* what, bool strict) {
  Tensors v, out;
  for (const Tensor& t : y) v.push_back(zeros_like(t.detach()).requires_grad_());
  const Tensors g = pull(y, x, v, true, what, strict);
  Tensors recorded, along;
  for (size_t i = 0; i < g.size(); ++i)
    if (g[i].requires_grad()) recorded.push_back(g[i]), along.push_back(u[i]);
  if (recorded.empty()) out.resize(y.size());
  else {
    BackwardOptions o;
    o.create_graph = record;
    o.retain_graph = true;
    out = grad(recorded, v, along, o, Unused::none);
  }
  for (size_t k = 0; k < y.size(); ++k) {
    if (strict && !out[k]) throw wrong(GRADUS_E_STATE, what, "output " + std::to_string(k) + " does not depend on the inputs");
    if (!out[k]) out[k] = zeros_like(y[k].detach());
  }
  return out;
}
inline Tensors finished(Tensors t, bool create_graph) {
  if (!create_graph)
    for (Tensor& e : t) e = e.detach();
  return t;
}
template <class F> Tensor one_number(F& f, const Tensors& x, const char* what, bool strict) {
  const Tensors y = outputs_of(f, x, what, strict);
  if (y.size() != 1 || y[0].numel() != 1) throw wrong(GRADUS_E_VALUE, what, "the function has to return one tensor of one element");
  return y[0];
}
}  // namespace detail

// Outputs of a function, and a product with its derivative.
struct Products {
  Tensors outputs;                                            // what the function returned
  Tensors values;                                             // the product asked for
};

// v' J: values by input. v: one for each output, none for a single output of one element.
template <class F> Products vjp(F&& f, const TensorList& inputs, const Tensors& v = {}, FunctionalOptions o = {}) {
  const EnableGradGuard on;
  const Tensors x = detail::inputs_of(inputs, o.create_graph), y = detail::outputs_of(f, x, "vjp", o.strict);
  Tensors g = detail::pull(y, x, detail::directions(v, y, "vjp"), o.create_graph, "vjp", o.strict);
  return {detail::finished(y, o.create_graph), detail::finished(std::move(g), o.create_graph)};
}

// J v: values by output. v: one for each input, none for a single input of one element. Two passes backward.
template <class F> Products jvp(F&& f, const TensorList& inputs, const Tensors& v = {}, FunctionalOptions o = {}) {
  const EnableGradGuard on;
  const Tensors x = detail::inputs_of(inputs, o.create_graph), u = detail::directions(v, x, "jvp"), y = detail::outputs_of(f, x, "jvp", o.strict);
  Tensors d = detail::push(y, x, u, o.create_graph, "jvp", o.strict);
  return {detail::finished(y, o.create_graph), detail::finished(std::move(d), o.create_graph)};
}

// By output and input: a tensor whose sizes are those of the output followed by those of the input. A pass for each element of the outputs.
template <class F> std::vector<Tensors> jacobian(F&& f, const TensorList& inputs, FunctionalOptions o = {}) {
  const EnableGradGuard on;
  const Tensors x = detail::inputs_of(inputs, o.create_graph), y = detail::outputs_of(f, x, "jacobian", o.strict);
  std::vector<Tensors> all;
  for (const Tensor& t : y) {
    std::vector<Tensors> rows(x.size());                      // by input, for each element of the output
    const Tensor flat = t.reshape({-1});
    for (int64_t i = 0; i < flat.numel(); ++i) {
      const Tensors g = detail::pull({flat[i]}, x, {ones_like(flat[i].detach())}, o.create_graph, "jacobian", o.strict);
      for (size_t j = 0; j < x.size(); ++j) rows[j].push_back(g[j]);
    }
    Tensors blocks;
    for (size_t j = 0; j < x.size(); ++j) {
      std::vector<int64_t> sizes = t.sizes(), inner = x[j].sizes();
      sizes.insert(sizes.end(), inner.begin(), inner.end());
      blocks.push_back(rows[j].empty() ? zeros(sizes, x[j].dtype()) : stack(rows[j]).reshape(sizes));
    }
    all.push_back(detail::finished(std::move(blocks), o.create_graph));
  }
  return all;
}
// Of a function of one tensor that returns one.
template <class F> Tensor jacobian(F&& f, const Tensor& input, FunctionalOptions o = {}) {
  const auto all = jacobian(std::forward<F>(f), TensorList{input}, o);
  if (all.size() != 1) throw detail::wrong(GRADUS_E_VALUE, "jacobian", "the function returned several tensors: give a list of inputs");
  return all[0][0];
}

// Of a function that returns one element: by input and input, the Jacobian of its gradient.
template <class F> std::vector<Tensors> hessian(F&& f, const TensorList& inputs, FunctionalOptions o = {}) {
  const auto gradient = [&](const Tensors& x) {
    const Tensor y = detail::one_number(f, x, "hessian", o.strict);
    return detail::pull({y}, x, {ones_like(y.detach())}, true, "hessian", o.strict);
  };
  return jacobian(gradient, inputs, o);
}
template <class F> Tensor hessian(F&& f, const Tensor& input, FunctionalOptions o = {}) { return hessian(std::forward<F>(f), TensorList{input}, o)[0][0]; }

// v' H and H v of a function that returns one element; outputs is its value. vhp is one pass over a pass, hvp two, which is slower:
// the Hessian is symmetric, so vhp serves where the function is twice continuously differentiable.
namespace detail {
template <class F, class Second>
Products second_order(F&& f, const TensorList& inputs, const Tensors& v, FunctionalOptions o, const char* what, Second second) {
  const EnableGradGuard on;
  const Tensors x = inputs_of(inputs, o.create_graph), u = directions(v, x, what);
  const Tensor y = one_number(f, x, what, o.strict);
  const Tensors g = pull({y}, x, {ones_like(y.detach())}, true, what, o.strict);
  return {finished({y}, o.create_graph), finished(second(g, x, u, o.create_graph, what, o.strict), o.create_graph)};
}
}  // namespace detail
template <class F> Products vhp(F&& f, const TensorList& inputs, const Tensors& v = {}, FunctionalOptions o = {}) {
  return detail::second_order(f, inputs, v, o, "vhp", detail::pull);
}
template <class F> Products hvp(F&& f, const TensorList& inputs, const Tensors& v = {}, FunctionalOptions o = {}) {
  return detail::second_order(f, inputs, v, o, "hvp", detail::push);
}

}  // namespace autograd
}  // namespace v1
}  // namespace gradus
#endif
