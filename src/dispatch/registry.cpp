#include "dispatch/registry.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace gradus {
namespace {

constexpr size_t kBuckets = 256;
struct Added {                                                // by the host
  const Op* op;
  Added* next;
};

struct Registry {
  std::once_flag once;
  std::vector<const Op*> ops;                                 // the library's own; the first ones of the table
  std::unordered_map<std::string_view, const Op*> by_name;

  std::mutex append;                                          // one registration at a time
  std::vector<std::unique_ptr<const Op*[]>> tables;           // the last is in use; the others may still be read
  size_t room = 0;                                            // in the last one
  std::atomic<const Op* const*> table{nullptr};
  std::atomic<size_t> count{0};                               // set after the table
  std::array<std::atomic<Added*>, kBuckets> added{};
};
Registry& registry() {                                        // never destroyed: ops are valid until the process ends
  alignas(Registry) static char place[sizeof(Registry)];
  static Registry* r = new (place) Registry;
  return *r;
}

bool has_in_place_form(const Op& op) {
  const Schema& s = op.info->schema;
  return (op.formula || op.updates || op.in_place || op.rewrite) && s.inputs > 0 && s.arguments[0].type == Type::tensor && !s.arguments[0].list &&
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
  info.complex = op.complex || op.formula || op.view;
}

OpInfo& describe(Op& op) {
  auto info = std::make_unique<OpInfo>();
  info->schema = parse_schema(op.schema);
  info->name = info->schema.name;
  info->op = &op;
  derive(op, *info);
  return *(op.info = info.release());
}

void add(Registry& r, Op& op) {
  OpInfo& info = describe(op);
  info.index = static_cast<int>(r.ops.size());
  r.ops.push_back(&op);
  GRADUS_CHECK(r.by_name.emplace(info.name, &op).second, internal, "{} is defined twice", info.name);
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
    r.table.store(r.ops.data(), std::memory_order_release);
    r.count.store(r.ops.size(), std::memory_order_release);
  });
}

// A table of twice the size when the one in use is full.
static const Op** table_with_room(Registry& r, size_t count) {
  if (count < r.room) return r.tables.back().get();
  r.tables.reserve(r.tables.size() + 1);
  const size_t room = 2 * count;
  auto larger = std::make_unique<const Op*[]>(room);
  std::copy_n(r.table.load(std::memory_order_relaxed), count, larger.get());
  r.tables.push_back(std::move(larger));
  r.room = room;
  return r.tables.back().get();
}

static std::atomic<Added*>& bucket(Registry& r, std::string_view name) { return r.added[std::hash<std::string_view>{}(name) % kBuckets]; }

void append_op(Op& op) {
  Registry& r = registry();
  const std::lock_guard lock(r.append);
  GRADUS_CHECK(!find_op(op.info->name), value, "{}: there is an operation of this name", op.info->name);
  const size_t count = r.count.load(std::memory_order_relaxed);
  auto* entry = new Added{&op, nullptr};
  const Op** table = nullptr;
  try {
    table = table_with_room(r, count);
  } catch (...) {
    delete entry;
    throw;
  }
  op.info->index = static_cast<int>(count);
  op.info->complex = true;                                    // the host's own functions see to it
  table[count] = &op;
  std::atomic<Added*>& first = bucket(r, op.info->name);
  entry->next = first.load(std::memory_order_relaxed);
  r.table.store(table, std::memory_order_release);
  r.count.store(count + 1, std::memory_order_release);
  first.store(entry, std::memory_order_release);
}

const Op& unlisted_op(std::string_view schema) {
  auto op = std::make_unique<Op>();
  op->schema = schema;
  OpInfo& info = describe(*op);
  info.differentiable = true;
  info.rules = 1;
  return *op.release();
}

std::span<const Op* const> all_ops() {
  const Registry& r = registry();
  const size_t count = r.count.load(std::memory_order_acquire);   // before the table, which only grows
  return {r.table.load(std::memory_order_acquire), count};
}

const Op* find_op(std::string_view name) {
  Registry& r = registry();
  if (const auto at = r.by_name.find(name); at != r.by_name.end()) return at->second;
  for (const Added* a = bucket(r, name).load(std::memory_order_acquire); a; a = a->next)
    if (a->op->info->name == name) return a->op;
  return nullptr;
}

}  // namespace gradus
