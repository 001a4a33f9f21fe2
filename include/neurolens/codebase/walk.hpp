/// \file
/// Finds the files of a source tree: respects .gitignore and .neurolensignore (same syntax, read
/// after .gitignore in each directory), .git/info/exclude, and the .gitignore files of the
/// directories above up to the repository's root. Version-control directories are never entered.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::codebase {

struct WalkOptions {
  /// Off: .gitignore files are not read; .neurolensignore files still are.
  bool gitignore = true;
  /// On: symbolic links are followed; each directory and file is visited once, so loops end.
  /// Off: links are counted and left alone.
  bool follow_links = false;
  /// Off: WalkedFile has no more than the path, unless links are followed. Saves a call per file.
  bool details = true;
  /// More patterns, in .gitignore syntax, relative to the root.
  std::vector<std::string> exclude;
};

struct WalkedFile {
  std::string path;  ///< Relative to the root, '/' between parts, no leading "./".
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;  ///< Wall clock, since 1970.
  std::uint64_t inode = 0;
};

/// Something that could not be read, and why.
struct Unreadable {
  std::string path;
  std::string reason;
};

struct Walk {
  std::vector<WalkedFile> files;       ///< In the byte order of their paths, part by part.
  std::vector<Unreadable> unreadable;  ///< Directories and files.
  std::uint64_t ignored = 0;           ///< Files and directories left out by a pattern.
  std::uint64_t links = 0;             ///< Symbolic links not followed.
  std::uint64_t loops = 0;             ///< Followed links that led back to a place seen before.
};

/// Walks `root`. Errors: not_found, permission_denied, io_error when the root itself cannot be
/// read; anything deeper goes to Walk::unreadable.
[[nodiscard]] Result<Walk> walk(const std::string& root, const WalkOptions& options = {});

/// Does `path` match `pattern`: '*' and '?' stay within a part, "**" crosses parts, [a-z] and
/// [!a-z] are sets, a backslash quotes. Time is bounded by |pattern| x |path|.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view path);

}  // namespace neurolens::codebase
