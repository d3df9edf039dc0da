#include "io/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "dispatch/evaluate.h"

namespace gradus::io {
namespace {

[[noreturn, gnu::cold]] void fail_io(const char* what, std::string_view path, int error) {
  fail(Status::io, "{}: {}: {}", what, shown(path), std::generic_category().message(error));
}
std::string checked_path(std::string_view path) {
  GRADUS_CHECK(!path.empty(), value, "the path is empty");
  GRADUS_CHECK(path.find('\0') == path.npos, value, "the path has a zero byte");
  return std::string(path);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { if (fd_ >= 0) ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int give() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  for (;;)
    if (const int fd = ::open(path, flags | O_CLOEXEC, mode); fd >= 0 || errno != EINTR) return fd;
}

Ref<Storage> read_all(int fd, int64_t size, std::string_view path) {
  Ref<Storage> content = Ref<Storage>::adopt(new_storage(size));
  for (int64_t at = 0; at < size;) {
    const ssize_t n = ::pread(fd, content->data + at, static_cast<size_t>(std::min<int64_t>(size - at, 1 << 30)), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_io("read", path, errno);
    GRADUS_CHECK(n > 0, io, "read: {}: the file became shorter than {} bytes meanwhile: it ends at {}", shown(path), size, at);
    at += n;
  }
  return content;
}

struct Mapping {
  void* at;
  size_t bytes;
};
void unmap(void* user) {
  const auto* m = static_cast<Mapping*>(user);
  ::munmap(m->at, m->bytes);
  delete m;
}
// The bytes from `skipped` on of a mapping that begins at `at`; null, and errno, if the system has none.
Storage* map(int fd, uint64_t at, uint64_t skipped, uint64_t bytes, int access) {
  auto mapping = std::make_unique<Mapping>(Mapping{nullptr, static_cast<size_t>(skipped + bytes)});
  Ref<Storage> s = Ref<Storage>::adopt(wrap_storage(nullptr, static_cast<int64_t>(bytes), false));
  mapping->at = ::mmap(nullptr, mapping->bytes, access, MAP_PRIVATE | MAP_NORESERVE, fd, static_cast<off_t>(at));
  if (mapping->at == MAP_FAILED) return nullptr;
  s->data = static_cast<char*>(mapping->at) + skipped;
  s->host.arm(unmap, mapping.release());                      // ours, not the host's: at once, polled or not
  return s.detach();
}

}  // namespace

Content read_content(std::string_view path, bool copy) {
  const std::string name = checked_path(path);
  Descriptor file(open_retrying(name.c_str(), O_RDONLY | O_NONBLOCK));                  // of a pipe: no waiting for its other end
  if (file.get() < 0) fail_io("open", path, errno);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) fail_io("stat", path, errno);
  if (S_ISDIR(info.st_mode)) fail_io("open", path, EISDIR);
  GRADUS_CHECK(S_ISREG(info.st_mode), io, "open: {}: not a regular file", shown(path));
  if (copy || info.st_size == 0) return Content(read_all(file.get(), info.st_size, path));
  Storage* s = map(file.get(), 0, 0, static_cast<uint64_t>(info.st_size), PROT_READ);
  if (!s) fail_io("map", path, errno);
  return Content(Ref<Storage>::adopt(s), file.give());
}

Storage* map_part(const Content& content, uint64_t offset, uint64_t bytes) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return map(content.file, offset / page * page, offset % page, bytes, PROT_READ | PROT_WRITE);
}

bool is_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    const auto byte = [&](size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0u; };
    const unsigned first = byte(i);
    if (first < 0x80) { ++i; continue; }
    const size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4) return false;
    for (size_t k = 1; k < n; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    const unsigned second = byte(i + 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
      return false;
    i += n;
  }
  return true;
}

std::string shown(std::string_view s) {
  constexpr size_t kLimit = 200;
  std::string_view cut = s.substr(0, kLimit);
  for (int i = 0; i < 3 && cut.size() < s.size() && !is_utf8(cut); ++i) cut.remove_suffix(1);          // not inside a character
  const bool utf8 = is_utf8(cut);
  std::string out = "'";
  for (const char c : cut) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || (!utf8 && byte >= 0x80)) out += format("\\x{:02x}", unsigned{byte});
    else out += c;
  }
  out += "'";
  return cut.size() < s.size() ? out + format("... ({} bytes)", s.size()) : out;
}

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20) out += format("\\u{:04x}", static_cast<unsigned>(c));
    else out += c;
  }
  return out += '"';
}

void swap_bytes(char* data, int64_t count, int64_t size) {
  if (size == 1) return;
  for (int64_t i = 0; i < count; ++i) std::reverse(data + i * size, data + (i + 1) * size);
}

// ---- sinks
void MemorySink::write(const char* data, size_t n) {
  GRADUS_CHECK(n <= to_.size() - written_, state, "save: a tensor was changed while it was saved");
  if (n) std::memcpy(to_.data() + written_, data, n);
  written_ += n;
}
void MemorySink::patch(uint64_t at, const char* data, size_t n) { std::memcpy(to_.data() + at, data, n); }

namespace {
constexpr size_t kBuffer = 1 << 16;

std::string temporary_name(const std::string& folder) {
  uint64_t random = 0;
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) random = static_cast<uint64_t>(::getpid()) << 32;
  return format("{}.gradus-{:016x}", folder, random);
}
}  // namespace

FileSink::FileSink(std::string_view path, bool sync) : path_(checked_path(path)), sync_(sync) {
  const size_t slash = path_.rfind('/');
  folder_ = slash == path_.npos ? "" : path_.substr(0, slash + 1);
  GRADUS_CHECK(slash + 1 != path_.size(), value, "save: {}: the path names a folder, not a file", shown(path));
  buffer_.reserve(kBuffer);
  for (int attempt = 0; file_ < 0; ++attempt) {
    temporary_ = temporary_name(folder_);
    file_ = open_retrying(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (file_ < 0 && (errno != EEXIST || attempt == 100)) {
      const int error = errno;
      temporary_.clear();
      fail_io("save", path_, error);
    }
  }
  struct stat old;
  if (::stat(path_.c_str(), &old) != 0) return;
  const int error = S_ISDIR(old.st_mode) ? EISDIR : ::fchmod(file_, old.st_mode & 0777) != 0 ? errno : 0;   // as the one it replaces
  if (error == 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
  fail_io("save", path_, error);
}

FileSink::~FileSink() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileSink::write_at(uint64_t at, const char* data, size_t n) {
  while (n > 0) {
    const ssize_t done = ::pwrite(file_, data, std::min<size_t>(n, 1 << 30), static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) fail_io("write", path_, done < 0 ? errno : ENOSPC);
    data += done;
    at += static_cast<uint64_t>(done);
    n -= static_cast<size_t>(done);
  }
}

void FileSink::flush() {
  write_at(written_ - buffer_.size(), buffer_.data(), buffer_.size());
  buffer_.clear();
}

void FileSink::write(const char* data, size_t n) {
  if (buffer_.size() + n > kBuffer) flush();
  if (n > kBuffer) write_at(written_, data, n);
  else buffer_.append(data, n);
  written_ += n;
}

void FileSink::patch(uint64_t at, const char* data, size_t n) {
  flush();
  write_at(at, data, n);
}

void FileSink::commit() {
  flush();
  if (sync_ && ::fsync(file_) != 0) fail_io("write to disk", path_, errno);
  if (::close(std::exchange(file_, -1)) != 0 && errno != EINTR) fail_io("close", path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io("rename", path_, errno);
  temporary_.clear();
  if (!sync_) return;
  const Descriptor folder(open_retrying(folder_.empty() ? "." : folder_.c_str(), O_RDONLY | O_DIRECTORY));
  if (folder.get() >= 0) ::fsync(folder.get());               // some file systems have no such thing: the file itself is safe
}

void write_elements(Sink& sink, const Tensor& t, bool column_major) {
  const int64_t size = size_of(t.dtype()), part = size_of(real_of(t.dtype()));
  const bool straight = column_major || t.contiguous();
  const Tensor rows = straight ? t : clone(t);
  const char* data = rows.impl()->data();
  if (t.numel() == 0) return;
  if (kLittle || size == 1) {
    sink.write(data, static_cast<size_t>(t.numel() * size));
    return;
  }
  char piece[4096];
  for (int64_t i = 0; i < t.numel();) {
    const int64_t n = std::min<int64_t>(t.numel() - i, static_cast<int64_t>(sizeof piece) / size);
    std::memcpy(piece, data + i * size, static_cast<size_t>(n * size));
    swap_bytes(piece, n * size / part, part);
    sink.write(piece, static_cast<size_t>(n * size));
    i += n;
  }
}

}  // namespace gradus::io
