// `neurolens profile -- PROGRAM`: an instrumented program as a Run.
#include <fmt/format.h>

#include "common.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/program.hpp"
#include "neurolens/run/run.hpp"
#include "profile_program.hpp"

namespace neurolens::cli {

Result<int> profile_program(Context& context, const ProgramRequest& request) {
  capture::ProgramOptions options;
  options.command = request.command;
  options.warmup = request.warmup;
  capture::ProgramFacts facts;
  facts.host = capture::read_host().facts;
  facts.neurolens_version = NEUROLENS_VERSION;
  facts.argv = context.argv;
  facts.tags = request.tags;
  { NEUROLENS_ASSIGN(const auto probe, context.files.create_atomic(request.output)); }
  NEUROLENS_ASSIGN(const capture::ProgramRun measured, capture::profile_program(options, facts));
  NEUROLENS_TRY(run::write_file(context.files, request.output, measured.run));
  auto summary = analyze::summarise(measured.run);
  if (!summary.ok()) return std::move(summary).error().at(request.output);
  if (request.json) {
    context.terminal.out(
        report::summary_json(measured.run, *summary, std::nullopt, report::GroupBy::op));
  } else {
    constexpr std::size_t kRows = 10;  // on stderr: stdout was the program's
    context.terminal.err(report::summary_text(
        measured.run, *summary,
        text_options(context, kRows, report::GroupBy::op, request.output, measured.run, *summary)));
  }
  if (measured.exit_signal) return 128 + *measured.exit_signal;
  return measured.exit_status.value_or(kDone);
}

}  // namespace neurolens::cli
