// gradus/nn/attention.hpp - attention, and the layer of a transformer.
#ifndef GRADUS_NN_ATTENTION_HPP
#define GRADUS_NN_ATTENTION_HPP

#include "gradus/nn/norms.hpp"

namespace gradus {
inline namespace v1 {
namespace nn {

class MultiheadAttention : public Module {                    // sequences are [batch, time, feature]
 public:
  MultiheadAttention(int64_t width, int64_t count, double share = 0) : out_proj(width, width), heads(count), p(share) {
    detail::check(count > 0 && width > 0 && width % count == 0, "MultiheadAttention", "heads divides the width");
    in_proj_weight = parameter("in_proj_weight", detail::uniform({3 * width, width}, std::sqrt(6 / (4.0 * static_cast<double>(width)))));
    in_proj_bias = parameter("in_proj_bias", zeros({3 * width}));
    add("out_proj", out_proj);
    const NoGradGuard no_grad;
    out_proj.bias.zero_();
  }
  Tensor forward(const Tensor& x) override { return attend(x, x, x); }
  // mask: added to the scores, or bool, where true means that the place is looked at.
  Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask = {}, bool is_causal = false) {
    const auto in = project(query, key, value);
    const Tensor found = scaled_dot_product_attention(split(in[0]), split(in[1]), split(in[2]), mask, is_training() ? p : 0.0, is_causal);
    return out_proj(found.transpose(1, 2).flatten(2));
  }
  Linear out_proj;
  Tensor in_proj_weight, in_proj_bias;
  int64_t heads;
  double p;

 private:
  std::vector<Tensor> project(const Tensor& query, const Tensor& key, const Tensor& value) const {
    if (query.is_same(key) && key.is_same(value)) return linear(query, in_proj_weight, in_proj_bias).chunk(3, -1);
    const auto w = in_proj_weight.chunk(3), b = in_proj_bias.chunk(3);
    return {linear(query, w[0], b[0]), linear(key, w[1], b[1]), linear(value, w[2], b[2])};
  }
  Tensor split(const Tensor& x) const {                       // [batch, head, time, feature of a head]
    return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  }
};

struct TransformerOptions {                                   // feedforward: the width between the two linear layers; gelu stands between them, else relu
  int64_t feedforward = 2048;
  double dropout = 0.1;
  bool norm_first = false, gelu = false;
};
class TransformerEncoderLayer : public Module {               // sequences are [batch, time, feature]
 public:
  TransformerEncoderLayer(int64_t width, int64_t heads, TransformerOptions o = {})
      : self_attn(width, heads, o.dropout), linear1(width, o.feedforward), linear2(o.feedforward, width), norm1({width}), norm2({width}),
        dropout(o.dropout), options(o) {
    add("self_attn", self_attn), add("linear1", linear1), add("dropout", dropout), add("linear2", linear2), add("norm1", norm1), add("norm2", norm2);
  }
  Tensor forward(const Tensor& x) override { return run(x); }
  Tensor run(const Tensor& x, const Tensor& mask = {}, bool is_causal = false) {
    const auto attend = [&](const Tensor& t) { return self_attn.attend(t, t, t, mask, is_causal); };
    const auto feed = [&](const Tensor& t) {
      const Tensor inner = linear1(t);
      return linear2(dropout(options.gelu ? gelu(inner) : relu(inner)));
    };
    return joined(joined(x, norm1, attend), norm2, feed);
  }
  MultiheadAttention self_attn;
  Linear linear1, linear2;
  LayerNorm norm1, norm2;
  Dropout dropout;
  TransformerOptions options;

 private:
  template <class F> Tensor joined(const Tensor& x, LayerNorm& norm, const F& block) {
    return options.norm_first ? x + dropout(block(norm(x))) : norm(x + dropout(block(x)));
  }
};

}  // namespace nn
}  // namespace v1
}  // namespace gradus

#endif  // GRADUS_NN_ATTENTION_HPP
