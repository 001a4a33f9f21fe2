/// \file
/// Which names a language brings itself.
#pragma once

#include <string_view>

namespace neurolens::codebase {

[[nodiscard]] bool is_python_standard(std::string_view top_level);
[[nodiscard]] bool is_node_builtin(std::string_view specifier);  ///< Without "node:".
[[nodiscard]] bool is_c_standard(std::string_view header);       ///< Of C or C++.
[[nodiscard]] bool is_system_header(std::string_view header);    ///< POSIX, Linux, compiler.

}  // namespace neurolens::codebase
