// A network of two layers learns to read handwritten digits: 64 pixels, 256 hidden units, 10 digits; stochastic gradient descent
// with momentum on images shifted at random. Ends with the errors on digits of other writers, and draws three pictures.
//   train_digits [--data] DIR [--epochs 40] [--seed 1]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>

#include "digits.h"
#include "gradus/gradus.hpp"
#include "progress.h"
#include "svg.h"

using examples::Digits;
using gradus::Tensor;

namespace {

struct Settings {
  std::string data;
  int epochs = 40;
  uint64_t seed = 1;
};
constexpr int64_t kPixels = Digits::kPixels, kHidden = 256, kDigits = 10;
constexpr size_t kBatch = 32;
constexpr double kRate = 0.1, kMomentum = 0.9, kDecay = 1e-4;

// ---- the network
struct Network {
  Tensor w1 = leaf(gradus::randn({kHidden, kPixels}) * std::sqrt(2.0 / kPixels)), b1 = leaf(gradus::zeros({kHidden}));
  Tensor w2 = leaf(gradus::randn({kDigits, kHidden}) * std::sqrt(1.0 / kHidden)), b2 = leaf(gradus::zeros({kDigits}));

  Tensor operator()(const Tensor& x) const { return gradus::linear(gradus::relu(gradus::linear(x, w1, b1)), w2, b2); }
  std::vector<Tensor> parameters() const { return {w1, b1, w2, b2}; }
  static Tensor leaf(const Tensor& t) { return t.requires_grad_(); }
};

class Descent {
 public:
  explicit Descent(std::vector<Tensor> parameters) : parameters_(std::move(parameters)) {
    for (const Tensor& p : parameters_) velocities_.push_back(gradus::zeros(p.sizes()));
  }
  void step(double rate) {
    const gradus::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const Tensor &p = parameters_[i], &v = velocities_[i];
      v *= kMomentum;
      v += p.grad();
      v += kDecay * p;
      p -= rate * v;
      p.zero_grad();
    }
  }

 private:
  std::vector<Tensor> parameters_, velocities_;
};

// ---- the data
class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}
  int below(int n) { return static_cast<int>(bits_() % static_cast<uint64_t>(n)); }
  template <class T> void shuffle(std::vector<T>& v) {
    for (size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[bits_() % i]);
  }

 private:
  std::mt19937_64 bits_;
};

// Images as rows of a tensor, ink between 0 and 1. Half of them are moved by up to a pixel where `random` is given.
Tensor images(const Digits& d, const size_t* which, size_t count, Random* random) {
  constexpr int side = Digits::kSide;
  std::vector<float> out(count * kPixels);
  for (size_t i = 0; i < count; ++i) {
    const float* from = &d.pixels[which[i] * kPixels];
    const bool moves = random && random->below(2);
    const int dy = moves ? random->below(3) - 1 : 0, dx = moves ? random->below(3) - 1 : 0;
    for (int y = std::max(0, -dy); y < std::min(side, side - dy); ++y)
      for (int x = std::max(0, -dx); x < std::min(side, side - dx); ++x)
        out[i * kPixels + static_cast<size_t>(y * side + x)] = from[(y + dy) * side + x + dx] / Digits::kInk;
  }
  return gradus::from_data(out.data(), {static_cast<int64_t>(count), kPixels});
}
Tensor labels(const Digits& d, const size_t* which, size_t count) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < count; ++i) out.push_back(d.labels[which[i]]);
  return gradus::tensor(out);
}

// ---- learning and judging
struct Judgement {
  double loss = 0, correct = 0;                               // correct: in percent
  std::vector<int64_t> read;
};
Judgement judge(const Network& net, const Digits& d) {
  const gradus::NoGradGuard no_grad;
  std::vector<size_t> all(d.count());
  std::iota(all.begin(), all.end(), 0);
  const Tensor scores = net(images(d, all.data(), all.size(), nullptr));
  Judgement j;
  j.loss = gradus::cross_entropy_loss(scores, labels(d, all.data(), all.size())).item<double>();
  j.read = gradus::argmax(scores, 1).to_vector<int64_t>();
  size_t right = 0;
  for (size_t i = 0; i < d.count(); ++i) right += j.read[i] == d.labels[i];
  j.correct = 100.0 * static_cast<double>(right) / static_cast<double>(d.count());
  return j;
}

struct Curve { std::vector<double> epoch, loss, correct; };
void add(Curve& c, int epoch, const Judgement& j) {
  c.epoch.push_back(epoch);
  c.loss.push_back(j.loss);
  c.correct.push_back(j.correct);
}

void learn(const Network& net, const Digits& training, const Digits& test, const Settings& s, Curve& seen, Curve& unseen) {
  Random random(s.seed);
  Descent descent(net.parameters());
  std::vector<size_t> order(training.count());
  std::iota(order.begin(), order.end(), 0);
  const size_t batches = order.size() / kBatch, steps = batches * static_cast<size_t>(s.epochs);
  examples::Progress progress("epochs", s.epochs);
  size_t step = 0;
  for (int epoch = 1; epoch <= s.epochs; ++epoch) {
    random.shuffle(order);
    for (size_t b = 0; b < batches; ++b, ++step) {
      const size_t* which = &order[b * kBatch];
      gradus::cross_entropy_loss(net(images(training, which, kBatch, &random)), labels(training, which, kBatch)).backward();
      descent.step(kRate * 0.5 * (1 + std::cos(std::acos(-1.0) * static_cast<double>(step) / static_cast<double>(steps))));
    }
    add(seen, epoch, judge(net, training));
    add(unseen, epoch, judge(net, test));
    char note[64];
    std::snprintf(note, sizeof note, "loss %.4f  test %.2f %%", seen.loss.back(), unseen.correct.back());
    progress.step(note);
  }
}

// ---- pictures
bool draw_curves(const Curve& seen, const Curve& unseen) {
  const size_t n = seen.epoch.size();
  const svg_series loss[] = {{"training", seen.epoch.data(), seen.loss.data(), n, 0, 0}, {"test", unseen.epoch.data(), unseen.loss.data(), n, 1, 0}};
  const svg_series correct[] = {{"training", seen.epoch.data(), seen.correct.data(), n, 0, 0},
                                {"test", unseen.epoch.data(), unseen.correct.data(), n, 1, 0}};
  const svg_plot plots[] = {{"Loss", "epoch", "cross entropy", loss, 2, 1}, {"Digits read right", "epoch", "percent", correct, 2, 0}};
  return svg_write_plots("digits_learning.svg", plots, 2);
}

bool draw_confusion(const Digits& test, const Judgement& j) {
  std::vector<double> counts(kDigits * kDigits, 0);
  for (size_t i = 0; i < test.count(); ++i) counts[static_cast<size_t>(test.labels[i] * kDigits + j.read[i])] += 1;
  const svg_matrix m = {"What was written, and what was read", "written", "read", counts.data(), kDigits, kDigits, nullptr, nullptr, 1};
  return svg_write_matrix("digits_confusion.svg", &m);
}

bool draw_errors(const Digits& test, const Judgement& j) {
  std::vector<double> pixels;
  std::vector<std::string> captions;
  for (size_t i = 0; i < test.count() && captions.size() < 40; ++i) {
    if (j.read[i] == test.labels[i]) continue;
    pixels.insert(pixels.end(), test.pixels.begin() + static_cast<int64_t>(i * kPixels), test.pixels.begin() + static_cast<int64_t>((i + 1) * kPixels));
    captions.push_back(std::to_string(test.labels[i]) + " as " + std::to_string(j.read[i]));
  }
  std::vector<const char*> texts;
  for (const std::string& c : captions) texts.push_back(c.c_str());
  const svg_images g = {"Digits of the test set that were misread", pixels.data(), captions.size(), Digits::kSide, Digits::kSide, 10,
                        Digits::kInk, texts.data(), nullptr};
  return svg_write_images("digits_errors.svg", &g);
}

// ---- the command line
[[noreturn]] void usage(const char* why) {
  std::fprintf(stderr, "train_digits: %s\nusage: train_digits [--data] DIR [--epochs N] [--seed N]\n", why);
  std::exit(2);
}
long number(const char* text, long low, long high) {
  char* end = nullptr;
  const long v = text ? std::strtol(text, &end, 10) : 0;
  if (!text || end == text || *end || v < low || v > high) usage("a number in range is wanted behind an option");
  return v;
}
Settings settings(char** argv) {
  Settings s;
  for (char** a = argv + 1; *a; ++a) {
    if (!std::strcmp(*a, "--epochs")) s.epochs = static_cast<int>(number(*++a, 1, 100000));
    else if (!std::strcmp(*a, "--seed")) s.seed = static_cast<uint64_t>(number(*++a, 0, 1L << 62));
    else if (!std::strcmp(*a, "--data") && a[1]) s.data = *++a;
    else if (**a != '-') s.data = *a;
    else usage("an option that does not exist, or without its value");
  }
  if (s.data.empty()) usage("where is the data?");
  return s;
}

int run(const Settings& s) {
  const Digits training = examples::read_digits(s.data, "optdigits.tra"), test = examples::read_digits(s.data, "optdigits.tes");
  gradus::manual_seed(s.seed);
  const Network net;
  int64_t numbers = 0;
  for (const Tensor& p : net.parameters()) numbers += p.numel();
  std::printf("%zu digits to learn from, %zu to be tested on, %lld parameters\n", training.count(), test.count(), static_cast<long long>(numbers));
  std::fflush(stdout);
  Curve seen, unseen;
  learn(net, training, test, s, seen, unseen);
  const Judgement j = judge(net, test);
  size_t wrong = 0;
  for (size_t i = 0; i < test.count(); ++i) wrong += j.read[i] != test.labels[i];
  std::printf("test: %.2f %% read right, %zu of %zu misread, loss %.4f\n", j.correct, wrong, test.count(), j.loss);
  if (draw_curves(seen, unseen) && draw_confusion(test, j) && draw_errors(test, j)) return 0;
  std::fprintf(stderr, "train_digits: the pictures can't be written here\n");
  return 1;
}

}  // namespace

int main(int, char** argv) {
  try {
    return run(settings(argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "train_digits: %s\n", e.what());
    return 1;
  }
}
