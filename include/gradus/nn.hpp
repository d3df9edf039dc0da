// gradus/nn.hpp - layers in C++ with PyTorch's names, first values and state dicts, over the operations of ops.hpp.
//
//   struct Net : gradus::nn::Module {
//     gradus::nn::Linear hidden{64, 32}, out{32, 10};
//     Net() { add("hidden", hidden); add("out", out); }
//     Tensor forward(const Tensor& x) override { return out(gradus::relu(hidden(x))); }
//   };
//
// A module that is a member is added by reference, so modules are neither copied nor moved; Sequential owns what it is given.
#ifndef GRADUS_NN_HPP
#define GRADUS_NN_HPP

#include <cmath>
#include <limits>
#include <map>
#include <memory>

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {
namespace nn {

// Tensors with their names, in the order of a model.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// A layer or a model: named parameters and buffers, and layers inside.
class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;
  // What a layer of one input does. A module of several inputs has functions of its own.
  virtual Tensor forward(const Tensor& input) {
    static_cast<void>(input);
    throw Error(GRADUS_E_UNSUPPORTED, "this module has no forward of one tensor", "nn::Module::forward");
  }
  Tensor operator()(const Tensor& input) { return forward(input); }

  NamedTensors named_parameters() const { return collected(&Module::parameters_); }
  NamedTensors named_buffers() const { return collected(&Module::buffers_); }
  std::vector<Tensor> parameters() const {
    std::vector<Tensor> all;
    for (auto& [name, t] : named_parameters()) all.push_back(t);
    return all;
  }
  // Parameters and buffers by name, in PyTorch's order: the same memory, without history.
  NamedTensors state_dict() const {
    NamedTensors all;
    visit("", [&](const std::string& prefix, const Module& m) {
      for (const auto* table : {&m.parameters_, &m.buffers_})
        for (auto& [name, t] : *table) all.emplace_back(prefix + name, t.detach());
    });
    return all;
  }
  // Copies values into the parameters and buffers of those names. Nothing is written unless all names and sizes fit.
  void load_state_dict(const NamedTensors& state) {
    const std::map<std::string, Tensor> given(state.begin(), state.end());
    const NamedTensors mine = state_dict();
    for (auto& [name, t] : mine) {
      const auto found = given.find(name);
      if (found == given.end()) throw Error(GRADUS_E_UNKNOWN_NAME, "load_state_dict: " + name + " is missing", "load_state_dict");
      if (found->second.sizes() != t.sizes()) throw Error(GRADUS_E_SHAPE, "load_state_dict: " + name + " has other sizes", "load_state_dict");
    }
    if (given.size() != mine.size())
      throw Error(GRADUS_E_UNKNOWN_NAME, "load_state_dict: " + std::to_string(given.size()) + " names for " + std::to_string(mine.size()) +
                                             " parameters and buffers", "load_state_dict");
    const NoGradGuard no_grad;
    for (auto& [name, t] : mine) t.copy_(given.at(name));
  }

  void train(bool on = true) {
    training_ = on;
    for (auto& [name, m] : children_) m->train(on);
  }
  void eval() { train(false); }
  bool is_training() const { return training_; }
  void zero_grad() const {
    for (const Tensor& p : parameters()) p.zero_grad();
  }

 protected:
  void add(std::string name, Module& child) { children_.emplace_back(std::move(name), &child); }
  Tensor parameter(std::string name, const Tensor& first) {
    first.requires_grad_();
    parameters_.emplace_back(std::move(name), first);
    return first;
  }
  Tensor buffer(std::string name, const Tensor& first) {
    buffers_.emplace_back(std::move(name), first);
    return first;
  }

 private:
  template <class F> void visit(const std::string& prefix, const F& f) const {
    f(prefix, *this);
    for (auto& [name, m] : children_) m->visit(prefix + name + ".", f);
  }
  NamedTensors collected(NamedTensors Module::*table) const {
    NamedTensors all;
    visit("", [&](const std::string& prefix, const Module& m) {
      for (auto& [name, t] : m.*table) all.emplace_back(prefix + name, t);
    });
    return all;
  }

  NamedTensors parameters_, buffers_;
  std::vector<std::pair<std::string, Module*>> children_;
  bool training_ = true;
};

namespace detail {
using namespace v1::detail;
inline Tensor uniform(const IntList& sizes, double bound) { return (rand(sizes) * 2.0 - 1.0) * bound; }
// The bound of kaiming_uniform_ with a = sqrt(5): 1 / sqrt(fan in).
inline double by_fan_in(int64_t fan_in) { return fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0.0; }
inline void check(bool good, const char* where, const char* why) {
  if (!good) throw Error(GRADUS_E_VALUE, std::string(where) + ": " + why, where);
}
}  // namespace detail

// ---- layers
class Linear : public Module {                                // input weight^T + bias; weight is [out, in]
 public:
  Linear(int64_t in, int64_t out, bool with_bias = true) {
    weight = parameter("weight", detail::uniform({out, in}, detail::by_fan_in(in)));
    if (with_bias) bias = parameter("bias", detail::uniform({out}, detail::by_fan_in(in)));
  }
  Tensor forward(const Tensor& x) override { return linear(x, weight, bias); }
  Tensor weight, bias;
};

struct ConvOptions {
  std::vector<int64_t> stride = {1, 1};
  std::vector<int64_t> padding = {0, 0};
  std::vector<int64_t> dilation = {1, 1};
  int64_t groups = 1;
  bool bias = true;
};
class Conv2d : public Module {                                // weight is [out, in / groups, height, width]
 public:
  Conv2d(int64_t in, int64_t out, std::array<int64_t, 2> kernel, ConvOptions o = {}) : options(std::move(o)) {
    detail::check(options.groups > 0 && in % options.groups == 0 && out % options.groups == 0, "Conv2d", "groups divides both channel counts");
    const int64_t each = in / options.groups;
    const double bound = detail::by_fan_in(each * kernel[0] * kernel[1]);
    weight = parameter("weight", detail::uniform({out, each, kernel[0], kernel[1]}, bound));
    if (options.bias) bias = parameter("bias", detail::uniform({out}, bound));
  }
  Tensor forward(const Tensor& x) override {
    return conv2d(x, weight, bias, options.stride, options.padding, options.dilation, options.groups);
  }
  ConvOptions options;
  Tensor weight, bias;
};

class Embedding : public Module {                             // rows of weight by number
 public:
  Embedding(int64_t count, int64_t width) { weight = parameter("weight", randn({count, width})); }
  Tensor forward(const Tensor& numbers) override { return embedding(weight, numbers); }
  Tensor weight;
};

class Dropout : public Module {
 public:
  explicit Dropout(double share = 0.5) : p(share) { detail::check(share >= 0 && share <= 1, "Dropout", "p is between 0 and 1"); }
  Tensor forward(const Tensor& x) override { return dropout(x, p, is_training()); }
  double p;
};

// ---- normalizations
class BatchNorm2d : public Module {                           // of [batch, channel, height, width]; momentum of the running values
 public:
  explicit BatchNorm2d(int64_t channels, double epsilon = 1e-5, double share = 0.1) : eps(epsilon), momentum(share) {
    weight = parameter("weight", ones({channels}));
    bias = parameter("bias", zeros({channels}));
    running_mean = buffer("running_mean", zeros({channels}));
    running_var = buffer("running_var", ones({channels}));
    num_batches_tracked = buffer("num_batches_tracked", tensor(int64_t{0}));
  }
  Tensor forward(const Tensor& x) override {
    detail::check(x.dim() == 4, "BatchNorm2d", "the input has 4 dimensions");
    if (is_training()) {
      const auto n = x.sizes();
      detail::check(n[0] * n[2] * n[3] != 1, "BatchNorm2d", "more than one value per channel is needed in training");
      num_batches_tracked += int64_t{1};
    }
    return batch_norm(x, weight, bias, running_mean, running_var, is_training(), momentum, eps, false);
  }
  double eps, momentum;
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
};

class LayerNorm : public Module {                             // over the last dimensions
 public:
  explicit LayerNorm(std::vector<int64_t> over, double epsilon = 1e-5) : shape(std::move(over)), eps(epsilon) {
    weight = parameter("weight", ones(shape));
    bias = parameter("bias", zeros(shape));
  }
  Tensor forward(const Tensor& x) override { return layer_norm(x, shape, weight, bias, eps); }
  std::vector<int64_t> shape;
  double eps;
  Tensor weight, bias;
};

class RMSNorm : public Module {
 public:
  explicit RMSNorm(std::vector<int64_t> over, std::optional<double> epsilon = {}) : shape(std::move(over)), eps(epsilon) {
    weight = parameter("weight", ones(shape));
  }
  Tensor forward(const Tensor& x) override { return rms_norm(x, shape, weight, eps); }
  std::vector<int64_t> shape;
  std::optional<double> eps;
  Tensor weight;
};

class GroupNorm : public Module {
 public:
  GroupNorm(int64_t count, int64_t channels, double epsilon = 1e-5) : groups(count), eps(epsilon) {
    detail::check(count > 0 && channels % count == 0, "GroupNorm", "groups divides channels");
    weight = parameter("weight", ones({channels}));
    bias = parameter("bias", zeros({channels}));
  }
  Tensor forward(const Tensor& x) override { return group_norm(x, groups, weight, bias, eps); }
  int64_t groups;
  double eps;
  Tensor weight, bias;
};

// ---- recurrent layers
struct RecurrentOptions {
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

class LSTM : public Recurrent {
 public:
  LSTM(int64_t in, int64_t hidden, RecurrentOptions o = {}) : Recurrent(4, in, hidden, o) {}
  Tensor forward(const Tensor& x) override { return std::get<0>(run(x)); }
  // What each step gives, and the last states h and c; empty states stand for zeros.
  std::tuple<Tensor, Tensor, Tensor> run(const Tensor& x, const Tensor& h = {}, const Tensor& c = {}) const {
    const Tensor h0 = h.defined() ? h : first_state(x), c0 = c.defined() ? c : first_state(x);
    return lstm(x, {h0, c0}, weights, options.bias, options.layers, options.dropout, is_training(), options.bidirectional, options.batch_first);
  }
};

class GRU : public Recurrent {
 public:
  GRU(int64_t in, int64_t hidden, RecurrentOptions o = {}) : Recurrent(3, in, hidden, o) {}
  Tensor forward(const Tensor& x) override { return std::get<0>(run(x)); }
  std::tuple<Tensor, Tensor> run(const Tensor& x, const Tensor& h = {}) const {
    const Tensor h0 = h.defined() ? h : first_state(x);
    return gru(x, h0, weights, options.bias, options.layers, options.dropout, is_training(), options.bidirectional, options.batch_first);
  }
};

// ---- attention
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
    const auto w = in_proj_weight.chunk(3), b = in_proj_bias.chunk(3);
    const Tensor q = split(linear(query, w[0], b[0])), k = split(linear(key, w[1], b[1])), v = split(linear(value, w[2], b[2]));
    const Tensor found = scaled_dot_product_attention(q, k, v, mask, is_training() ? p : 0.0, is_causal);
    return out_proj(found.transpose(1, 2).flatten(2));
  }
  Linear out_proj;
  Tensor in_proj_weight, in_proj_bias;
  int64_t heads;
  double p;

 private:
  Tensor split(const Tensor& x) const {                       // [batch, head, time, feature of a head]
    return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  }
};

struct TransformerOptions {
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

// ---- one after the other
class Function : public Module {                              // a function of one tensor as a module: Function([](const Tensor& x) { ... })
 public:
  explicit Function(std::function<Tensor(const Tensor&)> f) : f_(std::move(f)) {}
  Tensor forward(const Tensor& x) override { return f_(x); }

 private:
  std::function<Tensor(const Tensor&)> f_;
};

class Sequential : public Module {
 public:
  // Adds a module, and gives it back: seq.push<Linear>(3, 4).
  template <class M, class... Args> M& push(Args&&... args) {
    modules_.push_back(std::make_unique<M>(std::forward<Args>(args)...));
    add(std::to_string(modules_.size() - 1), *modules_.back());
    modules_.back()->train(is_training());
    return static_cast<M&>(*modules_.back());
  }
  size_t size() const { return modules_.size(); }
  Module& operator[](size_t i) { return *modules_.at(i); }
  Tensor forward(const Tensor& input) override {
    Tensor x = input;
    for (auto& m : modules_) x = (*m)(x);
    return x;
  }

 private:
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace nn
}  // namespace v1
}  // namespace gradus

#endif  // GRADUS_NN_HPP
