#include "kernels/lapack.h"

#include <dlfcn.h>

#include <cstring>
#include <string>

#include "base/error.h"

namespace gradus::kernels {
namespace {

// OpenBLAS first: where it is installed beside the reference library it is the fast one. One copy serves the whole process.
constexpr const char* kLibraries[] = {"libopenblas.so.0", "liblapack.so.3"};

struct Found {
  bool all = false;
  Lapack<float> f32 = {};
  Lapack<double> f64 = {};
  Lapack<Complex<float>> c64 = {};
  Lapack<Complex<double>> c128 = {};
};

// What a library lacks counts as missing altogether.
class Symbols {
 public:
  Symbols(void* library, char type) : library_(library), type_(type) {}
  template <class F> void get(F*& function, const char* name) {
    const std::string symbol = type_ + std::string(name) + "_";
    void* address = dlsym(library_, symbol.c_str());
    static_assert(sizeof address == sizeof function);
    std::memcpy(&function, &address, sizeof address);
    complete = complete && address;
  }
  template <class T> bool fill(Lapack<T>& t) {
    constexpr bool complex = is_complex_type<T>;
    get(t.getrf, "getrf");
    get(t.getrs, "getrs");
    get(t.potrf, "potrf");
    get(t.trsm, "trsm");
    get(t.geqrf, "geqrf");
    get(t.first_columns, complex ? "ungqr" : "orgqr");
    get(t.gesdd, "gesdd");
    get(t.eigh, complex ? "heevd" : "syevd");
    get(t.geev, "geev");
    get(t.gels, "gels");
    get(t.gelsy, "gelsy");
    get(t.gelsd, "gelsd");
    get(t.gelss, "gelss");
    return complete;
  }

 private:
  void* library_;
  char type_;
  bool complete = true;
};

Found open_library() {
  Found f;
  for (const char* name : kLibraries) {
    void* library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (!library) continue;
    f.all = Symbols(library, 's').fill(f.f32) && Symbols(library, 'd').fill(f.f64) && Symbols(library, 'c').fill(f.c64) &&
            Symbols(library, 'z').fill(f.c128);
    if (f.all) return f;                                      // its code is in use from now on: it is never closed
    dlclose(library);
  }
  return f;
}

const Found& found() {
  static const Found f = open_library();
  return f;
}

}  // namespace

bool has_lapack() { return found().all; }

template <class T> const Lapack<T>& lapack(std::string_view what) {
  const Found& f = found();
  GRADUS_CHECK(f.all, unsupported, "{}: no LAPACK was found: neither {} nor {} can be opened", what, kLibraries[0], kLibraries[1]);
  if constexpr (std::is_same_v<T, float>) return f.f32;
  else if constexpr (std::is_same_v<T, double>) return f.f64;
  else if constexpr (std::is_same_v<T, Complex<float>>) return f.c64;
  else return f.c128;
}
template const Lapack<float>& lapack<float>(std::string_view);
template const Lapack<double>& lapack<double>(std::string_view);
template const Lapack<Complex<float>>& lapack<Complex<float>>(std::string_view);
template const Lapack<Complex<double>>& lapack<Complex<double>>(std::string_view);

}  // namespace gradus::kernels
