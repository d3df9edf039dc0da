// The operations that exist, as structs and as one text.
#include "capi/invoke.h"
#include "capi/names.h"
#include "dispatch/registry.h"
#include "graph/out.h"
#include "ops/lists.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

std::span<const Op* const> known_ops() noexcept {
  const SettingUp in;
  if (!in) return {};
  try {
    if (all_ops().empty()) define_all_ops();
    return all_ops();
  } catch (...) {
    return {};
  }
}

int32_t kind_of(const Argument& a) {
  switch (a.type) {
    case Type::tensor: return a.list ? GRADUS_V_TENSOR_LIST : GRADUS_V_TENSOR;
    case Type::integer: return a.list ? GRADUS_V_I64_LIST : GRADUS_V_I64;
    case Type::real: case Type::scalar: return a.list ? GRADUS_V_F64_LIST : GRADUS_V_F64;
    case Type::boolean: return GRADUS_V_BOOL;
    case Type::dtype: return GRADUS_V_DTYPE;
    case Type::text: return GRADUS_V_TEXT;
    default: return GRADUS_V_NONE;
  }
}

// The schemas as printed, in-place forms included; made at first use and never freed, as the registry. Those of the host have theirs.
const char* schema_text(const OpInfo& op) {
  if (op.host) return op.op->schema.data();
  static const auto* texts = [] {
    auto* all = new std::vector<std::string>;
    for (const Op* o : all_ops())
      if (!o->info->host) all->push_back(print(o->info->schema));
    return all;
  }();
  return (*texts)[static_cast<size_t>(op.index)].c_str();
}

bool has_rule(const Op& op, const Argument& a) {
  if (a.type != Type::tensor || !op.info->differentiable) return false;
  if (op.formula) return op.formula->slope[a.input].exists;
  return op.compose || op.vjp_all || (a.input < kMaxInputs && op.vjp[a.input]);
}

}  // namespace

size_t gradus_op_count(void) { return known_ops().size(); }
const gradus_op* gradus_op_at(size_t index) {
  const auto ops = known_ops();
  return index < ops.size() ? handle(ops[index]->info) : nullptr;
}
const gradus_op* gradus_op_find(const char* name, size_t length) {
  if (!name || length > kLongest || known_ops().empty()) return nullptr;
  const Op* op = find_op({name, length});
  return op ? handle(op->info) : nullptr;
}

gradus_status gradus_op_describe(const gradus_op* handle, gradus_op_info* info) {
  if (!handle || !info) return GRADUS_E_NULL;
  if (!is(handle, Kind::op)) return GRADUS_E_HANDLE;
  const OpInfo& o = *op_info(handle);
  gradus_op_info i{};
  i.flags = bit(o.differentiable, GRADUS_OP_DIFFERENTIABLE) | bit(o.functional, GRADUS_OP_IN_PLACE) |
            bit(o.op->view, GRADUS_OP_VIEW) | bit(o.op->random, GRADUS_OP_RANDOM) | bit(has_out_form(*o.op), GRADUS_OP_OUT);
  for (const Result& r : o.schema.results) i.flags |= bit(r.list, GRADUS_OP_LIST_RESULT);
  i.argument_count = static_cast<uint32_t>(o.schema.arguments.size());
  i.result_count = static_cast<uint32_t>(o.schema.results.size());
  i.required_arguments = static_cast<uint32_t>(o.schema.required);
  i.since = 1;
  i.name = o.name.c_str();
  try {
    i.schema = schema_text(o);
  } catch (...) {
    return GRADUS_E_MEMORY;
  }
  i.summary = o.op->doc.data();                               // a literal, or ends in a 0
  i.serves = o.op->serves.empty() ? "" : o.op->serves.data();
  return write_info(info, i) ? GRADUS_OK : GRADUS_E_ARGUMENT;
}

gradus_status gradus_op_describe_argument(const gradus_op* handle, uint32_t index, gradus_argument_info* info) {
  if (!handle || !info) return GRADUS_E_NULL;
  if (!is(handle, Kind::op)) return GRADUS_E_HANDLE;
  const OpInfo& o = *op_info(handle);
  if (index >= o.schema.arguments.size()) return GRADUS_E_INDEX;
  const Argument& a = o.schema.arguments[index];
  gradus_argument_info i{};
  i.flags = bit(a.optional, GRADUS_ARG_OPTIONAL) | bit(a.written, GRADUS_ARG_WRITTEN) | bit(has_rule(*o.op, a), GRADUS_ARG_GRADIENT_FLOWS) |
            bit(a.keyword_only, GRADUS_ARG_KEYWORD) | bit(a.type == Type::scalar, GRADUS_ARG_NUMBER);
  i.kind = ::kind_of(a);
  i.since = 1;
  i.name = argument_name(o, index);
  i.schema_name = a.name.c_str();
  if (a.has_default) std::memcpy(&i.default_value, &a.fallback, sizeof i.default_value);
  return write_info(info, i) ? GRADUS_OK : GRADUS_E_ARGUMENT;
}

gradus_status gradus_registry_json(char* buffer, size_t capacity, size_t* length) {
  if (!length || (!buffer && capacity > 0)) return GRADUS_E_NULL;
  *length = 0;
  const SettingUp in;
  if (!in) return refused(nullptr);
  try {
    if (known_ops().empty()) return GRADUS_E_MEMORY;
    write_text(registry_json(), buffer, capacity, length);
    return GRADUS_OK;
  } catch (...) {
    return GRADUS_E_MEMORY;
  }
}
