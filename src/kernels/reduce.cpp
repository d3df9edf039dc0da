#include "kernels/reduce.h"

namespace gradus::kernels {

void sum(const View& out, const View& in, uint64_t dims) {
  int64_t kept_size[kMaxDims], kept_stride[kMaxDims], size[kMaxDims], stride[kMaxDims];
  int kept = 0, reduced = 0;
  int64_t count = 1;
  for (int d = 0; d < in.ndim; ++d) {
    if (dims >> d & 1) { size[reduced] = in.sizes[d]; stride[reduced++] = in.strides[d]; count *= in.sizes[d]; }
    else { kept_size[kept] = in.sizes[d]; kept_stride[kept++] = in.strides[d]; }
  }
  visit(in.dtype, [&]<class From>() {
    visit(out.dtype, [&]<class To>() {
      using Sum = std::conditional_t<std::is_integral_v<To>, int64_t, double>;
      int64_t at[kMaxDims] = {}, base = 0;
      for (int64_t o = 0; o < out.numel; ++o) {
        int64_t index[kMaxDims] = {}, p = base;
        Sum s = 0;
        for (int64_t i = 0; i < count; ++i) {
          s += convert<Sum>(in.as<From>()[p]);
          for (int d = reduced - 1; d >= 0; --d) {
            p += stride[d];
            if (++index[d] < size[d]) break;
            p -= size[d] * stride[d];
            index[d] = 0;
          }
        }
        out.as<To>()[o] = convert<To>(s);
        for (int d = kept - 1; d >= 0; --d) {
          base += kept_stride[d];
          if (++at[d] < kept_size[d]) break;
          base -= kept_size[d] * kept_stride[d];
          at[d] = 0;
        }
      }
    });
  });
}

}  // namespace gradus::kernels
