// Reductions, norms, softmax, scans and order, written out over the elements of single lines in index order.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "oracle/oracle.h"

namespace gradus::oracle {
namespace {

using Line = std::vector<double>;
using Ints = std::vector<int64_t>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Ints positive(Ints dims, size_t ndim) {
  for (int64_t& d : dims)
    if (d < 0) d += std::max<int64_t>(1, static_cast<int64_t>(ndim));
  return dims;
}
Ints every_dim(size_t ndim) {
  Ints all(ndim);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// One result for each line of elements over the dims; f sees the line in index order.
std::vector<Array> fold(const Array& x, Ints dims, bool keepdim, const std::function<Line(const Line&)>& f, size_t results = 1) {
  dims = positive(dims, x.ndim());
  const auto is_reduced = [&](size_t d) { return std::find(dims.begin(), dims.end(), static_cast<int64_t>(d)) != dims.end(); };
  Ints kept, inner, outer, shown;
  for (size_t d = 0; d < x.ndim(); ++d) {
    outer.push_back(is_reduced(d) ? 1 : x.sizes[d]);
    inner.push_back(is_reduced(d) ? x.sizes[d] : 1);
    if (!is_reduced(d) || keepdim) shown.push_back(outer.back());
  }
  std::vector<Array> out(results, Array(shown));
  Ints o(x.ndim(), 0);
  for (size_t at = 0; at < out[0].values.size(); ++at, step(o, outer)) {
    Line line;
    if (Array::count(inner) > 0) {
      Ints i(x.ndim(), 0);
      do {
        Ints both(o);
        for (size_t d = 0; d < both.size(); ++d) both[d] += i[d];
        line.push_back(x.at(both));
      } while (step(i, inner));
    }
    const Line r = f(line);
    for (size_t k = 0; k < results; ++k) out[k].values[at] = r[k];
  }
  return out;
}

// A new line in place of every line along dim; f may change its length.
std::vector<Array> map_lines(const Array& x, int64_t dim, const std::function<std::vector<Line>(const Line&)>& f, size_t results = 1) {
  if (x.ndim() == 0) {
    const std::vector<Line> r = f({x.values[0]});
    std::vector<Array> out(results, Array(Ints{}));
    for (size_t k = 0; k < results; ++k) out[k].values[0] = r[k][0];
    return out;
  }
  const auto d = static_cast<size_t>(dim < 0 ? dim + static_cast<int64_t>(x.ndim()) : dim);
  const auto length = static_cast<int64_t>(f(Line(static_cast<size_t>(x.sizes[d]), 1.0))[0].size());
  Ints outer(x.sizes), sizes(x.sizes);
  outer[d] = 1;
  sizes[d] = length;
  std::vector<Array> out(results, Array(sizes));
  Ints o(x.ndim(), 0);
  if (Array::count(outer) == 0) return out;
  do {
    Line line;
    Ints i(o);
    for (i[d] = 0; i[d] < x.sizes[d]; ++i[d]) line.push_back(x.at(i));
    const std::vector<Line> r = f(line);
    for (size_t k = 0; k < results; ++k)
      for (i[d] = 0; i[d] < length; ++i[d]) out[k].at(i) = r[k][static_cast<size_t>(i[d])];
  } while (step(o, outer));
  return out;
}

// The dims argument: a list, one number or nothing; none means all.
Ints dims_at(const Arguments& a, int position, size_t ndim) {
  if (!a.has(position)) return every_dim(ndim);
  const Ints d = a.integers(position);
  return d.empty() ? every_dim(ndim) : d;
}
template <double (*f)(const Line&)> std::vector<Array> over_dims(const Arguments& a) {
  const Array x = a.array(0);
  return fold(x, dims_at(a, 1, x.ndim()), a.flag(2), [](const Line& l) { return Line{f(l)}; });
}
template <double (*f)(const Line&)> std::vector<Array> over_all(const Arguments& a) {
  const Array x = a.array(0);
  return fold(x, every_dim(x.ndim()), false, [](const Line& l) { return Line{f(l)}; });
}

// ---- numbers of a line
double total(const Line& l) { return std::accumulate(l.begin(), l.end(), 0.0); }
double average(const Line& l) { return total(l) / static_cast<double>(l.size()); }
Line numbers(const Line& l) {
  Line out;
  std::copy_if(l.begin(), l.end(), std::back_inserter(out), [](double x) { return !std::isnan(x); });
  return out;
}
double nan_total(const Line& l) { return total(numbers(l)); }
double nan_average(const Line& l) { return average(numbers(l)); }
double product(const Line& l) { return std::accumulate(l.begin(), l.end(), 1.0, std::multiplies<>()); }
double nonzeros(const Line& l) { return static_cast<double>(std::count_if(l.begin(), l.end(), [](double x) { return x != 0; })); }
double some(const Line& l) { return nonzeros(l) > 0; }
double every(const Line& l) { return nonzeros(l) == static_cast<double>(l.size()); }
double log_sum_exp(const Line& l) {
  double top = -HUGE_VAL;
  for (double x : l) top = std::max(top, x);
  if (std::isinf(top)) return top;
  double s = 0;
  for (double x : l) s += std::exp(x - top);
  return top + std::log(s);
}

template <bool largest> size_t place_of_extreme(const Line& l) {
  size_t best = 0;
  for (size_t i = 0; i < l.size(); ++i) {
    if (std::isnan(l[i])) return i;
    if (largest ? l[i] > l[best] : l[i] < l[best]) best = i;
  }
  return best;
}
template <bool largest> double extreme(const Line& l) { return l[place_of_extreme<largest>(l)]; }
template <bool largest> std::vector<Array> extreme_along(const Arguments& a) {
  return fold(a.array(0), {a.integer(1)}, a.flag(2), [](const Line& l) {
    const size_t i = place_of_extreme<largest>(l);
    return Line{l[i], static_cast<double>(i)};
  }, 2);
}
template <bool largest> std::vector<Array> index_of_extreme(const Arguments& a) {
  const Array x = a.array(0);
  return fold(x, a.has(1) ? Ints{a.integer(1)} : every_dim(x.ndim()), a.flag(2), [](const Line& l) { return Line{static_cast<double>(place_of_extreme<largest>(l))}; });
}
std::vector<Array> amin_amax(const Arguments& a) {
  const Array x = a.array(0);
  return fold(x, a.has(1) ? Ints{a.integer(1)} : every_dim(x.ndim()), a.flag(2), [](const Line& l) { return Line{extreme<false>(l), extreme<true>(l)}; }, 2);
}
std::vector<Array> prod(const Arguments& a) {
  const Array x = a.array(0);
  return fold(x, a.has(1) ? Ints{a.integer(1)} : every_dim(x.ndim()), a.flag(2), [](const Line& l) { return Line{product(l)}; });
}
std::vector<Array> count(const Arguments& a) {
  const Array x = a.array(0);
  return fold(x, dims_at(a, 1, x.ndim()), false, [](const Line& l) { return Line{nonzeros(l)}; });
}
std::vector<Array> share_among_ties(const Arguments& a) {
  const Array g = a.array(0), x = a.array(1), value = a.array(2);
  const Ints dims = positive(dims_at(a, 3, x.ndim()), x.ndim());
  Array out(x.sizes);
  const auto place = [&](const Ints& i) {                     // of the value that stands for element i
    size_t p = 0;
    for (size_t d = 0; d < x.ndim(); ++d)
      if (std::find(dims.begin(), dims.end(), static_cast<int64_t>(d)) == dims.end()) p = p * static_cast<size_t>(x.sizes[d]) + static_cast<size_t>(i[d]);
    return p;
  };
  std::vector<double> ties(value.values.size(), 0);
  Ints i(x.ndim(), 0);
  for (size_t k = 0; k < x.values.size(); ++k, step(i, x.sizes)) ties[place(i)] += x.values[k] == value.values[place(i)];
  i.assign(x.ndim(), 0);
  for (size_t k = 0; k < x.values.size(); ++k, step(i, x.sizes)) out.values[k] = x.values[k] == value.values[place(i)] ? g.values[place(i)] / ties[place(i)] : 0;
  return {out};
}

// ---- moments: (self, dim, correction, keepdim)
template <bool root, bool with_mean> std::vector<Array> moments(const Arguments& a) {
  const Array x = a.array(0);
  const double correction = a.has(2) ? a.number(2) : 1;
  return fold(x, dims_at(a, 1, x.ndim()), a.flag(3), [&](const Line& l) {
    const double m = average(l);
    double s = 0;
    for (double v : l) s += (v - m) * (v - m);
    s /= std::max(0.0, static_cast<double>(l.size()) - correction);
    return Line{root ? std::sqrt(s) : s, m};
  }, with_mean ? 2 : 1);
}

// ---- norms: (self, p, dim, keepdim, dtype)
std::vector<Array> norm(const Arguments& a) {
  const Array x = a.array(0);
  const double p = a.has(1) ? a.number(1) : 2;
  return fold(x, dims_at(a, 2, x.ndim()), a.flag(3), [p](const Line& l) {
    if (p == 0) return Line{nonzeros(l)};
    double s = p == -HUGE_VAL ? HUGE_VAL : 0;
    for (double v : l) s = p == HUGE_VAL ? std::max(s, std::abs(v)) : p == -HUGE_VAL ? std::min(s, std::abs(v)) : s + std::pow(std::abs(v), p);
    return Line{std::isinf(p) ? s : std::pow(s, 1 / p)};
  });
}

// ---- softmax
template <bool log> Line softmax_line(const Line& l) {
  Line out;
  const double whole = log_sum_exp(l);
  for (double x : l) out.push_back(log ? x - whole : std::exp(x - whole));
  return out;
}
template <bool log> std::vector<Array> softmax(const Arguments& a) {
  return map_lines(a.array(0), a.integer(1), [](const Line& l) { return std::vector<Line>{softmax_line<log>(l)}; });
}
std::vector<Array> safe_softmax(const Arguments& a) {
  return map_lines(a.array(0), a.integer(1), [](const Line& l) {
    return std::vector<Line>{log_sum_exp(l) == -HUGE_VAL ? Line(l.size(), 0.0) : softmax_line<false>(l)};
  });
}
template <bool log> std::vector<Array> softmax_backward(const Arguments& a) {
  Array out = a.array(0);
  const Array y = a.array(1);
  Array weighted = out;
  if (!log)
    for (size_t k = 0; k < out.values.size(); ++k) weighted.values[k] *= y.values[k];
  const Array sums = fold(weighted, {a.integer(2)}, true, [](const Line& l) { return Line{total(l)}; })[0];
  Ints i(out.ndim(), 0);
  for (size_t k = 0; k < out.values.size(); ++k, step(i, out.sizes)) {
    const double s = sums.read(i);
    out.values[k] = log ? out.values[k] - std::exp(y.values[k]) * s : y.values[k] * (out.values[k] - s);
  }
  return {out};
}

// ---- scans
template <bool reverse, double (*f)(const Line&)> std::vector<Array> scan(const Arguments& a) {
  return map_lines(a.array(0), a.integer(1), [](const Line& l) {
    Line out;
    for (auto i = l.begin(); i != l.end(); ++i) out.push_back(reverse ? f(Line(i, l.end())) : f(Line(l.begin(), i + 1)));
    return std::vector<Line>{out};
  });
}
template <bool largest> std::vector<Array> extreme_so_far(const Arguments& a) {
  return map_lines(a.array(0), a.integer(1), [](const Line& l) {
    Line values, indices;
    for (size_t i = 0; i < l.size(); ++i) {
      size_t best = i;                                        // the last of the best before and with i
      for (size_t j = i; j-- > 0;)
        if (largest ? l[j] > l[best] : l[j] < l[best]) best = j;
      values.push_back(l[best]);
      indices.push_back(static_cast<double>(best));
    }
    return std::vector<Line>{values, indices};
  }, 2);
}
std::vector<Array> differences(const Arguments& a) {
  const Array x = a.array(0);
  const int64_t dim = a.integer(2);
  if (a.integer(1) == 0) return {x};
  const auto d = static_cast<size_t>(dim < 0 ? dim + static_cast<int64_t>(x.ndim()) : dim);
  Array whole = x;
  for (int side : {3, 4}) {
    if (!a.has(side)) continue;
    const Array first = side == 3 ? a.array(3) : whole, second = side == 3 ? whole : a.array(4);
    Ints sizes(first.sizes);
    sizes[d] += second.sizes[d];
    Array both(sizes);
    Ints i(sizes.size(), 0);
    for (size_t k = 0; k < both.values.size(); ++k, step(i, sizes)) {
      Ints j(i);
      const bool in_first = i[d] < first.sizes[d];
      if (!in_first) j[d] -= first.sizes[d];
      both.values[k] = in_first ? first.at(j) : second.at(j);
    }
    whole = both;
  }
  return map_lines(whole, dim, [&](Line l) {
    for (int64_t n = a.integer(1); n > 0 && !l.empty(); --n) {
      for (size_t i = 0; i + 1 < l.size(); ++i) l[i] = l[i + 1] - l[i];
      l.pop_back();
    }
    return std::vector<Line>{l};
  });
}

// ---- order: insertion sort by rank, NaN the largest
Ints order_of(const Line& l, bool descending) {
  const auto less = [&](double a, double b) { return a < b || (std::isnan(b) && !std::isnan(a)); };
  Ints out;
  for (size_t i = 0; i < l.size(); ++i) {
    size_t at = out.size();
    while (at > 0 && (descending ? less(l[static_cast<size_t>(out[at - 1])], l[i]) : less(l[i], l[static_cast<size_t>(out[at - 1])]))) --at;
    out.insert(out.begin() + static_cast<int64_t>(at), static_cast<int64_t>(i));
  }
  return out;
}
std::vector<Line> in_order(const Line& l, bool descending, size_t k) {
  Line values, indices;
  for (int64_t i : order_of(l, descending)) {
    if (values.size() == k) break;
    values.push_back(l[static_cast<size_t>(i)]);
    indices.push_back(static_cast<double>(i));
  }
  return {values, indices};
}
std::vector<Array> sort(const Arguments& a) {
  return map_lines(a.array(0), a.integer(1), [&](const Line& l) { return in_order(l, a.flag(2), l.size()); }, 2);
}
std::vector<Array> argsort(const Arguments& a) { return {sort(a)[1]}; }
std::vector<Array> msort(const Arguments& a) {
  return {map_lines(a.array(0), 0, [](const Line& l) { return in_order(l, false, l.size()); }, 2)[0]};
}
std::vector<Array> topk(const Arguments& a) {
  return map_lines(a.array(0), a.integer(2), [&](const Line& l) { return in_order(l, a.flag(3), static_cast<size_t>(a.integer(1))); }, 2);
}
Line ranked(const Line& l, size_t k) {                        // with the first place of an equal one
  const double v = l[static_cast<size_t>(order_of(l, false)[k])];
  for (size_t i = 0; i < l.size(); ++i)
    if (l[i] == v || (std::isnan(l[i]) && std::isnan(v))) return {v, static_cast<double>(i)};
  return {kNan, -1};
}
template <bool nan_wins> Line middle(const Line& l) {
  const size_t n = numbers(l).size();
  return ranked(l, n == 0 || (nan_wins && n < l.size()) ? n : (n - 1) / 2);
}
std::vector<Array> kth(const Arguments& a) {
  return fold(a.array(0), {a.integer(2)}, a.flag(3), [&](const Line& l) { return ranked(l, static_cast<size_t>(a.integer(1) - 1)); }, 2);
}
template <bool nan_wins> double middle_of(const Line& l) { return middle<nan_wins>(l)[0]; }
template <bool nan_wins> std::vector<Array> middle_along(const Arguments& a) { return fold(a.array(0), {a.integer(1)}, a.flag(2), middle<nan_wins>, 2); }
std::vector<Array> most_frequent(const Arguments& a) {
  return fold(a.array(0), {a.integer(1)}, a.flag(2), [](const Line& l) {
    size_t best = 0;
    const auto frequency = [&](size_t i) { return std::count(l.begin(), l.end(), l[i]); };
    for (size_t i = 1; i < l.size(); ++i)
      if (frequency(i) > frequency(best) || (frequency(i) == frequency(best) && l[i] <= l[best])) best = i;
    return Line{l[best], static_cast<double>(best)};
  }, 2);
}

// ---- picking: the index with the dim it may have lost
Array with_dim(Array index, int64_t dim, size_t ndim) {
  if (index.ndim() < ndim) index.sizes.insert(index.sizes.begin() + dim, 1);
  return index;
}
std::vector<Array> put_along(const Arguments& a) {            // (grad, dim, indices, sizes, keepdim)
  Array out(a.integers(3)), g = a.array(0), index = a.array(2);
  const int64_t dim = positive({a.integer(1)}, out.ndim())[0];
  index = with_dim(index, dim, out.ndim());
  Ints i(index.ndim(), 0);
  for (size_t k = 0; k < index.values.size(); ++k, step(i, index.sizes)) {
    Ints to(i);
    if (!to.empty()) to[static_cast<size_t>(dim)] = static_cast<int64_t>(index.values[k]);
    out.at(to) += g.values[k];
  }
  return {out};
}
std::vector<Array> take_along(const Arguments& a) {           // (self, dim, indices, keepdim)
  const Array x = a.array(0), given = a.array(2);
  const int64_t dim = positive({a.integer(1)}, x.ndim())[0];
  const Array index = with_dim(given, dim, x.ndim());
  Array out(given.sizes);
  Ints i(index.ndim(), 0);
  for (size_t k = 0; k < index.values.size(); ++k, step(i, index.sizes)) {
    Ints from(i);
    if (!from.empty()) from[static_cast<size_t>(dim)] = static_cast<int64_t>(index.values[k]);
    out.values[k] = x.at(from);
  }
  return {out};
}

}  // namespace

Oracles reductions() {
  return {
      {"sum", over_dims<total>}, {"nansum", over_dims<nan_total>}, {"mean", over_dims<average>}, {"nanmean", over_dims<nan_average>},
      {"prod", prod}, {"any", over_dims<some>}, {"all", over_dims<every>}, {"count_nonzero", count},
      {"var", moments<false, false>}, {"std", moments<true, false>}, {"var_mean", moments<false, true>}, {"std_mean", moments<true, true>},
      {"amax", over_dims<extreme<true>>}, {"amin", over_dims<extreme<false>>}, {"max", over_all<extreme<true>>}, {"min", over_all<extreme<false>>},
      {"aminmax", amin_amax}, {"max_dim", extreme_along<true>}, {"min_dim", extreme_along<false>},
      {"argmax", index_of_extreme<true>}, {"argmin", index_of_extreme<false>}, {"_share_among_ties", share_among_ties},
      {"linalg_vector_norm", norm}, {"norm", norm}, {"logsumexp", over_dims<log_sum_exp>},
      {"softmax", softmax<false>}, {"_softmax", softmax<false>}, {"log_softmax", softmax<true>}, {"_log_softmax", softmax<true>}, {"_safe_softmax", safe_softmax},
      {"_softmax_backward_data", softmax_backward<false>}, {"_log_softmax_backward_data", softmax_backward<true>},
      {"cumsum", scan<false, total>}, {"_reverse_cumsum", scan<true, total>}, {"cumprod", scan<false, product>},
      {"logcumsumexp", scan<false, log_sum_exp>}, {"_reverse_logcumsumexp", scan<true, log_sum_exp>},
      {"cummax", extreme_so_far<true>}, {"cummin", extreme_so_far<false>}, {"diff", differences},
      {"sort", sort}, {"argsort", argsort}, {"msort", msort}, {"topk", topk}, {"kthvalue", kth},
      {"median", over_all<middle_of<true>>}, {"nanmedian", over_all<middle_of<false>>},
      {"median_dim", middle_along<true>}, {"nanmedian_dim", middle_along<false>}, {"mode", most_frequent},
      {"value_selecting_reduction_backward", put_along}, {"_select_along", take_along},
  };
}

}  // namespace gradus::oracle
