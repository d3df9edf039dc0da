// QR and products of Householder reflections. The rule of QR is that of Walter and Lehmann, "Algorithmic differentiation of linear
// algebra functions with application in optimum experimental design" (2018): gA = (gQ + Q S) R^-H, where
// S is the Hermitian matrix with the upper triangle of M = gR R^H - Q^H gQ.
#include "ops/matrices.h"

namespace gradus {
namespace {

// ---- QR: (A, mode)
enum class Mode { reduced, complete, r };
Mode mode_of(const Args& a) {
  const std::string_view m = a.text(1);
  GRADUS_CHECK(m == "reduced" || m == "complete" || m == "r", value, "{}: mode must be reduced, complete or r, not '{}'", name(a.op()), m);
  return m == "r" ? Mode::r : m == "complete" ? Mode::complete : Mode::reduced;
}
void qr_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_matrices(a, x);
  const Mode mode = mode_of(a);
  const int64_t q = mode == Mode::complete ? x.size(-2) : smaller_side(x);
  out.push_back({x.dtype(), mode == Mode::r ? Sizes{0} : with(batch_of(x), {x.size(-2), q})});
  out.push_back({x.dtype(), with(batch_of(x), {q, x.size(-1)})});
}
// The upper triangle of the first rows.
void put_upper(const Tensor& out, const Tensor& columns) {
  const int64_t rows = out.size(-2), cols = out.size(-1), m = columns.size(-1);
  kernels::visit_matrices(out.dtype(), [&]<class T>() {
    T* to = out.data<T>();
    const T* from = columns.data<T>();
    for (int64_t b = numel_of(batch_of(out)); b > 0; --b, from += cols * m)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < cols; ++j) *to++ = i <= j ? from[j * m + i] : T(0);
  });
}
Tensor part(const Tensor& t, int64_t dim, int64_t n) {        // the first n, without history
  Layout l = t.layout();
  l.sizes[static_cast<size_t>(t.ndim() + dim)] = n;
  return alias(t, l.sizes, l.strides, l.offset);
}
void qr_kernel(const Args& a, const Tensors& out) {
  const Tensor& x = a.tensor(0);
  const Tensor columns = columns_of(x), tau = empty(x.dtype(), with(batch_of(x), {smaller_side(x)}));
  kernels::qr(name(a.op()), stack_of(columns), tau.impl()->data());
  put_upper(out[1], columns);
  const Tensor& Q = out[0];
  if (mode_of(a) == Mode::r) return;
  const Tensor q = empty(x.dtype(), with(batch_of(x), {Q.size(-1), Q.size(-2)}));
  const int64_t given = std::min(Q.size(-1), x.size(-1));     // the others are made of nothing
  kernels::copy(view_of(part(q, -2, given)), view_of(part(columns, -2, given)));
  kernels::householder(name(a.op()), stack_of(q), tau.impl()->data(), smaller_side(x));
  put_columns(Q, q);
}
Tensor qr_pull(const Call& c, Tensor gQ, Tensor gR) {
  const Mode mode = mode_of(c.args());
  GRADUS_CHECK(mode != Mode::r, unsupported, "linalg_qr: no gradient with mode 'r': it needs Q");
  const Tensor &Q = c.output(0), &R = c.output(1);
  const int64_t m = Q.size(-2), n = R.size(-1);
  GRADUS_CHECK(mode != Mode::complete || m <= n, unsupported, "linalg_qr: no gradient with mode 'complete' for {} rows and {} columns", m, n);
  const int64_t k = std::min(m, n);
  Tensor rest, R1 = R;
  if (n > k) {                                                // A = [Q R1, Q R2], and R2 = Q^H A2 depends on Q
    const Tensor R2 = narrow(R, -1, k, n - k), g2 = narrow(gR, -1, k, n - k);
    R1 = narrow(R, -1, 0, k);
    gR = narrow(gR, -1, 0, k);
    rest = matmul(Q, g2);
    gQ = add(gQ, matmul(Q, matmul(R2, mh(g2))));
  }
  const Tensor M = sub(matmul(gR, mh(R1)), matmul(mh(Q), gQ));
  const Tensor hermitian = add(real_on_diagonal(triu(M)), mh(triu(M, 1)));           // the diagonal of R is real
  const Tensor g = solve_triangular(mh(R1), add(gQ, matmul(Q, hermitian)), false, false);
  return rest ? cat(Tensors{g, rest}, -1) : g;
}
void qr_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 4, 2})});
  s.add({s.regular({2, 3})});
  s.add({s.rand({0, 3})});
  s.error({s.rand({3})}, "at least 2 dimensions");
  s.error({s.rand({2, 2}), s.text("full")}, "not 'full'");
}

// ---- reflections: (input, tau); column i of the input holds those of H_i = I - tau_i v_i v_i^H below its 1
void check_reflections(const Args& a, const Tensor& x, const Tensor& tau) {
  check_matrices(a, x);
  GRADUS_CHECK(tau.dtype() == x.dtype(), dtype, "{}: {} against {}", name(a.op()), name(x.dtype()), name(tau.dtype()));
  GRADUS_CHECK(tau.ndim() == x.ndim() - 1 && same(batch_of(x), SizesRef(tau.sizes()).first(static_cast<size_t>(std::max<int64_t>(tau.ndim() - 1, 0)))), shape,
               "{}: factors of shape {} for vectors in {}", name(a.op()), text(tau.sizes()), text(x.sizes()));
  GRADUS_CHECK(tau.size(-1) <= smaller_side(x), shape, "{}: {} factors for vectors in shape {}", name(a.op()), tau.size(-1), text(x.sizes()));
}
// H_i t for the rows of t that it changes.
Tensor reflected(const Tensor& x, const Tensor& tau, int64_t i, const Tensor& t) {
  const int64_t m = x.size(-2), zeros_before = i, below = m - i - 1;
  const Tensor column = narrow(x, -1, i, 1);
  const Sizes one = with(batch_of(x), {1, 1}), before = with(batch_of(x), {zeros_before, 1});
  const Tensor v = cat(Tensors{zeros(before, x.dtype()), ones(one, x.dtype()), narrow(column, -2, i + 1, below)}, -2);
  return sub(t, matmul(mul(tall(narrow(tau, -1, i, 1)), v), matmul(mh(v), t)));
}
void product_shape(const Args& a, Metas& out) {
  check_reflections(a, a.tensor(0), a.tensor(1));
  GRADUS_CHECK(a.tensor(0).size(-2) >= a.tensor(0).size(-1), shape, "{}: more columns than rows in {}", name(a.op()), text(a.tensor(0).sizes()));
  out.push_back(a.tensor(0).meta());
}
void product_kernel(const Args& a, const Tensors& out) {
  const Tensor columns = columns_of(a.tensor(0)), tau = repeated(a.tensor(1), a.tensor(1).sizes());
  kernels::householder(name(a.op()), stack_of(columns), tau.impl()->data(), tau.size(-1));
  put_columns(out[0], columns);
}
void product(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &tau = a.tensor(1);
  const Tensor start = call(eye_op, {x.size(-2), x.size(-1), x.dtype()});
  Tensor t = constant_in(x, start);
  for (int64_t i = tau.size(-1); i-- > 0;) t = reflected(x, tau, i, t);
  out.push_back(t);
}
// ormqr: (self, input2, input3, left, transpose)
void multiply(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &tau = a.tensor(1), &other = a.tensor(2);
  const bool left = a.flag(3);
  check_reflections(a, x, tau);
  check_matrices(a, other);
  GRADUS_CHECK(same(batch_of(x), batch_of(other)) && other.size(left ? -2 : -1) == x.size(-2), shape, "{}: reflections of shape {} do not fit {}",
               name(a.op()), text(x.sizes()), text(other.sizes()));
  const bool forward = left == a.flag(4);                     // Q^H C begins with H_1^H; right: C Q is the adjoint of Q^H C^H
  const Tensor factors = forward ? conj(tau) : tau;
  Tensor t = left ? other : mh(other);
  for (int64_t k = tau.size(-1), i = 0; i < k; ++i) t = reflected(x, factors, forward ? i : k - 1 - i, t);
  out.push_back(left ? t : mh(t));
}
void geqrf_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_matrices(a, x);
  out.push_back(x.meta());
  out.push_back({x.dtype(), with(batch_of(x), {smaller_side(x)})});
}

}  // namespace

Op linalg_qr_op{
    .schema = "linalg_qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)",
    .doc = "A = Q R with orthonormal columns in Q and an upper R: as many as the smaller side has; with 'complete' a square Q; with 'r' an empty Q. There is a "
           "gradient where the first columns of A are independent, Q is there, and is no wider than A.",
    .complex = true,
    .shape = qr_shape,
    .kernel = qr_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return qr_pull(c, g, c.grad(1)); }},
    .save = output(0) | output(1),
    .samples = qr_samples,
};
Op qr_op{
    .schema = "qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)",
    .doc = "linalg_qr; some=False makes Q square.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out = call_all(linalg_qr_op, {a[0], a.flag(1) ? std::string_view("reduced") : std::string_view("complete")}); },
    .samples = [](Samples& s) { s.add({s.regular({3, 2})}); s.add({s.regular({2, 3}), Value(false)}); s.error({s.rand({3})}, "at least 2 dimensions"); },
};
Op geqrf_op{
    .schema = "geqrf(Tensor self) -> (Tensor a, Tensor tau)",
    .doc = "The QR decomposition as LAPACK keeps it: R, below it the vectors of the reflections that Q is the product of, and their factors. No gradient.",
    .complex = true,
    .shape = geqrf_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor columns = columns_of(a.tensor(0));
      kernels::qr(name(a.op()), stack_of(columns), out[1].impl()->data());
      put_columns(out[0], columns);
    },
    .vjp = {[](const Call&, const Tensor&) -> Tensor { fail(Status::unsupported, "geqrf: it has no derivative here; linalg_qr has"); }},
    .samples = [](Samples& s) { s.add({s.regular({3, 3})}); s.add({s.regular({2, 4, 2})}); s.add({s.rand({0, 3})}); s.error({s.rand({3})}, "at least 2 dimensions"); },
};
Op linalg_householder_product_op{
    .schema = "linalg_householder_product(Tensor input, Tensor tau) -> Tensor",
    .doc = "The first columns of the product of the reflections that geqrf makes.",
    .serves = "linalg_householder_product orgqr",
    .complex = true,
    .shape = product_shape,
    .kernel = product_kernel,
    .compose = product,
    .samples = [](Samples& s) {
      s.add({s.rand({4, 2}), s.rand({2})});
      s.add({s.rand({2, 3, 3}), s.rand({2, 2})});
      s.add({s.rand({3, 2}), s.rand({0})});
      s.error({s.rand({2, 3}), s.rand({2})}, "more columns than rows");
      s.error({s.rand({3, 2}), s.rand({3})}, "3 factors for vectors");
    },
};
Op ormqr_op{
    .schema = "ormqr(Tensor self, Tensor input2, Tensor input3, bool left=True, bool transpose=False) -> Tensor",
    .doc = "Q input3, or input3 Q with left=False, with the product Q of the reflections that geqrf makes, or with transpose its adjoint.",
    .complex = true,
    .compose = multiply,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), s.rand({2}), s.rand({3, 2})});
      s.add({s.rand({2, 3, 2}), s.rand({2, 2}), s.rand({2, 2, 3}), Value(false)});
      s.add({s.rand({3, 3}), s.rand({2}), s.rand({3, 1}), Value(true), Value(true)});
      s.error({s.rand({3, 2}), s.rand({2}), s.rand({2, 2})}, "do not fit [2, 2]");
    },
};

static Op* const all[] = {&linalg_qr_op, &qr_op, &geqrf_op, &linalg_householder_product_op, &ormqr_op};
const OpList reflection_ops = all;

}  // namespace gradus
