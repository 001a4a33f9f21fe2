/// \file
/// The one list of commands: each factory lives in the file named after its command.
#pragma once

#include <memory>

#include "command.hpp"

namespace neurolens::cli {

std::unique_ptr<Command> make_deps();
std::unique_ptr<Command> make_doctor();
std::unique_ptr<Command> make_inventory();
std::unique_ptr<Command> make_map();
std::unique_ptr<Command> make_peaks();
std::unique_ptr<Command> make_profile();
std::unique_ptr<Command> make_summary();
std::unique_ptr<Command> make_report();
std::unique_ptr<Command> make_validate();
std::unique_ptr<Command> make_zoo_build();
std::unique_ptr<Command> make_zoo_list();

}  // namespace neurolens::cli
