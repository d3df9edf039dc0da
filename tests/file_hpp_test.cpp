// Files from C++: maps of tensors, single ones, and a training that goes on from a checkpoint as if it had never stopped.
#include "gradus/file.hpp"

#include <cstdlib>
#include <filesystem>

#include "hpp_fixture.h"

namespace {

using gradus::Format;
using gradus::Tensor;
using gradus::TensorMap;

class Files : public Clean {
 protected:
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "gradus-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~Files() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.sizes() != b.sizes()) return false;
  const Tensor x = a.contiguous(), y = b.contiguous();        // what info points at is theirs
  const auto i = x.info(), j = y.info();
  return i.count == 0 || std::memcmp(i.data, j.data, static_cast<size_t>(i.count * gradus_dtype_size(i.dtype))) == 0;
}

// y = dropout(x) w, with momentum.
struct Training {
  Tensor w = gradus::randn({8, 4}).requires_grad_(), momentum = gradus::zeros({8, 4});
  int step = 0;

  void run(int steps) {
    for (int i = 0; i < steps; ++i, ++step) {
      const Tensor x = gradus::dropout(gradus::randn({16, 8}), 0.5, true);
      const Tensor loss = x.matmul(w).pow(2).mean() - w.sum();
      w.zero_grad();
      loss.backward();
      const gradus::NoGradGuard off;
      momentum = momentum * 0.9 + w.grad();
      w -= momentum * 0.01;
    }
  }
  void save(const std::string& to) const {
    gradus::save(to, {{"w", w}, {"momentum", momentum}, {"rng", gradus::get_rng_state()}}, {{"step", std::to_string(step)}});
  }
  void load(const std::string& from) {
    const gradus::File f(from);
    w = f["w"].requires_grad_();
    momentum = f["momentum"];
    gradus::set_rng_state(f["rng"]);
    step = std::stoi(f.metadata().at("step"));
  }
};

TEST_F(Files, ATrainingGoesOnBitForBit) {
  gradus::manual_seed(7);
  Training a;
  a.run(5);
  a.save(path("c.safetensors"));
  a.run(5);
  const double next = gradus::rand({1}).item<double>();
  gradus::manual_seed(1);
  Training b;
  b.load(path("c.safetensors"));
  EXPECT_EQ(b.step, 5);
  EXPECT_FALSE(same_bits(a.w, b.w));
  b.run(5);
  EXPECT_TRUE(same_bits(a.w, b.w));
  EXPECT_TRUE(same_bits(a.momentum, b.momentum));
  EXPECT_EQ(gradus::rand({1}).item<double>(), next);
}

TEST_F(Files, MapsGoAndComeBack) {
  const TensorMap tensors{{"a", gradus::arange(6).reshape({2, 3})}, {"", gradus::tensor(2.5)}, {"none", gradus::zeros({0, 3})},
                          {std::string("n\0m", 3), gradus::tensor({1.0, 2.0}, gradus::float16)}};
  gradus::save(path("x.safetensors"), tensors, {{"k", "v"}, {"empty", ""}});
  const gradus::File f(path("x.safetensors"));
  EXPECT_EQ(f.metadata(), (gradus::TextMap{{"k", "v"}, {"empty", ""}}));
  EXPECT_EQ(f.info().format, GRADUS_FORMAT_SAFETENSORS);
  const TensorMap again = f.tensors();
  ASSERT_EQ(again.size(), tensors.size());
  for (const auto& [name, t] : tensors) EXPECT_TRUE(same_bits(t, again.at(name))) << name;

  const TensorMap arrays{{"a", gradus::arange(6).reshape({2, 3}).t()}, {"b/c", gradus::ones({4}, gradus::boolean)}};
  gradus::SaveOptions deflate;
  deflate.deflate = true;
  gradus::save(path("x.npz"), arrays, {}, deflate);
  for (const auto& [name, t] : gradus::load(path("x.npz"))) EXPECT_TRUE(same_bits(t, arrays.at(name))) << name;
}

TEST_F(Files, BytesInMemory) {
  gradus::SaveOptions npy;
  npy.format = Format::npy;
  const Tensor bytes = gradus::save_to_memory({{"x", gradus::arange(5)}}, {}, npy);
  const auto i = bytes.info();
  const gradus::File f = gradus::File::from_bytes({static_cast<const char*>(i.data), static_cast<size_t>(i.count)});
  EXPECT_EQ(f.names(), std::vector<std::string>{""});
  EXPECT_TRUE(same_bits(f.load(0), gradus::arange(5)));
  EXPECT_EQ(std::string(f.at(0).stored_type), "<i8");
}

TEST_F(Files, ReadOnlyTensorsRefuseWrites) {
  gradus::save(path("x.safetensors"), {{"x", gradus::zeros({100'000})}});
  gradus::OpenOptions options;
  options.read_only = true;
  const Tensor x = gradus::File(path("x.safetensors"), options)["x"];       // the file is released, its mapping lives on
  EXPECT_EQ(x.sum().item<double>(), 0);
  EXPECT_THROW(x.add_(1), gradus::Error);
  const Tensor mine = gradus::load(path("x.safetensors")).at("x");
  mine.add_(1);
  EXPECT_EQ(mine.sum().item<double>(), 100'000);
  EXPECT_EQ(gradus::load(path("x.safetensors")).at("x").sum().item<double>(), 0);
}

TEST_F(Files, FailuresSayWhatAndWhere) {
  try {
    gradus::load(path("missing.safetensors"));
    ADD_FAILURE();
  } catch (const gradus::Error& e) {
    EXPECT_EQ(e.status(), GRADUS_E_IO);
    EXPECT_NE(std::string(e.what()).find("missing.safetensors': No such file"), std::string::npos) << e.what();
  }
  EXPECT_THROW(gradus::File::from_bytes("PK\3\4 nothing"), gradus::Error);
  EXPECT_THROW(gradus::save(path("x.bin"), {}), gradus::Error);
  EXPECT_THROW(gradus::set_rng_state(gradus::zeros({3})), gradus::Error);
}

}  // namespace
