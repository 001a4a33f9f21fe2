/// \file
/// What a matrix of measurements is: models, axes, rules and how each cell is measured. Read from
/// YAML strictly; docs/guides/bench.md shows every key.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/capture/request.hpp"

namespace neurolens::bench {

/// Number format that a cell runs in.
enum class Precision : std::uint8_t {
  f32,   ///< The model as it is.
  f16,   ///< The model converted.
  bf16,  ///< Likewise.
  int8,  ///< The quantised model that was named beside the model.
};
[[nodiscard]] const char* to_string(Precision precision);
/// Of "f32", "f16", "bf16", "int8".
[[nodiscard]] std::optional<Precision> precision_from_name(std::string_view name);

/// One value of the model axis.
struct ModelSpec {
  std::string name;                     ///< Unique in the matrix; names its cells.
  std::optional<std::string> zoo;       ///< An architecture that `neurolens zoo list` names, or
  std::optional<std::string> file;      ///< an .onnx file, or
  std::optional<std::string> workload;  ///< an engine such as nn:mlp. Exactly one of the three.
  std::map<std::string, std::string> options;  ///< Of the engine, the same in every cell.
  std::optional<std::string> int8;          ///< A quantised .onnx file for cells of precision int8.
  std::map<std::string, std::string> tags;  ///< For every Run of this model.
};

/// The axes; each holds at least one value. An empty batch or sequence leaves the dimension as the
/// model fixes it (free ones: 1 and 128).
struct Axes {
  std::vector<std::int64_t> batch;
  std::vector<std::int64_t> sequence;
  std::vector<Precision> precision{Precision::f32};
  std::vector<std::int64_t> threads{1};
  std::vector<std::string> provider{"cpu"};
  std::vector<capture::OptLevel> optimisation{capture::OptLevel::all};
  /// Options of engines by name; every combination is a cell of its own.
  std::vector<std::pair<std::string, std::vector<std::string>>> options;
  /// A label per key; every combination is a cell of its own. Two values of a label measure the
  /// same thing twice, interleaved: a control.
  std::vector<std::pair<std::string, std::vector<std::string>>> tags;
};

/// Picks cells: axis ("model", "batch", ..., "options.KEY" or "tags.KEY") -> values, as text. A
/// cell matches when every axis named here has one of its values.
struct Rule {
  std::map<std::string, std::vector<std::string>> values;
};

/// When one launch of a cell has seen enough.
struct StopRule {
  /// Fixed number of pairs of iterations, >= 1; empty: the two below decide.
  std::optional<std::int64_t> iterations;
  double interval_ratio = 0.02;     ///< Width of the median's 95 % interval, in (0, 1).
  Nanoseconds time{5'000'000'000};  ///< Longest time of the measured iterations.
};

/// How often a cell is launched. Each launch is a Run.
struct Repeats {
  std::int64_t least = 1;  ///< In [1, 1000].
  std::int64_t most = 1;   ///< >= least.
  /// After `least` launches a cell ends as soon as the 95 % interval of the mean of its launches'
  /// log medians (Student's t) is narrower than this; empty: `most` launches.
  std::optional<double> interval_ratio;
};

/// A matrix of measurements.
struct Config {
  std::string file;        ///< As named; relative paths of models start from its folder.
  std::string name;        ///< Of the matrix: the tag "bench" of its Runs.
  std::uint64_t seed = 1;  ///< Of the order of cells and of generated inputs.
  std::optional<std::int64_t> warmup;  ///< Pairs of iterations before these that count, >= 0.
  StopRule stop;
  Repeats repeats;
  capture::Method method = capture::Method::observed;
  std::vector<ModelSpec> models;
  Axes axes;
  std::map<std::string, std::string> tags;  ///< For every Run.
  std::vector<Rule> include;  ///< When not empty, only cells that match one of them stay.
  std::vector<Rule> exclude;  ///< Cells that match one of them go.
};

/// Tags that the Runs of a matrix carry: its name, the id of this execution of it, the cell's key,
/// and the number of the launch.
inline constexpr const char* kBenchTag = "bench";
inline constexpr const char* kBenchIdTag = "bench_id";
inline constexpr const char* kCellTag = "cell";
inline constexpr const char* kRepeatTag = "repeat";

/// Most cells of a matrix, before rules.
inline constexpr std::int64_t kMostCells = 100'000;

/// Reads a configuration. Nothing is looked up: neither models nor providers need to exist.
/// Errors, each with "FILE: line L, column C": parse_error; unknown_key (close ones are named);
/// missing_key; wrong_type; out_of_range; duplicate_name for a value or model that is named twice;
/// too_large beyond kMostCells cells; not_found for a rule that names an axis or value that is not
/// there.
[[nodiscard]] Result<Config> parse_config(std::string_view yaml, const std::string& file);

/// SHA-256 of everything in `config` that decides what is measured, whatever the layout of the
/// file.
[[nodiscard]] std::string content_hash(const Config& config);

}  // namespace neurolens::bench
