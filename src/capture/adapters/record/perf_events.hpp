/// \file
/// The kernel's side: opening events, and reading what they wrote into their buffers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::capture::record_detail {

inline constexpr int kRegisterCount = 17;  ///< DWARF numbers 0 to 16; 16 is the program counter.

struct PerfSample {
  std::uint64_t time = 0, period = 0;
  std::uint32_t pid = 0, tid = 0;
  std::vector<std::uint64_t> kernel_chain;  ///< Innermost first.
  std::vector<std::uint64_t> user_chain;    ///< By frame pointers, innermost first.
  bool has_registers = false;
  std::uint64_t registers[kRegisterCount] = {};
  std::vector<unsigned char> stack;  ///< From the stack pointer upwards.
};

struct PerfMapping {
  std::uint64_t time = 0;
  std::uint32_t pid = 0;
  std::uint64_t start = 0, length = 0, offset = 0;
  bool executable = false;
  std::string path;
};

struct PerfName {
  std::uint64_t time = 0;
  std::uint32_t pid = 0, tid = 0;
  bool exec = false;
  std::string name;
};

struct PerfFork {
  std::uint64_t time = 0;
  std::uint32_t pid = 0, parent = 0, tid = 0;
};

/// Receives records in the order of time.
struct PerfSink {
  std::function<void(PerfSample&&)> sample;
  std::function<void(PerfMapping&&)> mapping;
  std::function<void(PerfName&&)> name;
  std::function<void(PerfFork&&)> fork;
};

struct PerfOptions {
  double rate_hz = 997;
  bool hardware = true;
  bool stacks = true;  ///< Copy registers and stack; else frame-pointer chains only.
  std::uint32_t stack_bytes = 32768;
  bool enable_on_exec = false;
};

/// Events on one task and all it starts, on every processor.
class PerfEvents {
 public:
  PerfEvents();
  ~PerfEvents();
  PerfEvents(const PerfEvents&) = delete;
  PerfEvents& operator=(const PerfEvents&) = delete;

  /// Errors: unavailable with the setting to change, not_found (no such task), permission_denied.
  Status open(const std::vector<std::int64_t>& tasks, const PerfOptions& options);
  /// How long the buffers may fill before they are read, so that they are at most half full.
  [[nodiscard]] int longest_wait_ms() const;
  /// Waits until it is time to read, `timeout_ms` later; earlier when `also` can be read (-1: no
  /// descriptor) or a signal comes.
  void wait(int timeout_ms, int also);
  /// Reads what is there and hands on what is certain to be in order. `last`: everything.
  void drain(const PerfSink& sink, bool last);
  void disable();
  [[nodiscard]] std::uint64_t lost() const;
  [[nodiscard]] bool hardware() const;
  [[nodiscard]] bool kernel_visible() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::capture::record_detail
