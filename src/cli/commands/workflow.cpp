#include "neurolens/exec/workflow.hpp"

#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/exec/executor.hpp"
#include "neurolens/run/run.hpp"
#include "workflow_artifact.hpp"

namespace neurolens::cli {
namespace {

Result<exec::Workflow> load(Context& context, const std::string& path) {
  NEUROLENS_ASSIGN(const std::string text, context.files.read(path, Bytes{std::int64_t{64} << 20}));
  return exec::Workflow::parse(text, path);
}

class WorkflowRun final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "workflow run"; }
  [[nodiscard]] std::string summary() const override {
    return "run a file of steps with dependencies, in parallel";
  }
  void declare(Options& options) override {
    options.positional("file", file_, "The workflow, YAML");
    options.value("--workers", "N", workers_,
                  "Steps at the same time (default: CPUs of this process)");
    options.choice("--mode", {"threads", "processes", "serial"}, mode_,
                   "Where registered functions run (default: threads)");
    options.value("--state", "DIR", state_, "Logs and journal (default: .neurolens-workflow/NAME)");
    options.value("--run", "RUN", run_,
                  "Keep the times of the steps as a Run, for summary, report and compare");
    options.flag("--resume", resume_, "Take over the steps that an earlier run finished");
    options.flag("--dry-run", dry_run_, "Check everything, show the plan, run nothing");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens workflow run nightly.yaml --workers 4 --resume");
  }
  Result<int> run(Context& context) override {
    if (workers_ && (*workers_ < 1 || *workers_ > 1024)) {
      return Error{Errc::out_of_range, "`--workers` must be between 1 and 1024.", {}};
    }
    NEUROLENS_ASSIGN(const exec::Workflow workflow, load(context, file_));
    if (dry_run_) {
      if (json_) {
        json::Writer w({2});
        w.begin_object().member("workflow", workflow.name()).key("steps").begin_array();
        for (const std::string& id : workflow.steps()) w.value(id);
        w.end_array().end_object();
        context.terminal.out(std::move(w).take() + "\n");
      } else {
        context.terminal.out(workflow.plan());
      }
      return kDone;
    }
    if (run_) NEUROLENS_TRY(check_writable(context, *run_));
    exec::WorkflowOptions options;
    options.mode = mode_ == "processes" ? exec::Mode::processes
                   : mode_ == "serial"  ? exec::Mode::serial
                                        : exec::Mode::threads;
    options.resume = resume_;
    options.attention = context.attention;
    if (state_) options.state_directory = *state_;
    exec::Executor executor(static_cast<std::uint32_t>(workers_.value_or(0)));
    NEUROLENS_ASSIGN(const exec::WorkflowReport report,
                     workflow.run(executor, context.files, options));
    if (run_) {
      NEUROLENS_TRY(
          run::write_file(context.files, *run_, workflow_to_run(report, file_, context.argv)));
    }
    context.terminal.out(json_ ? report.json() : report.text());
    if (!report.ok() && !json_) {
      context.terminal.out(
          fmt::format("\nnext: neurolens workflow run {} --resume\n", printable(file_)));
    }
    return report.ok() ? kDone : kAnswerIsNo;
  }

 private:
  std::string file_;
  std::optional<std::int64_t> workers_;
  std::string mode_ = "threads";
  std::optional<std::string> state_;
  std::optional<std::string> run_;
  bool resume_ = false;
  bool dry_run_ = false;
  bool json_ = false;
};

class WorkflowGraph final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "workflow graph"; }
  [[nodiscard]] std::string summary() const override {
    return "draw the steps of a workflow as text, DOT or Mermaid";
  }
  void declare(Options& options) override {
    options.positional("file", file_, "The workflow, YAML");
    options.choice("--format", {"text", "dot", "mermaid"}, format_, "What to draw (default: text)");
    options.example("neurolens workflow graph nightly.yaml --format dot");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const exec::Workflow workflow, load(context, file_));
    context.terminal.out(workflow.draw(format_ == "dot"       ? exec::DrawFormat::dot
                                       : format_ == "mermaid" ? exec::DrawFormat::mermaid
                                                              : exec::DrawFormat::text));
    return kDone;
  }

 private:
  std::string file_;
  std::string format_ = "text";
};

}  // namespace

std::unique_ptr<Command> make_workflow_graph() {
  return std::make_unique<WorkflowGraph>();
}
std::unique_ptr<Command> make_workflow_run() {
  return std::make_unique<WorkflowRun>();
}

}  // namespace neurolens::cli
