#include "op_suite.h"

#include <cstdlib>
#include <cstring>
#include <set>

#include "autograd/grad.h"
#include "gradus/gradus.h"

namespace gradus::suite {

int64_t Report::checks = 0;

static std::set<std::string>& without_lapack() {
  static std::set<std::string> ops;
  return ops;
}

bool lacks_lapack(const Op& op, const Error& e) {
  const bool lacks = e.status() == Status::unsupported && std::string_view(e.what()).find("no LAPACK") != std::string_view::npos;
  if (lacks) without_lapack().insert(name(op));
  return lacks;
}

// ---- calls
Attempt::Attempt(const Op& o, const Sample& s) : op(o), sample(s) {
  for (const Value& v : s.arguments) {
    if (v.tag == Tag::tensor) inputs.push_back(Tensor::share(v.t));
    if (v.tag == Tag::tensors) inputs.insert(inputs.end(), v.list().begin(), v.list().end());
  }
}

Attempt Attempt::with(Inputs other) const {
  Attempt a(*this);
  a.inputs = std::move(other);
  return a;
}

Attempt Attempt::cast(Dtype to) const {
  Attempt a(*this);
  for (Tensor& t : a.inputs) {
    if (!t || t.dtype() != Dtype::f64) continue;
    Tensor other = empty(to, t.sizes());
    visit(to, [&]<class T>() {
      for (int64_t i = 0; i < t.numel(); ++i) other.data<T>()[i] = convert<T>(t.data<double>()[i]);
    });
    t = other;
  }
  return a;
}

template <class F> auto Attempt::with_arguments(F&& f) const {
  std::vector<Value> values = sample.arguments;
  size_t k = 0;
  for (Value& v : values) {
    if (v.tag == Tag::tensor) v = Value(inputs[k++]);
    if (v.tag != Tag::tensors) continue;
    const size_t n = v.length;
    v = Value(std::span<const Tensor>(inputs.data() + k, n));
    k += n;
  }
  context().generator = {.seed = 7, .offset = 0};
  return f(values);
}

Tensors Attempt::run(const Op& form) const {
  return with_arguments([&](const std::vector<Value>& v) {
    Tensors out;
    call(form, v.data(), static_cast<int>(v.size()), out);
    return out;
  });
}

Tensors Attempt::run_in_c() const {
  return with_arguments([&](const std::vector<Value>& v) {
    std::vector<gradus_value> results(64);
    size_t count = 0;
    auto* c = reinterpret_cast<gradus_context*>(&context());
    const gradus_op* handle = gradus_op_find(gradus::name(op).data(), gradus::name(op).size());
    const gradus_status s = gradus_invoke(c, handle, reinterpret_cast<const gradus_value*>(v.data()), v.size(), results.data(), results.size(), &count);
    GRADUS_CHECK(s == GRADUS_OK, internal, "gradus_invoke: status {:#x}: {}", s, context().error.message);
    Tensors out;
    for (size_t i = 0; i < count; ++i) out.push_back(Tensor::adopt(reinterpret_cast<TensorImpl*>(results[i].u.tensor)));
    return out;
  });
}

Tensors Attempt::compose() const {
  return with_arguments([&](const std::vector<Value>& v) {
    Value room[kMaxArguments];
    ArgScratch scratch;
    Tensors out;
    op.compose(complete(op, v.data(), static_cast<int>(v.size()), room, scratch), out);
    return out;
  });
}

std::vector<oracle::Array> Attempt::ask(oracle::Oracle f) const {
  return with_arguments([&](const std::vector<Value>& v) {
    Value room[kMaxArguments];
    ArgScratch scratch;
    complete(op, v.data(), static_cast<int>(v.size()), room, scratch);
    return f(oracle::Arguments(op, room));
  });
}

static std::string describe(const Value& v) {
  switch (v.tag) {
    case Tag::boolean: return v.i ? "true" : "false";
    case Tag::integer: return std::to_string(v.i);
    case Tag::real: return format("{}", v.d);
    case Tag::text: return format("\"{}\"", std::string_view(static_cast<const char*>(v.p), v.length));
    case Tag::dtype: return std::string(gradus::name(static_cast<Dtype>(v.aux)));
    case Tag::tensor: return format("{}{}", gradus::name(v.t->dtype), text(v.t->sizes()));
    case Tag::integers: return text({static_cast<const int64_t*>(v.p), v.length});
    default: return "none";
  }
}

bool is_complex(const Attempt& a) {
  static const std::set<std::string> makes = {"complex", "polar", "view_as_complex"};
  if (makes.contains(gradus::name(a.op))) return true;
  for (const Tensor& t : a.inputs) if (t && gradus::is_complex(t.dtype())) return true;
  return false;
}

std::string describe(const Attempt& a) {
  std::string s = name(a.op) + "(";
  for (size_t i = 0; i < a.sample.arguments.size(); ++i) {
    const Value& v = a.sample.arguments[i];
    if (i) s += ", ";
    if (v.tag != Tag::tensor && v.tag != Tag::tensors && i < a.op.info->schema.arguments.size()) s += a.op.info->schema.arguments[i].name + "=";
    if (v.tag != Tag::tensors) { s += describe(v); continue; }
    s += "[";
    for (size_t k = 0; k < v.length; ++k) s += (k ? ", " : "") + describe(Value(v.list()[k]));
    s += "]";
  }
  return s + ")";
}

// ---- the walk
static bool is_chosen(const std::string& op) {
  const char* only = std::getenv("GRADUS_OP");
  return !only || !*only || ("," + std::string(only) + ",").find("," + op + ",") != std::string::npos;
}

std::vector<const Op*> Suite::chosen_ops() {
  std::vector<const Op*> ops;
  for (const Op* op : all_ops())
    if (!op->info->functional && is_chosen(name(*op))) ops.push_back(op);
  return ops;
}

void Suite::show(const std::vector<std::string>& lines) {
  constexpr size_t kMost = 60;
  if (lines.empty()) return;
  std::string all = format("{} failures\n", lines.size());
  for (size_t i = 0; i < std::min(lines.size(), kMost); ++i) all += "  " + lines[i].substr(0, 400) + "\n";
  if (lines.size() > kMost) all += format("  and {} more: GRADUS_OP=name shows those of one op\n", lines.size() - kMost);
  ADD_FAILURE() << all;
}

// ---- what a record must have, and what was tried
TEST_F(Suite, Record) {
  std::vector<std::string> lines;
  for (const Op* op : chosen_ops()) {
    if (op->doc.empty()) lines.push_back(format("op/{}/record: no doc", name(*op)));
    const bool internal = name(*op)[0] == '_';
    if (!op->samples && !internal) lines.push_back(format("op/{}/record: no samples", name(*op)));
    if (op->kernel && !op->shape) lines.push_back(format("op/{}/record: a kernel without a shape rule", name(*op)));
  }
  show(lines);
}

class Coverage : public ::testing::Environment {
  void TearDown() override {
    define_all_ops();
    Context c;
    const ContextScope scope(c);
    int ops = 0, samples = 0, errors = 0, oracles = 0;
    for (const Op* op : all_ops()) {
      if (op->info->functional || !is_chosen(name(*op))) continue;
      ++ops;
      oracles += oracle::find(name(*op)) != nullptr;
      if (!op->samples) continue;
      Samples s;
      op->samples(s);
      for (const Sample& one : s.all()) ++(one.error.empty() ? samples : errors);
    }
    std::printf("op suite: %d ops, %d with an oracle, %d samples, %d error samples, %lld checks\n", ops, oracles, samples, errors,
                static_cast<long long>(Report::checks));
    if (!without_lapack().empty()) std::printf("op suite: %zu ops not tried, for want of LAPACK\n", without_lapack().size());
  }
};
static const auto* const coverage = ::testing::AddGlobalTestEnvironment(new Coverage);

// ---- comparing
double epsilon(Dtype t) {
  switch (t) {
    case Dtype::f16: return 0x1p-10;
    case Dtype::bf16: return 0x1p-7;
    case Dtype::f32: return 0x1p-23;
    case Dtype::f64: return 0x1p-52;
    default: return 0;
  }
}

// A double as an element of the dtype holds it: fractions are cut off, and integers wrap, as integer arithmetic does.
static double as_stored(double v, Dtype t) {
  if (is_floating(t)) return visit(t, [&]<class T>() { return convert<double>(convert<T>(v)); });
  if (t == Dtype::boolean) return v != 0;
  if (t == Dtype::i64 || std::abs(v) > 9e15) return std::trunc(v);
  return visit(t, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) return static_cast<double>(static_cast<T>(static_cast<int64_t>(v)));
    else return v;
  });
}

static std::string at(const std::vector<int64_t>& index) { return text({index.data(), index.size()}); }

static std::optional<std::string> compare(const oracle::Array& got, const oracle::Array& want, double tolerance) {
  if (got.sizes != want.sizes) return format("shape {}, expected {}", at(got.sizes), at(want.sizes));
  double scale = 0;                                           // of the finite elements
  for (double w : want.values) if (std::isfinite(w)) scale = std::max(scale, std::abs(w));
  std::vector<int64_t> index(want.ndim(), 0);
  for (size_t i = 0; i < want.values.size(); ++i, oracle::step(index, want.sizes)) {
    const double g = got.values[i], w = want.values[i];
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    if (std::isfinite(g) && std::isfinite(w) && std::abs(g - w) <= tolerance * (std::abs(w) + 0.25 * scale)) continue;
    return format("{:.17g} at {}, expected {:.17g}, off by {:.2g}", g, at(index), w, g - w);
  }
  return {};
}

std::optional<std::string> differ(const Tensor& got, const oracle::Array& want, Dtype computed, double factor) {
  oracle::Array stored = want;
  for (double& v : stored.values) v = as_stored(v, got.dtype());
  const double eps = is_floating(got.dtype()) ? std::max(epsilon(got.dtype()), epsilon(computed)) : 0;
  return compare(array(got), stored, (eps < 1e-15 ? 1e-12 : 4 * eps) * (eps > 0) * factor);
}

std::optional<std::string> differ(const Tensor& got, const Tensor& want, double tolerance) {
  if (got.dtype() != want.dtype()) return format("dtype {}, expected {}", gradus::name(got.dtype()), gradus::name(want.dtype()));
  return compare(array(got), array(want), tolerance);
}

template <class F> static void for_each_element(const Tensor& t, F&& f) {
  Sizes index(static_cast<size_t>(t.ndim()), 0);
  for (int64_t i = 0; i < t.numel(); ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < index.size(); ++d) at += index[d] * t.strides()[d];
    f(i, static_cast<char*>(t.impl()->data()) + at * size_of(t.dtype()));
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < t.sizes()[d]) break;
      index[d] = 0;
    }
  }
}

Tensor copy_of(const Tensor& t) {
  Tensor out = empty(t.dtype(), t.sizes());
  const auto size = static_cast<size_t>(size_of(t.dtype()));
  for_each_element(t, [&](int64_t i, const char* e) { std::memcpy(out.impl()->data() + static_cast<size_t>(i) * size, e, size); });
  return out;
}

std::optional<std::string> differ_in_bits(const Tensor& got, const Tensor& want) {
  if (got.dtype() != want.dtype()) return format("dtype {}, expected {}", gradus::name(got.dtype()), gradus::name(want.dtype()));
  if (!same(got.sizes(), want.sizes())) return format("shape {}, expected {}", text(got.sizes()), text(want.sizes()));
  const Tensor g = copy_of(got), w = copy_of(want);
  const auto size = static_cast<size_t>(size_of(g.dtype()));
  const oracle::Array ga = array(g), wa = array(w);
  for (size_t i = 0; i < ga.values.size(); ++i)
    if (std::memcmp(g.impl()->data() + i * size, w.impl()->data() + i * size, size) != 0 && !(std::isnan(ga.values[i]) && std::isnan(wa.values[i])))
      return format("element {} is {:.17g}, expected the bits of {:.17g}", i, ga.values[i], wa.values[i]);
  return {};
}

std::vector<char> bytes_of(const Tensor& t) { return {t.storage().data, t.storage().data + t.storage().bytes}; }

// ---- making
const char* name(Memory m) {
  constexpr const char* names[] = {"transposed", "sliced", "step", "expanded"};
  return names[static_cast<int>(m)];
}

static Tensor in_memory(const Tensor& t, SizesRef strides, int64_t offset) {
  const int64_t span = offset + span_of(t.sizes(), strides) + 3;
  const Tensor memory = empty(t.dtype(), SizesRef(&span, 1));
  std::memset(memory.impl()->data(), t.dtype() == Dtype::boolean ? 1 : 0xff, static_cast<size_t>(span * size_of(t.dtype())));
  const Tensor out = alias(memory, t.sizes(), strides, offset);
  const Tensor from = copy_of(t);
  const auto size = static_cast<size_t>(size_of(t.dtype()));
  for_each_element(out, [&](int64_t i, char* e) { std::memcpy(e, from.impl()->data() + static_cast<size_t>(i) * size, size); });
  return out;
}

Tensor relayout(const Tensor& t, Memory m) {
  if (!t) return t;
  Sizes sizes(t.sizes()), strides = contiguous_strides(t.sizes());
  const size_t n = sizes.size();
  switch (m) {
    case Memory::transposed: {
      int64_t s = 1;
      for (size_t d = 0; d < n; ++d) { strides[d] = s; s *= std::max<int64_t>(sizes[d], 1); }
      return in_memory(t, strides, 0);
    }
    case Memory::sliced:
      for (size_t d = 0; d + 1 < n; ++d) strides[d] += 2 * (strides[d] / std::max<int64_t>(sizes[n - 1], 1));
      return in_memory(t, strides, 3);
    case Memory::step:
      for (int64_t& s : strides) s *= 2;
      return in_memory(t, strides, 1);
    case Memory::expanded:                                    // index 0 of the largest dimension stands for all
      if (n == 0 || t.numel() == 0) return t;
      strides[static_cast<size_t>(std::max_element(sizes.begin(), sizes.end()) - sizes.begin())] = 0;
      return alias(t, sizes, strides, t.offset());
  }
  return t;
}

Tensor noise(SizesRef sizes, uint64_t seed) {
  Tensor t = empty(Dtype::f64, sizes);
  for (int64_t i = 0; i < t.numel(); ++i) {
    uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(i) * 0xd1342543de82ef95;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    t.data<double>()[i] = static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
  }
  return t;
}

}  // namespace gradus::suite
