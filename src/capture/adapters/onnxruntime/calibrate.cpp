#include "adapters/onnxruntime/calibrate.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "adapters/onnxruntime/measure.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "adapters/onnxruntime/runtime_session.hpp"
#include "fit/order_statistics.hpp"
#include "inputs/generate.hpp"
#include "model/model_writer.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture::ort {
namespace {

constexpr int kShort = 8;
constexpr int kLong = 40;
constexpr int kWarmup = 8;
constexpr int kRounds = 60;

/// One width and rank: a chain of ops that each read the one before `inputs` times.
struct Kind {
  const char* op;
  int inputs;
  std::int64_t rank;
};
constexpr Kind kKinds[] = {{"Abs", 1, 1}, {"Abs", 1, 4}, {"Add", 2, 2},
                           {"Sum", 6, 1}, {"Sum", 6, 4}, {"Sum", 3, 3}};

std::string chain(const Kind& kind, int length) {
  ModelSpec model;
  const std::vector<std::int64_t> dims(static_cast<std::size_t>(kind.rank), 1);
  model.inputs = {{"t0", 1, dims}};
  for (int i = 0; i < length; ++i) {
    const std::vector<std::string> inputs(static_cast<std::size_t>(kind.inputs),
                                          fmt::format("t{}", i));
    model.nodes.push_back(
        {kind.op, inputs, {fmt::format("t{}", i + 1)}, fmt::format("op{}", i), "", {}});
  }
  model.outputs = {{fmt::format("t{}", length), 1, dims}};
  return encode(model);
}

/// One chain with its two sessions and what they gave.
struct Bench {
  Kind kind;
  int length = 0;
  std::optional<RuntimeSession> plain;
  std::optional<RuntimeSession> watched;
  std::optional<FeedSet> feeds;
  std::vector<double> plain_ns;
  std::vector<double> watched_ns;
  double reported_ns = 0;  ///< Mean duration that the profiler gives an op.
};

Result<FeedSet> feed(const std::shared_ptr<const Library>& library, const RuntimeSession& session,
                     std::int64_t rank) {
  const std::vector<std::int64_t> dims(static_cast<std::size_t>(rank), 1);
  NEUROLENS_ASSIGN(auto tensor, generate_tensor("t0", onnx::DType::float32, dims, std::nullopt,
                                                Filling::generated, 1));
  Feed one;
  one.tensors.push_back(std::move(tensor));
  std::vector<Feed> feeds;
  feeds.push_back(std::move(one));
  return FeedSet::create(library, session.inputs(), std::move(feeds));
}

Result<Bench> make_bench(const std::shared_ptr<const Library>& library,
                         const CaptureRequest& request, const Kind& kind, int length,
                         const std::string& prefix) {
  Bench out;
  out.kind = kind;
  out.length = length;
  SessionSettings settings = settings_of(request);
  settings.optimisation = OptLevel::none;
  const std::string model = chain(kind, length);
  NEUROLENS_ASSIGN(auto plain, RuntimeSession::create_from(library, model, settings));
  out.plain.emplace(std::move(plain));
  settings.profile_prefix = prefix;
  NEUROLENS_ASSIGN(auto watched, RuntimeSession::create_from(library, model, settings));
  out.watched.emplace(std::move(watched));
  NEUROLENS_ASSIGN(auto feeds, feed(library, *out.plain, kind.rank));
  out.feeds.emplace(std::move(feeds));
  return out;
}

/// Mean over the iterations between the quartiles: reported times are whole microseconds, so a
/// median would be, too.
double middle_mean(const run::Column& column, const std::vector<double>& durations,
                   std::size_t skip) {
  std::vector<double> sorted = durations;
  std::sort(sorted.begin(), sorted.end());
  const double limit = sorted[sorted.size() * 3 / 4];
  double sum = 0;
  double count = 0;
  for (std::size_t i = 0; i < durations.size() && i + skip < column.size(); ++i) {
    if (durations[i] > limit || column[i + skip] == run::kMissing) continue;
    sum += static_cast<double>(column[i + skip]);
    count += 1;
  }
  return count > 0 ? sum / count : 0;
}

Status read_reported(Bench& bench) {
  NEUROLENS_ASSIGN(const auto path, bench.watched->end_profiling());
  OpCollector ops(0);
  const auto reader = read_trace(path, [&](const TraceEvent& event) { ops.take(event); });
  unlink(path.c_str());
  if (!reader.ok()) return reader.error();
  ops.end_segment(kWarmup + kRounds);
  double sum = 0;
  for (std::size_t op = 0; op < ops.ops().size(); ++op)
    sum += middle_mean(ops.column(op), bench.watched_ns, kWarmup);
  bench.reported_ns = sum / std::max<double>(1, static_cast<double>(bench.length));
  return {};
}

}  // namespace

Result<Calibration> calibrate(const std::shared_ptr<const Library>& library,
                              const CaptureRequest& request, const std::string& folder) {
  request.attention.report("calibrating");
  std::vector<Bench> benches;
  for (const auto& kind : kKinds) {
    for (const int length : {kShort, kLong}) {
      NEUROLENS_ASSIGN(auto bench,
                       make_bench(library, request, kind, length,
                                  fmt::format("{}/calibrate{}", folder, benches.size())));
      benches.push_back(std::move(bench));
    }
  }
  for (int round = -kWarmup; round < kRounds; ++round) {
    for (auto& bench : benches) {
      NEUROLENS_ASSIGN(const auto plain, bench.plain->run(*bench.feeds));
      NEUROLENS_ASSIGN(const auto watched, bench.watched->run(*bench.feeds));
      if (round < 0) continue;
      bench.plain_ns.push_back(static_cast<double>(plain.duration.count));
      bench.watched_ns.push_back(static_cast<double>(watched.duration.count));
    }
  }
  Calibration out;
  std::vector<double> outside;
  std::vector<double> calls;
  std::vector<double> observed_calls;
  for (std::size_t i = 0; i + 1 < benches.size(); i += 2) {
    NEUROLENS_TRY(read_reported(benches[i]));
    NEUROLENS_TRY(read_reported(benches[i + 1]));
    const Bench& small = benches[i];
    const Bench& large = benches[i + 1];
    const double steps = kLong - kShort;
    const double own = (median(large.plain_ns) - median(small.plain_ns)) / steps;
    const double seen = (median(large.watched_ns) - median(small.watched_ns)) / steps;
    const double reported = (large.reported_ns * kLong - small.reported_ns * kShort) / steps;
    LedgerPoint point;
    point.shape.tensors = small.kind.inputs + 1;
    point.shape.dimensions = static_cast<double>((small.kind.inputs + 1) * small.kind.rank);
    point.cost_ns = std::max(reported - own, 0.0);
    out.points.push_back(point);
    outside.push_back(std::max(seen - own - point.cost_ns, 0.0));
    calls.push_back(std::max(median(small.plain_ns) - own * kShort, 0.0));
    observed_calls.push_back(
        std::max(median(small.watched_ns) - seen * kShort - calls.back(), 0.0));
  }
  out.inside = fit_ledger(out.points);
  out.outside_ns = median(outside);
  const auto call = median_interval(calls);
  out.call_ns = call.median;
  out.call_low_ns = call.low.value_or(call.median);
  out.call_high_ns = call.high.value_or(call.median);
  out.observed_call_ns = median(observed_calls);
  return out;
}

}  // namespace neurolens::capture::ort
