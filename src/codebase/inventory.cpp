#include "neurolens/codebase/inventory.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "facts.hpp"

namespace neurolens::codebase {
namespace {

auto rank_of(const FunctionMetrics& f, std::string_view path) {
  return std::tuple(-std::int64_t{f.cognitive}, -std::int64_t{f.cyclomatic},
                    -std::int64_t{f.length()}, path, f.first_line, std::string_view(f.name),
                    f.parameters);
}
bool ranks_before(const RankedFunction& a, const RankedFunction& b) {
  return rank_of(a.metrics, a.path) < rank_of(b.metrics, b.path);
}

// Keeps the `top` first of all functions that it is shown: a heap, the last of them in front.
class TopFunctions {
 public:
  explicit TopFunctions(std::size_t top) : top_(top) {}
  void show(FunctionMetrics* f, const std::string& path) {
    if (kept_.size() >= top_) {
      if (top_ == 0 || !(rank_of(*f, path) < rank_of(kept_[0].metrics, kept_[0].path))) return;
      std::pop_heap(kept_.begin(), kept_.end(), ranks_before);
      kept_.pop_back();
    }
    kept_.push_back({path, std::move(*f)});
    std::push_heap(kept_.begin(), kept_.end(), ranks_before);
  }
  std::vector<RankedFunction> sorted() && {
    std::sort_heap(kept_.begin(), kept_.end(), ranks_before);
    return std::move(kept_);
  }

 private:
  std::size_t top_;
  std::vector<RankedFunction> kept_;
};

void add(GroupRow* group, const FileRow& row) {
  ++group->files;
  group->size_bytes += row.size_bytes;
  group->lines += row.lines;
  group->functions += row.functions;
}

std::vector<GroupRow> rows_of(std::map<std::string, GroupRow> groups) {
  std::vector<GroupRow> out;
  for (auto& [name, row] : groups) {
    row.name = name;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

std::string_view to_string(FileClass kind) {
  constexpr std::array<std::string_view, 4> kNames{"source", "generated", "vendored", "binary"};
  return kNames[static_cast<std::size_t>(kind)];
}

void FunctionTotals::add(const FunctionMetrics& f) {
  ++count;
  lines += f.length();
  cyclomatic += f.cyclomatic;
  cognitive += f.cognitive;
  max_cyclomatic = std::max(max_cyclomatic, f.cyclomatic);
  max_cognitive = std::max(max_cognitive, f.cognitive);
  max_nesting = std::max(max_nesting, f.nesting);
  max_length = std::max(max_length, f.length());
}

FunctionTotals& FunctionTotals::operator+=(const FunctionTotals& other) {
  count += other.count;
  lines += other.lines;
  cyclomatic += other.cyclomatic;
  cognitive += other.cognitive;
  max_cyclomatic = std::max(max_cyclomatic, other.max_cyclomatic);
  max_cognitive = std::max(max_cognitive, other.max_cognitive);
  max_nesting = std::max(max_nesting, other.max_nesting);
  max_length = std::max(max_length, other.max_length);
  return *this;
}

Result<Inventory> take_inventory(const InventoryRequest& request, Clock& clock,
                                 const Attention& attention) {
  WalkOptions options = request.walk;
  options.details = !request.cache.empty();
  NEUROLENS_ASSIGN(Walk tree, walk(request.root, options));
  Inventory out;
  out.root_path = request.root;
  out.timestamp = to_rfc3339(clock.wall());
  out.ignored = tree.ignored;
  out.links = tree.links;
  out.loops = tree.loops;
  out.unreadable = std::move(tree.unreadable);
  out.functions_measured = request.functions;
  out.module_map = request.modules;
  std::map<std::string, GroupRow> modules, languages;
  TopFunctions top(request.top);
  // Slices keep the facts (functions, imports) of a million files from being in memory together.
  constexpr std::size_t kSlice = 4096;
  // A cache is shared with the graph.
  FactCollector collector(request.root, {request.functions, !request.cache.empty()},
                          request.workers, request.cache);
  for (std::size_t first = 0; first < tree.files.size();) {
    const std::size_t count = std::min(kSlice, tree.files.size() - first);
    const std::span<WalkedFile> slice(tree.files.data() + first, count);
    NEUROLENS_ASSIGN(
        FactsTable table,
        collector.collect(
            slice, static_cast<double>(first) / static_cast<double>(tree.files.size()), attention));
    out.files_read += table.read;
    out.files_cached += table.cached;
    out.bytes_read += table.bytes_read;
    for (std::size_t i = 0; i < count; ++i) {
      FileFacts& facts = table.facts[i];
      WalkedFile& file = slice[i];
      if (facts.error != 0) {
        out.unreadable.push_back({file.path, std::strerror(facts.error)});
        continue;
      }
      if (!facts.source) {
        ++out.other_files;
        continue;
      }
      FileRow row;
      row.path = std::move(file.path);
      row.language = facts.language;
      row.kind = facts.kind;
      row.by = facts.by;
      row.encoding = facts.measured.encoding;
      row.doubts = facts.measured.doubts;
      row.confidence = facts.measured.confidence();
      row.size_bytes = options.details ? file.size_bytes : facts.size_bytes;
      row.lines = facts.measured.lines;
      for (FunctionMetrics& f : facts.measured.functions) {
        row.functions.add(f);
        if (row.kind == FileClass::source) top.show(&f, row.path);
      }
      if (row.kind == FileClass::source) {
        add(&out.whole, row);
        add(&modules[request.modules.module_of(row.path)], row);
        add(&languages[std::string(info(row.language).name)], row);
      } else {
        add(row.kind == FileClass::generated  ? &out.generated
            : row.kind == FileClass::vendored ? &out.vendored
                                              : &out.binary,
            row);
      }
      out.files.push_back(std::move(row));
    }
    first += count;
  }
  NEUROLENS_TRY(collector.finish());
  out.top = std::move(top).sorted();
  out.modules = rows_of(std::move(modules));
  out.languages = rows_of(std::move(languages));
  std::stable_sort(
      out.languages.begin(), out.languages.end(),
      [](const GroupRow& a, const GroupRow& b) { return a.lines.code > b.lines.code; });
  out.whole.name = "total";
  return out;
}

}  // namespace neurolens::codebase
