// Values kept for the rules of a node: the tensor itself with the version it had, or what the context's hooks made of it.
#pragma once
#include <functional>
#include <string>

#include "dispatch/op.h"

namespace gradus {

struct Node;

// For reports: sees each tensor that is kept alive, and by whom if not by the node itself.
using SeeHeld = std::function<void(const TensorImpl* kept, std::string_view by)>;

// What hooks made of a saved tensor; unpack gives a tensor of the same shape and dtype each time a rule reads it.
struct Packed {
  Count refs;
  Meta meta;
  virtual ~Packed() = default;
  virtual Tensor unpack() = 0;
  virtual void held(const SeeHeld&) const {}                  // what is in the library's memory
};
inline void retain(Packed* p) { p->refs.up(); }
inline void release(Packed* p) { if (p->refs.down()) delete p; }

// Hooks in force in a context, the innermost first.
class SavedHooks {
 public:
  Count refs;
  Ref<SavedHooks> outer;
  virtual ~SavedHooks() = default;
  // A detached value that `by` saves. Null: it is kept as it is.
  virtual Ref<Packed> pack(const Tensor& value, const Op& by) = 0;
  virtual bool ended() const { return false; }                // they let everything pass, and go when they are the innermost
  virtual const std::string* refusal() const { return nullptr; }   // why no others may be pushed
};
inline void retain(SavedHooks* h) { h->refs.up(); }
inline void release(SavedHooks* h) { if (h->refs.down()) delete h; }
// Other hooks in force, or none, for a while. Those that are pushed meanwhile and not taken away go with it.
class HooksScope {
 public:
  explicit HooksScope(SavedHooks* hooks);
  ~HooksScope();
  HooksScope(const HooksScope&) = delete;
  HooksScope& operator=(const HooksScope&) = delete;

 private:
  SavedHooks* before_;
};
void push_saved_hooks(Ref<SavedHooks> hooks);
void pop_saved_hooks();                                       // STATE when there are none
void drop_ended_hooks();
// From here on pushing hooks is STATE with this message, and so is this where some are in force. Nests.
void refuse_saved_hooks(std::string message);
void permit_saved_hooks();                                    // ends the innermost refusal; STATE when there is none
void check_hooks_permitted();
Ref<Packed> pack_with(SavedHooks* hooks, const Tensor& value, const Op& by);   // with those in force inside it: none

struct Saved {
  union { TensorImpl* tensor; Packed* packed; };
  uint32_t version;
  uint16_t slot;                                              // flat input, or output
  bool is_output, is_packed;
};

// Keeps a value for a node of `by`. `write_ahead`: its storage is about to be written once, and the value is the one after that.
void keep(Saved& to, const Op& by, Tensor value, uint32_t slot, bool is_output, bool write_ahead = false);
void pack_saved(Saved& s, const Op& by, SavedHooks* hooks);   // null: as it is
void drop(Saved& s);
void retain_saved(const Saved& s);
void held(const Saved& s, const SeeHeld& see);
[[noreturn, gnu::cold]] void refuse_changed(const Node* n, const Saved& s);
// The saved tensor. Refuses one that was changed in place since, naming both ops.
inline const Tensor& plain_tensor(const Node* n, const Saved& s) {
  if (s.tensor->storage->current() != s.version) [[unlikely]] refuse_changed(n, s);
  return reinterpret_cast<const Tensor&>(s.tensor);
}
Tensor unpack(const Node* n, const Saved& s);
Tensor unpack(std::string_view owner, const Saved& s);        // of something else than a node

}  // namespace gradus
