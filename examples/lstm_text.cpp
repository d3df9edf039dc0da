// A recurrent network learns to write Shakespeare, character by character: an embedding, two layers of LSTM, a linear layer.
//   lstm_text --svg curve.svg
// The text is tinyshakespeare.txt: 1,115,394 characters, or the one that --data names; the last tenth is held out. An epoch is 100 steps of 32 pieces
// of 64 characters. Expected with seed 1, and of lstm_text.py digit by digit: with --epochs 4 (400 steps in 50 s on two busy processors) 1.902 per
// character on what is held out; guessing costs 4.17. The default is 2,000 steps.
#include "language.h"

using gradus::Tensor;
namespace nn = gradus::nn;
namespace optim = gradus::optim;

namespace {

struct Writer : nn::Module {
  Writer(int64_t characters, int64_t width)
      : character(characters, width), lstm(width, width, {.layers = 2, .batch_first = true, .dropout = 0.1}), head(width, characters) {
    add("character", character), add("lstm", lstm), add("head", head);
  }
  Tensor forward(const Tensor& numbers) override { return head(lstm(character(numbers))); }

  // Goes on from a line's end; the state of the LSTM holds all that came before.
  std::string write(const examples::Text& text, long count) {
    const gradus::NoGradGuard no_grad;
    eval();
    std::vector<int64_t> numbers = {text.number("\n")};
    Tensor h, c;
    for (long i = 0; i < count; ++i) {
      const auto [seen, next_h, next_c] = lstm.run(character(gradus::tensor({{numbers.back()}})), h, c);
      h = next_h, c = next_c;
      numbers.push_back(examples::sampled(head(seen[0][-1])));
    }
    train();
    return text.read(numbers);
  }

  nn::Embedding character;
  nn::LSTM lstm;
  nn::Linear head;
};

void program(const examples::Arguments& args) {
  const long epochs = args.quick ? 2 : args.epochs, sample = static_cast<long>(examples::whole_number("--sample", args.more.at("sample"), 0));
  const examples::Lesson lesson = args.quick ? examples::Lesson{10, 8, 24} : examples::Lesson{100, 32, 64};
  const examples::Text text(args);
  Writer model(static_cast<int64_t>(text.characters.size()), args.quick ? 32 : 128);
  const optim::Optimizer optimizer("AdamW", model.parameters(), {{"lr", 5e-3}, {"weight_decay", 1e-2}});
  const auto steps = static_cast<double>(epochs * lesson.steps);
  const optim::Scheduler rates(optimizer, "OneCycleLR", {{"max_lr", 5e-3}, {"total_steps", steps}, {"pct_start", 0.1}});
  examples::Training run(args, {"training", "held out"}, model, &optimizer, &rates);
  examples::learn(args, epochs, lesson, text, run);
  const double held_out = examples::judge(model, text.held_out, lesson.length, args.quick ? 16 : 64);
  std::printf("held out: %.3f per character\n", held_out);
  examples::expect(args, held_out < 3.8, "less than 3.8 per character");
  std::printf("%s\n", model.write(text, args.quick ? std::min(sample, 60L) : sample).c_str());
  run.draw("A recurrent network learns to write", "step", "cross entropy per character");
}

}  // namespace

int main(int, char** argv) { return examples::run(argv, 20, {{"sample", "300"}}, program); }
