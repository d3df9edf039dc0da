// An Op says everything the library knows about one operator. Engine, C functions, tests, benchmarks and manual all read it
// from here. Field order is reading order; the compiler insists on it. A field left out is derived or absent: see ops/README.md.
#pragma once
#include <string_view>

#include "dispatch/args.h"
#include "kernels/strip.h"

namespace gradus {

class Call;
class Samples;

using Metas = SmallVector<Meta, 2>;
using Layouts = SmallVector<Layout, 2>;
using Tensors = SmallVector<Tensor, 2>;

using ShapeRule = void (*)(const Args&, Metas& out);          // metadata in, metadata out; reads no data
using Check = void (*)(const Args&, Dtype promoted);          // refuses what a formula cannot compute
using Kernel = void (*)(const Args&, const Tensors& out);     // writes every element of out
using ViewRule = void (*)(const Args&, Layouts& out);         // where the outputs lie in the storage of the first input
using Compose = void (*)(const Args&, Tensors& out);          // the op, written with other ops
using Change = void (*)(const Args&);                         // changes the first argument itself: its shape, or its history
using Rule = Tensor (*)(const Call&, const Tensor& g);        // the gradient of one input from the gradient of the output
using RuleAll = void (*)(const Call&, Tensors& gradients);    // of all inputs at once, where they share most of the work
using Sampler = void (*)(Samples&);

inline constexpr int kMaxInputs = 6;
inline constexpr int kMaxArguments = 16;

// What the compiler knows of a formula (ops/formula.h makes it).
struct FormulaInfo {
  struct Slope {
    bool exists = false;
    unsigned reads = 0;                                       // bit k: input k; bit arity: the value
    double (*number)(const void* attributes) = nullptr;       // of a slope that reads nothing
    Tensor (*pull)(const Call&, const Tensor& g) = nullptr;   // g * slope in differentiable ops
  };
  int arity = 0, row = 0, attributes = 0;                     // attributes: how many Numbers, from argument `arity` on
  const FormulaKernels* (*table)() = nullptr;
  const ComplexKernels* (*complex)() = nullptr;               // of complex numbers; null where it refuses them
  int complex_row = 0;
  Slope slope[kFormulaInputs] = {};
};

// The element type of a formula's result, from the promoted type of its inputs.
enum class ResultType : uint8_t { same, floating, boolean, number };   // floating: integers become float32; number: booleans int64

// Which inputs and outputs the rules read; nothing else is kept.
struct Save { unsigned bits = 0; };
constexpr Save input(int i) { return {1u << i}; }
constexpr Save output(int i = 0) { return {1u << (16 + i)}; }
constexpr Save operator|(Save a, Save b) { return {a.bits | b.bits}; }

struct Op {
  // What the caller sees.
  std::string_view schema;                                    // "softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor"
  std::string_view doc;                                       // one sentence; then formula and limits
  std::string_view serves = {};                               // other ATen overloads it answers, separated by spaces
  bool complex = false;                                       // takes complex tensors and dtypes, as views do; a formula's kernels tell

  // What it computes: a formula, a kernel, a view or a composition. At least one.
  const FormulaInfo* formula = nullptr;
  ResultType result = ResultType::same;
  bool real_result = false;                                   // of complex inputs, too
  bool no_bool = false;                                       // refuses booleans, as PyTorch does for sub and neg
  Check check = nullptr;                                      // of a formula; the type is that of its operands together
  bool takes_numbers = false;                                 // a number may stand for a tensor, as it may for those of formulas
  bool complex_numbers = false;                               // its numbers may be complex; those of formulas for complex numbers may
  ShapeRule shape = nullptr;                                  // required with a kernel
  Kernel kernel = nullptr;
  bool updates = false;                                       // the kernel changes parts of out, which begins as a copy of self
  ViewRule view = nullptr;
  Dtype (*view_type)(Dtype) = nullptr;                        // of a view that shows the memory as another type
  bool multi_view = false;                                    // split, unbind: the outputs may not be written in place
  Compose compose = nullptr;
  bool in_place = false;                                      // has the form op_; formulas and updates always have
  Change rewrite = nullptr;                                   // what op_ does, where it writes no elements

  // How it differentiates. Rules call ops, so they differentiate too.
  Rule vjp[kMaxInputs] = {};                                  // by tensor argument; a Tensor[] is one, see Call::member
  RuleAll vjp_all = nullptr;
  Save save = {};
  bool random = false;

  // How it is tried.
  Sampler samples = nullptr;                                  // inputs for tests, benchmarks and manual

  // Filled in by the registry.
  struct OpInfo* info = nullptr;
};

// What the registry derives from a record.
struct OpInfo {
  Kind kind = Kind::op;                                       // what a handle of an op points at
  const Op* op = nullptr;
  Schema schema;
  Value defaults[kMaxArguments];
  std::string name;                                           // "sum"; in-place forms end in "_"
  const FormulaKernels* kernels = nullptr;                    // the formula's row for this machine
  Op* in_place = nullptr;                                     // the form op_
  const Op* functional = nullptr;                             // of an in-place form
  bool differentiable = false;
  bool complex = false;                                       // complex tensors may pass; a formula looks for itself
  bool host = false;                                          // registered by the host; all its text ends in a 0
  unsigned rules = 0;                                         // bit i: tensor argument i can have a gradient
  int index = 0;
};

inline const std::string& name(const Op& op) { return op.info->name; }

}  // namespace gradus
