#include "common.hpp"

#include <fmt/format.h>

#include <charconv>

#include "neurolens/analyze/insights.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/report/findings.hpp"
#include "neurolens/run/run.hpp"
#include "store.hpp"
#include "version.hpp"

namespace neurolens::cli {

Result<LoadedRun> load_summary(Context& context, const std::string& path) {
  NEUROLENS_ASSIGN(run::Run loaded, load_run(context, path));
  auto summary = analyze::summarise(loaded);
  if (!summary.ok()) return std::move(summary).error().at(path);
  return LoadedRun{std::move(loaded), std::move(summary).value()};
}

Result<std::optional<std::size_t>> parse_top(const std::optional<std::string>& text, bool json) {
  constexpr std::size_t kDefaultRows = 10;
  if (!text) return json ? std::nullopt : std::optional<std::size_t>(kDefaultRows);
  if (*text == "all") return std::optional<std::size_t>{};
  std::size_t rows = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), rows);
  if (error != std::errc{} || end != text->data() + text->size() || rows == 0) {
    return Error{Errc::out_of_range,
                 fmt::format("\"{}\" is neither a positive number nor \"all\".", printable(*text)),
                 "--top"};
  }
  return std::optional(rows);
}

Status check_writable(Context& context, const std::string& path) {
  NEUROLENS_ASSIGN(const auto probe, context.files.create_atomic(path));
  return {};
}

capture::ProgramFacts facts_of(const Context& context) {
  capture::ProgramFacts facts;
  facts.host = capture::read_host().facts;
  facts.neurolens_version = kVersion;
  facts.argv = context.argv;
  return facts;
}

Result<std::uint64_t> seed_from(const std::optional<std::int64_t>& given) {
  if (given.value_or(1) < 0)
    return Error{Errc::out_of_range, "A seed is a whole number from 0 on.", "--seed"};
  return static_cast<std::uint64_t>(given.value_or(1));
}

report::TextOptions text_options(const Context& context, std::optional<std::size_t> top,
                                 report::GroupBy by, const std::string& run_path,
                                 const run::Run& run, const analyze::Summary& summary) {
  constexpr std::size_t kInsights = 5;
  const analyze::InsightInput input{run, summary, nullptr, nullptr,
                                    run_path.empty() ? "RUN" : run_path};
  const auto insights = analyze::find_insights(input, analyze::RuleSet::builtin());
  return {context.terminal.width(),
          top,
          by,
          context.terminal.colour(),
          run_path,
          report::what_to_do(insights, kInsights, context.terminal.width())};
}

Status keep_and_show(Context& context, const run::Run& measured, const std::string& path, bool json,
                     SummaryText text) {
  NEUROLENS_TRY(run::write_file(context.files, path, measured));
  auto summary = analyze::summarise(measured);
  if (!summary.ok()) return std::move(summary).error().at(path);
  if (json) {
    context.terminal.out(
        report::summary_json(measured, *summary, std::nullopt, report::GroupBy::op));
    return {};
  }
  constexpr std::size_t kRows = 10;
  const std::string shown = report::summary_text(
      measured, *summary,
      text_options(context, kRows, report::GroupBy::op, path, measured, *summary));
  text == SummaryText::on_stdout ? context.terminal.out(shown) : context.terminal.err(shown);
  return {};
}

std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace neurolens::cli
