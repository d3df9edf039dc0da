// Hooks of the host on saved values.
#include "capi/saved.h"

#include <memory>

#include "dispatch/registry.h"
#include "graph/history.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

struct Functions {
  Callback<gradus_pack_fn> pack;                              // owns user
  gradus_unpack_fn unpack;
  gradus_discard_fn discard;
};

// What the host knows of one value. It outlives the value while its discard waits in a queue.
struct Token {
  Functions f;
  void* token = nullptr;
  static void discard(void* p) {
    const std::unique_ptr<Token> t(static_cast<Token*>(p));
    t->f.discard(t->f.pack.user(), t->token);
  }
  static void drop(void* p) { delete static_cast<Token*>(p); }
};

struct ForeignPacked : Packed {
  std::unique_ptr<Token> given;
  HostData host;
  Tensor replacement;                                         // as it is, or
  Ref<Packed> further;                                        // as the next hooks packed it

  explicit ForeignPacked(const Functions& functions) : given(new Token{functions}) {
    host.reserve(Live::callbacks, functions.discard != nullptr);
  }
  ~ForeignPacked() override {
    if (given->token && given->f.discard) host.arm(Token::discard, given.release(), Token::drop);
    host.end(Live::callbacks);
  }
  Tensor unpack() override {
    const Functions& f = given->f;
    const Tensor value = further ? further->unpack() : replacement;
    Context& c = context();
    c.error.status = GRADUS_OK;
    Returned r;
    const auto unpacked = [&] { return f.unpack(f.pack.user(), capi::handle(&c), capi::handle(value.impl()), given->token, r.place()); };
    Callback<gradus_pack_fn>::check(ask_host("unpack hook", unpacked), "unpack hook");
    return r.take("result");
  }
  void held(const SeeHeld& see) const override {
    if (further) further->held(see);
    if (replacement) see(replacement.impl(), {});
  }
};

class HostHooks : public SavedHooks {
 public:
  explicit HostHooks(const Functions& f) : functions(f) {}
  Ref<Packed> pack(const Tensor& value, const Op& by) override {
    auto packed = Ref<ForeignPacked>::adopt(new ForeignPacked(functions));
    Returned r;
    const gradus_op* op = find_op(name(by)) == &by ? capi::handle(by.info) : nullptr;
    functions.pack.run("pack hook", capi::handle(value.impl()), op, r.place(), &packed->given->token);
    packed->replacement = r.take("replacement");
    void* const token = packed->given->token;
    if (!packed->replacement && !token) return {};
    if (packed->replacement && !token && outer) {
      packed->further = pack_with(outer.get(), detach(packed->replacement), by);
      if (packed->further) packed->replacement = {};
    }
    return Ref<Packed>::adopt(packed.detach());
  }
  Functions functions;
};

}  // namespace

ForeignHooks::ForeignHooks(const gradus_saved_hooks* hooks) : given_(read_options(needed(hooks, "hooks"))), pack_(needed(given_.pack, "pack"), given_.user, given_.destroy) {
  check_flags(given_.flags, 0);
  GRADUS_CHECK(!given_.reserved0, unknown_field, "reserved0 is not null");
  made_ = Ref<SavedHooks>::adopt(new HostHooks({pack_, needed(given_.unpack, "unpack"), given_.discard}));
}

gradus_status gradus_context_push_saved_hooks(gradus_context* ctx, const gradus_saved_hooks* hooks) {
  return guard(ctx, "context_push_saved_hooks", [&](Context&) {
    const ForeignHooks foreign(hooks);
    push_saved_hooks(Ref<SavedHooks>::share(foreign.get()));
    foreign.arm();
  });
}

gradus_status gradus_context_pop_saved_hooks(gradus_context* ctx) {
  return guard(ctx, "context_pop_saved_hooks", [](Context&) { pop_saved_hooks(); });
}

gradus_status gradus_context_refuse_saved_hooks(gradus_context* ctx, const char* message, size_t length) {
  return guard(ctx, "context_refuse_saved_hooks", [&](Context&) { refuse_saved_hooks(std::string(text_of(message, length, "message"))); });
}

gradus_status gradus_context_permit_saved_hooks(gradus_context* ctx) {
  return guard(ctx, "context_permit_saved_hooks", [](Context&) { permit_saved_hooks(); });
}
