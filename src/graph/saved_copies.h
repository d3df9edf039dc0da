// Writes to saved values: in this mode of a context what a node saved is copied before its memory is written, so that backward reads
// what was saved. Note: `kept` of a storage says only that some context may want to know of a write to it; the context's list says more.
#pragma once
#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/context.h"
#include "graph/saved.h"

namespace gradus {

// The hooks of one stretch of the mode. What they packed is read while it lasts.
class SavedCopies : public SavedHooks {
 public:
  SavedCopies() : state_(std::make_shared<State>()) {}
  Ref<Packed> pack(const Tensor& value, const Op& by) override;
  void before_write(const Storage* s);
  void end() { state_->open.store(false, std::memory_order_relaxed); }
  bool ended() const override { return !state_->open.load(std::memory_order_relaxed); }
  uint64_t copies() const { return copies_; }

 private:
  struct State { std::atomic<bool> open{true}; };             // outlives the mode with what it packed
  struct Value;
  struct Kept;
  std::shared_ptr<Value> find(std::vector<std::weak_ptr<Value>>& list, const Tensor& value);
  void forget_dead();

  std::shared_ptr<State> state_;
  std::unordered_map<const Storage*, std::vector<std::weak_ptr<Value>>> values_;
  size_t look_again_ = 64;                                    // the number of storages at which those without values are dropped
  uint64_t copies_ = 0;
};

// Returns whether it was on. STATE where hooks that were pushed since are still in force.
bool set_saved_copies(Context& c, bool on);
void free_saved_copies(Context& c);                           // of a context that goes
uint64_t saved_copies(const Context& c);                      // how many values were copied since the mode is on

[[gnu::cold]] void copy_saved(const Storage& s);
// Comes before every write that raises a version.
inline void before_write(const Storage& s) {
  if (s.kept.load(std::memory_order_relaxed)) [[unlikely]] copy_saved(s);
}

}  // namespace gradus
