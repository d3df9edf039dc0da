// gradus/tensor.hpp - the tensor of the C++ face: a counted handle with methods. Copying one shares it.
#ifndef GRADUS_TENSOR_HPP
#define GRADUS_TENSOR_HPP

#include <functional>
#include <ostream>

#include "gradus/methods.hpp"

namespace gradus {
inline namespace v1 {

class Tensor;
class Node;
// What takes several tensors.
using TensorList = BasicTensorList<Tensor>;

// The element type of a C++ type.
template <class T> struct DtypeOf;
template <> struct DtypeOf<bool> { static constexpr Dtype value = Dtype::boolean; };
template <> struct DtypeOf<uint8_t> { static constexpr Dtype value = Dtype::uint8; };
template <> struct DtypeOf<int8_t> { static constexpr Dtype value = Dtype::int8; };
template <> struct DtypeOf<int16_t> { static constexpr Dtype value = Dtype::int16; };
template <> struct DtypeOf<int32_t> { static constexpr Dtype value = Dtype::int32; };
template <> struct DtypeOf<int64_t> { static constexpr Dtype value = Dtype::int64; };
template <> struct DtypeOf<float> { static constexpr Dtype value = Dtype::float32; };
template <> struct DtypeOf<double> { static constexpr Dtype value = Dtype::float64; };
template <> struct DtypeOf<std::complex<float>> { static constexpr Dtype value = Dtype::complex64; };
template <> struct DtypeOf<std::complex<double>> { static constexpr Dtype value = Dtype::complex128; };

// What a backward pass keeps and records.
struct BackwardOptions {
  bool retain_graph = false;                                  // keep what was saved, for another pass
  bool create_graph = false;                                  // record the pass itself
  bool batched = false;                                       // grad only: a batch of gradients along the first dimension, and of results
};

// A counted handle of a tensor; an empty one stands for none.
class Tensor : public detail::TensorHandle, public Methods<Tensor> {
 public:
  using Methods<Tensor>::Methods;
  Tensor() = default;
  explicit Tensor(gradus_tensor* owned) : detail::TensorHandle(owned) {}
  static Tensor share(gradus_tensor* borrowed) {
    gradus_retain(borrowed);
    return Tensor(borrowed);
  }

  gradus_tensor_info info() const {
    gradus_tensor_info i{};
    i.struct_size = sizeof i;
    const gradus_status s = gradus_tensor_describe(handle(), &i);
    if (s != GRADUS_OK) throw Error(s, "the tensor is empty: it stands for none");
    return i;
  }
  std::vector<int64_t> sizes() const { const auto i = info(); return {i.shape, i.shape + i.rank}; }
  std::vector<int64_t> strides() const { const auto i = info(); return {i.strides, i.strides + i.rank}; }
  int64_t size(int64_t dim) const {
    const auto i = info();
    if (dim < -i.rank || dim >= i.rank) throw Error(GRADUS_E_INDEX, "size: dimension " + std::to_string(dim) + " of " + std::to_string(i.rank));
    return i.shape[dim < 0 ? dim + i.rank : dim];
  }
  int64_t dim() const { return info().rank; }
  int64_t numel() const { return info().count; }
  Dtype dtype() const { return static_cast<Dtype>(info().dtype); }
  uint64_t version() const { return info().version; }
  bool is_contiguous() const { return has(GRADUS_TENSOR_CONTIGUOUS); }
  bool requires_grad() const { return has(GRADUS_TENSOR_REQUIRES_GRAD); }
  bool is_leaf() const { return has(GRADUS_TENSOR_LEAF); }
  bool is_inference() const { return has(GRADUS_TENSOR_INFERENCE); }
  bool is_view() const { return has(GRADUS_TENSOR_VIEW); }
  bool retains_grad() const { return has(GRADUS_TENSOR_RETAINS_GRAD); }
  bool defined() const { return handle() != nullptr; }
  bool is_same(const Tensor& o) const { return handle() == o.handle(); }

  // ---- values
  template <class T> T item() const {
    if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
      T z;
      detail::call(gradus_tensor_copy_out, handle(), static_cast<int32_t>(DtypeOf<T>::value), static_cast<void*>(&z), sizeof z);
      return z;
    } else if constexpr (std::is_floating_point_v<T>) {
      double d = 0;
      detail::call(gradus_tensor_item_f64, handle(), &d);
      return static_cast<T>(d);
    } else {
      int64_t i = 0;
      detail::call(gradus_tensor_item_i64, handle(), &i);
      return static_cast<T>(i);
    }
  }
  template <class T> std::vector<T> to_vector() const {       // row-major, cast
    static_assert(!std::is_same_v<T, bool>, "a vector<bool> has no memory to copy to: use uint8_t");
    std::vector<T> v(static_cast<size_t>(numel()));
    detail::call(gradus_tensor_copy_out, handle(), static_cast<int32_t>(DtypeOf<T>::value), static_cast<void*>(v.data()), v.size() * sizeof(T));
    return v;
  }
  // The memory itself, row-major, as long as the tensor is held: std::span(x.data_ptr<double>(), x.numel()).
  template <class T> T* data_ptr() const {
    const auto i = info();
    if (i.dtype != static_cast<int32_t>(DtypeOf<T>::value)) throw Error(GRADUS_E_DTYPE, "data_ptr: the tensor holds " + std::string(i.dtype_name));
    if (!(i.flags & GRADUS_TENSOR_CONTIGUOUS)) throw Error(GRADUS_E_VALUE, "data_ptr: the tensor is not contiguous");
    return static_cast<T*>(const_cast<void*>(i.data));
  }
  std::string str() const {
    size_t length = 0;
    detail::call(gradus_tensor_print, handle(), static_cast<char*>(nullptr), size_t{0}, &length);
    std::string s(length + 1, '\0');
    detail::call(gradus_tensor_print, handle(), s.data(), s.size(), &length);
    s.resize(length);
    return s;
  }

  // ---- autograd
  const Tensor& requires_grad_(bool on = true) const {
    detail::call(gradus_tensor_set_requires_grad, handle(), int32_t{on});
    return *this;
  }
  Tensor detach() const {
    gradus_tensor* r = nullptr;
    detail::call(gradus_tensor_detach, handle(), &r);
    return Tensor(r);
  }
  Tensor _base() const {                                      // what it is a view of; empty when it is none
    gradus_tensor* r = nullptr;
    detail::call(gradus_tensor_base, handle(), &r);
    return Tensor(r);
  }
  // Takes the storage, shape and layout of another of the same dtype, PyTorch's "x.data = other": STATE for a view or a tensor with history.
  void set_data(const Tensor& other) const { detail::call(gradus_tensor_set_data, handle(), other.handle()); }
  // Counts a write into the memory that the library did not see.
  void increment_version() const { detail::call(gradus_tensor_increment_version, handle()); }
  const Tensor& detach_() const { detail::call(gradus_tensor_detach_in_place, handle()); return *this; }
  Tensor grad() const {                                       // empty when there is none
    gradus_tensor* r = nullptr;
    detail::call(gradus_tensor_grad, handle(), &r);
    return Tensor(r);
  }
  void set_grad(const Tensor& g) const { detail::call(gradus_tensor_set_grad, handle(), g.handle()); }
  void zero_grad() const { set_grad(Tensor()); }
  const Tensor& retain_grad() const { detail::call(gradus_tensor_retain_grad, handle()); return *this; }
  void backward(const Tensor& gradient = {}, BackwardOptions options = {}) const;
  void backward(const Tensor& gradient, BackwardOptions options, const TensorList& inputs) const;   // into the .grad of these alone
  Node grad_fn() const;                                       // empty for a leaf

  // f(gradient) runs in every pass that reaches the tensor; it returns nothing, or a gradient to go on with.
  template <class F> uint64_t register_hook(F f) const;
  // f(leaf) runs each time a pass has added to a leaf's grad.
  template <class F> uint64_t register_post_accumulate_grad_hook(F f) const;
  void remove_hook(uint64_t id) const { detail::call(gradus_tensor_remove_hook, handle(), id); }

  // ---- operators
  Tensor operator-() const { return this->neg(); }
  const Tensor& operator+=(const Operand& o) const { return this->add_(o); }
  const Tensor& operator-=(const Operand& o) const { return this->sub_(o); }
  const Tensor& operator*=(const Operand& o) const { return this->mul_(o); }
  const Tensor& operator/=(const Operand& o) const { return this->div_(o); }
  Tensor operator[](int64_t index) const {
    static const detail::Op op("select");
    return detail::one<Tensor>(op, {*this, int64_t{0}, index});
  }

 private:
  bool has(uint32_t flag) const { return (info().flags & flag) != 0; }
};

// A number on the left of + and * goes to the right, as in Python.
#define GRADUS_OPERATOR(symbol, name, ...)                                                                                \
  inline Tensor operator symbol(const Tensor& a, const Operand& b) {                                                 \
    static const detail::Op op(name);                                                                                \
    return detail::one<Tensor>(op, {a, b});                                                                          \
  }                                                                                                                  \
  template <class N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0> Tensor operator symbol(N a, const Tensor& b) { \
    static const detail::Op op(name);                                                                                \
    return detail::one<Tensor>(op, {__VA_ARGS__});                                                                   \
  }
GRADUS_OPERATOR(+, "add", b, Operand(a))
GRADUS_OPERATOR(-, "sub", Operand(a), b)
GRADUS_OPERATOR(*, "mul", b, Operand(a))
GRADUS_OPERATOR(/, "div", Operand(a), b)
GRADUS_OPERATOR(<, "lt", Operand(a), b)
GRADUS_OPERATOR(>, "gt", Operand(a), b)
GRADUS_OPERATOR(<=, "le", Operand(a), b)
GRADUS_OPERATOR(>=, "ge", Operand(a), b)
GRADUS_OPERATOR(==, "eq", Operand(a), b)
GRADUS_OPERATOR(!=, "ne", Operand(a), b)
#undef GRADUS_OPERATOR

// Tensors with their names, in an order of their own: what state_dict gives.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

inline std::ostream& operator<<(std::ostream& out, const Tensor& t) { return t ? out << t.str() : out << "none"; }

// A tensor from numbers: one, {1, 2, 3}, {{1, 2}, {3, 4}} and so on. Integers make int64, floats float32, unless told otherwise.
namespace detail {
struct Nested {                                               // the numbers of one brace, and the sizes it stands for
  std::vector<double> reals;
  std::vector<int64_t> integers;                              // the same numbers, for when all are whole
  std::vector<int64_t> sizes;
  Dtype dtype = Dtype::none;
  template <class N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0> Nested(N n)
      : reals{static_cast<double>(n)}, integers{static_cast<int64_t>(n)},
        dtype(std::is_floating_point_v<N> ? Dtype::float32 : std::is_same_v<N, bool> ? Dtype::boolean : Dtype::int64) {}
  Nested(std::initializer_list<Nested> members) : sizes{static_cast<int64_t>(members.size())} {
    for (const Nested& m : members) {
      if (&m != members.begin() && m.sizes != members.begin()->sizes) throw Error(GRADUS_E_SHAPE, "tensor: rows of different lengths");
      reals.insert(reals.end(), m.reals.begin(), m.reals.end());
      integers.insert(integers.end(), m.integers.begin(), m.integers.end());
      if (dtype == Dtype::none || m.dtype == Dtype::float32 || dtype == Dtype::boolean) dtype = m.dtype;
    }
    if (members.size()) sizes.insert(sizes.end(), members.begin()->sizes.begin(), members.begin()->sizes.end());
    if (dtype == Dtype::none) dtype = Dtype::float32;         // no numbers at all
  }
};
template <class N> Tensor copy_in(const N* data, size_t count, const std::vector<int64_t>& sizes, Dtype dtype, Dtype as) {
  gradus_tensor* r = nullptr;
  call(gradus_tensor_copy_in, static_cast<int32_t>(DtypeOf<N>::value), static_cast<int32_t>(sizes.size()), sizes.data(),
       static_cast<const int64_t*>(nullptr), static_cast<const void*>(data), count * sizeof(N), &r);
  Tensor t(r);
  if (as == Dtype::none) as = dtype;
  if (as == Dtype::none || as == t.dtype()) return t;
  static const Op to("to");
  return one<Tensor>(to, {t, as});
}
}  // namespace detail

inline Tensor tensor(const detail::Nested& n, Dtype dtype) {
  if (n.dtype == Dtype::float32) return detail::copy_in(n.reals.data(), n.reals.size(), n.sizes, n.dtype, dtype);
  return detail::copy_in(n.integers.data(), n.integers.size(), n.sizes, n.dtype, dtype);
}
inline Tensor tensor(std::initializer_list<detail::Nested> numbers, Dtype dtype = Dtype::none) { return tensor(detail::Nested(numbers), dtype); }
template <class N, std::enable_if_t<std::is_arithmetic_v<N>, int> = 0> Tensor tensor(N number, Dtype dtype = Dtype::none) {
  return tensor(detail::Nested(number), dtype);
}
template <class N> Tensor tensor(const std::vector<N>& numbers, Dtype dtype = Dtype::none) {
  return detail::copy_in(numbers.data(), numbers.size(), {static_cast<int64_t>(numbers.size())}, Dtype::none, dtype);
}
// A copy of memory in another shape.
template <class N> Tensor from_data(const N* data, const IntList& sizes, Dtype dtype = Dtype::none) {
  std::vector<int64_t> s(sizes.data(), sizes.data() + sizes.size());
  size_t count = 1;
  for (int64_t n : s) count *= static_cast<size_t>(n);
  return detail::copy_in(data, count, s, Dtype::none, dtype);
}
// A tensor on memory of the caller, which has to outlive it, or which owner keeps: a shared_ptr is dropped with the last view.
template <class N> Tensor wrap(N* data, const IntList& sizes, std::shared_ptr<void> owner = {}) {
  size_t bytes = sizeof(N);
  for (size_t i = 0; i < sizes.size(); ++i) bytes *= static_cast<size_t>(sizes.data()[i]);
  auto kept = owner ? std::make_unique<std::shared_ptr<void>>(std::move(owner)) : nullptr;
  const gradus_destroy_fn drop = [](void* user) { delete static_cast<std::shared_ptr<void>*>(user); };
  gradus_tensor* r = nullptr;
  detail::call(gradus_tensor_wrap, static_cast<int32_t>(DtypeOf<N>::value), static_cast<int32_t>(sizes.size()), sizes.data(),
               static_cast<const int64_t*>(nullptr), static_cast<void*>(data), bytes, uint32_t{0}, kept ? drop : nullptr,
               static_cast<void*>(kept.get()), &r);
  kept.release();                                             // NOLINT: the storage has it
  return Tensor(r);
}
// A tensor that takes over a vector.
template <class N> Tensor wrap(std::vector<N>&& numbers, const IntList& sizes) {
  auto owner = std::make_shared<std::vector<N>>(std::move(numbers));
  return wrap(owner->data(), sizes, owner);
}

// DLPack, versioned: what to_dlpack returns has to go through its deleter, or into from_dlpack. flags are GRADUS_DLPACK_*.
inline DLManagedTensorVersioned* to_dlpack(const Tensor& t, uint32_t flags = 0) {
  DLManagedTensorVersioned* managed = nullptr;
  detail::call(gradus_tensor_to_dlpack, t.handle(), flags, &managed);
  return managed;
}
inline Tensor from_dlpack(DLManagedTensorVersioned* managed, uint32_t flags = 0) {
  gradus_tensor* r = nullptr;
  detail::call(gradus_tensor_from_dlpack, managed, flags, &r);
  return Tensor(r);
}

}  // namespace v1
}  // namespace gradus
#endif
