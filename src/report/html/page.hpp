/// \file
/// The built front end. page.cpp is made by cmake/build_page.cmake.
#pragma once

#include <span>
#include <string_view>

namespace neurolens::report {

/// The page's pieces in order; empty when it was not built.
[[nodiscard]] std::span<const std::string_view> page_pieces();

}  // namespace neurolens::report
