// gradus/nn/module.hpp - modules: named parameters and buffers, layers inside, modes, state dicts; and modules one after the other.
#ifndef GRADUS_NN_MODULE_HPP
#define GRADUS_NN_MODULE_HPP

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {
namespace nn {

using v1::NamedTensors;

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
    std::map<std::string, Tensor> given;
    for (auto& [name, t] : state)
      if (!given.emplace(name, t).second) throw wrong(GRADUS_E_VALUE, name + " is given twice");
    const NamedTensors mine = state_dict();
    std::set<std::string> known;
    for (auto& [name, t] : mine) {
      const auto found = given.find(name);
      if (found == given.end()) throw wrong(GRADUS_E_UNKNOWN_NAME, name + " is missing");
      if (found->second.sizes() != t.sizes()) throw wrong(GRADUS_E_SHAPE, name + " has other sizes");
      known.insert(name);
    }
    for (auto& [name, t] : given)
      if (!known.count(name)) throw wrong(GRADUS_E_UNKNOWN_NAME, "the module has no " + name);
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
  // Names are unique in a module, and without a point: it stands between the names of a path.
  void add(std::string name, Module& child) {
    refuse(name);
    children_.emplace_back(std::move(name), &child);
  }
  Tensor parameter(std::string name, const Tensor& first) {
    refuse(name);
    first.requires_grad_();
    parameters_.emplace_back(std::move(name), first);
    return first;
  }
  Tensor buffer(std::string name, const Tensor& first) {
    refuse(name);
    buffers_.emplace_back(std::move(name), first);
    return first;
  }

 private:
  static Error wrong(gradus_status status, const std::string& why) { return Error(status, "load_state_dict: " + why, "load_state_dict"); }
  void refuse(const std::string& name) const {
    const auto has = [&](const auto& table) { return std::any_of(table.begin(), table.end(), [&](auto& entry) { return entry.first == name; }); };
    if (name.empty() || name.find('.') != std::string::npos)
      throw Error(GRADUS_E_VALUE, "Module: the name '" + name + "' is empty or has a point", "nn::Module");
    if (has(parameters_) || has(buffers_) || has(children_)) throw Error(GRADUS_E_VALUE, "Module: there is a " + name + " already", "nn::Module");
  }
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

class Function : public Module {                              // a function of one tensor as a module: Function([](const Tensor& x) { ... })
 public:
  explicit Function(std::function<Tensor(const Tensor&)> f) : f_(std::move(f)) {}
  Tensor forward(const Tensor& x) override { return f_(x); }

 private:
  std::function<Tensor(const Tensor&)> f_;
};

class Sequential : public Module {                            // modules one after the other, which it owns; their names are 0, 1, 2 and so on
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

#endif  // GRADUS_NN_MODULE_HPP
