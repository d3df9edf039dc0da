// What the C++ examples share: the command line, progress, learning curves, and checkpoints from which a run goes on as if it had not stopped.
#pragma once
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gradus/file.hpp"
#include "gradus/nn.hpp"
#include "gradus/optim.hpp"
#include "progress.h"
#include "svg.h"

namespace examples {

namespace fs = std::filesystem;

// Thrown to end the program with a message; tests count status 77 as skipped.
struct Stop {
  int status;
  std::string message;
};

// ---- the command line
struct Arguments {
  std::string program, data, save, resume, svg;               // data: empty in programs without
  long epochs = 0, stop = 0, threads = 0;
  uint64_t seed = 1;
  bool quick = false;
  std::map<std::string, std::string> more;                    // options of the program's own
};

// The nearest folder shared/data here or above, else data.
inline std::string near_data() {
  for (fs::path at = fs::current_path();; at = at.parent_path()) {
    if (fs::is_directory(at / "shared" / "data")) return (at / "shared" / "data").string();
    if (at == at.parent_path()) return "data";
  }
}

constexpr uint64_t kMostEpochs = 1000000000, kMostThreads = 1024;

inline std::string usage(const Arguments& defaults) {
  std::string more;
  for (const auto& [name, value] : defaults.more) more += "  --" + name + " ...  default: " + value + "\n";
  std::string data = "  --data PATH  not read: no data is needed\n";
  if (!defaults.data.empty())
    data = "  --data PATH  folder of the data set, or a text file for those that read text; default: " + defaults.data + "\n";
  return "options:\n" + data +
         "  --epochs N   default: " + std::to_string(defaults.epochs) + "\n"
         "  --stop N     end after epoch N; --resume goes on\n"
         "  --seed N     of first values and the order of samples, a number of 64 bits; default: " + std::to_string(defaults.seed) + "\n"
         "  --threads N  at most " + std::to_string(kMostThreads) + "; default: 0, as many as there are processors\n"
         "  --save FILE  write model, optimizer and progress there after each epoch\n"
         "  --resume FILE  go on from such a file\n"
         "  --svg FILE   draw the learning curves\n"
         "  --quick      a few seconds only: less data, a smaller network\n" + more;
}

// Digits and nothing else, as learning.py reads them.
inline uint64_t whole_number(const std::string& option, const std::string& text, uint64_t least, uint64_t most = kMostEpochs) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < least || n > most)
    throw Stop{2, option + " " + text + ": a whole number from " + std::to_string(least) + " to " + std::to_string(most) + " is wanted"};
  return n;
}

// Before hours of learning, not after them: the folder of the file to write is there.
inline void check_output(const std::string& option, const std::string& path) {
  if (path.empty()) return;
  const fs::path parent = fs::path(path).parent_path(), folder = parent.empty() ? fs::path(".") : parent;
  std::error_code none;
  if (!fs::is_directory(folder, none)) throw Stop{1, option + " " + path + ": there is no folder " + folder.string()};
  if (access(folder.c_str(), W_OK)) throw Stop{1, option + " " + path + ": the folder " + folder.string() + " can't be written to"};
  if (fs::is_directory(path, none)) throw Stop{1, option + " " + path + ": that is a folder"};
}

inline Arguments arguments(char** argv, Arguments a) {
  const Arguments defaults = a;
  std::string unread;
  std::map<std::string, std::string*> texts = {{"--save", &a.save}, {"--resume", &a.resume}, {"--svg", &a.svg}};
  texts["--data"] = a.data.empty() ? &unread : &a.data;
  std::map<std::string, long*> numbers = {{"--epochs", &a.epochs}, {"--stop", &a.stop}, {"--threads", &a.threads}};
  for (auto& [name, value] : a.more) texts["--" + name] = &value;
  while (*++argv) {
    const std::string option = *argv;
    if (option == "--quick") a.quick = true;
    else if (option == "--help" || option == "-h") throw Stop{0, usage(defaults)};
    else if (!texts.count(option) && !numbers.count(option) && option != "--seed")
      throw Stop{2, "there is no option " + option + "\n" + usage(defaults)};
    else if (!*++argv) throw Stop{2, option + " needs a value"};
    else if (texts.count(option)) *texts[option] = *argv;
    else if (option == "--seed") a.seed = whole_number(option, *argv, 0, UINT64_MAX);
    else if (option == "--threads") a.threads = static_cast<long>(whole_number(option, *argv, 0, kMostThreads));
    else *numbers[option] = static_cast<long>(whole_number(option, *argv, 1));
  }
  if (!unread.empty()) std::fprintf(stderr, "%s: --data %s is not read: no data is needed\n", a.program.c_str(), unread.c_str());
  check_output("--save", a.save);
  check_output("--svg", a.svg);
  if (!a.resume.empty() && !fs::is_regular_file(a.resume)) throw Stop{1, "--resume " + a.resume + ": there is no such file"};
  return a;
}

// The main function of an example: reads the command line, sets threads and seed, and runs it.
inline int run(char** argv, long epochs, const std::map<std::string, std::string>& more, void (*program)(const Arguments&), bool with_data = true) {
  const std::string name = fs::path(*argv).filename().string();
  try {
    Arguments defaults;
    defaults.program = name;
    if (with_data) defaults.data = near_data();
    defaults.epochs = epochs, defaults.more = more;
    const Arguments a = arguments(argv, defaults);
    gradus_context_options options{};
    options.threads = static_cast<int32_t>(a.threads);
    const gradus::Context context(options);
    const gradus::Context::Use use(context);
    gradus::manual_seed(a.seed);
    program(a);
    return 0;
  } catch (const Stop& s) {
    std::fprintf(s.status ? stderr : stdout, "%s: %s\n", name.c_str(), s.message.c_str());
    return s.status;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
    return 1;
  }
}

// The path of a data file. Where it is missing the program ends, saying how to get it.
inline std::string data_file(const std::string& folder, const std::string& name) {
  const fs::path path = fs::path(folder) / name;
  if (!fs::is_regular_file(path))
    throw Stop{77, path.string() + " is not there. To fetch the data sets where they are published, and check them:\n"
                   "  python3 examples/data.py data\nThen name the folder: --data data"};
  return path.string();
}

// With --quick, which tests use: the program fails unless it has learned.
inline void expect(const Arguments& a, bool good, const char* what) {
  if (a.quick && !good) throw Stop{1, std::string(what) + " was expected"};
}

inline std::string text(const char* format, double value) {
  char s[64];
  std::snprintf(s, sizeof s, format, value);
  return s;
}

inline void drawn(int good, const std::string& path) {
  if (!good) throw Stop{1, path + ": can't be written"};
}

// ---- what a checkpoint holds
class Training {
 public:
  Training(const Arguments& a, const std::vector<std::string>& curves, gradus::nn::Module& of, const gradus::optim::Optimizer* steps = nullptr,
           const gradus::optim::Scheduler* scheduler = nullptr)
      : model(of), optimizer(steps), rates(scheduler), arguments_(a) {
    for (const std::string& name : curves) curves_.push_back({name, {}, {}});
    if (!a.resume.empty()) resume();
  }

  gradus::nn::Module& model;
  const gradus::optim::Optimizer* optimizer;
  const gradus::optim::Scheduler* rates;
  long done = 0;                                              // steps, or epochs
  void point(size_t curve, double x, double y) { curves_.at(curve).x.push_back(x), curves_.at(curve).y.push_back(y); }
  bool started(size_t curve) const { return !curves_.at(curve).y.empty(); }
  double last(size_t curve) const { return curves_.at(curve).y.back(); }

  // One file of everything that a run needs to go on with the same bits: the random stream is in it. learning.py writes the same file.
  void save() const {
    if (arguments_.save.empty()) return;
    gradus::TensorMap all = {{"random", gradus::get_rng_state()}, {"done", gradus::tensor(int64_t{done})}};
    const auto add = [&all](const std::string& prefix, const gradus::NamedTensors& some) {
      for (const auto& [name, t] : some) all.emplace(prefix + name, t);
    };
    add("model.", model.state_dict());
    if (optimizer) add("optimizer.", optimizer->state_dict());
    if (rates)                                                // all else of a scheduler is what it was made with, or stands in the optimizer
      for (const auto& [name, value] : rates->state())
        if (name == "last_epoch") all.emplace("rates.last_epoch", gradus::tensor(value, gradus::float64));
    for (const Curve& c : curves_) all.emplace("curves." + c.name, gradus::stack({gradus::tensor(c.x), gradus::tensor(c.y)}));
    gradus::save(arguments_.save, all, {{"program", arguments_.program}}, {.format = gradus::Format::safetensors});
  }

  void draw(const std::string& title, const char* x_label, const char* y_label, bool logarithmic = false) const {
    if (arguments_.svg.empty()) return;
    std::vector<svg_series> series;
    for (const Curve& c : curves_) series.push_back({c.name.c_str(), c.x.data(), c.y.data(), c.x.size(), 0, 0});
    const svg_plot plot = {title.c_str(), x_label, y_label, series.data(), series.size(), logarithmic};
    drawn(svg_write_plots(arguments_.svg.c_str(), &plot, 1), arguments_.svg);
  }

 private:
  struct Curve {
    std::string name;
    std::vector<double> x, y;
  };

  void resume() try {
    const gradus::File file(arguments_.resume);
    const gradus::TextMap metadata = file.metadata();
    const auto writer = metadata.find("program");
    if (writer == metadata.end()) throw Stop{1, "none of the examples that train wrote it"};
    if (writer->second != arguments_.program) throw Stop{1, writer->second + " wrote it, for a model of its own"};
    const gradus::TensorMap all = file.tensors();
    const auto under = [&all](const std::string& prefix) {
      gradus::NamedTensors some;
      for (auto i = all.lower_bound(prefix); i != all.end() && i->first.compare(0, prefix.size(), prefix) == 0; ++i)
        some.emplace_back(i->first.substr(prefix.size()), i->second);
      return some;
    };
    model.load_state_dict(under("model."));
    if (optimizer) optimizer->load_state_dict(under("optimizer."));
    if (rates) rates->load_state({{"last_epoch", file["rates.last_epoch"].item<double>()}});
    for (Curve& c : curves_) {
      const gradus::Tensor points = file["curves." + c.name];
      c.x = points[0].to_vector<double>(), c.y = points[1].to_vector<double>();
    }
    done = static_cast<long>(file["done"].item<int64_t>());
    if (done < 0 || done > static_cast<long>(kMostEpochs) * 100) throw Stop{1, "'done' is " + std::to_string(done)};
    gradus::set_rng_state(file["random"]);
  } catch (const Stop& s) {
    throw Stop{1, "--resume " + arguments_.resume + ": " + s.message};
  } catch (const std::exception& e) {
    throw Stop{1, "--resume " + arguments_.resume + ": " + e.what()};
  }

  const Arguments& arguments_;
  std::vector<Curve> curves_;
};

// The numbers below count in an order that seed and epoch decide, as a DataLoader of the Python package shuffles; the random stream stays where
// it is.
inline gradus::Tensor shuffled(int64_t count, uint64_t seed, uint64_t epoch) {
  const gradus::Tensor state = gradus::get_rng_state();
  gradus::manual_seed((seed * 0x9E3779B97F4A7C15u + epoch) & ~(uint64_t{1} << 63));
  const gradus::Tensor order = gradus::randperm(count);
  gradus::set_rng_state(state);
  return order;
}

// How far a run goes that has a number of rounds in each epoch.
inline long end_of(const Arguments& a, long epochs, long rounds = 1) { return (a.stop ? std::min(a.stop, epochs) : epochs) * rounds; }

inline long numbers_in(const gradus::nn::Module& model) {
  long n = 0;
  for (const gradus::Tensor& p : model.parameters()) n += static_cast<long>(p.numel());
  return n;
}

}  // namespace examples
