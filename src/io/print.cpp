#include "io/print.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/history.h"
#include "kernels/complex.h"

namespace gradus {
namespace {

constexpr int64_t kEdge = 3;                                  // elements shown at each end of a summarised dimension, at most
constexpr int64_t kThreshold = 1000;                          // elements above which a tensor is summarised
constexpr int64_t kBytes = 56 * 1024;
constexpr int64_t kBytesOfElement = 22, kBytesOfComplex = 36;  // brackets, indentation and empty lines take up to 4 more per dimension
constexpr size_t kLine = 80;

// How the elements of one tensor are written: all in the same style, right-aligned to the widest finite one.
class Style {
 public:
  // Of the elements that will be shown.
  void see(double v) {
    if (v == 0 || !std::isfinite(v)) return;
    const double a = std::abs(v);
    integral_ &= v == std::ceil(v);
    least_ = any_ ? std::min(least_, a) : a;
    most_ = any_ ? std::max(most_, a) : a;
    any_ = true;
  }
  void decide() { scientific_ = any_ && (most_ / least_ > 1000 || most_ > 1e8 || (!integral_ && least_ < 1e-4)); }

  std::string write(double v) const {
    if (std::isnan(v)) return "nan";
    if (!any_ || (integral_ && !scientific_)) return format("{:.0f}{}", v, std::isinf(v) ? "" : ".");
    return scientific_ ? format("{:.4e}", v) : format("{:.4f}", v);
  }
  bool counts(double v) const { return v != 0 && std::isfinite(v); }         // towards the width

 private:
  bool any_ = false, integral_ = true, scientific_ = false;
  double least_ = 0, most_ = 0;
};

class Printer {
 public:
  explicit Printer(const Tensor& t) : t_(t) {
    const int64_t most = kBytes / ((is_complex(t.dtype()) ? kBytesOfComplex : kBytesOfElement) + 4 * t.ndim());
    summarised_ = t.numel() > std::min(kThreshold, most);
    while (summarised_ && shows_more_than(most)) {
      if (edge_ > 1) --edge_;
      else ++firsts_;
    }
    if (!is_integral(t.dtype())) {
      for_each_shown([&](const char* e) { style_.see(part(e, 0)); });
      style_.decide();
    }
    for_each_shown([&](const char* e) {
      if (is_integral(t_.dtype()) || style_.counts(part(e, 0))) width_ = std::max(width_, write(e).size());
    });
    if (!is_complex(t.dtype())) return;
    for_each_shown([&](const char* e) { imaginary_.see(part(e, 1)); });
    imaginary_.decide();
    imaginary_width_ = 1;
    for_each_shown([&](const char* e) {
      if (const double v = part(e, 1); imaginary_.counts(v)) imaginary_width_ = std::max(imaginary_width_, imaginary_.write(v).size());
    });
  }

  std::string text(size_t indent) const { return t_.ndim() == 0 ? aligned(t_.impl()->data()) : slice(0, t_.impl()->data(), indent); }

 private:
  double part(const char* e, int which) const {               // 1: the imaginary one
    const Dtype type = real_of(t_.dtype());
    return visit(type, [&]<class T>() { return convert<double>(reinterpret_cast<const T*>(e)[which]); });
  }
  std::string write(const char* e) const {                    // of a complex number the real part
    if (!is_integral(t_.dtype())) return style_.write(part(e, 0));
    if (t_.dtype() == Dtype::boolean) return *e ? "True" : "False";
    return format("{}", visit(t_.dtype(), [&]<class T>() { return convert<int64_t>(*reinterpret_cast<const T*>(e)); }));
  }
  std::string aligned(const char* e) const {
    std::string s = write(e);
    s.insert(0, width_ - std::min(width_, s.size()), ' ');
    if (!is_complex(t_.dtype())) return s;
    const std::string imaginary = imaginary_.write(part(e, 1));
    return s + (imaginary[0] == '-' ? "" : "+") + imaginary + "j";
  }

  // Of the first dimensions only the first element is shown where there are too many dimensions for their edges.
  bool shows_more_than(int64_t most) const {
    int64_t n = 1;
    for (int64_t d = 0; d < t_.ndim() && n <= most; ++d) n *= std::min(t_.size(d), d < firsts_ ? 1 : 2 * edge_);
    return n > most;
  }
  // The indices of one dimension that are shown; -1 stands for those left out.
  std::vector<int64_t> shown(int64_t dim) const {
    const int64_t size = t_.size(dim), head = dim < firsts_ ? 1 : edge_, tail = dim < firsts_ ? 0 : edge_;
    std::vector<int64_t> out;
    for (int64_t i = 0; i < size; ++i) {
      if (!summarised_ || size <= head + tail || i < head || i >= size - tail) out.push_back(i);
      else if (i == head) { out.push_back(-1); i = size - tail - 1; }
    }
    return out;
  }
  const char* step(const char* at, int64_t dim, int64_t index) const { return at + index * t_.stride(dim) * size_of(t_.dtype()); }

  template <class F> void for_each_shown(F&& f, int64_t dim = 0, const char* at = nullptr) const {   // as deep as dimensions
    if (!at) at = t_.impl()->data();
    if (dim == t_.ndim()) return f(at);
    for (int64_t i : shown(dim)) if (i >= 0) for_each_shown(f, dim + 1, step(at, dim, i));
  }

  std::string row(int64_t dim, const char* at, size_t indent) const {
    const size_t element = width_ + 2 + (imaginary_width_ > 0 ? imaginary_width_ + 1 : 0);
    const size_t per_line = std::max<size_t>(1, kLine > indent ? (kLine - indent) / element : 0);
    std::string s = "[";
    size_t n = 0;
    for (int64_t i : shown(dim)) {
      if (n > 0) s += n % per_line ? ", " : ",\n" + std::string(indent + 1, ' ');
      s += i < 0 ? " ..." : aligned(step(at, dim, i));
      ++n;
    }
    return s + "]";
  }
  std::string slice(int64_t dim, const char* at, size_t indent) const {
    if (dim + 1 == t_.ndim()) return row(dim, at, indent);
    const std::string between = "," + std::string(static_cast<size_t>(t_.ndim() - dim - 1), '\n') + std::string(indent + 1, ' ');
    std::string s = "[";
    for (int64_t i : shown(dim)) {
      if (s.size() > 1) s += between;
      s += i < 0 ? "..." : slice(dim + 1, step(at, dim, i), indent + 1);
    }
    return s + "]";
  }

  const Tensor& t_;
  bool summarised_ = false;
  int64_t edge_ = kEdge, firsts_ = 0;
  Style style_, imaginary_;
  size_t width_ = 1, imaginary_width_ = 0;
};

// Of a computed tensor; "Invalid" where the history of a view that was written can't be made.
std::string origin(const Tensor& t) {
  try {
    const Node* n = grad_fn(t.impl());
    return n ? node_name(n) : std::string();
  } catch (const Error& error) {
    if (error.status() != Status::state) throw;
    return "Invalid";
  }
}

std::vector<std::string> suffixes(const Tensor& t) {
  std::vector<std::string> out;
  if (t.numel() == 0 && t.ndim() != 1) {
    const std::string sizes = text(t.sizes());
    out.push_back("size=(" + sizes.substr(1, sizes.size() - 2) + ")");
  }
  const bool usual = real_of(t.dtype()) == Dtype::f32 || (t.numel() > 0 && (t.dtype() == Dtype::i64 || t.dtype() == Dtype::boolean));
  if (!usual) out.push_back(format("dtype=torch.{}", name(t.dtype())));
  if (const std::string node = origin(t); !node.empty()) out.push_back("grad_fn=<" + node + ">");
  else if (needs_grad(t.impl())) out.push_back("requires_grad=True");
  return out;
}

}  // namespace

std::string print(const Tensor& t) {
  const std::string prefix = "tensor(";
  std::string s = prefix + (t.numel() == 0 ? "[]" : Printer(t).text(prefix.size()));
  const size_t newline = s.rfind('\n');
  size_t line = newline == std::string::npos ? s.size() + 2 : s.size() - newline + 1;
  for (const std::string& suffix : suffixes(t)) {
    const bool fits = line + suffix.size() + 2 <= kLine;
    s += fits ? ", " + suffix : ",\n" + std::string(prefix.size(), ' ') + suffix;
    line = fits ? line + suffix.size() + 2 : prefix.size() + suffix.size();
  }
  return s + ")";
}

}  // namespace gradus
