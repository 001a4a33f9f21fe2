// docs/reference/rules.md is written from the tables that the program uses.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "rules.hpp"
#include "source_dir.hpp"

namespace neurolens::analyze {
namespace {

std::string reference_page() {
  std::string page =
      "# Rules and the names they use\n\n"
      "Written from the tables of the program, and compared with them by a test (run "
      "`analyze_test` with\n"
      "`NEUROLENS_BLESS=1` after a change). How rules are written: [guide](../guides/rules.md).\n\n"
      "## Built-in rules\n\n| id | scope | severity | confidence |\n|---|---|---|---|\n";
  for (const auto& rule : RuleSet::builtin().rules().list)
    page += fmt::format("| {} | {} | {} | {} |\n", rule.id, to_string(rule.scope),
                        to_string(rule.severity), to_string(rule.confidence));
  page += "\n## Names\n\n| name | known in scope | unit | meaning |\n|---|---|---|---|\n";
  for (const auto& name : rule_names())
    page +=
        fmt::format("| `{}` | {} | {} | {} |\n", name.name, name.scopes, name.unit, name.meaning);
  return page;
}

TEST(RuleReference, IsUpToDate) {
  const std::string path = std::string(NEUROLENS_SOURCE_DIR) + "/docs/reference/rules.md";
  if (std::getenv("NEUROLENS_BLESS") != nullptr) std::ofstream(path) << reference_page();
  std::ostringstream stored;
  stored << std::ifstream(path).rdbuf();
  EXPECT_EQ(stored.str(), reference_page()) << "Run analyze_test with NEUROLENS_BLESS=1.";
}

}  // namespace
}  // namespace neurolens::analyze
