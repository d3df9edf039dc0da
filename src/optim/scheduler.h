// Schedulers: settings of an optimizer's groups as functions of the epoch, by PyTorch's formulas, step by step as there.
#pragma once
#include "optim/optimizer.h"

namespace gradus {

enum class Schedule : uint8_t { step, multi_step, constant, linear, exponential, polynomial, cosine, cosine_restarts, one_cycle, plateau };

struct Scheduler : Object {
  Scheduler(Ref<Optimizer> optimizer, std::string_view name, std::span<const NamedValue> settings);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void step();
  void step(double metric);                                   // of a plateau
  const char* name() const;
  // All that changes, for saving; what it was made with is the caller's.
  const std::vector<std::pair<std::string, double>>& state();   // valid until the next call
  void load_state(std::string_view name, double value);

 private:
  double setting(std::string_view name) const;
  double next_lr(size_t group) const;
  double one_cycle(double from, double middle, double to) const;
  void one_cycle_begin();
  std::string_view cycled() const;                            // "momentum" or "beta1"
  struct Change { size_t group; std::string_view setting; double value; };
  void one_cycle_changes(std::vector<Change>& to) const;
  void set_all(const std::vector<Change>& changes);           // or none, when one is refused
  void check() const;
  void apply();
  void plateau(double metric);

  const Ref<Optimizer> optimizer_;
  const Schedule schedule_;
  std::vector<std::pair<std::string_view, double>> settings_;   // names of the table
  std::vector<double> milestones_;
  std::vector<double> base_;                                  // learning rates at the start, by group
  double epoch_ = 0;
  double cycle_ = 0, cycle_length_ = 0;                       // of warm restarts
  std::vector<std::pair<std::string, double>> shown_;         // what state() has given out
  double best_ = 0, bad_epochs_ = 0, cooldown_ = 0;           // of a plateau
};
inline void retain(Scheduler* s) { s->refs.up(); }
inline void release(Scheduler* s) { if (s->refs.down()) delete s; }

}  // namespace gradus
