// Unique elements, bins, membership and combinations, counted one by one.
#include <map>
#include <set>

#include "oracle/index.h"

namespace gradus::oracle {
namespace {

using Result = std::vector<Array>;
using Row = std::vector<double>;

Array vector(const Row& v) {
  Array a({static_cast<int64_t>(v.size())});
  a.values = v;
  return a;
}
Row row_of(const Array& x, size_t dim, int64_t k) {
  Row r;
  made(without(x.sizes, dim), [&](const Index& i) { r.push_back(x.at(with(i, dim, k))); return 0.0; });
  return r;
}
Array from_rows(const Array& x, size_t dim, const std::vector<Row>& rows) {
  Array out(set(x.sizes, dim, static_cast<int64_t>(rows.size())));
  for (size_t k = 0; k < rows.size(); ++k) {
    size_t at = 0;
    made(without(x.sizes, dim), [&](const Index& i) { return out.at(with(i, dim, static_cast<int64_t>(k))) = rows[k][at++]; });
  }
  return out;
}
// The rows along dim: sorted and different, or only runs made one.
Result grouped(const Array& x, size_t dim, bool sorted, bool inverse, bool counts, const Index& shape) {
  std::vector<Row> rows;
  Row place, count;
  if (sorted) {
    std::set<Row> all;
    for (int64_t k = 0; k < x.sizes[dim]; ++k) all.insert(row_of(x, dim, k));
    rows.assign(all.begin(), all.end());
    count.assign(rows.size(), 0);
  }
  for (int64_t k = 0; k < x.sizes[dim]; ++k) {
    const Row r = row_of(x, dim, k);
    if (!sorted && (rows.empty() || rows.back() != r)) {
      rows.push_back(r);
      count.push_back(0);
    }
    const size_t which = sorted ? static_cast<size_t>(std::find(rows.begin(), rows.end(), r) - rows.begin()) : rows.size() - 1;
    place.push_back(static_cast<double>(which));
    count[which] += 1;
  }
  return {from_rows(x, dim, rows), inverse ? reshaped(vector(place), shape) : vector({}), counts ? vector(count) : vector({})};
}
Result unique(const Arguments& a) { return grouped(reshaped(a.array(0), {static_cast<int64_t>(a.array(0).values.size())}), 0, true, a.flag(2), a.flag(3), a.array(0).sizes); }
Result unique_dim(const Arguments& a) {
  const Array x = a.array(0);
  const size_t dim = wrap(a.integer(1), x.ndim());
  return grouped(x, dim, true, a.flag(3), a.flag(4), {x.sizes[dim]});
}
Result consecutive(const Arguments& a) {
  const Array x = a.array(0);
  if (!a.has(3)) return grouped(reshaped(x, {static_cast<int64_t>(x.values.size())}), 0, false, a.flag(1), a.flag(2), x.sizes);
  const size_t dim = wrap(a.integer(3), x.ndim());
  return grouped(x, dim, false, a.flag(1), a.flag(2), {x.sizes[dim]});
}
Result bincount(const Arguments& a) {
  Row bins(static_cast<size_t>(a.integer(2)), 0);
  const Array x = a.array(0);
  for (size_t k = 0; k < x.values.size(); ++k) {
    const auto at = static_cast<size_t>(x.values[k]);
    if (at >= bins.size()) bins.resize(at + 1);
    bins[at] += a.has(1) ? a.array(1).values[k] : 1;
  }
  return {vector(bins)};
}
Result histc(const Arguments& a) {
  const Array x = a.array(0);
  double low = a.number(2), high = a.number(3);
  if (low == high) low = *std::min_element(x.values.begin(), x.values.end()), high = *std::max_element(x.values.begin(), x.values.end());
  Row bins(static_cast<size_t>(a.integer(1)), 0);
  for (double v : x.values)
    for (size_t k = 0; k < bins.size(); ++k) {
      const auto edge = [&](size_t e) { return low + (high - low) * static_cast<double>(e) / static_cast<double>(bins.size()); };
      bins[k] += v >= edge(k) && (v < edge(k + 1) || (k + 1 == bins.size() && v == high));
    }
  return {vector(bins)};
}
Result isin(const Arguments& a) {
  Array x = a.array(0);
  const Array known = a.array(1);
  for (double& v : x.values) v = (std::count(known.values.begin(), known.values.end(), v) > 0) != a.flag(3);
  return {x};
}
void choose(const Row& x, size_t from, size_t left, bool again, Row& chosen, std::vector<Row>& out) {
  if (left == 0) return out.push_back(chosen);
  for (size_t k = from; k < x.size(); ++k) {
    chosen.push_back(x[k]);
    choose(x, again ? k : k + 1, left - 1, again, chosen, out);
    chosen.pop_back();
  }
}
Result combinations(const Arguments& a) {
  std::vector<Row> rows;
  Row chosen;
  choose(a.array(0).values, 0, static_cast<size_t>(a.integer(1)), a.flag(2), chosen, rows);
  Array out({static_cast<int64_t>(rows.size()), a.integer(1)});
  for (size_t k = 0; k < out.values.size(); ++k) out.values[k] = rows[k / static_cast<size_t>(a.integer(1))][k % static_cast<size_t>(a.integer(1))];
  return {out};
}

}  // namespace

Oracles counting() {
  return {{"unique", unique}, {"unique_dim", unique_dim}, {"unique_consecutive", consecutive}, {"bincount", bincount},
          {"histc", histc}, {"isin", isin}, {"combinations", combinations}};
}

}  // namespace gradus::oracle
