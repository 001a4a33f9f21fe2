#include <fmt/format.h>

#include "adapters/onnxruntime/assemble.hpp"
#include "adapters/onnxruntime/calibrate.hpp"
#include "adapters/onnxruntime/cuts.hpp"
#include "adapters/onnxruntime/estimate.hpp"
#include "adapters/onnxruntime/feeds.hpp"
#include "adapters/onnxruntime/library.hpp"
#include "adapters/onnxruntime/measure.hpp"
#include "adapters/onnxruntime/original.hpp"
#include "fit/order_statistics.hpp"
#include "measure/work_folder.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/adapter.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/onnx/model.hpp"
#include "plan/costs.hpp"
#include "plan/plan.hpp"

namespace neurolens::capture {
namespace ort {
namespace {

constexpr double kDistortion = 1.1;

bool has_bodies(const onnx::Graph& graph) {
  for (const auto& node : graph.nodes) {
    for (const auto& attribute : node.attributes) {
      if (!attribute.graphs.empty()) return true;
    }
  }
  return false;
}

Status check_request(const CaptureRequest& request) {
  const auto bad = [](const char* sentence) {
    return Status(Error{Errc::bad_request, sentence, {}});
  };
  if (request.model_path.empty()) return bad("No model was named.");
  if (request.iterations && *request.iterations < 1) return bad("--iterations must be at least 1.");
  if (request.warmup && *request.warmup < 0) return bad("--warmup must not be negative.");
  if (request.threads < 0 || request.threads > 4096)
    return bad("--threads must lie between 0 and 4096.");
  if (request.batch < 1) return bad("--batch must be at least 1.");
  if (request.sequence < 1) return bad("--sequence must be at least 1.");
  if (!(request.target_interval_ratio > 0 && request.target_interval_ratio < 1)) {
    return bad("The target width of the interval must lie between 0 and 1.");
  }
  return {};
}

/// Everything happens in start(): this adapter runs its workload itself.
class OnnxSession final : public Session {
 public:
  OnnxSession(CaptureRequest request, std::shared_ptr<const Library> library)
      : request_(std::move(request)), library_(std::move(library)) {}

  Status start() override {
    auto result = measure_model();
    if (!result.ok()) {
      Error error = std::move(result).error();
      if (error.code == Errc::refused && error.where.empty()) error.where = request_.model_path;
      return error;
    }
    run_ = std::move(result).value();
    return {};
  }
  Status stop() override { return {}; }
  Result<run::Run> drain() override {
    if (!run_)
      return Error{
          Errc::bad_request, "Nothing was measured: start() was not called or failed.", {}};
    return *std::move(run_);
  }

 private:
  Result<run::Run> measure_model() {
    const Host host = read_host();
    NEUROLENS_ASSIGN(const WorkFolder folder, WorkFolder::make(request_.work_folder));
    request_.attention.report("loading");
    reset_peak_memory();
    const ProcessMemory before = process_memory();
    onnx::LoadOptions load;
    load.keep_weights = false;
    NEUROLENS_ASSIGN(const auto model, onnx::Model::load(request_.model_path, load));
    NEUROLENS_ASSIGN(auto session,
                     RuntimeSession::create(library_, request_.model_path, settings_of(request_)));
    NEUROLENS_ASSIGN(const auto feeds, prepare_feeds(library_, session, &model.graph(), request_));
    auto measurement = measure(library_, session, feeds.set, request_, folder.path(),
                               has_bodies(model.graph()), model.graph().nodes.size());
    if (!measurement.ok()) return std::move(measurement).error();
    Measurement measured = std::move(measurement).value();
    measured.before = before;

    std::optional<onnx::Model> optimised;
    if (!measured.optimised_path.empty()) {
      auto loaded = onnx::Model::load(measured.optimised_path, load);
      if (loaded.ok()) {
        optimised.emplace(std::move(loaded).value());
      } else {
        measured.notes.push_back("The optimised model could not be read: " +
                                 loaded.error().message);
      }
    }
    Plan plan = build_plan(measured.ops, optimised ? &optimised->graph() : nullptr, &model.graph());
    if (optimised) add_costs(plan, measured, *optimised, model, feeds, folder);
    run::Run run = assemble(request_, host, *library_, model, session, feeds, measured, plan);
    estimate_observed(run);
    if (request_.method == Method::observed) return run;
    NEUROLENS_ASSIGN(const auto calibration, calibrate(library_, request_, folder.path()));
    estimate_by_ledger(run, plan, measured.ops, calibration, request_.seed);
    if (optimised && wants_cuts(run)) {
      CutInput input{measured.optimised_path,
                     &plan,
                     &feeds.set,
                     0,
                     calibration.call_ns,
                     calibration.call_low_ns,
                     calibration.call_high_ns,
                     calibration.output_ns,
                     calibration.buffer_ns};
      input.unobserved_ns = median(usable_durations(run.samples.iterations, false));
      const Status cut =
          settle_by_cuts(library_, request_, input, folder.path(), optimised->graph(), run);
      if (!cut.ok())
        run.notes.push_back("Cutting the model failed, so the ledger's times stand: " +
                            cut.error().message);
    } else if (request_.method == Method::cut) {
      run.notes.emplace_back("There is no optimised model to cut, so the ledger's times stand.");
    }
    share_among_like_ops(run);
    return run;
  }

  void add_costs(Plan& plan, const Measurement& measured, const onnx::Model& optimised,
                 const onnx::Model& model, const PreparedFeeds& feeds, const WorkFolder& folder) {
    auto observed = observed_feeds(feeds.set);
    ObservedGraphs seen{&optimised.graph(), &observed, nullptr, nullptr};
    auto before = observed;
    observe_outputs(plan, measured.ops, observed);
    Status known;
    if (request_.optimisation == OptLevel::none) {
      observe_original(measured.ops, model.graph(), before);
    } else if (!request_.attention.cancelled()) {
      known = run_original(library_, request_, feeds.set, folder.path(), model.graph(), before);
      if (!known.ok()) {
        plan.notes.push_back(
            "FLOPs of fused ops are those of their own formulas, because the model could not be "
            "run without optimisation: " +
            known.error().message);
      }
    }
    if (known.ok()) {
      seen.original = &model.graph();
      seen.original_tensors = &before;
    }
    fill_costs(plan, measured.ops, seen);
  }

  /// Cuts on request; by default where the observer distorts by more than a tenth.
  [[nodiscard]] bool wants_cuts(const run::Run& run) const {
    if (run.status != "complete" || request_.attention.cancelled()) return false;
    if (request_.method == Method::cut) return true;
    return request_.method == Method::automatic &&
           run.overhead.observed_ratio.value_or(1) > kDistortion;
  }

  CaptureRequest request_;
  std::shared_ptr<const Library> library_;
  std::optional<run::Run> run_;
};

class OnnxRuntimeAdapter final : public Adapter {
 public:
  [[nodiscard]] std::string_view name() const noexcept override { return "onnxruntime"; }
  [[nodiscard]] Availability probe(const Host& host) const override {
    return probe(host, CaptureRequest{});
  }
  [[nodiscard]] Availability probe(const Host& /*host*/,
                                   const CaptureRequest& request) const override {
    const auto library = Library::open(request.ort_library);
    if (!library.ok()) return {false, library.error().text(), {}, {}};
    return {true, {}, library.value()->version(), library.value()->path()};
  }
  [[nodiscard]] Result<std::unique_ptr<Session>> open(
      const CaptureRequest& request) const override {
    NEUROLENS_TRY(check_request(request));
    NEUROLENS_ASSIGN(auto library, Library::open(request.ort_library));
    return std::unique_ptr<Session>(std::make_unique<OnnxSession>(request, std::move(library)));
  }
};

}  // namespace
}  // namespace ort

std::unique_ptr<const Adapter> make_onnxruntime();
std::unique_ptr<const Adapter> make_onnxruntime() {
  return std::make_unique<ort::OnnxRuntimeAdapter>();
}

}  // namespace neurolens::capture
