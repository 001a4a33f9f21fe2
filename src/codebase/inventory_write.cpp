#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/codebase/inventory.hpp"

namespace neurolens::codebase {
namespace {

void write_lines(json::Writer& w, const LineCounts& lines) {
  w.member("total_lines", lines.total)
      .member("code_lines", lines.code)
      .member("comment_lines", lines.comment);
  w.member("blank_lines", lines.blank).member("doc_lines", lines.doc);
}

void write_functions(json::Writer& w, const FunctionTotals& f) {
  w.key("functions").begin_object();
  w.member("count", f.count)
      .member("lines", f.lines)
      .member("cyclomatic", f.cyclomatic)
      .member("cognitive", f.cognitive);
  w.member("max_cyclomatic", std::uint64_t{f.max_cyclomatic})
      .member("max_cognitive", std::uint64_t{f.max_cognitive});
  w.member("max_nesting", std::uint64_t{f.max_nesting})
      .member("max_length", std::uint64_t{f.max_length});
  w.end_object();
}

void write_group(json::Writer& w, const GroupRow& group, bool functions) {
  w.begin_object();
  w.member("file_count", group.files).member("size_bytes", group.size_bytes);
  write_lines(w, group.lines);
  if (functions) write_functions(w, group.functions);
  w.end_object();
}

void write_file(json::Writer& w, const FileRow& row, bool functions) {
  w.begin_object();
  w.member("name", file_name(row.path))
      .member("path", row.path)
      .member("language", info(row.language).name);
  w.member("class", to_string(row.kind)).member("size_bytes", row.size_bytes);
  write_lines(w, row.lines);
  w.member("confidence", row.confidence).member("identified_by", to_string(row.by));
  w.member("encoding", to_string(row.encoding));
  w.key("doubts").begin_array();
  for (unsigned bit = 1; bit <= 128; bit <<= 1) {
    if ((row.doubts & bit) != 0) w.value(describe(static_cast<Doubt>(bit)));
  }
  w.end_array();
  if (functions) write_functions(w, row.functions);
  w.end_object();
}

// Folder that all files of a module share.
std::string common_folder(const std::vector<const FileRow*>& files) {
  std::string common = parent_path(files.front()->path);
  for (const FileRow* file : files) {
    while (common != "." && !(file->path.starts_with(common + "/"))) common = parent_path(common);
  }
  return common;
}

std::vector<GroupRow> file_groups(const Inventory& inventory, std::size_t top) {
  std::vector<const FileRow*> rows;
  for (const FileRow& row : inventory.files) {
    if (row.kind == FileClass::source) rows.push_back(&row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const FileRow* a, const FileRow* b) {
    return a->lines.code > b->lines.code;
  });
  if (rows.size() > top) rows.resize(top);
  std::vector<GroupRow> out;
  for (const FileRow* row : rows)
    out.push_back({row->path, 1, row->size_bytes, row->lines, row->functions});
  return out;
}

std::vector<GroupRow> groups_of(const Inventory& inventory, InventoryGroup by, std::size_t top) {
  if (by == InventoryGroup::language) return inventory.languages;
  if (by == InventoryGroup::module) return inventory.modules;
  return file_groups(inventory, top);
}

std::string_view heading(InventoryGroup by) {
  return by == InventoryGroup::language ? "Language"
         : by == InventoryGroup::module ? "Module"
                                        : "File";
}

std::string apart(const Inventory& inventory) {
  std::string out;
  for (const auto& [name, group] : {std::pair{"generated", &inventory.generated},
                                    {"vendored", &inventory.vendored},
                                    {"binary", &inventory.binary}}) {
    if (group->files > 0)
      out += fmt::format("{}{} {} ({} lines)", out.empty() ? "" : ", ", group->files, name,
                         group->lines.total);
  }
  return out;
}

std::string remarks(const Inventory& inventory) {
  std::string out;
  if (const std::string a = apart(inventory); !a.empty()) out += "Set apart: " + a + ".\n";
  std::uint64_t doubtful = 0;
  for (const FileRow& row : inventory.files) doubtful += row.doubts != 0 ? 1 : 0;
  if (doubtful > 0)
    out += fmt::format(
        "{} of {} files have a doubt about their figures (see confidence in the JSON).\n", doubtful,
        inventory.files.size());
  if (!inventory.unreadable.empty())
    out += fmt::format("{} could not be read; the first: {} ({}).\n", inventory.unreadable.size(),
                       printable(inventory.unreadable[0].path), inventory.unreadable[0].reason);
  if (inventory.loops > 0)
    out +=
        fmt::format("{} symbolic links led back and were not followed again.\n", inventory.loops);
  return out;
}

}  // namespace

std::string inventory_json(const Inventory& inventory) {
  json::Writer w({2});
  const bool functions = inventory.functions_measured;
  w.begin_object();
  w.member("schema", "neurolens.inventory/1")
      .member("timestamp", inventory.timestamp)
      .member("root_path", inventory.root_path);
  std::map<std::string, std::vector<const FileRow*>> by_module;
  for (const FileRow& row : inventory.files) {
    if (row.kind == FileClass::source)
      by_module[inventory.module_map.module_of(row.path)].push_back(&row);
  }
  w.key("modules").begin_object();
  for (const GroupRow& module : inventory.modules) {
    const auto& files = by_module[module.name];
    w.key(module.name).begin_object();
    w.member("path", common_folder(files));
    w.key("files").begin_array();
    for (const FileRow* row : files) write_file(w, *row, functions);
    w.end_array();
    w.key("stats");
    write_group(w, module, functions);
    w.end_object();
  }
  w.end_object();
  w.key("languages").begin_object();
  for (const GroupRow& language : inventory.languages) {
    w.key(language.name);
    write_group(w, language, functions);
  }
  w.end_object();
  w.key("summary").begin_object();
  w.member("total_files", inventory.whole.files).member("total_lines", inventory.whole.lines.total);
  w.member("total_code_lines", inventory.whole.lines.code)
      .member("total_comment_lines", inventory.whole.lines.comment);
  w.member("total_blank_lines", inventory.whole.lines.blank)
      .member("total_doc_lines", inventory.whole.lines.doc);
  w.member("total_size_bytes", inventory.whole.size_bytes);
  if (functions) write_functions(w, inventory.whole.functions);
  w.end_object();
  w.key("apart").begin_object();
  w.key("generated");
  write_group(w, inventory.generated, functions);
  w.key("vendored");
  write_group(w, inventory.vendored, functions);
  w.key("binary");
  write_group(w, inventory.binary, functions);
  w.key("files").begin_array();
  for (const FileRow& row : inventory.files) {
    if (row.kind != FileClass::source) write_file(w, row, functions);
  }
  w.end_array().end_object();
  w.key("top_functions").begin_array();
  for (const RankedFunction& f : inventory.top) {
    w.begin_object()
        .member("path", f.path)
        .member("name", f.metrics.name)
        .member("first_line", std::uint64_t{f.metrics.first_line});
    w.member("last_line", std::uint64_t{f.metrics.last_line})
        .member("cyclomatic", std::uint64_t{f.metrics.cyclomatic});
    w.member("cognitive", std::uint64_t{f.metrics.cognitive})
        .member("nesting", std::uint64_t{f.metrics.nesting});
    w.member("parameters", std::uint64_t{f.metrics.parameters}).end_object();
  }
  w.end_array();
  w.key("skipped").begin_object();
  w.member("other_files", inventory.other_files)
      .member("ignored", inventory.ignored)
      .member("links", inventory.links)
      .member("loops", inventory.loops);
  w.key("unreadable").begin_array();
  for (const Unreadable& u : inventory.unreadable)
    w.begin_object().member("path", u.path).member("reason", u.reason).end_object();
  w.end_array().end_object();
  w.key("reading")
      .begin_object()
      .member("files_read", inventory.files_read)
      .member("files_from_cache", inventory.files_cached);
  w.member("bytes_read", inventory.bytes_read).end_object();
  w.end_object();
  return std::move(w).take() + "\n";
}

std::string inventory_markdown(const Inventory& inventory, InventoryGroup by, std::size_t top) {
  std::string out = "# Inventory of " + printable(inventory.root_path) + "\n\n";
  out += fmt::format(
      "| {} | Files | Code | Comment | Doc | Blank | Functions | Cognitive, mean "
      "|\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
      heading(by));
  const auto line = [&](const GroupRow& g, std::string_view mark) {
    const double mean = g.functions.count > 0 ? static_cast<double>(g.functions.cognitive) /
                                                    static_cast<double>(g.functions.count)
                                              : 0;
    out += fmt::format("| {0}{1}{0} | {2} | {3} | {4} | {5} | {6} | {7} | {8} |\n", mark,
                       printable(g.name), g.files, g.lines.code, g.lines.comment, g.lines.doc,
                       g.lines.blank, g.functions.count,
                       g.functions.count > 0 ? fmt::format("{:.1f}", mean) : "-");
  };
  for (const GroupRow& group : groups_of(inventory, by, top)) line(group, "");
  line(inventory.whole, "**");
  out += "\n" + remarks(inventory);
  if (!inventory.top.empty()) {
    out +=
        "\n## Most complex functions\n\n| Function | Place | Lines | Cyclomatic | Cognitive | "
        "Nesting |\n|---|---|--:|--:|--:|--:|\n";
    for (std::size_t i = 0; i < std::min(top, inventory.top.size()); ++i) {
      const RankedFunction& f = inventory.top[i];
      out += fmt::format("| `{}` | {}:{} | {} | {} | {} | {} |\n", printable(f.metrics.name),
                         printable(f.path), f.metrics.first_line, f.metrics.length(),
                         f.metrics.cyclomatic, f.metrics.cognitive, f.metrics.nesting);
    }
  }
  return out;
}

std::string inventory_text(const Inventory& inventory, InventoryGroup by, std::size_t top) {
  const std::vector<GroupRow> groups = groups_of(inventory, by, top);
  std::size_t width = 12;
  for (const GroupRow& g : groups)
    width = std::max(width, std::min<std::size_t>(g.name.size(), 48));
  std::string out = fmt::format("{:<{}} {:>8} {:>10} {:>10} {:>8} {:>9} {:>10}\n", heading(by),
                                width, "files", "code", "comment", "doc", "blank", "functions");
  const auto line = [&](const GroupRow& g) {
    std::string name = printable(g.name);
    if (name.size() > 48) name = "..." + name.substr(name.size() - 45);
    out +=
        fmt::format("{:<{}} {:>8} {:>10} {:>10} {:>8} {:>9} {:>10}\n", name, width, g.files,
                    g.lines.code, g.lines.comment, g.lines.doc, g.lines.blank, g.functions.count);
  };
  for (const GroupRow& group : groups) line(group);
  line(inventory.whole);
  out += remarks(inventory);
  if (inventory.top.empty() || top == 0) return out;
  out += "\nMost complex functions (cognitive, cyclomatic, lines)\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(top, inventory.top.size()); ++i) {
    const RankedFunction& f = inventory.top[i];
    out += fmt::format("{:>5} {:>5} {:>6}  {}  {}:{}\n", f.metrics.cognitive, f.metrics.cyclomatic,
                       f.metrics.length(), printable(f.metrics.name), printable(f.path),
                       f.metrics.first_line);
  }
  return out;
}

}  // namespace neurolens::codebase
