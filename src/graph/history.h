// How a tensor hangs in the graph: its flag, its gradient, the view it is of which base. Empty for tensors that take no part.
#pragma once
#include <sched.h>

#include "graph/node.h"

namespace gradus {

// How a view came about; only an ordinary one may be written through while recording.
enum class ViewKind : uint8_t { ordinary, no_grad, inference, multiple, custom };

struct Hooked { uint64_t id = 0; Ref<Node> node; };           // null: the leaf's own sink

struct AutogradMeta {
  Tensor grad;
  std::atomic<Node*> sink{nullptr};                           // of a leaf; made at first use
  std::atomic_flag busy = ATOMIC_FLAG_INIT;                   // guards grad while engines add to it, and hooked
  Tensor base;                                                // of a view: the root that owns the storage
  uint32_t seen_version = 0;                                  // of a view: the version its history belongs to
  ViewKind kind = ViewKind::ordinary;
  Node* retained_by = nullptr;                                // gives it its gradient though it is no leaf; clears this when it dies
  uint8_t size_class = 0;
  AutogradMeta* next = nullptr;                               // of a dead tensor: the next one to be freed
  std::vector<Hooked> hooked;                                 // where its hooks are: histories it had when they were added
};

// Held for a few instructions, and while a gradient is added to another.
class FlagLock {
 public:
  explicit FlagLock(std::atomic_flag& f) : f_(f) { while (f_.test_and_set(std::memory_order_acquire)) sched_yield(); }
  ~FlagLock() { f_.clear(std::memory_order_release); }
  FlagLock(const FlagLock&) = delete;
  FlagLock& operator=(const FlagLock&) = delete;

 private:
  std::atomic_flag& f_;
};

AutogradMeta& autograd_meta(TensorImpl* t);                   // made when there is none

// Whether gradients flow to it: its own flag or history, or that of the base a view has to follow. Never to one that was made
// in inference mode, whatever its flag says.
inline bool needs_grad(const TensorImpl* t) {
  return (t->requires_grad && !t->inference) || t->grad_fn || (t->view && t->autograd->base.impl()->wants_grad() && t->autograd->seen_version != t->storage->current());
}
// Where its gradient goes; the reference is the caller's. A view whose base was written since gets its history anew.
Edge history(TensorImpl* t);
Node* grad_fn(TensorImpl* t);                                 // null for a leaf; not owned

void set_requires_grad(TensorImpl* t, bool on);
void record_view(const Tensor& view, const Tensor& of, bool multiple);
// The history of a tensor that is about to be written, made beforehand so that nothing can fail once the write is done. The
// node's output nr becomes the tensor; a view hands the change to its base.
class Rewrite {
 public:
  Rewrite(TensorImpl* t, Ref<Node> n, uint32_t nr = 0);
  void commit() noexcept;                                     // after the write and the new version

 private:
  TensorImpl* tensor_;
  Ref<Node> node_, view_node_;                                // of the value; of a view's place in its base
  Ref<Node> base_node_;
  uint32_t nr_;
};
void check_in_place(std::string_view by, TensorImpl* self, bool records);
void check_history(std::string_view by, TensorImpl* self, bool records);      // the part of it that is not about memory
Tensor detach(const Tensor& t);
void detach_in_place(TensorImpl* t);
void retain_grad(TensorImpl* t);
// A kept gradient is that of the newest version: the node that made it gives it.
void move_retained(TensorImpl* t, Node* to, uint32_t nr);
// Of the history that the tensor has now. Ids are for removal, by the tensor or the node they were added to.
uint64_t add_hook(TensorImpl* t, std::function<Tensor(const Tensor&)> hook);
bool remove_hook(TensorImpl* t, uint64_t id);
enum class When { before, after };
uint64_t add_node_hook(Node* n, When when, std::function<void(Tensors& gradients, const Tensors& incoming)> hook);
uint64_t add_leaf_hook(TensorImpl* t, std::function<void(const Tensor& leaf)> hook);
bool remove_node_hook(Node* n, uint64_t id);
void set_grad(TensorImpl* t, const Tensor& grad);             // null clears
void set_data(TensorImpl* t, const TensorImpl* other);        // the storage and layout of another

}  // namespace gradus
