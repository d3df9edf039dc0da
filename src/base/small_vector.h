// A vector whose first N elements lie in the object itself: shapes, arguments and results without heap allocation.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>

namespace gradus {

template <class T, int N> class SmallVector {
 public:
  SmallVector() = default;
  explicit SmallVector(size_t n, const T& value = T{}) { resize(n, value); }
  SmallVector(std::initializer_list<T> list) : SmallVector(std::span<const T>(list.begin(), list.size())) {}
  SmallVector(std::span<const T> from) { assign(from); }
  SmallVector(const SmallVector& o) { assign(o); }
  SmallVector(SmallVector&& o) noexcept { steal(std::move(o)); }
  SmallVector& operator=(const SmallVector& o) { if (this != &o) assign(o); return *this; }
  SmallVector& operator=(SmallVector&& o) noexcept {
    if (this != &o) { drop(); steal(std::move(o)); }
    return *this;
  }
  ~SmallVector() { drop(); }

  void assign(std::span<const T> from) {
    clear();
    reserve(from.size());
    std::uninitialized_copy(from.begin(), from.end(), data_);
    size_ = from.size();
  }
  void reserve(size_t n) {
    if (n <= capacity_) return;
    T* fresh = std::allocator<T>().allocate(n);
    std::uninitialized_move(data_, data_ + size_, fresh);
    std::destroy(data_, data_ + size_);
    if (data_ != place()) std::allocator<T>().deallocate(data_, capacity_);
    data_ = fresh;
    capacity_ = n;
  }
  void resize(size_t n, const T& value = T{}) {
    if (n < size_) std::destroy(data_ + n, data_ + size_);
    else { reserve(n); std::uninitialized_fill(data_ + size_, data_ + n, value); }
    size_ = n;
  }
  void push_back(T value) {
    if (size_ == capacity_) reserve(2 * capacity_);
    new (data_ + size_++) T(std::move(value));
  }
  void insert(size_t at, T value) {
    push_back(std::move(value));
    for (size_t i = size_ - 1; i > at; --i) std::swap(data_[i], data_[i - 1]);
  }
  void erase(size_t at) {
    for (size_t i = at; i + 1 < size_; ++i) data_[i] = std::move(data_[i + 1]);
    resize(size_ - 1);
  }
  void clear() { std::destroy(data_, data_ + size_); size_ = 0; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  const T& back() const { return data_[size_ - 1]; }
  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    return a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  T* place() { return reinterpret_cast<T*>(inline_); }
  void drop() {
    clear();
    if (data_ != place()) std::allocator<T>().deallocate(data_, capacity_);
    data_ = place();
    capacity_ = N;
  }
  void steal(SmallVector&& o) noexcept {
    if (o.data_ == o.place()) {
      std::uninitialized_move(o.begin(), o.end(), data_);
      size_ = o.size_;
      o.clear();
    } else {
      data_ = std::exchange(o.data_, o.place());
      size_ = std::exchange(o.size_, 0);
      capacity_ = std::exchange(o.capacity_, N);
    }
  }

  T* data_ = place();
  size_t size_ = 0, capacity_ = N;
  alignas(T) unsigned char inline_[N * sizeof(T)];
};

}  // namespace gradus
