#include <fmt/format.h>

#include "findings/column.hpp"
#include "neurolens/analyze/roofline.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/export.hpp"

namespace neurolens::report {
namespace {

std::string cell(std::string_view text) {
  std::string inner = to_valid_utf8(text);
  // A spreadsheet runs what begins like this.
  if (!inner.empty() && std::string_view("=+-@\t\r").find(inner[0]) != std::string_view::npos)
    inner.insert(inner.begin(), '\'');
  if (inner.find_first_of(",\"\r\n") == std::string::npos) return inner;
  std::string out = "\"";
  for (const char c : inner) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string cell(const std::optional<double>& number) {
  return number ? shortest(rounded(*number)) : "";
}
std::string cell(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "";
}

}  // namespace

Result<std::string> to_csv(const run::Run& run) {
  NEUROLENS_ASSIGN(const auto summary, analyze::summarise(run));
  std::string out =
      "index,name,type,phase,provider,original_nodes,time_ns,low_ns,high_ns,raw_ns,share_ratio,"
      "method,"
      "flops,bytes,bound,roof_ratio\r\n";
  for (const auto& row : summary.ops) {
    const run::Op& op = run.ops[row.op.index()];
    std::string nodes;
    for (const auto& node : op.original_nodes) nodes += (nodes.empty() ? "" : " | ") + node.name;
    const auto low = row.interval ? std::optional(row.interval->low) : std::nullopt;
    const auto high = row.interval ? std::optional(row.interval->high) : std::nullopt;
    const bool timed = !row.method.empty();
    out += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", row.op.value, cell(row.name),
        cell(row.type), cell(op.phase), cell(op.provider.value_or("")), cell(nodes),
        cell(timed ? std::optional(row.time_ns) : std::nullopt), cell(low), cell(high),
        cell(row.raw_time_ns), cell(timed ? std::optional(row.share_ratio) : std::nullopt),
        cell(row.method), cell(row.flops), cell(row.bytes), cell(row.bound.value_or("")),
        cell(row.roof_ratio));
  }
  return out;
}

}  // namespace neurolens::report
