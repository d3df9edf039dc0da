// Formats from the inside: round trips of every type and layout, and files with changed, missing and added bytes.
#include "io/file.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <new>
#include <random>

#include "fixture.h"

// Memory runs out at the n-th request from now on; -1: never.
static int g_until_failure = -1;
[[gnu::noinline]] void* operator new(size_t n) {
  if (g_until_failure >= 0 && g_until_failure-- == 0) throw std::bad_alloc();
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace gradus {
namespace {

class Files : public Core {
 protected:
  void TearDown() override {
    Core::TearDown();
    EXPECT_EQ(live_count(Live::files), 0);
    EXPECT_EQ(live_count(Live::foreign_blocks), 0);
  }
};

// Any bits: every NaN, subnormal and negative zero.
Tensor random_bits(Dtype dtype, SizesRef sizes, std::mt19937_64& random) {
  Tensor t = empty(dtype, sizes);
  auto* p = reinterpret_cast<unsigned char*>(t.impl()->data());
  for (int64_t i = 0; i < t.numel() * size_of(dtype); ++i) p[i] = static_cast<unsigned char>(dtype == Dtype::boolean ? random() & 1 : random());
  return t;
}
std::string bytes_of(const Tensor& t) {
  const Tensor c = t.contiguous() ? t : clone(t);
  return {c.impl()->data(), static_cast<size_t>(c.numel() * size_of(c.dtype()))};
}
std::string saved(std::vector<io::Named> tensors, FileFormat format, bool deflate = false) {
  io::SaveOptions options;
  options.format = format;
  options.deflate = deflate;
  return bytes_of(io::save_to_memory(std::move(tensors), options));
}

constexpr std::pair<FileFormat, bool> kForms[] = {
    {FileFormat::safetensors, false}, {FileFormat::npy, false}, {FileFormat::npz, false}, {FileFormat::npz, true}};

TEST_F(Files, EveryTypeAndLayoutComesBack) {
  std::mt19937_64 random(1);
  for (int d = 1; d < kDtypes; ++d) {
    const Dtype dtype = static_cast<Dtype>(d);
    const int64_t sizes[] = {3, 40, 2};
    const Tensor t = random_bits(dtype, sizes, random);
    const Tensor views[] = {t, alias(t, Sizes{2, 40, 3}, Sizes{1, 2, 80}, 0), alias(t, Sizes{3, 20}, Sizes{80, 4}, 1), alias(t, Sizes{}, Sizes{}, 7),
                            alias(t, Sizes{0, 3}, Sizes{3, 1}, 0), alias(t, Sizes{4, 5}, Sizes{0, 1}, 3)};
    for (const auto& [format, deflate] : kForms)
      for (const Tensor& v : views) {
        if (dtype == Dtype::bf16 && format != FileFormat::safetensors) continue;
        for (const bool read_only : {false, true}) {
          FileOptions options;
          options.read_only = read_only;
          const Ref<File> f = io::open_memory(saved({{"a", v}}, format, deflate), options);
          const Tensor again = io::load(*f, 0);
          EXPECT_EQ(again.dtype(), dtype);
          EXPECT_TRUE(same(again.sizes(), v.sizes())) << text(again.sizes());
          EXPECT_EQ(bytes_of(again), bytes_of(v)) << name(dtype) << text(v.sizes());
          EXPECT_EQ(again.storage().read_only, read_only);
        }
      }
  }
}

TEST_F(Files, BothByteOrdersAndVersionsOfNpy) {
  const auto file = [](std::string_view version, int digits, std::string dictionary, std::string_view data) {
    std::string s = "\x93NUMPY" + std::string(version);
    for (int i = 0; i < digits; ++i) s += static_cast<char>(dictionary.size() >> 8 * i);
    return s + dictionary + std::string(data);
  };
  const std::string_view one_zero("\1\0", 2), two_zero("\2\0", 2), three_zero("\3\0", 2);
  const std::string_view big("\x3f\x80\0\0\x40\0\0\0", 8), little("\0\0\x80\x3f\0\0\0\x40", 8);
  const auto values = [](const std::string& content) {
    const Tensor t = io::load(*io::open_memory(content, {}), 0);
    return std::vector<float>(t.data<float>(), t.data<float>() + t.numel());
  };
  const std::vector<float> wanted{1, 2};
  EXPECT_EQ(values(file(one_zero, 2, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n", big)), wanted);
  EXPECT_EQ(values(file(two_zero, 4, "{\"shape\":(2L,),\"fortran_order\":True,\"descr\":\"<f4\"}", little)), wanted);
  EXPECT_EQ(values(file(three_zero, 4, " { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 1 , 2 ) } \n", little)), wanted);
}

// The place where a reader must not believe what it reads: no crash, no memory beyond what is stated, and a Status that fits.
void survive(const std::string& content, FileFormat format) {
  FileOptions options;
  options.format = format;
  options.read_only = content.size() & 1;
  options.max_bytes = 1 << 20;
  try {
    const Ref<File> f = io::open_memory(content, options);
    for (size_t i = 0; i < f->entries.size(); ++i) {
      try {
        const Tensor t = io::load(*f, i);
        EXPECT_LE(t.numel() * size_of(t.dtype()), int64_t{1} << 20);
      } catch (const Error& e) {
        EXPECT_TRUE(e.status() == Status::value || e.status() == Status::unsupported) << e.what();
      }
    }
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), Status::value) << e.what();
  }
}

void mutate(std::string& s, std::mt19937_64& random) {
  const size_t at = s.empty() ? 0 : random() % s.size();
  static const std::string tokens[] = {"\"", "{", "}", "[", "]", ",", ":", "-1", "99999999999999999999", "1e9", "null", std::string(8, '\xff'), std::string(4, '\0'),
                                       "PK\5\6", "PK\1\2", "(", ")", "True", "'", "0", "F32", "'>f8'"};
  switch (random() % 6) {
    case 0: if (!s.empty()) s[at] = static_cast<char>(s[at] ^ 1 << random() % 8); break;
    case 1: if (!s.empty()) s[at] = static_cast<char>(random()); break;
    case 2: s.resize(at); break;
    case 3: s.insert(at, tokens[random() % std::size(tokens)]); break;
    case 4: s.erase(at, random() % 9); break;
    default: {
      const std::string& token = tokens[random() % std::size(tokens)];
      s.replace(at, token.size(), token);
    }
  }
}

TEST_F(Files, TwentyThousandDamagedFiles) {
  std::mt19937_64 random(20'000);
  const Tensor a = tensor({1, 2, 3, 4, 5, 6}, {2, 3}), b = tensor({1, 0, 1}, {3}, Dtype::boolean), c = tensor({}, {0, 4}, Dtype::f16);
  io::SaveOptions with_metadata;
  with_metadata.format = FileFormat::safetensors;
  with_metadata.metadata = {{"k", "v"}};
  const std::pair<FileFormat, std::string> seeds[] = {
      {FileFormat::safetensors, bytes_of(io::save_to_memory({{"a", a}, {"b", b}, {"c", c}}, with_metadata))},
      {FileFormat::npy, saved({{"", a}}, FileFormat::npy)},
      {FileFormat::npz, saved({{"a", a}, {"b", b}}, FileFormat::npz)},
      {FileFormat::npz, saved({{"a", a}, {"c", c}}, FileFormat::npz, true)}};
  for (int i = 0; i < 20'000; ++i) {
    const auto& [format, seed] = seeds[i % std::size(seeds)];
    std::string s = seed;
    for (uint64_t n = 1 + random() % 3; n-- > 0;) mutate(s, random);
    survive(s, random() % 8 ? format : FileFormat::automatic);
  }
}

// Runs f with memory that ends ever later, until it succeeds. How often it failed.
template <class F> int until_it_succeeds(F&& f) {
  for (int n = 0; n < 1000; ++n) {
    g_until_failure = n;
    try {
      f();
      g_until_failure = -1;
      return n;
    } catch (const std::bad_alloc&) {
      g_until_failure = -1;
    }
  }
  ADD_FAILURE() << "no end";
  return 0;
}

TEST_F(Files, MemoryMayRunOutAnywhere) {
  const Tensor a = tensor({1, 2, 3, 4, 5, 6}, {2, 3}), b = alias(a, Sizes{3, 2}, Sizes{1, 3}, 0);
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("gradus-file-test-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  for (const auto& [format, deflate] : kForms) {
    io::SaveOptions options;
    options.format = format;
    options.deflate = deflate;
    if (format == FileFormat::safetensors) options.metadata = {{"a key that is long enough for memory of its own", "v"}};
    const std::string path = (folder / "a name that is long enough for memory of its own").string();
    const auto tensors = [&] { return format == FileFormat::npy ? std::vector<io::Named>{{"", a}} : std::vector<io::Named>{{"a", a}, {"b", b}}; };
    EXPECT_GT(until_it_succeeds([&] { io::save(path, tensors(), options); }), 3);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);      // no temporary file is left
    for (const bool copy : {false, true}) {
      FileOptions how;
      how.copy = copy;
      std::string got;
      EXPECT_GT(until_it_succeeds([&] { got = bytes_of(io::load(*io::open_file(path, how), 0)); }), 3);
      EXPECT_EQ(got, bytes_of(a));
      EXPECT_EQ(live_count(Live::files), 0);
      EXPECT_EQ(live_count(Live::foreign_blocks), 0);
    }
  }
  std::filesystem::remove_all(folder);
}

TEST_F(Files, EveryBitAndEveryLength) {
  const Tensor a = tensor({1, 2}, {2}, Dtype::f32);
  for (const auto& [format, deflate] : kForms) {
    const std::string whole = saved({{"a", a}}, format, deflate);
    for (size_t n = 0; n <= whole.size(); ++n) survive(whole.substr(0, n), format);
    for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string s = whole;
      s[bit / 8] = static_cast<char>(s[bit / 8] ^ 1 << bit % 8);
      survive(s, format);
    }
  }
}

}  // namespace
}  // namespace gradus
