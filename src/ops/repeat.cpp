// Elements repeated and rearranged: repeat, roll, flip, triangles.
#include "kernels/copy.h"
#include "kernels/join.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Tensor repeated(const Tensor& self, SizesRef repeats, std::string_view what) {
  GRADUS_CHECK(repeats.size() >= self.sizes().size(), shape, "{}: {} repeats for {} dimensions", what, repeats.size(), self.ndim());
  const size_t extra = repeats.size() - self.sizes().size();
  Sizes apart, wide, joined;                                  // [1, n] pairs, [r, n] pairs, r * n
  for (size_t i = 0; i < repeats.size(); ++i) {
    GRADUS_CHECK(repeats[i] >= 0, value, "{}: negative repeats in {}", what, text(repeats));
    const int64_t n = i < extra ? 1 : self.sizes()[i - extra];
    apart.push_back(1);
    apart.push_back(n);
    wide.push_back(repeats[i]);
    wide.push_back(n);
    joined.push_back(multiply(repeats[i], n));
  }
  return view(call(clone_op, {expand(reshape(self, apart), wide)}), joined);
}

Tensor rolled(const Tensor& self, int64_t shift, int64_t dim) {
  const int64_t n = self.size(dim);
  if (n == 0) return call(clone_op, {self});
  const int64_t cut = ((-shift) % n + n) % n;                 // the result begins there
  if (cut == 0) return call(clone_op, {self});
  return cat(std::vector<Tensor>{slice(self, dim, cut), slice(self, dim, 0, cut)}, dim);
}

template <bool upper> void triangle_kernel(const Args& a, const Tensors& out) { kernels::clear_triangle(view_of(out[0]), a.integer(1), upper); }
void triangle_shape(const Args& a, Metas& out) {
  GRADUS_CHECK(a.tensor(0).ndim() >= 2, shape, "{}: a tensor of {} dimensions, where at least 2 are wanted", name(a.op()), a.tensor(0).ndim());
  out.push_back(a.tensor(0).meta());
}
void triangles(Samples& s) {
  s.add({s.rand({3, 4})});
  s.add({s.rand({2, 4, 3}), Value(1)});
  s.add({s.rand({3, 3}), Value(-5)});
  s.add({s.rand({0, 3}), Value(-1)});
  s.error({s.rand({3})}, "at least 2");
}

void index_shape(const Args& a, Metas& out, bool upper) {
  GRADUS_CHECK(a.integer(0) >= 0 && a.integer(1) >= 0, value, "{}: {} rows and {} columns", name(a.op()), a.integer(0), a.integer(1));
  multiply(a.integer(0), a.integer(1));                       // refuses what can't be counted
  const Dtype d = a.dtype(3, Dtype::i64);
  GRADUS_CHECK(d == Dtype::i64 || d == Dtype::i32, dtype, "{}: indices are int64 or int32, not {}", name(a.op()), name(d));
  out.push_back({d, Sizes{2, kernels::count_triangle(a.integer(0), a.integer(1), a.integer(2), upper)}});
}
void index_samples(Samples& s) {
  s.add({Value(3), Value(4)});
  s.add({Value(4), Value(3), Value(-1)});
  s.add({Value(0), Value(3), Value(1)});
  s.error({Value(-1), Value(3)}, "-1 rows");
}

}  // namespace

Op repeat_op{
    .schema = "repeat(Tensor self, int[] repeats) -> Tensor",
    .doc = "self laid side by side so many times along each dimension.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(repeated(a.tensor(0), a.integers(1), "repeat")); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({2, 1, 3})});
      s.add({s.rand({2}), s.list({0})});
      s.add({s.rand({}), s.list({2, 2})});
      s.error({s.rand({2, 3}), s.list({2})}, "1 repeats for 2 dimensions");
    },
};
Op tile_op{
    .schema = "tile(Tensor self, int[] dims) -> Tensor",
    .doc = "As repeat; fewer numbers than dimensions are for the last ones.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      Sizes repeats(a.integers(1));
      while (repeats.size() < a.tensor(0).sizes().size()) repeats.insert(0, 1);
      out.push_back(repeated(a.tensor(0), repeats, "tile"));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({2})});
      s.add({s.rand({2}), s.list({2, 2})});
      s.error({s.rand({2}), s.list({-1})}, "negative repeats");
    },
};

Op repeat_interleave_op{
    .schema = "repeat_interleave(Tensor self, int repeats, int? dim=None, *, int? output_size=None) -> Tensor",
    .doc = "Each element of a dimension repeated; of the flattened tensor where there is no dim.",
    .serves = "repeat_interleave.self_int",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor self = a.has(2) ? a.tensor(0) : reshape(a.tensor(0), Sizes{a.tensor(0).numel()});
      const int64_t repeats = a.integer(1), d = a.has(2) ? wrap_dim(a.integer(2), self.ndim(), "repeat_interleave") : 0;
      GRADUS_CHECK(repeats >= 0, value, "repeat_interleave: negative repeats {}", repeats);
      const Tensor x = self.ndim() == 0 ? reshape(self, Sizes{1}) : self;
      Sizes wide(x.sizes()), joined(x.sizes());
      wide.insert(static_cast<size_t>(d) + 1, repeats);
      joined[static_cast<size_t>(d)] = multiply(joined[static_cast<size_t>(d)], repeats);
      GRADUS_CHECK(!a.has(3) || a.integer(3) == joined[static_cast<size_t>(d)], value, "repeat_interleave: output_size {}, where there are {}", a.integer(3), joined[static_cast<size_t>(d)]);
      out.push_back(view(call(clone_op, {expand(unsqueeze(x, d + 1), wide)}), joined));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(2), Value(1)});
      s.add({s.rand({2, 3}), Value(2)});
      s.add({s.rand({2}), Value(0), Value(0)});
      s.error({s.rand({2}), Value(-1)}, "negative repeats");
    },
};
Op repeat_interleave_tensor_op{
    .schema = "repeat_interleave_tensor(Tensor self, Tensor repeats, int? dim=None, *, int? output_size=None) -> Tensor",
    .doc = "Each element of a dimension repeated as often as repeats says.",
    .serves = "repeat_interleave.self_Tensor",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor self = a.has(2) && a.tensor(0).ndim() > 0 ? a.tensor(0) : reshape(a.tensor(0), Sizes{a.tensor(0).numel()});
      const int64_t d = a.has(2) ? wrap_dim(a.integer(2), self.ndim(), "repeat_interleave") : 0;
      const Tensor& given = a.tensor(1);
      GRADUS_CHECK(given.ndim() <= 1 && (given.numel() == 1 || given.numel() == self.size(d)), shape, "repeat_interleave: repeats of shape {} for a dimension of size {}",
                   text(given.sizes()), self.size(d));
      const Tensor repeats = expand(reshape(given, Sizes{given.numel()}), Sizes{self.size(d)});
      out.push_back(index_select(self, d, call(repeat_indices_op, {repeats, a[3]})));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), s.values({3}, {1, 0, 2}, Dtype::i64), Value(0)});
      s.add({s.rand({2, 2}), s.values({1}, {2}, Dtype::i64)});
      s.error({s.rand({3}), s.values({2}, {1, 1}, Dtype::i64)}, "repeats of shape [2] for a dimension of size 3");
      s.error({s.rand({2}), s.values({2}, {1, -1}, Dtype::i64)}, "negative");
    },
};
Op repeat_indices_op{
    .schema = "repeat_indices(Tensor repeats, *, int? output_size=None) -> Tensor",
    .doc = "0 as often as the first number of repeats says, 1 as often as the second, and so on.",
    .serves = "repeat_interleave.Tensor",
    .shape = [](const Args& a, Metas& out) {
      const Tensor& repeats = a.tensor(0);
      GRADUS_CHECK(repeats.ndim() == 1, shape, "repeat_interleave: repeats of shape {}, where a vector is wanted", text(repeats.sizes()));
      GRADUS_CHECK(repeats.dtype() == Dtype::i64 || repeats.dtype() == Dtype::i32, dtype, "repeat_interleave: repeats must be int64 or int32, not {}", name(repeats.dtype()));
      const int64_t n = kernels::count_repeats(view_of(repeats));
      GRADUS_CHECK(n >= 0, value, "repeat_interleave: the repeats have a negative number, or their sum overflows");
      GRADUS_CHECK(!a.has(1) || a.integer(1) == n, value, "repeat_interleave: output_size {}, where there are {}", a.integer(1), n);
      out.push_back({repeats.dtype(), Sizes{n}});
    },
    .kernel = [](const Args& a, const Tensors& out) { kernels::repeat_indices(view_of(out[0]), view_of(a.tensor(0))); },
    .samples = [](Samples& s) {
      s.add({s.values({3}, {1, 0, 2}, Dtype::i64)});
      s.error({s.values({2}, {1, -1}, Dtype::i64)}, "negative");
    },
};

Op tril_op{
    .schema = "tril(Tensor self, int diagonal=0) -> Tensor",
    .doc = "The lower triangle of each matrix, up to the given diagonal; zeros above.",
    .complex = true,
    .shape = triangle_shape,
    .kernel = triangle_kernel<true>,
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) { return call(tril_op, {g, c.integer(1)}); }},
    .samples = triangles,
};
Op triu_op{
    .schema = "triu(Tensor self, int diagonal=0) -> Tensor",
    .doc = "The upper triangle of each matrix, from the given diagonal on; zeros below.",
    .complex = true,
    .shape = triangle_shape,
    .kernel = triangle_kernel<false>,
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) { return call(triu_op, {g, c.integer(1)}); }},
    .samples = triangles,
};
Op tril_indices_op{
    .schema = "tril_indices(int row, int col, int offset=0, *, ScalarType? dtype=long) -> Tensor",
    .doc = "Row and column numbers of a matrix's lower triangle, row by row.",
    .shape = [](const Args& a, Metas& out) { index_shape(a, out, false); },
    .kernel = [](const Args& a, const Tensors& out) { kernels::triangle_indices(view_of(out[0]), a.integer(0), a.integer(1), a.integer(2), false); },
    .samples = index_samples,
};
Op triu_indices_op{
    .schema = "triu_indices(int row, int col, int offset=0, *, ScalarType? dtype=long) -> Tensor",
    .doc = "Row and column numbers of a matrix's upper triangle, row by row.",
    .shape = [](const Args& a, Metas& out) { index_shape(a, out, true); },
    .kernel = [](const Args& a, const Tensors& out) { kernels::triangle_indices(view_of(out[0]), a.integer(0), a.integer(1), a.integer(2), true); },
    .samples = index_samples,
};

Op roll_op{
    .schema = "roll(Tensor self, int[1] shifts, int[1] dims=[]) -> Tensor",
    .doc = "The elements moved on along dimensions, those that leave coming back in front; of the flattened tensor where there are no dims.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      const SizesRef shifts = a.integers(1), dims = a.integers(2);
      GRADUS_CHECK(!shifts.empty(), argument, "roll: no shifts given");
      if (dims.empty()) {
        GRADUS_CHECK(shifts.size() == 1, argument, "roll: {} shifts for no dims", shifts.size());
        return out.push_back(reshape(rolled(reshape(self, Sizes{self.numel()}), shifts[0], 0), self.sizes()));
      }
      GRADUS_CHECK(self.ndim() > 0, index, "roll: dim {} of a scalar", dims[0]);
      GRADUS_CHECK(shifts.size() == dims.size(), argument, "roll: {} shifts for {} dims", shifts.size(), dims.size());
      Tensor x = self;
      for (size_t i = 0; i < dims.size(); ++i) x = rolled(x, shifts[i], wrap_dim(dims[i], self.ndim(), "roll"));
      out.push_back(x);
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({4})});
      s.add({s.rand({2, 3}), s.list({1, -4}), s.list({0, -1})});
      s.add({s.rand({0, 3}), s.list({1}), s.list({0})});
      s.error({s.rand({2, 3}), s.list({1, 2}), s.list({0})}, "2 shifts for 1 dims");
      s.error({s.rand({}), s.list({1}), s.list({0})}, "dim 0 of a scalar");
    },
};

Op flip_op{
    .schema = "flip(Tensor self, int[] dims) -> Tensor",
    .doc = "The elements in reverse order along dimensions.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      if (!a.integers(1).empty()) ReducedDims(a, 1);          // in range and no dim twice
      out.push_back(a.tensor(0).meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      kernels::flip(view_of(out[0]), view_of(a.tensor(0)), a.integers(1).empty() ? 0 : ReducedDims(a, 1).mask);
    },
    .vjp = {[](const Call& c, const Tensor& g) { return call(flip_op, {g, c.integers(1)}); }},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4}), s.list({0, -1})});
      s.add({s.rand({3}), s.list({})});
      s.add({s.rand({}), s.list({0})});
      s.add({s.rand({0, 3}), s.list({0})});
      s.error({s.rand({2, 3}), s.list({0, 0})}, "appears twice");
    },
};
Op fliplr_op{
    .schema = "fliplr(Tensor self) -> Tensor",
    .doc = "Columns in reverse order.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(a.tensor(0).ndim() >= 2, shape, "fliplr: a tensor of {} dimensions, where at least 2 are wanted", a.tensor(0).ndim());
      out.push_back(call(flip_op, {a[0], 1}));
    },
    .samples = [](Samples& s) { s.add({s.rand({2, 3})}); s.error({s.rand({3})}, "at least 2"); },
};
Op flipud_op{
    .schema = "flipud(Tensor self) -> Tensor",
    .doc = "Rows in reverse order.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(a.tensor(0).ndim() >= 1, shape, "flipud: a scalar has no rows");
      out.push_back(call(flip_op, {a[0], 0}));
    },
    .samples = [](Samples& s) { s.add({s.rand({2, 3})}); s.error({s.rand({})}, "no rows"); },
};
Op rot90_op{
    .schema = "rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor",
    .doc = "The plane of two dimensions turned by k quarters, from the first towards the second.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      GRADUS_CHECK(a.integers(2).size() == 2, argument, "rot90: {} dims, where 2 are wanted", a.integers(2).size());
      const int64_t first = wrap_dim(a.integers(2)[0], self.ndim(), "rot90"), second = wrap_dim(a.integers(2)[1], self.ndim(), "rot90");
      GRADUS_CHECK(self.ndim() >= 2 && first != second, value, "rot90: dims {} of a tensor of {} dimensions", text(a.integers(2)), self.ndim());
      switch ((a.integer(1) % 4 + 4) % 4) {
        case 1: return out.push_back(transpose(call(flip_op, {self, second}), first, second));
        case 2: return out.push_back(call(flip_op, {self, Sizes{first, second}}));
        case 3: return out.push_back(transpose(call(flip_op, {self, first}), first, second));
        default: return out.push_back(call(clone_op, {self}));
      }
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({2, 3, 2}), Value(-1), s.list({0, 2})});
      s.add({s.rand({2, 3}), Value(2)});
      s.add({s.rand({2, 3}), Value(4)});
      s.error({s.rand({2, 3}), Value(1), s.list({0, 0})}, "dims [0, 0]");
    },
};

static Op* const all[] = {&repeat_op, &tile_op, &repeat_interleave_op, &repeat_interleave_tensor_op, &repeat_indices_op, &tril_op, &triu_op,
                          &tril_indices_op, &triu_indices_op, &roll_op, &flip_op, &fliplr_op, &flipud_op, &rot90_op};
const OpList repeat_ops = all;

}  // namespace gradus
