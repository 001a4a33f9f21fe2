/// \file
/// Measures a matrix: rounds over all cells in random order, each launch a Run that is kept before
/// the next one begins.
///
/// What was done lives in two places. Runs are where the caller keeps them, with tags that name
/// execution, cell and launch; that is the truth about what was measured. The output folder holds
/// the id of the execution (`bench.json`) and the cells that failed (`failures.jsonl`, one line
/// each, torn lines are skipped). A kill at any point loses at most the launch that was running.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/bench/cells.hpp"
#include "neurolens/bench/config.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::bench {

/// A launch that was measured and kept.
struct Launch {
  std::int64_t repeat = 0;  ///< 0 for the first one.
  std::string run_id;
  std::optional<double> latency_ns;  ///< Median unobserved iteration.
};

/// What the matrix needs from outside. Called from one thread.
class Workshop {
 public:
  virtual ~Workshop() = default;
  /// REQUIRED. The file of the cell's model in the cell's precision, made when it is not there yet;
  /// for an engine its specification with the cell's options.
  /// Errors: unavailable where the precision cannot be had, with the reason; any other one fails
  /// the cell alike.
  [[nodiscard]] virtual Result<std::string> model_file(const Config& config, const Cell& cell) = 0;
  /// REQUIRED. One measurement, as capture::profile_model() does it. An error fails the cell.
  [[nodiscard]] virtual Result<run::Run> measure(const capture::CaptureRequest& request) = 0;
  /// REQUIRED. The same for an engine; request.model_path is its specification.
  [[nodiscard]] virtual Result<run::Run> measure_engine(const capture::CaptureRequest& request) = 0;
  /// REQUIRED. Keeps a Run durably. An error ends the matrix: what cannot be kept need not be
  /// measured.
  [[nodiscard]] virtual Result<Launch> keep(const run::Run& run) = 0;
  /// REQUIRED. Every Run kept with this tag value under kBenchIdTag, as (cell key, launch).
  [[nodiscard]] virtual Result<std::vector<std::pair<std::string, Launch>>> kept(
      const std::string& bench_id) = 0;
};

/// What became of a cell.
struct CellOutcome {
  std::vector<Launch> launches;  ///< By repeat.
  std::optional<Error> failure;  ///< Why there are no more; its Runs before that stay.
};

/// Where the work is.
struct Step {
  std::size_t done = 0;             ///< Launches behind us, earlier executions included.
  std::size_t total = 0;            ///< Launches in all, as far as can be said now.
  std::string cell;                 ///< Key of the one that begins.
  std::optional<Nanoseconds> left;  ///< Estimate; empty before the first launch ended.
};

/// How to go about it.
struct MatrixOptions {
  std::string folder;   ///< REQUIRED. The output folder; made when absent.
  bool resume = false;  ///< Go on with the execution that the folder holds.
  Attention attention;  ///< Cancelling ends after the launch that is running, which is dropped.
  std::function<void(const Step&)> on_step;  ///< May be empty.
};

/// What run_matrix() did.
struct MatrixResult {
  std::string bench_id;
  std::vector<CellOutcome> cells;  ///< In the order of the cells given.
  bool cancelled = false;          ///< Some launches are missing.
};

/// Measures what is missing. Errors: bad_request when the folder holds an execution and `resume`
/// is not set, or one of another configuration; those of Workshop::keep, Workshop::kept and of
/// writing. A cell's own error is part of the result: the rest goes on.
[[nodiscard]] Result<MatrixResult> run_matrix(const Config& config, const std::vector<Cell>& cells,
                                              Workshop& workshop, const MatrixOptions& options,
                                              FileSystem& files, Clock& clock);

/// Median of what the launches say and its 95 % interval: geometric mean of their medians with
/// Student's t on the logarithms. nullopt without latencies; no interval for one launch.
struct Latency {
  double value_ns = 0;
  std::optional<double> low_ns;
  std::optional<double> high_ns;
};
[[nodiscard]] std::optional<Latency> latency_of(const std::vector<Launch>& launches);

}  // namespace neurolens::bench
