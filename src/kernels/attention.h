// softmax(scale query key') value without the weights in memory: blocks of query rows, whose scores stay in the near caches.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

// Of one dtype, f32 or f64, with the same leading sizes. The rows of `out` are dense. A row that sees nothing gives zeros.
struct Attention {
  View query, key, value;                                     // [*, L, E], [*, S, E], [*, S, V]; none of L, S, E, V is 0
  View out, logsumexp;                                        // [*, L, V], [*, L]
  double scale = 1;
  bool causal = false;                                        // query i sees the keys up to the i-th
};
void attention(const Attention&);                             // writes out and logsumexp

struct AttentionGradients {
  View out, logsumexp;                                        // what comes in; the rows of `out` are dense
  View query, key, value;                                     // what goes out; their rows are dense
};
void attention_backward(const Attention&, const AttentionGradients&);   // recomputes the weights from logsumexp

}  // namespace gradus::kernels
