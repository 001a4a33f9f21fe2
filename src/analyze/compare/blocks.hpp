/// \file
/// Settled samples of a Run as block medians in the order of time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

inline constexpr std::size_t kMostBlocks = 20;

/// Which rows of a Run count, and its samples as doubles.
class SettledSamples {
 public:
  explicit SettledSamples(const run::Run& run);
  /// Durations of whole iterations of one kind, in the order of time.
  [[nodiscard]] std::vector<double> iterations(bool observed) const;
  /// Writes to `out`, per settled observed iteration, the time inside `op`, scaled to the Run's
  /// estimate; nothing when not collected. Missing values become the op's median.
  void op(std::size_t op, std::vector<double>& out) const;
  /// Best estimate of the op's time; nullopt when there is none.
  [[nodiscard]] std::optional<double> op_time(std::size_t op) const;

 private:
  const run::Run* run_;
  std::vector<std::uint32_t> rows_;  ///< Rows of op columns that count.
};

/// Writes to `out` medians of `blocks` runs of neighbours whose lengths differ by one at most.
/// Requires: blocks <= samples.size().
void block_medians(const std::vector<double>& samples, std::size_t blocks,
                   std::vector<double>& out);

}  // namespace neurolens::analyze
