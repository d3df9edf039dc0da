// Hooks of the host on saved values, for the functions that register them.
#pragma once
#include "capi/callback.h"
#include "graph/saved.h"

namespace gradus::capi {

class ForeignHooks {
 public:
  explicit ForeignHooks(const gradus_saved_hooks* hooks);     // checked
  SavedHooks* get() const { return made_.get(); }
  void arm() const { pack_.arm(); }                           // the registration succeeded: user is ours

 private:
  gradus_saved_hooks given_;
  Callback<gradus_pack_fn> pack_;
  Ref<SavedHooks> made_;
};

}  // namespace gradus::capi
