#include "builtin.hpp"

namespace neurolens::cli {

std::vector<std::unique_ptr<Command>> builtin_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  for (const auto make :
       {&make_doctor, &make_zoo_list, &make_zoo_build, &make_profile, &make_peaks, &make_summary,
        &make_report, &make_validate, &make_inventory, &make_deps, &make_map})
    commands.push_back(make());
  return commands;
}

}  // namespace neurolens::cli
