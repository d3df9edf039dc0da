// A transformer learns to write Shakespeare, character by character: 4 layers, 4 heads, 128 wide, 128 characters of context.
//   char_gpt --svg curve.svg --save gpt.safetensors
//   char_gpt --resume gpt.safetensors --sample 500          writes only
// The text is tinyshakespeare.txt: 1,115,394 characters, or the one that --data names; the last tenth is held out. An epoch is 100 steps of 32
// pieces. Expected with seed 1, and of char_gpt.py digit by digit: with --epochs 2 (200 steps in 2 minutes on two busy processors) 2.392 per
// character on what is held out; guessing costs 4.17. The default is 2,000 steps.
#include "language.h"

using gradus::Tensor;
namespace nn = gradus::nn;
namespace optim = gradus::optim;

namespace {

struct Block : nn::Module {                                   // attention to what came before, then two linear layers; both are added to their input
  Block(int64_t width, int64_t count, double p) : heads(count), norm1({width}), norm2({width}), qkv(width, 3 * width), out(width, width), dropout(p) {
    feed.push<nn::Linear>(width, 4 * width);
    feed.push<nn::GELU>();
    feed.push<nn::Linear>(4 * width, width);
    feed.push<nn::Dropout>(p);
    add("norm1", norm1), add("norm2", norm2), add("qkv", qkv), add("out", out), add("feed", feed), add("dropout", dropout);
  }
  Tensor forward(const Tensor& x) override {
    const auto parts = qkv(norm1(x)).reshape({x.size(0), x.size(1), 3, heads, x.size(2) / heads}).permute({2, 0, 3, 1, 4}).unbind(0);
    const Tensor seen = gradus::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0.0, true).transpose(1, 2).flatten(2);
    const Tensor y = x + dropout(out(seen));
    return y + feed(norm2(y));
  }
  int64_t heads;
  nn::LayerNorm norm1, norm2;
  nn::Linear qkv, out;
  nn::Sequential feed;
  nn::Dropout dropout;
};

struct Size { int64_t context = 128, width = 128, layers = 4, heads = 4; };

struct Blocks : nn::Sequential {
  explicit Blocks(const Size& s) {
    for (int64_t i = 0; i < s.layers; ++i) push<Block>(s.width, s.heads, 0.1);
  }
};

struct GPT : nn::Module {
  GPT(int64_t characters, const Size& s)
      : character(characters, s.width), place(s.context, s.width), blocks(s), norm({s.width}), head(s.width, characters, false) {
    add("character", character), add("place", place), add("blocks", blocks), add("norm", norm), add("head", head);
    const gradus::NoGradGuard no_grad;
    for (auto& [name, p] : named_parameters()) {              // what is added to the sum of all layers starts smaller
      const bool added = name.ends_with("out.weight") || name.ends_with("feed.2.weight");
      if (p.dim() > 1) p.normal_(0.0, 0.02 / (added ? std::sqrt(2.0 * static_cast<double>(s.layers)) : 1));
    }
  }
  Tensor forward(const Tensor& numbers) override { return head(norm(blocks(character(numbers) + place(gradus::arange(numbers.size(1)))))); }
  nn::Embedding character, place;
  Blocks blocks;
  nn::LayerNorm norm;
  nn::Linear head;
};

// Goes on from a line's end, one character after the other.
std::string write(GPT& model, const examples::Text& text, long count, int64_t context) {
  const gradus::NoGradGuard no_grad;
  model.eval();
  std::vector<int64_t> numbers = {text.number("\n")};
  for (long i = 0; i < count; ++i) {
    const auto n = std::min(static_cast<int64_t>(numbers.size()), context);
    numbers.push_back(examples::sampled(model(gradus::from_data(&numbers[numbers.size() - static_cast<size_t>(n)], {1, n}))[0][n - 1]));
  }
  return text.read(numbers);
}

void program(const examples::Arguments& args) {
  const long epochs = args.quick ? 2 : args.epochs, sample = static_cast<long>(examples::whole_number("--sample", args.more.at("sample"), 0));
  const examples::Lesson lesson = args.quick ? examples::Lesson{10, 8, 32} : examples::Lesson{100, 32, 128};
  const examples::Text text(args);
  GPT model(static_cast<int64_t>(text.characters.size()), args.quick ? Size{lesson.length, 32, 2, 4} : Size{});
  std::vector<Tensor> decayed, others;
  for (const Tensor& p : model.parameters()) (p.dim() > 1 ? decayed : others).push_back(p);
  const optim::Optimizer optimizer("AdamW", decayed, {{"lr", 3e-3}, {"beta2", 0.99}, {"weight_decay", 0.1}});
  optimizer.add_group(others, {{"lr", 3e-3}, {"beta2", 0.99}, {"weight_decay", 0}});
  const auto steps = static_cast<double>(epochs * lesson.steps);
  const optim::Scheduler rates(optimizer, "OneCycleLR", {{"max_lr", 3e-3}, {"total_steps", steps}, {"pct_start", 0.1}});
  examples::Training run(args, {"training", "held out"}, model, &optimizer, &rates);
  examples::learn(args, epochs, lesson, text, run);
  const double held_out = examples::judge(model, text.held_out, lesson.length, args.quick ? 16 : 64);
  std::printf("held out: %.3f per character\n", held_out);
  examples::expect(args, held_out < 3.8, "less than 3.8 per character");
  std::printf("%s\n", write(model, text, args.quick ? std::min(sample, 60L) : sample, lesson.length).c_str());
  run.draw("A transformer learns to write", "step", "cross entropy per character");
}

}  // namespace

int main(int, char** argv) { return examples::run(argv, 20, {{"sample", "300"}}, program); }
