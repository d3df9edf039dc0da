// A graph as DOT and JSON: all of it, each node once, in the same words every time.
#include "io/graph.h"

#include "fixture.h"

namespace gradus {
namespace {

using Graph = Core;

std::string json(Tensors outputs, const io::GraphOptions& o = {}) { return io::graph_json(outputs, o); }
std::string dot(Tensors outputs, const io::GraphOptions& o = {}) { return io::graph_dot(outputs, o); }
size_t count(const std::string& s, const std::string& part) {
  size_t n = 0;
  for (size_t at = s.find(part); at != std::string::npos; at = s.find(part, at + part.size())) ++n;
  return n;
}
void expect_part(const std::string& s, const std::string& part) { EXPECT_NE(s.find(part), std::string::npos) << "\"" << part << "\" is not in\n" << s; }

// What the autograd tutorial computes.
struct Tutorial {
  Tutorial() {
    a = linspace(0, 6.28, 25);
    set_requires_grad(a.impl(), true);
    b = sin(a);
    c = mul(2, b);
    d = add(c, 1);
    out = sum(d);
  }
  Tensor a, b, c, d, out;
};

TEST_F(Graph, TheTutorialAsJson) {
  const Tutorial t;
  const Tensor named[] = {t.a, t.out};
  EXPECT_EQ(json({t.out}, {named, {"a", "out"}}), R"({"version": 1, "saved_bytes": 100, "roots": [{"node": 5, "output_nr": 0}], "nodes": [
{"id": 1, "name": "AccumulateGrad", "sequence": 1, "leaf": {"name": "a", "shape": [25], "dtype": "float32", "requires_grad": true, "has_grad": false}},
{"id": 2, "name": "SinBackward0", "sequence": 2, "op": "sin", "freed": false, "arguments": {}, "outputs": [{"name": null, "shape": [25], "dtype": "float32"}], "saved": [{"what": "self", "output": false, "freed": false, "packed": false, "shape": [25], "dtype": "float32", "bytes": 100}], "edges": [{"input": 0, "argument": "self", "node": 1, "output_nr": 0}]},
{"id": 3, "name": "MulBackward0", "sequence": 3, "op": "mul", "freed": false, "arguments": {"self": 2}, "outputs": [{"name": null, "shape": [25], "dtype": "float32"}], "saved": [], "edges": [{"input": 0, "argument": "self", "node": null, "output_nr": 0}, {"input": 1, "argument": "other", "node": 2, "output_nr": 0}]},
{"id": 4, "name": "AddBackward0", "sequence": 4, "op": "add", "freed": false, "arguments": {"other": 1}, "outputs": [{"name": null, "shape": [25], "dtype": "float32"}], "saved": [], "edges": [{"input": 0, "argument": "self", "node": 3, "output_nr": 0}, {"input": 1, "argument": "other", "node": null, "output_nr": 0}]},
{"id": 5, "name": "SumBackward0", "sequence": 5, "op": "sum", "freed": false, "arguments": {}, "outputs": [{"name": "out", "shape": [], "dtype": "float32"}], "saved": [], "edges": [{"input": 0, "argument": "self", "node": 4, "output_nr": 0}]}
]}
)");
}

TEST_F(Graph, TheTutorialAsDot) {
  const Tutorial t;
  const Tensor named[] = {t.a};
  const std::string body = R"(digraph autograd {
  node [fontname="Helvetica", fontsize=11];
  edge [fontname="Helvetica", fontsize=9];
  output0 [shape=plaintext, label="output 0"];
  output0 -> n5;
  n1 [shape=ellipse, style=filled, fillcolor="#dcebf7", label="a\nfloat32 [25]"];
  n2 [shape=box, label="SinBackward0\nfloat32 [25]"];
  n2 -> n1 [label="self"];
@  n3 [shape=box, label="MulBackward0\nself = 2\nfloat32 [25]"];
  n3 -> n2 [label="other"];
  n4 [shape=box, label="AddBackward0\nother = 1\nfloat32 [25]"];
  n4 -> n3 [label="self"];
  n5 [shape=box, label="SumBackward0\nfloat32 []"];
  n5 -> n4 [label="self"];
}
)";
  const size_t at = body.find('@');
  const std::string note = R"(  n2s0 [shape=note, fontsize=9, color="#888888", label="saved self\nfloat32 [25]\n100 bytes"];
  n2 -> n2s0 [style=dotted, arrowhead=none];
)";
  EXPECT_EQ(dot({t.out}, {named, {"a"}}), body.substr(0, at) + body.substr(at + 1));
  EXPECT_EQ(dot({t.out}, {named, {"a"}, true}), body.substr(0, at) + note + body.substr(at + 1));
}

TEST_F(Graph, FreedValuesAndGradients) {
  const Tutorial t;
  backward({&t.out, 1}, {}, {});
  const std::string j = json({t.out}), d = dot({t.out}, {{}, {}, true});
  expect_part(j, "\"saved_bytes\": 0,");
  expect_part(j, "\"op\": \"sin\", \"freed\": true,");
  expect_part(j, "\"saved\": [{\"what\": \"self\", \"output\": false, \"freed\": true}]");
  expect_part(j, "\"has_grad\": true");
  expect_part(d, "style=dashed, label=\"SinBackward0\\nfloat32 [25]\\nfreed\"");
  expect_part(d, "label=\"saved self\\nfreed\"");
  expect_part(d, "label=\"leaf\\nfloat32 [25]\\nhas grad\"");
}

TEST_F(Graph, ASharedNodeStandsOnceAndASharedStorageCountsOnce) {
  const Tensor a = leaf({1, 2}, {2}), b = exp(a), y = mul(b, b), z = mul(y, b);
  const std::string j = json({z, y, z});
  EXPECT_EQ(count(j, "\"id\""), 4u);
  expect_part(j, "\"roots\": [{\"node\": 4, \"output_nr\": 0}, {\"node\": 3, \"output_nr\": 0}, {\"node\": 4, \"output_nr\": 0}]");
  expect_part(j, "\"saved_bytes\": 32,");                     // b and y; the exponential's node saved its own result, b
  expect_part(j, "{\"what\": \"result\", \"output\": true, \"freed\": false, \"packed\": false, \"shape\": [2], \"dtype\": \"float64\", \"bytes\": 16}");
  EXPECT_EQ(j, json({z, y, z}));
}

TEST_F(Graph, ListsSeveralResultsAndArguments) {
  const Tensor a = leaf({1, 2, 3, 4}, {2, 2}), b = tensor({1, 2}, {1, 2});
  const Tensor parts[] = {a, b};
  const Tensor joined = cat(parts, 0);
  const Tensors halves = split(joined, 2, 1);
  const Tensors thirds = split(joined, 1, 1);
  const Tensor row_sum = sum(thirds[1], Sizes{0}, true);
  const std::string j = json({row_sum, halves[0]});
  expect_part(j, "\"argument\": \"tensors[0]\", \"node\": 1,");
  expect_part(j, "\"argument\": \"tensors[1]\", \"node\": null,");
  expect_part(j, "\"arguments\": {\"split_size\": 1, \"dim\": 1}");
  expect_part(j, "\"arguments\": {\"dim\": [0], \"keepdim\": true}");
  expect_part(dot({row_sum}), "dim = [0]\\nkeepdim = true\\nfloat64 [1, 1]");
  expect_part(dot({row_sum}), "[label=\"self, output 1\"]");
  expect_part(dot({thirds[1]}), "[label=\"output 1\"]");
}

TEST_F(Graph, NamesAreEscaped) {
  const Tensor a = leaf({1}, {1}), y = sin(a), unused = leaf({1}, {1});
  const Tensor named[] = {a, y, unused, tensor({1}, {1})};
  const io::GraphOptions o = {named, {"a \"\\\n\x01ä", "y", "u", "plain"}};
  const std::string j = json({y}, o), d = dot({y}, o);
  expect_part(j, "\"name\": \"a \\\"\\\\\\u000a\\u0001ä\"");
  expect_part(j, "{\"name\": \"y\", \"shape\": [1]");
  expect_part(d, "label=\"a \\\"\\\\\\n\x01ä\\nfloat64 [1]\"");
  expect_part(d, "y: float64 [1]");
  EXPECT_EQ(count(j, "\"id\""), 2u);
}

TEST_F(Graph, InfinitiesAreText) {
  const Tensor a = leaf({1}, {1});
  expect_part(json({mul(a, HUGE_VAL)}), "\"arguments\": {\"other\": \"inf\"}");
  expect_part(json({mul(a, 0.1)}), "\"arguments\": {\"other\": 0.1}");
}

struct Kept : Packed {
  Tensor value;
  Tensor unpack() override { return value; }
};
struct Keeper : SavedHooks {
  Ref<Packed> pack(const Tensor& value, const Op&) override {
    auto* p = new Kept;
    p->meta = value.meta();
    p->value = value;
    return Ref<Packed>::adopt(p);
  }
};
struct OwnRule : HostRule {
  std::string name() const override { return "Own\"Backward"; }
  void pull(Node*, Tensors&, const Tensors&) override {}
  void free_saved() override {}
};

TEST_F(Graph, WhatHooksPackedAndFunctionsOfTheHost) {
  const Tensor a = leaf({1, 2}, {2}), y = tensor({1, 2}, {2});
  push_saved_hooks(Ref<SavedHooks>::adopt(new Keeper));
  const Tensor b = sin(a);
  pop_saved_hooks();
  Edge to[] = {history(b.impl()), Edge()};
  set_history(y.impl(), make_host_node(std::make_unique<OwnRule>(), to, {&y, 1}), 0);
  const std::string j = json({y}), d = dot({y}, {{}, {}, true});
  expect_part(j, "\"saved_bytes\": 0,");
  expect_part(j, "\"freed\": false, \"packed\": true, \"shape\": [2], \"dtype\": \"float64\", \"bytes\": 16}");
  expect_part(j, "\"name\": \"Own\\\"Backward\", \"sequence\": 3, \"op\": null,");
  expect_part(j, "\"argument\": \"inputs[1]\", \"node\": null");
  expect_part(d, "packed by a hook");
  expect_part(d, "label=\"Own\\\"Backward\\nfloat64 [2]\"");
}

TEST_F(Graph, AnyDepth) {
  const Tensor a = leaf({1}, {1});
  Tensor y = a;
  constexpr size_t depth = 1000000;
  for (size_t i = 0; i < depth; ++i) y = add(y, 1);
  const std::string d = dot({y}), j = json({y});
  EXPECT_EQ(count(d, "AddBackward0"), depth);
  EXPECT_EQ(count(j, "\n{\"id\""), depth + 1);
  expect_part(j, "{\"id\": 1000001,");
}

TEST_F(Graph, ALeafIsAGraphAndNothingIsNone) {
  const Tensor a = leaf({1}, {1}), plain = tensor({1}, {1});
  EXPECT_EQ(count(json({a}), "\"id\""), 1u);
  set_requires_grad(a.impl(), true);
  const Tensor y = sin(a);
  set_requires_grad(a.impl(), false);
  expect_part(dot({y}), "requires no grad");
  expect_error(Status::state, "output 1 does not require grad", [&] { json({y, plain}); });
  expect_error(Status::value, "no outputs", [&] { dot({}); });
}

}  // namespace
}  // namespace gradus
