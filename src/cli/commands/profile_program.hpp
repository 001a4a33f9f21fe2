/// \file
/// The half of `profile` that runs an instrumented program instead of a model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "command.hpp"

namespace neurolens::cli {

struct ProgramRequest {
  std::vector<std::string> command;
  std::string output;
  std::uint32_t warmup = 0;
  std::map<std::string, std::string> tags;
  bool json = false;
};

/// Exit status: the program's own.
Result<int> profile_program(Context& context, const ProgramRequest& request);

}  // namespace neurolens::cli
