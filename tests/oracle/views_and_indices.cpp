// Views: each element by the index it comes from.
#include "oracle/index.h"

namespace gradus::oracle {

Oracles joins_and_reads();                                    // the two files beside this one
Oracles writes_at_indices();

namespace {

std::vector<Array> to_size(const Arguments& a) { return {reshaped(a.array(0), a.integers(1))}; }
std::vector<Array> to_other(const Arguments& a) { return {reshaped(a.array(0), a.array(1).sizes)}; }
std::vector<Array> same_values(const Arguments& a) { return {a.array(0)}; }

std::vector<Array> moved(const Arguments& a) {
  const Array x = a.array(0);
  const Index from = a.integers(1), to = a.integers(2);
  Index rest;
  for (size_t d = 0; d < x.ndim(); ++d)
    if (std::none_of(from.begin(), from.end(), [&](int64_t f) { return wrap(f, x.ndim()) == d; })) rest.push_back(static_cast<int64_t>(d));
  std::vector<std::pair<size_t, int64_t>> places;
  for (size_t k = 0; k < from.size(); ++k) places.push_back({wrap(to[k], x.ndim()), from[k]});
  std::sort(places.begin(), places.end());
  for (const auto& [place, dim] : places) rest.insert(rest.begin() + static_cast<int64_t>(place), dim);
  return {permuted(x, rest)};
}
std::vector<Array> squeezed(const Arguments& a) {
  Array x = a.array(0);
  Index sizes;
  for (size_t d = 0; d < x.ndim(); ++d) {
    bool chosen = !a.has(1);
    if (a.has(1))
      for (int64_t c : a.integers(1)) chosen |= wrap(c, x.ndim()) == d;
    if (x.sizes[d] != 1 || !chosen) sizes.push_back(x.sizes[d]);
  }
  return {reshaped(x, sizes)};
}
std::vector<Array> flattened(const Arguments& a) {
  Array x = a.array(0);
  if (x.ndim() == 0) return {reshaped(x, {1})};
  const size_t first = wrap(a.integer(1), x.ndim()), last = wrap(a.integer(2), x.ndim());
  Index sizes;
  int64_t run = 1;
  for (size_t d = 0; d < x.ndim(); ++d) {
    if (d < first || d > last) { sizes.push_back(x.sizes[d]); continue; }
    run *= x.sizes[d];
    if (d == last) sizes.push_back(run);
  }
  return {reshaped(x, sizes)};
}
std::vector<Array> unflattened(const Arguments& a) {
  Array x = a.array(0);
  const size_t d = wrap(a.integer(1), x.ndim());
  const Array part = reshaped(Array({x.sizes[d]}), a.integers(2));
  Index sizes = without(x.sizes, d);
  sizes.insert(sizes.begin() + static_cast<int64_t>(d), part.sizes.begin(), part.sizes.end());
  x.sizes = sizes;
  return {x};
}

// ---- parts
Array part(const Array& x, size_t d, int64_t begin, int64_t end, int64_t by = 1) {
  Index sizes = x.sizes;
  sizes[d] = 0;
  for (int64_t i = begin; i < end; i += by) ++sizes[d];
  return made(sizes, [&](const Index& i) { return x.at(set(i, d, begin + i[d] * by)); });
}
struct Bounds { int64_t begin, end; };
Bounds bounds(const Arguments& a, int at, int64_t n) {
  const auto one = [&](int i, int64_t otherwise) { return std::clamp<int64_t>(!a.has(i) ? otherwise : a.integer(i) < 0 ? a.integer(i) + n : a.integer(i), 0, n); };
  return {one(at, 0), one(at + 1, n)};
}
std::vector<Array> sliced(const Arguments& a) {
  const Array x = a.array(0);
  const size_t d = wrap(a.integer(1), x.ndim());
  const Bounds b = bounds(a, 2, x.sizes[d]);
  return {part(x, d, b.begin, b.end, a.integer(4))};
}
std::vector<Array> narrowed(const Arguments& a) {
  const Array x = a.array(0);
  const size_t d = wrap(a.integer(1), x.ndim());
  const int64_t begin = a.integer(2) < 0 ? a.integer(2) + x.sizes[d] : a.integer(2);
  return {part(x, d, begin, begin + a.integer(3))};
}
Array with_selected(const Array& base, const Array& src, size_t d, int64_t i) {
  return replaced(base, src.sizes, [&](const Index& at) { return with(at, d, i < 0 ? i + base.sizes[d] : i); }, src);
}
Array with_slice(const Array& base, const Array& src, const Arguments& a, int at) {
  const size_t d = wrap(a.integer(at), base.ndim());
  const Bounds b = bounds(a, at + 1, base.sizes[d]);
  return replaced(base, src.sizes, [&](const Index& i) { return set(i, d, b.begin + i[d] * a.integer(at + 3)); }, src);
}

struct Diagonal {
  size_t d1, d2;
  int64_t offset;
  Diagonal(const Arguments& a, int at, size_t ndim) : d1(wrap(a.integer(at + 1), ndim)), d2(wrap(a.integer(at + 2), ndim)), offset(a.integer(at)) {}
  Index place(Index i) const {                                // the last index runs along the diagonal
    const int64_t k = i.back();
    i.pop_back();
    const int64_t row = k - std::min<int64_t>(offset, 0), column = k + std::max<int64_t>(offset, 0);
    i = with(i, std::min(d1, d2), d1 < d2 ? row : column);
    return with(i, std::max(d1, d2), d1 < d2 ? column : row);
  }
  Index sizes(const Index& of) const {
    int64_t n = 0;
    for (int64_t i = 0; i < of[d1]; ++i) n += i + offset >= 0 && i + offset < of[d2];
    Index s = without(without(of, std::max(d1, d2)), std::min(d1, d2));
    s.push_back(n);
    return s;
  }
};
std::vector<Array> diagonal_of(const Arguments& a) {
  const Array x = a.array(0);
  const Diagonal d(a, 1, x.ndim());
  return {made(d.sizes(x.sizes), [&](const Index& i) { return x.at(d.place(i)); })};
}
Index window(const Index& i, size_t d, int64_t by) {          // the place in the unfolded array's source
  Index from(i.begin(), i.end() - 1);
  if (!from.empty()) from[d] = from[d] * by + i.back();
  return from;
}
std::vector<Array> unfolded(const Arguments& a) {
  const Array x = a.array(0);
  const size_t d = wrap(a.integer(1), x.ndim());
  Index sizes = x.sizes;
  if (!sizes.empty()) sizes[d] = (sizes[d] - a.integer(2)) / a.integer(3) + 1;
  sizes.push_back(a.integer(2));
  return {made(sizes, [&](const Index& i) { return x.at(window(i, d, a.integer(3))); })};
}

std::vector<Array> pieces(const Array& x, size_t d, const Index& lengths) {
  std::vector<Array> out;
  int64_t begin = 0;
  for (int64_t n : lengths) {
    out.push_back(part(x, d, begin, begin + n));
    begin += n;
  }
  return out;
}
std::vector<Array> split(const Array& x, size_t d, int64_t size) {
  Index lengths;
  for (int64_t at = 0; at < x.sizes[d]; at += size) lengths.push_back(std::min(size, x.sizes[d] - at));
  return pieces(x, d, lengths.empty() ? Index{0} : lengths);
}
std::vector<Array> sections(const Array& x, size_t d, int64_t count) {
  Index lengths;
  for (int64_t i = 0; i < count; ++i) lengths.push_back((x.sizes[d] + count - 1 - i) / count);
  return pieces(x, d, lengths);
}
std::vector<Array> at_indices(const Array& x, size_t d, Index ends) {
  std::vector<Array> out;
  int64_t begin = 0;
  ends.push_back(x.sizes[d]);
  for (int64_t e : ends) {
    const int64_t n = x.sizes[d], from = std::clamp<int64_t>(begin < 0 ? begin + n : begin, 0, n);
    out.push_back(part(x, d, from, std::max(from, std::clamp<int64_t>(e < 0 ? e + n : e, 0, n))));
    begin = e;
  }
  return out;
}
size_t second(const Array& x) { return x.ndim() == 1 ? 0 : 1; }

}  // namespace

Oracles views_and_indices() {
  Oracles all = {
      {"view", to_size}, {"_unsafe_view", to_size}, {"reshape", to_size}, {"_reshape_alias", to_size}, {"view_as", to_other}, {"reshape_as", to_other},
      {"flatten", flattened}, {"unflatten", unflattened},
      {"ravel", [](const Arguments& a) { return std::vector{reshaped(a.array(0), {static_cast<int64_t>(a.array(0).values.size())})}; }},
      {"atleast_1d", [](const Arguments& a) { return std::vector{at_least(a.array(0), 1)}; }},
      {"atleast_2d", [](const Arguments& a) { return std::vector{at_least(a.array(0), 2)}; }},
      {"atleast_3d", [](const Arguments& a) { return std::vector{at_least(a.array(0), 3)}; }},
      {"expand", [](const Arguments& a) { return std::vector{expanded(a.array(0), a.integers(1))}; }},
      {"expand_as", [](const Arguments& a) { return std::vector{expanded(a.array(0), a.array(1).sizes)}; }},
      {"broadcast_to", [](const Arguments& a) { return std::vector{expanded(a.array(0), a.integers(1))}; }},
      {"alias", same_values}, {"detach", same_values},
      {"t", [](const Arguments& a) { return std::vector{a.array(0).ndim() < 2 ? a.array(0) : swapped(a.array(0), 0, 1)}; }},
      {"mT", [](const Arguments& a) { return std::vector{swapped(a.array(0), -2, -1)}; }},
      {"numpy_T", [](const Arguments& a) {
         Index dims;
         for (size_t d = a.array(0).ndim(); d-- > 0;) dims.push_back(static_cast<int64_t>(d));
         return std::vector{permuted(a.array(0), dims)};
       }},
      {"permute", [](const Arguments& a) { return std::vector{permuted(a.array(0), a.integers(1))}; }},
      {"movedim", moved}, {"moveaxis", moved}, {"squeeze", squeezed},
      {"unsqueeze", [](const Arguments& a) {
         Array x = a.array(0);
         return std::vector{reshaped(x, with(x.sizes, wrap(a.integer(1), x.ndim() + 1), 1))};
       }},
      {"select", [](const Arguments& a) { return std::vector{selected(a.array(0), wrap(a.integer(1), a.array(0).ndim()), a.integer(2))}; }},
      {"select_backward", [](const Arguments& a) {
         return std::vector{with_selected(Array(a.integers(1)), a.array(0), wrap(a.integer(2), a.integers(1).size()), a.integer(3))};
       }},
      {"select_scatter", [](const Arguments& a) { return std::vector{with_selected(a.array(0), a.array(1), wrap(a.integer(2), a.array(0).ndim()), a.integer(3))}; }},
      {"slice", sliced}, {"narrow", narrowed},
      {"slice_backward", [](const Arguments& a) { return std::vector{with_slice(Array(a.integers(1)), a.array(0), a, 2)}; }},
      {"slice_scatter", [](const Arguments& a) { return std::vector{with_slice(a.array(0), a.array(1), a, 2)}; }},
      {"diagonal", diagonal_of},
      {"diagonal_backward", [](const Arguments& a) {
         const Diagonal d(a, 2, a.integers(1).size());
         return std::vector{replaced(Array(a.integers(1)), a.array(0).sizes, [&](const Index& i) { return d.place(i); }, a.array(0))};
       }},
      {"diagonal_scatter", [](const Arguments& a) {
         const Diagonal d(a, 2, a.array(0).ndim());
         return std::vector{replaced(a.array(0), a.array(1).sizes, [&](const Index& i) { return d.place(i); }, a.array(1))};
       }},
      {"unfold", unfolded},
      {"unfold_backward", [](const Arguments& a) {
         const size_t d = wrap(a.integer(2), a.integers(1).size());
         return std::vector{replaced(Array(a.integers(1)), a.array(0).sizes, [&](const Index& i) { return window(i, d, a.integer(4)); }, a.array(0), true)};
       }},
      {"split", [](const Arguments& a) { return split(a.array(0), wrap(a.integer(2), a.array(0).ndim()), a.integer(1)); }},
      {"split_with_sizes", [](const Arguments& a) { return pieces(a.array(0), wrap(a.integer(2), a.array(0).ndim()), a.integers(1)); }},
      {"chunk", [](const Arguments& a) {
         const Array x = a.array(0);
         const size_t d = wrap(a.integer(2), x.ndim());
         if (x.sizes[d] == 0) return std::vector<Array>(static_cast<size_t>(a.integer(1)), x);
         return split(x, d, (x.sizes[d] + a.integer(1) - 1) / a.integer(1));
       }},
      {"unbind", [](const Arguments& a) {
         const Array x = a.array(0);
         const size_t d = wrap(a.integer(1), x.ndim());
         std::vector<Array> out;
         for (int64_t i = 0; i < x.sizes[d]; ++i) out.push_back(selected(x, d, i));
         return out;
       }},
      {"tensor_split", [](const Arguments& a) { return sections(a.array(0), wrap(a.integer(2), a.array(0).ndim()), a.integer(1)); }},
      {"tensor_split_indices", [](const Arguments& a) { return at_indices(a.array(0), wrap(a.integer(2), a.array(0).ndim()), a.integers(1)); }},
      {"hsplit", [](const Arguments& a) { return sections(a.array(0), second(a.array(0)), a.integer(1)); }},
      {"vsplit", [](const Arguments& a) { return sections(a.array(0), 0, a.integer(1)); }},
      {"dsplit", [](const Arguments& a) { return sections(a.array(0), 2, a.integer(1)); }},
      {"hsplit_indices", [](const Arguments& a) { return at_indices(a.array(0), second(a.array(0)), a.integers(1)); }},
      {"vsplit_indices", [](const Arguments& a) { return at_indices(a.array(0), 0, a.integers(1)); }},
      {"dsplit_indices", [](const Arguments& a) { return at_indices(a.array(0), 2, a.integers(1)); }},
      {"as_strided", [](const Arguments& a) {                 // of contiguous inputs
         const Array x = a.array(0);
         return std::vector{made(a.integers(1), [&](const Index& i) {
           int64_t at = a.has(3) ? a.integer(3) : 0;
           for (size_t d = 0; d < i.size(); ++d) at += i[d] * a.integers(2)[d];
           return x.values[static_cast<size_t>(at)];
         })};
       }},
      {"as_strided_scatter", [](const Arguments& a) {
         Array x = a.array(0);
         const Array src = a.array(1);
         made(src.sizes, [&](const Index& i) {
           int64_t at = a.has(4) ? a.integer(4) : 0;
           for (size_t d = 0; d < i.size(); ++d) at += i[d] * a.integers(3)[d];
           return x.values[static_cast<size_t>(at)] = src.at(i);
         });
         return std::vector{x};
       }},
  };
  for (const char* name : {"transpose", "swapaxes", "swapdims"})
    all[name] = [](const Arguments& a) { return std::vector{swapped(a.array(0), a.integer(1), a.integer(2))}; };
  all.merge(joins_and_reads());
  all.merge(writes_at_indices());
  for (const char* parts : {"split", "chunk"}) all["unsafe_" + std::string(parts)] = all.at(parts);
  for (const char* view : {"view", "_reshape_alias", "t", "transpose", "permute", "squeeze", "unsqueeze", "expand", "select", "slice", "narrow", "split",
                           "split_with_sizes", "unbind", "diagonal", "unfold", "as_strided", "alias", "detach"})
    all[std::string(view) + "_copy"] = all.at(view);
  return all;
}

}  // namespace gradus::oracle
