#include "builtin.hpp"

namespace neurolens::cli {

std::vector<std::unique_ptr<Command>> builtin_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  for (const auto make : {&make_doctor, &make_zoo_list, &make_zoo_build, &make_profile, &make_peaks,
                          &make_summary, &make_compare, &make_gate, &make_gate_selftest,
                          &make_fingerprint, &make_launch, &make_report, &make_validate})
    commands.push_back(make());
  return commands;
}

}  // namespace neurolens::cli
