/// \file
/// From axes to cells, and the order in which they are measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/bench/config.hpp"

namespace neurolens::bench {

/// One point of the matrix.
struct Cell {
  std::size_t model = 0;  ///< Index into Config::models.
  std::optional<std::int64_t> batch;
  std::optional<std::int64_t> sequence;
  Precision precision = Precision::f32;
  std::int64_t threads = 1;
  std::string provider;
  capture::OptLevel optimisation = capture::OptLevel::all;
  std::map<std::string, std::string> options;  ///< Of the axes of options only.
  std::map<std::string, std::string> tags;     ///< Of the tag axes only.
  /// "model=lenet batch=4 threads=2": the model and every axis with more than one value. Unique in
  /// the matrix, and the same whenever the configuration is.
  std::string key;
};

/// Value of an axis ("model", "batch", "sequence", "precision", "threads", "provider",
/// "optimisation", "options.KEY", "tags.KEY") as text; nullopt where the cell leaves it open.
[[nodiscard]] std::optional<std::string> axis_value(const Config& config, const Cell& cell,
                                                    const std::string& axis);
/// Names of all axes of a matrix, tag axes last.
[[nodiscard]] std::vector<std::string> axis_names(const Config& config);

/// Every cell that the rules leave, models outermost. Errors: bad_request when the rules leave
/// none.
[[nodiscard]] Result<std::vector<Cell>> expand(const Config& config);

/// A random order of `cells` cells for round `round`; a pure function of its arguments. Each round
/// measures every cell once, so that what drifts meanwhile hits all of them alike.
[[nodiscard]] std::vector<std::size_t> order_of_round(std::size_t cells, std::uint64_t seed,
                                                      std::int64_t round);

/// Options of the cell's engine: those of the model, then what batch, threads and precision say
/// where the matrix names them, then the axes of options.
[[nodiscard]] std::map<std::string, std::string> engine_options(const Config& config,
                                                                const Cell& cell);

/// The request for one launch of a cell; `path` is the model in the cell's precision, or the
/// specification of an engine. What
/// reproduces it as a command line is kept in the request.
[[nodiscard]] capture::CaptureRequest request_for(const Config& config, const Cell& cell,
                                                  const std::string& path);

}  // namespace neurolens::bench
