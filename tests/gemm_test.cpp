// The matrix product against a plain loop, and its promise of equal bits.
#include "kernels/gemm.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <sstream>
#include <type_traits>
#include <vector>

#include "base/context.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kGuard = 40;

template <class T> constexpr bool kInteger = std::is_integral_v<T>;
template <class T> constexpr double kEpsilon = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;  // of the arithmetic
template <class T> constexpr double kRounding = std::is_same_v<T, Half> ? 0x1p-11 : std::is_same_v<T, BFloat16> ? 0x1p-8 : 0;

struct Random {
  std::mt19937_64 engine{20240607};
  int64_t operator()(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine); }
  template <class T> T value() {
    if constexpr (std::is_same_v<T, bool>) return (*this)(0, 9) == 0;
    else if constexpr (kInteger<T>) return static_cast<T>(engine());
    else return convert<T>(std::uniform_real_distribution<double>(-1, 1)(engine));
  }
};

template <class T> double number(T v) { return convert<double>(v); }

// Layouts: 0 row-major, 1 transposed, 2 both strides above 1, 3 rows of one value, 4 all rows the same.
std::pair<int64_t, int64_t> strides(int layout, int64_t rows, int64_t columns, int64_t gap) {
  switch (layout) {
    case 0: return {columns + gap, 1};
    case 1: return {1, rows + gap};
    case 2: return {2 * (columns + gap), 2};
    case 3: return {1, 0};
    default: return {0, 1};
  }
}

struct Shape {
  int64_t m, n, k;
  int a = 0, b = 0;
  int64_t gap = 0;
  bool accumulate = false, bias = false;
  double alpha = 1;
};

Shape random_shape(Random& random, int64_t limit) {
  Shape s{random(0, limit), random(0, limit), random(0, limit)};
  s.a = static_cast<int>(random(0, 4)), s.b = static_cast<int>(random(0, 4));
  s.gap = random(0, 1) * random(0, 5);
  s.accumulate = random(0, 1), s.bias = random(0, 2) == 0;
  if (random(0, 2) == 0) s.alpha = random(0, 1) ? 0.75 : -3;
  return s;
}

// A product with operands of its own.
template <class T> struct Matrices {
  std::unique_ptr<T[]> a, b, bias, c, before;
  size_t c_size;
  Gemm g{};
  Matrices(const Shape& s, Random& random) {
    const auto [a_row, a_col] = strides(s.a, s.m, s.k, s.gap);
    const auto [b_row, b_col] = strides(s.b, s.k, s.n, s.gap);
    const int64_t ldc = s.n + s.gap;
    const auto fill = [&](std::unique_ptr<T[]>& p, int64_t n) {
      p.reset(new T[static_cast<size_t>(n)]);
      for (int64_t i = 0; i < n; ++i) p[static_cast<size_t>(i)] = random.value<T>();
    };
    // Exactly as large as needed: an address sanitizer sees every read behind the end.
    const auto extent = [](int64_t rows, int64_t columns, int64_t row, int64_t column) {
      return rows && columns ? (rows - 1) * row + (columns - 1) * column + 1 : 0;
    };
    fill(a, extent(s.m, s.k, a_row, a_col));
    fill(b, extent(s.k, s.n, b_row, b_col));
    fill(bias, s.n);
    c_size = static_cast<size_t>(s.m * ldc + 2 * kGuard);
    fill(c, static_cast<int64_t>(c_size));
    before.reset(new T[c_size]);
    std::copy(c.get(), c.get() + c_size, before.get());
    g = {{.m = s.m,
          .n = s.n,
          .k = s.k,
          .a = a.get(),
          .a_row = a_row,
          .a_col = a_col,
          .b = b.get(),
          .b_row = b_row,
          .b_col = b_col,
          .c = c.get() + kGuard,
          .ldc = ldc,
          .alpha = s.alpha,
          .accumulate = s.accumulate,
          .bias = s.bias ? bias.get() : nullptr},
         DtypeOf<T>::value,
         static_cast<int64_t>(s.alpha * 4)};
  }
  T* out(int64_t i) { return c.get() + kGuard + i * g.ldc; }
  void reset() { std::copy(before.get(), before.get() + c_size, c.get()); }
};

template <class T> bool same_bits(const T& x, const T& y) { return std::memcmp(&x, &y, sizeof(T)) == 0; }

template <class T> void expect_element(const Matrices<T>& x, int64_t i, int64_t j, T got, T old) {
  const Gemm& g = x.g;
  const auto a = [&](int64_t k) { return x.a[static_cast<size_t>(i * g.a_row + k * g.a_col)]; };
  const auto b = [&](int64_t k) { return x.b[static_cast<size_t>(k * g.b_row + j * g.b_col)]; };
  if constexpr (std::is_same_v<T, bool>) {
    bool sum = false;
    for (int64_t k = 0; k < g.k; ++k) sum = sum || (a(k) && b(k));
    ASSERT_EQ(got, (sum && g.integer_alpha != 0) || (g.accumulate && old) || (g.bias && x.bias[static_cast<size_t>(j)]));
  } else if constexpr (kInteger<T>) {
    uint64_t sum = 0;
    for (int64_t k = 0; k < g.k; ++k) sum += static_cast<uint64_t>(a(k)) * static_cast<uint64_t>(b(k));
    sum *= static_cast<uint64_t>(g.integer_alpha);
    if (g.accumulate) sum += static_cast<uint64_t>(old);
    if (g.bias) sum += static_cast<uint64_t>(x.bias[static_cast<size_t>(j)]);
    ASSERT_EQ(got, static_cast<T>(sum));
  } else {
    long double sum = 0, size = 0;
    for (int64_t k = 0; k < g.k; ++k) {
      const long double p = static_cast<long double>(number(a(k))) * number(b(k)) * g.alpha;
      sum += p, size += std::fabs(p);
    }
    if (g.accumulate) sum += number(old), size += std::fabs(number(old));
    if (g.bias) sum += number(x.bias[static_cast<size_t>(j)]), size += std::fabs(number(x.bias[static_cast<size_t>(j)]));
    const double bound = static_cast<double>(size) * kEpsilon<T> * static_cast<double>(g.k + 4) +
                         std::fabs(static_cast<double>(sum)) * kRounding<T> + 1e-7 * (kRounding<T> > 0);
    ASSERT_NEAR(number(got), static_cast<double>(sum), bound);
  }
}

// The result is right, and nothing around it is written.
template <class T> void expect_product(Matrices<T>& x) {
  const Gemm& g = x.g;
  for (size_t at = 0; at < x.c_size; ++at) {
    const int64_t place = static_cast<int64_t>(at) - kGuard, i = g.ldc > 0 && place >= 0 ? place / g.ldc : -1,
                  j = place - i * g.ldc;
    if (i >= 0 && i < g.m && j < g.n) {
      expect_element<T>(x, i, j, x.c[at], x.before[at]);
      if (testing::Test::HasFatalFailure()) {
        ADD_FAILURE() << "at " << i << ", " << j;
        return;
      }
    } else {
      ASSERT_TRUE(same_bits(x.c[at], x.before[at])) << "written at " << place;
    }
  }
}

std::string text(const Gemm& g) {
  std::ostringstream s;
  s << "dtype " << name(g.dtype) << " m " << g.m << " n " << g.n << " k " << g.k << " a " << g.a_row << ' ' << g.a_col << " b "
    << g.b_row << ' ' << g.b_col << " ldc " << g.ldc << " accumulate " << g.accumulate << " bias " << (g.bias != nullptr)
    << " alpha " << g.alpha << " target " << hwy::TargetName(hwy::SupportedTargets() & -hwy::SupportedTargets());
  return s.str();
}

template <class T> void expect_right(const Shape& s, Random& random) {
  Matrices<T> x(s, random);
  SCOPED_TRACE(text(x.g));
  gemm(x.g);
  expect_product(x);
}

// Runs f with every SIMD target that is built and that this machine has, alone.
template <class F> void for_each_target(const F& f) {
  const int64_t all = hwy::SupportedTargets() & HWY_TARGETS;
  for (int64_t left = all; left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    f(left & -left);
    hwy::SetSupportedTargetsForTest(0);
  }
}

template <class T> class GemmOf : public testing::Test {};
using Types = testing::Types<bool, uint8_t, int8_t, int16_t, int32_t, int64_t, Half, BFloat16, float, double>;
TYPED_TEST_SUITE(GemmOf, Types);

TYPED_TEST(GemmOf, RandomShapesMatchThePlainLoopOnEveryTarget) {
  Random random;
  for_each_target([&](int64_t) {
    for (int i = 0; i < 150 && !this->HasFatalFailure(); ++i)
      expect_right<TypeParam>(random_shape(random, i % 3 == 0 ? 12 : 70), random);
  });
}
TYPED_TEST(GemmOf, EmptySumsStillWriteTheResult) {
  Random random;
  for (const bool accumulate : {false, true})
    for (const bool bias : {false, true}) {
      Matrices<TypeParam> x({.m = 3, .n = 5, .k = 0, .accumulate = accumulate, .bias = bias, .alpha = INFINITY}, random);
      x.g.integer_alpha = 7;
      x.g.alpha = 1;
      gemm(x.g);
      expect_product(x);
    }
}
TYPED_TEST(GemmOf, BatchesAddOffsetsAndBroadcast) {
  Random random;
  for (const int64_t side : {4, 17, 70}) {
    const int64_t m = side, n = side + 3, k = side - 1, count = 6;
    Matrices<TypeParam> x({.m = m * 2, .n = n, .k = k, .accumulate = true, .bias = true}, random);
    Matrices<TypeParam> many({.m = m * count, .n = n, .k = k}, random);
    std::vector<int64_t> a_offsets, c_offsets;
    for (int64_t i = 0; i < count; ++i) a_offsets.push_back(i % 2 * m * k), c_offsets.push_back(i * m * n);
    Gemm g = x.g;
    g.m = m, g.c = many.g.c;
    gemm_batch(g, count, a_offsets.data(), nullptr, c_offsets.data());
    for (int64_t i = 0; i < count; ++i)
      for (int64_t r = 0; r < m; ++r)
        for (int64_t j = 0; j < n; ++j)
          expect_element<TypeParam>(x, i % 2 * m + r, j, many.out(i * m + r)[j],
                                    many.before[static_cast<size_t>(kGuard + (i * m + r) * n + j)]);
  }
}

template <class T> class GemmOfFloats : public testing::Test {};
using Floats = testing::Types<Half, BFloat16, float, double>;
TYPED_TEST_SUITE(GemmOfFloats, Floats);

// Larger than the blocks of k, rows, columns, and than what one thread does alone; few rows; few columns; vectors.
const Shape kLarger[] = {{64, 96, 784, 0, 1},
                         {130, 200, 1111, 0, 0},
                         {150, 100, 600, 1, 0, 3, true},
                         {77, 121, 530, 1, 1, 0, false, true, 0.75},
                         {125, 1600, 40, 0, 0},
                         {300, 33, 520, 2, 2},
                         {1, 300, 1100, 0, 1},
                         {1, 300, 1100, 0, 0},
                         {300, 1, 1100, 0, 0},
                         {300, 1, 700, 1, 0, 0, true},
                         {300, 1, 700, 0, 1, 2, true, true, -3},
                         {7, 500, 700, 0, 1, 1},
                         {13, 130, 70, 1, 1},
                         {64, 10, 128, 0, 1},
                         {100, 100, 100, 0, 0},
                         {100, 104, 100, 1, 0, 0, true, true},
                         {513, 4, 3, 0, 0},
                         {130, 520, 2050, 0, 0}};

TYPED_TEST(GemmOfFloats, LargerShapesMatchThePlainLoop) {
  Random random;
  for_each_target([&](int64_t target) {
    for (const Shape& s : kLarger)
      if (s.m * s.n * s.k < (target == HWY_SCALAR || kRounding < TypeParam >> 0 ? 10'000'000 : 200'000'000))
        expect_right<TypeParam>(s, random);
  });
}

template <class T> void expect_same(Matrices<T>& x, const std::vector<T>& want, const char* what) {
  for (int64_t i = 0; i < x.g.m; ++i)
    for (int64_t j = 0; j < x.g.n; ++j)
      ASSERT_TRUE(same_bits(x.out(i)[j], want[static_cast<size_t>(i * x.g.n + j)]))
          << what << " at " << i << ", " << j << ": " << text(x.g);
}
template <class T> std::vector<T> results(Matrices<T>& x) {
  x.reset();
  gemm(x.g);
  std::vector<T> r;
  for (int64_t i = 0; i < x.g.m; ++i) r.insert(r.end(), x.out(i), x.out(i) + x.g.n);
  return r;
}

TYPED_TEST(GemmOfFloats, ThreadsDoNotChangeABit) {
  Random random;
  Context context;
  const ContextScope scope(context);
  for (const Shape& s : kLarger) {
    context.threads = 1;
    Matrices<TypeParam> x(s, random);
    const auto alone = results(x);
    for (const int threads : {2, 3, 8}) {
      context.threads = threads;
      x.reset();
      gemm(x.g);
      expect_same(x, alone, "threads");
    }
  }
}
TYPED_TEST(GemmOfFloats, TargetsWithFusedMultiplyAddAgreeInEveryBit) {
  constexpr int64_t fused = HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL | HWY_NEON;
  if ((hwy::SupportedTargets() & fused) == 0) GTEST_SKIP() << "no target with fused multiply-add";
  Random random;
  std::vector<Shape> shapes(std::begin(kLarger), std::end(kLarger));
  for (int i = 0; i < 200; ++i) shapes.push_back(random_shape(random, 70));
  for (const Shape& s : shapes) {
    Matrices<TypeParam> x(s, random);
    std::vector<TypeParam> first;
    for_each_target([&](int64_t target) {
      if ((target & fused) == 0) return;
      const auto r = results(x);
      if (first.empty()) first = r;
      else expect_same(x, first, "target");
    });
  }
}
TYPED_TEST(GemmOfFloats, PartsOfAProductHaveTheBitsOfTheWhole) {
  Random random;
  for (const Shape& s : kLarger) {
    Matrices<TypeParam> x(s, random);
    const auto whole = results(x);
    const Gemm g = x.g;
    const auto part = [&](int64_t i, int64_t m, int64_t j, int64_t n) {
      Gemm p = g;
      p.m = m, p.n = n, p.a = x.a.get() + i * g.a_row, p.b = x.b.get() + j * g.b_col, p.c = x.out(i) + j;
      if (g.bias) p.bias = x.bias.get() + j;
      gemm(p);
    };
    x.reset();
    for (int64_t i = 0; i < g.m; i += 1) part(i, 1, 0, g.n);
    expect_same(x, whole, "rows");
    x.reset();
    for (int64_t j = 0; j < g.n; j += 1) part(0, g.m, j, 1);
    expect_same(x, whole, "columns");
    x.reset();
    for (int64_t i = 0; i < g.m; i += 9)
      for (int64_t j = 0; j < g.n; j += 23) part(i, std::min<int64_t>(9, g.m - i), j, std::min<int64_t>(23, g.n - j));
    expect_same(x, whole, "tiles");
  }
}
TYPED_TEST(GemmOfFloats, NotANumberStaysInItsRowAndColumn) {
  Random random;
  for_each_target([&](int64_t) {
    for (const Shape& s : {Shape{7, 21, 33, 0, 1}, Shape{40, 10, 20, 0, 1}, Shape{25, 100, 40, 0, 0}, Shape{33, 5, 70, 1, 1}}) {
      Matrices<TypeParam> x(s, random);
      const TypeParam nan = convert<TypeParam>(std::numeric_limits<double>::quiet_NaN());
      const TypeParam inf = convert<TypeParam>(std::numeric_limits<double>::infinity());
      x.a[static_cast<size_t>((s.m - 1) * x.g.a_row + (s.k - 1) * x.g.a_col)] = nan;
      x.b[static_cast<size_t>((s.k - 1) * x.g.b_row + (s.n - 1) * x.g.b_col)] = inf;
      gemm(x.g);
      for (int64_t i = 0; i < s.m; ++i)
        for (int64_t j = 0; j < s.n; ++j)
          ASSERT_EQ(std::isfinite(number(x.out(i)[j])), i != s.m - 1 && j != s.n - 1) << i << ' ' << j << ' ' << text(x.g);
    }
  });
}

}  // namespace
}  // namespace gradus::kernels
