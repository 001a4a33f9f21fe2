/// \file
/// What the build knows about C and C++: compile_commands.json (search paths per translation unit)
/// and the compiler's dependency records: depfiles beside the objects, or Ninja's log of them.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::codebase {

struct CompileUnit {
  std::string file;                     ///< Absolute, normalised.
  std::vector<std::string> quote_dirs;  ///< -iquote
  std::vector<std::string> angle_dirs;  ///< -I, then -isystem; absolute.
  std::vector<std::string> inputs;  ///< What the compiler read, absolute; empty when not recorded.
};

struct CompileDb {
  std::string path;
  std::vector<CompileUnit> units;
  std::size_t recorded = 0;  ///< Units with a dependency record.
};

/// Errors: not_found, parse_error.
[[nodiscard]] Result<CompileDb> read_compile_db(const std::string& path);

/// The prerequisites of a make rule ("a.o: b.c c.h \ ..."), with "\ " for spaces and "$$" for '$'.
[[nodiscard]] std::vector<std::string> depfile_inputs(std::string_view text);

/// Ninja's log of dependencies: output -> inputs. Versions 3 and 4; anything else is empty.
[[nodiscard]] std::unordered_map<std::string, std::vector<std::string>> ninja_deps(
    std::string_view bytes);

/// `path` without "." and ".." parts, made absolute with `base`.
[[nodiscard]] std::string normal_path(std::string_view base, std::string_view path);

}  // namespace neurolens::codebase
