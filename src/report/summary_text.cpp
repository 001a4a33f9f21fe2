#include <fmt/format.h>

#include <algorithm>

#include "headline.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/render.hpp"
#include "ranking.hpp"

namespace neurolens::report {
namespace {

/// The line that says what the table leaves out and how to see it.
std::string rest_line(const analyze::Summary& summary, std::size_t shown,
                      const TextOptions& options) {
  double left = 0;
  std::size_t count = 0;
  const auto skip = [&](const auto& rows) {
    count = rows.size() - shown;
    for (std::size_t i = shown; i < rows.size(); ++i) left += rows[i].time_ns;
  };
  options.by == GroupBy::op ? skip(summary.ops) : skip(summary.types);
  if (count == 0) return "";
  std::string line = fmt::format("   {} more, {}", count, format_time(left));
  if (!options.run_path.empty()) {
    line += fmt::format("{:4}neurolens summary {}{} --top all", "", printable(options.run_path),
                        options.by == GroupBy::type ? " --by type" : "");
  }
  return line + "\n";
}

}  // namespace

std::string summary_text(const run::Run& run, const analyze::Summary& summary,
                         const TextOptions& options) {
  std::string out = describe_workload(run) + "\n";
  if (const auto sentence = iteration_sentence(run, summary)) {
    std::vector<std::string> pieces = rate_sentences(run, summary);
    pieces.insert(pieces.begin(), options.colour ? "\x1b[1m" + *sentence + "\x1b[0m" : *sentence);
    out += join(pieces, "   ") + "\n";
  }
  out += join(trust_sentences(run, summary), "; ") + "\n";
  for (const auto& reason : run.overhead.reasons) out += "  " + printable(reason) + "\n";

  const std::size_t rows = options.by == GroupBy::op ? summary.ops.size() : summary.types.size();
  const std::size_t shown = std::min(rows, options.top.value_or(rows));
  if (rows == 0) {
    out += "\nno op was observed\n";
  } else {
    out += "\n" + ranking(summary, options.by, shown).text(options.width) +
           rest_line(summary, shown, options);
  }
  if (!options.what_to_do.empty()) out += "\n" + options.what_to_do;
  if (!options.run_path.empty()) {
    out += fmt::format("\nRun: {}    next: neurolens report {} --html report.html\n",
                       printable(options.run_path), printable(options.run_path));
  }
  return out;
}

}  // namespace neurolens::report
