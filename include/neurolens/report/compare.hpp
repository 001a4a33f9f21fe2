/// \file
/// A comparison as text for people (terminal, Markdown) and for programs (JSON).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "neurolens/analyze/compare.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::report {

/// The two sides and what was found.
struct ComparisonView {
  const run::Run& baseline;
  const run::Run& candidate;
  const analyze::Comparison& comparison;
  std::string baseline_path;
  std::string candidate_path;
};

/// Verdict, number, ranking of what moved, what differs; ends with a line break. `width` columns
/// (0: unlimited), `top` rows (nullopt: all), colour where it carries meaning.
[[nodiscard]] std::string comparison_text(const ComparisonView& view, std::size_t width,
                                          std::optional<std::size_t> top, bool colour);

/// One JSON document, see schema/comparison.schema.json. `top` limits the ops.
[[nodiscard]] std::string comparison_json(const ComparisonView& view,
                                          std::optional<std::size_t> top);

/// The same as Markdown, for pull requests.
[[nodiscard]] std::string comparison_markdown(const ComparisonView& view, std::size_t top);

/// "1.083x [1.071, 1.094]"; the interval is left out where there is none.
[[nodiscard]] std::string ratio_text(const analyze::PairedVerdict& judged);

}  // namespace neurolens::report
