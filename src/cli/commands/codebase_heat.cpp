#include "codebase_heat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "neurolens/base/text.hpp"

namespace neurolens::cli {
namespace {

namespace fs = std::filesystem;

/// The path below `root` ("src/a.cpp"), or nothing when the file lies elsewhere. A relative path,
/// as compilers are given by many build systems, is taken from wherever the file is in the tree:
/// "../../src/a.cpp" from a build folder is src/a.cpp if there is one.
std::optional<std::string> below(const fs::path& root, const std::string& file) {
  fs::path whole = fs::path(file).lexically_normal();
  if (whole.is_relative()) {
    fs::path rest;
    for (const fs::path& part : whole) {
      if (part != "..") rest /= part;
    }
    std::error_code failed;
    if (!fs::is_regular_file(root / rest, failed)) return std::nullopt;
    whole = root / rest;
  }
  const fs::path relative = whole.lexically_relative(root);
  const std::string text = relative.generic_string();
  if (text.empty() || text == "." || text.starts_with("..")) return std::nullopt;
  return text;
}

std::string node_of(const std::string& path, codebase::DepsLevel level,
                    const codebase::ModuleMap& modules) {
  switch (level) {
    case codebase::DepsLevel::file:
      return path;
    case codebase::DepsLevel::package: {
      const std::string folder = fs::path(path).parent_path().generic_string();
      return folder.empty() ? "." : folder;
    }
    case codebase::DepsLevel::module:
      break;
  }
  return modules.module_of(path);
}

}  // namespace

Result<Heat> heat_of(const run::Run& run, const std::string& root, codebase::DepsLevel level,
                     const codebase::ModuleMap& modules) {
  if (!run.profile || run.profile->sample_stack.empty()) {
    return Error{Errc::check_failed,
                 "This Run has no stacks to lay over the tree; make one with `neurolens record`.",
                 ""};
  }
  const run::Profile& profile = *run.profile;
  std::error_code failed;
  const fs::path whole = fs::weakly_canonical(root, failed);
  // Per frame its node; then per stack the node of its innermost frame that has one.
  std::vector<std::optional<std::string>> of_frame(profile.frames.size());
  for (std::size_t i = 0; i < of_frame.size(); ++i) {
    const auto& file = profile.frames[i].file;
    if (!file) continue;
    if (const auto path = below(whole, *file)) of_frame[i] = node_of(*path, level, modules);
  }
  std::vector<const std::string*> of_stack(profile.stack_frame.size(), nullptr);
  for (std::size_t i = 0; i < of_stack.size(); ++i) {  // a caller comes before what it calls
    const auto& own = of_frame[static_cast<std::size_t>(profile.stack_frame[i])];
    const std::int64_t parent = profile.stack_parent[i];
    if (own) {
      of_stack[i] = &*own;
    } else if (parent != run::kMissing) {
      of_stack[i] = of_stack[static_cast<std::size_t>(parent)];
    }
  }
  Heat heat;
  double all = 0, outside = 0;
  for (std::size_t s = 0; s < profile.sample_stack.size(); ++s) {
    const auto weight = static_cast<double>(profile.sample_weight[s]);
    const std::string* node = of_stack[static_cast<std::size_t>(profile.sample_stack[s])];
    all += weight;
    if (node == nullptr) {
      outside += weight;
    } else {
      heat.table[*node] += weight;
    }
  }
  if (heat.table.empty() || all <= 0) {
    return Error{Errc::check_failed,
                 fmt::format("No sample of this Run lies in a source file below \"{}\"; was the "
                             "program built from this tree, with -g?",
                             printable(root)),
                 ""};
  }
  for (auto& [name, weight] : heat.table) weight *= 100 / all;
  heat.outside_ratio = outside / all;
  return heat;
}

std::string heat_text(const Heat& heat, std::size_t rows) {
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [name, percent] : heat.table) order.emplace_back(percent, name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::string out = "\nWhere the time goes\n";
  for (std::size_t i = 0; i < order.size() && i < rows; ++i)
    out += fmt::format("  {:>5.1f} %  {}\n", order[i].first, printable(order[i].second));
  if (order.size() > rows) out += fmt::format("  and {} more\n", order.size() - rows);
  out += fmt::format("  {:>5.1f} %  outside this tree\n", 100 * heat.outside_ratio);
  return out;
}

}  // namespace neurolens::cli
