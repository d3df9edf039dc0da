// What the functions of math_table.h should give: references in extended precision, the points to try and the errors.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "math_table.h"

struct MathCase {
  const char* name;
  long double (*reference)(long double x, long double y);
  double ulp;        // allowed error
  double low, high;  // where the function is interesting, for both types
  bool binary = false;
  double least = 0;     // errors are in ulp of max(|reference|, least): near the roots of lgamma and digamma
  bool inside = false;  // all sampled points lie in [low, high]
};

std::span<const MathCase> math_cases();

template <class T> struct Points {
  std::vector<T> x, y;
  std::vector<long double> expected;
};

// Half the points (or all) lie in [low, high], half anywhere: all exponents and both signs alike.
template <class T> Points<T> sampled_points(const MathCase& c, size_t count);

// NaN, infinities, zeros, the ends of the ranges of normal and subnormal numbers, thresholds, small integers; for two
// arguments every pair.
template <class T> Points<T> special_points(const MathCase& c);

struct MathError {
  double ulp = 0;                                     // largest error
  double x = 0, y = 0;                                // where
  size_t wrong = 0;                                   // points above the allowed error, NaN, infinity, or the sign of zero wrong
  double wrong_x = 0, wrong_y = 0, wrong_result = 0;  // the first of them
};

template <class T> MathError math_error(const MathCase& c, const Points<T>& points, std::span<const T> results);

inline void run(const MathTable& f, const Points<float>& p, std::vector<float>& out) {
  f.f32(p.x.data(), p.y.data(), out.data(), out.size());
}
inline void run(const MathTable& f, const Points<double>& p, std::vector<double>& out) {
  f.f64(p.x.data(), p.y.data(), out.data(), out.size());
}
