#include "adapters/onnxruntime/measure.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "fit/order_statistics.hpp"
#include "measure/pace.hpp"
#include "measure/state.hpp"
#include "measure/visit.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture::ort {
namespace {

/// The runtime's profiler silently stops at 1,000,000 events; a new session starts well before.
constexpr std::int64_t kEventsPerSegment = 200'000;
/// Without --iterations, observation ends here: more events than this add files, not knowledge.
constexpr std::int64_t kEventsInAll = 200'000;
constexpr int kIterationsToPeak = 3;
/// An observed session lives for this many times its loading, then another one takes its place:
/// where its memory lies biases it (see fit/cut_estimates.hpp), and several average that out.
constexpr std::int64_t kLivesPerLoading = 10;
/// Loading and what comes after take about 2.5 times the loading of the observed session. Measured
/// for twice that, the whole is at most three times the unobserved iterations.
constexpr std::int64_t kLoadingsToMeasure = 5;

class Loop {
 public:
  Loop(std::shared_ptr<const Library> library, RuntimeSession& unobserved, const FeedSet& feeds,
       const CaptureRequest& request, std::string folder, bool control_flow, std::size_t nodes)
      : library_(std::move(library)),
        unobserved_(unobserved),
        feeds_(feeds),
        request_(request),
        folder_(std::move(folder)),
        control_flow_(control_flow),
        events_per_run_(static_cast<std::int64_t>(nodes) + 2),
        random_(request.seed, /*stream=*/1) {}

  Result<Measurement> run() {
    NEUROLENS_ASSIGN(out_.output_types, unobserved_.probe_outputs(feeds_));
    // A runtime plans its memory over the first iterations; what is loaded later is the observer's.
    for (int i = 0; i < kIterationsToPeak; ++i) {
      NEUROLENS_ASSIGN(const auto timing, unobserved_.run(feeds_));
      warm_.push_back(static_cast<double>(timing.duration.count));
    }
    out_.peak = process_memory();
    NEUROLENS_TRY(open_observed());
    origin_ = clock_.now();
    NEUROLENS_TRY(warm_up());
    // A loop's trips are not known beforehand: the first file tells how many events an iteration
    // makes.
    if (control_flow_) NEUROLENS_TRY(close_observed());
    NEUROLENS_TRY(measure_pairs());
    NEUROLENS_TRY(close_observed());
    out_.machine_busy =
        !mark_disturbed(out_.iterations, request_.threads, request_.target_interval_ratio);
    return std::move(out_);
  }

 private:
  Status open_observed() {
    const Nanoseconds start = clock_.now();
    SessionSettings settings = settings_of(request_);
    settings.profile_prefix = folder_ + "/profile" + std::to_string(segment_++);
    if (!optimised_written_) {
      settings.optimized_path = folder_ + "/optimised.onnx";
      settings.optimized_weights = "optimised.weights";
    }
    auto session = RuntimeSession::create(library_, request_.model_path, settings);
    if (!session.ok() && !optimised_written_) {
      // Writing the optimised model can fail where running it does not (disk, compiled nodes).
      out_.notes.push_back(
          fmt::format("The optimised model could not be written: {}", session.error().message));
      settings.optimized_path.clear();
      session = RuntimeSession::create(library_, request_.model_path, settings);
    }
    if (!session.ok()) return std::move(session).error();
    if (!settings.optimized_path.empty()) out_.optimised_path = settings.optimized_path;
    optimised_written_ = true;
    observed_.emplace(std::move(session).value());
    runs_in_segment_ = 0;
    opened_ = clock_.now();
    loading_ns_ = (opened_ - start).count;
    if (segment_ == 1) first_loading_ns_ = loading_ns_;
    return {};
  }

  /// Ends the profile, reads it and removes the file.
  Status close_observed() {
    if (!observed_) return {};
    NEUROLENS_ASSIGN(const auto path, observed_->end_profiling());
    observed_.reset();
    const auto reader = read_trace(path, [&](const TraceEvent& event) { out_.ops.take(event); });
    unlink(path.c_str());
    if (!reader.ok()) return reader.error();
    const auto lost_before = out_.ops.lost_iterations();
    out_.ops.end_segment(runs_in_segment_);
    events_per_run_ = std::max(events_per_run_, out_.ops.events_per_iteration());
    out_.events_lost +=
        (out_.ops.lost_iterations() - lost_before) * events_per_run_ + reader.value().skipped();
    return {};
  }

  /// One timed inference, filed with the state of the machine beside it.
  Status iterate(bool observed, bool warmup) {
    RuntimeSession& session = observed ? *observed_ : unobserved_;
    sampler_.begin();
    const auto timing = session.run(feeds_);
    sampler_.end();
    if (!timing.ok()) return timing.error();
    const auto state = sampler_.difference(clock_.now());
    append(out_.iterations, timing.value().begin - origin_, timing.value().duration, observed,
           warmup, state);
    if (observed) {
      ++runs_in_segment_;
      ++observed_runs_;
    } else {
      (warmup ? warm_ : latencies_).push_back(static_cast<double>(timing.value().duration.count));
    }
    return {};
  }

  Status warm_up() {
    const auto limit = request_.warmup.value_or(kDefaultWarmup);
    for (std::int64_t i = 0; i < limit; ++i) {
      if (request_.attention.cancelled()) {
        return Error{Errc::cancelled, "Stopped during warm-up; nothing was measured.", {}};
      }
      request_.attention.report("warm-up", static_cast<double>(i) / static_cast<double>(limit));
      NEUROLENS_TRY(iterate(false, true));
      NEUROLENS_TRY(iterate(true, true));
      ++out_.warmup;
      if (!request_.warmup && (clock_.now() - origin_).count > kWarmupNs) break;
    }
    return {};
  }

  /// A fresh profiling session before the runtime would silently stop recording, or when its time
  /// is up.
  Status rotate() {
    const bool full = runs_in_segment_ * events_per_run_ >= kEventsPerSegment;
    const bool old = (clock_.now() - opened_).count > kLivesPerLoading * loading_ns_;
    if (observed_ && !full && !old) return {};
    NEUROLENS_TRY(close_observed());
    NEUROLENS_TRY(open_observed());
    return iterate(true, true);  // the first run of a session allocates: warm-up
  }

  [[nodiscard]] bool observation_done() const {
    return !request_.iterations && observed_runs_ * events_per_run_ > kEventsInAll &&
           measured_observed_ >= kFewestPairs;
  }

  /// One side's turn; see measure/visit.hpp.
  Status take_turn(bool observed, std::int64_t pairs) {
    for (int i = 0; i < visit_.settle; ++i) NEUROLENS_TRY(iterate(observed, true));
    for (std::int64_t i = 0; i < pairs; ++i) NEUROLENS_TRY(iterate(observed, false));
    return {};
  }

  Status measure_pairs() {
    const Nanoseconds start = clock_.now();
    visit_ = visit_for(median(warm_));
    Pace pace(request_.iterations, request_.time_limit, request_.target_interval_ratio);
    const auto least = std::max(kSettleNs, kLoadingsToMeasure * first_loading_ns_);
    const auto elapsed = [&] { return (clock_.now() - start).count; };
    for (std::size_t pair = 0; !pace.finished(pair, elapsed(), latencies_, least);) {
      if (request_.attention.cancelled()) {
        if (pair == 0) return Error{Errc::cancelled, "Stopped before anything was measured.", {}};
        out_.stopped = "Stopped by the user.";
        break;
      }
      pace.report(request_.attention, pair, elapsed());
      std::int64_t pairs = visit_.timed;
      if (request_.iterations)
        pairs = std::min(pairs, *request_.iterations - static_cast<std::int64_t>(pair));
      const bool observe = !observation_done();
      const bool observed_first = random_.below(2) == 1;
      if (observe) NEUROLENS_TRY(rotate());
      if (observe && observed_first) NEUROLENS_TRY(take_turn(true, pairs));
      NEUROLENS_TRY(take_turn(false, pairs));
      if (observe && !observed_first) NEUROLENS_TRY(take_turn(true, pairs));
      if (observe) measured_observed_ += static_cast<std::size_t>(pairs);
      pair += static_cast<std::size_t>(pairs);
    }
    out_.interval_reached = pace.interval_reached();
    return {};
  }

  std::shared_ptr<const Library> library_;
  RuntimeSession& unobserved_;
  const FeedSet& feeds_;
  const CaptureRequest& request_;
  std::string folder_;
  bool control_flow_;
  std::int64_t events_per_run_;
  Random random_;
  Clock& clock_ = system_clock();
  StateSampler sampler_;
  std::optional<RuntimeSession> observed_;
  bool optimised_written_ = false;
  int segment_ = 0;
  std::int64_t runs_in_segment_ = 0;
  std::int64_t observed_runs_ = 0;
  std::size_t measured_observed_ = 0;
  Nanoseconds origin_;
  Nanoseconds opened_;
  std::int64_t loading_ns_ = 0;
  std::int64_t first_loading_ns_ = 0;
  Visit visit_;
  std::vector<double> latencies_;  // of the unobserved iterations that count
  std::vector<double> warm_;       // of the others
  Measurement out_;
};

}  // namespace

SessionSettings settings_of(const CaptureRequest& request) {
  SessionSettings settings;
  settings.threads = request.threads;
  settings.optimisation = request.optimisation;
  settings.provider = request.provider;
  return settings;
}

Result<Measurement> measure(const std::shared_ptr<const Library>& library,
                            RuntimeSession& unobserved, const FeedSet& feeds,
                            const CaptureRequest& request, const std::string& folder,
                            bool control_flow, std::size_t nodes) {
  return Loop(library, unobserved, feeds, request, folder, control_flow, nodes).run();
}

}  // namespace neurolens::capture::ort
