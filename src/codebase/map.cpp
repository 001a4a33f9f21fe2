#include "neurolens/codebase/map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::codebase {
namespace {

// The first paragraph of a README's text that is neither heading, badge nor markup.
std::string readme_sentence(const std::string& path) {
  const auto text = system_files().read(path, Bytes{1 << 20});
  if (!text.ok()) return {};
  std::string out;
  for (std::string_view line : split(*text, '\n')) {
    line = trim(line);
    const bool markup = line.starts_with('#') || line.starts_with("[!") || line.starts_with("![") ||
                        line.starts_with('<') || line.starts_with("---") ||
                        line.starts_with("===") || line.starts_with('|') || line.starts_with("```");
    if (line.empty() || markup) {
      if (!out.empty()) break;
      continue;
    }
    out += (out.empty() ? "" : " ") + std::string(line);
  }
  const auto stop = out.find(". ");
  if (stop != std::string::npos) out.resize(stop + 1);
  return out.size() > 240 ? out.substr(0, 237) + "..." : out;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string_view stem_of(std::string_view path) {
  const std::string_view name = file_name(path);
  return name.substr(0, name.rfind('.'));
}

void write_modules(const DepsReport& deps, const Inventory& inventory, const MapRequest& request,
                   std::string* out) {
  *out += fmt::format(
      "## Modules\n\n| Module | What it is | Files | Code lines | Used by | Uses "
      "|{}\n|---|---|--:|--:|--:|--:|{}\n",
      request.heat.empty() ? ""
                           : " " + (request.heat_unit.empty() ? "Cost" : request.heat_unit) + " |",
      request.heat.empty() ? "" : "--:|");
  for (const GroupRow& module : inventory.modules) {
    const auto node = std::find(deps.graph.names.begin(), deps.graph.names.end(), module.name);
    const bool found = node != deps.graph.names.end();
    const auto v = static_cast<std::size_t>(node - deps.graph.names.begin());
    const auto rule = std::find_if(
        request.modules.rules().begin(), request.modules.rules().end(),
        [&](const ModuleRule& r) { return r.name == module.name && !r.about.empty(); });
    const std::string about = rule != request.modules.rules().end()
                                  ? rule->about
                                  : module_summary(deps, request.root, module.name);
    *out +=
        fmt::format("| {} | {} | {} | {} | {} | {} |", cell(module.name), cell(about), module.files,
                    module.lines.code, found ? std::to_string(deps.metrics.fan_in[v]) : "-",
                    found ? std::to_string(deps.metrics.fan_out[v]) : "-");
    if (!request.heat.empty()) {
      const auto heat = request.heat.find(module.name);
      *out += heat == request.heat.end() ? " - |" : fmt::format(" {:.4g} |", heat->second);
    }
    *out += '\n';
  }
}

void write_entries(const DepsReport& deps, std::size_t top, std::string* out) {
  *out += "\n## Entry points\n\n";
  std::size_t shown = 0;
  for (const DepsFile& file : deps.files) {
    if (!file.entry_point) continue;
    if (++shown > top) continue;
    *out += fmt::format("- `{}`{}\n", printable(file.path),
                        file.summary.empty() ? "" : ": " + printable(file.summary));
  }
  if (shown > top) *out += fmt::format("- and {} more\n", shown - top);
  if (shown == 0) *out += "None found.\n";
}

// Where complexity and change meet.
void write_hotspots(const DepsReport& deps, const Inventory& inventory, std::size_t top,
                    std::string* out) {
  struct Spot {
    const FileRow* row;
    std::uint32_t churn;
    double score;
  };
  std::map<std::string_view, std::uint32_t> churn;
  for (const DepsFile& file : deps.files) churn[file.path] = file.churn;
  std::vector<Spot> spots;
  for (const FileRow& row : inventory.files) {
    if (row.kind != FileClass::source || row.functions.cognitive == 0) continue;
    const std::uint32_t commits = churn.count(row.path) != 0 ? churn[row.path] : 0;
    spots.push_back({&row, commits,
                     static_cast<double>(row.functions.cognitive) * (deps.history ? commits : 1)});
  }
  std::stable_sort(spots.begin(), spots.end(),
                   [](const Spot& a, const Spot& b) { return a.score > b.score; });
  if (spots.size() > top) spots.resize(top);
  *out += fmt::format(
      "\n## Hotspots\n\nFiles by cognitive complexity{}.\n\n| File | Code lines | Cognitive | "
      "Commits |\n|---|--:|--:|--:|\n",
      deps.history ? " times commits" : "");
  for (const Spot& s : spots) {
    *out += fmt::format("| {} | {} | {} | {} |\n", cell(s.row->path), s.row->lines.code,
                        s.row->functions.cognitive, deps.history ? std::to_string(s.churn) : "-");
  }
}

void write_cycles(const DepsReport& deps, std::string* out) {
  *out += "\n## Cycles\n\n";
  if (deps.metrics.cycles.empty()) *out += "None between modules.\n";
  for (const auto& cycle : deps.metrics.cycles) {
    *out += "- ";
    for (const std::uint32_t v : cycle) *out += printable(deps.graph.names[v]) + " → ";
    *out += printable(deps.graph.names[cycle.front()]) + "\n";
  }
}

void write_externals(const DepsReport& deps, std::string* out) {
  *out += "\n## External packages\n\n";
  std::map<std::string, std::string> by_ecosystem;
  for (const ExternalUse& use : deps.externals) {
    if (use.standard) continue;
    std::string& line = by_ecosystem[use.ecosystem];
    line += (line.empty() ? "" : ", ") + printable(use.package);
  }
  if (by_ecosystem.empty()) *out += "None.\n";
  for (const auto& [ecosystem, list] : by_ecosystem)
    *out += fmt::format("- {}: {}\n", ecosystem, list);
}

void write_languages(const Inventory& inventory, std::string* out) {
  *out += "\n## Languages\n\n| Language | Files | Code | Comment |\n|---|--:|--:|--:|\n";
  for (const GroupRow& l : inventory.languages)
    *out += fmt::format("| {} | {} | {} | {} |\n", l.name, l.files, l.lines.code, l.lines.comment);
}

}  // namespace

std::string_view to_string(MapPart part) {
  constexpr std::array<std::string_view, 7> kNames{
      "modules", "layers", "entry-points", "hotspots", "cycles", "externals", "languages"};
  return kNames[static_cast<std::size_t>(part)];
}

std::string module_summary(const DepsReport& report, const std::string& root,
                           const std::string& module) {
  std::set<std::string> folders;
  for (const DepsFile& file : report.files) {
    if (file.module == module) folders.insert(file.package);
  }
  // The shortest folders are the module's own.
  std::vector<std::string> order(folders.begin(), folders.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.size() < b.size(); });
  if (module != ".") {
    for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 3); ++i) {
      for (const char* name : {"README.md", "README.rst", "README", "Readme.md"}) {
        std::string sentence = readme_sentence(join_path(join_path(root, order[i]), name));
        if (!sentence.empty()) return sentence;
      }
    }
  }
  const std::string_view last = file_name(module);
  for (const std::string_view wanted :
       {std::string_view("__init__"), std::string_view("lib"), std::string_view("mod"),
        std::string_view("doc"), std::string_view("index"), last, std::string_view("main")}) {
    for (const DepsFile& file : report.files) {
      if (file.module == module && !file.summary.empty() && stem_of(file.path) == wanted &&
          !file.test)
        return file.summary;
    }
  }
  const DepsFile* best = nullptr;  // the largest documented file
  for (const DepsFile& file : report.files) {
    if (file.module != module || file.summary.empty() || file.test) continue;
    if (best == nullptr || file.code_lines > best->code_lines) best = &file;
  }
  return best != nullptr && module != "." ? best->summary : std::string();
}

Result<SystemMap> draw_map(const MapRequest& request, const Attention& attention) {
  DepsRequest deps_request;
  deps_request.root = request.root;
  deps_request.modules = request.modules;
  deps_request.walk = request.walk;
  deps_request.workers = request.workers;
  deps_request.cache = request.cache;
  deps_request.history_commits = request.history_commits;
  deps_request.use_compile_commands = request.use_compile_commands;
  NEUROLENS_ASSIGN(const DepsReport deps, find_dependencies(deps_request, attention));
  InventoryRequest inventory_request;
  inventory_request.root = request.root;
  inventory_request.modules = request.modules;
  inventory_request.walk = request.walk;
  inventory_request.workers = request.workers;
  inventory_request.cache = request.cache;
  NEUROLENS_ASSIGN(const Inventory inventory,
                   take_inventory(inventory_request, system_clock(), attention));
  SystemMap map;
  std::string& out = map.markdown;
  if (request.parts.empty()) {
    const std::string title =
        request.title.empty() ? std::string(file_name(request.root)) : request.title;
    out = fmt::format(
        "# System map of {}\n\n{} files, {} lines of code in {} languages, {} modules.\n\n",
        printable(title), inventory.whole.files, inventory.whole.lines.code,
        inventory.languages.size(), inventory.modules.size());
  }
  const auto wanted = [&request](MapPart part) {
    return request.parts.empty() ||
           std::find(request.parts.begin(), request.parts.end(), part) != request.parts.end();
  };
  if (wanted(MapPart::modules)) write_modules(deps, inventory, request, &out);
  if (wanted(MapPart::layers)) {
    out +=
        "\n## Layers\n\nAn arrow means \"uses\"; what depends on nothing lies at the "
        "bottom.\n\n```mermaid\n" +
        to_mermaid(deps.graph, deps.metrics, request.heat) + "```\n";
  }
  if (wanted(MapPart::entry_points)) write_entries(deps, request.top, &out);
  if (wanted(MapPart::hotspots)) write_hotspots(deps, inventory, request.top, &out);
  if (wanted(MapPart::cycles)) write_cycles(deps, &out);
  if (wanted(MapPart::externals)) write_externals(deps, &out);
  if (wanted(MapPart::languages)) write_languages(inventory, &out);
  map.svg = to_svg(deps.graph, deps.metrics, request.heat);
  return map;
}

}  // namespace neurolens::codebase
