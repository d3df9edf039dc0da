// Every op that takes complex tensors, by the samples of its record. On the real line it must compute what it computes of real
// numbers, which the oracles have judged; and its derivatives must be those of differences along both parts. Of a holomorphic
// function that leaves no other values.
#include <cstdlib>
#include <map>
#include <set>

#include "autograd/grad.h"
#include "dispatch/registry.h"
#include "fixture.h"
#include "ops/matrices.h"

namespace gradus {
namespace {

using Inputs = std::vector<Tensor>;

bool takes_complex(const Op& op) { return op.formula ? op.formula->complex != nullptr : op.info->complex; }

// What is not tried, and why.
const std::map<std::string, std::string> kNotTried = {
    {"lerp", "its weight decides from which end it starts by its absolute value"},
    {"detach", "is there to stop gradients"},
    {"detach_copy", "a copy of what detach returns"},
};
const std::map<std::string, std::string> kNoGradient = {
    {"geqrf", "says so"},
};

// Arguments that have to be real, by their positions, or have no gradient.
const std::map<std::string, std::set<size_t>> kReal = {
    {"linalg_matrix_rank", {1, 2}}, {"_linalg_pinv", {1, 2}}, {"linalg_pinv", {1, 2}}, {"cov", {2, 3}}, {"softmax", {0}}, {"log_softmax", {0}},
    {"linspace_tensor", {0, 1}}, {"logspace_tensor", {0, 1}},
};

// Vectors of a decomposition may have any factors of size 1: in their place stand the products x_i y_i^H, which do not depend on them.
Tensor products(const Tensor& x, const Tensor& y) {
  const int64_t k = std::min(x.size(-1), y.size(-1));
  return mul(tall(mt(narrow(x, -1, 0, k))), wide(mh(narrow(y, -1, 0, k))));
}
Tensors without_factors(const std::string& op, const Tensors& out) {
  if (op == "_linalg_svd" || op == "linalg_svd") return {products(out[0], mh(out[2])), out[1]};
  if (op == "svd") return {products(out[0], out[2]), out[1]};
  if (op == "_linalg_eigh" || op == "linalg_eigh" || op == "_linalg_eig" || op == "linalg_eig") return {out[0], products(out[1], out[1])};
  return out;
}
// Ops that take their first matrix to be Hermitian and read one triangle.
const std::set<std::string> kHermitian = {"linalg_cholesky_ex", "linalg_cholesky", "cholesky", "_linalg_eigh", "linalg_eigh", "linalg_eigvalsh"};

double parts_dot(const Tensor& a, const Tensor& b) {            // the real inner product
  const Tensor x = clone(view_as_real(to(detach(a), Dtype::c128))), y = clone(view_as_real(to(detach(b), Dtype::c128)));
  double s = 0;
  for (int64_t i = 0; i < x.numel(); ++i) s += x.data<double>()[i] * y.data<double>()[i];
  return s;
}
Tensor noise(SizesRef sizes, Dtype dtype, uint64_t seed) {
  Tensor t = empty(dtype, sizes);
  const int64_t n = t.numel() * (is_complex(dtype) ? 2 : 1);
  for (int64_t i = 0; i < n; ++i) {
    uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(i) * 0xd1342543de82ef95;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    t.data<double>()[i] = static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
  }
  return t;
}

// A sample's call with its float64 inputs as complex128: their own values, and imaginary parts of so much.
class Trial {
 public:
  Trial(const Op& op, const Sample& s, double imaginary) : op_(op), sample_(s) {
    const auto& arguments = op.info->schema.arguments;
    hermitian_ = kHermitian.contains(name(op));
    for (size_t i = 0; i < s.arguments.size(); ++i) hermitian_ |= arguments[i].name == "hermitian" && s.arguments[i].i != 0;
    const auto real = kReal.find(name(op));
    size_t position = 0;
    const auto add = [&](const Tensor& t) {
      const bool moves = t && t.dtype() == Dtype::f64 && (real == kReal.end() || !real->second.contains(position));
      Tensor parts = moves ? noise(t.sizes(), Dtype::f64, inputs.size()) : Tensor();
      if (hermitian_ && inputs.empty()) parts = sub(parts, mt(parts));
      inputs.push_back(moves ? call(complex_op, {t, mul(parts, imaginary)}) : t);
    };
    for (const Value& v : s.arguments) {
      if (v.tag == Tag::tensor) add(Tensor::share(v.t));
      if (v.tag == Tag::tensors) for (const Tensor& t : v.list()) add(t);
      ++position;
    }
  }
  Tensors run(const Inputs& with) const {
    std::vector<Value> values = sample_.arguments;
    size_t k = 0;
    for (Value& v : values) {
      if (v.tag == Tag::tensor) v = Value(with[k++]);
      if (v.tag != Tag::tensors) continue;
      const size_t n = v.length;
      v = Value(std::span<const Tensor>(with.data() + k, n));
      k += n;
    }
    Tensors out;
    call(op_, values.data(), static_cast<int>(values.size()), out);
    return without_factors(name(op_), out);
  }
  Tensor direction(size_t k) const {                            // along which input k moves
    const Tensor v = noise(inputs[k].sizes(), Dtype::c128, 900 + k);
    return hermitian_ && k == 0 ? mul(gradus::add(v, mh(v)), 0.5) : v;
  }
  bool has_gradient() const { return !kNoGradient.contains(name(op_)); }
  Inputs inputs;

 private:
  const Op& op_;
  const Sample& sample_;
  bool hermitian_;
};

bool moves(const Tensor& t) { return t && is_complex(t.dtype()); }
Inputs leaves(const Inputs& from) {
  Inputs out;
  for (const Tensor& t : from) {
    out.push_back(moves(t) ? clone(t) : t);
    if (moves(t)) set_requires_grad(out.back().impl(), true);
  }
  return out;
}
Inputs moved(const Inputs& from, size_t k, const Tensor& direction, double by) {
  Inputs out = from;
  out[k] = add(from[k], mul(direction, by));
  return out;
}

Dtype weight_type(const Tensor& t) { return is_complex(t.dtype()) ? Dtype::c128 : Dtype::f64; }
Tensor weights_of(const Tensor& t, uint64_t seed) { return noise(t.sizes(), weight_type(t), seed); }

// The sum of the outputs with weights, and its gradients by the complex inputs.
double weighted(const Tensors& outputs) {
  double s = 0;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (is_differentiable(outputs[i].dtype())) s += parts_dot(weights_of(outputs[i], 50 + i), outputs[i]);
  return s;
}
Tensors gradients(const Trial& t, const Inputs& at, bool again) {
  Tensors outputs, seeds, wanted;
  size_t i = 0;
  for (const Tensor& out : t.run(at)) {
    if (needs_grad(out.impl())) outputs.push_back(out), seeds.push_back(weights_of(out, 50 + i));
    ++i;
  }
  for (const Tensor& x : at) if (moves(x)) wanted.push_back(x);
  if (outputs.empty()) return Tensors(wanted.size());
  return grad({outputs.data(), outputs.size()}, {wanted.data(), wanted.size()}, {seeds.data(), seeds.size()},
              {.create_graph = again, .allow_unused = true});
}

template <class F> double slope(F&& f) {                        // to the sixth order of the step
  constexpr double h = 0x1p-12;
  const auto d = [&](int i) { return f(i * h) - f(-i * h); };
  return (45 * d(1) - 9 * d(2) + d(3)) / (60 * h);
}
bool close(double a, double b) { return std::abs(a - b) <= 1e-6 * (1 + std::max(std::abs(a), std::abs(b))); }

class ComplexSuite : public Core {
 protected:
  template <class F> void each(double imaginary, F&& f) {
    const char* only = std::getenv("GRADUS_OP");
    std::vector<std::string> lines;
    int ops = 0;
    for (const Op* op : all_ops()) {
      if (op->info->functional || !op->samples || op->random || kNotTried.contains(name(*op)) || !takes_complex(*op)) continue;
      if (only && name(*op) != only) continue;
      Samples samples;
      op->samples(samples);
      bool tried = false;
      int number = 0;
      for (const Sample& s : samples.all()) {
        ++number;
        if (!s.error.empty()) continue;
        try {
          const Trial t(*op, s, imaginary);
          if (std::none_of(t.inputs.begin(), t.inputs.end(), moves)) continue;
          const bool casts = s.arguments.size() > 1 && s.arguments[1].tag == Tag::dtype;
          if (name(*op) == "view_as_complex" || (casts && name(*op).find("to") != std::string::npos)) continue;
          tried = true;
          f(t, s, format("{}/{}", name(*op), number - 1), lines);
        } catch (const Error& e) {
          lines.push_back(format("{}/{}: threw \"{}\"", name(*op), number - 1, e.what()));
        }
      }
      ops += tried;
    }
    std::string all;
    for (const std::string& l : lines) all += "  " + l + "\n";
    EXPECT_TRUE(lines.empty()) << all;
    EXPECT_GT(ops, only ? 0 : 200) << "so many ops take complex tensors";
    std::printf("complex suite: %d ops\n", ops);
  }
};

TEST_F(ComplexSuite, OnTheRealLine) {
  each(0, [](const Trial& t, const Sample& s, const std::string& where, std::vector<std::string>& lines) {
    Inputs real_inputs;
    for (const Value& v : s.arguments) {
      if (v.tag == Tag::tensor) real_inputs.push_back(Tensor::share(v.t));
      if (v.tag == Tag::tensors) for (const Tensor& x : v.list()) real_inputs.push_back(x);
    }
    const Tensors got = t.run(t.inputs), want = t.run(real_inputs);
    for (size_t i = 0; i < want.size(); ++i) {
      if (!same(got[i].sizes(), want[i].sizes())) {
        lines.push_back(format("{}: shape {}, of real numbers {}", where, text(got[i].sizes()), text(want[i].sizes())));
        continue;
      }
      const Tensor re = clone(to(real(got[i]), Dtype::f64)), x = clone(to(want[i], Dtype::f64));
      for (int64_t k = 0; k < x.numel(); ++k) {
        const double a = re.data<double>()[k], b = x.data<double>()[k];
        if (!std::isfinite(b) || std::abs(a - b) <= 1e-11 * (1 + std::abs(b))) continue;
        lines.push_back(format("{}: {} where a real number gives {}", where, a, b));
        break;
      }
    }
  });
}

TEST_F(ComplexSuite, Gradients) {
  each(0.7, [](const Trial& t, const Sample&, const std::string& where, std::vector<std::string>& lines) {
    if (!t.has_gradient()) return;
    const Inputs at = leaves(t.inputs);
    const Tensors g = gradients(t, at, false);
    size_t n = 0;
    for (size_t k = 0; k < at.size(); ++k) {
      if (!moves(at[k])) continue;
      const Tensor& ours = g[n++];
      const Tensor v = t.direction(k);
      const double want = slope([&](double by) { return weighted(t.run(moved(t.inputs, k, v, by))); });
      const double have = ours ? parts_dot(ours, v) : 0;
      if (ours && ours.dtype() != Dtype::c128) lines.push_back(format("{}: a gradient of {} for input {}", where, name(ours.dtype()), k));
      if (!close(want, have)) lines.push_back(format("{}: input {}: {:.9g} along a direction, by differences {:.9g}", where, k, have, want));
    }
  });
}

TEST_F(ComplexSuite, GradientsOfGradients) {
  each(0.7, [](const Trial& t, const Sample&, const std::string& where, std::vector<std::string>& lines) {
    if (!t.has_gradient()) return;
    const Inputs at = leaves(t.inputs);
    const auto second = [&](const Tensors& g) {
      double s = 0;
      for (size_t i = 0; i < g.size(); ++i) if (g[i]) s += parts_dot(noise(g[i].sizes(), Dtype::c128, 70 + i), g[i]);
      return s;
    };
    const Tensors g = gradients(t, at, true);
    Tensors outputs, seeds, wanted;
    for (size_t i = 0; i < g.size(); ++i)
      if (g[i] && needs_grad(g[i].impl())) { outputs.push_back(g[i]); seeds.push_back(noise(g[i].sizes(), Dtype::c128, 70 + i)); }
    for (const Tensor& x : at) if (moves(x)) wanted.push_back(x);
    Tensors gg(wanted.size());
    if (!outputs.empty())
      gg = grad({outputs.data(), outputs.size()}, {wanted.data(), wanted.size()}, {seeds.data(), seeds.size()}, {.allow_unused = true});
    size_t n = 0;
    for (size_t k = 0; k < at.size(); ++k) {
      if (!moves(at[k])) continue;
      const Tensor& ours = gg[n++];
      const Tensor v = t.direction(k);
      const double want = slope([&](double by) { return second(gradients(t, leaves(moved(t.inputs, k, v, by)), false)); });
      const double have = ours ? parts_dot(ours, v) : 0;
      if (!close(want, have)) lines.push_back(format("{}: input {}, second order: {:.9g}, by differences {:.9g}", where, k, have, want));
    }
  });
}

TEST_F(ComplexSuite, InSinglePrecision) {
  each(0.7, [](const Trial& t, const Sample&, const std::string& where, std::vector<std::string>& lines) {
    Inputs narrow;
    for (const Tensor& x : t.inputs) narrow.push_back(moves(x) ? to(x, Dtype::c64) : x);
    const Tensors got = t.run(narrow), want = t.run(t.inputs);
    for (size_t i = 0; i < want.size(); ++i) {
      const Dtype expected = want[i].dtype() == Dtype::c128 ? Dtype::c64 : want[i].dtype() == Dtype::f64 ? Dtype::f32 : want[i].dtype();
      const bool right = got[i].dtype() == expected || got[i].dtype() == want[i].dtype();
      if (!right) lines.push_back(format("{}: {} of complex64", where, name(got[i].dtype())));
      const Tensor apart = to(sub(to(got[i], Dtype::c128), to(want[i], Dtype::c128)), Dtype::c128);
      const double scale = 1 + std::sqrt(parts_dot(want[i], want[i])), off = std::sqrt(parts_dot(apart, apart));
      if (!is_differentiable(want[i].dtype()) || !std::isfinite(scale) || off <= 2e-5 * scale) continue;
      lines.push_back(format("{}: off by {:.2g} of {:.3g}", where, off, scale));
    }
  });
}

}  // namespace
}  // namespace gradus
