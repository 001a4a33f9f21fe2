#include "neurolens/engines/nn/train.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/engine.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/run/run.hpp"
#include "neurolens/workloads/workloads.hpp"

namespace neurolens::cli {
namespace {

// The options that train, eval and export-onnx share, and the request they make.
struct RequestOptions {
  std::string config;
  std::optional<std::string> checkpoint;
  std::optional<double> awake;

  Result<nn::TrainRequest> read(Context& context) const {
    nn::TrainRequest request;
    NEUROLENS_ASSIGN(request.config, context.files.read(config));
    request.where = config;
    request.directory = parent_path(config);
    request.resume = checkpoint.value_or("");
    request.awake = awake;
    if (awake && !(*awake >= 0 && *awake <= 1)) {
      return Error{Errc::out_of_range, "--awake is a share; it must lie in [0, 1].", "--awake"};
    }
    return request;
  }
};

// A line per epoch on stderr, for people only: nothing where stderr is no terminal.
class EpochLines final : public nn::TrainObserver {
 public:
  explicit EpochLines(Terminal& terminal)
      : terminal_(terminal), watched_(isatty(STDERR_FILENO) != 0) {}
  void on_epoch(const nn::EpochReport& r) override {
    if (!watched_) return;
    const std::string test = r.test ? fmt::format(", test loss {:.4f}, accuracy {:.2f} %",
                                                  r.test->loss, 100 * r.test->accuracy)
                                    : "";
    terminal_.err(fmt::format("epoch {:>3}: loss {:.4f}, accuracy {:.2f} %{}, {:.0f} samples/s\n",
                              r.epoch + 1, r.train_loss, 100 * r.train_accuracy, test,
                              r.samples_per_second));
  }

 private:
  Terminal& terminal_;
  bool watched_;
};

std::string test_text(const nn::Evaluation& e) {
  return fmt::format(
      "loss {:.4f}, accuracy {:.2f} %, precision {:.3f}, recall {:.3f}, F1 {:.3f} ({} samples)",
      e.loss, 100 * e.accuracy, e.precision, e.recall, e.f1, e.samples);
}

std::string ms(Nanoseconds t) {
  return fmt::format("{:.3f} ms", static_cast<double>(t.count) * 1e-6);
}

std::string as_text(const nn::TrainResult& r) {
  std::string out = fmt::format("{}: {} parameters, {} steps in {} epochs{}, kernels {}\n",
                                printable(r.model), r.parameters, r.fit.steps, r.fit.epochs,
                                r.fit.stopped_early ? " (stopped early)" : "", r.kernels);
  if (r.fit.test) out += "test: " + test_text(*r.fit.test) + "\n";
  if (r.fit.median_step.count == 0) {
    return out + (r.resumed_at_step
                      ? "There was nothing left to train: the checkpoint stands at the end of the "
                        "configuration.\n"
                      : "No step was taken: the configuration asks for none.\n");
  }
  static constexpr const char* kNames[nn::kTrainPhases] = {"data", "forward", "backward",
                                                           "optimizer", "other"};
  double sum = 0;
  for (const auto p : r.fit.phases) sum += static_cast<double>(p.count);
  out += fmt::format("step: median {}, {:.0f} samples/s", ms(r.fit.median_step),
                     r.fit.samples_per_second);
  for (std::size_t p = 0; p < nn::kTrainPhases && sum > 0; ++p) {
    out += fmt::format("; {} {:.0f} %", kNames[p],
                       100 * static_cast<double>(r.fit.phases[p].count) / sum);
  }
  const nn::StallLedger& stalls = r.fit.stalls;
  out += fmt::format("\ndata: waited {} for {} batches, at most {}; gathering took {}\n",
                     ms(stalls.wait), stalls.batches, ms(stalls.longest_wait), ms(stalls.gather()));
  const auto bytes = [](Bytes b) { return report::format_bytes(static_cast<double>(b.count)); };
  out += fmt::format("memory: plan {}", bytes(r.fit.arena));
  if (const auto memory = nn::process_memory())
    out += fmt::format(", process {} now, {} at most", bytes(memory->current), bytes(memory->peak));
  return out + "\n";
}

class TrainCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "train"; }
  [[nodiscard]] std::string summary() const override {
    return "train a network described in a YAML file";
  }
  void declare(Options& options) override {
    options.positional("config", request_.config, "YAML with the sections model, data and train");
    options.value("--resume", "CHECKPOINT", request_.checkpoint, "Go on from a checkpoint");
    options.value("--threads", "N", threads_,
                  "Threads (default: 1); the result does not depend on them");
    options.value("--awake", "SHARE", request_.awake,
                  "Share of awake nodes in the final evaluation");
    options.value("--csv", "FILE", csv_, "Append a line per epoch as CSV");
    options.value("--log", "FILE", log_, "Append a line per epoch as JSON");
    options.value("--run", "RUN", run_,
                  "Also keep a step's phases as a Run: steps on from the start for up to a second");
    options.flag("--explain", explain_, "Print the execution plan and stop");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens train examples/nn/digits.yaml");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(nn::TrainRequest request, request_.read(context));
    if (explain_) {
      NEUROLENS_ASSIGN(const std::string plan, nn::explain(request));
      context.terminal.out(plan);
      return kDone;
    }
    if (threads_.value_or(1) < 1 || threads_.value_or(1) > 1024) {
      return Error{Errc::out_of_range, "The number of threads must lie in [1, 1024].", "--threads"};
    }
    request.threads = static_cast<int>(threads_.value_or(1));
    if (run_) NEUROLENS_TRY(check_writable(context, *run_));
    request.csv_log = csv_.value_or("");
    request.json_log = log_.value_or("");
    EpochLines lines(context.terminal);
    NEUROLENS_ASSIGN(const auto result,
                     nn::train(request, json_ ? nullptr : &lines, context.attention));
    if (run_) NEUROLENS_TRY(keep_run(context, result));
    context.terminal.out(json_ ? nn::to_json(result) + "\n" : as_text(result));
    return kDone;
  }

 private:
  // What training cost, as a Run like any other: the same configuration as a workload.
  Status keep_run(Context& context, const nn::TrainResult& result) const {
    NEUROLENS_ASSIGN(
        const std::string specification,
        workloads::with_options("nn:train", {{"config", request_.config},
                                             {"threads", std::to_string(threads_.value_or(1))}}));
    NEUROLENS_ASSIGN(const auto workload, workloads::make(specification));
    capture::EngineOptions options;
    options.time_limit = Nanoseconds{1'000'000'000};
    options.attention = context.attention;
    capture::ProgramFacts facts = facts_of(context);
    if (result.fit.test)
      facts.tags["test_accuracy_ratio"] = fmt::format("{:.4f}", result.fit.test->accuracy);
    NEUROLENS_ASSIGN(const run::Run measured,
                     capture::profile_engine(*workload, options, facts, context.clock));
    return run::write_file(context.files, *run_, measured);
  }

  RequestOptions request_;
  std::optional<std::int64_t> threads_;
  std::optional<std::string> csv_, log_, run_;
  bool explain_ = false, json_ = false;
};

// Without a checkpoint there is only the network as it was drawn, which is rarely what was meant.
Status say_if_untrained(Context& context, const nn::TrainRequest& request) {
  NEUROLENS_ASSIGN(const std::string checkpoint, nn::checkpoint_of(request));
  if (checkpoint.empty())
    context.terminal.err("neurolens: there is no checkpoint: this is the untrained network\n");
  return {};
}

class EvalCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "eval"; }
  [[nodiscard]] std::string summary() const override {
    return "evaluate a checkpoint on its test data";
  }
  void declare(Options& options) override {
    options.positional("config", request_.config, "The YAML file it was trained with");
    options.value("--checkpoint", "FILE", request_.checkpoint,
                  "The checkpoint (default: the one that the configuration names)");
    options.value("--awake", "SHARE", request_.awake, "Share of awake nodes");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens eval digits.yaml --checkpoint digits.ckpt --awake 0.5");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const nn::TrainRequest request, request_.read(context));
    NEUROLENS_ASSIGN(const nn::EvaluateResult e, nn::evaluate(request));
    NEUROLENS_TRY(say_if_untrained(context, request));
    context.terminal.out(json_ ? nn::to_json(e) + "\n"
                               : fmt::format("{}\nfastest pass: {:.0f} samples/s on one thread\n",
                                             test_text(e.test), e.samples_per_second));
    return kDone;
  }

 private:
  RequestOptions request_;
  bool json_ = false;
};

class ExportCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "export-onnx"; }
  [[nodiscard]] std::string summary() const override {
    return "write a trained network as an ONNX model";
  }
  void declare(Options& options) override {
    options.positional("config", request_.config, "The YAML file it was trained with");
    options.value("--checkpoint", "FILE", request_.checkpoint,
                  "The checkpoint (default: the one that the configuration names)");
    options.value("-o,--output", "FILE", output_, "The model to write (default: model.onnx)");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens export-onnx digits.yaml --checkpoint digits.ckpt -o digits.onnx");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const nn::TrainRequest request, request_.read(context));
    NEUROLENS_ASSIGN(const std::string bytes, nn::export_onnx(request));
    NEUROLENS_TRY(say_if_untrained(context, request));
    const std::string path = output_.value_or("model.onnx");
    NEUROLENS_TRY(context.files.write_atomic(path, bytes));
    if (json_) {
      json::Writer w;
      w.begin_object()
          .member("path", path)
          .member("size_bytes", static_cast<std::int64_t>(bytes.size()))
          .end_object();
      context.terminal.out(std::move(w).take() + "\n");
      return kDone;
    }
    context.terminal.out(fmt::format("{}: {}\nnext: neurolens profile {}\n", printable(path),
                                     report::format_bytes(static_cast<double>(bytes.size())),
                                     printable(path)));
    return kDone;
  }

 private:
  RequestOptions request_;
  std::optional<std::string> output_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_train() {
  return std::make_unique<TrainCommand>();
}
std::unique_ptr<Command> make_eval() {
  return std::make_unique<EvalCommand>();
}
std::unique_ptr<Command> make_export_onnx() {
  return std::make_unique<ExportCommand>();
}

}  // namespace neurolens::cli
