/// \file
/// The one list of commands: each factory lives in the file named after its command.
#pragma once

#include <memory>

#include "command.hpp"

namespace neurolens::cli {

std::unique_ptr<Command> make_summary();
std::unique_ptr<Command> make_report();
std::unique_ptr<Command> make_validate();

}  // namespace neurolens::cli
