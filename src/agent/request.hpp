/// \file
/// Checking the members of a request against the fields of its task.
#pragma once

#include <vector>

#include "neurolens/agent/task.hpp"
#include "neurolens/base/json.hpp"

namespace neurolens::agent {

/// Sets every field of `task` that the request gives; the result is what is wrong with it.
/// "task" itself is skipped. Nothing is set twice.
[[nodiscard]] std::vector<Error> set_fields(const Task& task, const json::Object& request);

}  // namespace neurolens::agent
