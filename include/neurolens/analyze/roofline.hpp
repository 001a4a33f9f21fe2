/// \file
/// How close each op comes to what this machine could do (Williams, Waterman, Patterson 2009, with
/// one roof per level of memory).
///
/// Ideal time of an op = max(FLOPs / arithmetic ceiling, time to move its activations + weight
/// bytes / bandwidth of the smallest level that holds all weights of the model, since every
/// inference sweeps all of them). Activations fill the levels from the nearest on, since what the
/// op before wrote may still lie there: an op whose activations exceed a cache by a little is no
/// slower than the rest of them. A level's bandwidth is the best of read, write, copy and triad.
/// Bytes are minimum bytes, so the memory roof is an upper bound of speed. The share of the roof is
/// ideal time / measured time; it can exceed 1 by the error of the ceilings. An op is bound by what
/// its ideal time consists of; it is bound by "overhead" when the ideal time is less than a tenth
/// of a measured time below kOverheadNs: dispatch, not work, is what it spends.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// Times below this can be dispatch rather than work.
inline constexpr double kOverheadNs = 10'000;

/// Where one op stands.
struct RoofPoint {
  double ideal_ns = 0;
  double roof_ratio = 0;            ///< ideal / measured.
  std::string bound;                ///< "compute", "L1", "L2", "L3", "DRAM" or "overhead".
  double flops_per_second = 0;      ///< Achieved.
  double bytes_per_second = 0;      ///< Achieved, minimum bytes.
  std::optional<double> intensity;  ///< FLOPs per minimum byte; nullopt without bytes.
};

/// The ceilings of a Run as the model above needs them. Built once per Run.
class Roofline {
 public:
  /// Uses run.ceilings, the caches of run.host and run.software.threads (null counts as 1).
  explicit Roofline(const run::Run& run);
  /// False when the Run carries no ceilings: every point() is then nullopt.
  [[nodiscard]] bool usable() const { return usable_; }
  /// Where `op` stands when it takes `time_ns`. nullopt when its cost is unknown, the time is not >
  /// 0, or there is no ceiling for its type.
  [[nodiscard]] std::optional<RoofPoint> point(const run::Op& op, double time_ns) const;
  /// Arithmetic ceiling for an element type ("f32"), FLOP/s; nullopt when not measured.
  [[nodiscard]] std::optional<double> compute(std::string_view dtype) const;
  /// A level of memory: its best bandwidth, and what of it counts as usable.
  struct Memory {
    std::string level;
    double bytes_per_second = 0;
    std::int64_t usable_bytes = 0;
  };
  /// The smallest level that holds `bytes`; nullopt without ceilings of memory.
  [[nodiscard]] std::optional<Memory> memory(std::int64_t bytes) const;

 private:
  /// The ceiling named PREFIX + "_1t" or "_all" for this Run's threads.
  [[nodiscard]] std::optional<double> ceiling(const std::string& prefix) const;
  [[nodiscard]] std::optional<double> bandwidth(std::string_view level) const;
  /// Time to move `bytes` that fill the levels from the nearest on.
  [[nodiscard]] double move_ns(std::int64_t bytes) const;

  /// The smallest level that holds `bytes`; null when there is none.
  [[nodiscard]] const Memory* level_for(std::int64_t bytes) const;

  const run::Run* run_;
  std::vector<Memory> levels_;  ///< From the nearest on; the last one holds everything.
  std::map<std::string, double, std::less<>> compute_;  ///< By element type.
  std::int64_t threads_ = 1;
  std::int64_t weight_bytes_ = 0;
  bool usable_ = false;
};

}  // namespace neurolens::analyze
