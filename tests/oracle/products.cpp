// Matrix products by their sums.
#include <algorithm>

#include "oracle.h"

namespace gradus::oracle {
namespace {

using Dims = std::vector<int64_t>;

// x @ y with PyTorch's rules for vectors and batches.
Array product(const Array& x, const Array& y) {
  const size_t nx = x.ndim(), ny = y.ndim();
  const int64_t inner = x.sizes.back();
  const Dims bx(x.sizes.begin(), x.sizes.end() - static_cast<int64_t>(std::min<size_t>(nx, 2)));
  const Dims by(y.sizes.begin(), y.sizes.end() - static_cast<int64_t>(std::min<size_t>(ny, 2)));
  Dims batch(std::max(bx.size(), by.size()), 1);
  const auto merge = [&](const Dims& b) {
    for (size_t d = 0; d < b.size(); ++d)
      if (b[d] != 1) batch[batch.size() - b.size() + d] = b[d];
  };
  merge(bx);
  merge(by);
  Dims sizes = batch;
  if (nx > 1) sizes.push_back(x.sizes[nx - 2]);
  if (ny > 1) sizes.push_back(y.sizes[ny - 1]);
  Array out(sizes);
  if (out.values.empty()) return out;
  Dims at(sizes.size(), 0);
  do {
    const Dims lead(at.begin(), at.begin() + static_cast<int64_t>(batch.size()));
    size_t next = batch.size();
    const int64_t row = nx > 1 ? at[next++] : 0, col = ny > 1 ? at[next] : 0;
    const auto read = [&](const Array& a, const Dims& own, Dims tail) {
      Dims i;
      for (size_t d = 0; d < own.size(); ++d) i.push_back(own[d] == 1 ? 0 : lead[batch.size() - own.size() + d]);
      i.insert(i.end(), tail.begin(), tail.end());
      return a.at(i);
    };
    double s = 0;
    for (int64_t k = 0; k < inner; ++k) s += read(x, bx, nx > 1 ? Dims{row, k} : Dims{k}) * read(y, by, ny > 1 ? Dims{k, col} : Dims{k});
    out.at(at) = s;
  } while (step(at, sizes));
  return out;
}

Array combined(const Array& self, const Array& product, double beta, double alpha) {
  Array out(product.sizes);
  if (out.values.empty()) return out;
  Dims at(out.ndim(), 0);
  do {
    const double p = alpha * product.at(at);
    out.at(at) = beta == 0 ? p : beta * self.read(at) + p;
  } while (step(at, out.sizes));
  return out;
}

std::vector<Array> two(const Arguments& a) { return {product(a.array(0), a.array(1))}; }
std::vector<Array> plus(const Arguments& a) { return {combined(a.array(0), product(a.array(1), a.array(2)), a.number(3), a.number(4))}; }

Array matrix(const Array& v, bool column) {
  Array m = v;
  m.sizes = column ? Dims{v.sizes[0], 1} : Dims{1, v.sizes[0]};
  return m;
}

std::vector<Array> linear(const Arguments& a) {
  const Array x = a.array(0), w = a.array(1);
  Array wt = w;
  if (w.ndim() == 2) {
    wt = Array({w.sizes[1], w.sizes[0]});
    for (int64_t i = 0; i < w.sizes[0]; ++i)
      for (int64_t j = 0; j < w.sizes[1]; ++j) wt.at({j, i}) = w.at({i, j});
  }
  const Array p = product(x, wt);
  return {a.has(2) ? combined(a.array(2), p, 1, 1) : p};
}

std::vector<Array> outer(const Arguments& a) { return {product(matrix(a.array(0), true), matrix(a.array(1), false))}; }
std::vector<Array> addr(const Arguments& a) {
  return {combined(a.array(0), product(matrix(a.array(1), true), matrix(a.array(2), false)), a.number(3), a.number(4))};
}
std::vector<Array> addbmm(const Arguments& a) {
  const Array p = product(a.array(1), a.array(2));
  Array s({p.sizes[1], p.sizes[2]});
  for (int64_t b = 0; b < p.sizes[0]; ++b)
    for (int64_t i = 0; i < p.sizes[1]; ++i)
      for (int64_t j = 0; j < p.sizes[2]; ++j) s.at({i, j}) += p.at({b, i, j});
  const auto factor = [&](int i) { return a.is_integral(0) ? std::trunc(a.number(i)) : a.number(i); };
  return {combined(a.array(0), s, factor(3), factor(4))};
}

// Any sum of products: `label` gives each dimension of each operand a number; out lists those that remain.
Array by_labels(const std::vector<Array>& operands, const std::vector<Dims>& labels, const Dims& out_labels) {
  int64_t highest = -1;
  for (const Dims& l : labels)
    for (int64_t x : l) highest = std::max(highest, x);
  Dims sizes(static_cast<size_t>(highest + 1), 1), result;
  for (size_t k = 0; k < operands.size(); ++k)
    for (size_t d = 0; d < labels[k].size(); ++d)
      if (operands[k].sizes[d] != 1) sizes[static_cast<size_t>(labels[k][d])] = operands[k].sizes[d];
  for (int64_t l : out_labels) result.push_back(sizes[static_cast<size_t>(l)]);
  Array out(result);
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return out;
  Dims at(sizes.size(), 0);
  do {
    double p = 1;
    for (size_t k = 0; k < operands.size(); ++k) {
      Dims i;
      for (int64_t l : labels[k]) i.push_back(at[static_cast<size_t>(l)]);
      p *= operands[k].read(i);
    }
    Dims o;
    for (int64_t l : out_labels) o.push_back(at[static_cast<size_t>(l)]);
    out.at(o) += p;
  } while (step(at, sizes));
  return out;
}

std::vector<Array> inner(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);
  if (x.ndim() == 0 || y.ndim() == 0) {
    Array out(x.ndim() == 0 ? y.sizes : x.sizes);
    for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = x.ndim() == 0 ? x.values[0] * y.values[i] : y.values[0] * x.values[i];
    return {out};
  }
  Dims lx, ly, lo;
  for (size_t d = 0; d + 1 < x.ndim(); ++d) { lx.push_back(static_cast<int64_t>(d)); lo.push_back(static_cast<int64_t>(d)); }
  for (size_t d = 0; d + 1 < y.ndim(); ++d) { ly.push_back(static_cast<int64_t>(x.ndim() + d)); lo.push_back(static_cast<int64_t>(x.ndim() + d)); }
  lx.push_back(static_cast<int64_t>(x.ndim() - 1));
  ly.push_back(static_cast<int64_t>(x.ndim() - 1));
  return {by_labels({x, y}, {lx, ly}, lo)};
}

std::vector<Array> tensordot(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);
  const Dims dx = a.integers(2), dy = a.integers(3);
  Dims lx(x.ndim()), ly(y.ndim(), -1), lo;
  for (size_t d = 0; d < x.ndim(); ++d) lx[d] = static_cast<int64_t>(d);
  const auto wrap = [](int64_t d, const Array& t) { return static_cast<size_t>(d < 0 ? d + static_cast<int64_t>(t.ndim()) : d); };
  std::vector<bool> gone(x.ndim(), false);
  for (size_t i = 0; i < dx.size(); ++i) {
    ly[wrap(dy[i], y)] = static_cast<int64_t>(wrap(dx[i], x));
    gone[wrap(dx[i], x)] = true;
  }
  for (size_t d = 0; d < x.ndim(); ++d)
    if (!gone[d]) lo.push_back(lx[d]);
  int64_t next = static_cast<int64_t>(x.ndim());
  for (int64_t& l : ly)
    if (l < 0) { l = next++; lo.push_back(l); }
  return {by_labels({x, y}, {lx, ly}, lo)};
}

std::vector<Array> kron(const Arguments& a) {
  Array x = a.array(0), y = a.array(1);
  const size_t n = std::max(x.ndim(), y.ndim());
  x.sizes.insert(x.sizes.begin(), n - x.ndim(), 1);
  y.sizes.insert(y.sizes.begin(), n - y.ndim(), 1);
  Dims sizes;
  for (size_t d = 0; d < n; ++d) sizes.push_back(x.sizes[d] * y.sizes[d]);
  Array out(sizes);
  Dims at(n, 0);
  do {
    Dims i(n), j(n);
    for (size_t d = 0; d < n; ++d) { i[d] = at[d] / y.sizes[d]; j[d] = at[d] % y.sizes[d]; }
    out.at(at) = x.at(i) * y.at(j);
  } while (step(at, sizes));
  return {out};
}

std::vector<Array> chain(const Arguments& a) {
  const std::vector<Array> m = a.arrays(0);
  Array p = m[0];
  for (size_t i = 1; i < m.size(); ++i) p = product(p, m[i]);
  return {p};
}

std::vector<Array> vecdot(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1);                 // of two dimensions in the samples
  const Dims full{std::max(x.sizes[0], y.sizes[0]), std::max(x.sizes[1], y.sizes[1])};
  const size_t dim = static_cast<size_t>(a.integer(2) < 0 ? a.integer(2) + 2 : a.integer(2));
  Array out({full[1 - dim]});
  Dims at(2, 0);
  do out.values[static_cast<size_t>(at[1 - dim])] += x.read(at) * y.read(at);
  while (step(at, full));
  return {out};
}

// ---- einsum, by one loop over all labels
std::vector<Array> einsum(const Arguments& a) {
  std::string text;
  for (char c : a.text(0))
    if (c != ' ') text += c;
  const std::vector<Array> operands = a.arrays(1);
  const size_t arrow = text.find("->");
  std::vector<std::string> in(1);
  for (char c : text.substr(0, arrow))
    if (c == ',') in.emplace_back(); else in.back() += c;
  int64_t dots = 0;
  for (size_t k = 0; k < in.size(); ++k)
    if (in[k].find('.') != std::string::npos) dots = std::max(dots, static_cast<int64_t>(operands[k].ndim()) - static_cast<int64_t>(in[k].size() - 3));
  const auto expand = [&](const std::string& s, int64_t own) {   // letters as their codes, "..." as 0, 1, …
    Dims out;
    for (size_t i = 0; i < s.size(); ++i) {
      if (s[i] != '.') { out.push_back(s[i]); continue; }
      for (int64_t d = 0; d < own; ++d) out.push_back(dots - own + d);
      i += 2;
    }
    return out;
  };
  std::vector<Dims> labels;
  std::map<int64_t, int> count;
  for (size_t k = 0; k < in.size(); ++k) {
    labels.push_back(expand(in[k], static_cast<int64_t>(operands[k].ndim()) - static_cast<int64_t>(in[k].size()) + 3));
    for (int64_t l : labels.back()) ++count[l];
  }
  Dims out;
  if (arrow != std::string::npos) out = expand(text.substr(arrow + 2), dots);
  else
    for (const auto& [l, n] : count)
      if (l < 64 || n == 1) out.push_back(l);
  std::map<int64_t, int64_t> dense;                           // few numbers: by_labels walks all of them
  const auto renumber = [&](Dims& d) { for (int64_t& l : d) l = dense.emplace(l, static_cast<int64_t>(dense.size())).first->second; };
  for (Dims& d : labels) renumber(d);
  renumber(out);
  return {by_labels(operands, labels, out)};
}

}  // namespace

Oracles products() {
  return {
      {"mm", two}, {"bmm", two}, {"mv", two}, {"dot", two}, {"vdot", two}, {"matmul", two}, {"linalg_matmul", two},
      {"addmm", plus}, {"baddbmm", plus}, {"addmv", plus}, {"linear", linear}, {"outer", outer}, {"ger", outer}, {"addr", addr},
      {"addbmm", addbmm}, {"inner", inner}, {"tensordot", tensordot}, {"kron", kron}, {"linalg_multi_dot", chain},
      {"linalg_vecdot", vecdot}, {"einsum", einsum},
  };
}

}  // namespace gradus::oracle
