// einsum: by permutations, sums and batched products of two operands at a time.
#include <algorithm>
#include <string>
#include <vector>

#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// Labels are bits: a-z, A-Z, then the dimensions that "..." stands for.
constexpr int kFirstEllipsis = 52;
constexpr int kLabels = 64;
using Labels = SmallVector<int, 6>;

uint64_t bit(int label) { return uint64_t{1} << label; }
uint64_t mask_of(const Labels& labels) {
  uint64_t m = 0;
  for (int l : labels) m |= bit(l);
  return m;
}
Labels listed(uint64_t mask) {
  Labels out;
  for (int l = 0; l < kLabels; ++l)
    if (mask & bit(l)) out.push_back(l);
  return out;
}

// A tensor whose dimension i runs over labels[i]; each label occurs once.
struct Labelled {
  Tensor tensor;
  Labels labels;
  int64_t size(int label) const {
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == label) return tensor.sizes()[i];
    return 1;
  }
};

// Dimensions in the order asked for; labels that it lacks get size 1.
Tensor arranged(const Labelled& x, const Labels& order) {
  Sizes dims, sizes;
  for (int l : order) {
    const auto at = std::find(x.labels.begin(), x.labels.end(), l);
    if (at != x.labels.end()) dims.push_back(at - x.labels.begin());
    sizes.push_back(x.size(l));
  }
  const Tensor t = std::is_sorted(dims.begin(), dims.end()) ? x.tensor : permute(x.tensor, dims);
  return same(t.sizes(), sizes) ? t : reshape(t, sizes);
}

Labelled summed(const Labelled& x, uint64_t over) {
  Sizes dims;
  Labelled out;
  for (size_t i = 0; i < x.labels.size(); ++i) {
    if (over & bit(x.labels[i])) dims.push_back(static_cast<int64_t>(i));
    else out.labels.push_back(x.labels[i]);
  }
  out.tensor = dims.empty() ? x.tensor : sum(x.tensor, dims, false, x.tensor.dtype());
  return out;
}

int64_t extent(const Labelled& x, uint64_t mask) {
  int64_t n = 1;
  for (int l : x.labels)
    if (mask & bit(l)) n *= x.size(l);
  return n;
}

// The product of two, summed over the labels that nobody else needs.
Labelled contract(const Labelled& a_all, const Labelled& b_all, uint64_t keep) {
  uint64_t ma = mask_of(a_all.labels), mb = mask_of(b_all.labels);
  const Labelled a = summed(a_all, ma & ~mb & ~keep), b = summed(b_all, mb & ~ma & ~keep);
  ma = mask_of(a.labels);
  mb = mask_of(b.labels);
  const uint64_t batch = ma & mb & keep, inner = ma & mb & ~keep, rows = ma & ~mb, cols = mb & ~ma;
  Labels order = listed(batch);
  for (int l : listed(rows)) order.push_back(l);
  for (int l : listed(cols)) order.push_back(l);
  if (!inner) return {mul(arranged(a, order), arranged(b, order)), order};

  Sizes left, right, result;
  Labels left_order = listed(batch), right_order = left_order;
  for (int l : left_order) { left.push_back(a.size(l)); right.push_back(b.size(l)); }
  for (int l : listed(rows)) left_order.push_back(l);
  for (int l : listed(inner)) { left_order.push_back(l); right_order.push_back(l); }
  for (int l : listed(cols)) right_order.push_back(l);
  left.push_back(extent(a, rows));
  left.push_back(extent(a, inner));
  right.push_back(extent(b, inner));
  right.push_back(extent(b, cols));
  const Tensor t = matmul(reshape(arranged(a, left_order), left), reshape(arranged(b, right_order), right));
  for (int l : order) result.push_back((bit(l) & ma) ? a.size(l) : b.size(l));
  return {reshape(t, result), order};
}

// ---- the equation
struct Subscript {
  Labels labels;                                              // -1: the ellipsis
  bool ellipsis = false;
};
int label_of(char c) { return c >= 'a' && c <= 'z' ? c - 'a' : c >= 'A' && c <= 'Z' ? c - 'A' + 26 : -1; }
char letter(int label) { return static_cast<char>(label < 26 ? 'a' + label : 'A' + label - 26); }

std::vector<Subscript> parse_subscripts(std::string_view text, std::string_view equation) {
  std::vector<Subscript> out(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if (c == ',') {
      out.emplace_back();
    } else if (c == '.') {
      GRADUS_CHECK(text.substr(i, 3) == "..." && !out.back().ellipsis, value, "einsum: a misplaced '.' in '{}'", equation);
      out.back().ellipsis = true;
      out.back().labels.push_back(-1);
      i += 2;
    } else {
      GRADUS_CHECK(label_of(c) >= 0, value, "einsum: '{}' in '{}' is no letter", c, equation);
      out.back().labels.push_back(label_of(c));
    }
  }
  return out;
}

struct Equation {
  std::vector<Subscript> inputs;
  Labels output;
  int64_t sizes[kLabels];                                     // -1: no such label
  int64_t ellipsis = 0;                                       // the most dimensions that "..." stands for

  Equation(std::string_view text, std::span<const Tensor> operands) {
    std::fill(sizes, sizes + kLabels, -1);
    const size_t arrow = text.find("->");
    inputs = parse_subscripts(text.substr(0, arrow), text);
    GRADUS_CHECK(inputs.size() == operands.size(), value, "einsum: {} operands for the {} subscripts of '{}'", operands.size(), inputs.size(), text);
    for (size_t k = 0; k < operands.size(); ++k) count_dims(k, operands[k], text);
    for (size_t k = 0; k < operands.size(); ++k) {
      inputs[k].labels = expanded(inputs[k], operands[k].ndim());
      note_sizes(k, operands[k]);
    }
    if (arrow == std::string_view::npos) implicit_output();
    else explicit_output(text.substr(arrow + 2), text);
  }

 private:
  void count_dims(size_t k, const Tensor& t, std::string_view text) {
    const int64_t named = static_cast<int64_t>(inputs[k].labels.size()) - inputs[k].ellipsis;
    GRADUS_CHECK(inputs[k].ellipsis ? t.ndim() >= named : t.ndim() == named, shape, "einsum: operand {} of '{}' has {} dimensions, its subscript {}", k, text,
                 t.ndim(), named);
    if (inputs[k].ellipsis) ellipsis = std::max(ellipsis, t.ndim() - named);
    GRADUS_CHECK(ellipsis <= kLabels - kFirstEllipsis, unsupported, "einsum: '...' stands for {} dimensions, more than {}", ellipsis, kLabels - kFirstEllipsis);
  }
  Labels expanded(const Subscript& s, int64_t ndim) const {   // "..." is aligned at its last dimension
    const int64_t own = ndim - (static_cast<int64_t>(s.labels.size()) - 1);
    Labels out;
    for (int l : s.labels) {
      if (l >= 0) out.push_back(l);
      else
        for (int64_t i = 0; i < own; ++i) out.push_back(static_cast<int>(kFirstEllipsis + ellipsis - own + i));
    }
    return out;
  }
  void note_sizes(size_t k, const Tensor& t) {
    for (size_t d = 0; d < inputs[k].labels.size(); ++d) {
      const int l = inputs[k].labels[d];
      int64_t& have = sizes[l];
      const int64_t size = t.sizes()[d];
      const std::string what = l < kFirstEllipsis ? std::string(1, letter(l)) : "...";
      GRADUS_CHECK(have == -1 || have == 1 || size == 1 || have == size, shape, "einsum: '{}' has size {} and {}", what, have, size);
      if (have == -1 || have == 1) have = size;
    }
  }
  void implicit_output() {                                    // "..." first, then the letters that occur once, in alphabetical order
    int count[kLabels] = {};
    for (const Subscript& s : inputs)
      for (int l : s.labels) ++count[l];
    for (int64_t i = 0; i < ellipsis; ++i) output.push_back(static_cast<int>(kFirstEllipsis + i));
    for (int l = 26; l < kFirstEllipsis; ++l)                 // capitals sort before small letters
      if (count[l] == 1) output.push_back(l);
    for (int l = 0; l < 26; ++l)
      if (count[l] == 1) output.push_back(l);
  }
  void explicit_output(std::string_view right, std::string_view text) {
    const std::vector<Subscript> subscripts = parse_subscripts(right, text);
    GRADUS_CHECK(subscripts.size() == 1, value, "einsum: more than one output in '{}'", text);
    uint64_t seen = 0;
    for (int l : subscripts[0].labels) {
      if (l < 0) {
        for (int64_t i = 0; i < ellipsis; ++i) output.push_back(static_cast<int>(kFirstEllipsis + i));
        continue;
      }
      GRADUS_CHECK(!(seen & bit(l)), value, "einsum: '{}' appears twice in the output of '{}'", letter(l), text);
      GRADUS_CHECK(sizes[l] >= 0, value, "einsum: '{}' of the output of '{}' is in no operand", letter(l), text);
      seen |= bit(l);
      output.push_back(l);
    }
  }
};

// The operand with repeated labels read along the diagonal.
Labelled diagonal(const Tensor& t, const Labels& labels) {
  Labelled x{t, {}};
  Sizes sizes, strides;
  for (size_t d = 0; d < labels.size(); ++d) {
    const size_t i = static_cast<size_t>(std::find(x.labels.begin(), x.labels.end(), labels[d]) - x.labels.begin());
    if (i == x.labels.size()) {
      x.labels.push_back(labels[d]);
      sizes.push_back(t.sizes()[d]);
      strides.push_back(t.strides()[d]);
    } else {
      GRADUS_CHECK(sizes[i] == t.sizes()[d], shape, "einsum: '{}' is repeated with sizes {} and {}", letter(labels[d]), sizes[i], t.sizes()[d]);
      strides[i] += t.strides()[d];
    }
  }
  if (x.labels.size() < labels.size()) x.tensor = call(strided_view_op, {t, sizes, strides, 0, t.strides()});
  return x;
}

// Dimensions of size 1 broadcast: they are left out.
Labelled squeezed(const Labelled& x) {
  Labelled out;
  Sizes sizes;
  for (size_t d = 0; d < x.labels.size(); ++d)
    if (x.tensor.sizes()[d] != 1) {
      out.labels.push_back(x.labels[d]);
      sizes.push_back(x.tensor.sizes()[d]);
    }
  out.tensor = sizes.size() == x.labels.size() ? x.tensor : reshape(x.tensor, sizes);
  return out;
}

void einsum(const Args& a, Tensors& out) {
  const std::span<const Tensor> operands = a.tensors(1);
  GRADUS_CHECK(!operands.empty(), value, "einsum: no operands");
  const Equation e(a.text(0), operands);
  std::vector<Labelled> open;
  for (size_t k = 0; k < operands.size(); ++k) open.push_back(squeezed(diagonal(operands[k], e.inputs[k].labels)));
  const SizesRef path = a.has(2) ? a.integers(2) : SizesRef();
  GRADUS_CHECK(path.empty() || path.size() == 2 * (open.size() - 1), value, "einsum: a path of {} numbers for {} operands", path.size(), open.size());
  const uint64_t wanted = mask_of(e.output);
  for (size_t step = 0; open.size() > 1; ++step) {            // each result goes to the end; by default the oldest two come next
    const int64_t n = static_cast<int64_t>(open.size());
    const int64_t i = path.empty() ? 0 : path[2 * step], j = path.empty() ? (step == 0 ? 1 : n - 1) : path[2 * step + 1];
    GRADUS_CHECK(i >= 0 && j >= 0 && i < n && j < n && i != j, value, "einsum: ({}, {}) in the path is no pair of {} operands", i, j, n);
    const Labelled left = open[static_cast<size_t>(std::min(i, j))], right = open[static_cast<size_t>(std::max(i, j))];
    open.erase(open.begin() + std::max(i, j));
    open.erase(open.begin() + std::min(i, j));
    uint64_t keep = wanted;
    for (const Labelled& x : open) keep |= mask_of(x.labels);
    open.push_back(contract(left, right, keep));
  }
  const Labelled last = summed(open[0], ~wanted);
  out.push_back(arranged(last, e.output));
}

}  // namespace

Op einsum_op{
    .schema = "einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor",
    .doc = "The product of all tensors, summed over the labels that the output lacks: \"ij,jk->ik\". A label repeated in one subscript reads a "
           "diagonal, \"...\" stands for further dimensions that broadcast; without \"->\" the output has the labels that occur once, in "
           "alphabetical order. The path names the two operands of each step; a result goes to the end.",
    .complex = true,
    .compose = einsum,
    .samples = [](Samples& s) {
      s.add({s.text("ij,jk->ik"), s.tensors({s.rand({2, 3}), s.rand({3, 2})})});
      s.add({s.text("ii"), s.tensors({s.rand({3, 3})})});
      s.add({s.text("ii->i"), s.tensors({s.rand({3, 3})})});
      s.add({s.text("...ij, ...jk"), s.tensors({s.rand({2, 1, 2, 3}), s.rand({3, 3, 2})})});
      s.add({s.text("ba"), s.tensors({s.rand({2, 3})})});     // the implicit output is ab: transposed
      s.add({s.text("bi,i,oi->bo"), s.tensors({s.rand({2, 3}), s.rand({3}), s.rand({4, 3})}), s.list({0, 2, 0, 1})});
      s.add({s.text("i,j->"), s.tensors({s.rand({2}), s.rand({3})})});
      s.add({s.text("ij,kj->ik"), s.tensors({s.rand({2, 1}), s.rand({3, 4})})});
      s.error({s.text("ij,jk->ik"), s.tensors({s.rand({2, 3}), s.rand({4, 2})})}, "'j' has size 3 and 4");
      s.error({s.text("ij->ik"), s.tensors({s.rand({2, 3})})}, "'k' of the output");
      s.error({s.text("ij,k"), s.tensors({s.rand({2, 3})})}, "1 operands for the 2 subscripts");
      s.error({s.text("i$"), s.tensors({s.rand({2, 3})})}, "is no letter");
    },
};

static Op* const all[] = {&einsum_op};
const OpList einsum_ops = all;

}  // namespace gradus
