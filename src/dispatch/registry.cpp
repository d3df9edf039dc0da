#include "dispatch/registry.h"

#include <mutex>
#include <unordered_map>

namespace gradus {
namespace {

struct Registry {
  std::once_flag once;
  std::vector<const Op*> ops;
  std::unordered_map<std::string_view, const Op*> by_name;
};
Registry& registry() {                                        // never destroyed: ops are valid until the process ends
  alignas(Registry) static char place[sizeof(Registry)];
  static Registry* r = new (place) Registry;
  return *r;
}

bool has_in_place_form(const Op& op) {
  const Schema& s = op.info->schema;
  return (op.formula || op.updates || op.in_place) && s.inputs > 0 && s.arguments[0].type == Type::tensor && !s.arguments[0].list &&
         s.results.size() == 1;
}

void derive(Op& op, OpInfo& info) {
  const Schema& s = info.schema;
  GRADUS_CHECK(s.arguments.size() <= kMaxArguments && s.inputs <= 2 * kMaxInputs, internal, "{}: too many arguments", info.name);
  for (size_t i = 0; i < s.arguments.size(); ++i) info.defaults[i] = s.arguments[i].fallback;
  if (op.formula) {
    info.kernels = op.formula->table() + op.formula->row;
    for (int i = 0; i < op.formula->arity; ++i)               // a slope that is always 0 gives a gradient of zeros
      if (op.formula->slope[i].exists) info.rules |= 1u << i;
  }
  for (int i = 0; i < s.inputs && i < kMaxInputs; ++i)
    if (op.vjp_all || op.vjp[i]) info.rules |= 1u << i;
  info.differentiable = info.rules != 0 || op.compose;
}

void add(Registry& r, Op& op) {
  auto* info = new OpInfo;
  info->schema = parse_schema(op.schema);
  info->name = info->schema.name;
  info->functional = nullptr;
  op.info = info;
  info->op = &op;
  derive(op, *info);
  info->index = static_cast<int>(r.ops.size());
  r.ops.push_back(&op);
  GRADUS_CHECK(r.by_name.emplace(info->name, &op).second, internal, "{} is defined twice", info->name);
}

void add_in_place(Registry& r, const Op& op) {
  auto* form = new Op(op);
  auto* info = new OpInfo;
  info->schema = parse_schema(op.schema);                     // its defaults point into itself
  info->schema.name += "_";
  info->name = info->schema.name;
  info->schema.arguments[0].aliases = info->schema.arguments[0].written = true;
  info->schema.results[0].aliases = info->schema.results[0].written = true;
  info->functional = &op;
  form->info = info;
  info->op = form;
  derive(*form, *info);
  info->index = static_cast<int>(r.ops.size());
  op.info->in_place = form;
  r.ops.push_back(form);
  r.by_name.emplace(info->name, form);
}

}  // namespace

void complete_registry(OpLists lists) {
  Registry& r = registry();
  std::call_once(r.once, [&] {
    r.ops.clear();                                            // of an attempt that ran out of memory
    r.by_name.clear();
    for (const auto list : lists)
      for (Op* op : list) {
        add(r, *op);
        if (has_in_place_form(*op)) add_in_place(r, *op);
      }
  });
}

std::span<const Op* const> all_ops() { return registry().ops; }

const Op* find_op(std::string_view name) {
  const auto& map = registry().by_name;
  const auto at = map.find(name);
  return at == map.end() ? nullptr : at->second;
}

}  // namespace gradus
