// Attention, distances and bags of rows, by their definitions.
#include <cmath>

#include "oracle/oracle.h"

namespace gradus::oracle {
namespace {

using Dims = std::vector<int64_t>;

Dims broadcast(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()), 1);
  for (const Dims* d : {&a, &b})
    for (size_t i = 0; i < d->size(); ++i)
      if ((*d)[i] != 1) out[out.size() - d->size() + i] = (*d)[i];
  return out;
}

// ---- attention: every query row alone
struct Attention {
  Array query, key, value, mask, keep;                        // keep: of what dropout leaves
  bool masked = false, boolean = false, causal = false, grouped = false;
  double scale = 1, share = 0;                                // share: of what is dropped

  explicit Attention(const Arguments& a) : query(a.array(0)), key(a.array(1)), value(a.array(2)), masked(a.has(3)) {
    if (!masked) return;
    mask = a.array(3);
    boolean = a.element_type(3) == Dtype::boolean;
  }
  double score(const Dims& lead, const Dims& shared, int64_t r, int64_t s) const {
    double x = 0;
    for (int64_t e = 0; e < query.sizes.back(); ++e) x += query.read(place(lead, r, e)) * key.read(place(shared, s, e));
    x *= scale;
    if (causal && s > r) return -HUGE_VAL;
    if (!masked) return x;
    return boolean ? (mask.read(place(lead, r, s)) != 0 ? x : -HUGE_VAL) : x + mask.read(place(lead, r, s));
  }
  static Dims place(Dims i, int64_t r, int64_t c) { i.push_back(r); i.push_back(c); return i; }
  Dims leading() const {
    const auto of = [](const Array& x) { return x.ndim() < 2 ? Dims() : Dims(x.sizes.begin(), x.sizes.end() - 2); };
    const Dims all = broadcast(of(query), of(mask));
    return grouped ? all : broadcast(broadcast(all, of(key)), of(value));
  }
  // The result, the weights, and the logarithm of each row's sum of exponentials.
  std::vector<Array> operator()() const {
    const int64_t rows = query.sizes[query.ndim() - 2], seen = key.sizes[key.ndim() - 2], width = value.sizes.back();
    const Dims lead = leading();
    Dims at(lead.size(), 0), by_row(lead);
    by_row.push_back(rows);
    Array out(place(lead, rows, width)), weights(place(lead, rows, seen)), logsumexp(by_row);
    if (Array::count(lead) == 0) return {out, weights, logsumexp};
    do {
      Dims other = at, row = at;
      if (grouped) other.back() /= lead.back() / key.sizes[key.ndim() - 3];
      row.push_back(0);
      for (int64_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (int64_t s = 0; s < seen; ++s) sum += std::exp(score(at, other, r, s));
        row.back() = r;
        logsumexp.at(row) = std::log(sum);
        for (int64_t s = 0; s < seen; ++s) {
          const double weight = sum == 0 ? 0 : std::exp(score(at, other, r, s)) / sum;
          weights.at(place(at, r, s)) = weight;
          const double used = keep.values.empty() ? weight : keep.read(place(at, r, s)) != 0 ? weight / (1 - share) : 0;
          for (int64_t e = 0; e < width; ++e) out.at(place(at, r, e)) += used * value.read(place(other, s, e));
        }
      }
    } while (step(at, lead));
    return {out, weights, logsumexp};
  }
};
std::vector<Array> attention(const Arguments& a, int dropout_mask, int scale_at, int grouped_at) {
  Attention t(a);
  t.causal = a.flag(5);
  t.grouped = a.flag(grouped_at);
  t.scale = a.has(scale_at) ? a.number(scale_at) : 1 / std::sqrt(static_cast<double>(t.query.sizes.back()));
  t.share = a.number(4);
  if (dropout_mask >= 0 && a.has(dropout_mask)) t.keep = a.array(dropout_mask);
  return t();
}
std::vector<Array> result_only(const Arguments& a) { return {attention(a, -1, 6, 7)[0]}; }
std::vector<Array> with_weights(const Arguments& a) {
  const std::vector<Array> all = attention(a, 6, 7, 8);
  return {all[0], all[1]};
}
// (query, key, value, mask, scale, causal, turned): in the result the queries stand before `turned` dimensions of heads.
std::vector<Array> with_logsumexp(const Arguments& a) {
  Attention t(a);
  t.scale = a.number(4);
  t.causal = a.flag(5);
  const std::vector<Array> all = t();
  const auto moved = [&](Dims i) {
    const int64_t queries = i[i.size() - 2];
    i.erase(i.end() - 2);
    i.insert(i.end() - 1 - a.integer(6), queries);
    return i;
  };
  Array out(moved(all[0].sizes));
  Dims i(all[0].ndim(), 0);
  do out.at(moved(i)) = all[0].at(i);
  while (step(i, all[0].sizes));
  return {out, all[2]};
}

// ---- distances
double length(const std::vector<double>& v, double p) {
  double s = 0;
  for (double x : v) s = std::isinf(p) ? std::max(s, std::abs(x)) : s + std::pow(std::abs(x), p);
  return std::isinf(p) ? s : std::pow(s, 1 / p);
}
std::vector<double> row_of(const Array& a, int64_t i) {
  const int64_t n = a.sizes.back();
  return {a.values.begin() + i * n, a.values.begin() + (i + 1) * n};
}
double distance(std::vector<double> x, const std::vector<double>& y, double p, double eps = 0) {
  for (size_t i = 0; i < x.size(); ++i) x[i] = x[i] - y[i] + eps;
  return length(x, p);
}
// Calls f with the pairs of vectors along dim, in order of the rest.
template <class F> Array along(const Array& x, const Array& y, size_t dim, bool keep, F&& f) {
  const Dims all = broadcast(x.sizes, y.sizes);
  Dims rest = all, at(all.size(), 0);
  rest[dim] = 1;
  Array out(rest);
  size_t place = 0;
  do {
    std::vector<double> u, v;
    Dims i = at;
    for (i[dim] = 0; i[dim] < all[dim]; ++i[dim]) {
      u.push_back(x.read(i));
      v.push_back(y.read(i));
    }
    out.values[place++] = f(u, v);
  } while (step(at, rest));
  if (!keep) out.sizes.erase(out.sizes.begin() + static_cast<int64_t>(dim));
  return out;
}
std::vector<Array> cosine_similarity(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);
  const auto n = static_cast<int64_t>(std::max(x.ndim(), y.ndim()));
  const int64_t dim = a.integer(2) < 0 ? a.integer(2) + n : a.integer(2);
  return {along(x, y, static_cast<size_t>(dim), false, [&](const std::vector<double>& u, const std::vector<double>& v) {
    double s = 0;
    for (size_t i = 0; i < u.size(); ++i) s += u[i] * v[i];
    return s / (std::max(length(u, 2), a.number(3)) * std::max(length(v, 2), a.number(3)));
  })};
}
std::vector<Array> pairwise_distance(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);
  return {along(x, y, std::max(x.ndim(), y.ndim()) - 1, a.flag(4),
                [&](const std::vector<double>& u, const std::vector<double>& v) { return distance(u, v, a.number(2), a.number(3)); })};
}
std::vector<Array> cdist(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);
  Dims sizes = broadcast(Dims(x.sizes.begin(), x.sizes.end() - 2), Dims(y.sizes.begin(), y.sizes.end() - 2));
  const size_t lead = sizes.size();
  sizes.push_back(x.sizes[x.ndim() - 2]);
  sizes.push_back(y.sizes[y.ndim() - 2]);
  Array out(sizes);
  Dims at(sizes.size(), 0);
  do {
    std::vector<double> u, v;
    Dims i(at.begin(), at.begin() + static_cast<int64_t>(lead));
    i.resize(lead + 2);
    for (i[lead + 1] = 0; i[lead + 1] < x.sizes.back(); ++i[lead + 1]) {
      i[lead] = at[lead];
      u.push_back(x.read(i));
      i[lead] = at[lead + 1];
      v.push_back(y.read(i));
    }
    out.at(at) = distance(u, v, a.number(2));
  } while (step(at, sizes));
  return {out};
}
std::vector<Array> pdist(const Arguments& a) {
  const Array x = a.array(0);
  Array out({x.sizes[0] * (x.sizes[0] - 1) / 2});
  size_t place = 0;
  for (int64_t i = 0; i < x.sizes[0]; ++i)
    for (int64_t j = i + 1; j < x.sizes[0]; ++j) out.values[place++] = distance(row_of(x, i), row_of(x, j), a.number(1));
  return {out};
}

// ---- bags
std::vector<Array> embedding_bag(const Arguments& a) {
  const Array w = a.array(0), indices = a.array(1), offsets = a.array(2), each = a.has(6) ? a.array(6) : Array();
  const auto n = static_cast<int64_t>(indices.values.size()), bags = static_cast<int64_t>(offsets.values.size()) - a.flag(7);
  const int64_t padding = a.has(8) ? (a.integer(8) + w.sizes[0]) % w.sizes[0] : -1;
  Array out({bags, w.sizes[1]}), of({n}), sizes({bags});
  for (int64_t b = 0; b < bags; ++b) {
    const auto begin = static_cast<int64_t>(offsets.values[static_cast<size_t>(b)]);
    const bool last = static_cast<size_t>(b) + 1 == offsets.values.size();
    const int64_t end = last ? n : static_cast<int64_t>(offsets.values[static_cast<size_t>(b) + 1]);
    for (int64_t i = begin; i < end; ++i) {
      const auto row = static_cast<int64_t>(indices.values[static_cast<size_t>(i)]);
      of.at({i}) = static_cast<double>(b);
      if (row == padding) continue;
      sizes.at({b}) += 1;
      for (int64_t j = 0; j < w.sizes[1]; ++j) {
        const double v = w.at({row, j}) * (each.values.empty() ? 1 : each.at({i}));
        double& to = out.at({b, j});
        to = a.integer(4) == 2 && sizes.at({b}) > 1 ? std::max(to, v) : a.integer(4) == 2 ? v : to + v;
      }
    }
    for (int64_t j = 0; a.integer(4) == 1 && sizes.at({b}) > 0 && j < w.sizes[1]; ++j) out.at({b, j}) /= sizes.at({b});
  }
  return {out, of, sizes, Array(Dims{0})};
}

}  // namespace

Oracles attention_and_distances() {
  return {
      {"scaled_dot_product_attention", result_only}, {"_scaled_dot_product_attention_math", with_weights}, {"_attention", with_logsumexp}, {"cosine_similarity", cosine_similarity},
      {"pairwise_distance", pairwise_distance}, {"cdist", cdist}, {"pdist", pdist}, {"embedding_bag", embedding_bag},
  };
}

}  // namespace gradus::oracle
