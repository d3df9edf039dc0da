// The functional twins of the views: X_copy is X followed by a copy. Their records are made from the views' own.
#include "ops/lists.h"
#include "ops/ops.h"

namespace gradus {
namespace {

Op* const views[] = {&view_op, &reshape_alias_op, &t_op, &transpose_op, &permute_op, &squeeze_op, &unsqueeze_op, &expand_op, &select_op, &slice_op,
                     &narrow_op, &split_op, &split_with_sizes_op, &unbind_op, &diagonal_op, &unfold_op, &as_strided_op, &alias_op, &detach_op};
constexpr size_t kCount = std::size(views);

struct Twins {
  std::string schema[kCount], doc[kCount], serves[kCount];
  Op record[kCount];
  Op* list[kCount];
  Twins();
};

Twins& twins() {
  static Twins& all = *new Twins;                            // never destroyed: ops are valid until the process ends
  return all;
}

void view_and_copy(const Args& a, Tensors& out) {
  const auto twin = static_cast<size_t>((a.op().info->functional ? a.op().info->functional : &a.op()) - twins().record);
  const Op& view = *views[twin];
  Tensors parts;
  call(view, a.values(), static_cast<int>(view.info->schema.arguments.size()), parts);
  for (const Tensor& t : parts) out.push_back(call(clone_op, {t}));
}

// "squeeze.dim" becomes "squeeze_copy.dim".
std::string with_suffix(std::string_view name) {
  const size_t dot = std::min(name.find('.'), name.size());
  std::string s(name.substr(0, dot));
  return s.append("_copy").append(name.substr(dot));
}

Twins::Twins() {
  for (size_t i = 0; i < kCount; ++i) {
    const Op& view = *views[i];
    const size_t open = view.schema.find('(');
    schema[i] = std::string(view.schema.substr(0, open)) + "_copy" + std::string(view.schema.substr(open));
    for (size_t at; (at = schema[i].find("(a)")) != std::string::npos;) schema[i].erase(at, 3);
    doc[i] = "A copy of what " + std::string(view.schema.substr(0, open)) + " returns.";
    for (std::string_view rest = view.serves; !rest.empty();) {
      const size_t space = std::min(rest.find(' '), rest.size());
      if (!serves[i].empty()) serves[i] += ' ';
      serves[i] += with_suffix(rest.substr(0, space));
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    record[i].schema = schema[i];
    record[i].doc = doc[i];
    record[i].serves = serves[i];
    record[i].complex = true;
    record[i].compose = view_and_copy;
    record[i].samples = view.samples;
    list[i] = &record[i];
  }
}

}  // namespace

OpList view_copy_ops() { return twins().list; }

}  // namespace gradus
