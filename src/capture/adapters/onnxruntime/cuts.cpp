#include "adapters/onnxruntime/cuts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>

#include "adapters/onnxruntime/dtypes.hpp"
#include "adapters/onnxruntime/measure.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "fit/cut_search.hpp"
#include "fit/order_statistics.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/onnx/cut.hpp"
#include "neurolens/onnx/model.hpp"

namespace neurolens::capture::ort {
namespace {

constexpr int kWarmup = 3;
constexpr int kSearchRounds = 5;
constexpr std::uintmax_t kPlaceholderBytes = std::uintmax_t{1} << 40;  // takes no room on disk
constexpr int kFewestRounds = 8;
constexpr int kMostRounds = 120;
constexpr double kSearchShare = 0.5;  ///< Of the budget; the rest is for the final rounds.
constexpr double kDeviation = 0.05;   ///< Of the cut model from the original that is worth a note.
/// Sessions differ by the luck of their memory layout; no interval is narrower than this.
constexpr double kSessionLuck = 0.01;

onnx::DType dtype_of_run(const std::string& name) {
  for (int number = 1; number <= 26; ++number) {
    if (run_dtype(static_cast<onnx::DType>(number)) == name)
      return static_cast<onnx::DType>(number);
  }
  return onnx::DType::undefined;
}

onnx::ObservedTensors observed_tensors(const run::Run& run) {
  onnx::ObservedTensors out;
  for (const auto& op : run.ops) {
    for (const auto& tensor : op.outputs) {
      if (tensor.name && tensor.dtype && tensor.shape)
        out[*tensor.name] = {dtype_of_run(*tensor.dtype), *tensor.shape};
    }
  }
  return out;
}

/// Loads the weights of the optimised model once and hands them to every session.
class WeightPool {
 public:
  explicit WeightPool(std::shared_ptr<const Library> library) : library_(std::move(library)) {}
  WeightPool(const WeightPool&) = delete;
  WeightPool& operator=(const WeightPool&) = delete;
  ~WeightPool() {
    if (packed_ != nullptr) library_->api().ReleasePrepackedWeightsContainer(packed_);
  }

  Result<SharedWeights> share(const onnx::Model& model, const std::vector<std::string>& names) {
    if (packed_ == nullptr)
      NEUROLENS_TRY(library_->check(library_->api().CreatePrepackedWeightsContainer(&packed_)));
    SharedWeights out;
    out.packed = packed_;
    for (const auto& name : names) {
      auto found = weights_.find(name);
      if (found == weights_.end()) {
        NEUROLENS_ASSIGN(auto tensor, model.tensor(name));
        auto held = std::make_unique<onnx::Tensor>(std::move(tensor));
        NEUROLENS_ASSIGN(auto value, make_tensor_value(*library_, *held));
        found = weights_.emplace(name, Weight{std::move(held), std::move(value)}).first;
      }
      out.values.emplace_back(name, found->second.value.get());
    }
    return out;
  }

 private:
  struct Weight {
    std::unique_ptr<onnx::Tensor> content;
    Handle<OrtValue> value;
  };
  std::shared_ptr<const Library> library_;
  OrtPrepackedWeightsContainer* packed_ = nullptr;
  std::map<std::string, Weight> weights_;
};

/// `node` and the nodes of its bodies are all at `place`.
void add_bodies(const onnx::Node& node, std::size_t place,
                std::map<const onnx::Node*, std::size_t>& out) {
  out[&node] = place;
  for (const auto& attribute : node.attributes) {
    for (const auto& body : attribute.graphs) {
      for (const auto& inner : body.nodes) add_bodies(inner, place, out);
    }
  }
}

class CutLab {
 public:
  CutLab(std::shared_ptr<const Library> library, const CaptureRequest& request,
         const CutInput& input, std::string folder, run::Run& run)
      : library_(std::move(library)),
        request_(request),
        input_(input),
        folder_(std::move(folder)),
        run_(run),
        pool_(library_),
        random_(request.seed, /*stream=*/13) {
    settings_ = settings_of(request_);
    settings_.optimisation = OptLevel::none;
  }

  Status settle(const onnx::Graph& plan_graph) {
    NEUROLENS_ASSIGN(auto model, onnx::Model::load(input_.optimised_path));
    model_.emplace(std::move(model));
    NEUROLENS_ASSIGN(auto cutter, onnx::Cutter::create(*model_, observed_tensors(run_)));
    cutter_.emplace(std::move(cutter));
    map_ops(plan_graph);
    deadline_ = clock_.now() + Nanoseconds{request_.budget.count};
    NEUROLENS_TRY(search());
    NEUROLENS_ASSIGN(const auto gaps, final_rounds());
    check_node_count();
    apply(gaps);
    return {};
  }

 private:
  /// Both graphs were read from one file: a node has the same position in each.
  void map_ops(const onnx::Graph& plan_graph) {
    const auto& order = cutter_->order();
    std::vector<std::size_t> place(order.size());
    for (std::size_t k = 0; k < order.size(); ++k) place[order[k].index()] = k;
    std::map<const onnx::Node*, std::size_t> node_place;
    for (std::size_t i = 0; i < plan_graph.nodes.size() && i < place.size(); ++i) {
      add_bodies(plan_graph.nodes[i], place[i], node_place);
    }
    node_ops_.assign(order.size(), {});
    for (std::size_t op = 0; op < run_.ops.size(); ++op) {
      const auto found = node_place.find(input_.plan->nodes[op]);
      if (found != node_place.end()) node_ops_[found->second].push_back(op);
    }
  }

  [[nodiscard]] double estimate_ns(std::size_t op) const {
    const auto& estimate = run_.ops[op].estimate;
    return estimate ? static_cast<double>(estimate->time_ns) : 0;
  }
  [[nodiscard]] double gap_estimate_ns(std::size_t begin, std::size_t end) const {
    double sum = 0;
    for (std::size_t k = begin; k < end; ++k) {
      for (const auto op : node_ops_[k]) sum += estimate_ns(op);
    }
    return sum;
  }

  Result<RuntimeSession> make_session(std::size_t k, const std::string& profile_prefix) {
    SessionSettings settings = settings_;
    settings.profile_prefix = profile_prefix;
    if (share_) {
      auto session = make_shared_session(k, settings);
      if (session.ok()) return session;
      share_ = false;
      run_.notes.push_back("Weights could not be shared between cuts: " + session.error().message);
    }
    NEUROLENS_ASSIGN(const auto cut, cutter_->prefix(k));
    return RuntimeSession::create_from(library_, cut.bytes, settings);
  }

  /// The runtime insists that the file which a shared weight is declared to be in exists beside the
  /// model and is long enough, though it never reads it: an empty file with a size satisfies it.
  Result<RuntimeSession> make_shared_session(std::size_t k, const SessionSettings& settings) {
    onnx::CutOptions options;
    options.weights = onnx::CutWeights::shared;
    NEUROLENS_ASSIGN(const auto cut, cutter_->prefix(k, options));
    NEUROLENS_ASSIGN(const auto shared, pool_.share(*model_, cut.shared_weights));
    const std::string placeholder = folder_ + "/" + std::string(onnx::kSharedWeightsFile);
    std::ofstream(placeholder, std::ios::app).close();
    std::error_code error;
    std::filesystem::resize_file(placeholder, kPlaceholderBytes, error);
    const std::string path = folder_ + "/cut.onnx";
    NEUROLENS_TRY(system_files().write_atomic(path, cut.bytes));
    auto session = RuntimeSession::create(library_, path, settings, &shared);
    unlink(path.c_str());
    return session;
  }

  Status open(std::size_t k) {
    if (sessions_.count(k) != 0) return {};
    NEUROLENS_ASSIGN(auto session, make_session(k, {}));
    if (session.inputs().size() != input_.feeds->ports().size()) {
      return Error{Errc::refused, "A cut of the model lost an input.", {}};
    }
    for (int i = 0; i < kWarmup; ++i) {
      const auto timing = session.run(*input_.feeds);
      if (!timing.ok()) return timing.error();
    }
    sessions_.emplace(k, std::move(session));
    return {};
  }

  /// One interleaved round over `prefixes` (0: the empty call, known from calibration).
  Result<std::vector<double>> round(const std::vector<std::size_t>& prefixes) {
    std::vector<std::size_t> order(prefixes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
    std::vector<double> out(prefixes.size());
    for (const auto i : order) {
      if (prefixes[i] == 0) {
        out[i] =
            input_.call_low_ns + (input_.call_high_ns - input_.call_low_ns) * random_.uniform();
        continue;
      }
      NEUROLENS_ASSIGN(const auto timing, sessions_.at(prefixes[i]).run(*input_.feeds));
      out[i] = static_cast<double>(timing.duration.count);
    }
    return out;
  }

  [[nodiscard]] bool out_of_time(double share_left) const {
    const auto left = (deadline_ - clock_.now()).count;
    return request_.attention.cancelled() ||
           static_cast<double>(left) < share_left * static_cast<double>(request_.budget.count);
  }

  Status search() {
    std::vector<double> belief;
    for (std::size_t k = 0; k < node_ops_.size(); ++k) belief.push_back(gap_estimate_ns(k, k + 1));
    CutSearch search(std::move(belief),
                     static_cast<std::size_t>(std::max<std::int64_t>(request_.top, 1)));
    search.set(0, input_.call_ns);
    while (const auto k = search.next()) {
      if (out_of_time(1 - kSearchShare)) {
        run_.notes.push_back("The budget for cuts ran out before every wanted op stood alone.");
        break;
      }
      request_.attention.report("cutting");
      NEUROLENS_TRY(open(*k));
      std::vector<std::size_t> together = search.neighbours(*k);
      together.push_back(*k);
      std::vector<std::vector<double>> columns(together.size());
      for (int r = 0; r < kSearchRounds; ++r) {
        NEUROLENS_ASSIGN(const auto row, round(together));
        for (std::size_t i = 0; i < row.size(); ++i) columns[i].push_back(row[i]);
      }
      for (std::size_t i = 0; i < together.size(); ++i) {
        if (together[i] != 0) search.set(together[i], median_of(columns[i]));
      }
    }
    for (const auto& [prefix, latency] : search.measured()) prefixes_.push_back(prefix);
    return {};
  }

  Result<std::vector<GapTime>> final_rounds() {
    std::vector<std::vector<double>> rounds;
    for (int r = 0; r < kMostRounds; ++r) {
      if (r >= kFewestRounds && out_of_time(0)) break;
      request_.attention.report("cutting", static_cast<double>(r) / kMostRounds);
      NEUROLENS_ASSIGN(auto row, round(prefixes_));
      rounds.push_back(std::move(row));
    }
    return gap_times(prefixes_, rounds, request_.seed);
  }

  /// A cut can block or allow a fusion. One observed run of the uncut optimised model tells.
  void check_node_count() {
    auto session = make_session(node_ops_.size(), folder_ + "/cut");
    if (!session.ok() || !session.value().run(*input_.feeds).ok()) return;
    const auto path = session.value().end_profiling();
    if (!path.ok()) return;
    OpCollector ops(0);
    const auto read = read_trace(path.value(), [&](const TraceEvent& event) { ops.take(event); });
    unlink(path.value().c_str());
    const auto count = std::count_if(ops.ops().begin(), ops.ops().end(),
                                     [](const CollectedOp& op) { return op.executions > 0; });
    if (!read.ok() || count == static_cast<std::ptrdiff_t>(run_.ops.size())) return;
    run_.notes.push_back(fmt::format("The model that was cut runs as {} ops, the original as {}.",
                                     count, run_.ops.size()));
  }

  void apply(const std::vector<GapTime>& gaps) {
    double total = 0;
    for (const auto& gap : gaps) total += gap.time_ns;
    const double target = input_.unobserved_ns - input_.call_ns;
    if (total <= 0 || target <= 0) return;
    const double scale = target / total;
    if (std::abs(scale - 1) > kDeviation) {
      run_.notes.push_back(
          fmt::format("The model that was cut takes {:.2f} times as long as the original; times "
                      "were scaled to the original.",
                      1 / scale));
    }
    std::size_t settled = 0;
    for (const auto& gap : gaps) settled += apply_gap(gap, scale) ? 1 : 0;
    run_.notes.push_back(
        fmt::format("{} ops were settled by cuts, with {} prefixes of the optimised model.",
                    settled, prefixes_.size() - 1));
  }

  /// True when the gap is one op, whose time is then settled.
  bool apply_gap(const GapTime& gap, double scale) {
    const bool alone = gap.end - gap.begin == 1 && node_ops_[gap.begin].size() == 1;
    const double before = gap_estimate_ns(gap.begin, gap.end);
    std::size_t count = 0;
    for (std::size_t k = gap.begin; k < gap.end; ++k) count += node_ops_[k].size();
    for (std::size_t k = gap.begin; k < gap.end; ++k) {
      for (const auto op : node_ops_[k]) {
        auto& estimate = run_.ops[op].estimate;
        if (!estimate) continue;
        const double share = before > 0 ? static_cast<double>(estimate->time_ns) / before
                                        : 1.0 / static_cast<double>(count);
        const double time = scale * gap.time_ns * share;
        double low = scale * gap.low_ns * share;
        double high = scale * gap.high_ns * share;
        if (!alone && estimate->time_ns > 0) {  // what the ledger did not know stays unknown
          low *= static_cast<double>(estimate->low_ns.value_or(estimate->time_ns)) /
                 static_cast<double>(estimate->time_ns);
          high *= static_cast<double>(estimate->high_ns.value_or(estimate->time_ns)) /
                  static_cast<double>(estimate->time_ns);
        }
        estimate->time_ns = std::llround(time);
        estimate->low_ns = std::clamp<std::int64_t>(
            std::llround(std::min(low, time * (1 - kSessionLuck))), 0, estimate->time_ns);
        estimate->high_ns = std::max<std::int64_t>(
            std::llround(std::max(high, time * (1 + kSessionLuck))), estimate->time_ns);
        if (alone) estimate->method = "cut";
      }
    }
    return alone;
  }

  std::shared_ptr<const Library> library_;
  const CaptureRequest& request_;
  const CutInput& input_;
  std::string folder_;
  run::Run& run_;
  WeightPool pool_;  // before the sessions that use it
  Random random_;
  Clock& clock_ = system_clock();
  SessionSettings settings_;
  bool share_ = true;
  Nanoseconds deadline_;
  std::optional<onnx::Model> model_;
  std::optional<onnx::Cutter> cutter_;
  std::map<std::size_t, RuntimeSession> sessions_;
  std::vector<std::size_t> prefixes_;
  std::vector<std::vector<std::size_t>> node_ops_;
};

}  // namespace

Status settle_by_cuts(const std::shared_ptr<const Library>& library, const CaptureRequest& request,
                      const CutInput& input, const std::string& folder, const onnx::Graph& graph,
                      run::Run& run) {
  return CutLab(library, request, input, folder, run).settle(graph);
}

}  // namespace neurolens::capture::ort
