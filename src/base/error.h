// Errors inside the library: a status, a message, and the argument at fault. They stop at the C layer's guard.
#pragma once
#include <fmt/core.h>

#include <cstdint>
#include <exception>
#include <span>
#include <string>

namespace gradus {

// The numbers of gradus.h; category = status & ~0xff.
enum class Status : int32_t {
  ok = 0,
  argument = 0x0100, null = 0x0101, handle = 0x0102, shape = 0x0103, dtype = 0x0104, index = 0x0105, value = 0x0106,
  memory = 0x0200,
  state = 0x0300, busy = 0x0301, graph_freed = 0x0302, in_place = 0x0303, anomaly = 0x0304,
  unsupported = 0x0400, unknown_name = 0x0401, unknown_field = 0x0402,
  callback = 0x0500,
  cancelled = 0x0600,
  io = 0x0700,
  internal = 0x0f00,
};

class Error : public std::exception {
 public:
  Error(Status status, std::string message, int argument = -1)
      : status_(status), argument_(argument), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  Status status() const { return status_; }
  int argument() const { return argument_; }                  // position in the schema, or -1

 private:
  Status status_;
  int argument_;
  std::string message_;
};

// The calling callback has put status, text and host code into the context; nothing is to be added.
class CallbackFailed : public std::exception {
 public:
  explicit CallbackFailed(Status status) : status_(status) {}
  Status status() const { return status_; }

 private:
  Status status_;
};

[[noreturn]] void fail_v(Status status, fmt::string_view format, fmt::format_args args);
template <class... T> [[noreturn, gnu::cold, gnu::noinline]] void fail(Status status, fmt::format_string<T...> format, T&&... args) {
  fail_v(status, format, fmt::make_format_args(args...));
}

// Text by a format string, made in one place (error.cpp).
std::string format_v(fmt::string_view format, fmt::format_args args);
template <class... T> std::string format(fmt::format_string<T...> f, const T&... args) {
  return format_v(f, fmt::make_format_args(args...));
}

// Texts for messages: "[2, 3]".
std::string text(std::span<const int64_t> sizes);

}  // namespace gradus

// A user's mistake is an Error: the op first, then the fact with its numbers.
#define GRADUS_CHECK(condition, status, ...)                                    \
  do {                                                                          \
    if (!(condition)) [[unlikely]]                                              \
      ::gradus::fail(::gradus::Status::status, __VA_ARGS__);                    \
  } while (false)
// A mistake of the library itself.
#define GRADUS_ASSERT(condition) GRADUS_CHECK(condition, internal, "{}:{}: {}", __FILE__, __LINE__, #condition)
