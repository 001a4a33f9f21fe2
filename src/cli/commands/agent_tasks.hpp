/// \file
/// The commands of this program as tasks of an agent: the same declarations, the same code, another
/// way in and out.
#pragma once

#include <vector>

#include "command.hpp"
#include "neurolens/agent/task.hpp"

namespace neurolens::cli {

/// Every command under its name ("zoo build" is zoo_build), and the profiling tasks by what people
/// ask for (profile_function, ...). Their options are the fields, with '_' for '-'; what follows
/// "--" is the field "command". `context` outlives the entries; its terminal is not written to.
[[nodiscard]] std::vector<agent::TaskEntry> agent_tasks(const Context& context);

}  // namespace neurolens::cli
