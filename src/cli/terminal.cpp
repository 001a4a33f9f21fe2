#include "terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "neurolens/base/file_system.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::cli {
namespace {

std::size_t columns_of(int fd) {
  if (const char* columns = std::getenv("COLUMNS")) {
    const int n = std::atoi(columns);
    if (n > 0) return static_cast<std::size_t>(n);
  }
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_colour == nullptr || *no_colour == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

}  // namespace

/// The progress line.
class Terminal::Line final : public Progress {
 public:
  Line() : shown_(isatty(STDERR_FILENO) != 0), start_(system_clock().now()) {}

  void update(std::string_view phase, std::optional<double> fraction) override {
    if (!shown_) return;
    const std::lock_guard lock(mutex_);
    const Nanoseconds now = system_clock().now();
    if (phase != phase_) {
      phase_ = phase;
      phase_start_ = now;
    }
    constexpr Nanoseconds kQuiet{1'000'000'000};
    constexpr Nanoseconds kStep{100'000'000};
    if (now - start_ < kQuiet || (drawn_ && now - last_ < kStep)) return;
    last_ = now;
    drawn_ = true;
    std::string text = phase_;
    if (fraction) {
      const double f = std::clamp(*fraction, 0.0, 1.0);
      text += fmt::format("  {:3.0f} %", 100 * f);
      const double spent = static_cast<double>((now - phase_start_).count);
      if (f > 0.05 && f < 1)
        text += fmt::format("  {} left", report::format_time(spent * (1 - f) / f));
    }
    write("\r\x1b[K" + report::elide_middle(text, columns_of(STDERR_FILENO) - 1));
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    if (drawn_) write("\r\x1b[K");
    drawn_ = false;
  }

 private:
  static void write(const std::string& text) {
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0)
      return;  // a lost progress line is no loss
  }

  bool shown_;
  Nanoseconds start_;
  std::mutex mutex_;
  std::string phase_;
  Nanoseconds phase_start_;
  Nanoseconds last_;
  bool drawn_ = false;
};

Terminal::Terminal() : line_(std::make_shared<Line>()) {
  if (isatty(STDOUT_FILENO) != 0) {
    width_ = columns_of(STDOUT_FILENO);
    colour_ = wants_colour();
  }
}

Terminal::Terminal(std::string& capture) : capture_(&capture), line_(std::make_shared<Line>()) {}

void Terminal::out(std::string_view text) {
  clear_progress();
  if (capture_ != nullptr) {
    capture_->append(text);
    return;
  }
  if (failure_ != 0) return;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) failure_ = errno;
}

void Terminal::err(std::string_view text) {
  clear_progress();
  std::fflush(stdout);
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
}

Status Terminal::finish() {
  clear_progress();
  if (std::fflush(stdout) != 0 && failure_ == 0) failure_ = errno;
  if (failure_ == 0 || failure_ == EPIPE) return {};
  return system_error(failure_, "standard output", "write");
}

Progress& Terminal::progress() {
  return *line_;
}
void Terminal::clear_progress() {
  line_->clear();
}

}  // namespace neurolens::cli
