// Matrices made of diagonals, and what is on them.
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// The last dimension of x on a diagonal of new matrices in dims dim1 and dim2 of the result.
Tensor embedded(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2, std::string_view what) {
  GRADUS_CHECK(x.ndim() > 0, shape, "{}: a tensor of no dimensions has no last one to put on a diagonal", what);
  const int64_t first = wrap_dim(dim1, x.ndim() + 1, what), second = wrap_dim(dim2, x.ndim() + 1, what);
  GRADUS_CHECK(first != second, value, "{}: dim1 and dim2 are both {}", what, first);
  int64_t length;
  GRADUS_CHECK(offset != INT64_MIN && !__builtin_add_overflow(x.size(-1), offset < 0 ? -offset : offset, &length), shape, "{}: offset {} is too far", what, offset);
  Sizes sizes;
  for (int64_t d = 0, from = 0; d <= x.ndim(); ++d) sizes.push_back(d == first || d == second ? length : x.size(from++));
  return call(diagonal_backward_op, {x, sizes, offset, first, second});
}

}  // namespace

Op diag_embed_op{
    .schema = "diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    .doc = "Matrices of zeros in dim1 and dim2 with the last dimension of self on a diagonal.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(embedded(a.tensor(0), a.integer(1), a.integer(2), a.integer(3), "diag_embed")); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({3}), Value(-1)});
      s.add({s.rand({2, 3, 2}), Value(2), Value(0), Value(2)});
      s.error({s.rand({})}, "no dimensions");
      s.error({s.rand({2}), Value(0), Value(1), Value(-1)}, "are both 1");
    },
};
Op diag_op{
    .schema = "diag(Tensor self, int diagonal=0) -> Tensor",
    .doc = "A matrix with the vector self on a diagonal, or a copy of a diagonal of the matrix self.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& x = a.tensor(0);
      GRADUS_CHECK(x.ndim() == 1 || x.ndim() == 2, shape, "diag: shape {} is that of no vector or matrix", text(x.sizes()));
      if (x.ndim() == 1) out.push_back(embedded(x, a.integer(1), 0, 1, "diag"));
      else out.push_back(call(clone_op, {diagonal(x, a.integer(1))}));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({3}), Value(1)});
      s.add({s.rand({3, 4}), Value(-1)});
      s.error({s.rand({2, 2, 2})}, "no vector or matrix");
    },
};
Op diagflat_op{
    .schema = "diagflat(Tensor self, int offset=0) -> Tensor",
    .doc = "A matrix of zeros with all elements of self on a diagonal.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(embedded(flatten(a.tensor(0)), a.integer(1), 0, 1, "diagflat")); },
    .samples = [](Samples& s) { s.add({s.rand({2, 2})}); s.add({s.rand({}), Value(-2)}); },
};
Op linalg_diagonal_op{
    .schema = "linalg_diagonal(Tensor(a) A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor(a)",
    .doc = "The diagonals of matrices, which are the last two dimensions unless told otherwise.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(diagonal(a.tensor(0), a.integer(1), a.integer(2), a.integer(3))); },
    .samples = [](Samples& s) { s.add({s.rand({2, 3, 4})}); s.add({s.rand({3, 2, 4}), Value(1), Value(0), Value(2)}); s.error({s.rand({3})}, "diagonal"); },
};
Op trace_op{
    .schema = "trace(Tensor self) -> Tensor",
    .doc = "The sum of the diagonal of a matrix.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(a.tensor(0).ndim() == 2, shape, "trace: shape {} is not that of a matrix", text(a.tensor(0).sizes()));
      out.push_back(sum(diagonal(a.tensor(0))));
    },
    .samples = [](Samples& s) { s.add({s.rand({3, 4})}); s.add({s.integers({2, 2}, -9, 9)}); s.error({s.rand({3})}, "not that of a matrix"); },
};

static Op* const all[] = {&diag_embed_op, &diag_op, &diagflat_op, &linalg_diagonal_op, &trace_op};
const OpList diagonal_ops = all;

}  // namespace gradus
