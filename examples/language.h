// What char_gpt.cpp and lstm_text.cpp share: a text as numbers, mini-batches of it, judging, and learning.
#pragma once
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>

#include "learning.h"

namespace examples {

// The characters of a UTF-8 text as numbers; the last tenth is held out.
struct Text {
  std::vector<std::string> characters;
  gradus::Tensor training, held_out;

  explicit Text(const Arguments& a) {
    std::vector<std::string> text = read(fs::is_regular_file(a.data) ? a.data : data_file(a.data, "tinyshakespeare.txt"));
    if (a.quick && text.size() > 60000) text.resize(60000);
    if (text.size() < 10000) throw Stop{1, a.data + ": 10,000 characters are the least to learn from"};
    const std::set<std::string> different(text.begin(), text.end());
    characters.assign(different.begin(), different.end());
    std::map<std::string, int64_t> number;
    for (size_t i = 0; i < characters.size(); ++i) number[characters[i]] = static_cast<int64_t>(i);
    std::vector<int64_t> numbers;
    for (const std::string& c : text) numbers.push_back(number[c]);
    const size_t cut = text.size() * 9 / 10;
    training = gradus::from_data(numbers.data(), {static_cast<int64_t>(cut)});
    held_out = gradus::from_data(numbers.data() + cut, {static_cast<int64_t>(numbers.size() - cut)});
  }

  int64_t number(const std::string& c) const { return std::lower_bound(characters.begin(), characters.end(), c) - characters.begin(); }
  std::string read(const std::vector<int64_t>& numbers) const {
    std::string all;
    for (const int64_t n : numbers) all += characters.at(static_cast<size_t>(n));
    return all;
  }

 private:
  static std::vector<std::string> read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    std::vector<std::string> text;
    for (const char c : bytes) {
      if (!text.empty() && (c & 0xc0) == 0x80) text.back() += c;        // a further byte of the same character
      else text.push_back({c});
    }
    return text;
  }
};

// Pieces of that length from each start, and the characters that follow each of theirs.
struct Pieces { gradus::Tensor x, y; };
inline Pieces cut(const gradus::Tensor& numbers, const gradus::Tensor& starts, int64_t length) {
  const gradus::Tensor pieces = gradus::take(numbers, starts.unsqueeze(1) + gradus::arange(length + 1));
  return {pieces.narrow(1, 0, length), pieces.narrow(1, 1, length)};
}

inline gradus::Tensor loss_of(gradus::nn::Module& model, const Pieces& p) {
  return gradus::cross_entropy_loss(model(p.x).flatten(0, 1), p.y.reshape({-1}));
}

// The loss per character on pieces that are spread evenly.
inline double judge(gradus::nn::Module& model, const gradus::Tensor& numbers, int64_t length, int64_t pieces) {
  const gradus::NoGradGuard no_grad;
  const int64_t last = numbers.numel() - length - 1;
  double total = 0;
  model.eval();
  for (int64_t i = 0; i < pieces; i += 16) {
    std::vector<int64_t> starts;
    for (int64_t k = i; k < std::min(i + 16, pieces); ++k) starts.push_back(last * k / std::max<int64_t>(pieces - 1, 1));
    total += loss_of(model, cut(numbers, gradus::tensor(starts), length)).item<double>() * static_cast<double>(starts.size());
  }
  model.train();
  return total / static_cast<double>(pieces);
}

struct Lesson {
  int64_t steps, batch, length;                               // steps of an epoch, pieces of a mini-batch, characters of a piece
};

// Learns from pieces that are drawn at random. Curves: training, held out.
inline void learn(const Arguments& a, long epochs, const Lesson& lesson, const Text& text, Training& run) {
  const size_t different = text.characters.size();
  std::printf("%ld parameters, %ld characters to learn from, %zu different ones; guessing costs %.3f\n", numbers_in(run.model),
              static_cast<long>(text.training.numel()), different, std::log(static_cast<double>(different)));
  std::fflush(stdout);
  const long end = end_of(a, epochs, lesson.steps);
  Progress progress("steps", end - run.done);
  double sum = 0;
  while (run.done < end) {
    const gradus::Tensor starts = gradus::randint(0, text.training.numel() - lesson.length, {lesson.batch}, gradus::int64);
    run.optimizer->zero_grad();
    const gradus::Tensor loss = loss_of(run.model, cut(text.training, starts, lesson.length));
    loss.backward();
    gradus::clip_grad_norm_(run.model.parameters(), 1.0);
    run.optimizer->step();
    run.rates->step();
    sum += loss.item<double>();
    if (++run.done % lesson.steps == 0) {
      run.point(0, static_cast<double>(run.done), std::exchange(sum, 0) / static_cast<double>(lesson.steps));
      run.point(1, static_cast<double>(run.done), judge(run.model, text.held_out, lesson.length, a.quick ? 16 : 64));
      run.save();
    }
    progress.step(examples::text("loss %.3f", loss.item<double>()) + (run.started(1) ? examples::text("  held out %.3f", run.last(1)) : ""));
  }
}

// A character drawn by its score.
inline int64_t sampled(const gradus::Tensor& scores, double temperature = 0.8) {
  return gradus::multinomial(gradus::softmax(scores / temperature, 0), 1).item<int64_t>();
}

}  // namespace examples
