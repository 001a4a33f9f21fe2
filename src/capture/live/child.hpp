/// \file
/// A program started with pipes on all of its standard streams.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::capture {

/// Both ends of a pipe, closed at the end.
class Pipe {
 public:
  Pipe();
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  void close_read() { close_end(0); }
  void close_write() { close_end(1); }

 private:
  void close_end(std::size_t i);
  std::array<int, 2> ends_{-1, -1};
  bool ok_ = false;
};

/// One process. Its end is waited for by finish(), or forced when a Child goes away before.
class Child {
 public:
  Child() = default;
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Errors: not_found, permission_denied and others of starting it; bad_request for no command.
  Status start(const std::vector<std::string>& command);
  /// Sends a line. Errors: task_failed when the program is gone (its last words are passed on).
  Status send(const std::string& line);
  /// The next line of its stdout, without the line break. Errors: task_failed when there is none.
  Result<std::string> read_line();

  struct End {
    std::string out;  ///< The rest of stdout (the last MiB of it).
    Nanoseconds spent;
    Bytes peak_memory;
  };
  /// Closes its stdin, reads what is left and waits. Errors: task_failed for another status than 0.
  Result<End> finish();

 private:
  /// Reads once from whichever stream has something; false when both are closed.
  bool pump();
  Error failed(int status) const;

  std::string program_;
  Pipe in_;
  Pipe out_;
  Pipe err_;
  bool out_open_ = false;
  bool err_open_ = false;
  std::string out_text_;
  std::string err_text_;
  pid_t pid_ = 0;
  Nanoseconds begin_;
};

}  // namespace neurolens::capture
