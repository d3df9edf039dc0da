// Prints error and time of every function of the kernels' Value type, per element type and SIMD target.
// accuracy [count] [--full] [--only NAME]: count points (default 2^20, --full 2^24).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "../tests/math_reference.h"

namespace {

// Nanoseconds per element over 1024 points of the interesting range; the best of many rounds.
template <class T> double time_of(const MathCase& c, const MathTable& f) {
  using clock = std::chrono::steady_clock;
  constexpr size_t n = 1024;
  Points<T> p;
  for (size_t i = 0; i < n; ++i) {
    const double part = static_cast<double>(i * 619 % n) / n;
    p.x.push_back(static_cast<T>(c.low + (0.15 + 0.7 * part) * (c.high - c.low)));
    p.y.push_back(static_cast<T>(1.5 + part));
  }
  std::vector<T> out(n);
  double best = 1e30;
  for (int round = 0; round < 60; ++round) {
    const auto start = clock::now();
    for (int i = 0; i < 4; ++i) run(f, p, out);
    best = std::min(best, std::chrono::duration<double, std::nano>(clock::now() - start).count() / (4 * n));
  }
  return best;
}

template <class T> void report(const MathCase& c, const char* type, size_t count) {
  const Points<T> points = sampled_points<T>(c, count), special = special_points<T>(c);
  std::vector<T> out(count), special_out(special.x.size());
  for (const MathTarget& target : math_targets())
    for (const MathTable& f : target.functions) {
      if (std::string_view(f.name) != c.name) continue;
      run(f, points, out);
      run(f, special, special_out);
      const MathError e = math_error<T>(c, points, out), s = math_error<T>(c, special, special_out);
      std::printf("%-12s %s %-7s %9.3g %-24.17g %-24.17g %8.3f %7zu %7zu\n", c.name, type, target.name, e.ulp, e.x,
                  c.binary ? e.y : 0.0, time_of<T>(c, f), e.wrong, s.wrong);
      if (s.wrong) std::printf("    special: f(%.17g, %.17g) = %.17g\n", s.wrong_x, s.wrong_y, s.wrong_result);
      if (e.wrong) std::printf("    sampled: f(%.17g, %.17g) = %.17g\n", e.wrong_x, e.wrong_y, e.wrong_result);
    }
}

}  // namespace

int main(int argc, char** argv) {
  size_t count = size_t(1) << 20;
  std::string_view only;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--full") count = size_t(1) << 24;
    else if (arg == "--only" && i + 1 < argc) only = argv[++i];
    else count = static_cast<size_t>(std::strtoull(argv[i], nullptr, 10));
  }
  std::printf("%-12s %s %-7s %9s %-24s %-24s %8s %7s %7s\n", "function", "typ", "target", "max ulp", "at x", "y", "ns/elem",
              "beyond", "special");
  for (const MathCase& c : math_cases()) {
    if (!only.empty() && only != c.name) continue;
    report<float>(c, "f32", count);
    report<double>(c, "f64", count);
  }
}
