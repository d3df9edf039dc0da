// gradus/values.hpp - what the C++ face is made of: errors, the thread's context, numbers, sizes, and calls by value.
// Header-only, over the C interface alone. Everything is in an inline namespace, so that no symbol meets the library's own.
#ifndef GRADUS_VALUES_HPP
#define GRADUS_VALUES_HPP

#include <array>
#include <complex>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "gradus/gradus.h"

namespace gradus {
inline namespace v1 {

// A failure of the library: what() is its message, status() one of GRADUS_E_*. What a callback throws comes out as itself.
class Error : public std::runtime_error {
 public:
  Error(gradus_status status, const std::string& message, std::string origin = {}, int argument = -1)
      : std::runtime_error(message), status_(status), argument_(argument), origin_(std::move(origin)) {}
  gradus_status status() const { return status_; }
  gradus_status category() const { return status_ & ~0xff; }
  int argument() const { return argument_; }                  // position in the operation's schema, or -1
  const std::string& origin() const { return origin_; }

 private:
  gradus_status status_;
  int argument_;
  std::string origin_;
};

// The element types, with PyTorch's names.
enum class Dtype : int32_t {
  none = 0, boolean = GRADUS_BOOL, uint8 = GRADUS_U8, int8 = GRADUS_I8, int16 = GRADUS_I16, int32 = GRADUS_I32, int64 = GRADUS_I64,
  float16 = GRADUS_F16, bfloat16 = GRADUS_BF16, float32 = GRADUS_F32, float64 = GRADUS_F64, complex64 = GRADUS_C64, complex128 = GRADUS_C128
};
inline constexpr Dtype boolean = Dtype::boolean, uint8 = Dtype::uint8, int8 = Dtype::int8, int16 = Dtype::int16, int32 = Dtype::int32,
                       int64 = Dtype::int64, float16 = Dtype::float16, bfloat16 = Dtype::bfloat16, float32 = Dtype::float32,
                       float64 = Dtype::float64, complex64 = Dtype::complex64, complex128 = Dtype::complex128;

// "float32", and the bytes of one element.
inline std::string to_string(Dtype t) {
  const char* name = gradus_dtype_name(static_cast<int32_t>(t));
  return name ? name : "none";
}
inline int64_t element_size(Dtype t) { return gradus_dtype_size(static_cast<int32_t>(t)); }

// The library that is loaded: "1.2.3", whether it has a feature ("lapack"), what of it is alive, and kept memory given back.
inline std::string version() { return gradus_version_string(); }
inline bool has_feature(std::string_view name) { return gradus_has_feature(name.data(), name.size()) != 0; }
inline gradus_counts live_counts() {
  gradus_counts c{};
  c.struct_size = sizeof c;
  gradus_live_counts(&c);
  return c;
}
inline void memory_trim() { gradus_memory_trim(); }

// The context of the calls below: one per thread, made at first need, or another for as long as a Context::Use lives.
class Context {
 public:
  Context() : Context(gradus_context_options{}) {}
  explicit Context(uint64_t seed) : Context(with_seed(seed)) {}
  explicit Context(gradus_context_options options) {
    options.struct_size = sizeof options;
    const gradus_status s = gradus_context_create(&options, &c_);
    if (s != GRADUS_OK) throw Error(s, "no context could be made", "gradus_context_create");
  }
  Context(Context&& o) noexcept : c_(std::exchange(o.c_, nullptr)) {}
  Context& operator=(Context&& o) noexcept { std::swap(c_, o.c_); return *this; }
  ~Context() { gradus_release(c_); }
  gradus_context* get() const { return c_; }
  // Ends the running call of this context, or its next one, with GRADUS_E_CANCELLED. Any thread, signal handlers included.
  void cancel() const { gradus_context_cancel(c_); }
  // Runs the destructors that wait in a context made with GRADUS_CTX_POLLED_DESTROY, and says how many.
  uint64_t poll() const;

  static gradus_context* current() {
    Slot& s = slot();
    if (s.used) return s.used;
    if (!s.own) s.own = std::make_unique<Context>();
    return s.own->get();
  }
  class Use {
   public:
    explicit Use(const Context& c) : before_(std::exchange(slot().used, c.get())) {}
    ~Use() { slot().used = before_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    gradus_context* before_;
  };

 private:
  struct Slot {
    std::unique_ptr<Context> own;
    gradus_context* used = nullptr;
  };
  static Slot& slot() { static thread_local Slot s; return s; }
  static gradus_context_options with_seed(uint64_t seed) {
    gradus_context_options o{};
    o.seed = seed;
    return o;
  }
  gradus_context* c_ = nullptr;
};

namespace detail {
// An exception of a callback waits here for the call that the callback runs in; the error's record says that it does.
inline std::exception_ptr& pending() { static thread_local std::exception_ptr e; return e; }
constexpr int64_t kThrown = 0x7468726f776e;
template <class F> gradus_status protect(gradus_context* c, F&& f) {
  try {
    f();
    return GRADUS_OK;
  } catch (...) {
    pending() = std::current_exception();
    constexpr std::string_view text = "a callback threw an exception";
    return gradus_context_fail(c, GRADUS_E_CALLBACK, kThrown, text.data(), text.size());
  }
}
[[noreturn]] inline void fail(gradus_context* c, gradus_status s) {
  gradus_error e{};
  e.struct_size = sizeof e;
  gradus_context_error(c, &e);
  if (e.status == s && e.user_code == kThrown && pending()) std::rethrow_exception(std::exchange(pending(), nullptr));
  if (e.status != s) throw Error(s, gradus_status_name(s));    // BUSY leaves no record
  throw Error(s, std::string(e.message, static_cast<size_t>(e.message_length)), e.origin, e.argument);
}
inline void check(gradus_context* c, gradus_status s) {
  if (s != GRADUS_OK) fail(c, s);
}
// check(f(current context, arguments...))
template <class F, class... A> void call(F f, A... arguments) {
  gradus_context* c = Context::current();
  check(c, f(c, arguments...));
}

// Owns one reference.
template <class H> class Handle {
 public:
  Handle() = default;
  explicit Handle(H* owned) : p_(owned) {}
  Handle(const Handle& o) : p_(o.p_) { gradus_retain(p_); }
  Handle(Handle&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Handle& operator=(Handle o) noexcept { std::swap(p_, o.p_); return *this; }
  ~Handle() { gradus_release(p_); }
  H* handle() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  H* p_ = nullptr;
};
using TensorHandle = Handle<gradus_tensor>;
}  // namespace detail

inline uint64_t Context::poll() const {
  uint64_t ran = 0;
  detail::check(c_, gradus_context_poll(c_, &ran));
  return ran;
}

// Starts the random stream of this thread.
inline void manual_seed(uint64_t seed) { detail::call(gradus_context_set_seed, seed); }

// A number that knows whether it is a boolean, an integer or a float.
class Scalar {
 public:
  template <class N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0> Scalar(N n) {
    if constexpr (std::is_floating_point_v<N>) {
      kind_ = GRADUS_V_F64;
      u_.f64 = static_cast<double>(n);
    } else {
      kind_ = std::is_same_v<N, bool> ? GRADUS_V_BOOL : GRADUS_V_I64;
      u_.i64 = static_cast<int64_t>(n);
    }
  }
  gradus_value value() const { return {kind_, 0, u_, 0}; }

 private:
  int32_t kind_;
  gradus_payload u_{};
};

// Sizes, dimensions, strides: {2, 3}, a vector, or one number. Nothing at all means the operation's default.
class IntList {
 public:
  IntList() = default;
  template <class N, std::enable_if_t<std::is_integral_v<N> && !std::is_same_v<N, bool>, int> = 0>
  IntList(N n) : one_(static_cast<int64_t>(n)), size_(1), given_(true), single_(true) {}
  IntList(std::initializer_list<int64_t> list) { set(list.begin(), list.size()); }
  IntList(const std::vector<int64_t>& list) { set(list.data(), list.size()); }
  template <size_t n> IntList(const std::array<int64_t, n>& list) { set(list.data(), n); }
  IntList(const int64_t* data, size_t size) { set(data, size); }

  const int64_t* data() const { return single_ ? &one_ : data_; }
  size_t size() const { return size_; }
  gradus_value value() const {
    gradus_value v{};
    if (!given_) return v;
    v.kind = GRADUS_V_I64_LIST;
    v.u.ptr = data();
    v.length = size_;
    return v;
  }

 private:
  void set(const int64_t* data, size_t size) {
    static constexpr int64_t none = 0;
    data_ = data ? data : &none;
    size_ = size;
    given_ = true;
  }
  const int64_t* data_ = nullptr;
  int64_t one_ = 0;
  size_t size_ = 0;
  bool given_ = false, single_ = false;
};

// {a, b}, or a vector of tensors.
template <class T> class BasicTensorList {
 public:
  BasicTensorList() = default;
  BasicTensorList(std::initializer_list<T> list) { set(list.begin(), list.size()); }
  BasicTensorList(const std::vector<T>& list) { set(list.data(), list.size()); }
  template <size_t n> BasicTensorList(const std::array<T, n>& list) { set(list.data(), n); }
  gradus_tensor* const* data() const { return data_; }
  size_t size() const { return size_; }
  gradus_value value() const {
    gradus_value v{};
    v.kind = GRADUS_V_TENSOR_LIST;
    v.u.ptr = data_;
    v.length = size_;
    return v;
  }

 private:
  void set(const T* data, size_t size) {                      // a tensor is its handle and nothing else
    static_assert(sizeof(T) == sizeof(gradus_tensor*) && std::is_standard_layout_v<T>);
    data_ = reinterpret_cast<gradus_tensor* const*>(data);
    size_ = size;
  }
  gradus_tensor* const* data_ = nullptr;
  size_t size_ = 0;
};

// A tensor or a number, or nothing where that is allowed.
class Operand {
 public:
  Operand() { v_.kind = GRADUS_V_NONE; }
  Operand(const detail::TensorHandle& t) {
    v_.kind = t ? GRADUS_V_TENSOR : GRADUS_V_NONE;
    v_.u.tensor = t.handle();
  }
  template <class N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0> Operand(N n) : v_(Scalar(n).value()) {}
  Operand(Scalar n) : v_(n.value()) {}
  gradus_value value() const { return v_; }

 private:
  gradus_value v_{};
};

// In a batch of gradus/invoke.hpp: a result of an earlier call.
struct ResultOf {
  size_t call, index = 0;
};

namespace detail {

// One argument as gradus_invoke takes it.
struct Arg {
  gradus_value v{};
  Arg() = default;
  Arg(const TensorHandle& t) : v(Operand(t).value()) {}
  Arg(const Operand& o) : v(o.value()) {}
  Arg(const IntList& l) : v(l.value()) {}
  template <class T> Arg(const BasicTensorList<T>& l) : v(l.value()) {}
  Arg(const std::vector<double>& l) {
    if (l.empty()) return;
    v.kind = GRADUS_V_F64_LIST;
    v.u.ptr = l.data();
    v.length = l.size();
  }
  Arg(Scalar n) : v(n.value()) {}
  template <class N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0> Arg(N n) : v(Scalar(n).value()) {}
  Arg(Dtype t) {
    v.kind = t == Dtype::none ? GRADUS_V_DEFAULT : GRADUS_V_DTYPE;
    v.aux = static_cast<uint32_t>(t);
  }
  Arg(ResultOf r) {
    v.kind = GRADUS_V_RESULT_OF;
    v.aux = static_cast<uint32_t>(r.index);
    v.u.i64 = static_cast<int64_t>(r.call);
  }
  Arg(std::string_view s) {
    v.kind = GRADUS_V_TEXT;
    v.u.ptr = s.data();
    v.length = s.size();
  }
  template <class X> Arg(const std::optional<X>& x) {
    if (x) v = Arg(*x).v;
    else v.kind = GRADUS_V_NONE;
  }
};

// An operation, looked up once.
class Op {
 public:
  explicit Op(std::string_view name) : op_(gradus_op_find(name.data(), name.size())), name_(name) {}
  const gradus_op* get() const {
    if (!op_) throw Error(GRADUS_E_UNKNOWN_NAME, "the loaded library has no operation '" + std::string(name_) + "'", std::string(name_));
    return op_;
  }

 private:
  const gradus_op* op_;
  std::string_view name_;
};

inline void invoke(const Op& op, const Arg* arguments, size_t n, gradus_value* results, size_t capacity, size_t* count) {
  static_assert(sizeof(Arg) == sizeof(gradus_value));
  call(gradus_invoke, op.get(), reinterpret_cast<const gradus_value*>(arguments), n, results, capacity, count);
}
template <class T> T one(const Op& op, std::initializer_list<Arg> arguments) {
  gradus_value result;
  invoke(op, arguments.begin(), arguments.size(), &result, 1, nullptr);
  return T(result.u.tensor);
}
template <class T, size_t n> auto some(const Op& op, std::initializer_list<Arg> arguments) {
  std::array<gradus_value, n> r;
  invoke(op, arguments.begin(), arguments.size(), r.data(), n, nullptr);
  return std::apply([](const auto&... v) { return std::tuple(T(v.u.tensor)...); }, r);
}
template <class T> std::vector<T> many(const Op& op, std::initializer_list<Arg> arguments) {
  std::vector<gradus_value> r(16);
  size_t count = 0;
  gradus_context* c = Context::current();
  std::vector<T> out;
  for (;;) {
    out.reserve(r.size());                                    // before there is anything to lose
    const auto* a = reinterpret_cast<const gradus_value*>(arguments.begin());
    const gradus_status s = gradus_invoke(c, op.get(), a, arguments.size(), r.data(), r.size(), &count);
    if (s == GRADUS_OK) break;
    if (s != GRADUS_E_VALUE || count <= r.size()) fail(c, s);
    r.resize(count);
  }
  for (size_t i = 0; i < count; ++i) out.push_back(T(r[i].u.tensor));
  return out;
}

}  // namespace detail
}  // namespace v1
}  // namespace gradus
#endif
