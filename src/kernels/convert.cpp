#include "kernels/convert.h"

#include "kernels/complex.h"

namespace gradus::kernels {
namespace {

template <class From, class To> void copy(char* to, const char* from, int64_t n, int64_t to_stride, int64_t from_stride) {
  auto* t = reinterpret_cast<To*>(to);
  const auto* f = reinterpret_cast<const From*>(from);
  if (to_stride == 1 && from_stride == 1)
    for (int64_t i = 0; i < n; ++i) t[i] = convert_any<To>(f[i]);
  else
    for (int64_t i = 0; i < n; ++i) t[i * to_stride] = convert_any<To>(f[i * from_stride]);
}
template <class From, class To> void pack(void* to, const char* from, int64_t n, int64_t stride) {
  copy<From, To>(static_cast<char*>(to), from, n, 1, stride);
}
template <class From, class To> void unpack(char* to, const void* from, int64_t n, int64_t stride) {
  copy<From, To>(to, static_cast<const char*>(from), n, stride, 1);
}
template <class F> decltype(auto) with_compute(Compute c, F&& f) {
  if (c == Compute::f32) return f.template operator()<float>();
  if (c == Compute::f64) return f.template operator()<double>();
  if (c == Compute::c64) return f.template operator()<Complex<float>>();
  if (c == Compute::c128) return f.template operator()<Complex<double>>();
  return f.template operator()<int64_t>();
}

}  // namespace

Pack pack_for(Dtype from, Compute to) {
  return visit_all(from, [to]<class From>() { return with_compute(to, []<class To>() -> Pack { return pack<From, To>; }); });
}
Unpack unpack_for(Compute from, Dtype to) {
  return visit_all(to, [from]<class To>() { return with_compute(from, []<class From>() -> Unpack { return unpack<From, To>; }); });
}
Copy copy_for(Dtype from, Dtype to) {
  return visit_all(from, [to]<class From>() { return visit_all(to, []<class To>() -> Copy { return copy<From, To>; }); });
}

}  // namespace gradus::kernels
