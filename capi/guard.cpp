// Exceptions become statuses here, and nowhere else.
#include "capi/guard.h"

#include <cstdio>
#include <new>

#include "base/log.h"

namespace gradus::capi {

void write_error(Context& c, gradus_status status, std::string_view message, const char* where, int argument, int64_t user_code) noexcept {
  ErrorRecord& e = c.error;
  size_t n = std::min(message.size(), sizeof e.message - 1);
  if (n < message.size())
    while (n > 0 && (static_cast<unsigned char>(message[n]) & 0xc0) == 0x80) --n;            // not inside a character
  if (n > 0) std::memmove(e.message, message.data(), n);      // the text may be the record's own, or null
  e.message[n] = 0;
  e.length = static_cast<uint32_t>(n);
  e.status = status;
  e.argument = argument;
  e.user_code = user_code;
  e.where = where;
}

static void log_error(Context& c, const char* where) noexcept {
  if (!logs(c, 1)) return;
  char line[sizeof c.error.message + 96];
  const int n = std::snprintf(line, sizeof line, "%s: %s", where, c.error.message);
  log(c, 1, {line, std::min(static_cast<size_t>(n), sizeof line - 1)});
}

gradus_status caught(Context& c, const char* where) noexcept {
  gradus_status s = GRADUS_E_INTERNAL;
  try {
    throw;
  } catch (const CallbackFailed& e) {                         // the record is the callback's
    return number(e.status());
  } catch (const Error& e) {
    write_error(c, s = number(e.status()), e.what(), where, e.argument(), 0);
  } catch (const std::bad_alloc&) {
    write_error(c, s = GRADUS_E_MEMORY, "out of memory", where, -1, 0);
  } catch (const std::exception& e) {
    write_error(c, s, e.what(), where, -1, 0);
  } catch (...) {
    write_error(c, s = GRADUS_E_CALLBACK, "a foreign exception came out of a callback", where, -1, 0);
  }
  log_error(c, where);
  return s;
}

bool is_status(gradus_status s) noexcept { return gradus_status_name(s)[0] == 'G'; }

gradus_status refused(Context* c) noexcept {
  Thread* me = t_thread;
  if (!me) return GRADUS_E_MEMORY;
  Thread* owner = c ? c->busy.load(std::memory_order_relaxed) : nullptr;
  if (c && (!owner || owner == me))
    write_error(*c, GRADUS_E_STATE, "this process was forked while another thread was inside a call of the library", "fork", -1, 0);
  return GRADUS_E_STATE;
}

static const char* name(Kind k) {
  switch (k) {
    case Kind::context: return "context";
    case Kind::tensor: return "tensor";
    case Kind::node: return "graph node";
    case Kind::op: return "operation";
    case Kind::profile: return "profile";
    case Kind::optimizer: return "optimizer";
    case Kind::scheduler: return "scheduler";
    case Kind::call: return "call of a function";
    case Kind::file: return "file";
    default: return "released handle, or none of this library";
  }
}

void refuse_handle(const void* given, Kind wanted, const char* what, int position) {
  if (!given) throw Error(Status::null, format("'{}' is null, where a {} is needed", what, name(wanted)), position);
  throw Error(Status::handle, format("'{}' is a {}, where a {} is needed", what, name(kind_of(given)), name(wanted)), position);
}

std::string_view text_of(const char* text, size_t length, const char* what) {
  GRADUS_CHECK(text || length == 0, null, "'{}' is null with a length of {}", what, length);
  GRADUS_CHECK(length <= kLongest, value, "'{}' has a length of {}", what, length);
  return {text, length};
}

Dtype dtype(int32_t number, Dtype otherwise) {
  if (number == 0) return otherwise;
  GRADUS_CHECK(number > 0 && number < kDtypes, dtype, "{} is no element type", number);
  return static_cast<Dtype>(number);
}

SizesRef shape(int32_t rank, const int64_t* sizes) {
  GRADUS_CHECK(rank >= 0 && rank <= kMaxDims, shape, "rank {} is not between 0 and {}", rank, kMaxDims);
  GRADUS_CHECK(sizes || rank == 0, null, "'shape' is null for rank {}", rank);
  return {sizes, static_cast<size_t>(rank)};
}

std::span<const Tensor> tensors(gradus_tensor* const* list, size_t count, const char* what, bool gaps) {
  check_list(list, count, what);
  GRADUS_CHECK(count < kLongest, value, "'{}' has a count of {}", what, count);
  for (size_t i = 0; i < count; ++i)
    if ((list[i] || !gaps) && !is(list[i], Kind::tensor)) refuse_handle(list[i], Kind::tensor, what);
  return {reinterpret_cast<const Tensor*>(list), count};
}

}  // namespace gradus::capi
