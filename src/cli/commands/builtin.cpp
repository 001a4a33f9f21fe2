#include "builtin.hpp"

namespace neurolens::cli {

std::vector<std::unique_ptr<Command>> builtin_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  for (const auto make : {&make_summary, &make_report, &make_validate}) commands.push_back(make());
  return commands;
}

}  // namespace neurolens::cli
