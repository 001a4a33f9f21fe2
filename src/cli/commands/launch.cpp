#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/capture/live.hpp"
#include "neurolens/capture/profile.hpp"

namespace neurolens::cli {
namespace {

constexpr std::int64_t kWarmup = 3;
constexpr std::int64_t kIterations = 15;

/// One fresh launch of a live comparison: a process that measures a few iterations and prints them.
class Launch final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "launch"; }
  [[nodiscard]] std::string summary() const override {
    return "measure a few iterations in a fresh process (what live comparisons start)";
  }
  void declare(Options& options) override {
    options.positional("model", model_, "An ONNX model");
    options.value("--kernel", "NAME", kernel_, "A built-in kernel instead of a model");
    options.value("--work", "RATIO", work_, "Loop count of the kernel, 1.05 does 5 % more");
    options.choice("--opt", {"none", "basic", "extended", "all"}, opt_, "Graph optimisation");
    options.value("--threads", "N", threads_, "Threads within an op (default: 1)");
    options.value("--batch", "B", batch_, "Size of free batch dimensions");
    options.value("--sequence", "S", sequence_, "Size of free sequence dimensions");
    options.value("--provider", "NAME", request_.provider, "Execution provider");
    options.value("--ort-library", "PATH", request_.ort_library, "The ONNX Runtime library");
    options.example("neurolens launch model.onnx --opt basic");
  }
  Result<int> run(Context& context) override {
    if (model_.has_value() == kernel_.has_value())
      return Error{Errc::bad_request, "Name either a model or a --kernel.", "launch"};
    NEUROLENS_ASSIGN(
        const auto samples,
        kernel_ ? capture::run_kernel(*kernel_, work_.value_or(1), kIterations) : run_model());
    json::Writer w;
    w.begin_object().key("samples_ns").numbers(samples).end_object();
    context.terminal.out(std::move(w).take() + "\n");
    return kDone;
  }

 private:
  Result<std::vector<std::int64_t>> run_model() {
    request_.model_path = *model_;
    request_.optimisation = *capture::opt_level_from_name(opt_);
    request_.threads = threads_.value_or(1);
    request_.batch = batch_.value_or(request_.batch);
    request_.sequence = sequence_.value_or(request_.sequence);
    request_.batch_given = batch_.has_value();
    request_.sequence_given = sequence_.has_value();
    request_.iterations = kIterations;
    request_.warmup = kWarmup;
    request_.method = capture::Method::observed;
    NEUROLENS_ASSIGN(const run::Run measured, capture::profile_model(request_));
    const auto& rows = measured.samples.iterations;
    std::vector<std::int64_t> samples;
    for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
      if (rows.observed[i] == 0 && rows.warmup[i] == 0) samples.push_back(rows.duration_ns[i]);
    }
    return samples;
  }

  capture::CaptureRequest request_;
  std::optional<std::string> model_;
  std::optional<std::string> kernel_;
  std::optional<double> work_;
  std::optional<std::int64_t> threads_;
  std::optional<std::int64_t> batch_;
  std::optional<std::int64_t> sequence_;
  std::string opt_ = "all";
};

}  // namespace

std::unique_ptr<Command> make_launch() {
  return std::make_unique<Launch>();
}

}  // namespace neurolens::cli
