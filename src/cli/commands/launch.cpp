#include <algorithm>
#include <memory>
#include <numeric>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/capture/live.hpp"
#include "neurolens/capture/profile.hpp"
#include "neurolens/run/run.hpp"
#include "neurolens/workloads/workloads.hpp"

namespace neurolens::cli {
namespace {

constexpr std::int64_t kWarmup = 3;
constexpr std::int64_t kIterations = 15;

/// Per op the mean of the faster half of its samples: steadier than the smallest one where the
/// backend's profiler counts whole microseconds.
std::vector<double> op_times(const run::Run& run) {
  std::vector<bool> counts;
  const auto& rows = run.samples.iterations;
  for (std::size_t i = 0; i < rows.observed.size(); ++i) {
    if (rows.observed[i] != 0) counts.push_back(rows.warmup[i] == 0);
  }
  std::vector<double> times(run.ops.size(), 0.0);
  for (std::size_t op = 0; op < run.samples.op_duration_ns.size(); ++op) {
    const auto& column = run.samples.op_duration_ns[op];
    std::vector<std::int64_t> kept;
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (counts[i] && column[i] != run::kMissing) kept.push_back(column[i]);
    }
    std::sort(kept.begin(), kept.end());
    kept.resize((kept.size() + 1) / 2);
    if (!kept.empty())
      times[op] = static_cast<double>(std::accumulate(kept.begin(), kept.end(), std::int64_t{0})) /
                  static_cast<double>(kept.size());
  }
  return times;
}

/// One fresh launch of a live comparison: a process that measures a few iterations and prints them.
class Launch final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "launch"; }
  [[nodiscard]] std::string summary() const override {
    return "measure a few iterations in a fresh process (what live comparisons start)";
  }
  void declare(Options& options) override {
    options.positional("model", model_, "An ONNX model, or an engine such as nn:mlp?batch=64");
    options.value("--kernel", "NAME", kernel_, "A built-in kernel instead of a model");
    options.value("--work", "RATIO", work_, "Loop count of the kernel, 1.05 does 5 % more");
    options.choice("--opt", {"none", "basic", "extended", "all"}, opt_, "Graph optimisation");
    options.value("--threads", "N", threads_, "Threads within an op (default: 1)");
    options.value("--batch", "B", batch_, "Size of free batch dimensions");
    options.value("--sequence", "S", sequence_, "Size of free sequence dimensions");
    options.value("--provider", "NAME", request_.provider, "Execution provider");
    options.value("--ort-library", "PATH", request_.ort_library, "The ONNX Runtime library");
    options.flag("--resident", resident_,
                 "Stay, and answer each number on stdin with so many samples");
    options.flag("--ops", ops_, "Times per op too, by the backend's profiler");
    options.value("--run", "FILE", run_path_, "With --ops: also write the Run to FILE");
    options.example("neurolens launch model.onnx --opt basic");
  }
  Result<int> run(Context& context) override {
    if (model_.has_value() == kernel_.has_value())
      return Error{Errc::bad_request, "Name either a model or a --kernel.", "launch"};
    if (ops_ && (kernel_ || resident_))
      return Error{Errc::bad_request, "--ops goes with a model, and not with --resident.",
                   "launch"};
    const bool engine = model_ && workloads::is_specification(*model_);
    if (engine && (threads_ || batch_ || sequence_ || opt_ != "all")) {
      return Error{Errc::bad_request,
                   "What an engine does stands in its specification, as in nn:mlp?batch=64.",
                   *model_};
    }
    if (!kernel_ && !engine) fill_request();
    if (ops_) return engine ? run_engine(context) : run_observed(context);
    NEUROLENS_ASSIGN(auto workload, engine ? engine_workload(context)
                                    : kernel_
                                        ? capture::kernel_workload(*kernel_, work_.value_or(1))
                                        : capture::model_workload(request_));
    capture::Sampler sampler(std::move(workload));
    if (resident_) {
      NEUROLENS_TRY(capture::serve_turns(sampler, [&](const std::string& line) {
        context.terminal.out(line);
        static_cast<void>(context.terminal.finish());  // a reader that left is noticed at stdin
      }));
      return kDone;
    }
    NEUROLENS_TRY(sampler.warm_up());
    NEUROLENS_ASSIGN(const auto samples, sampler.take(kIterations));
    json::Writer w;
    w.begin_object().key("samples_ns").numbers(samples).end_object();
    context.terminal.out(std::move(w).take() + "\n");
    return kDone;
  }

 private:
  void fill_request() {
    request_.model_path = *model_;
    request_.optimisation = *capture::opt_level_from_name(opt_);
    request_.threads = threads_.value_or(1);
    request_.batch = batch_.value_or(request_.batch);
    request_.sequence = sequence_.value_or(request_.sequence);
    request_.batch_given = batch_.has_value();
    request_.sequence_given = sequence_.has_value();
  }

  Result<capture::Workload> engine_workload(Context& context) const {
    NEUROLENS_ASSIGN(auto made, workloads::make(*model_));
    const std::shared_ptr<capture::EngineWorkload> engine = std::move(made);
    Clock& clock = context.clock;
    return capture::Workload([engine, &clock]() -> Result<Nanoseconds> {
      const Nanoseconds begin = clock.now();
      NEUROLENS_TRY(engine->iterate(nullptr));
      return clock.now() - begin;
    });
  }

  /// Phases of an engine instead of ops of a model.
  Result<int> run_engine(Context& context) {
    NEUROLENS_ASSIGN(const auto engine, workloads::make(*model_));
    capture::EngineOptions options;
    options.iterations = kIterations;
    options.warmup = kWarmup;
    NEUROLENS_ASSIGN(const run::Run measured,
                     capture::profile_engine(*engine, options, facts_of(context)));
    return tell(context, measured);
  }

  /// With the backend's profiler in every second iteration: whole iterations from the others.
  Result<int> run_observed(Context& context) {
    request_.iterations = kIterations;
    request_.warmup = kWarmup;
    request_.method = capture::Method::observed;
    NEUROLENS_ASSIGN(const run::Run measured, capture::profile_model(request_));
    return tell(context, measured);
  }

  Result<int> tell(Context& context, const run::Run& measured) const {
    if (run_path_) NEUROLENS_TRY(run::write_file(context.files, *run_path_, measured));
    const auto& rows = measured.samples.iterations;
    std::vector<std::int64_t> samples;
    for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
      if (rows.observed[i] == 0 && rows.warmup[i] == 0) samples.push_back(rows.duration_ns[i]);
    }
    json::Writer w;
    w.begin_object().key("samples_ns").numbers(samples);
    w.key("op_ns").numbers(op_times(measured)).end_object();
    context.terminal.out(std::move(w).take() + "\n");
    return kDone;
  }

  capture::CaptureRequest request_;
  std::optional<std::string> model_;
  std::optional<std::string> kernel_;
  std::optional<double> work_;
  std::optional<std::int64_t> threads_;
  std::optional<std::int64_t> batch_;
  std::optional<std::int64_t> sequence_;
  std::string opt_ = "all";
  std::optional<std::string> run_path_;
  bool resident_ = false;
  bool ops_ = false;
};

}  // namespace

std::unique_ptr<Command> make_launch() {
  return std::make_unique<Launch>();
}

}  // namespace neurolens::cli
