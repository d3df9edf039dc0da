// Joining, repeating, and reading at indices.
#include "oracle/index.h"

namespace gradus::oracle {
namespace {

Array joined(const std::vector<Array>& all, size_t d) {
  std::vector<Array> used;
  for (const Array& x : all)
    if (x.ndim() != 1 || !x.values.empty()) used.push_back(x);
  if (used.empty()) return all[0];
  Index sizes = used[0].sizes;
  sizes[d] = 0;
  for (const Array& x : used) sizes[d] += x.sizes[d];
  return made(sizes, [&](const Index& i) {
    int64_t at = i[d];
    size_t k = 0;
    while (at >= used[k].sizes[d]) at -= used[k++].sizes[d];
    return used[k].at(set(i, d, at));
  });
}
std::vector<Array> stacked(const Arguments& a) {
  std::vector<Array> all = a.arrays(0);
  const size_t d = wrap(a.integer(1), all[0].ndim() + 1);
  for (Array& x : all) x.sizes = with(x.sizes, d, 1);
  return {joined(all, d)};
}
template <class F> std::vector<Array> joined_as(const Arguments& a, size_t d, F&& prepare) {
  std::vector<Array> all;
  for (const Array& x : a.arrays(0)) all.push_back(prepare(x));
  return {joined(all, d)};
}
std::vector<Array> block_diagonal(const Arguments& a) {
  int64_t rows = 0, columns = 0;
  std::vector<Array> all;
  for (const Array& x : a.arrays(0)) all.push_back(at_least(x, 2));
  for (const Array& x : all) { rows += x.sizes[0]; columns += x.sizes[1]; }
  Array out({rows, columns});
  int64_t r = 0, c = 0;
  for (const Array& x : all) {
    out = replaced(out, x.sizes, [&](const Index& i) { return Index{i[0] + r, i[1] + c}; }, x);
    r += x.sizes[0];
    c += x.sizes[1];
  }
  return {out};
}
std::vector<Array> grid(const Arguments& a) {
  const std::vector<Array> all = a.arrays(0);
  Index sizes;
  for (const Array& x : all) sizes.push_back(static_cast<int64_t>(x.values.size()));
  const bool swap = a.text(1) == "xy" && all.size() > 1;
  std::vector<Array> out;
  for (size_t k = 0; k < all.size(); ++k) {
    const Array g = made(sizes, [&](const Index& i) { return all[k].values[static_cast<size_t>(i[k])]; });
    out.push_back(swap ? swapped(g, 0, 1) : g);
  }
  return out;
}
std::vector<Array> products(const Arguments& a) {
  const std::vector<Array> all = a.arrays(0);
  if (all.size() == 1) return {all[0]};
  int64_t rows = 1;
  for (const Array& x : all) rows *= x.sizes[0];
  return {made({rows, static_cast<int64_t>(all.size())}, [&](const Index& i) {
    int64_t rest = i[0];
    for (size_t k = all.size() - 1; k > static_cast<size_t>(i[1]); --k) rest /= all[k].sizes[0];
    const Array& x = all[static_cast<size_t>(i[1])];
    return x.values[static_cast<size_t>(rest % x.sizes[0])];
  })};
}

// ---- repeating and turning
Array repeated(const Array& x, Index times) {
  while (times.size() < x.ndim()) times.insert(times.begin(), 1);
  Array y = x;
  while (y.ndim() < times.size()) y.sizes.insert(y.sizes.begin(), 1);
  Index sizes = y.sizes;
  for (size_t d = 0; d < sizes.size(); ++d) sizes[d] *= times[d];
  return made(sizes, [&](Index i) {
    for (size_t d = 0; d < i.size(); ++d) i[d] %= y.sizes[d];
    return y.at(i);
  });
}
std::vector<Array> interleaved(const Arguments& a, const Array& counts) {
  Array x = a.array(0);
  if (!a.has(2)) x = reshaped(x, {-1});
  const size_t d = a.has(2) ? wrap(a.integer(2), x.ndim()) : 0;
  Index rows;
  for (int64_t i = 0; i < x.sizes[d]; ++i) {
    const double n = counts.values[counts.values.size() == 1 ? 0 : static_cast<size_t>(i)];
    for (double k = 0; k < n; ++k) rows.push_back(i);
  }
  return {made(set(x.sizes, d, static_cast<int64_t>(rows.size())), [&](const Index& i) { return x.at(set(i, d, rows[static_cast<size_t>(i[d])])); })};
}
Array triangle(const Array& x, int64_t diagonal, bool upper) {
  return made(x.sizes, [&](const Index& i) {
    const int64_t above = i.back() - i[i.size() - 2] - diagonal;
    return (upper ? above >= 0 : above <= 0) ? x.at(i) : 0;
  });
}
std::vector<Array> triangle_indices(const Arguments& a, bool upper) {
  std::vector<double> rows, columns;
  for (int64_t i = 0; i < a.integer(0); ++i)
    for (int64_t j = 0; j < a.integer(1); ++j)
      if (upper ? j - i >= a.integer(2) : j - i <= a.integer(2)) { rows.push_back(static_cast<double>(i)); columns.push_back(static_cast<double>(j)); }
  Array out({2, static_cast<int64_t>(rows.size())});
  std::copy(rows.begin(), rows.end(), out.values.begin());
  std::copy(columns.begin(), columns.end(), out.values.begin() + static_cast<int64_t>(rows.size()));
  return {out};
}
Array flipped(const Array& x, const Index& dims) {
  return made(x.sizes, [&](Index i) {
    for (int64_t d : dims)
      if (x.ndim() > 0) i[wrap(d, x.ndim())] = x.sizes[wrap(d, x.ndim())] - 1 - i[wrap(d, x.ndim())];
    return x.at(i);
  });
}
std::vector<Array> rolled(const Arguments& a) {
  Array x = a.array(0);
  const Index sizes = x.sizes, shifts = a.integers(1), dims = a.integers(2);
  if (dims.empty()) x = reshaped(x, {static_cast<int64_t>(x.values.size())});
  for (size_t k = 0; k < shifts.size(); ++k) {
    const size_t d = dims.empty() ? 0 : wrap(dims[k], x.ndim());
    const Array before = x;
    x = made(x.sizes, [&](const Index& i) { return before.at(set(i, d, ((i[d] - shifts[k]) % x.sizes[d] + x.sizes[d]) % x.sizes[d])); });
  }
  x.sizes = sizes;
  return {x};
}
std::vector<Array> turned(const Arguments& a) {
  Array x = a.array(0);
  const int64_t p = a.integers(2)[0], q = a.integers(2)[1];
  for (int64_t k = ((a.integer(1) % 4) + 4) % 4; k > 0; --k) x = swapped(flipped(x, {q}), p, q);
  return {x};
}

// ---- reading
std::vector<Array> gathered(const Arguments& a) {
  const Array x = a.array(0), index = a.array(2);
  const size_t d = wrap(a.integer(1), x.ndim());
  return {made(index.sizes, [&](const Index& i) { return x.ndim() == 0 ? x.values[0] : x.at(set(i, d, static_cast<int64_t>(index.at(i)))); })};
}
std::vector<Array> index_selected(const Arguments& a) {
  const Array x = a.array(0), index = a.array(2);
  if (x.ndim() == 0) return {x};
  const size_t d = wrap(a.integer(1), x.ndim());
  return {made(set(x.sizes, d, static_cast<int64_t>(index.values.size())),
               [&](const Index& i) { return x.at(set(i, d, static_cast<int64_t>(index.values[static_cast<size_t>(i[d])]))); })};
}
std::vector<Array> taken(const Arguments& a) {
  const Array x = a.array(0), index = a.array(1);
  return {made(index.sizes, [&](const Index& i) {
    const double k = index.at(i);
    return x.values[static_cast<size_t>(k < 0 ? k + static_cast<double>(x.values.size()) : k)];
  })};
}
std::vector<Array> taken_along(const Arguments& a) {
  const Array x = a.array(0), index = a.array(1);
  if (!a.has(2)) return {made({static_cast<int64_t>(index.values.size())}, [&](const Index& i) { return x.values[static_cast<size_t>(index.values[static_cast<size_t>(i[0])])]; })};
  const size_t d = wrap(a.integer(2), x.ndim());
  Index sizes = x.sizes;
  for (size_t k = 0; k < sizes.size(); ++k) sizes[k] = k == d ? index.sizes[k] : std::max(sizes[k], index.sizes[k]);
  return {made(sizes, [&](const Index& i) {
    Index from = i;
    from[d] = 0;
    from[d] = static_cast<int64_t>(index.read(set(i, d, index.sizes[d] == 1 ? 0 : i[d])));
    for (size_t k = 0; k < from.size(); ++k)
      if (k != d && x.sizes[k] == 1) from[k] = 0;
    return x.at(from);
  })};
}
std::vector<Array> places_of_nonzero(const Array& x) {
  std::vector<double> rows;
  Index i(x.ndim(), 0);
  for (double v : x.values) {
    if (v != 0) rows.insert(rows.end(), i.begin(), i.end());
    step(i, x.sizes);
  }
  const int64_t n = std::count_if(x.values.begin(), x.values.end(), [](double v) { return v != 0; });
  Array out({n, static_cast<int64_t>(x.ndim())});
  out.values = rows;
  return {out};
}
std::vector<Array> embedded(const Arguments& a) {
  const Array w = a.array(0), index = a.array(1);
  Index sizes = index.sizes;
  sizes.push_back(w.sizes[1]);
  return {made(sizes, [&](const Index& i) { return w.at({static_cast<int64_t>(index.at(Index(i.begin(), i.end() - 1))), i.back()}); })};
}
std::vector<Array> classes(const Arguments& a) {
  const Array x = a.array(0);
  Index sizes = x.sizes;
  sizes.push_back(a.integer(1) < 0 ? static_cast<int64_t>(*std::max_element(x.values.begin(), x.values.end())) + 1 : a.integer(1));
  return {made(sizes, [&](const Index& i) { return x.at(Index(i.begin(), i.end() - 1)) == static_cast<double>(i.back()); })};
}
Array searched(const Array& sorted, const Array& values, const Array* order, bool right) {
  return made(values.sizes, [&](const Index& i) {
    double n = 0;
    for (int64_t k = 0; k < sorted.sizes.back(); ++k) {
      Index at = sorted.ndim() == 1 ? Index{k} : set(i, i.size() - 1, k);
      if (order) at.back() = static_cast<int64_t>(order->at(at));
      n += right ? sorted.at(at) <= values.at(i) : sorted.at(at) < values.at(i);
    }
    return n;
  });
}

}  // namespace

Oracles joins_and_reads() {
  return {
      {"cat", [](const Arguments& a) {
         size_t ndim = 1;
         for (const Array& x : a.arrays(0)) ndim = std::max(ndim, x.ndim());
         return std::vector{joined(a.arrays(0), wrap(a.integer(1), ndim))};
       }},
      {"stack", stacked},
      {"hstack", [](const Arguments& a) { return joined_as(a, a.arrays(0)[0].ndim() < 2 ? 0 : 1, [](const Array& x) { return at_least(x, 1); }); }},
      {"vstack", [](const Arguments& a) { return joined_as(a, 0, [](const Array& x) { return at_least(x, 2); }); }},
      {"dstack", [](const Arguments& a) { return joined_as(a, 2, [](const Array& x) { return at_least(x, 3); }); }},
      {"column_stack", [](const Arguments& a) { return joined_as(a, 1, [](const Array& x) { return x.ndim() < 2 ? reshaped(x, {-1, 1}) : x; }); }},
      {"broadcast_tensors", [](const Arguments& a) {
         Index sizes;
         for (const Array& x : a.arrays(0))
           for (size_t d = 0; d < x.ndim(); ++d) {
             while (sizes.size() < x.ndim()) sizes.insert(sizes.begin(), 1);
             int64_t& s = sizes[sizes.size() - x.ndim() + d];
             if (s == 1) s = x.sizes[d];
           }
         std::vector<Array> out;
         for (const Array& x : a.arrays(0)) out.push_back(expanded(x, sizes));
         return out;
       }},
      {"meshgrid", grid}, {"cartesian_prod", products}, {"block_diag", block_diagonal},
      {"repeat", [](const Arguments& a) { return std::vector{repeated(a.array(0), a.integers(1))}; }},
      {"tile", [](const Arguments& a) { return std::vector{repeated(a.array(0), a.integers(1))}; }},
      {"repeat_interleave", [](const Arguments& a) { return interleaved(a, number(static_cast<double>(a.integer(1)))); }},
      {"repeat_interleave_tensor", [](const Arguments& a) { return interleaved(a, a.array(1)); }},
      {"repeat_indices", [](const Arguments& a) {
         Array out;
         for (size_t i = 0; i < a.array(0).values.size(); ++i)
           for (double k = 0; k < a.array(0).values[i]; ++k) out.values.push_back(static_cast<double>(i));
         out.sizes = {static_cast<int64_t>(out.values.size())};
         return std::vector{out};
       }},
      {"tril", [](const Arguments& a) { return std::vector{triangle(a.array(0), a.integer(1), false)}; }},
      {"triu", [](const Arguments& a) { return std::vector{triangle(a.array(0), a.integer(1), true)}; }},
      {"tril_indices", [](const Arguments& a) { return triangle_indices(a, false); }},
      {"triu_indices", [](const Arguments& a) { return triangle_indices(a, true); }},
      {"roll", rolled}, {"rot90", turned},
      {"flip", [](const Arguments& a) { return std::vector{flipped(a.array(0), a.integers(1))}; }},
      {"fliplr", [](const Arguments& a) { return std::vector{flipped(a.array(0), {1})}; }},
      {"flipud", [](const Arguments& a) { return std::vector{flipped(a.array(0), {0})}; }},
      {"gather", gathered}, {"index_select", index_selected}, {"take", taken}, {"take_along_dim", taken_along},
      {"nonzero", [](const Arguments& a) { return places_of_nonzero(a.array(0)); }},
      {"argwhere", [](const Arguments& a) { return places_of_nonzero(a.array(0)); }},
      {"nonzero_numpy", [](const Arguments& a) {
         const Array rows = places_of_nonzero(at_least(a.array(0), 1))[0];
         std::vector<Array> out;
         for (int64_t c = 0; c < rows.sizes[1]; ++c) out.push_back(selected(rows, 1, c));
         return out;
       }},
      {"embedding", embedded}, {"one_hot", classes},
      {"searchsorted", [](const Arguments& a) {
         const bool right = a.flag(3) || (a.has(4) && a.text(4) == "right");
         if (!a.has(5)) return std::vector{searched(a.array(0), a.array(1), nullptr, right)};
         const Array order = a.array(5);
         return std::vector{searched(a.array(0), a.array(1), &order, right)};
       }},
      {"bucketize", [](const Arguments& a) { return std::vector{searched(a.array(1), a.array(0), nullptr, a.flag(3))}; }},
  };
}

}  // namespace gradus::oracle
