// What may change in a node after it is made, and how several threads get at it: its hooks and its saved values.
#pragma once
#include <sched.h>

#include "graph/node.h"

namespace gradus {

// Held for a few instructions, never while the host's code may run.
class NodeLock {
 public:
  explicit NodeLock(const Node* n) : flags_(const_cast<Node*>(n)->flags) {
    while (flags_.fetch_or(Node::kLocked, std::memory_order_acquire) & Node::kLocked) sched_yield();
  }
  ~NodeLock() { flags_.fetch_and(static_cast<uint8_t>(~Node::kLocked), std::memory_order_release); }
  NodeLock(const NodeLock&) = delete;
  NodeLock& operator=(const NodeLock&) = delete;

 private:
  std::atomic<uint8_t>& flags_;
};

// A hook may remove itself or others, and so may other threads: what runs is a copy.
template <class H> std::vector<H> copy_of(const Node* n, const std::vector<H>& hooks) {
  const NodeLock lock(n);
  return hooks;
}

// Marks the saved values as freed and waits for those who are reading them. False if they are marked already.
bool close_saved(Node* n);

// Gives one saved value to hooks. STATE when it was freed or packed meanwhile.
void pack_saved_of(Node* n, uint32_t index, SavedHooks* hooks);

// What the host keeps with a node, for as long as the node lives or until it is replaced; destroy may be null.
void set_user(Node* n, void* user, void (*destroy)(void* user));
void* user_of(const Node* n);

// The saved values of a node, for one use of them.
class SavedValues {
 public:
  enum class Use {
    take,                                                     // by a pass that frees them: nobody else gets at them; GRAPH_FREED if somebody has
    share,                                                    // by one that does not: another may free them meanwhile; GRAPH_FREED if they are
    look                                                      // as share, but with nulls for those that are freed
  };
  SavedValues(Node* n, Use use);
  ~SavedValues();                                             // what was taken, and not freed, is put back
  SavedValues(const SavedValues&) = delete;
  SavedValues& operator=(const SavedValues&) = delete;

  std::span<const Saved> get() const { return use_ == Use::take ? std::span<const Saved>(node_->saved(), node_->saved_count) : std::span<const Saved>(copies_.data(), copies_.size()); }
  const Saved* find(uint32_t slot, bool is_output) const;     // null: it was not saved
  void free();                                                // what was taken

 private:
  Node* node_;
  Use use_;
  bool open_ = false;                                         // taken, and to be put back
  SmallVector<Saved, 4> copies_;
};

}  // namespace gradus
