/// \file
/// What several commands do alike: reading a Run with its summary, text options, JSON of errors.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "command.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/capture/program.hpp"
#include "neurolens/report/render.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::cli {

struct LoadedRun {
  run::Run run;
  analyze::Summary summary;
};

/// Reads, checks and summarises the Run at `path`.
Result<LoadedRun> load_summary(Context& context, const std::string& path);

/// "20", "all"; absent: 10 rows for people, all for programs. Errors: out_of_range.
Result<std::optional<std::size_t>> parse_top(const std::optional<std::string>& text, bool json);

/// What a Run says of this launch of neurolens and of the machine.
capture::ProgramFacts facts_of(const Context& context);

/// Finds out now that a file cannot be written, not after minutes of work. Errors: those of
/// FileSystem::create_atomic.
Status check_writable(Context& context, const std::string& path);

/// A seed as given; absent: 1. Errors: out_of_range when negative.
Result<std::uint64_t> seed_from(const std::optional<std::int64_t>& given);

/// Options for the text about `run`, with what the rules say of it.
report::TextOptions text_options(const Context& context, std::optional<std::size_t> top,
                                 report::GroupBy by, const std::string& run_path,
                                 const run::Run& run, const analyze::Summary& summary);

/// Writes what was measured to `path`, then shows its summary: as JSON on stdout, or as text there
/// or, where stdout belongs to a program that was measured, on stderr.
enum class SummaryText : std::uint8_t { on_stdout, on_stderr };
Status keep_and_show(Context& context, const run::Run& measured, const std::string& path, bool json,
                     SummaryText text = SummaryText::on_stdout);

/// A cell of comma-separated values (RFC 4180), quoted where it must be.
[[nodiscard]] std::string csv_cell(std::string_view text);

}  // namespace neurolens::cli
