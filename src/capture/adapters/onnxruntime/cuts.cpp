#include "adapters/onnxruntime/cuts.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "adapters/onnxruntime/cut_sessions.hpp"
#include "adapters/onnxruntime/dtypes.hpp"
#include "adapters/onnxruntime/estimate.hpp"
#include "adapters/onnxruntime/measure.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "fit/cut_estimates.hpp"
#include "fit/cut_search.hpp"
#include "fit/like_ops.hpp"
#include "fit/order_statistics.hpp"
#include "measure/visit.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/capture/host.hpp"

namespace neurolens::capture::ort {
namespace {

constexpr int kWarmup = 2;
constexpr int kSearchRounds = 3;
constexpr double kSearchShare = 0.5;  ///< Of the budget, at most; the rest is for the batches.
/// Batches: the error of a level needs two, is known to a tenth with six (see cut_estimates.cpp),
/// and halves from there to 24 and 96.
constexpr std::size_t kLeastBatches = 2;
constexpr std::size_t kEnoughBatches = 6;
constexpr std::size_t kMostBatches = 96;
constexpr int kBatchRounds = 4;
/// What the cuts are for: ops above this share of the whole are known within this error.
constexpr double kShareThatCounts = 0.02;
constexpr double kWantedError = 0.1;
constexpr double kDeviation = 0.05;  ///< Of the cut model from the original that is worth a note.
constexpr std::int64_t kMostBytes = std::int64_t{256} << 20;  ///< Of the sessions of one batch.
constexpr std::size_t kFewestLike = 5;  ///< Gaps that tell a spread to a third of itself.

onnx::ObservedTensors observed_tensors(const run::Run& run) {
  onnx::ObservedTensors out;
  for (const auto& op : run.ops) {
    for (const auto& tensor : op.outputs) {
      if (tensor.name && tensor.dtype && tensor.shape)
        out[*tensor.name] = {onnx_dtype(*tensor.dtype), *tensor.shape};
    }
  }
  return out;
}

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

/// Bytes of the weights of a model.
std::int64_t weight_bytes(const onnx::Graph& graph) {
  std::int64_t sum = 0;
  for (const auto& tensor : graph.initializers) sum += tensor.size.count;
  return sum;
}

/// Half of a core's own cache: what stays there from one iteration to the next.
std::int64_t own_cache_bytes() {
  std::int64_t largest = 0;
  const Host host = read_host();
  for (const auto& cache : host.facts.caches) {
    const bool own = cache.instances.value_or(1) >= host.facts.cores_physical.value_or(1);
    if (cache.type != "instruction" && own) largest = std::max(largest, cache.size_bytes);
  }
  return largest / 2;
}

/// One loading of a prefix.
struct Loaded {
  std::size_t nodes;
  RuntimeSession session;
  Visit visit;
};

class CutLab {
 public:
  CutLab(std::shared_ptr<const Library> library, const CaptureRequest& request,
         const CutInput& input, std::string folder, run::Run& run)
      : library_(std::move(library)),
        request_(request),
        input_(input),
        folder_(std::move(folder)),
        run_(run),
        random_(request.seed, /*stream=*/13) {}

  Status settle(const onnx::Graph& plan_graph) {
    NEUROLENS_ASSIGN(const auto model, onnx::Model::load(input_.optimised_path));
    NEUROLENS_ASSIGN(const auto cutter, onnx::Cutter::create(model, observed_tensors(run_)));
    SessionSettings settings = settings_of(request_);
    settings.optimisation = OptLevel::none;
    CutSessions sessions(library_, model, cutter, settings, folder_);
    cutter_ = &cutter;
    sessions_ = &sessions;
    map_ops(plan_graph);
    whole_first_ = weight_bytes(model.graph()) > own_cache_bytes();
    deadline_ = clock_.now() + Nanoseconds{request_.budget.count};
    NEUROLENS_TRY(choose_prefixes());
    NEUROLENS_TRY(run_batches());
    check_node_count();
    Levels found = levels();
    const double unseen = unseen_error(found);
    for (auto& error : found.error_ns) error = std::hypot(error, unseen);
    apply(gaps(found));
    if (sessions.unshared()) {
      run_.notes.push_back("Weights could not be shared between cuts: " + *sessions.unshared());
    }
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

  /// What the ledger says of nodes [begin, end).
  [[nodiscard]] Belief belief_of(std::size_t begin, std::size_t end) const {
    Belief out;
    for (std::size_t k = begin; k < end; ++k) {
      for (const auto op : node_ops_[k]) {
        const Belief one = belief_of_op(op);
        out.time_ns += one.time_ns;
        out.error_ns = std::hypot(out.error_ns, one.error_ns);
      }
    }
    return out;
  }
  [[nodiscard]] Belief belief_of_op(std::size_t op) const {
    const auto& estimate = run_.ops[op].estimate;
    return estimate ? ort::belief_of(*estimate) : Belief{};
  }

  Result<Loaded> open(std::size_t k, std::size_t padding = 0) {
    // Where the next session's memory lies shall not depend on what the last one freed.
    ballast_.emplace_back(64 + random_.below(std::uint64_t{1} << 14));
    NEUROLENS_ASSIGN(auto session, sessions_->open(k, padding));
    if (session.inputs().size() != input_.feeds->ports().size()) {
      return Error{Errc::refused, "A cut of the model lost an input.", {}};
    }
    double latency = 0;
    for (int i = 0; i < kWarmup; ++i) {
      NEUROLENS_ASSIGN(const auto timing, session.run(*input_.feeds));
      latency = static_cast<double>(timing.duration.count);
    }
    return Loaded{k, std::move(session), visit_for(latency)};
  }

  /// Median of one turn. Where weights do not stay in the core's cache, the rest of the model
  /// pushes out those of a prefix before its next iteration: there the whole model runs before each
  /// that counts.
  Result<double> visit(Loaded& loaded, Loaded& whole) {
    std::vector<double> times;
    const bool alone = !whole_first_ || loaded.visit.settle == 0;
    for (int i = alone ? -loaded.visit.settle : 0; i < loaded.visit.timed; ++i) {
      if (!alone) {
        NEUROLENS_ASSIGN([[maybe_unused]] const auto before, whole.session.run(*input_.feeds));
      }
      NEUROLENS_ASSIGN(const auto timing, loaded.session.run(*input_.feeds));
      if (i >= 0) times.push_back(static_cast<double>(timing.duration.count));
    }
    return median_of(times);
  }

  /// What the calls of a prefix of `nodes` hold beyond those of its ops and a plain call.
  [[nodiscard]] double no_ops_ns(std::size_t nodes, std::size_t outputs) const {
    return (static_cast<double>(outputs) - 1) * input_.output_ns +
           (nodes > 1 ? input_.buffer_ns : 0);
  }

  /// Latency of each loaded prefix: median over `rounds` of turns in random order, without what
  /// belongs to no op.
  Result<std::vector<double>> take_turns(const std::vector<Loaded*>& loaded, int rounds) {
    std::vector<std::vector<double>> times(loaded.size());
    std::vector<std::size_t> order(loaded.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (int r = 0; r < rounds; ++r) {
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random_.below(i)]);
      for (const auto i : order) {
        NEUROLENS_ASSIGN(const double time, visit(*loaded[i], *loaded.back()));
        times[i].push_back(time);
      }
    }
    std::vector<double> out;
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      const auto extra = no_ops_ns(loaded[i]->nodes, loaded[i]->session.outputs().size());
      out.push_back(median_of(times[i]) - extra);
    }
    return out;
  }

  [[nodiscard]] double left_ns() const {
    return static_cast<double>((deadline_ - clock_.now()).count);
  }
  [[nodiscard]] bool out_of_time(double share_left) const {
    return request_.attention.cancelled() ||
           left_ns() < share_left * static_cast<double>(request_.budget.count);
  }

  /// All prefixes where budget and memory allow enough batches of them, or those that isolate the
  /// most expensive nodes.
  Status choose_prefixes() {
    const std::size_t count = node_ops_.size();
    const auto resident = [] { return process_memory().resident.value_or(Bytes{0}).count; };
    const auto before = resident();
    const Nanoseconds start = clock_.now();
    NEUROLENS_ASSIGN(auto whole, open(count));
    std::vector<Loaded*> one{&whole};
    NEUROLENS_ASSIGN(const auto latency, take_turns(one, kBatchRounds));
    const auto taken = static_cast<double>((clock_.now() - start).count);
    const auto nodes = static_cast<double>(count);
    // A prefix takes half as long as the whole model on average.
    const bool in_time = nodes * taken / 2 * static_cast<double>(kEnoughBatches) <
                         kSearchShare * static_cast<double>(request_.budget.count);
    const bool fits = nodes * static_cast<double>(resident() - before) / 2 < double{kMostBytes};
    if (in_time && fits) {
      for (std::size_t k = 1; k <= count; ++k) prefixes_.push_back(k);
      return {};
    }
    std::map<std::size_t, Loaded> sessions;
    sessions.emplace(count, std::move(whole));
    return search(sessions, latency[0]);
  }

  Status search(std::map<std::size_t, Loaded>& sessions, double whole_ns) {
    std::vector<double> belief;
    for (std::size_t k = 0; k < node_ops_.size(); ++k)
      belief.push_back(belief_of(k, k + 1).time_ns);
    CutSearch search(std::move(belief),
                     static_cast<std::size_t>(std::max<std::int64_t>(request_.top, 1)));
    search.set(0, input_.call_ns);
    search.set(node_ops_.size(), whole_ns);
    while (const auto k = search.next()) {
      if (out_of_time(1 - kSearchShare)) {
        run_.notes.push_back("The budget for cuts ran out before every wanted op stood alone.");
        break;
      }
      request_.attention.report("cutting");
      NEUROLENS_ASSIGN(auto loaded, open(*k));
      sessions.emplace(*k, std::move(loaded));
      std::vector<std::size_t> together = search.neighbours(*k);
      together.push_back(*k);
      together.push_back(node_ops_.size());
      std::sort(together.begin(), together.end());
      together.erase(std::unique(together.begin(), together.end()), together.end());
      if (together.front() == 0) together.erase(together.begin());
      std::vector<Loaded*> turns;
      for (const auto one : together) turns.push_back(&sessions.at(one));
      NEUROLENS_ASSIGN(const auto times, take_turns(turns, kSearchRounds));
      for (std::size_t i = 0; i < together.size(); ++i) search.set(together[i], times[i]);
    }
    for (const auto& [prefix, latency] : search.measured()) {
      if (prefix != 0) prefixes_.push_back(prefix);
    }
    return {};
  }

  /// Loads every prefix anew and measures them together. Where all prefixes are, all but the first
  /// batch are padded, each in its own way; levels_of() takes out what that adds.
  Status run_batch() {
    std::vector<Loaded> sessions;
    const Nanoseconds start = clock_.now();
    std::vector<std::size_t> kept;
    const bool padded = !batches_.empty() && prefixes_.size() == node_ops_.size();
    const std::size_t padding = padded ? random_.below(node_ops_.size() + 1) : 0;
    for (const auto k : prefixes_) {
      auto loaded = open(k, padding);
      // Nodes that give nothing cannot end a prefix; their time falls to the next one.
      if (!loaded.ok() && loaded.error().code == Errc::bad_request && batches_.empty()) continue;
      if (!loaded.ok()) return std::move(loaded).error();
      sessions.push_back(std::move(loaded).value());
      kept.push_back(k);
    }
    prefixes_ = std::move(kept);
    const auto opened = clock_.now();
    std::vector<Loaded*> turns;
    for (auto& one : sessions) turns.push_back(&one);
    std::vector<std::vector<double>> rows;
    // Loading is the dear part: a batch measures for at least as long as it loaded.
    do {
      NEUROLENS_ASSIGN(auto row, take_turns(turns, kBatchRounds));
      rows.push_back(std::move(row));
    } while (clock_.now() - opened < opened - start && !out_of_time(0));
    std::vector<double> medians;
    for (std::size_t i = 0; i < turns.size(); ++i) {
      std::vector<double> column;
      for (const auto& row : rows) column.push_back(row[i]);
      medians.push_back(median_of(column));
    }
    batches_.push_back({std::move(medians), static_cast<double>(padding)});
    return {};
  }

  Status run_batches() {
    const double budget = static_cast<double>(request_.budget.count);
    double longest = 0;
    while (batches_.size() < kMostBatches) {
      const double left = left_ns();
      if (batches_.size() >= kLeastBatches && (left < longest || request_.attention.cancelled()))
        break;
      if (batches_.size() >= kEnoughBatches && precise()) break;
      request_.attention.report("cutting", std::clamp(1 - left / budget, 0.0, 1.0));
      NEUROLENS_TRY(run_batch());
      longest = std::max(longest, left - left_ns());
    }
    return {};
  }

  [[nodiscard]] Levels levels() const {
    Levels out = levels_of(batches_);
    out.time_ns.insert(out.time_ns.begin(), input_.call_ns);
    out.error_ns.insert(out.error_ns.begin(),
                        std::hypot(error_of_interval(input_.call_low_ns, input_.call_high_ns),
                                   out.common_error_ns));
    return out;
  }

  /// The error of a level that no batch shows, because every loading of that prefix has it: half of
  /// the variance by which the gaps of like nodes differ beyond their errors. The lightest such
  /// nodes tell it: they have the least room to differ truly.
  [[nodiscard]] double unseen_error(const Levels& levels) const {
    std::map<std::string, std::vector<Belief>> groups;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < prefixes_.size(); begin = prefixes_[i++]) {
      if (prefixes_[i] - begin != 1 || node_ops_[begin].size() != 1) continue;
      groups[work_of(run_.ops[node_ops_[begin][0]])].push_back(
          {levels.time_ns[i + 1] - levels.time_ns[i],
           std::hypot(levels.error_ns[i], levels.error_ns[i + 1])});
    }
    groups.erase("");
    double least = std::numeric_limits<double>::infinity();
    double spread = 0;
    for (const auto& [work, gaps] : groups) {
      if (gaps.size() < kFewestLike) continue;
      double sum = 0;
      for (const auto& gap : gaps) sum += gap.time_ns;
      if (const double mean = sum / static_cast<double>(gaps.size()); mean < least) {
        least = mean;
        spread = spread_of_like_ops(gaps);
      }
    }
    return spread / std::sqrt(2.0);
  }

  /// The gaps between 0 and the prefixes, as things stand; `levels` with their errors.
  [[nodiscard]] std::vector<GapTime> gaps(const Levels& levels) const {
    if (request_.method == Method::cut) return gaps_by_cuts(levels, request_.seed);
    std::vector<Belief> beliefs;
    std::size_t begin = 0;
    for (const auto end : prefixes_) {
      beliefs.push_back(belief_of(begin, end));
      begin = end;
    }
    return gaps_by_both(levels, beliefs);
  }

  [[nodiscard]] bool precise() const {
    const auto all = gaps(levels());
    double total = 0;
    for (const auto& gap : all) total += gap.time_ns;
    return std::all_of(all.begin(), all.end(), [&](const GapTime& gap) {
      return gap.time_ns < kShareThatCounts * total ||
             gap.high_ns - gap.low_ns < 2 * kWantedError * gap.time_ns;
    });
  }

  /// A cut can block or allow a fusion. One observed run of the uncut optimised model tells.
  void check_node_count() {
    auto session = sessions_->open(node_ops_.size(), 0, folder_ + "/cut");
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

  void apply(const std::vector<GapTime>& all) {
    double total = 0;
    for (const auto& gap : all) total += gap.time_ns;
    const double target =
        input_.unobserved_ns - input_.call_ns - no_ops_ns(node_ops_.size(), /*outputs=*/1);
    if (total <= 0 || target <= 0) return;
    const double scale = target / total;
    if (std::abs(scale - 1) > kDeviation) {
      run_.notes.push_back(
          fmt::format("The model that was cut takes {:.2f} times as long as the original; times "
                      "were scaled to the original.",
                      1 / scale));
    }
    std::size_t settled = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      settled += apply_gap(all[i], begin, prefixes_[i], scale) ? 1 : 0;
      begin = prefixes_[i];
    }
    run_.notes.push_back(
        fmt::format("{} ops were settled by cuts, with {} prefixes of the optimised model, each "
                    "loaded {} times.",
                    settled, prefixes_.size(), batches_.size()));
  }

  /// Shares what the cuts say of a gap among its ops, by how little the ledger knows of each. True
  /// when the gap is one op whose time the cuts settled.
  bool apply_gap(const GapTime& gap, std::size_t begin, std::size_t end, double scale) {
    std::vector<std::size_t> ops;
    for (std::size_t k = begin; k < end; ++k)
      ops.insert(ops.end(), node_ops_[k].begin(), node_ops_[k].end());
    const Belief before = belief_of(begin, end);
    const double variance = before.error_ns * before.error_ns;
    const double gap_error = error_of_interval(gap.low_ns, gap.high_ns);
    const bool settled = end - begin == 1 && ops.size() == 1 && gap.cut_share >= 0.5;
    std::vector<GapTime> found;
    double sum = 0;
    for (const auto op : ops) {
      const Belief one = belief_of_op(op);
      const double mine = one.error_ns * one.error_ns;
      const double share = variance > 0 ? mine / variance : 1 / static_cast<double>(ops.size());
      const double time = std::max(one.time_ns + share * (gap.time_ns - before.time_ns), 0.0);
      const double error = std::hypot(std::sqrt(mine * (1 - share)), share * gap_error);
      found.push_back({time, time - kNormal95 * error, time + kNormal95 * error, 0});
      sum += time;
    }
    if (ops.size() == 1) found[0] = gap;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      auto& estimate = run_.ops[ops[i]].estimate;
      if (!estimate) continue;
      const double fit = ops.size() > 1 && sum > 0 ? scale * gap.time_ns / sum : scale;
      estimate->time_ns = std::llround(fit * found[i].time_ns);
      estimate->low_ns =
          std::clamp<std::int64_t>(std::llround(fit * found[i].low_ns), 0, estimate->time_ns);
      estimate->high_ns =
          std::max<std::int64_t>(std::llround(fit * found[i].high_ns), estimate->time_ns);
      if (settled) estimate->method = "cut";
    }
    return settled;
  }

  std::shared_ptr<const Library> library_;
  const CaptureRequest& request_;
  const CutInput& input_;
  std::string folder_;
  run::Run& run_;
  Random random_;
  Clock& clock_ = system_clock();
  Nanoseconds deadline_;
  const onnx::Cutter* cutter_ = nullptr;
  CutSessions* sessions_ = nullptr;
  bool whole_first_ = false;
  std::vector<std::vector<char>> ballast_;
  std::vector<std::size_t> prefixes_;  ///< Ascending, without 0.
  std::vector<Batch> batches_;         ///< Latencies of `prefixes_`.
  std::vector<std::vector<std::size_t>> node_ops_;
};

}  // namespace

Status settle_by_cuts(const std::shared_ptr<const Library>& library, const CaptureRequest& request,
                      const CutInput& input, const std::string& folder, const onnx::Graph& graph,
                      run::Run& run) {
  return CutLab(library, request, input, folder, run).settle(graph);
}

}  // namespace neurolens::capture::ort
