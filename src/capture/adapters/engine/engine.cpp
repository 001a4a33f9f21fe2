#include "neurolens/capture/engine.hpp"

#include <algorithm>
#include <cmath>

#include "fit/order_statistics.hpp"
#include "measure/pace.hpp"
#include "measure/state.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"

namespace neurolens::capture {

PhaseRecorder::PhaseRecorder(Clock& clock) : clock_(clock) {}

std::size_t PhaseRecorder::index_of(std::string_view name) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return i;
  }
  names_.emplace_back(name);
  return names_.size() - 1;
}

void PhaseRecorder::begin(std::string_view name) {
  open_.push_back({index_of(name), {}, 0, 0});
  open_.back().begin = clock_.now();
}

void PhaseRecorder::end(const PhaseWork& work) {
  const Nanoseconds now = clock_.now();
  const Open open = open_.back();
  open_.pop_back();
  const Nanoseconds duration = now - open.begin;
  if (!open_.empty()) {
    open_.back().inside_ns += duration.count;
    ++open_.back().inside;
  }
  const Nanoseconds own{std::max<std::int64_t>(0, duration.count - open.inside_ns)};
  events_.push_back({open.phase, open.begin, duration, own, open_.size(), open.inside, true, work});
}

void PhaseRecorder::leaf(std::string_view name, Nanoseconds begin, Nanoseconds duration,
                         const PhaseWork& work) {
  if (!open_.empty()) open_.back().inside_ns += duration.count;
  events_.push_back({index_of(name), begin, duration, duration, open_.size(), 0, false, work});
}

void PhaseRecorder::clear() {
  events_.clear();
  open_.clear();
}

namespace {

constexpr std::size_t kMostPairs = 200'000;  // of tiny iterations: more add memory, not knowledge
constexpr std::size_t kMostTimelineEvents = 20'000;
constexpr const char* kRest = "(outside phases)";

/// What announcing one phase costs, and where it falls.
struct PhaseCalibration {
  double inside_ns = 0;   ///< In the phase's own interval.
  double outside_ns = 0;  ///< In what surrounds it.
};

PhaseCalibration calibrate(Clock& clock) {
  constexpr int kRounds = 20, kPhases = 500;
  std::vector<double> whole, inside;
  for (int round = 0; round < kRounds; ++round) {
    PhaseRecorder recorder(clock);
    recorder.begin("outer");
    const Nanoseconds begin = clock.now();
    for (int i = 0; i < kPhases; ++i) {
      recorder.begin("calibration");
      recorder.end();
    }
    whole.push_back(static_cast<double>((clock.now() - begin).count) / kPhases);
    double sum = 0;
    for (const auto& event : recorder.events()) sum += static_cast<double>(event.duration.count);
    inside.push_back(sum / kPhases);
  }
  PhaseCalibration out;
  out.inside_ns = median_of(inside);
  out.outside_ns = std::max(0.0, median_of(whole) - out.inside_ns);
  return out;
}

/// Columns of one phase, a value per observed iteration.
struct PhaseColumns {
  std::vector<double> raw, corrected, count;
  PhaseWork work;  ///< Of the last iteration.
};

class Measuring {
 public:
  Measuring(EngineWorkload& workload, const EngineOptions& options, Clock& clock)
      : workload_(workload),
        options_(options),
        clock_(clock),
        recorder_(clock),
        cost_(calibrate(clock)),
        random_(options.seed, /*stream=*/1) {}

  Result<run::Run> run(const ProgramFacts& facts) {
    const ProcessMemory before = process_memory();
    reset_peak_memory();
    origin_ = clock_.now();
    NEUROLENS_TRY(warm_up());
    NEUROLENS_TRY(measure_pairs());
    run::Run out = assemble(facts);
    if (before.resident) out.memory.host_before_bytes = before.resident->count;
    if (const auto peak = process_memory().peak_resident) out.memory.host_peak_bytes = peak->count;
    return out;
  }

 private:
  Status iterate(bool observed, bool warmup) {
    recorder_.clear();
    sampler_.begin();
    const Nanoseconds begin = clock_.now();
    const Status done = workload_.iterate(observed ? &recorder_ : nullptr);
    const Nanoseconds duration = clock_.now() - begin;
    sampler_.end();
    if (!done.ok()) return done;
    const auto state = sampler_.difference(clock_.now());
    append(rows_, begin - origin_, duration, observed, warmup, state);
    if (observed) {
      take_phases(duration);
    } else if (!warmup) {
      latencies_.push_back(static_cast<double>(duration.count));
    }
    return {};
  }

  void take_phases(Nanoseconds duration) {
    phases_.resize(recorder_.names().size());
    const std::size_t row = observed_++;
    double outermost = 0;
    for (const auto& event : recorder_.events()) {
      PhaseColumns& p = phases_[event.phase];
      for (auto* column : {&p.raw, &p.corrected, &p.count}) column->resize(row + 1);
      const auto own = static_cast<double>(event.own.count);
      double corrected = own - cost_.outside_ns * event.inside;
      if (event.timed) corrected -= cost_.inside_ns;
      p.raw[row] += own;
      p.corrected[row] += std::max(0.0, corrected);
      if (p.count[row]++ == 0) p.work = {};
      p.work.matrix_flops += event.work.matrix_flops;
      p.work.vector_flops += event.work.vector_flops;
      p.work.bytes += event.work.bytes;
      p.work.weight_bytes += event.work.weight_bytes;
      if (event.depth == 0) {
        outermost += static_cast<double>(event.duration.count);
        if (event.timed) outermost += cost_.outside_ns;
      }
    }
    rest_.push_back(std::max(0.0, static_cast<double>(duration.count) - outermost));
    events_.push_back(recorder_.events().size() <= kMostTimelineEvents && keep_events_
                          ? recorder_.events()
                          : std::vector<PhaseRecorder::Event>{});
    kept_ += events_.back().size();
    keep_events_ = kept_ < kMostTimelineEvents * 10;
  }

  Status warm_up() {
    const auto limit = options_.warmup.value_or(kDefaultWarmup);
    for (std::int64_t i = 0; i < limit; ++i) {
      if (options_.attention.cancelled())
        return Error{Errc::cancelled, "Stopped during warm-up; nothing was measured.", {}};
      options_.attention.report("warm-up", static_cast<double>(i) / static_cast<double>(limit));
      NEUROLENS_TRY(iterate(false, true));
      NEUROLENS_TRY(iterate(true, true));
      ++warmup_;
      if (!options_.warmup && (clock_.now() - origin_).count > kWarmupNs) break;
    }
    return {};
  }

  Status measure_pairs() {
    const Nanoseconds start = clock_.now();
    Pace pace(options_.iterations, options_.time_limit, options_.target_interval_ratio);
    for (std::size_t pair = 0;; ++pair) {
      const auto elapsed = (clock_.now() - start).count;
      if (!options_.iterations && pair >= kMostPairs) return {};
      if (pace.finished(pair, elapsed, latencies_)) return {};
      if (options_.attention.cancelled()) {
        if (pair == 0) return Error{Errc::cancelled, "Stopped before anything was measured.", {}};
        stopped_ = true;
        return {};
      }
      pace.report(options_.attention, pair, elapsed);
      const bool observed_first = random_.below(2) == 1;
      NEUROLENS_TRY(iterate(observed_first, false));
      NEUROLENS_TRY(iterate(!observed_first, false));
    }
  }

  run::Run assemble(const ProgramFacts& facts) {
    const EngineFacts engine = workload_.facts();
    run::Run run;
    run.run_id = make_uuid();
    run.created_at = to_rfc3339(clock_.wall());
    run.neurolens_version = facts.neurolens_version;
    run.host = facts.host;
    run.tags = facts.tags;
    run.software.backend = "neurolens";
    run.software.backend_version = facts.neurolens_version;
    run.software.precision = engine.precision;
    run.software.threads = engine.threads;
    run.workload.kind = "engine";
    run.workload.name = engine.name;
    run.workload.batch_size = engine.batch_size;
    run.workload.parameters = engine.parameters;
    run.config.command = facts.argv;
    run.config.method = "corrected";
    run.config.warmup_iterations = warmup_;
    run.config.iterations = options_.iterations;
    if (!options_.iterations) run.config.time_limit_ns = options_.time_limit.count;
    run.config.seed = static_cast<std::int64_t>(options_.seed);
    run.config.options = engine.options;
    run.samples.iterations = rows_;
    if (!mark_disturbed(run.samples.iterations, engine.threads, options_.target_interval_ratio)) {
      run.notes.push_back(
          "The machine was busy throughout: no iteration is left out, and times are those of a "
          "busy machine.");
    }
    if (stopped_) {
      run.status = "partial";
      run.status_reason = "Stopped by the user.";
    }
    add_ops(engine, run);
    add_overhead(run);
    add_timeline(run);
    return run;
  }

  void add_op(const std::string& name, const EngineFacts& engine, PhaseColumns& columns,
              run::Run& run) {
    for (auto* column : {&columns.raw, &columns.corrected, &columns.count})
      column->resize(observed_);
    run::Op op;
    op.name = op.type = to_valid_utf8(name);
    const auto kind = engine.phase_kinds.find(name);
    op.phase = kind == engine.phase_kinds.end() ? "other" : kind->second;
    std::vector<double> raw, corrected, count;
    for (std::size_t row = 0, i = 0; i < rows_.observed.size(); ++i) {
      if (rows_.observed[i] == 0) continue;
      if (rows_.warmup[i] == 0 && run.samples.iterations.disturbed[i] == 0) {
        raw.push_back(columns.raw[row]);
        corrected.push_back(columns.corrected[row]);
        count.push_back(columns.count[row]);
      }
      ++row;
    }
    op.executions_per_iteration = median_of(count);
    const MedianInterval interval = median_interval(corrected);
    run::Estimate e;
    e.time_ns = std::llround(interval.median);
    e.raw_time_ns = std::llround(median_of(raw));
    if (interval.low) e.low_ns = std::min<std::int64_t>(e.time_ns, std::llround(*interval.low));
    if (interval.high) e.high_ns = std::max<std::int64_t>(e.time_ns, std::llround(*interval.high));
    e.method = "corrected";
    op.estimate = e;
    const PhaseWork& work = columns.work;
    const std::int64_t flops = work.matrix_flops + work.vector_flops;
    const std::int64_t bytes = work.bytes + work.weight_bytes;
    if (flops + bytes > 0) {
      op.cost.matrix_flops = work.matrix_flops;
      op.cost.vector_flops = work.vector_flops;
      if (bytes > 0) {  // nothing computes without reading something
        op.cost.activation_bytes = work.bytes;
        op.cost.weight_bytes = work.weight_bytes;
      }
      op.cost.formula_id = engine.name + "." + name;
    }
    run.ops.push_back(std::move(op));
    run::Column column;
    for (const double ns : columns.raw) column.push_back(std::llround(ns));
    run.samples.op_duration_ns.push_back(std::move(column));
  }

  void add_ops(const EngineFacts& engine, run::Run& run) {
    for (std::size_t p = 0; p < phases_.size(); ++p)
      add_op(recorder_.names()[p], engine, phases_[p], run);
    PhaseColumns rest;
    rest.raw = rest.corrected = rest_;
    rest.count.assign(observed_, 1);
    add_op(kRest, engine, rest, run);
  }

  void add_overhead(run::Run& run) {
    std::vector<double> observed;
    double phases = 0;
    for (std::size_t i = 0; i < rows_.observed.size(); ++i) {
      if (rows_.observed[i] != 0 && rows_.warmup[i] == 0)
        observed.push_back(static_cast<double>(rows_.duration_ns[i]));
    }
    for (const auto& op : run.ops) phases += op.executions_per_iteration.value_or(0);
    const double unobserved = median(latencies_);
    if (!observed.empty() && unobserved > 0)
      run.overhead.observed_ratio = median_of(observed) / unobserved;
    run::LedgerEntry entry;
    entry.event = "scope";
    entry.cost_ns = cost_.inside_ns + cost_.outside_ns;
    entry.events_per_iteration = phases - 1;  // all but the rest
    run.overhead.ledger.push_back(entry);
  }

  /// The observed iteration that is the median one stands for the others.
  void add_timeline(run::Run& run) {
    std::vector<std::pair<std::int64_t, std::size_t>> order;
    for (std::size_t row = 0, i = 0; i < rows_.observed.size(); ++i) {
      if (rows_.observed[i] == 0) continue;
      if (rows_.warmup[i] == 0 && !events_[row].empty())
        order.emplace_back(rows_.duration_ns[i], row);
      ++row;
    }
    if (order.empty()) return;
    std::sort(order.begin(), order.end());
    auto chosen = events_[order[order.size() / 2].second];
    std::sort(chosen.begin(), chosen.end(), [](const auto& a, const auto& b) {
      return a.begin.count != b.begin.count ? a.begin < b.begin : a.depth < b.depth;
    });
    run::Timeline timeline;
    timeline.tracks.push_back({"engine", "thread", std::nullopt, std::nullopt});
    timeline.names.reserve(phases_.size());
    for (std::size_t p = 0; p < phases_.size(); ++p) timeline.names.push_back(run.ops[p].name);
    for (const auto& event : chosen) {
      timeline.track.push_back(0);
      timeline.name.push_back(static_cast<std::int64_t>(event.phase));
      timeline.op.push_back(static_cast<std::int64_t>(event.phase));
      timeline.begin_ns.push_back(std::max<std::int64_t>(0, (event.begin - origin_).count));
      timeline.duration_ns.push_back(event.duration.count);
    }
    run.timeline = std::move(timeline);
  }

  EngineWorkload& workload_;
  const EngineOptions& options_;
  Clock& clock_;
  PhaseRecorder recorder_;
  PhaseCalibration cost_;
  Random random_;
  StateSampler sampler_;
  Nanoseconds origin_;
  run::Iterations rows_;
  std::vector<double> latencies_;
  std::vector<PhaseColumns> phases_;
  std::vector<double> rest_;
  std::vector<std::vector<PhaseRecorder::Event>> events_;
  std::size_t kept_ = 0;
  bool keep_events_ = true;
  std::size_t observed_ = 0;
  std::int64_t warmup_ = 0;
  bool stopped_ = false;
};

}  // namespace

Result<run::Run> profile_engine(EngineWorkload& workload, const EngineOptions& options,
                                const ProgramFacts& facts, Clock& clock) {
  return Measuring(workload, options, clock).run(facts);
}

}  // namespace neurolens::capture
