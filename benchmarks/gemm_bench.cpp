// The matrix product beside OpenBLAS: GF/s on one thread, interleaved in one process, medians over rounds.
//   OPENBLAS_NUM_THREADS=1 gemm_bench [small|large|training|vector|f64|batch|threads] [seconds per shape] [avx2|sse4]
#include <cblas.h>
#include <hwy/highway.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/context.h"
#include "kernels/gemm.h"

namespace {

using gradus::kernels::Gemm;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

// Each round times every candidate once, for about a millisecond, so that a noisy moment hits all alike.
std::vector<double> interleaved_seconds(const std::vector<std::function<void()>>& candidates, double seconds) {
  std::vector<int> burst;
  std::vector<std::vector<double>> times(candidates.size());
  for (const auto& run : candidates) {
    run();
    const double start = now();
    int n = 0;
    do {
      run();
      ++n;
    } while (now() - start < 2e-3);
    burst.push_back(std::max(1, n / 2));
  }
  for (const double start = now(); times[0].size() < 5 || now() - start < seconds;)
    for (size_t i = 0; i < candidates.size(); ++i) {
      candidates[i]();
      const double before = now();
      for (int r = 0; r < burst[i]; ++r) candidates[i]();
      times[i].push_back((now() - before) / burst[i]);
    }
  std::vector<double> medians;
  for (const auto& t : times) medians.push_back(median(t));
  return medians;
}

template <class T> std::unique_ptr<T[], void (*)(void*)> numbers(int64_t n) {
  const size_t bytes = (static_cast<size_t>(n) * sizeof(T) + 4095) / 4096 * 4096;
  std::unique_ptr<T[], void (*)(void*)> p(static_cast<T*>(std::aligned_alloc(4096, bytes)), std::free);
  static std::mt19937 engine(1);
  std::uniform_real_distribution<T> uniform(-1, 1);
  for (int64_t i = 0; i < n; ++i) p[static_cast<size_t>(i)] = uniform(engine);
  return p;
}

struct Shape {
  int m, n, k;
  bool a_turned, b_turned;
};

Gemm gemm_of(const Shape& s, gradus::Dtype t, const void* a, const void* b, void* c) {
  return {{.m = s.m,
           .n = s.n,
           .k = s.k,
           .a = a,
           .a_row = s.a_turned ? 1 : s.k,
           .a_col = s.a_turned ? s.m : 1,
           .b = b,
           .b_row = s.b_turned ? 1 : s.n,
           .b_col = s.b_turned ? s.k : 1,
           .c = c,
           .ldc = s.n},
          t};
}

template <class T> void blas(const Shape& s, const T* a, const T* b, T* c) {
  const CBLAS_TRANSPOSE ta = s.a_turned ? CblasTrans : CblasNoTrans, tb = s.b_turned ? CblasTrans : CblasNoTrans;
  const int lda = s.a_turned ? s.m : s.k, ldb = s.b_turned ? s.k : s.n;
  if constexpr (sizeof(T) == 4) cblas_sgemm(CblasRowMajor, ta, tb, s.m, s.n, s.k, 1, a, lda, b, ldb, 0, c, s.n);
  else cblas_dgemm(CblasRowMajor, ta, tb, s.m, s.n, s.k, 1, a, lda, b, ldb, 0, c, s.n);
}

template <class T> void compare(const std::vector<Shape>& shapes, double seconds) {
  std::printf("%-20s %8s %8s %6s   GF/s, %s\n", sizeof(T) == 4 ? "f32" : "f64", "gradus", "openblas", "ratio",
              hwy::TargetName(hwy::SupportedTargets() & HWY_TARGETS & -(hwy::SupportedTargets() & HWY_TARGETS)));
  for (const Shape& s : shapes) {
    const auto a = numbers<T>(int64_t{s.m} * s.k), b = numbers<T>(int64_t{s.k} * s.n), c = numbers<T>(int64_t{s.m} * s.n),
               d = numbers<T>(int64_t{s.m} * s.n);
    const Gemm g = gemm_of(s, gradus::DtypeOf<T>::value, a.get(), b.get(), c.get());
    const auto t =
        interleaved_seconds({[&] { gradus::kernels::gemm(g); }, [&] { blas<T>(s, a.get(), b.get(), d.get()); }}, seconds);
    double worst = 0;
    for (size_t i = 0; i < static_cast<size_t>(s.m) * static_cast<size_t>(s.n); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(c[i] - d[i])));
    const double flops = 2e-9 * s.m * s.n * s.k;
    const std::string shape = std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) +
                              (s.a_turned ? " T" : " N") + (s.b_turned ? "T" : "N");
    std::printf("%-20s %8.1f %8.1f %6.2f%s\n", shape.c_str(), flops / t[0], flops / t[1], t[1] / t[0],
                worst > (sizeof(T) == 4 ? 1e-5 : 1e-14) * std::sqrt(s.k) ? "   RESULTS DIFFER" : "");
    std::fflush(stdout);
  }
}

// Many products in one call, against one call of OpenBLAS for each.
void compare_batches(double seconds) {
  std::printf("%-20s %8s %8s %6s\n", "f32 batch of 64", "gradus", "openblas", "ratio");
  for (const int side : {4, 8, 16, 32, 64}) {
    constexpr int count = 64;
    const Shape s{side, side, side, false, false};
    const int64_t one = int64_t{side} * side;
    const auto a = numbers<float>(count * one), b = numbers<float>(count * one), c = numbers<float>(count * one);
    std::vector<int64_t> offsets(count);
    for (size_t i = 0; i < count; ++i) offsets[i] = static_cast<int64_t>(i) * one;
    const Gemm g = gemm_of(s, gradus::Dtype::f32, a.get(), b.get(), c.get());
    const auto t =
        interleaved_seconds({[&] { gradus::kernels::gemm_batch(g, count, offsets.data(), offsets.data(), offsets.data()); },
                             [&] {
                               for (const int64_t o : offsets) blas<float>(s, a.get() + o, b.get() + o, c.get() + o);
                             }},
                            seconds);
    const double flops = 2e-9 * count * static_cast<double>(one) * side;
    std::printf("%-20d %8.1f %8.1f %6.2f\n", side, flops / t[0], flops / t[1], t[1] / t[0]);
  }
}

// One thread against two.
void compare_threads(double seconds) {
  std::printf("%-20s %8s %8s %6s\n", "f32 threads", "1", "2", "ratio");
  gradus::Context context;
  const gradus::ContextScope scope(context);
  for (const Shape& s : {Shape{128, 128, 128, false, false},
                         {256, 256, 256, false, false},
                         {512, 512, 512, false, false},
                         {1024, 1024, 1024, false, false},
                         {64, 256, 784, false, true},
                         {256, 256, 256, false, true},
                         {512, 256, 784, false, true},
                         {2048, 384, 128, false, true},
                         {256, 784, 512, true, false}}) {
    const auto a = numbers<float>(int64_t{s.m} * s.k), b = numbers<float>(int64_t{s.k} * s.n),
               c = numbers<float>(int64_t{s.m} * s.n);
    const Gemm g = gemm_of(s, gradus::Dtype::f32, a.get(), b.get(), c.get());
    const auto with = [&](int threads) {
      return [&, threads] {
        context.threads = threads;
        gradus::kernels::gemm(g);
      };
    };
    const auto t = interleaved_seconds({with(1), with(2)}, seconds);
    const double flops = 2e-9 * s.m * s.n * s.k;
    std::printf("%-20s %8.1f %8.1f %6.2f\n",
                (std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k)).c_str(), flops / t[0], flops / t[1],
                t[0] / t[1]);
  }
}

const std::vector<Shape> kSmall = {{8, 8, 8, 0, 0},    {16, 16, 16, 0, 0},    {24, 24, 24, 0, 0},    {32, 32, 32, 0, 0},
                                   {48, 48, 48, 0, 0}, {64, 64, 64, 0, 0},    {100, 100, 100, 0, 0}, {128, 128, 128, 0, 0},
                                   {64, 64, 64, 0, 1}, {100, 100, 100, 1, 0}, {64, 64, 64, 1, 0},    {64, 64, 64, 1, 1}};
const std::vector<Shape> kLarge = {{256, 256, 256, 0, 0},    {512, 512, 512, 0, 0},    {1024, 1024, 1024, 0, 0},
                                   {2048, 2048, 2048, 0, 0}, {1000, 1000, 1000, 0, 1}, {777, 555, 333, 1, 1}};
const std::vector<Shape> kTraining = {
    {64, 256, 784, 0, 1},   {512, 256, 784, 0, 1},  {256, 784, 512, 1, 0},  {256, 784, 64, 1, 0},   {2048, 384, 128, 0, 1},
    {2048, 512, 128, 0, 1}, {2048, 128, 512, 0, 1}, {2048, 128, 384, 0, 0}, {384, 128, 2048, 1, 0}, {128, 512, 2048, 1, 0},
    {256, 256, 64, 0, 1},   {256, 64, 256, 0, 0},   {128, 128, 32, 0, 1},   {64, 1024, 1024, 0, 0}, {64, 1024, 1024, 0, 1}};
const std::vector<Shape> kVector = {{64, 10, 128, 0, 1},   {64, 10, 128, 0, 0},   {10, 128, 64, 1, 0},   {64, 128, 10, 0, 0},
                                    {8, 1024, 1024, 0, 1}, {4, 1024, 1024, 0, 1}, {1, 1024, 1024, 0, 1}, {1, 1024, 1024, 0, 0},
                                    {1024, 1, 1024, 0, 0}, {1024, 1, 1024, 1, 0}, {1, 256, 256, 0, 1},   {1, 256, 256, 0, 0},
                                    {16, 256, 256, 0, 1}};

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 0.3;
  if (argc > 3) hwy::SetSupportedTargetsForTest(std::strcmp(argv[3], "avx2") == 0 ? HWY_AVX2 : HWY_SSE4);
  const auto wanted = [&](const char* group) { return what.empty() || what == group; };
  if (wanted("small")) compare<float>(kSmall, seconds);
  if (wanted("large")) compare<float>(kLarge, seconds);
  if (wanted("training")) compare<float>(kTraining, seconds);
  if (wanted("vector")) compare<float>(kVector, seconds);
  if (wanted("f64")) compare<double>(kSmall, seconds), compare<double>({kLarge[0], kLarge[1], kLarge[2], kTraining[1]}, seconds);
  if (wanted("batch")) compare_batches(seconds);
  if (wanted("threads")) compare_threads(seconds);
}
