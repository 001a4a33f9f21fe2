/// \file
/// Patterns of .gitignore files (gitignore(5)): the last matching pattern of the deepest file
/// decides.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace neurolens::codebase {

enum class IgnoreVerdict : unsigned char { none, ignored, kept };

/// The patterns of one file.
class IgnoreList {
 public:
  /// `base`: directory of the file relative to the root, "" or ending in '/'.
  IgnoreList(std::string base, std::string_view text);
  /// `path` relative to the root, without a trailing '/'.
  [[nodiscard]] IgnoreVerdict test(std::string_view path, bool directory) const;
  [[nodiscard]] bool empty() const { return patterns_.empty(); }

 private:
  struct Pattern {
    std::string glob;
    bool negated = false;
    bool directory_only = false;
    bool anchored = false;  ///< Matched against the path below base, not just the name.
    bool literal = false;   ///< No wildcard.
  };
  void add(std::string_view line);

  std::string base_;
  std::vector<Pattern> patterns_;
};

}  // namespace neurolens::codebase
