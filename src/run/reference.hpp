/// \file
/// The reference page of the artifact, written from the tables.
#pragma once

#include <functional>
#include <string>

#include "reflect.hpp"

namespace neurolens::run::detail {

/// Calls `visit` with every object type beneath `root`, the innermost first; repeats are possible.
void for_each_object(const Object& root, const std::function<void(const Object&)>& visit);

/// docs/reference/run.md.
[[nodiscard]] std::string reference_text();

}  // namespace neurolens::run::detail
