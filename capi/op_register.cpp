// Operations of the host: a schema and callbacks that become an op of the registry. A call of one is an application of a function.
#include <deque>
#include <vector>

#include "capi/callback.h"
#include "dispatch/host_schema.h"
#include "dispatch/registry.h"
#include "graph/custom.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

struct HostOp : Op {
  explicit HostOp(const gradus_op_definition& d);
  bool keeps_arguments() const { return callback_backward && !(flags & GRADUS_OP_FORGETS_ARGUMENTS); }
  bool keeps_results() const { return callback_backward && !(flags & GRADUS_OP_FORGETS_RESULTS); }
  bool returns_list() const { return own.schema.results[0].list; }

  OpInfo own;
  std::string text, summary;
  gradus_op_fn callback_forward, callback_backward;
  void* user;
  uint32_t flags;
};

constexpr size_t kListRoom = 1024;                            // results of an operation that returns a list

// Values that a callback has put there: the library's, whatever happens.
class Given {
 public:
  explicit Given(size_t n) : values_(n) {}
  ~Given() {
    for (const gradus_value& v : values_)
      if (v.kind == GRADUS_V_TENSOR && is(v.u.tensor, Kind::tensor)) release(core<TensorImpl>(v.u.tensor));
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
  gradus_value* data() { return values_.data(); }
  Tensor take(size_t i, const std::string& by) {
    gradus_value& v = values_[i];
    if (v.kind == GRADUS_V_DEFAULT || v.kind == GRADUS_V_NONE) return {};
    GRADUS_CHECK(v.kind == GRADUS_V_TENSOR, value, "{}: value {} that it gave has kind {}, not that of a tensor", by, i, v.kind);
    if (!is(v.u.tensor, Kind::tensor)) refuse_handle(v.u.tensor, Kind::tensor, "results");
    v.kind = GRADUS_V_NONE;
    return Tensor::adopt(core<TensorImpl>(v.u.tensor));
  }

 private:
  std::vector<gradus_value> values_;
};

// Arguments as they were, but for tensors, which a call saves.
class KeptArguments {
 public:
  void keep(const Value* values, size_t n) {
    values_.assign(values, values + n);
    for (Value& v : values_) {
      if (v.tag == Tag::integers || v.tag == Tag::reals) copy(v, 8 * v.length);
      else if (v.tag == Tag::text) copy(v, v.length);
      else if (v.tag == Tag::tensor || v.tag == Tag::tensors) v.p = nullptr;
    }
  }
  const std::vector<Value>& values() const { return values_; }

 private:
  void copy(Value& v, size_t bytes) {
    if (bytes == 0) return;
    std::vector<uint64_t>& to = room_.emplace_back((bytes + 7) / 8);
    std::memcpy(to.data(), v.p, bytes);
    v.p = to.data();
  }
  std::vector<Value> values_;
  std::deque<std::vector<uint64_t>> room_;
};

class OpCall : public Function {
 public:
  OpCall(const HostOp& op, const Value* values) : op_(op), values_(values) {}
  std::string name() const override { return op_.own.name; }
  std::string node_name() const override { return gradus::node_name(op_.own.name); }

  void forward(FunctionCall& call, std::span<const Tensor> inputs, std::vector<Tensor>& results) override {
    const size_t n = op_.own.schema.arguments.size(), wanted = op_.own.schema.results.size();
    Given given(op_.returns_list() ? kListRoom : wanted);
    size_t count = run(op_.callback_forward, "forward", {values_, n}, given, op_.returns_list() ? kListRoom : wanted);
    GRADUS_CHECK(op_.returns_list() || count == wanted, value, "{}: it gave {} results, its schema has {}", name(), count, wanted);
    for (size_t i = 0; i < count; ++i) {
      results.push_back(given.take(i, name()));
      GRADUS_CHECK(results.back(), value, "{}: result {} is none", name(), i);
    }
    if (!call.records()) return;
    kept_.keep(values_, n);
    std::vector<Tensor> saved(inputs.size());
    if (op_.keeps_arguments()) saved.assign(inputs.begin(), inputs.end());
    if (op_.keeps_results()) saved.insert(saved.end(), results.begin(), results.end());
    call.save(saved);
  }

  void pull(FunctionCall& call, std::span<const Tensor> gradients, std::vector<Tensor>& results) override {
    GRADUS_CHECK(op_.callback_backward, unsupported, "{}: the operation was registered without a backward", name());
    std::vector<Value> all;
    std::deque<std::vector<Tensor>> lists;                    // what the values look at
    const size_t flat = push_arguments(call, all, lists);
    std::vector<Tensor>& made = lists.emplace_back(gradients.size());
    for (size_t i = 0; op_.keeps_results() && i < made.size(); ++i) made[i] = call.saved(flat + i);
    if (op_.returns_list() && op_.keeps_results()) all.push_back(Value(std::span<const Tensor>(made)));
    else for (size_t i = 0; i < op_.own.schema.results.size(); ++i) all.push_back(op_.returns_list() ? Value(std::nullopt) : Value(made[i]));
    if (op_.returns_list()) all.push_back(Value(gradients));
    else for (const Tensor& g : gradients) all.push_back(Value(g));
    Given given(flat);
    const size_t count = run(op_.callback_backward, "backward", all, given, flat);
    for (size_t i = 0; i < count; ++i) results.push_back(given.take(i, node_name()));
  }

 private:
  // With the tensors that were saved. Returns how many there were.
  size_t push_arguments(const FunctionCall& call, std::vector<Value>& all, std::deque<std::vector<Tensor>>& lists) const {
    size_t flat = 0;
    const auto saved = [&] { return op_.keeps_arguments() ? call.saved(flat++) : (++flat, Tensor()); };
    for (size_t i = 0; i < kept_.values().size(); ++i) {
      const Value& v = kept_.values()[i];
      const Argument& a = op_.own.schema.arguments[i];
      if (a.type != Type::tensor) {
        all.push_back(v);
      } else if (!a.list) {
        all.push_back(Value(lists.emplace_back(1, saved())[0]));
      } else if (v.tag == Tag::none) {
        all.push_back(v);
      } else {
        std::vector<Tensor>& members = lists.emplace_back();
        for (uint64_t m = 0; m < v.length; ++m) members.push_back(saved());
        all.push_back(op_.keeps_arguments() ? Value(std::span<const Tensor>(members)) : Value(std::nullopt));
      }
    }
    return flat;
  }
  size_t run(gradus_op_fn f, const char* what, std::span<const Value> values, Given& given, size_t room) const {
    size_t count = 0;
    const Callback<gradus_op_fn> callback(f, op_.user, nullptr);
    callback.run(what, reinterpret_cast<const gradus_value*>(values.data()), values.size(), given.data(), room, &count);
    GRADUS_CHECK(count <= room, value, "{}: its {} gave {} values, room for {}", name(), what, count, room);
    return count;
  }

  const HostOp& op_;
  const Value* values_;                                       // of the caller, while forward runs
  KeptArguments kept_;
};

void run_host_op(const Args& args, Tensors& out) {
  const auto& op = static_cast<const HostOp&>(args.op());
  std::vector<Tensor> inputs, results;
  for_each_input(op, args, [&](int, int, int, TensorImpl* t) { inputs.push_back(Tensor::share(t)); });
  apply_function(Ref<Function>::adopt(new OpCall(op, args.values())), inputs, results);
  out.assign(results);
}

HostOp::HostOp(const gradus_op_definition& d)
    : summary(d.summary ? d.summary : ""), callback_forward(d.forward), callback_backward(d.backward), user(d.user), flags(d.flags) {
  own.schema = parse_host_schema(d.name, d.schema);
  own.name = own.schema.name;
  own.op = this;
  own.host = true;
  own.differentiable = d.backward != nullptr;
  for (size_t i = 0; i < own.schema.arguments.size(); ++i) own.defaults[i] = own.schema.arguments[i].fallback;
  text = print(own.schema);
  schema = text;
  doc = summary;
  compose = run_host_op;
  info = &own;
}

}  // namespace

gradus_status gradus_op_register(gradus_context* ctx, const gradus_op_definition* definition, const gradus_op** op) {
  if (op) *op = nullptr;
  return guard(ctx, "op_register", [&](Context&) {
    const gradus_op_definition d = read_options(needed(definition, "definition"));
    constexpr uint32_t known = GRADUS_OP_FORGETS_ARGUMENTS | GRADUS_OP_FORGETS_RESULTS;
    check_flags(d.flags, known);
    needed(d.name, "name");
    needed(d.schema, "schema");
    needed(d.forward, "forward");
    auto made = std::make_unique<HostOp>(d);
    append_op(*made);
    const HostOp* for_good = made.release();
    if (op) *op = handle(&for_good->own);
  });
}
