// Lists of indices, and writing at indices in the order of the values.
#include "oracle/index.h"

namespace gradus::oracle {
namespace {

// The indices of index and index_put: what place of the indexed array each element of the block names.
struct Names {
  std::vector<Array> by_dim;
  std::vector<bool> given;
  Index shape, block;
  bool together = true;
  size_t first = 0;

  Names(const Arguments& a, int at, const Index& sizes) {
    const std::vector<Array> list = a.arrays(at);
    for (size_t k = 0; k < list.size(); ++k) {
      if (!a.is_mask(at, k)) { add(list[k], !a.is_absent(at, k)); continue; }
      std::vector<std::vector<double>> columns(list[k].ndim());
      Index i(list[k].ndim(), 0);
      for (double v : list[k].values) {
        for (size_t d = 0; v != 0 && d < i.size(); ++d) columns[d].push_back(static_cast<double>(i[d]));
        step(i, list[k].sizes);
      }
      for (const auto& c : columns) {
        Array column({static_cast<int64_t>(c.size())});
        column.values = c;
        add(column, true);
      }
    }
    while (given.size() < sizes.size()) add(Array(), false);
    find_block(sizes);
  }
  Index place(const Index& i, const Index& sizes) const {
    const size_t front = together ? first : 0;
    const Index own(i.begin() + static_cast<int64_t>(front), i.begin() + static_cast<int64_t>(front + shape.size()));
    Index from;
    size_t rest = 0;
    for (size_t d = 0; d < sizes.size(); ++d) {
      if (given[d]) {
        const auto k = static_cast<int64_t>(by_dim[d].read(own));
        from.push_back(k < 0 ? k + sizes[d] : k);
      } else {
        if (rest == front) rest += shape.size();
        from.push_back(i[rest++]);
      }
    }
    return from;
  }

 private:
  void add(const Array& x, bool is_given) {
    by_dim.push_back(x);
    given.push_back(is_given);
  }
  void find_block(const Index& sizes) {
    bool begun = false, ended = false;
    for (size_t d = 0; d < sizes.size(); ++d) {
      if (!given[d]) { ended = begun; continue; }
      if (!begun) first = d;
      together &= !ended;
      begun = true;
      const Index& s = by_dim[d].sizes;
      while (shape.size() < s.size()) shape.insert(shape.begin(), 1);
      for (size_t k = 0; k < s.size(); ++k)
        if (s[k] != 1) shape[shape.size() - s.size() + k] = s[k];
    }
    for (size_t d = 0; d < sizes.size(); ++d)
      if (!given[d]) block.push_back(sizes[d]);
    block.insert(block.begin() + static_cast<int64_t>(together ? first : 0), shape.begin(), shape.end());
  }
};

std::vector<Array> indexed(const Arguments& a) {
  const Array x = a.array(0);
  const Names names(a, 1, x.sizes);
  return {made(names.block, [&](const Index& i) { return x.at(names.place(i, x.sizes)); })};
}
std::vector<Array> index_put(const Arguments& a) {
  const Array x = a.array(0), values = a.array(2);
  const Names names(a, 1, x.sizes);
  return {replaced(x, names.block, [&](const Index& i) { return names.place(i, x.sizes); }, made(names.block, [&](const Index& i) { return values.read(i); }), a.flag(3))};
}

// How several values for one place come together.
struct Reduction {
  std::string name;
  double first(double own, bool include) const {
    if (include || name == "none") return own;
    return name == "prod" ? 1 : name == "amax" ? -INFINITY : name == "amin" ? INFINITY : 0;
  }
  double next(double sum, double v) const {
    if (name == "none") return v;
    if (name == "prod") return sum * v;
    if (name == "amax") return std::max(sum, v);
    if (name == "amin") return std::min(sum, v);
    return sum + v;
  }
};
Array reduced(const Array& x, const Index& region, const std::function<Index(const Index&)>& place, const std::function<double(const Index&)>& value,
              const std::string& how, bool include) {
  const Reduction r{how};
  Array out = x, count(x.sizes, include ? 1 : 0), begun(x.sizes);
  Index i(region.size(), 0);
  for (int64_t k = Array::count(region); k > 0; --k) {
    const Index to = place(i);
    if (begun.at(to) == 0) out.at(to) = r.first(out.at(to), include);
    begun.at(to) = 1;
    out.at(to) = r.next(out.at(to), value(i));
    count.at(to) += 1;
    step(i, region);
  }
  for (size_t k = 0; (how == "mean" || how == "floor mean") && k < out.values.size(); ++k) {
    out.values[k] /= std::max(1.0, count.values[k]);
    if (how == "floor mean") out.values[k] = std::floor(out.values[k]);
  }
  return out;
}

std::string reduction(const Arguments& a) { return a.text(4) == "mean" && a.is_integral(0) ? "floor mean" : a.text(4); }

std::function<Index(const Index&)> along(const Array& index, size_t d) {
  return [&index, d](const Index& i) { return i.empty() ? i : set(i, d, static_cast<int64_t>(index.at(i))); };
}
std::vector<Array> scattered(const Arguments& a, const std::string& how, bool include) {
  const Array x = a.array(0), index = a.array(2), src = a.operand(3);
  const bool number = a.is_number(3);
  return {reduced(x, index.sizes, along(index, wrap(a.integer(1), x.ndim())), [&](const Index& i) { return number ? src.values[0] : src.at(i); }, how, include)};
}
std::vector<Array> by_rows(const Arguments& a, const std::string& how, bool include, double alpha) {
  const Array x = a.array(0), index = a.array(2), src = a.operand(3);
  const size_t d = wrap(a.integer(1), x.ndim());
  Index region = x.sizes;
  if (!region.empty()) region[d] = static_cast<int64_t>(index.values.size());
  const auto place = [&](const Index& i) {
    if (i.empty()) return i;
    const auto k = static_cast<int64_t>(index.values[static_cast<size_t>(i[d])]);
    return set(i, d, k < 0 ? k + x.sizes[d] : k);
  };
  return {reduced(x, region, place, [&](const Index& i) { return alpha * (src.ndim() == 0 ? src.values[0] : src.at(i)); }, how, include)};
}

std::vector<Array> put(const Arguments& a) {
  Array x = a.array(0);
  const Array index = a.array(1), src = a.array(2);
  for (size_t k = 0; k < index.values.size(); ++k) {
    double& v = x.values[static_cast<size_t>(index.values[k] < 0 ? index.values[k] + static_cast<double>(x.values.size()) : index.values[k])];
    v = a.flag(3) ? v + src.values[k] : src.values[k];
  }
  return {x};
}

Index common(const Array& a, const Array& b) {
  Index s = a.sizes;
  while (s.size() < b.ndim()) s.insert(s.begin(), 1);
  for (size_t d = 0; d < b.ndim(); ++d)
    if (b.sizes[d] != 1) s[s.size() - b.ndim() + d] = b.sizes[d];
  return s;
}
std::vector<Array> masked_select(const Arguments& a) {
  const Array x = a.array(0), mask = a.array(1);
  Array out;
  made(common(x, mask), [&](const Index& i) {
    if (mask.read(i) != 0) out.values.push_back(x.read(i));
    return 0.0;
  });
  out.sizes = {static_cast<int64_t>(out.values.size())};
  return {out};
}
std::vector<Array> masked_fill(const Arguments& a) {
  const Array x = a.array(0), mask = a.array(1), value = a.operand(2);
  return {made(common(x, mask), [&](const Index& i) { return mask.read(i) != 0 ? value.values[0] : x.read(i); })};
}
std::vector<Array> masked_scatter(const Arguments& a) {
  const Array x = a.array(0), mask = a.array(1), src = a.array(2);
  size_t next = 0;
  return {made(common(x, mask), [&](const Index& i) { return mask.read(i) != 0 ? src.values[next++] : x.read(i); })};
}
std::vector<Array> fill_diagonal(const Arguments& a) {
  Array x = a.array(0);
  const int64_t cycle = a.flag(2) && x.ndim() == 2 ? x.sizes[1] + 1 : INT64_MAX;
  return {made(x.sizes, [&](const Index& i) {
    const bool on = std::all_of(i.begin() + 1, i.end(), [&](int64_t k) { return k == i[0] % cycle; });
    return on ? a.number(1) : x.at(i);
  })};
}

std::vector<Array> embedding_backward(const Arguments& a) {
  const Array g = a.array(0), index = a.array(1);
  const int64_t width = g.sizes.back();
  Array out({a.integer(2), width}), count({a.integer(2)});
  for (double k : index.values) count.values[static_cast<size_t>(k)] += 1;
  for (size_t n = 0; n < index.values.size(); ++n) {
    const auto row = static_cast<int64_t>(index.values[n]);
    if (row == a.integer(3)) continue;
    for (int64_t j = 0; j < width; ++j) out.at({row, j}) += g.values[n * static_cast<size_t>(width) + static_cast<size_t>(j)] / (a.flag(4) ? count.at({row}) : 1);
  }
  return {out};
}

}  // namespace

Oracles writes_at_indices() {
  return {
      {"index", indexed}, {"index_put", index_put}, {"put", put},
      {"masked_select", masked_select}, {"masked_fill", masked_fill}, {"masked_scatter", masked_scatter}, {"fill_diagonal", fill_diagonal},
      {"scatter", [](const Arguments& a) { return scattered(a, !a.has(4) ? "none" : a.text(4) == "add" ? "sum" : "prod", true); }},
      {"scatter_add", [](const Arguments& a) { return scattered(a, "sum", true); }},
      {"scatter_reduce", [](const Arguments& a) { return scattered(a, reduction(a), a.flag(5)); }},
      {"index_add", [](const Arguments& a) { return by_rows(a, "sum", true, a.number(4)); }},
      {"index_copy", [](const Arguments& a) { return by_rows(a, "none", true, 1); }},
      {"index_fill", [](const Arguments& a) { return by_rows(a, "none", true, 1); }},
      {"index_reduce", [](const Arguments& a) { return by_rows(a, reduction(a), a.flag(5), 1); }},
      {"embedding_dense_backward", embedding_backward},
  };
}

}  // namespace gradus::oracle
