// Progress of a long loop on the error stream: on a terminal one line that is drawn anew, elsewhere one line per tenth.
#pragma once
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

namespace examples {

class Progress {
 public:
  Progress(std::string what, long total, FILE* to = stderr)
      : what_(std::move(what)), total_(std::max(total, 1L)), to_(to), terminal_(isatty(fileno(to)) != 0), start_(Clock::now()), drawn_(start_) {}
  ~Progress() { close(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // One more step is done; `note` is shown behind the bar, such as the loss.
  void step(const std::string& note = {}) {
    ++done_;
    const bool last = done_ >= total_;
    const auto now = Clock::now();
    if (terminal_) {
      if (!last && now - drawn_ < std::chrono::milliseconds(60)) return;
      drawn_ = now;
      draw(note, now);
    } else if (last || done_ * 10 / total_ != (done_ - 1) * 10 / total_) {
      std::fprintf(to_, "%s %ld/%ld (%ld%%)  %s  %s\n", what_.c_str(), done_, total_, done_ * 100 / total_, speed(now).c_str(), note.c_str());
    }
    if (last) close();
  }
  // For a loop that ends early: what is written next starts on a line of its own.
  void close() {
    if (terminal_ && done_ > 0 && !finished_) std::fputc('\n', to_);
    finished_ = true;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static std::string time(double seconds) {
    char s[32];
    const long t = static_cast<long>(seconds + 0.5);
    if (t >= 3600) std::snprintf(s, sizeof s, "%ld:%02ld:%02ld", t / 3600, t / 60 % 60, t % 60);
    else std::snprintf(s, sizeof s, "%ld:%02ld", t / 60, t % 60);
    return s;
  }
  // Steps per second so far, and how long the rest will take.
  std::string speed(Clock::time_point now) const {
    const double seconds = std::max(std::chrono::duration<double>(now - start_).count(), 1e-9), rate = static_cast<double>(done_) / seconds;
    char s[64];
    std::snprintf(s, sizeof s, "%.*f/s  %s %s", rate < 10 ? 2 : 0, rate, done_ < total_ ? "left" : "took",
                  time(done_ < total_ ? static_cast<double>(total_ - done_) / rate : seconds).c_str());
    return s;
  }
  void draw(const std::string& note, Clock::time_point now) {
    constexpr long kWidth = 28;
    constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const long eighths = std::min(done_, total_) * kWidth * 8 / total_, full = eighths / 8;
    std::string bar;
    for (long i = 0; i < full; ++i) bar += "█";
    bar += kEighths[eighths % 8];
    for (long i = full + (eighths % 8 != 0); i < kWidth; ++i) bar += " ";
    std::fprintf(to_, "\r\033[K%s %3ld%% ▕%s▏ %ld/%ld  %s  %s", what_.c_str(), done_ * 100 / total_, bar.c_str(), done_, total_, speed(now).c_str(),
                 note.c_str());
    std::fflush(to_);
  }

  std::string what_;
  long total_, done_ = 0;
  FILE* to_;
  bool terminal_, finished_ = false;
  Clock::time_point start_, drawn_;
};

}  // namespace examples
