/// \file
/// stdout for answers, stderr for everything else. Knows whether a person is looking.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::cli {

class Terminal {
 public:
  /// Looks at the process's standard streams and at NO_COLOR, COLUMNS, TERM.
  Terminal();
  /// Keeps answers in `capture` instead of writing them to stdout; stderr is as ever. The string
  /// outlives this. Nobody is looking: no width, no colour.
  explicit Terminal(std::string& capture);

  /// Writes to stdout. Failures are remembered and reported by finish().
  void out(std::string_view text);
  /// Writes to stderr, above a progress line if one stands there.
  void err(std::string_view text);
  /// Flushes stdout. Errors: no_space, io_error; a closed pipe is not an error (the reader had
  /// enough).
  Status finish();

  [[nodiscard]] std::size_t width() const {
    return width_;
  }  ///< 0 when stdout is no terminal: unlimited.
  [[nodiscard]] bool colour() const { return colour_; }
  /// One line on stderr with phase, fraction and time left, rewritten in place; silent when stderr
  /// is no terminal, and for the first second.
  [[nodiscard]] Progress& progress();
  /// Removes the progress line.
  void clear_progress();

 private:
  class Line;
  std::size_t width_ = 0;
  bool colour_ = false;
  int failure_ = 0;  ///< errno of the first failed write to stdout.
  std::string* capture_ = nullptr;
  std::shared_ptr<Line> line_;
};

}  // namespace neurolens::cli
