#include "adapters/onnxruntime/calibrate.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "adapters/onnxruntime/measure.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "adapters/onnxruntime/runtime_session.hpp"
#include "fit/order_statistics.hpp"
#include "inputs/generate.hpp"
#include "measure/visit.hpp"
#include "model/model_writer.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture::ort {
namespace {

/// One op: what the first op of a call finds cold is then in both lengths, and not in the slope.
constexpr int kShort = 1;
/// The shortest chain with a tensor that is neither input nor output.
constexpr int kBuffered = 2;
constexpr int kOutputs = 8;
constexpr int kLong = 40;
constexpr int kRounds = 40;
/// Iterations of one turn: the first finds cold caches, the second settles, the others count.
constexpr int kTurn = 5;
constexpr int kSettle = 2;
/// Of one without a profiler, which goes on for what a model in a row takes (see visit_for()).
constexpr Visit kRow = visit_for(0);

/// One width and rank: a chain of ops that each read the one before `inputs` times.
struct Kind {
  const char* op;
  int inputs;
  std::int64_t rank;
};
constexpr Kind kKinds[] = {{"Abs", 1, 1}, {"Abs", 1, 4}, {"Neg", 1, 2},
                           {"Add", 2, 2}, {"Mul", 2, 4}, {"Sum", 3, 1},
                           {"Sum", 3, 3}, {"Sum", 6, 1}, {"Sum", 6, 4}};

std::string chain(const Kind& kind, int length, bool every_output) {
  ModelSpec model;
  const std::vector<std::int64_t> dims(static_cast<std::size_t>(kind.rank), 1);
  model.inputs = {{"t0", 1, dims}};
  for (int i = 0; i < length; ++i) {
    const std::vector<std::string> inputs(static_cast<std::size_t>(kind.inputs),
                                          fmt::format("t{}", i));
    const std::string output = fmt::format("t{}", i + 1);
    model.nodes.push_back({kind.op, inputs, {output}, fmt::format("op{}", i), "", {}});
    if (every_output || i + 1 == length) model.outputs.push_back({output, 1, dims});
  }
  return encode(model);
}

/// Latencies of the first iteration of each turn, and of those that count.
struct Latencies {
  std::vector<double> cold;
  std::vector<double> warm;
  std::vector<double> in_a_row;
};

/// A session with what it gave.
struct Subject {
  RuntimeSession session;
  Latencies ns;

  Status take_turn(const FeedSet& feeds, int iterations, bool counts) {
    for (int i = 0; i < iterations; ++i) {
      NEUROLENS_ASSIGN(const auto timing, session.run(feeds));
      const auto time = static_cast<double>(timing.duration.count);
      if (!counts) continue;
      if (i == 0) ns.cold.push_back(time);
      if (i >= kSettle && i < kTurn) ns.warm.push_back(time);
      if (i >= kRow.settle) ns.in_a_row.push_back(time);
    }
    return {};
  }
};

/// One chain: unobserved, once more, and observed.
struct Bench {
  Kind kind;
  int length = 0;
  std::optional<Subject> plain;
  std::optional<Subject> again;
  std::optional<Subject> watched;
  std::optional<FeedSet> feeds;
  double reported_ns = 0;       ///< Mean duration that the profiler gives an op, caches warm...
  double reported_cold_ns = 0;  ///< ...and cold.

  [[nodiscard]] double plain_ns() const {
    return (median(plain->ns.warm) + median(again->ns.warm)) / 2;
  }
  [[nodiscard]] double row_ns() const {
    return (median(plain->ns.in_a_row) + median(again->ns.in_a_row)) / 2;
  }
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

/// Mean over the calm ones (up to the third quartile of the whole duration): reported times are
/// whole microseconds, so a median would be, too. `rows` are theirs in the column.
double middle_mean(const run::Column& column, const std::vector<double>& durations,
                   const std::vector<std::size_t>& rows) {
  std::vector<double> sorted = durations;
  std::sort(sorted.begin(), sorted.end());
  const double limit = sorted[sorted.size() * 3 / 4];
  double sum = 0;
  double count = 0;
  for (std::size_t i = 0; i < durations.size() && rows[i] < column.size(); ++i) {
    if (durations[i] > limit || column[rows[i]] == run::kMissing) continue;
    sum += static_cast<double>(column[rows[i]]);
    count += 1;
  }
  return count > 0 ? sum / count : 0;
}

Status read_reported(Bench& bench) {
  NEUROLENS_ASSIGN(const auto path, bench.watched->session.end_profiling());
  OpCollector ops(0);
  const auto reader = read_trace(path, [&](const TraceEvent& event) { ops.take(event); });
  unlink(path.c_str());
  if (!reader.ok()) return reader.error();
  ops.end_segment((1 + kRounds) * kTurn);
  std::vector<std::size_t> cold;
  std::vector<std::size_t> warm;
  for (std::size_t row = kTurn; row < (1 + kRounds) * kTurn; ++row) {  // the first turn warms up
    if (row % kTurn == 0) cold.push_back(row);
    if (row % kTurn >= kSettle) warm.push_back(row);
  }
  for (std::size_t op = 0; op < ops.ops().size(); ++op) {
    const auto column = ops.column(op);
    bench.reported_ns += middle_mean(column, bench.watched->ns.warm, warm) / bench.length;
    bench.reported_cold_ns += middle_mean(column, bench.watched->ns.cold, cold) / bench.length;
  }
  return {};
}

/// What two chains of one kind say about an op of it.
struct Slopes {
  LedgerPoint point;
  double cold_cost_ns = 0;
  double outside_ns = 0;
  double call_ns = 0;
  double observed_call_ns = 0;
};

Slopes slopes_of(const Bench& small, const Bench& large) {
  const double steps = kLong - kShort;
  const auto slope = [&](double longer, double shorter) { return (longer - shorter) / steps; };
  const auto cold = [](const Bench& bench) { return median(bench.plain->ns.cold); };
  const double own = slope(large.plain_ns(), small.plain_ns());
  const double seen = slope(median(large.watched->ns.warm), median(small.watched->ns.warm));
  const double reported = slope(large.reported_ns * kLong, small.reported_ns * kShort);
  const double reported_cold =
      slope(large.reported_cold_ns * kLong, small.reported_cold_ns * kShort);
  Slopes out;
  out.point.shape.tensors = small.kind.inputs + 1;
  out.point.shape.dimensions = static_cast<double>((small.kind.inputs + 1) * small.kind.rank);
  out.point.cost_ns = std::max(reported - own, 0.0);
  out.cold_cost_ns = std::max(reported_cold - slope(cold(large), cold(small)), 0.0);
  out.outside_ns = std::max(seen - own - out.point.cost_ns, 0.0);
  out.call_ns = std::max(small.row_ns() - slope(large.row_ns(), small.row_ns()) * kShort, 0.0);
  out.observed_call_ns = std::max(
      median(small.watched->ns.warm) - seen * kShort - (small.plain_ns() - own * kShort), 0.0);
  return out;
}

class Calibrator {
 public:
  Calibrator(std::shared_ptr<const Library> library, const CaptureRequest& request,
             std::string folder)
      : library_(std::move(library)),
        folder_(std::move(folder)),
        settings_(settings_of(request)),
        random_(request.seed, /*stream=*/17) {
    settings_.optimisation = OptLevel::none;
  }

  Result<Calibration> run() {
    for (const auto& kind : kKinds) {
      for (const int length : {kShort, kLong}) NEUROLENS_TRY(add_bench(kind, length));
    }
    NEUROLENS_ASSIGN(auto one, subject(chain(kKinds[0], kOutputs, false), {}));
    one_output_.emplace(std::move(one));
    NEUROLENS_ASSIGN(auto every, subject(chain(kKinds[0], kOutputs, true), {}));
    every_output_.emplace(std::move(every));
    NEUROLENS_ASSIGN(auto buffered, subject(chain(kKinds[0], kBuffered, false), {}));
    buffered_.emplace(std::move(buffered));
    NEUROLENS_TRY(take_turns());
    return evaluate();
  }

 private:
  Result<Subject> subject(const std::string& model, const std::string& profile_prefix) {
    SessionSettings settings = settings_;
    settings.profile_prefix = profile_prefix;
    NEUROLENS_ASSIGN(auto session, RuntimeSession::create_from(library_, model, settings));
    return Subject{std::move(session), {}};
  }

  Status add_bench(const Kind& kind, int length) {
    Bench out;
    out.kind = kind;
    out.length = length;
    const std::string model = chain(kind, length, false);
    NEUROLENS_ASSIGN(auto plain, subject(model, {}));
    out.plain.emplace(std::move(plain));
    NEUROLENS_ASSIGN(auto again, subject(model, {}));
    out.again.emplace(std::move(again));
    NEUROLENS_ASSIGN(auto watched,
                     subject(model, fmt::format("{}/calibrate{}", folder_, benches_.size())));
    out.watched.emplace(std::move(watched));
    NEUROLENS_ASSIGN(auto feeds, feed(library_, out.plain->session, kind.rank));
    out.feeds.emplace(std::move(feeds));
    benches_.push_back(std::move(out));
    return {};
  }

  Status take_turns() {
    std::vector<std::size_t> order(benches_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (int round = -1; round < kRounds; ++round) {
      for (std::size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[random_.below(i)]);
      for (const auto at : order) {
        Bench& bench = benches_[at];
        for (auto* one : {&bench.plain, &bench.watched, &bench.again}) {
          const int iterations = one == &bench.watched ? kTurn : kRow.settle + kRow.timed;
          NEUROLENS_TRY((*one)->take_turn(*bench.feeds, iterations, round >= 0));
        }
      }
      for (auto* one : {&one_output_, &every_output_, &buffered_}) {
        NEUROLENS_TRY((*one)->take_turn(*benches_[0].feeds, kRow.settle + kRow.timed, round >= 0));
      }
    }
    return {};
  }

  Result<Calibration> evaluate() {
    Calibration out;
    std::vector<double> outside, calls, observed_calls, cold, balance, luck;
    for (std::size_t i = 0; i + 1 < benches_.size(); i += 2) {
      NEUROLENS_TRY(read_reported(benches_[i]));
      NEUROLENS_TRY(read_reported(benches_[i + 1]));
      const Slopes one = slopes_of(benches_[i], benches_[i + 1]);
      out.points.push_back(one.point);
      outside.push_back(one.outside_ns);
      calls.push_back(one.call_ns);
      observed_calls.push_back(one.observed_call_ns);
      const double cost = std::max(one.point.cost_ns, 1.0);
      cold.push_back(std::log(std::max(one.cold_cost_ns, 1.0) / cost));
      balance.push_back(std::log(cost / (cost + one.outside_ns)));
    }
    for (const auto& bench : benches_) {
      if (bench.length == kLong)
        luck.push_back(std::log(median(bench.again->ns.warm) / median(bench.plain->ns.warm)));
    }
    out.inside = fit_ledger(out.points);
    out.outside_ns = median(outside);
    const auto call = median_interval(calls);
    out.call_ns = call.median;
    out.call_low_ns = call.low.value_or(call.median);
    out.call_high_ns = call.high.value_or(call.median);
    out.observed_call_ns = median(observed_calls);
    out.output_ns =
        std::max(median(every_output_->ns.in_a_row) - median(one_output_->ns.in_a_row), 0.0) /
        (kOutputs - 1);
    const double buffered = median(buffered_->ns.in_a_row);
    const double own = (benches_[1].row_ns() - buffered) / (kLong - kBuffered);
    out.buffer_ns = std::max(buffered - benches_[0].row_ns() - own * (kBuffered - kShort), 0.0);
    out.session_luck = root_mean_square(luck) / std::sqrt(2.0);
    out.scale_spread = std::abs(median(cold));
    const double centre = median(balance);
    for (auto& one : balance) one -= centre;
    out.balance_spread = root_mean_square(balance);
    return out;
  }

  static double root_mean_square(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value * value;
    return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
  }

  std::shared_ptr<const Library> library_;
  std::string folder_;
  SessionSettings settings_;
  Random random_;
  std::vector<Bench> benches_;
  std::optional<Subject> one_output_;    ///< A chain with its last tensor as output...
  std::optional<Subject> every_output_;  ///< ...and with all of them.
  std::optional<Subject> buffered_;      ///< The first kind's chain of kBuffered.
};

}  // namespace

Result<Calibration> calibrate(const std::shared_ptr<const Library>& library,
                              const CaptureRequest& request, const std::string& folder) {
  request.attention.report("calibrating");
  return Calibrator(library, request, folder).run();
}

}  // namespace neurolens::capture::ort
