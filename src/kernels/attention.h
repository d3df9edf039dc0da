// softmax(scale query key' + mask) value without the weights in memory: blocks of query rows, whose scores stay in the near caches.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

// Of one dtype, f32 or f64, with the same leading sizes, along which a stride of 0 repeats. Rows of `mask` and `out` are dense. A row
// that sees nothing gives zeros.
struct Attention {
  View query, key, value;                                     // [*, L, E], [*, S, E], [*, S, V]; none of L, S, E, V is 0
  View mask;                                                  // [*, L, S] or nothing: booleans say what is seen, numbers are added
  View out, logsumexp;                                        // [*, L, V], [*, L]
  double scale = 1;
  bool causal = false;                                        // query i sees the keys up to the i-th
};
void attention(const Attention&);                             // writes out and logsumexp

struct AttentionGradients {
  View out, logsumexp;                                        // what comes in; the rows of `out` are dense
  // What goes out, where there is memory for it: rows are dense, a stride of 0 sums. `mask` holds zeros, to which is added.
  View query, key, value, mask;
};
void attention_backward(const Attention&, const AttentionGradients&);   // recomputes the weights from logsumexp

}  // namespace gradus::kernels
