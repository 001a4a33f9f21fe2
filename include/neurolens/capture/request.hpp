/// \file
/// What to measure and how: the `profile` command line as a plain value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::capture {

/// How per-op times are found; see docs/guides/profiling.md.
enum class Method : std::uint8_t {
  observed,   ///< The backend's own profiler at face value.
  corrected,  ///< Its times without the calibrated cost of observation; they add up to the truth.
  cut,        ///< Differences between unobserved runs of the model cut after each op.
  automatic,  ///< corrected; the most expensive ops by cuts where the observer distorts over 10 %.
};
[[nodiscard]] const char* to_string(Method method);
/// Of "observed", "corrected", "cut", "auto".
[[nodiscard]] std::optional<Method> method_from_name(const std::string& name);

/// Graph optimisation of the backend.
enum class OptLevel : std::uint8_t { none, basic, extended, all };
[[nodiscard]] const char* to_string(OptLevel level);
[[nodiscard]] std::optional<OptLevel> opt_level_from_name(const std::string& name);

/// A measurement to be made. Defaults are what `neurolens profile MODEL` does.
struct CaptureRequest {
  std::string model_path;  ///< REQUIRED. An .onnx file.

  /// Name of the adapter.
  std::string adapter = "onnxruntime";
  /// Execution provider: "cpu", or a name that the backend knows ("cuda", "CUDAExecutionProvider").
  std::string provider = "cpu";
  /// Library of the backend; empty: ${NEUROLENS_ORT_LIBRARY}, the dependency directory, the system.
  std::string ort_library;

  /// Pairs of an observed and an unobserved iteration, >= 1. Empty: until the 95 % interval of the
  /// median unobserved latency is narrower than `target_interval_ratio`, or `time_limit` passed.
  std::optional<std::int64_t> iterations;
  /// Pairs before these that are kept apart, >= 0. Empty: 5, or as many as fit in one second, >= 1.
  std::optional<std::int64_t> warmup;
  /// Full width of that interval relative to the median, in (0, 1).
  double target_interval_ratio = 0.01;
  /// Of the measured iterations when `iterations` is empty. Not counted: loading, warm-up, cuts.
  Nanoseconds time_limit{10'000'000'000};

  /// Threads within an op; 0 leaves the choice to the backend.
  std::int64_t threads = 1;
  OptLevel optimisation = OptLevel::all;

  /// Size of free dimensions that mean the batch: those named so ("batch", "N", "bs"), and unnamed
  /// ones in first place.
  std::int64_t batch = 1;
  /// Size of free dimensions that mean the sequence ("sequence", "seq_len", "tokens", ...).
  std::int64_t sequence = 128;
  /// True when `batch` or `sequence` was asked for: a model without such a dimension is then told
  /// so.
  bool batch_given = false;
  bool sequence_given = false;
  /// Input name -> dimensions; overrides everything else. Errors: unknown name, wrong rank or size.
  std::map<std::string, std::vector<std::int64_t>> shapes;
  /// Name of a free dimension -> size.
  std::map<std::string, std::int64_t> dimensions;
  /// Input name -> .npy or .pb file with its content.
  std::map<std::string, std::string> inputs;
  /// Seed of generated inputs and of the order of iterations.
  std::uint64_t seed = 1;

  Method method = Method::automatic;
  /// Ops that cuts settle, >= 1.
  std::int64_t top = 5;
  /// Time that cuts may take.
  Nanoseconds budget{20'000'000'000};

  std::map<std::string, std::string> tags;
  std::vector<std::string> command;  ///< Recorded in the Run: what reproduces it.

  /// Run the backend in a process of its own, so that its crash or hang is an error and not ours.
  bool isolated = false;
  /// In isolation: no sign of life for this long is a hang (error timed_out). A single iteration
  /// must be shorter.
  Nanoseconds stall_limit{300'000'000'000};
  /// Bytes that the isolated process may map; empty: physical memory and swap, less what the parent
  /// has.
  std::optional<Bytes> memory_limit;

  /// Folder in which a temporary folder is made (and removed); empty: ${TMPDIR:-/tmp}.
  std::string work_folder;

  /// Progress and cancellation. Cancelling during measurement yields a Run with status "partial".
  Attention attention;
};

}  // namespace neurolens::capture
