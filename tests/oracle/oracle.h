// Independent references: naive loops over doubles that share no code with the library. The suite compares every op with them.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "dispatch/op.h"

namespace gradus::oracle {

// A row-major array of doubles, whatever the tensor's dtype was.
struct Array {
  std::vector<int64_t> sizes;
  std::vector<double> values;

  Array() = default;
  explicit Array(std::vector<int64_t> s, double fill = 0) : sizes(std::move(s)), values(static_cast<size_t>(count(sizes)), fill) {}
  static int64_t count(const std::vector<int64_t>& s) {
    int64_t n = 1;
    for (int64_t d : s) n *= d;
    return n;
  }
  size_t ndim() const { return sizes.size(); }
  double& at(const std::vector<int64_t>& index) { return values[offset(index)]; }
  double at(const std::vector<int64_t>& index) const { return values[offset(index)]; }
  // The element that an index of a broadcast shape reads here.
  double read(const std::vector<int64_t>& index) const {
    std::vector<int64_t> own(index.end() - static_cast<int64_t>(sizes.size()), index.end());
    for (size_t d = 0; d < sizes.size(); ++d)
      if (sizes[d] == 1) own[d] = 0;
    return at(own);
  }

 private:
  size_t offset(const std::vector<int64_t>& index) const {
    int64_t o = 0;
    for (size_t d = 0; d < sizes.size(); ++d) o = o * sizes[d] + index[d];
    return static_cast<size_t>(o);
  }
};

// Steps an index through a shape in row-major order; false at the end.
inline bool step(std::vector<int64_t>& index, const std::vector<int64_t>& sizes) {
  for (size_t d = sizes.size(); d-- > 0;) {
    if (++index[d] < sizes[d]) return true;
    index[d] = 0;
  }
  return false;
}

// The arguments of a sample with defaults filled in, by position in the schema.
class Arguments {
 public:
  Arguments(const Op& op, const Value* values) : args_(op, values) {}
  bool has(int i) const { return args_.has(i); }
  bool is_number(int i) const { return args_[i].is_number(); }
  bool is_integral(int i) const { return gradus::is_integral(args_.tensor(i).dtype()); }
  Array array(int i) const { return from(args_.tensor(i)); }  // a number in a tensor's place becomes a 0-d array
  bool is_mask(int i, size_t member) const { return args_.tensors(i)[member] && args_.tensors(i)[member].dtype() == Dtype::boolean; }
  bool is_absent(int i, size_t member) const { return !args_.tensors(i)[member]; }
  std::vector<Array> arrays(int i) const {
    std::vector<Array> out;
    for (const Tensor& t : args_.tensors(i)) out.push_back(t ? from(t) : Array());
    return out;
  }
  Dtype element_type(int i) const { return args_.tensor(i).dtype(); }
  int64_t integer(int i) const { return args_.integer(i); }
  double number(int i) const { return args_.number(i).f; }
  bool flag(int i) const { return args_.flag(i); }
  std::vector<int64_t> integers(int i) const { return {args_.integers(i).begin(), args_.integers(i).end()}; }
  std::string text(int i) const { return std::string(args_.text(i)); }
  Dtype dtype(int i) const { return args_.dtype(i, Dtype::none); }
  Array operand(int i) const {
    if (!is_number(i)) return array(i);
    Array a{std::vector<int64_t>{}};
    a.values[0] = number(i);
    return a;
  }
  static Array from(const Tensor& t);                         // oracle.cpp

 private:
  Args args_;
};

using Oracle = std::vector<Array> (*)(const Arguments&);
using Oracles = std::map<std::string, Oracle>;                // by op name
// One table per file of this folder; oracle.cpp joins them.
const Oracle* find(const std::string& op);
Oracles elementwise();
Oracles reductions();
Oracles views_and_indices();
Oracles products();
Oracles creation_and_losses();
Oracles layers();
Oracles convolutions();
Oracles images();
Oracles copies();
Oracles statistics();
Oracles special();
Oracles counting();
Oracles linear_algebra();
Oracles spectra();

}  // namespace gradus::oracle
