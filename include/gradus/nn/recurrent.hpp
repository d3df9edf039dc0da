// gradus/nn/recurrent.hpp - LSTM and GRU.
#ifndef GRADUS_NN_RECURRENT_HPP
#define GRADUS_NN_RECURRENT_HPP

#include "gradus/nn/layers.hpp"

namespace gradus {
inline namespace v1 {
namespace nn {

struct RecurrentOptions {                                     // as the keywords of torch.nn.LSTM and GRU; layers is num_layers
  int64_t layers = 1;
  bool bias = true, batch_first = false, bidirectional = false;
  double dropout = 0;
};
class Recurrent : public Module {                             // what LSTM and GRU share: the weights, in PyTorch's order
 public:
  Recurrent(int64_t gates, int64_t in, int64_t hidden, RecurrentOptions o) : options(o), width(hidden) {
    detail::check(hidden > 0 && o.layers > 0, "Recurrent", "hidden size and layers are positive");
    const double bound = 1 / std::sqrt(static_cast<double>(hidden));
    const int64_t rows = gates * hidden, ways = o.bidirectional ? 2 : 1;
    for (int64_t layer = 0; layer < o.layers; ++layer) {
      for (int64_t way = 0; way < ways; ++way) {
        const std::string end = "_l" + std::to_string(layer) + (way ? "_reverse" : "");
        weights.push_back(parameter("weight_ih" + end, detail::uniform({rows, layer ? hidden * ways : in}, bound)));
        weights.push_back(parameter("weight_hh" + end, detail::uniform({rows, hidden}, bound)));
        if (!o.bias) continue;
        weights.push_back(parameter("bias_ih" + end, detail::uniform({rows}, bound)));
        weights.push_back(parameter("bias_hh" + end, detail::uniform({rows}, bound)));
      }
    }
  }
  RecurrentOptions options;
  int64_t width;
  std::vector<Tensor> weights;

 protected:
  Tensor first_state(const Tensor& x) const {
    detail::check(x.dim() == 3, "Recurrent", "the input has 3 dimensions");
    return zeros({options.layers * (options.bidirectional ? 2 : 1), x.size(options.batch_first ? 0 : 1), width}).to(x.dtype());
  }
};

class LSTM : public Recurrent {                               // sequences are [time, batch, feature], or with batch_first [batch, time, feature]
 public:
  LSTM(int64_t in, int64_t hidden, RecurrentOptions o = {}) : Recurrent(4, in, hidden, o) {}
  Tensor forward(const Tensor& x) override { return std::get<0>(run(x)); }
  // What each step gives, and the last states h and c; empty states stand for zeros.
  std::tuple<Tensor, Tensor, Tensor> run(const Tensor& x, const Tensor& h = {}, const Tensor& c = {}) const {
    const Tensor h0 = h.defined() ? h : first_state(x), c0 = c.defined() ? c : first_state(x);
    return lstm(x, {h0, c0}, weights, options.bias, options.layers, options.dropout, is_training(), options.bidirectional, options.batch_first);
  }
};

class GRU : public Recurrent {                                // as LSTM, with one state
 public:
  GRU(int64_t in, int64_t hidden, RecurrentOptions o = {}) : Recurrent(3, in, hidden, o) {}
  Tensor forward(const Tensor& x) override { return std::get<0>(run(x)); }
  std::tuple<Tensor, Tensor> run(const Tensor& x, const Tensor& h = {}) const {
    const Tensor h0 = h.defined() ? h : first_state(x);
    return gru(x, h0, weights, options.bias, options.layers, options.dropout, is_training(), options.bidirectional, options.batch_first);
  }
};

}  // namespace nn
}  // namespace v1
}  // namespace gradus

#endif  // GRADUS_NN_RECURRENT_HPP
