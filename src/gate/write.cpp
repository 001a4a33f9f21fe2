#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/json.hpp"
#include "neurolens/base/markup.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/gate/gate.hpp"

namespace neurolens::gate {
namespace {

std::string escape_markdown(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '|' || c == '`' || c == '*' || c == '_' || c == '<' || c == '[' || c == '\\')
      out += '\\';
    out += c;
  }
  return out;
}

std::string spell(const std::optional<double>& ratio) {
  return ratio ? fmt::format("{:.3f}x", *ratio) : "-";
}

}  // namespace

std::string to_markdown(const GateResult& result) {
  std::string out = fmt::format("# Performance gate: {}\n\n", to_string(result.outcome));
  out +=
      "| subject | ratio | low | high | limit | outcome | why "
      "|\n|---|---:|---:|---:|---:|---|---|\n";
  for (const auto& row : result.rows)
    out += fmt::format("| {} | {} | {} | {} | {:.3f}x | {} | {} |\n", escape_markdown(row.subject),
                       spell(row.ratio), spell(row.ratio_low), spell(row.ratio_high), row.limit,
                       to_string(row.outcome), escape_markdown(row.reason));
  if (!result.certificate.empty())
    out += fmt::format("\nSelf-test: {}.\n", escape_markdown(result.certificate));
  return out;
}

std::string to_junit(const GateResult& result) {
  const auto count = [&](Outcome outcome) {
    return std::count_if(result.rows.begin(), result.rows.end(),
                         [&](const auto& row) { return row.outcome == outcome; });
  };
  std::string out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"neurolens "
      "gate\" "
      "tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
      result.rows.size(), count(Outcome::fail), count(Outcome::inconclusive));
  for (const auto& row : result.rows) {
    out += fmt::format("    <testcase classname=\"neurolens.gate\" name=\"{}\"",
                       escape_markup(printable(row.subject)));
    if (row.outcome == Outcome::pass) {
      out += "/>\n";
      continue;
    }
    out += fmt::format(">\n      <{} message=\"{}\"/>\n    </testcase>\n",
                       row.outcome == Outcome::fail ? "failure" : "skipped",
                       escape_markup(printable(row.reason)));
  }
  return out + "  </testsuite>\n</testsuites>\n";
}

std::string to_json(const GateResult& result) {
  json::Writer w({2});
  w.begin_object().member("outcome", to_string(result.outcome)).key("rules").begin_array();
  for (const auto& row : result.rows) {
    w.begin_object().member("subject", row.subject).member("outcome", to_string(row.outcome));
    w.member("ratio", row.ratio).member("ratio_low", row.ratio_low);
    w.member("ratio_high", row.ratio_high).member("limit_ratio", row.limit);
    w.member("reason", row.reason).end_object();
  }
  w.end_array().key("certificate");
  result.certificate.empty() ? w.null() : w.value(result.certificate);
  w.end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::gate
