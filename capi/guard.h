// The border between C and the core: handles, the only try, growable structs. A handle is the core object itself.
#pragma once
#include <cstring>
#include <string_view>

#include "base/context.h"
#include "base/live.h"
#include "dispatch/op.h"
#include "gradus/gradus.h"
#include "graph/node.h"

namespace gradus::capi {

// ---- handles: the first word says the kind
template <class T, class H> T* core(H* handle) { return reinterpret_cast<T*>(const_cast<std::remove_const_t<H>*>(handle)); }
inline Kind kind_of(const void* handle) { return static_cast<const Object*>(handle)->kind; }
inline bool is(const void* handle, Kind kind) { return handle && kind_of(handle) == kind; }

inline gradus_tensor* handle(TensorImpl* t) { return reinterpret_cast<gradus_tensor*>(t); }
inline gradus_tensor* give(Tensor t) { return handle(t.detach_handle()); }
inline gradus_context* handle(Context* c) { return reinterpret_cast<gradus_context*>(c); }
inline const gradus_op* handle(const OpInfo* op) { return reinterpret_cast<const gradus_op*>(op); }
inline const OpInfo* op_info(const gradus_op* op) { return reinterpret_cast<const OpInfo*>(op); }
inline uint32_t bit(bool set, uint32_t mask) { return set ? mask : 0; }
inline gradus_status number(Status s) { return static_cast<gradus_status>(s); }

static_assert(sizeof(gradus_value) == 24 && sizeof(Value) == 24 && sizeof(gradus_tensor*) == sizeof(Tensor));
static_assert(static_cast<int>(Tag::result_of) == GRADUS_V_RESULT_OF && static_cast<int>(Tag::tensors) == GRADUS_V_TENSOR_LIST &&
              static_cast<int>(Tag::tensor) == GRADUS_V_TENSOR && static_cast<int>(Tag::dtype) == GRADUS_V_DTYPE &&
              static_cast<int>(Tag::integers) == GRADUS_V_I64_LIST && static_cast<int>(Tag::absent) == GRADUS_V_DEFAULT);
static_assert(static_cast<int>(Dtype::boolean) == GRADUS_BOOL && static_cast<int>(Dtype::i64) == GRADUS_I64 &&
              static_cast<int>(Dtype::f32) == GRADUS_F32 && static_cast<int>(Dtype::c128) == GRADUS_C128);

// ---- checks of single arguments; `what` is the parameter's name
[[noreturn, gnu::cold]] void refuse_handle(const void* given, Kind wanted, const char* what, int position = -1);
template <class T, class H> T* object(const H* handle, Kind kind, const char* what) {
  if (!is(handle, kind)) [[unlikely]] refuse_handle(handle, kind, what);
  return core<T>(handle);
}
inline TensorImpl* tensor(const gradus_tensor* t, const char* what, int position = -1) {
  if (!is(t, Kind::tensor)) [[unlikely]] refuse_handle(t, Kind::tensor, what, position);
  return core<TensorImpl>(t);
}
inline Node* node(const gradus_node* n) { return object<Node>(n, Kind::node, "node"); }
template <class T> T* needed(T* pointer, const char* what) {
  GRADUS_CHECK(pointer, null, "'{}' is null", what);
  return pointer;
}
// A list may be null where it has no entries, and so may room for results.
inline void check_list(const void* list, size_t count, const char* what) {
  GRADUS_CHECK(list || count == 0, null, "'{}' is null with a count of {}", what, count);
}
inline void check_room(const void* room, size_t capacity, const char* what) {
  GRADUS_CHECK(room || capacity == 0, null, "'{}' is null with a capacity of {}", what, capacity);
}
constexpr uint64_t kLongest = uint64_t{1} << 24;              // of lists and texts: a larger count is no count
// Outputs are null until they are made.
template <class T> void clear(T* results, size_t count) {
  if (results && count <= kLongest) std::fill_n(results, count, T());
}
std::string_view text_of(const char* text, size_t length, const char* what);   // null only with 0
Dtype dtype(int32_t number, Dtype otherwise);                 // 0 is `otherwise`; refuses unknown ones
SizesRef shape(int32_t rank, const int64_t* sizes);
std::span<const Tensor> tensors(gradus_tensor* const* list, size_t count, const char* what, bool gaps = false);

// ---- the guard
gradus_status caught(Context& c, const char* where) noexcept;  // inside a catch: the exception as status and record
void write_error(Context& c, gradus_status status, std::string_view message, const char* where, int argument, int64_t user_code) noexcept;
bool is_status(gradus_status s) noexcept;                      // of a category that there is
gradus_status refused(Context* c) noexcept;                    // on a thread without a record, or an orphan: why
void free_context(Context* c);

// A call without a context that other threads may not be in while the process forks. False: it must not run.
class SettingUp {
 public:
  SettingUp() : me_(thread_or_null()) { if (me_) me_->setting_up.add(1); }
  ~SettingUp() { if (me_) me_->setting_up.add(-1); }
  SettingUp(const SettingUp&) = delete;
  SettingUp& operator=(const SettingUp&) = delete;
  explicit operator bool() const { return me_ && !me_->orphan; }

 private:
  Thread* me_;
};

// Runs f(context) as one call of the context. Another thread's call gets BUSY; a callback of this one may come in again.
template <class F> gradus_status guard(gradus_context* context, const char* where, F&& f) noexcept {
  if (!is(context, Kind::context)) [[unlikely]] return context ? GRADUS_E_HANDLE : GRADUS_E_NULL;
  Context& c = *core<Context>(context);
  Thread* me = t_thread;
  if (!me) [[unlikely]] me = thread_or_null();
  if (!me || me->orphan) [[unlikely]] return refused(&c);
  Thread* before = nullptr;
  if (!c.busy.compare_exchange_strong(before, me, std::memory_order_acquire) && before != me) [[unlikely]] return GRADUS_E_BUSY;
  Context* outer = me->context.exchange(&c);
  me->allocator = c.allocator;
  gradus_status status = GRADUS_OK;
  try {
    f(c);
  } catch (...) {
    status = caught(c, where);
    if (status == GRADUS_E_CANCELLED && !before) c.attention.fetch_and(~uint32_t{Context::kCancelled}, std::memory_order_relaxed);
  }
  me->context = outer;
  me->allocator = outer ? outer->allocator : nullptr;
  if (!before) {
    c.busy.store(nullptr, std::memory_order_release);
    if (c.released) [[unlikely]] free_context(&c);
  }
  return status;
}
// A call that makes one object: *result is null unless it succeeds.
template <class R, class F> gradus_status guard_result(gradus_context* context, const char* where, R* result, F&& f, const char* what = "result") noexcept {
  if (result) *result = R();
  return guard(context, where, [&](Context& c) {
    R& to = *needed(result, what);                            // before f makes something that nobody would get
    to = f(c);
  });
}

// ---- growable structs
constexpr size_t kLargestStruct = 4096;                       // a larger size was never set
// The caller's options as this library knows them.
template <class S> S read_options(const S* given) {
  S s{};
  if (!given) return s;
  GRADUS_CHECK(given->struct_size >= 8, argument, "struct_size {} is too small", given->struct_size);
  GRADUS_CHECK(given->struct_size <= kLargestStruct, unknown_field, "struct_size {} is more than {}", given->struct_size, kLargestStruct);
  const size_t known = std::min<size_t>(given->struct_size, sizeof(S));
  const char* bytes = reinterpret_cast<const char*>(given);
  for (size_t i = sizeof(S); i < given->struct_size; ++i)
    GRADUS_CHECK(bytes[i] == 0, unknown_field, "option struct of {} bytes has fields set that this library, which knows {}, does not know", given->struct_size, sizeof(S));
  std::memcpy(&s, given, known);
  return s;
}
// Fills the caller's struct as far as it goes; false if it is too small to say anything, or so large that its size was never set.
template <class S> bool write_info(S* to, S& from) {
  const size_t size = to->struct_size;
  if (size < 8 || size > kLargestStruct) return false;
  from.struct_size = sizeof(S);
  std::memset(static_cast<void*>(to), 0, size);
  std::memcpy(static_cast<void*>(to), &from, std::min(size, sizeof(S)));
  return true;
}
template <class S> void fill_info(S* to, S& from) { GRADUS_CHECK(write_info(needed(to, "info"), from), argument, "struct_size is too small"); }
inline void check_flags(uint32_t flags, uint32_t known) { GRADUS_CHECK((flags & ~known) == 0, unknown_field, "unknown flags {:#x}", flags & ~known); }
// The part of a text that fits, with a 0 at the end.
inline void write_text(std::string_view text, char* buffer, size_t capacity, size_t* length) {
  if (length) *length = text.size();
  if (capacity == 0) return;
  const size_t n = std::min(text.size(), capacity - 1);
  std::memcpy(buffer, text.data(), n);
  buffer[n] = 0;
}
// A call that makes a text.
template <class F> gradus_status guard_text(gradus_context* context, const char* where, char* buffer, size_t capacity, size_t* length, F&& f) noexcept {
  if (length) *length = 0;
  return guard(context, where, [&](Context& c) {
    check_room(buffer, capacity, "buffer");
    write_text(f(c), buffer, capacity, length);
  });
}

}  // namespace gradus::capi
