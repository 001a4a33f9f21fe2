/// \file
/// Rules for insights: those of the program, and files that the user names.
#pragma once

#include <string>
#include <vector>

#include "command.hpp"
#include "neurolens/analyze/insights.hpp"

namespace neurolens::cli {

/// The built-in rules with those of `paths` added or replaced, in that order.
Result<analyze::RuleSet> load_rules(Context& context, const std::vector<std::string>& paths);

}  // namespace neurolens::cli
