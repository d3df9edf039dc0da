// Values: against the oracle in every dtype, in every memory layout, with one thread and with two.
#include "op_suite.h"

#include <set>

namespace gradus::suite {
namespace {

bool is_refusal(const Error& e) { return e.status() == Status::dtype || e.status() == Status::unsupported; }

// What the op should have computed: by its oracle, else by its composition where a kernel stands beside it.
std::optional<std::vector<oracle::Array>> expected(const Attempt& a) {
  if (const oracle::Oracle* o = oracle::find(name(a.op))) return a.ask(*o);
  if (!a.op.kernel || !a.op.compose) return {};
  std::vector<oracle::Array> out;
  for (const Tensor& t : a.compose()) out.push_back(array(t));
  return out;
}

void compare(const Tensors& got, const std::vector<oracle::Array>& want, Dtype computed, double factor, Report& r) {
  if (got.size() != want.size()) return r.fail("{} results, expected {}", got.size(), want.size());
  for (size_t k = 0; k < got.size(); ++k) {
    r.check();
    if (auto d = differ(got[k], want[k], computed, factor)) r.fail("result {} is {}", k, *d);
  }
}

// Reasons why an op's values are not compared.
const Exceptions kNoValue = {
    {"_linalg_svd", "signs of singular vectors are arbitrary: linalg_test.cpp"},
    {"_linalg_eigh", "signs of eigenvectors are arbitrary: linalg_test.cpp"},
    {"_linalg_eig", "factors of eigenvectors are arbitrary: linalg_complex_test.cpp"},
};

TEST_F(Suite, Value) {
  std::vector<std::string> missing;
  each("value", good, kNoValue, [&](const Attempt& a, Report& r) {
    const Tensors got = a.run();
    if (const auto want = expected(a)) return compare(got, *want, Dtype::f64, 1, r);
    const bool checked_otherwise = a.op.random || a.op.view || a.op.compose;
    if (!checked_otherwise && (missing.empty() || missing.back() != name(a.op))) missing.push_back(name(a.op));
  });
  std::string names;
  for (const std::string& n : missing) names += " " + n;
  EXPECT_TRUE(missing.empty()) << missing.size() << " ops without an oracle:" << names;
}

TEST_F(Suite, RandomOpsFollowTheSeed) {
  each("random", good, {}, [&](const Attempt& a, Report& r) {
    if (!a.op.random) return;
    const Tensors first = a.run(), again = a.run();
    for (size_t k = 0; k < first.size(); ++k) {
      r.check();
      if (auto d = differ_in_bits(again[k], first[k])) r.fail("the same seed gives another result {}: {}", k, *d);
    }
  });
}

// Factors by which the tolerance grows in float32, where LAPACK solves in several rounded steps.
const std::map<std::string, double> kSteps = {
    {"linalg_pinv", 8},                                       // by singular values; the sample's condition is in the error
    {"pinverse", 8},                                          // the same by its older name
    {"linalg_tensorsolve", 8},                                // of 6 equations
};
double steps_of(const std::string& op) {
  const auto at = kSteps.find(op);
  return at == kSteps.end() ? 1 : at->second;
}

TEST_F(Suite, FloatingDtypes) {
  for (Dtype to : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    each("dtype", good, {}, [&](const Attempt& f64, Report& r) {
      r.about(format("/{}", gradus::name(to)).c_str());
      const Attempt a = f64.cast(to);
      Tensors got;
      try {
        got = a.run();
      } catch (const Error& e) {
        if (!is_refusal(e) || (to == Dtype::f32 && !lacks_lapack(a.op, e))) r.fail("threw \"{}\"", e.what());
        return;
      }
      const Tensors before = f64.run();
      for (size_t k = 0; k < got.size() && k < before.size(); ++k)
        if (is_floating(before[k].dtype()) != is_floating(got[k].dtype())) r.fail("result {} is {}", k, gradus::name(got[k].dtype()));
      if (a.op.random) return;
      if (oracle::find(name(a.op)))
        if (const auto want = expected(a)) compare(got, *want, to, steps_of(name(a.op)), r);
    });
  }
}

TEST_F(Suite, IntegerDtypes) {
  for (Dtype to : {Dtype::i64, Dtype::i32, Dtype::i16, Dtype::i8, Dtype::u8, Dtype::boolean}) {
    each("dtype", good, {}, [&](const Attempt& f64, Report& r) {
      r.about(format("/{}", gradus::name(to)).c_str());
      const Attempt a = f64.cast(to);
      if (!oracle::find(name(a.op)) || a.op.random) return;
      Tensors got;
      try {
        got = a.run();
      } catch (const Error& e) {
        if (e.status() == Status::internal) r.fail("threw \"{}\"", e.what());
        return;                                               // not defined for integers, or not for these
      }
      if (const auto want = expected(a)) compare(got, *want, Dtype::f32, 1, r);
    });
  }
}

// Ops whose result is about memory, not about values.
const Exceptions kNoLayout = {
    {"as_strided", "reads the memory under its input"},
    {"as_strided_scatter", "writes the memory under its input"},
    {"as_strided_copy", "reads the memory under its input"},
    {"_reshape_alias_copy", "takes the strides of the result"},
    {"view_copy", "refuses memory that can't be viewed so"},
    {"view_as", "refuses memory that can't be viewed so"},
};

Tensors reference(const Attempt& a) {
  Inputs plain;
  for (const Tensor& t : a.inputs) plain.push_back(t ? copy_of(t) : t);
  return a.with(plain).run();
}

// Sums are taken in the order of memory, so other layouts round otherwise.
const std::set<std::string> kInOrderOfMemory = {"sum", "nansum", "mean", "nanmean", "prod", "var", "std", "var_mean", "std_mean", "logsumexp", "norm", "linalg_vector_norm",
                                                "einsum", "tensordot", "convolution_backward", "sum_to_size", "dist", "cov", "corrcoef",
                                                "linalg_norm", "linalg_norm_named", "linalg_matrix_norm_named", "linalg_cond_named"};

void same_from_other_memory(const Attempt& a, Report& r) {
  Tensors want, got;
  std::optional<Status> refused;
  try {
    want = reference(a);
  } catch (const Error& e) {
    refused = e.status();                                     // repeated values left the op's domain
  }
  try {
    got = a.run();
  } catch (const Error& e) {
    const bool needs_a_copy = a.op.view && e.status() == Status::shape;
    if (!needs_a_copy && refused != e.status()) r.fail("threw \"{}\"", e.what());
    return;
  }
  if (refused) return r.fail("no error, but there is one from contiguous memory");
  for (size_t k = 0; k < got.size(); ++k) {
    r.check();
    const bool rounds = kInOrderOfMemory.contains(name(a.op)) && is_floating(got[k].dtype());
    if (auto d = rounds ? differ(got[k], want[k], 16 * epsilon(got[k].dtype())) : differ_in_bits(got[k], want[k])) r.fail("result {}: {}", k, *d);
  }
}

TEST_F(Suite, MemoryLayout) {
  for (Memory m : kMemories) {
    for (Dtype d : {Dtype::f64, Dtype::f32}) {
      each("layout", good, kNoLayout, [&](const Attempt& sample, Report& r) {
        r.about(format("/{}/{}", name(m), gradus::name(d)).c_str());
        Attempt a = sample.cast(d);
        for (Tensor& t : a.inputs) t = relayout(t, m);
        same_from_other_memory(a, r);
      });
    }
  }
}

// ---- threads
// Every input repeated `times` along its dimension d (from the end), or along all (-1).
Inputs tiled(const Inputs& inputs, int d, int64_t times) {
  Inputs out;
  for (const Tensor& t : inputs) {
    if (!t || t.ndim() == 0) { out.push_back(t); continue; }
    Sizes sizes(t.sizes());
    for (size_t i = 0; i < sizes.size(); ++i)
      if (d < 0 || sizes.size() - 1 - i == std::min(static_cast<size_t>(d), sizes.size() - 1)) sizes[i] *= times;
    const oracle::Array from = array(t);
    Tensor to = empty(t.dtype(), sizes);
    std::vector<int64_t> index(sizes.size(), 0), shape(sizes.begin(), sizes.end()), source(sizes.size());
    visit(t.dtype(), [&]<class T>() {
      for (int64_t i = 0; i < to.numel(); ++i, oracle::step(index, shape)) {
        for (size_t k = 0; k < index.size(); ++k) source[k] = index[k] % t.sizes()[k];
        to.data<T>()[i] = convert<T>(from.at(source));
      }
    });
    out.push_back(to);
  }
  return out;
}

int64_t most_elements(const Tensors& list) {
  int64_t n = 0;
  for (const Tensor& t : list) n = std::max(n, t ? t.numel() : 0);
  return n;
}

// How often to repeat so that inputs and results stay under 200,000 elements, judging by what a factor of 2 does.
int64_t repetitions(const Attempt& a, int d, const Inputs& twice) {
  constexpr double kMost = 200000;
  double times = 1000;
  const auto bound = [&](double before, double after) {
    if (after > before && before > 0) times = std::min(times, std::pow(kMost / before, 1 / std::log2(after / before)));
  };
  for (size_t i = 0; i < twice.size(); ++i)
    if (twice[i]) bound(static_cast<double>(a.inputs[i].numel()), static_cast<double>(twice[i].numel()));
  bound(static_cast<double>(most_elements(a.run())), static_cast<double>(most_elements(a.with(twice).run())));
  return std::max<int64_t>(d < 0 ? std::min<int64_t>(static_cast<int64_t>(times), 60) : static_cast<int64_t>(times), 1);
}

TEST_F(Suite, Threads) {
  each("threads", good, {}, [&](const Attempt& sample, Report& r) {
    context_.threads = 0;
    const Attempt f32 = sample.cast(Dtype::f32);
    for (int d : {-1, 0, 1}) {
      Inputs inputs = f32.inputs;
      try {
        const Inputs larger = tiled(inputs, d, repetitions(f32, d, tiled(inputs, d, 2)));
        f32.with(larger).run();
        inputs = larger;
      } catch (const Error&) {}                               // not an op whose inputs can be repeated
      const Attempt a = f32.with(inputs);
      context_.threads = 1;
      const Tensors one = a.run();
      context_.threads = 2;
      const Tensors two = a.run();
      context_.threads = 0;
      for (size_t k = 0; k < one.size(); ++k) {
        r.check();
        if (auto diff = differ_in_bits(two[k], one[k])) r.fail("two threads give another result {}: {}", k, *diff);
      }
    }
  });
}

TEST_F(Suite, TheCallFromCIsTheSame) {
  each("capi", good, {}, [](const Attempt& a, Report& r) {
    const Tensors want = a.run(), got = a.run_in_c();
    r.check();
    if (got.size() != want.size()) return r.fail("{} results in C, {} in C++", got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i)
      if (auto d = differ_in_bits(got[i], want[i])) r.fail("result {} in C: {}", i, *d);
  });
}

}  // namespace
}  // namespace gradus::suite
