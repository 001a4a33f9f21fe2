/// \file
/// A Run and its summary as text for people (terminal, Markdown) and for programs (JSON).
/// Names from models are hostile until shown otherwise: control and direction-changing characters
/// become visible escapes in text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "neurolens/analyze/summary.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::report {

/// What a row of the ranking stands for.
enum class GroupBy { op, type };

/// How the text looks.
struct TextOptions {
  std::size_t width = 100;              ///< Columns of the terminal; 0: unlimited.
  std::optional<std::size_t> top = 10;  ///< Rows of the ranking; nullopt: all.
  GroupBy by = GroupBy::op;
  bool colour = false;          ///< Escape codes; only where they carry meaning.
  std::string run_path = {};    ///< Named in the hints; empty when there is no file.
  std::string what_to_do = {};  ///< Stands behind the ranking; see what_to_do().
};

/// Headline, number, ranking, next command; ends with a line break.
[[nodiscard]] std::string summary_text(const run::Run& run, const analyze::Summary& summary,
                                       const TextOptions& options);

/// One JSON document, see schema/summary.schema.json. Without `top` all ops.
[[nodiscard]] std::string summary_json(const run::Run& run, const analyze::Summary& summary,
                                       std::optional<std::size_t> top, GroupBy by);

/// "resnet50.onnx, ONNX Runtime 1.30.0 CPU, f32, ..." pieces joined by " · ".
[[nodiscard]] std::string describe_workload(const run::Run& run);

}  // namespace neurolens::report
