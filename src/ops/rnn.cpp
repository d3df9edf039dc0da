// Recurrent cells and layers: one product for the inputs of all steps, one small product per step.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

enum class CellKind { tanh, relu, gru, lstm };
constexpr int64_t gates_of(CellKind k) { return k == CellKind::lstm ? 4 : k == CellKind::gru ? 3 : 1; }

// What a cell holds from step to step; c is the lstm's.
struct State { Tensor h, c; };

// Weights of one direction of one layer; null where there are none. w_hr projects the lstm's h.
struct Weights { Tensor w_ih, w_hh, b_ih, b_hh, w_hr; };

Tensor sum_of(const Tensor& a, const Tensor& b) { return a && b ? add(a, b) : a ? a : b; }
// The input's part of the gates, with all biases that merely add up: gru keeps b_hh inside its reset gate.
Tensor input_gates(CellKind kind, const Tensor& x, const Weights& w) { return linear(x, w.w_ih, kind == CellKind::gru ? w.b_ih : sum_of(w.b_ih, w.b_hh)); }

// Gates i, f, g, o: c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c').
State gated(const Tensor& gates, const Tensor& c0) {
  if (gates.dtype() == c0.dtype() && (gates.dtype() == Dtype::f32 || gates.dtype() == Dtype::f64)) {
    const Tensors next = call_all(lstm_gates_op, {gates, c0});
    return {next[0], next[1]};
  }
  const Tensors gate = chunk(gates, 4, 1);
  const Tensor c = addcmul(mul(sigmoid(gate[1]), c0), sigmoid(gate[0]), tanh(gate[2]));
  return {mul(sigmoid(gate[3]), tanh(c)), c};
}
State lstm_step(const Tensor& x_gates, const State& s, const Weights& w) {
  const State next = gated(addmm(x_gates, s.h, t(w.w_hh)), s.c);
  return {w.w_hr ? mm(next.h, t(w.w_hr)) : next.h, next.c};
}
// Gates r, z, n: n = tanh(x_n + r h_n), h' = n + z (h - n).
State gru_step(const Tensor& x_gates, const State& s, const Weights& w) {
  const Tensor h_gates = linear(s.h, w.w_hh, w.b_hh);
  const int64_t size = s.h.size(1);
  const Tensors from_x = split_with_sizes(x_gates, Sizes{2 * size, size}, 1), from_h = split_with_sizes(h_gates, Sizes{2 * size, size}, 1);
  const Tensors gate = chunk(sigmoid(add(from_x[0], from_h[0])), 2, 1);
  const Tensor n = tanh(addcmul(from_x[1], gate[0], from_h[1]));
  return {addcmul(n, gate[1], sub(s.h, n)), {}};
}
State step(CellKind kind, const Tensor& x_gates, const State& s, const Weights& w) {
  switch (kind) {
    case CellKind::lstm: return lstm_step(x_gates, s, w);
    case CellKind::gru: return gru_step(x_gates, s, w);
    case CellKind::relu: return {relu(addmm(x_gates, s.h, t(w.w_hh))), {}};
    default: return {tanh(addmm(x_gates, s.h, t(w.w_hh))), {}};
  }
}

void check_matrix(const Args& a, const Tensor& t, std::string_view what, int64_t rows, int64_t columns) {
  GRADUS_CHECK(t.ndim() == 2 && t.size(0) == rows && t.size(1) == columns, shape, "{}: {} of shape {}, expected [{}, {}]", name(a.op()), what, text(t.sizes()), rows, columns);
}
void check_bias(const Args& a, const Tensor& t, std::string_view what, int64_t size) {
  GRADUS_CHECK(!t || (t.ndim() == 1 && t.size(0) == size), shape, "{}: {} of shape {}, expected [{}]", name(a.op()), what, text(t.sizes()), size);
}
// `out` is the size of h: that of c but for a projection.
void check_weights(const Args& a, CellKind kind, const Weights& w, int64_t in, int64_t hidden, int64_t out) {
  const int64_t gates = gates_of(kind) * hidden;
  check_matrix(a, w.w_ih, "w_ih", gates, in);
  check_matrix(a, w.w_hh, "w_hh", gates, out);
  check_bias(a, w.b_ih, "b_ih", gates);
  check_bias(a, w.b_hh, "b_hh", gates);
  if (w.w_hr) check_matrix(a, w.w_hr, "w_hr", out, hidden);
}

// ---- cells: (input, hx, w_ih, w_hh, b_ih, b_hh); inputs [B, I] or [I]
Tensor row(const Tensor& t) { return t.ndim() == 1 ? unsqueeze(t, 0) : t; }
State cell(const Args& a, CellKind kind, const Tensor& input, State s) {
  GRADUS_CHECK(input.ndim() == 1 || input.ndim() == 2, shape, "{}: an input of shape {}, not [batch, size] or [size]", name(a.op()), text(input.sizes()));
  const Tensor x = row(input);
  const bool single = input.ndim() == 1;
  for (Tensor* t : {&s.h, &s.c}) {
    if (!*t) continue;
    GRADUS_CHECK(t->ndim() == input.ndim(), shape, "{}: a state of shape {} for an input of shape {}", name(a.op()), text(t->sizes()), text(input.sizes()));
    *t = row(*t);
    GRADUS_CHECK(t->size(0) == x.size(0), shape, "{}: a state of shape {} for an input of shape {}", name(a.op()), text(t->sizes()), text(input.sizes()));
    GRADUS_CHECK(t->size(1) == s.h.size(1), shape, "{}: states of shapes {} and {}", name(a.op()), text(s.h.sizes()), text(t->sizes()));
  }
  const Weights w{a.tensor(2), a.tensor(3), a.optional_tensor(4), a.optional_tensor(5), {}};
  check_weights(a, kind, w, x.size(1), s.h.size(1), s.h.size(1));
  State next = step(kind, input_gates(kind, x, w), s, w);
  if (!single) return next;
  return {squeeze(next.h, 0), next.c ? squeeze(next.c, 0) : Tensor()};
}
template <CellKind kind> void simple_cell(const Args& a, Tensors& out) { out.push_back(cell(a, kind, a.tensor(0), {a.tensor(1), {}}).h); }
void lstm_cell(const Args& a, Tensors& out) {
  GRADUS_CHECK(a.tensors(1).size() == 2, argument, "lstm_cell: {} states, expected h and c", a.tensors(1).size());
  const State s = cell(a, CellKind::lstm, a.tensor(0), {a.tensors(1)[0], a.tensors(1)[1]});
  out.push_back(s.h);
  out.push_back(s.c);
}

// ---- layers: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
struct Layers {
  const Args& a;
  CellKind kind;
  bool biases, both;
  int64_t count, directions, batch = 0, hidden = 0, out = 0;

  Layers(const Args& args, CellKind k) : a(args), kind(k), biases(a.flag(3)), both(a.flag(7)), count(a.integer(4)), directions(both ? 2 : 1) {}
  Weights weights(int64_t at, bool projected) const {
    const auto per = static_cast<size_t>((biases ? 4 : 2) + projected);
    const Tensor* p = a.tensors(2).data() + static_cast<size_t>(at) * per;
    Weights w{p[0], p[1], {}, {}, {}};
    if (biases) { w.b_ih = p[2]; w.b_hh = p[3]; }
    if (projected) w.w_hr = p[per - 1];
    return w;
  }
  void check(const Tensor& x, const Tensor& h0, const Tensor& c0) {
    GRADUS_CHECK(x.ndim() == 3, shape, "{}: an input of shape {}, not [steps, batch, size]", name(a.op()), text(x.sizes()));
    GRADUS_CHECK(count > 0, value, "{}: {} layers", name(a.op()), count);
    GRADUS_CHECK(x.size(0) > 0, shape, "{}: an input of shape {} has no steps", name(a.op()), text(x.sizes()));
    GRADUS_CHECK(a.real(5) >= 0 && a.real(5) <= 1, value, "{}: dropout {} is outside [0, 1]", name(a.op()), a.real(5));
    batch = x.size(1);
    for (const Tensor* t : {&h0, &c0})
      GRADUS_CHECK(!*t || (t->ndim() == 3 && t->size(0) == count * directions && t->size(1) == batch), shape, "{}: a state of shape {}, expected [{}, {}, size]", name(a.op()),
                   text(t->sizes()), count * directions, batch);
    out = h0.size(2);
    hidden = c0 ? c0.size(2) : out;
    const auto want = static_cast<size_t>(count * directions * ((biases ? 4 : 2) + (hidden != out)));
    GRADUS_CHECK(a.tensors(2).size() == want, argument, "{}: {} tensors in params, expected {}", name(a.op()), a.tensors(2).size(), want);
  }
};

// One direction of one layer over x [T, B, I]; outputs in order of time.
Tensor direction(const Layers& l, const Tensor& x, const Weights& w, State& s, bool backwards) {
  check_weights(l.a, l.kind, w, x.size(2), l.hidden, l.out);
  const Tensors gates = unbind(input_gates(l.kind, x, w), 0);
  Tensors h(gates.size());
  for (size_t i = 0; i < gates.size(); ++i) {
    const size_t at = backwards ? gates.size() - 1 - i : i;
    s = step(l.kind, gates[at], s, w);
    h[at] = s.h;
  }
  return stack({h.data(), h.size()}, 0);
}
Tensor both_of(const Tensors& parts, int64_t dim) { return parts.size() == 1 ? parts[0] : cat({parts.data(), parts.size()}, dim); }

void run(const Args& a, CellKind kind, const Tensor& h0, const Tensor& c0, Tensors& out) {
  Layers l(a, kind);
  const bool batch_first = a.flag(8);
  Tensor x = batch_first && a.tensor(0).ndim() == 3 ? transpose(a.tensor(0), 0, 1) : a.tensor(0);
  l.check(x, h0, c0);
  const Tensors h = unbind(h0, 0), c = c0 ? unbind(c0, 0) : Tensors();
  Tensors last_h, last_c;
  for (int64_t layer = 0; layer < l.count; ++layer) {
    Tensors outputs;
    for (int64_t d = 0; d < l.directions; ++d) {
      const auto at = static_cast<size_t>(layer * l.directions + d);
      State s{h[at], c0 ? c[at] : Tensor()};
      outputs.push_back(direction(l, x, l.weights(static_cast<int64_t>(at), l.hidden != l.out), s, d == 1));
      last_h.push_back(s.h);
      if (c0) last_c.push_back(s.c);
    }
    x = both_of(outputs, 2);
    if (a.real(5) > 0 && a.flag(6) && layer + 1 < l.count) x = dropout(x, a.real(5), true);
  }
  out.push_back(batch_first ? transpose(x, 0, 1) : x);
  out.push_back(stack({last_h.data(), last_h.size()}, 0));
  if (c0) out.push_back(stack({last_c.data(), last_c.size()}, 0));
}
template <CellKind kind> void simple_layers(const Args& a, Tensors& out) { run(a, kind, a.tensor(1), {}, out); }
void lstm(const Args& a, Tensors& out) {
  GRADUS_CHECK(a.tensors(1).size() == 2, argument, "lstm: {} states, expected h and c", a.tensors(1).size());
  run(a, CellKind::lstm, a.tensors(1)[0], a.tensors(1)[1], out);
}

// ---- samples
template <int64_t gates> void cell_samples(Samples& s) {
  s.add({s.rand({2, 3}), s.rand({2, 2}), s.rand({gates * 2, 3}), s.rand({gates * 2, 2}), s.rand({gates * 2}), s.rand({gates * 2})});
  s.add({s.rand({3}), s.rand({2}), s.rand({gates * 2, 3}), s.rand({gates * 2, 2})});
  s.error({s.rand({2, 3}), s.rand({2, 2}), s.rand({gates * 2, 4}), s.rand({gates * 2, 2})}, "w_ih of shape");
  s.error({s.rand({2, 3}), s.rand({3, 2}), s.rand({gates * 2, 3}), s.rand({gates * 2, 2})}, "a state of shape [3, 2] for an input of shape [2, 3]");
}
template <int64_t gates> void layer_samples(Samples& s) {
  constexpr int64_t g = gates * 2;
  s.add({s.rand({3, 2, 3}), s.rand({1, 2, 2}), s.tensors({s.rand({g, 3}), s.rand({g, 2}), s.rand({g}), s.rand({g})}), Value(true), Value(1), Value(0), Value(false), Value(false), Value(false)});
  s.add({s.rand({2, 3, 2}), s.rand({4, 2, 2}),
         s.tensors({s.rand({g, 2}), s.rand({g, 2}), s.rand({g, 2}), s.rand({g, 2}), s.rand({g, 4}), s.rand({g, 2}), s.rand({g, 4}), s.rand({g, 2})}), Value(false), Value(2), Value(0.5),
         Value(false), Value(true), Value(true)});
  s.error({s.rand({3, 2, 3}), s.rand({1, 2, 2}), s.tensors({s.rand({g, 3}), s.rand({g, 2})}), Value(true), Value(1), Value(0), Value(false), Value(false), Value(false)}, "2 tensors in params, expected 4");
  s.error({s.rand({3, 2, 3}), s.rand({1, 3, 2}), s.tensors({s.rand({g, 3}), s.rand({g, 2})}), Value(false), Value(1), Value(0), Value(false), Value(false), Value(false)}, "a state of shape [1, 3, 2]");
}

}  // namespace

#define GRADUS_CELL(what, kind, formula)                                                                                                      \
  Op what##_cell_op{                                                                                                                          \
      .schema = #what "_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> Tensor",                 \
      .doc = "One step: " formula,                                                                                                            \
      .compose = simple_cell<CellKind::kind>,                                                                                                 \
      .samples = cell_samples<gates_of(CellKind::kind)>,                                                                                      \
  };                                                                                                                                          \
  Op what##_op{                                                                                                                               \
      .schema = #what "(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, " \
                "bool batch_first) -> (Tensor, Tensor)",                                                                                      \
      .doc = "Layers of " #what "_cell over an input [steps, batch, size], from the states hx [layers * directions, batch, size]; gives the "  \
             "outputs of the last layer and the last states. params are by layer and direction w_ih, w_hh, and b_ih, b_hh with has_biases.",   \
      .serves = #what ".input",                                                                                                               \
      .compose = simple_layers<CellKind::kind>,                                                                                               \
      .samples = layer_samples<gates_of(CellKind::kind)>,                                                                                     \
  };
GRADUS_CELL(rnn_tanh, tanh, "h' = tanh(w_ih x + b_ih + w_hh h + b_hh).")
GRADUS_CELL(rnn_relu, relu, "h' = relu(w_ih x + b_ih + w_hh h + b_hh).")
GRADUS_CELL(gru, gru, "of w_ih x + b_ih and w_hh h + b_hh, each in three parts, r and z are the sigmoids of sums, n = tanh(x_n + r h_n), h' = (1 - z) n + z h.")
#undef GRADUS_CELL

Op lstm_cell_op{
    .schema = "lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> (Tensor, Tensor)",
    .doc = "One step from (h, c): of w_ih x + b_ih + w_hh h + b_hh in four parts i, f, g, o, c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c').",
    .compose = lstm_cell,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.tensors({s.rand({2, 2}), s.rand({2, 2})}), s.rand({8, 3}), s.rand({8, 2}), s.rand({8}), s.rand({8})});
      s.add({s.rand({3}), s.tensors({s.rand({2}), s.rand({2})}), s.rand({8, 3}), s.rand({8, 2})});
      s.error({s.rand({2, 3}), s.tensors({s.rand({2, 2})}), s.rand({8, 3}), s.rand({8, 2})}, "1 states, expected h and c");
      s.error({s.rand({2, 3}), s.tensors({s.rand({2, 2}), s.rand({2, 2})}), s.rand({8, 3}), s.rand({6, 2})}, "w_hh of shape [6, 2], expected [8, 2]");
    },
};
Op lstm_op{
    .schema = "lstm(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> "
              "(Tensor, Tensor, Tensor)",
    .doc = "Layers of lstm_cell over an input [steps, batch, size], from the states (h, c); gives the outputs of the last layer and the last h and c. params "
           "are by layer and direction w_ih, w_hh, then b_ih, b_hh with has_biases, then w_hr where h is smaller than c: it projects h.",
    .serves = "lstm.input",
    .compose = lstm,
    .samples = [](Samples& s) {
      const auto add = [&](Value x, Value hx, Value params, bool biases, int layers, bool both, bool first) {
        s.add({x, hx, params, Value(biases), Value(layers), Value(0), Value(true), Value(both), Value(first)});
      };
      add(s.rand({3, 2, 3}), s.tensors({s.rand({1, 2, 2}), s.rand({1, 2, 2})}), s.tensors({s.rand({8, 3}), s.rand({8, 2}), s.rand({8}), s.rand({8})}), true, 1, false, false);
      add(s.rand({2, 3, 2}), s.tensors({s.rand({4, 2, 1}), s.rand({4, 2, 1})}),
          s.tensors({s.rand({4, 2}), s.rand({4, 1}), s.rand({4, 2}), s.rand({4, 1}), s.rand({4, 2}), s.rand({4, 1}), s.rand({4, 2}), s.rand({4, 1})}), false, 2, true, true);
      add(s.rand({2, 1, 3}), s.tensors({s.rand({1, 1, 1}), s.rand({1, 1, 2})}), s.tensors({s.rand({8, 3}), s.rand({8, 1}), s.rand({1, 2})}), false, 1, false, false);
      s.error({s.rand({3, 2}), s.tensors({s.rand({1, 2, 2}), s.rand({1, 2, 2})}), s.tensors({s.rand({8, 3}), s.rand({8, 2})}), Value(false), Value(1), Value(0), Value(true), Value(false), Value(false)},
              "an input of shape [3, 2]");
    },
};

static Op* const all[] = {&rnn_tanh_cell_op, &rnn_relu_cell_op, &gru_cell_op, &lstm_cell_op, &rnn_tanh_op, &rnn_relu_op, &gru_op, &lstm_op};
const OpList rnn_ops = all;

}  // namespace gradus
