#include "io/graph.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "graph/custom.h"
#include "graph/history.h"
#include "graph/shared_node.h"
#include "io/bytes.h"

namespace gradus::io {
namespace {

// ---- texts
// Of a label's line in DOT, where a line ends in \n as two characters.
std::string label(std::string_view s) {
  std::string out;
  for (const char c : s) {
    if (c == '\n') { out += "\\n"; continue; }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}
std::string json(double v) { return std::isfinite(v) ? format("{}", v) : format("\"{}\"", v); }

template <class T, class F> std::string list(std::span<const T> items, F&& f) {
  std::string s = "[";
  for (size_t i = 0; i < items.size(); ++i) (s += i ? ", " : "") += f(items[i]);
  return s += "]";
}
std::string json(const Value& v) {
  switch (v.tag) {
    case Tag::boolean: return v.i ? "true" : "false";
    case Tag::integer: return format("{}", v.i);
    case Tag::real: return json(v.d);
    case Tag::complex: return format("[{}, {}]", json(v.d), json(v.number().im));
    case Tag::text: return quoted({static_cast<const char*>(v.p), static_cast<size_t>(v.length)});
    case Tag::dtype: return quoted(name(static_cast<Dtype>(v.aux)));
    case Tag::integers: return list(SizesRef(static_cast<const int64_t*>(v.p), static_cast<size_t>(v.length)), [](int64_t i) { return format("{}", i); });
    case Tag::reals: return list(std::span(static_cast<const double*>(v.p), static_cast<size_t>(v.length)), [](double d) { return json(d); });
    default: return "null";
  }
}

// ---- what a node says of itself
// A saved value: of what hooks made of it, if they did, the meta of the tensor.
struct SavedNote {
  std::string what;                                           // "self", "result", "saved[0]" of a function of the host
  bool is_output, freed, packed;
  Meta meta;                                                  // unless it is freed
  int64_t bytes() const { return numel_of(meta.sizes) * size_of(meta.dtype); }
};

// The arguments by flat input: "self", "tensors[1]".
std::vector<std::string> inputs_of(const Node* n) {
  std::vector<std::string> out;
  if (n->is_sink()) return out;
  const Schema& schema = n->op->info->schema;
  const int members = static_cast<int>(n->edge_count) - schema.inputs + 1;       // of the one Tensor[] argument
  for (const Argument& a : schema.arguments) {
    if (a.type != Type::tensor) continue;
    if (!a.list) out.push_back(a.name);
    for (int m = 0; a.list && m < members; ++m) out.push_back(format("{}[{}]", a.name, m));
  }
  return out;
}
std::string result_of(const Node* n, size_t nr) {
  const auto& results = n->op->info->schema.results;
  if (results.size() == 1 && !results[0].list) return "result";
  return nr < results.size() && !results[nr].name.empty() ? results[nr].name : format("result[{}]", nr);
}
std::string saved_label(const Node* n, const Saved& s, const std::vector<std::string>& inputs) {
  return s.is_output ? result_of(n, s.slot) : s.slot < inputs.size() ? inputs[s.slot] : format("input[{}]", s.slot);
}
std::vector<SavedNote> saved_of(Node* n, const std::vector<std::string>& inputs) {
  std::vector<SavedNote> out;
  const SavedValues values(n, SavedValues::Use::look);
  for (const Saved& s : values.get()) {
    const bool freed = !s.tensor;
    const Meta meta = freed ? Meta{} : s.is_packed ? s.packed->meta : Tensor::share(s.tensor).meta();
    out.push_back({saved_label(n, s, inputs), s.is_output, freed, s.is_packed, meta});
  }
  if (const FunctionCall* call = function_call_of(n))
    for (const FunctionCall::Note& s : call->notes()) out.push_back({format("saved[{}]", s.index), s.is_output, s.freed, s.packed, s.meta});
  return out;
}
// Arguments that are no tensors and not at their defaults: name and JSON.
std::vector<std::pair<std::string, std::string>> attributes_of(const Node* n) {
  std::vector<std::pair<std::string, std::string>> out;
  if (n->is_sink() || !n->has_args()) return out;
  const auto& arguments = n->op->info->schema.arguments;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string value = json(n->args[i]);
    if (value != "null" && value != json(n->op->info->defaults[i])) out.emplace_back(arguments[i].name, value);
  }
  return out;
}

// ---- the graph
class Graph {
 public:
  Graph(std::span<const Tensor> outputs, const GraphOptions& options) {
    GRADUS_CHECK(!outputs.empty(), value, "graph: no outputs given");
    for (size_t i = 0; i < outputs.size(); ++i) {
      GRADUS_CHECK(needs_grad(outputs[i].impl()), state, "graph: output {} does not require grad and has no history", i);
      roots.push_back(hold(outputs[i]));
    }
    for (size_t i = 0; i < options.tensors.size(); ++i) {
      if (!needs_grad(options.tensors[i].impl())) continue;
      const Edge e = hold(options.tensors[i]);
      names_.insert({{e.node, e.nr}, options.names[i]});
    }
    reach();
  }

  size_t id(const Node* n) const { return ids_.at(n); }
  // What the caller calls an output of a node; empty if nothing.
  std::string_view name_of(const Node* n, uint32_t nr) const {
    const auto at = names_.find({n, nr});
    return at == names_.end() ? std::string_view() : at->second;
  }
  int64_t saved_bytes() const {                               // of the storages kept alive
    int64_t bytes = 0;
    each_held([&](const Node*, const Storage& s, std::string_view) { bytes += s.bytes; });
    return bytes;
  }
  // Each storage once, with the oldest node that keeps it, and by whom if not by the node itself.
  template <class F> void each_held(F&& f) const {
    std::unordered_set<const Storage*> seen;
    for (Node* n : nodes) {
      const SeeHeld see = [&](const TensorImpl* t, std::string_view by) {
        if (seen.insert(t->storage).second) f(n, *t->storage, by);
      };
      const SavedValues values(n, SavedValues::Use::look);
      for (const Saved& v : values.get()) held(v, see);
      if (HostRule* host = host_of(n)) host->held(see);
    }
  }

  std::vector<Edge> roots;
  std::vector<Node*> nodes;                                   // oldest first

 private:
  Edge hold(const Tensor& t) {
    const Edge e = history(t.impl());
    held_.push_back(Ref<Node>::adopt(e.node));
    return e;
  }
  void reach() {
    const auto visit = [&](Node* n) { if (n && ids_.insert({n, 0}).second) nodes.push_back(n); };
    for (const Edge& e : roots) visit(e.node);
    for (size_t next = 0; next < nodes.size(); ++next)
      for (uint32_t i = 0; i < nodes[next]->edge_count; ++i) visit(nodes[next]->edges()[i].node);
    // Numbers of different contexts may be equal: then the order in which nodes are found, which is the same every time.
    std::stable_sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
    for (size_t i = 0; i < nodes.size(); ++i) ids_[nodes[i]] = i + 1;
  }

  std::vector<Ref<Node>> held_;
  std::unordered_map<const Node*, size_t> ids_;
  std::map<std::pair<const Node*, uint32_t>, std::string_view> names_;
};

// ---- JSON
std::string json_meta(Dtype dtype, SizesRef sizes) { return format("\"shape\": {}, \"dtype\": {}", text(sizes), quoted(name(dtype))); }

std::string json_leaf(const Graph& g, const Node* n) {
  const TensorImpl* t = n->leaf;
  const std::string_view called = g.name_of(n, 0);
  return format("\"leaf\": {{\"name\": {}, {}, \"requires_grad\": {}, \"has_grad\": {}}}", called.empty() ? "null" : quoted(called),
                json_meta(t->dtype, t->sizes()), t->requires_grad, t->autograd && t->autograd->grad);
}
std::string json_saved(const SavedNote& s) {
  std::string out = format("{{\"what\": {}, \"output\": {}, ", quoted(s.what), s.is_output);
  if (s.freed) return out += "\"freed\": true}";
  return out += format("\"freed\": false, \"packed\": {}, {}, \"bytes\": {}}}", s.packed, json_meta(s.meta.dtype, s.meta.sizes), s.bytes());
}
std::string json_op(const Graph& g, Node* n) {
  const std::vector<std::string> inputs = inputs_of(n);
  std::string s = format("\"op\": {}, \"freed\": {}, \"arguments\": {{", host_of(n) ? "null" : quoted(name(*n->op)), n->freed() ? "true" : "false"), comma;
  for (const auto& [key, value] : attributes_of(n)) s += format("{}{}: {}", std::exchange(comma, ", "), quoted(key), value);
  s += "}, \"outputs\": [";
  comma.clear();
  for (uint32_t k = 0; k < n->output_count; ++k) {
    const OutputMeta m = output_meta(n, k);
    const std::string_view called = g.name_of(n, k);
    s += format("{}{{\"name\": {}, {}}}", std::exchange(comma, ", "), called.empty() ? "null" : quoted(called), json_meta(m.dtype, m.sizes));
  }
  s += "], \"saved\": ";
  const std::vector<SavedNote> saved = saved_of(n, inputs);
  s += list(std::span(saved), json_saved);
  s += ", \"edges\": [";
  comma.clear();
  for (uint32_t i = 0; i < n->edge_count; ++i) {
    const Edge& e = n->edges()[i];
    s += format("{}{{\"input\": {}, \"argument\": {}, \"node\": {}, \"output_nr\": {}}}", std::exchange(comma, ", "), i,
                quoted(i < inputs.size() ? inputs[i] : ""), e.node ? format("{}", g.id(e.node)) : "null", e.nr);
  }
  return s += "]";
}

// ---- DOT
std::string dot_text(Dtype dtype, SizesRef sizes) { return format("{} {}", name(dtype), text(sizes)); }

std::string dot_leaf(const Graph& g, const Node* n) {
  const TensorImpl* t = n->leaf;
  const std::string_view called = g.name_of(n, 0);
  return format("  n{} [shape=ellipse, style=filled, fillcolor=\"#dcebf7\", label=\"{}\\n{}{}\"];\n", g.id(n), called.empty() ? "leaf" : label(called),
                dot_text(t->dtype, t->sizes()), !t->requires_grad ? "\\nrequires no grad" : t->autograd->grad ? "\\nhas grad" : "");
}
std::string dot_op(const Graph& g, Node* n, bool saved) {
  const std::vector<std::string> inputs = inputs_of(n);
  std::string s = format("  n{} [shape=box{}, label=\"{}", g.id(n), n->freed() ? ", style=dashed" : "", label(node_name(n)));
  for (const auto& [key, value] : attributes_of(n)) s += format("\\n{} = {}", label(key), label(value));
  for (uint32_t k = 0; k < n->output_count; ++k) {
    const OutputMeta m = output_meta(n, k);
    const std::string_view called = g.name_of(n, k);
    s += format("\\n{}{}{}{}", n->output_count > 1 ? format("{}: ", k) : "", label(called), called.empty() ? "" : ": ", dot_text(m.dtype, m.sizes));
  }
  s += n->freed() ? "\\nfreed\"];\n" : "\"];\n";
  for (uint32_t i = 0; i < n->edge_count; ++i) {
    const Edge& e = n->edges()[i];
    if (!e.node) continue;
    s += format("  n{} -> n{} [label=\"{}{}\"];\n", g.id(n), g.id(e.node), label(i < inputs.size() ? inputs[i] : ""),
                e.node->output_count > 1 ? format(", output {}", e.nr) : "");
  }
  if (!saved) return s;
  size_t i = 0;
  for (const SavedNote& v : saved_of(n, inputs)) {
    const std::string meta = v.freed ? "freed" : format("{}\\n{} bytes{}", dot_text(v.meta.dtype, v.meta.sizes), v.bytes(), v.packed ? "\\npacked by a hook" : "");
    s += format("  n{0}s{1} [shape=note, fontsize=9, color=\"#888888\", label=\"{2}{3}\\n{4}\"];\n  n{0} -> n{0}s{1} [style=dotted, arrowhead=none];\n",
                g.id(n), i, host_of(n) ? "" : "saved ", label(v.what), meta);
    ++i;
  }
  return s;
}

}  // namespace

std::string graph_json(std::span<const Tensor> outputs, const GraphOptions& options) {
  const Graph g(outputs, options);
  std::string s = format("{{\"version\": 1, \"saved_bytes\": {}, \"roots\": [", g.saved_bytes()), comma;
  for (const Edge& e : g.roots) s += format("{}{{\"node\": {}, \"output_nr\": {}}}", std::exchange(comma, ", "), g.id(e.node), e.nr);
  s += "], \"nodes\": [";
  comma.clear();
  for (Node* n : g.nodes) {
    s += format("{}\n{{\"id\": {}, \"name\": {}, \"sequence\": {}, ", std::exchange(comma, ","), g.id(n), quoted(node_name(n)), n->sequence);
    s += n->is_sink() ? json_leaf(g, n) : json_op(g, n);
    s += "}";
  }
  return s += "\n]}\n";
}

std::string saved_table(std::span<const Tensor> outputs) {
  const Graph g(outputs, {});
  struct Row { int64_t nodes = 0, values = 0, bytes = 0, leaves = 0; };
  std::map<std::string, Row, std::less<>> rows;
  std::unordered_set<const Storage*> of_leaves;
  Row total;
  const auto called = [](const Node* n) { return host_of(n) ? host_of(n)->name() : std::string(name(*n->op)); };
  for (Node* n : g.nodes) {
    if (n->is_sink()) of_leaves.insert(n->leaf->storage);
    int64_t values = 0;
    const SavedValues saved(n, SavedValues::Use::look);
    for (const Saved& v : saved.get()) values += v.tensor != nullptr;
    if (HostRule* host = host_of(n)) host->held([&](const TensorImpl*, std::string_view) { ++values; });
    if (values == 0) continue;
    Row& r = rows[called(n)];
    ++r.nodes, ++total.nodes;
    r.values += values, total.values += values;
  }
  g.each_held([&](const Node* n, const Storage& s, std::string_view by) {
    Row& r = rows[by.empty() ? called(n) : std::string(by)];
    r.bytes += s.bytes, total.bytes += s.bytes;
    if (of_leaves.count(&s)) r.leaves += s.bytes, total.leaves += s.bytes;
  });
  std::vector<std::pair<std::string, Row>> sorted(rows.begin(), rows.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  sorted.emplace_back("total", total);
  size_t width = sizeof "operation" - 1;
  for (const auto& [op, r] : sorted) width = std::max(width, op.size());
  std::string out = format("{:<{}}  {:>8}  {:>8}  {:>14}  {:>14}\n", "operation", width, "nodes", "values", "bytes", "of leaves");
  for (const auto& [op, r] : sorted) out += format("{:<{}}  {:>8}  {:>8}  {:>14}  {:>14}\n", op, width, r.nodes, r.values, r.bytes, r.leaves);
  return out;
}

std::string graph_dot(std::span<const Tensor> outputs, const GraphOptions& options) {
  const Graph g(outputs, options);
  std::string s = "digraph autograd {\n  node [fontname=\"Helvetica\", fontsize=11];\n  edge [fontname=\"Helvetica\", fontsize=9];\n";
  for (size_t i = 0; i < g.roots.size(); ++i) {
    const Edge& e = g.roots[i];
    s += format("  output{0} [shape=plaintext, label=\"output {0}\"];\n  output{0} -> n{1}{2};\n", i, g.id(e.node),
                e.node->output_count > 1 ? format(" [label=\"output {}\"]", e.nr) : "");
  }
  for (Node* n : g.nodes) s += n->is_sink() ? dot_leaf(g, n) : dot_op(g, n, options.saved);
  return s += "}\n";
}

}  // namespace gradus::io
