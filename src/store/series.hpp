/// \file
/// What makes Runs comparable with each other as time goes by. Private.
#pragma once

#include <string>

#include "neurolens/store/store.hpp"

namespace neurolens::store {

/// Everything that must agree for two Runs to belong to one series, as text.
[[nodiscard]] std::string series_of(const Entry& entry);

}  // namespace neurolens::store
