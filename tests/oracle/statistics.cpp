// Quantiles, covariances, trapezoids, distances, diagonals and cross products, from their definitions.
#include "oracle/index.h"

namespace gradus::oracle {
namespace {

using Result = std::vector<Array>;

// ---- diagonals
Array embedded(const Array& x, int64_t offset, size_t dim1, size_t dim2) {
  const size_t ndim = x.ndim() + 1;
  Index sizes;
  for (size_t d = 0, from = 0; d < ndim; ++d) sizes.push_back(d == dim1 || d == dim2 ? x.sizes.back() + std::abs(offset) : x.sizes[from++]);
  return made(sizes, [&](const Index& i) {
    if (i[dim2] - i[dim1] != offset) return 0.0;
    Index at;
    for (size_t d = 0; d < ndim; ++d)
      if (d != dim1 && d != dim2) at.push_back(i[d]);
    at.push_back(std::min(i[dim1], i[dim2]));
    return x.at(at);
  });
}
Array diagonals(const Array& x, int64_t offset, size_t dim1, size_t dim2) {
  Index sizes;
  for (size_t d = 0; d < x.ndim(); ++d)
    if (d != dim1 && d != dim2) sizes.push_back(x.sizes[d]);
  int64_t n = 0;
  for (int64_t k = 0; k < x.sizes[dim1]; ++k) n += k + offset >= 0 && k + offset < x.sizes[dim2];
  sizes.push_back(n);
  return made(sizes, [&](const Index& i) {
    Index at;
    size_t from = 0;
    for (size_t d = 0; d < x.ndim(); ++d) at.push_back(d == dim1 ? i.back() + std::max<int64_t>(0, -offset) : d == dim2 ? i.back() + std::max<int64_t>(0, offset) : i[from++]);
    return x.at(at);
  });
}
Result diag_embed(const Arguments& a) {
  const Array x = a.array(0);
  return {embedded(x, a.integer(1), wrap(a.integer(2), x.ndim() + 1), wrap(a.integer(3), x.ndim() + 1))};
}
Result diag(const Arguments& a) {
  const Array x = a.array(0);
  return {x.ndim() == 1 ? embedded(x, a.integer(1), 0, 1) : diagonals(x, a.integer(1), 0, 1)};
}
Result diagflat(const Arguments& a) { return {embedded(reshaped(a.array(0), {-1}), a.integer(1), 0, 1)}; }
Result linalg_diagonal(const Arguments& a) {
  const Array x = a.array(0);
  return {diagonals(x, a.integer(1), wrap(a.integer(2), x.ndim()), wrap(a.integer(3), x.ndim()))};
}
Result trace(const Arguments& a) {
  Array sum{Index{}};
  for (double v : diagonals(a.array(0), 0, 0, 1).values) sum.values[0] += v;
  return {sum};
}

// ---- trapezoids: the area between k and k + 1 along dim
double area(const Arguments& a, const Array& y, const Index& at, size_t dim, int64_t k) {
  double width = a.number(2);
  if (a.has(1)) {
    const Array x = a.array(1);
    const auto place = [&](int64_t p) { return x.ndim() == 1 ? x.values[static_cast<size_t>(p)] : x.read(set(at, dim, p)); };
    width = place(k + 1) - place(k);
  }
  return (y.at(set(at, dim, k)) + y.at(set(at, dim, k + 1))) / 2 * width;
}
Result cumulative(const Arguments& a) {
  const Array y = a.array(0);
  const size_t dim = wrap(a.integer(3), y.ndim());
  return {made(set(y.sizes, dim, y.sizes[dim] - 1), [&](const Index& i) {
    double sum = 0;
    for (int64_t k = 0; k <= i[dim]; ++k) sum += area(a, y, i, dim, k);
    return sum;
  })};
}
Result trapezoid(const Arguments& a) {
  const Array y = a.array(0);
  const size_t dim = wrap(a.integer(3), y.ndim());
  return {made(without(y.sizes, dim), [&](const Index& i) {
    double sum = 0;
    for (int64_t k = 0; k + 1 < y.sizes[dim]; ++k) sum += area(a, y, with(i, dim, 0), dim, k);
    return sum;
  })};
}

// ---- quantiles
double between(std::vector<double> row, double q, const std::string& how, bool skip_nan) {
  const size_t all = row.size();
  std::erase_if(row, [](double v) { return std::isnan(v); });
  if (row.empty() || (!skip_nan && row.size() < all)) return NAN;
  std::sort(row.begin(), row.end());
  const double place = q * static_cast<double>(row.size() - 1), low = std::floor(place);
  const double first = row[static_cast<size_t>(low)], second = row[static_cast<size_t>(std::ceil(place))];
  if (how == "lower") return first;
  if (how == "higher") return second;
  if (how == "midpoint") return (first + second) / 2;
  if (how == "nearest") return row[static_cast<size_t>(std::nearbyint(place))];
  return first + (second - first) * (place - low);
}
template <bool skip_nan> Result quantile(const Arguments& a) {
  Array x = a.array(0);
  const Array q = a.operand(1);
  Index shown(x.ndim(), 1);
  if (a.has(2)) shown = set(x.sizes, wrap(a.integer(2), x.ndim()), 1);
  const size_t dim = a.has(2) ? wrap(a.integer(2), x.ndim()) : 0;
  if (!a.has(2)) x = reshaped(x, {-1});
  Index rows = without(x.sizes, dim);
  Index sizes = q.sizes;
  sizes.insert(sizes.end(), rows.begin(), rows.end());
  Array out = made(sizes, [&](const Index& i) {
    std::vector<double> row;
    for (int64_t k = 0; k < x.sizes[dim]; ++k) row.push_back(x.at(with(Index(i.begin() + static_cast<int64_t>(q.ndim()), i.end()), dim, k)));
    return between(row, q.values[q.ndim() ? static_cast<size_t>(i[0]) : 0], a.text(4), skip_nan);
  });
  if (a.flag(3)) {
    Index kept = q.sizes;
    kept.insert(kept.end(), shown.begin(), shown.end());
    out = reshaped(out, kept);
  }
  return {out};
}

// ---- covariances
Array covariances(const Array& x, double correction, const std::vector<double>& counts, const std::vector<double>& importance) {
  const auto n = static_cast<size_t>(x.sizes[1]);
  std::vector<double> w(n, 1), mean(static_cast<size_t>(x.sizes[0]), 0);
  double total = 0, squares = 0;
  for (size_t k = 0; k < n; ++k) {
    w[k] = (counts.empty() ? 1 : counts[k]) * (importance.empty() ? 1 : importance[k]);
    total += w[k];
    squares += w[k] * (importance.empty() ? 1 : importance[k]);
  }
  for (size_t r = 0; r < mean.size(); ++r)
    for (size_t k = 0; k < n; ++k) mean[r] += w[k] * x.values[r * n + k] / total;
  const double freedom = std::max(0.0, total - correction * (importance.empty() ? 1 : squares / total));
  return made({x.sizes[0], x.sizes[0]}, [&](const Index& i) {
    const auto r = static_cast<size_t>(i[0]), c = static_cast<size_t>(i[1]);
    double sum = 0;
    for (size_t k = 0; k < n; ++k) sum += w[k] * (x.values[r * n + k] - mean[r]) * (x.values[c * n + k] - mean[c]);
    return sum / freedom;
  });
}
Array rows_of(const Array& x) { return x.ndim() == 2 ? x : reshaped(x, {1, -1}); }
Result cov(const Arguments& a) {
  const Array c = covariances(rows_of(a.array(0)), static_cast<double>(a.integer(1)), a.has(2) ? a.array(2).values : std::vector<double>(),
                              a.has(3) ? a.array(3).values : std::vector<double>());
  return {c.values.size() == 1 ? reshaped(c, {}) : c};
}
Result corrcoef(const Arguments& a) {
  const Array c = covariances(rows_of(a.array(0)), 1, {}, {});
  return {made(c.sizes, [&](const Index& i) { return c.at(i) / std::sqrt(c.at({i[0], i[0]}) * c.at({i[1], i[1]})); })};
}

// ---- distances
double norm(const std::vector<double>& v, double p) {
  double sum = 0;
  for (double x : v) sum += std::pow(std::abs(x), p);
  return std::pow(sum, 1 / p);
}
Index broadcast(const Index& a, const Index& b) {
  Index out(std::max(a.size(), b.size()), 1);
  for (const Index* s : {&a, &b})
    for (size_t d = 0; d < s->size(); ++d) out[out.size() - s->size() + d] = std::max(out[out.size() - s->size() + d], (*s)[d]);
  return out;
}
Result dist(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);
  const Array apart = made(broadcast(x.sizes, y.sizes), [&](const Index& i) { return x.read(i) - y.read(i); });
  Array out{Index{}};
  out.values[0] = norm(apart.values, a.number(2));
  return {out};
}
Result renorm(const Arguments& a) {
  const Array x = a.array(0);
  const size_t dim = wrap(a.integer(2), x.ndim());
  std::vector<std::vector<double>> parts(static_cast<size_t>(x.sizes[dim]));
  made(x.sizes, [&](const Index& i) { parts[static_cast<size_t>(i[dim])].push_back(x.at(i)); return 0.0; });
  return {made(x.sizes, [&](const Index& i) {
    const double size = norm(parts[static_cast<size_t>(i[dim])], a.number(1));
    return x.at(i) * (size > a.number(3) ? a.number(3) / (size + 1e-7) : 1);
  })};
}

// ---- the others
Result glu(const Arguments& a) {
  const Array x = a.array(0);
  const size_t dim = wrap(a.integer(1), x.ndim());
  const int64_t n = x.sizes[dim] / 2;
  return {made(set(x.sizes, dim, n), [&](const Index& i) { return x.at(i) / (1 + std::exp(-x.at(set(i, dim, i[dim] + n)))); })};
}
Result sum_to_size(const Arguments& a) {
  const Array x = a.array(0);
  Array out(a.integers(1));
  made(x.sizes, [&](const Index& i) {
    Index at(i.end() - static_cast<int64_t>(out.ndim()), i.end());
    for (size_t d = 0; d < at.size(); ++d)
      if (out.sizes[d] == 1) at[d] = 0;
    out.at(at) += x.at(i);
    return 0.0;
  });
  return {out};
}
Array crossed(const Array& x, const Array& y, size_t dim) {
  return made(broadcast(x.sizes, y.sizes), [&](const Index& i) {
    const Index next = set(i, dim, (i[dim] + 1) % 3), last = set(i, dim, (i[dim] + 2) % 3);
    return x.read(next) * y.read(last) - x.read(last) * y.read(next);
  });
}
Result linalg_cross(const Arguments& a) { return {crossed(a.array(0), a.array(1), wrap(a.integer(2), a.array(0).ndim()))}; }
Result cross(const Arguments& a) {
  const Array x = a.array(0);
  const auto first = std::find(x.sizes.begin(), x.sizes.end(), 3);
  return {crossed(x, a.array(1), a.has(2) ? wrap(a.integer(2), x.ndim()) : static_cast<size_t>(first - x.sizes.begin()))};
}
Result vander(const Arguments& a) {
  const Array x = a.array(0).ndim() ? a.array(0) : reshaped(a.array(0), {1});
  Index sizes = x.sizes;
  sizes.push_back(a.has(1) ? a.integer(1) : x.sizes.back());
  return {made(sizes, [&](const Index& i) {
    double power = 1;
    for (int64_t k = 0; k < i.back(); ++k) power *= x.at(Index(i.begin(), i.end() - 1));
    return power;
  })};
}
Result one(bool b) {
  Array out{Index{}};
  out.values[0] = b;
  return {out};
}
Result allclose(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);
  bool all = true;
  made(broadcast(x.sizes, y.sizes), [&](const Index& i) {
    const double u = x.read(i), v = y.read(i);
    all = all && (u == v || std::abs(u - v) <= a.number(3) + a.number(2) * std::abs(v) || (a.flag(4) && std::isnan(u) && std::isnan(v)));
    return 0.0;
  });
  return one(all);
}
Result equal(const Arguments& a) { return one(a.array(0).sizes == a.array(1).sizes && a.array(0).values == a.array(1).values); }

}  // namespace

Oracles statistics() {
  return {
      {"diag_embed", diag_embed}, {"diag", diag}, {"diagflat", diagflat}, {"linalg_diagonal", linalg_diagonal}, {"trace", trace},
      {"trapezoid", trapezoid}, {"cumulative_trapezoid", cumulative}, {"quantile", quantile<false>}, {"nanquantile", quantile<true>},
      {"cov", cov}, {"corrcoef", corrcoef}, {"dist", dist}, {"renorm", renorm}, {"glu", glu}, {"sum_to_size", sum_to_size},
      {"linalg_cross", linalg_cross}, {"cross", cross}, {"linalg_vander", vander}, {"allclose", allclose}, {"equal", equal},
      {"isreal", [](const Arguments& a) -> Result { return {Array(a.array(0).sizes, 1)}; }},
  };
}

}  // namespace gradus::oracle
