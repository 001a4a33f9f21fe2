/// \file
/// What a matrix found, as rows: plain values, so that tables can be checked on planted ones.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "neurolens/bench/matrix.hpp"
#include "neurolens/store/store.hpp"

namespace neurolens::cli {

/// One cell.
struct BenchRow {
  std::vector<std::pair<std::string, std::string>> axes;  ///< Every axis; "" where left open.
  std::string key;
  /// "measured", "not measured" (stopped before), "not available" (this machine cannot), "failed".
  std::string status;
  std::string reason;               ///< A sentence; empty when measured.
  std::vector<double> launches_ns;  ///< Median of each launch.
  std::optional<double> latency_ns;
  std::optional<double> low_ns;  ///< 95 % interval.
  std::optional<double> high_ns;
  std::optional<double> batch_size;  ///< As it ran.
  std::optional<double> host_peak_bytes;
  std::vector<std::string> run_ids;

  [[nodiscard]] std::optional<double> throughput_per_second() const {
    return latency_ns && batch_size ? std::optional(*batch_size * 1e9 / *latency_ns) : std::nullopt;
  }
  /// Value of an axis; "" when there is none.
  [[nodiscard]] std::string axis(const std::string& name) const;
};

/// A finished (or stopped) matrix.
struct BenchSummary {
  std::string name;
  std::string bench_id;
  std::vector<std::string> axes;    ///< Names of all axes.
  std::vector<std::string> varied;  ///< Those with more than one value among the rows.
  std::vector<BenchRow> rows;
  /// Cores that the Runs could use; nullopt: nothing was measured.
  std::optional<double> cores = {};
};

/// Reads the Runs of a matrix back from the store. Errors: those of the store.
[[nodiscard]] Result<BenchSummary> summarise_bench(const bench::Config& config,
                                                   const std::vector<bench::Cell>& cells,
                                                   const bench::MatrixResult& result,
                                                   store::Store& store);

[[nodiscard]] std::string bench_csv(const BenchSummary& summary);
[[nodiscard]] std::string bench_markdown(const BenchSummary& summary);
/// For a terminal of `width` columns (0: unlimited).
[[nodiscard]] std::string bench_text(const BenchSummary& summary, std::size_t width);
[[nodiscard]] std::string bench_json(const BenchSummary& summary);

}  // namespace neurolens::cli
