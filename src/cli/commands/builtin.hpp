/// \file
/// The one list of commands: each factory lives in the file named after its command.
#pragma once

#include <memory>

#include "command.hpp"

namespace neurolens::cli {

std::unique_ptr<Command> make_doctor();
std::unique_ptr<Command> make_compare();
std::unique_ptr<Command> make_fingerprint();
std::unique_ptr<Command> make_gate();
std::unique_ptr<Command> make_gate_selftest();
std::unique_ptr<Command> make_launch();
std::unique_ptr<Command> make_peaks();
std::unique_ptr<Command> make_profile();
std::unique_ptr<Command> make_summary();
std::unique_ptr<Command> make_report();
std::unique_ptr<Command> make_validate();
std::unique_ptr<Command> make_zoo_build();
std::unique_ptr<Command> make_zoo_list();

}  // namespace neurolens::cli
