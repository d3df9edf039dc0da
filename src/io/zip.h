// zip as npz files use it: a directory at the end; members stored or deflated.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/bytes.h"

namespace gradus::io {

struct ZipEntry {
  std::string name;
  ZipMember member;
};
// The directory, checked against the local headers and for overlap: no byte belongs to two members.
std::vector<ZipEntry> read_zip(std::string_view all);

// The bytes of a deflated member, in order. `what` names it in messages.
class Inflater {
 public:
  Inflater(std::string_view packed, std::string what);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  size_t read(char* to, size_t n);                            // fewer only where they end
  void finish(const ZipMember& m);                            // nothing is left, and the sum is right

 private:
  struct State;
  std::unique_ptr<State> state_;
};
uint32_t crc_of(uint32_t before, const char* data, size_t n);

// Writes one member after the other, then the directory.
class ZipWriter {
 public:
  ZipWriter(Sink& out, bool deflate) : out_(out), deflate_(deflate) {}
  template <class F> void member(const std::string& name, F&& write_content) {
    Member m = begin(name);
    {
      const std::unique_ptr<Sink> sink = content(m);
      write_content(*sink);
      complete(*sink);
    }
    end(std::move(m));
  }
  void finish();

 private:
  struct Member {
    std::string name;
    uint64_t header = 0, offset = 0, unpacked = 0, packed = 0;
    uint32_t crc = 0;
  };
  class Stored;
  class Deflated;
  Member begin(const std::string& name);
  std::unique_ptr<Sink> content(Member& m);
  void complete(Sink& content);
  void end(Member m);
  std::string central(const Member& m) const;

  Sink& out_;
  bool deflate_;
  std::vector<Member> members_;
};

}  // namespace gradus::io
