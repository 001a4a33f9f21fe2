#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "adapters/record/child.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/program.hpp"
#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/session.hpp"
#include "neurolens/probe/trace.hpp"

namespace neurolens::capture {
namespace {

constexpr std::size_t kMostTimelineEvents = 20'000;

/// A folder that goes away.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code failed;
    std::string pattern =
        (std::filesystem::temp_directory_path(failed) / "neurolens_XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] Result<std::string> file(const char* name) const {
    if (path_.empty()) {
      return Error{Errc::io_error, "No temporary folder can be made; set TMPDIR to a writable one.",
                   ""};
    }
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

struct Interval {
  std::int64_t begin = 0, end = 0;
};

/// From the marks of the site that has most of them; without marks, the whole recording.
std::vector<Interval> find_iterations(const probe::Trace& trace) {
  std::map<std::uint32_t, std::vector<std::int64_t>> marks;
  for (const probe::TraceEvent& e : trace.events) {
    if (e.kind == probe::EventKind::mark) marks[e.site.value].push_back(e.time.count);
  }
  const std::vector<std::int64_t>* best = nullptr;
  for (auto& [site, times] : marks) {
    if (best == nullptr || times.size() > best->size()) best = &times;
  }
  if (best == nullptr) return {{0, trace.info.duration.count}};
  std::vector<std::int64_t> times = *best;
  std::sort(times.begin(), times.end());
  std::vector<Interval> iterations;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool last = i + 1 == times.size();
    iterations.push_back({times[i], last ? trace.info.duration.count : times[i + 1]});
  }
  // The last mark begins an iteration that the end of the program closes, whatever it did until
  // then: it ends with the last scope that began in it.
  std::int64_t last_end = iterations.back().begin;
  for (const probe::TraceEvent& e : trace.events) {
    if (e.kind == probe::EventKind::end) last_end = std::max(last_end, e.time.count);
  }
  iterations.back().end = std::max(last_end, iterations.back().begin);
  return iterations;
}

/// The iteration that holds `time`, or nullopt before the first.
std::optional<std::size_t> iteration_at(const std::vector<Interval>& iterations,
                                        std::int64_t time) {
  auto after = std::upper_bound(iterations.begin(), iterations.end(), time,
                                [](std::int64_t t, const Interval& i) { return t < i.begin; });
  if (after == iterations.begin()) return std::nullopt;
  return static_cast<std::size_t>(after - iterations.begin()) - 1;
}

struct SiteTotals {
  std::vector<double> raw, corrected;  ///< By iteration, own time.
  std::vector<double> count;
};

void add_timeline(const probe::Trace& trace, const std::vector<probe::Span>& spans,
                  const Interval& chosen, const std::map<std::uint32_t, std::int64_t>& op_of_site,
                  run::Run& run) {
  run::Timeline timeline;
  std::map<std::uint32_t, std::int64_t> track_of_thread, name_of_site;
  for (const probe::Span& s : spans) {
    if (s.begin.count < chosen.begin || s.begin.count >= chosen.end || s.cut || s.lane != 0)
      continue;
    if (timeline.begin_ns.size() == kMostTimelineEvents) {
      run.notes.push_back("The timeline shows the first " + std::to_string(kMostTimelineEvents) +
                          " scopes of its iteration.");
      break;
    }
    const auto [track, new_track] = track_of_thread.try_emplace(
        s.thread.value, static_cast<std::int64_t>(timeline.tracks.size()));
    if (new_track) {
      const probe::TraceThread& t = trace.info.threads[s.thread.index()];
      const std::string fallback = "thread " + std::to_string(t.system_id);
      timeline.tracks.push_back({t.name.empty() ? fallback : to_valid_utf8(t.name), "thread",
                                 static_cast<std::int64_t>(trace.info.process_id), t.system_id});
    }
    const auto [name, new_name] =
        name_of_site.try_emplace(s.site.value, static_cast<std::int64_t>(timeline.names.size()));
    if (new_name)
      timeline.names.push_back(run.ops[static_cast<std::size_t>(op_of_site.at(s.site.value))].name);
    timeline.track.push_back(track->second);
    timeline.name.push_back(name->second);
    timeline.op.push_back(op_of_site.at(s.site.value));
    timeline.begin_ns.push_back(s.begin.count);
    timeline.duration_ns.push_back((s.end - s.begin).count);
  }
  if (!timeline.begin_ns.empty()) run.timeline = std::move(timeline);
}

run::Estimate estimate_of(const SiteTotals& totals, std::size_t warmup) {
  std::vector<double> corrected(totals.corrected.begin() + static_cast<std::ptrdiff_t>(warmup),
                                totals.corrected.end());
  std::vector<double> raw(totals.raw.begin() + static_cast<std::ptrdiff_t>(warmup),
                          totals.raw.end());
  run::Estimate e;
  e.time_ns = std::llround(median(corrected));
  e.raw_time_ns = std::llround(median(raw));
  e.method = "corrected";
  if (corrected.size() >= 6) {
    // Order statistics around the median: 95 % by the normal approximation of the binomial.
    std::sort(corrected.begin(), corrected.end());
    const auto n = static_cast<double>(corrected.size());
    const double half = 1.96 * std::sqrt(n) / 2;
    const auto low = static_cast<std::size_t>(std::max(0.0, std::floor(n / 2 - half)));
    const auto high = static_cast<std::size_t>(std::min(n - 1, std::ceil(n / 2 + half)));
    e.low_ns = std::min<std::int64_t>(e.time_ns, std::llround(corrected[low]));
    e.high_ns = std::max<std::int64_t>(e.time_ns, std::llround(corrected[high]));
  }
  return e;
}

}  // namespace

Result<ScopeCost> calibrate_scope() {
  const TemporaryFolder folder;
  probe::SessionOptions options;
  NEUROLENS_ASSIGN(options.path, folder.file("calibration"));
  NEUROLENS_TRY(probe::start(options));
  constexpr int kRounds = 40, kScopes = 2000;
  std::vector<double> whole;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t begin = probe::hot::system_ticks();
    for (int i = 0; i < kScopes; ++i) {
      NEUROLENS_SCOPE("calibration");
    }
    whole.push_back(static_cast<double>(probe::hot::system_ticks() - begin) / kScopes);
  }
  NEUROLENS_TRY(probe::stop().status());
  NEUROLENS_ASSIGN(const probe::Trace trace, probe::read_trace(options.path));
  // Whole nanoseconds per scope are too coarse: the sum over many is not.
  std::vector<double> inside;
  double sum = 0;
  int in_round = 0;
  for (const probe::Span& s : probe::spans_of(trace)) {
    sum += static_cast<double>((s.end - s.begin).count);
    if (++in_round < kScopes) continue;
    inside.push_back(sum / kScopes);
    sum = 0;
    in_round = 0;
  }
  ScopeCost cost;
  cost.inside_ns = median(inside);
  cost.outside_ns = std::max(0.0, median(whole) - cost.inside_ns);
  return cost;
}

Result<run::Run> trace_to_run(const std::string& path, const ProgramOptions& options,
                              const ScopeCost& cost, const ProgramFacts& facts) {
  NEUROLENS_ASSIGN(const probe::Trace trace, probe::read_trace(path));
  const std::vector<probe::Span> spans = probe::spans_of(trace);
  if (spans.empty()) {
    return Error{
        Errc::check_failed,
        "The program recorded no scope: link it with neurolens::probe and mark its parts with "
        "NEUROLENS_SCOPE, or sample it with `neurolens record`.",
        path};
  }
  const std::vector<Interval> iterations = find_iterations(trace);
  const std::size_t warmup = std::min<std::size_t>(options.warmup, iterations.size() - 1);
  std::map<std::uint32_t, SiteTotals> totals;
  std::vector<double> own(spans.size());
  std::uint64_t outside = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    own[i] += static_cast<double>(spans[i].own.count) - cost.inside_ns;
    if (spans[i].parent >= 0) own[static_cast<std::size_t>(spans[i].parent)] -= cost.outside_ns;
  }
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const auto at = iteration_at(iterations, spans[i].begin.count);
    if (!at) {
      ++outside;
      continue;
    }
    SiteTotals& t = totals[spans[i].site.value];
    if (t.raw.empty()) {
      t.raw.resize(iterations.size());
      t.corrected.resize(iterations.size());
      t.count.resize(iterations.size());
    }
    t.raw[*at] += static_cast<double>(spans[i].own.count);
    t.corrected[*at] += std::max(0.0, own[i]);
    t.count[*at] += 1;
  }
  run::Run run;
  run.run_id = make_uuid();
  run.created_at = to_rfc3339(system_clock().wall());
  run.neurolens_version = facts.neurolens_version;
  run.host = facts.host;
  run.software.backend = "probe";
  run.workload.kind = "program";
  run.workload.name = options.command.empty() ? std::string(file_name(path))
                                              : std::string(file_name(options.command[0]));
  if (!options.command.empty()) run.workload.path = options.command[0];
  run.config.command = facts.argv;
  run.config.method = "corrected";
  run.config.warmup_iterations = static_cast<std::int64_t>(warmup);
  run.config.options["counter_hz"] = shortest(trace.info.counter_hz);
  run.tags = facts.tags;
  run::Iterations& columns = run.samples.iterations;
  for (std::size_t i = 0; i < iterations.size(); ++i) {
    columns.begin_ns.push_back(std::max<std::int64_t>(0, iterations[i].begin));
    columns.duration_ns.push_back(iterations[i].end - iterations[i].begin);
    columns.observed.push_back(1);
    columns.warmup.push_back(i < warmup ? 1 : 0);
    columns.disturbed.push_back(0);
  }
  std::map<std::uint32_t, std::int64_t> op_of_site;
  double scopes_per_iteration = 0;
  for (const auto& [site, t] : totals) {
    const probe::TraceSite& s = trace.info.sites[site];
    run::Op op;
    op.name = to_valid_utf8(s.name.empty() ? "?" : s.name);
    op.type = op.name;
    op.phase = "other";
    op.executions_per_iteration = median(t.count);
    op.estimate = estimate_of(t, warmup);
    scopes_per_iteration += median(t.count);
    op_of_site[site] = static_cast<std::int64_t>(run.ops.size());
    run.ops.push_back(std::move(op));
    run::Column column;
    for (const double ns : t.raw) column.push_back(std::llround(ns));
    run.samples.op_duration_ns.push_back(std::move(column));
  }
  // The iteration that is the median one stands for the others.
  std::vector<std::size_t> order;
  for (std::size_t i = warmup; i < iterations.size(); ++i) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return columns.duration_ns[a] < columns.duration_ns[b];
  });
  add_timeline(trace, spans, iterations[order[order.size() / 2]], op_of_site, run);
  run::LedgerEntry ledger;
  ledger.event = "scope";
  ledger.cost_ns = cost.inside_ns + cost.outside_ns;
  ledger.events_per_iteration = scopes_per_iteration;
  run.overhead.ledger.push_back(ledger);
  if (trace.info.lost) run.overhead.events_lost = static_cast<std::int64_t>(*trace.info.lost);
  if (!trace.info.complete) {
    run.status = "partial";
    run.status_reason = "The program ended before its recording was closed.";
  }
  if (trace.info.damaged || trace.info.lost.value_or(0) > 0) {
    run.overhead.integrity = "suspect";
    run.overhead.reasons.push_back("Part of the events is missing.");
  }
  if (outside > 0) {
    run.notes.push_back(std::to_string(outside) +
                        " scopes before the first iteration mark are left out.");
  }
  if (iterations.size() == 1) {
    run.notes.push_back(
        "The program marks no iterations: the whole recording is one; see NEUROLENS_ITERATION.");
  }
  return run;
}

Result<ProgramRun> profile_program(const ProgramOptions& options, const ProgramFacts& facts) {
  if (options.command.empty()) {
    return Error{Errc::bad_request, "Name the program to run after --.", ""};
  }
  NEUROLENS_ASSIGN(const ScopeCost cost, calibrate_scope());
  const TemporaryFolder folder;
  std::string path = options.trace_path;
  if (path.empty()) {
    NEUROLENS_ASSIGN(path, folder.file("trace"));
  }
  ProgramRun result;
  record_detail::Child child;
  NEUROLENS_TRY(child.prepare(options.command, {{"NEUROLENS_PROBE", path}}));
  if (Status released = child.release(); !released.ok()) {
    return std::move(released).error().at(options.command[0]);
  }
  int status = 0;
  child.ended(true, status);
  if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.exit_signal = WTERMSIG(status);
  if (!std::filesystem::exists(path)) {
    return Error{Errc::check_failed,
                 "The program recorded nothing: link it with neurolens::probe, or sample it with "
                 "`neurolens record`.",
                 options.command[0]};
  }
  NEUROLENS_ASSIGN(result.run, trace_to_run(path, options, cost, facts));
  result.run.memory.host_peak_bytes = std::int64_t{child.peak_resident_kib()} * 1024;
  return result;
}

}  // namespace neurolens::capture
