/// \file
/// Sentences about a whole Run, shared by the text and Markdown writers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "neurolens/analyze/summary.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::report {

/// "48.3 ms per inference  [48.1, 48.6]": the time of one iteration, nullopt when none was
/// measured.
std::optional<std::string> iteration_sentence(const run::Run& run, const analyze::Summary& summary);
/// "20.7 per second"; empty pieces are left out.
std::vector<std::string> rate_sentences(const run::Run& run, const analyze::Summary& summary);
/// What the observer did and what was left out, as pieces.
std::vector<std::string> trust_sentences(const run::Run& run, const analyze::Summary& summary);
/// "[3.05, 3.17]" in the scale of the column, "-" when there is none.
std::string interval_cell(const std::optional<analyze::Interval>& interval, double divisor,
                          double largest);
std::string join(const std::vector<std::string>& pieces, std::string_view separator);
/// "1x3x224x224"; "scalar" for rank 0.
std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace neurolens::report
