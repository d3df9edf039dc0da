#include "graph/shared_node.h"

#include "base/host.h"
#include "graph/history.h"

namespace gradus {

bool close_saved(Node* n) {
  if (n->flags.fetch_or(Node::kFreed, std::memory_order_acq_rel) & Node::kFreed) return false;
  while (n->flags.load(std::memory_order_acquire) & Node::kLocked) sched_yield();
  return true;
}

namespace {
struct UserData {
  HostData host;
  bool counted = false;
  ~UserData() { if (counted) host.end(Live::callbacks); }
};
}  // namespace

void set_user(Node* n, void* user, void (*destroy)(void* user)) {
  NodeExtra& extra = extra_of(n);
  std::shared_ptr<UserData> owner;
  if (destroy) {
    owner = std::make_shared<UserData>();
    owner->host.reserve(Live::callbacks, true);
    owner->counted = true;
    owner->host.arm(destroy, user);
  }
  std::shared_ptr<void> data(std::move(owner), user);
  const NodeLock lock(n);
  extra.user.swap(data);
}

void* user_of(const Node* n) {
  const NodeExtra* extra = n->extra();
  if (!extra) return nullptr;
  const NodeLock lock(n);
  return extra->user.get();
}

SavedValues::SavedValues(Node* n, Use use) : node_(n), use_(use) {
  if (n->saved_count == 0) return;
  if (use == Use::take) {
    if (!close_saved(n)) refuse_freed(n);
    open_ = true;
    return;
  }
  copies_.reserve(n->saved_count);
  bool freed;
  {
    const NodeLock lock(n);
    freed = n->freed();
    for (uint32_t i = 0; i < n->saved_count; ++i) {
      copies_.push_back(n->saved()[i]);
      if (freed) copies_[i].tensor = nullptr;
      else retain_saved(copies_[i]);
    }
  }
  if (freed && use == Use::share) refuse_freed(n);
}

SavedValues::~SavedValues() {
  for (Saved& s : copies_) drop(s);
  if (open_) node_->flags.fetch_and(static_cast<uint8_t>(~Node::kFreed), std::memory_order_release);
}

void SavedValues::free() {
  if (std::exchange(open_, false)) drop_saved(node_);
}

void pack_saved_of(Node* n, uint32_t index, SavedHooks* hooks) {
  const SavedValues values(n, SavedValues::Use::share);
  const Saved before = values.get()[index];
  Ref<Packed> packed = pack_with(hooks, detach(Tensor::share(before.tensor)), *n->op);
  if (!packed) return;
  Tensor gone;                                                // the node's own reference, let go of without the lock
  const NodeLock lock(n);
  Saved& s = n->saved()[index];
  GRADUS_CHECK(!n->freed() && !s.is_packed, state, "{}: a pack hook freed the value that it packs, or packed it itself", name(*n->op));
  gone = Tensor::adopt(s.tensor);
  s.packed = packed.detach();
  s.is_packed = true;
  n->mark_packed(true);
}

const Saved* SavedValues::find(uint32_t slot, bool is_output) const {
  for (const Saved& s : get())
    if (s.slot == slot && s.is_output == is_output) return &s;
  return nullptr;
}

}  // namespace gradus
