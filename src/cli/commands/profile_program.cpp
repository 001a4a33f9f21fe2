// `neurolens profile -- PROGRAM`: an instrumented program as a Run.
#include "profile_program.hpp"
#include "common.hpp"
#include "neurolens/capture/program.hpp"

namespace neurolens::cli {

Result<int> profile_program(Context& context, const ProgramRequest& request) {
  capture::ProgramOptions options;
  options.command = request.command;
  options.warmup = request.warmup;
  capture::ProgramFacts facts = facts_of(context);
  facts.tags = request.tags;
  NEUROLENS_TRY(check_writable(context, request.output));
  NEUROLENS_ASSIGN(const capture::ProgramRun measured, capture::profile_program(options, facts));
  NEUROLENS_TRY(
      keep_and_show(context, measured.run, request.output, request.json, SummaryText::on_stderr));
  if (measured.exit_signal) return 128 + *measured.exit_signal;
  return measured.exit_status.value_or(kDone);
}

}  // namespace neurolens::cli
