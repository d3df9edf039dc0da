#include "dispatch/args.h"

#include "dispatch/op.h"

namespace gradus {
namespace {

[[noreturn, gnu::cold]] void refuse(const Op& op, int position, std::string_view wanted) {
  throw Error(Status::argument, format("{}: argument '{}' must be {}", name(op), op.info->schema.arguments[static_cast<size_t>(position)].name, wanted), position);
}

bool is_number(Type t, const Value& v) {
  switch (t) {
    case Type::integer: return v.tag == Tag::integer || v.tag == Tag::boolean;
    case Type::real: return v.is_number() && v.tag != Tag::complex;
    case Type::scalar: return v.is_number();
    case Type::boolean: return v.tag == Tag::boolean || v.tag == Tag::integer;
    default: return false;
  }
}

// The value as the schema wants it, or a refusal that names the argument.
Value fit(const Op& op, int position, const Argument& a, const Value& v, ArgScratch& scratch) {
  if (v.tag == Tag::complex && !(op.complex_numbers || (op.formula && op.formula->complex))) refuse(op, position, "a real number");
  if (v.tag == Tag::none) {
    if (a.optional || a.type == Type::other) return v;
    refuse(op, position, "given");
  }
  if (a.list) {
    if (a.type == Type::tensor) {
      if (v.tag != Tag::tensors) refuse(op, position, "a list of tensors");
      if (!a.optional_elements)
        for (const Tensor& t : v.list()) if (!t) refuse(op, position, "a list of tensors without gaps");
      if (!op.info->complex)
        for (const Tensor& t : v.list()) if (t && is_complex(t.dtype())) refuse_complex(op, t.dtype());
      return v;
    }
    if (v.tag == Tag::integers && a.type != Type::real) return v;
    if (v.tag == Tag::reals && a.type == Type::real) return v;
    if (v.tag == Tag::integers && v.length == 0) return v;
    if (v.tag == Tag::integer && a.type != Type::real) {      // one number where a list is wanted
      scratch.numbers[scratch.used] = v.i;
      return Value(SizesRef(&scratch.numbers[scratch.used++], 1));
    }
    refuse(op, position, "a list of numbers");
  }
  switch (a.type) {
    case Type::tensor:
      if (v.tag == Tag::tensor) {
        if (is_complex(v.t->dtype) && !op.info->complex) refuse_complex(op, v.t->dtype);
        return v;
      }
      if (v.is_number() && !a.written && (op.formula || (op.takes_numbers && (op.compose || a.input == op.info->schema.inputs - 1)))) return v;
      refuse(op, position, "a tensor");
    case Type::dtype:
      if (v.tag != Tag::dtype || v.aux == 0 || v.aux >= kDtypes) refuse(op, position, "a dtype");
      if (is_complex(static_cast<Dtype>(v.aux)) && !op.info->complex) refuse_complex(op, static_cast<Dtype>(v.aux));
      return v;
    case Type::text:
      if (v.tag == Tag::text) return v;
      refuse(op, position, "a text");
    case Type::other: return v;
    case Type::real:
      if (v.tag == Tag::integer || v.tag == Tag::boolean) return Value(static_cast<double>(v.i));
      [[fallthrough]];
    default:
      if (is_number(a.type, v)) return v;
      refuse(op, position, a.type == Type::boolean ? "true or false" : a.type == Type::integer ? "an integer" : "a number");
  }
}

}  // namespace

void refuse_complex(const Op& op, Dtype t) { fail(Status::unsupported, "{}: does not support {}", name(op), name(t)); }

const Tensor& Args::optional_tensor(int i) const {
  alignas(Tensor) static const unsigned char none[sizeof(Tensor)] = {};   // a null Tensor without a destructor to run at exit
  return v_[i].tag == Tag::tensor ? tensor(i) : reinterpret_cast<const Tensor&>(none);
}

Sizes Args::integers(int i, size_t n) const {
  const SizesRef given = integers(i);
  if (given.size() == n) return Sizes(given);
  GRADUS_CHECK(given.size() == 1, shape, "{}: {} numbers for '{}', where {} are wanted", name(*op_), given.size(),
               op_->info->schema.arguments[static_cast<size_t>(i)].name, n);
  return Sizes(n, given[0]);
}

Args complete(const Op& op, const Value* values, int n, Value* room, ArgScratch& scratch) {
  const auto& arguments = op.info->schema.arguments;
  const int all = static_cast<int>(arguments.size());
  GRADUS_CHECK(n <= all, argument, "{}: {} arguments given, at most {} taken", name(op), n, all);
  for (int i = 0; i < all; ++i) {
    const Argument& a = arguments[static_cast<size_t>(i)];
    if (i < n && values[i].tag != Tag::absent) {
      room[i] = fit(op, i, a, values[i], scratch);
      continue;
    }
    if (!a.has_default && !a.optional) throw Error(Status::argument, format("{}: argument '{}' is missing", name(op), a.name), i);
    room[i] = a.has_default ? a.fallback : Value(std::nullopt);
  }
  return Args(op, room);
}

}  // namespace gradus
