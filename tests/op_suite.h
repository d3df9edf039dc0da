// The suite: every op of the registry x samples x dtypes x memory layouts x properties. One GoogleTest case per property walks
// all ops and reports one line per failure; GRADUS_OP=sum,softmax tries just those ops.
#pragma once
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/registry.h"
#include "fixture.h"
#include "ops/samples.h"
#include "oracle/oracle.h"

namespace gradus::suite {

using Inputs = std::vector<Tensor>;

// One call of an op, whose tensors may be replaced. Lists stand member by member among the inputs; gaps are null.
struct Attempt {
  const Op& op;
  const Sample& sample;
  Inputs inputs;

  Attempt(const Op& o, const Sample& s);
  Attempt with(Inputs other) const;
  Attempt cast(Dtype to) const;                               // its float64 inputs as another dtype
  Tensors run() const { return run(op); }
  Tensors run(const Op& form) const;                          // random ops draw the same numbers every time
  Tensors run_in_c() const;                                   // the same through gradus_invoke
  Tensors compose() const;
  std::vector<oracle::Array> ask(oracle::Oracle) const;
  bool writes_first() const { return op.info->in_place && sample.arguments[0].tag == Tag::tensor; }

 private:
  // Calls f with the arguments, made to point at the inputs.
  template <class F> auto with_arguments(F&& f) const;
};

bool is_complex(const Attempt&);                              // whether a tensor is, or will be
std::string describe(const Attempt&);                         // "sum(float64[2, 3], dim=[1])"

// Collects what is wrong with one op on one sample.
class Report {
 public:
  Report(std::string where, std::string call, std::vector<std::string>& lines) : where_(std::move(where)), call_(std::move(call)), lines_(lines) {}
  template <class... T> void fail(fmt::format_string<T...> f, const T&... args) { lines_.push_back(gradus::format("{}: {} -- {}", where_, gradus::format(f, args...), call_)); }
  void check() { ++checks; }                                  // counts one comparison
  bool about(const char* variant) { where_ = base_ + variant; return true; }
  static int64_t checks;

 private:
  std::string where_, base_ = where_, call_;
  std::vector<std::string>& lines_;
};

// Whether the system has no LAPACK: what needs it is not tried, and the ops are counted at the end. linalg_test fails then.
bool lacks_lapack(const Op&, const Error&);

// An op that a property does not hold for, and why.
using Exceptions = std::map<std::string, std::string>;

class Suite : public Core {
 protected:
  enum Which { good, bad };
  template <class F> void each(const char* property, Which which, const Exceptions& except, F&& f) {
    std::vector<std::string> lines;
    for (const Op* op : chosen_ops()) {
      if (except.contains(name(*op)) || !op->samples) continue;
      walk(*op, property, which, lines, f);
    }
    for (const auto& [op, why] : except)
      if (!find_op(op)) lines.push_back(format("op/{}/{}: an exception for an op that does not exist ({})", op, property, why));
    show(lines);
  }
  static std::vector<const Op*> chosen_ops();                 // in-place forms are tried with their ops
  static void show(const std::vector<std::string>& lines);    // as one failure, if there are any

 private:
  template <class F> static void walk(const Op& op, const char* property, Which which, std::vector<std::string>& lines, F&& f) {
    Samples samples;
    op.samples(samples);
    int number = 0;
    for (const Sample& s : samples.all()) {
      const int at = number++;
      if (s.error.empty() != (which == good)) continue;
      const int64_t tensors = live_count(Live::tensors), nodes = live_count(Live::nodes);
      {
        const Attempt a(op, s);
        if (which == good && is_complex(a)) continue;         // complex_suite.cpp has those
        Report r(format("op/{}/{}/{}", name(op), at, property), describe(a), lines);
        try {
          f(a, r);
        } catch (const Error& e) {
          if (!lacks_lapack(op, e)) r.fail("threw \"{}\"", e.what());
        } catch (const std::exception& e) {
          r.fail("threw \"{}\"", e.what());
        }
      }
      if (live_count(Live::tensors) != tensors || live_count(Live::nodes) != nodes)
        lines.push_back(format("op/{}/{}/{}: left {} tensors and {} nodes", name(op), at, property, live_count(Live::tensors) - tensors,
                               live_count(Live::nodes) - nodes));
    }
  }
};

// ---- comparing
inline oracle::Array array(const Tensor& t) { return oracle::Arguments::from(t); }
double epsilon(Dtype);                                        // 0 for integers
// Where the two differ by more than the tolerance, in words. `computed` is the least precise dtype that went in.
std::optional<std::string> differ(const Tensor& got, const oracle::Array& want, Dtype computed, double factor = 1);
std::optional<std::string> differ(const Tensor& got, const Tensor& want, double tolerance);
std::optional<std::string> differ_in_bits(const Tensor& got, const Tensor& want);
std::vector<char> bytes_of(const Tensor& t);                  // of the whole storage

// ---- making
// Memory that holds the values of t in another layout. Bytes between the elements are 0xff: NaN, or -1.
enum class Memory { transposed, sliced, step, expanded };
inline constexpr Memory kMemories[] = {Memory::transposed, Memory::sliced, Memory::step, Memory::expanded};
const char* name(Memory);
Tensor relayout(const Tensor& t, Memory);                     // t itself where the layout is none of its own
Tensor noise(SizesRef sizes, uint64_t seed);                  // float64 in [-1, 1)
Tensor copy_of(const Tensor& t);                              // contiguous, by hand

}  // namespace gradus::suite
