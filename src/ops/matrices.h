// What the families of linear algebra share: stacks of matrices, their checks, and how they reach LAPACK's column-major memory.
#pragma once
#include "base/context.h"
#include "graph/history.h"
#include "kernels/copy.h"
#include "kernels/factor.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

// ---- shapes
inline Sizes batch_of(SizesRef sizes) { return Sizes(sizes.first(sizes.size() - 2)); }
inline Sizes batch_of(const Tensor& t) { return batch_of(t.sizes()); }
inline Sizes with(Sizes sizes, std::initializer_list<int64_t> more) {
  for (int64_t n : more) sizes.push_back(n);
  return sizes;
}
inline int64_t smaller_side(const Tensor& t) { return std::min(t.size(-2), t.size(-1)); }

void check_elements(const Args& a, const Tensor& t);            // float32, float64, or complex of them
void check_matrices(const Args& a, const Tensor& t);            // and at least two dimensions
void check_sides(const Args& a, const Tensor& t);               // at least two dimensions, the last two of one size
void check_square(const Args& a, const Tensor& t);              // both
void check_finite(const Args& a, const Tensor& t);              // iterative algorithms need not end otherwise
// Throws Error(value) with the first matrix whose info is not 0: "linalg_inv: batch element 2: what".
void check_infos(const Args& a, const Tensor& infos, std::string_view what);

// ---- views without history, and copies
Tensor turned(const Tensor& t);                                 // rows and columns exchanged
Tensor columns_of(const Tensor& t, SizesRef batch);             // a column-major copy, of [..., cols, rows], repeated along the batch
inline Tensor columns_of(const Tensor& t) { return columns_of(t, batch_of(t)); }
void put_columns(const Tensor& out, const Tensor& columns);     // back
Tensor repeated(const Tensor& t, SizesRef sizes);               // broadcast and contiguous: t itself, or a copy
kernels::Stack stack_of(const Tensor& columns);                 // what LAPACK sees of a tensor of [..., cols, rows]

// ---- ops on matrices
inline Tensor mt(const Tensor& t) { return transpose(t, -2, -1); }
inline Tensor mh(const Tensor& t) { return conj(mt(t)); }                            // the adjoint: of real matrices mt
inline Tensor tall(const Tensor& t) { return unsqueeze(t, -1); }                     // one number per row: [..., n, 1]
inline Tensor wide(const Tensor& t) { return unsqueeze(t, -2); }                     // one per column: [..., 1, n]
inline Tensor diagonal_of(const Tensor& t) { return diagonal(t, 0, -2, -1); }
inline Tensor matrix_of(const Tensor& diagonal) { return call(diag_embed_op, {diagonal}); }
// Without the imaginary part of the diagonal: t itself where it is real.
Tensor real_on_diagonal(const Tensor& t);
inline Tensor identity_like(const Tensor& t) { return eye(t.size(-1), t.dtype()); }
// value, recorded as a function of x that does not change.
inline Tensor constant_in(const Tensor& x, const Tensor& value) { return where(full({}, Number(false), Dtype::boolean), x, value); }
// Complex vectors may have any factors of size 1. Throws Error(value) where a loss turns with them by `turns`, one number for each column
// of the gradient of its vectors: it has no derivative. As in PyTorch, a hundredth counts.
void check_turns(const Call& c, const Tensor& turns, const Tensor& gradient);
inline bool will_differentiate(const Args& a) { return context().grad_mode && needs_grad(a[0].t); }      // the first argument
bool is_zero_gradient(const Tensor& g);                         // nothing was sent: the engine's stand-in for a missing one

inline Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left = true, bool unitriangular = false) {
  return call(linalg_solve_triangular_op, {a, b, upper, left, unitriangular});
}
inline Sizes pivot_sizes(const Tensor& x) { return with(batch_of(x), {smaller_side(x)}); }
// The packed factors of the first argument, its pivots and LAPACK's infos.
void lu_into(const Args& a, const Tensor& factors, const Tensor& pivots, const Tensor& infos);
// The gradient of A from that of its packed factors.
Tensor lu_gradient(const Tensor& lu, const Tensor& pivots, const Tensor& g);
Tensor rows_permuted(const Tensor& t, const Tensor& pivots, bool forward);           // P t, or P^T t

}  // namespace gradus
