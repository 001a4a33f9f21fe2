/// \file
/// Workflows: steps that are commands, neurolens commands or registered functions, described in
/// YAML or in code, checked as a whole before anything runs, resumable after a kill. The file
/// format is in docs/guides/workflows.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/json.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/exec/executor.hpp"
#include "neurolens/exec/policy.hpp"

namespace neurolens {
class FileSystem;
}
namespace neurolens::exec {

class Control;

/// A function that steps may call by name.
struct WorkflowFunction {
  /// `inputs` is an object with exactly the declared members. Safe to call from several threads.
  std::function<Result<json::Value>(const json::Value& inputs, TaskContext& context)> call;
  /// Name and type of each input: "string", "integer", "number", "boolean", "array", "object",
  /// "any".
  std::map<std::string, std::string> inputs;
  /// Type of the result, from the same list.
  std::string output = "any";
};
using WorkflowFunctions = std::map<std::string, WorkflowFunction>;

/// A place in a file; 0 when there is none (a definition made in code).
struct SourcePlace {
  int line = 0;
  int column = 0;
};

/// One step as written. Texts may hold references: ${matrix.KEY}, ${steps.ID.value} (standard
/// output without trailing line ends, or the function's result), ${steps.ID.value.MEMBER},
/// ${steps.ID.outputs.NAME} (a path), ${run.directory}. A reference to a step is a dependency on
/// it.
struct StepDefinition {
  std::string id;
  // Exactly one of the next four.
  std::optional<std::string> shell;            ///< For /bin/sh -c.
  std::vector<std::string> command;            ///< Program and arguments, no shell.
  std::vector<std::string> neurolens_command;  ///< Arguments for this program.
  std::string function;                        ///< Name of a registered function.

  json::Value inputs;                      ///< Object: arguments of a function.
  std::vector<std::string> after;          ///< Steps that must have ended well.
  std::vector<std::string> after_any_end;  ///< Steps that must have ended.
  std::optional<std::string>
      condition;  ///< "A == B", "A != B" or a text that is not "", "0", "false".
  std::vector<std::pair<std::string, std::vector<json::Value>>>
      matrix;                                      ///< One step per combination.
  std::map<std::string, std::string> environment;  ///< Added to this program's.
  std::string directory;                       ///< Working directory; empty: that of this program.
  std::map<std::string, std::string> outputs;  ///< Files the step promises to leave, by name.
  Policy policy;                               ///< Retries, deadline, tokens, priority.
  SourcePlace place;
  std::map<std::string, SourcePlace> places;  ///< Of the keys above.
};

/// A workflow as written.
struct WorkflowDefinition {
  std::string name;
  std::string file;  ///< For messages.
  std::map<std::string, std::uint64_t> tokens;
  std::vector<StepDefinition> steps;
};

/// What became of one step (after matrix expansion).
struct StepReport {
  std::string id;
  std::vector<std::string> after;  ///< The steps that it waited for, in the order of the file.
  EndState state = EndState::done;
  bool resumed = false;  ///< Finished in an earlier run, not run again.
  std::uint32_t attempts = 0;
  Nanoseconds begin;        ///< Since the run began.
  Nanoseconds busy;         ///< In an earlier run, when resumed.
  std::string value;        ///< Standard output, or the result as JSON; at most 64 KiB.
  std::string explanation;  ///< Empty when done.
  std::string log;          ///< File with what a command wrote; empty for functions.
};

/// What a run of a workflow came to.
struct WorkflowReport {
  std::string name;
  std::vector<StepReport> steps;  ///< In the order of the file.
  RunReport run;
  std::vector<std::string> critical_path;
  std::uint64_t resumed = 0;

  /// Whether every step is done. A step whose condition was false counts as done with.
  [[nodiscard]] bool ok() const;
  /// For a terminal: one line a step, then totals.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string json() const;
};

/// How to carry out one run of a workflow.
struct WorkflowOptions {
  /// threads, processes or serial. Commands are processes in every mode; the mode is for functions.
  Mode mode = Mode::threads;
  /// Where logs and the journal go; made when absent. "NAME" is the workflow's name.
  std::string state_directory = ".neurolens-workflow/NAME";
  /// Take over the steps that an earlier run of the same definition finished.
  bool resume = false;
  /// What `neurolens:` steps run. Empty: this program's own executable.
  std::string program;
  Attention attention;
  Control* control = nullptr;
  /// Besides the probe, which sees a scope for every call of a step in any case.
  TaskObserver* observer = nullptr;
  std::uint64_t seed = 1;
};

enum class DrawFormat : std::uint8_t { text, dot, mermaid };

/// A checked, expanded workflow. Immutable.
class Workflow {
 public:
  /// Reads YAML. Errors, each with "FILE: line L, column C": parse_error, unknown_key, missing_key,
  /// wrong_type, and those of make().
  [[nodiscard]] static Result<Workflow> parse(std::string_view yaml, const std::string& file,
                                              const WorkflowFunctions& functions = {});
  /// Checks and expands a definition. Errors: duplicate_name (both places), not_found (an unknown
  /// step, function, token, program), wrong_type (a result that does not fit an input), bad_request
  /// (a cycle, which is printed), permission_denied (an output that cannot be written). `functions`
  /// must outlive the workflow.
  [[nodiscard]] static Result<Workflow> make(WorkflowDefinition definition,
                                             const WorkflowFunctions& functions = {});

  ~Workflow();
  Workflow(Workflow&&) noexcept;
  Workflow& operator=(Workflow&&) noexcept;

  [[nodiscard]] const std::string& name() const;
  /// Steps after expansion, in the order of the file: "build[size=2]".
  [[nodiscard]] std::vector<std::string> steps() const;
  /// The graph as a picture.
  [[nodiscard]] std::string draw(DrawFormat format) const;
  /// What would run, in an order that respects the dependencies, one line a step.
  [[nodiscard]] std::string plan() const;
  /// Runs the steps. That steps fail is told in the report. Errors: io_error and its kin when the
  /// state directory cannot be used; as Run::run otherwise.
  [[nodiscard]] Result<WorkflowReport> run(Executor& executor, FileSystem& files,
                                           const WorkflowOptions& options = {}) const;

  struct State;

 private:
  explicit Workflow(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The helper for simple cases: functions in the order given, each after the one before (or all at
/// once when `parallel`), with names for the report. Stops at the first failure when in sequence.
struct SimpleStep {
  std::string name;
  std::function<Status(TaskContext&)> function;
};
[[nodiscard]] Result<WorkflowReport> run_steps(Executor& executor,
                                               const std::vector<SimpleStep>& steps, bool parallel,
                                               const RunOptions& options = {});

}  // namespace neurolens::exec
