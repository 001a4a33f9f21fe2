/// \file
/// The version of this program, from the file VERSION.
#pragma once

namespace neurolens::cli {

inline constexpr const char* kVersion = NEUROLENS_VERSION;

}  // namespace neurolens::cli
