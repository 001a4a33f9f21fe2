/// \file
/// Everything that a report shows of one Run, as one value: the view model of the text, Markdown,
/// JSON and HTML writers.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/analyze/change_points.hpp"
#include "neurolens/analyze/compare.hpp"
#include "neurolens/analyze/critical_path.hpp"
#include "neurolens/analyze/insights.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::report {

/// A trend over the Runs of a store.
struct History {
  struct Point {
    std::string run_id;
    std::string created_at;
    double value = 0;  ///< In `unit`.
  };
  std::string metric;  ///< "latency", "throughput", "op:NAME".
  std::string unit;    ///< "ns" or "per_second".
  std::vector<Point> points;
  std::vector<analyze::ChangePoint> changes;
};

/// What to report on. The Runs must outlive the Findings.
struct FindingsRequest {
  std::string run_path;                ///< As the user named it; empty when there is no file.
  const run::Run* baseline = nullptr;  ///< nullptr: no comparison.
  std::string baseline_path;
  analyze::CompareOptions compare;
  std::optional<History> history;
  const analyze::RuleSet* rules = nullptr;  ///< nullptr: the built-in ones.
};

/// What one Run says, alone or against a baseline.
struct Findings {
  const run::Run* run = nullptr;
  std::string run_path;
  analyze::Summary summary;
  std::vector<analyze::Insight> insights;  ///< Ranked; see analyze/insights.hpp.
  std::vector<analyze::DataflowEdge> edges;
  std::optional<analyze::CriticalPath> path;
  const run::Run* baseline = nullptr;
  std::string baseline_path;
  std::optional<analyze::Comparison> comparison;
  std::optional<History> history;
};

/// Analyses a Run. Requires: both Runs passed run::validate().
/// Errors: those of analyze::summarise() and analyze::compare(). Pure.
[[nodiscard]] Result<Findings> make_findings(const run::Run& run, FindingsRequest request);

/// What is not known and why: the Run's own notes, and what follows from what is missing.
[[nodiscard]] std::vector<std::string> unknowns(const Findings& findings);

/// How the JSON document is written.
struct FindingsJsonOptions {
  /// The file to embed for download (a Run, compressed or not); empty: none is embedded.
  std::string_view run_file;
  std::string neurolens_version = "0.0.0";
  /// Asked for the file when all else is written, where another thread is still making it; its
  /// answer must outlive the call. Empty function: `run_file` is it.
  std::function<std::string_view()> await_run_file;
};
/// One JSON document, see schema/findings.schema.json: the contract with the front end. Bulk data
/// are base64 columns. A plan of 10,000 ops takes some tens of milliseconds.
[[nodiscard]] std::string findings_json(const Findings& findings,
                                        const FindingsJsonOptions& options);

/// The same for a terminal and for a program that reads within a budget: most valuable facts first,
/// at most `budget` tokens, counted with token_count(). Plain text, every name printable.
/// `budget` >= 50; raising it adds facts, never rewords those before.
[[nodiscard]] std::string findings_text(const Findings& findings, std::size_t budget);

/// An upper estimate of how many tokens common encodings make of `text`: one for every 3 bytes of a
/// word, one for every digit pair and for every other mark.
[[nodiscard]] std::size_t token_count(std::string_view text);

/// The report as Markdown.
[[nodiscard]] std::string findings_markdown(const Findings& findings);

/// The findings as numbered lines for a terminal, `most` of them; empty when there are none.
[[nodiscard]] std::string what_to_do(const std::vector<analyze::Insight>& insights,
                                     std::size_t most, std::size_t width);

}  // namespace neurolens::report
