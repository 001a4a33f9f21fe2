// Facts from whole iterations and from the timeline.
#include <algorithm>
#include <utility>

#include "neurolens/analyze/statistics.hpp"
#include "scene.hpp"

namespace neurolens::analyze {
namespace {

/// Values of a state column beside settled iterations; empty when not collected.
run::Column settled(const run::Iterations& rows, const run::Column& column) {
  run::Column kept;
  for (std::size_t i = 0; i < column.size(); ++i) {
    if (rows.warmup[i] == 0 && column[i] != run::kMissing) kept.push_back(column[i]);
  }
  return kept;
}

Maybe mean(const run::Column& column) {
  if (column.empty()) return {};
  double sum = 0;
  for (const auto value : column) sum += static_cast<double>(value);
  return sum / static_cast<double>(column.size());
}

/// Median of the last quarter over median of the first quarter, unobserved and undisturbed.
Maybe drift(const run::Iterations& rows) {
  run::Column kept;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if (rows.warmup[i] == 0 && rows.disturbed[i] == 0 && rows.observed[i] == 0)
      kept.push_back(rows.duration_ns[i]);
  }
  const std::size_t quarter = kept.size() / 4;
  if (quarter < 5) return {};
  const auto first = median(std::span(kept).first(quarter));
  const auto last = median(std::span(kept).last(quarter));
  return *first > 0 ? Maybe(*last / *first) : Maybe();
}

using Spans = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// Length of the union.
double covered(Spans& spans) {
  std::sort(spans.begin(), spans.end());
  double sum = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::min();
  for (const auto& [from, to] : spans) {
    if (to <= end) continue;
    sum += static_cast<double>(to - std::max(from, end));
    end = to;
  }
  return sum;
}

bool is_transfer(std::string_view name) {
  return name.find("emcpy HtoD") != std::string_view::npos ||
         name.find("emcpy DtoH") != std::string_view::npos ||
         name.find("MemcpyToHost") != std::string_view::npos ||
         name.find("MemcpyFromHost") != std::string_view::npos;
}

}  // namespace

void survey_iterations(const run::Run& run, RunFacts& out) {
  const auto& rows = run.samples.iterations;
  if (rows.duration_ns.empty()) return;
  const auto total = static_cast<double>(rows.duration_ns.size());
  double disturbed = 0;
  double warm_ns = 0;
  double all_ns = 0;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    disturbed += rows.disturbed[i] != 0 ? 1 : 0;
    all_ns += static_cast<double>(rows.duration_ns[i]);
    if (rows.warmup[i] != 0) warm_ns += static_cast<double>(rows.duration_ns[i]);
  }
  out.disturbed_ratio = disturbed / total;
  if (all_ns > 0) out.warmup_share = warm_ns / all_ns;
  if (rows.warmup[0] != 0) {
    out.first_ns = static_cast<double>(rows.duration_ns[0]);
    if (out.time_ns && *out.time_ns > 0) out.first_ratio = *out.first_ns / *out.time_ns;
  }
  out.drift_ratio = drift(rows);
  const auto durations = settled(rows, rows.duration_ns);
  const auto mean_ns = mean(durations);
  const auto cpu = mean(settled(rows, rows.cpu_time_ns));
  const auto steal = mean(settled(rows, rows.steal_ns));
  if (mean_ns && *mean_ns > 0 && cpu) out.cpu_threads = *cpu / *mean_ns;
  if (mean_ns && *mean_ns > 0 && steal) out.steal_ratio = *steal / *mean_ns;
  out.switches = mean(settled(rows, rows.involuntary_switches));
  out.faults = mean(settled(rows, rows.page_faults));
  out.frequency_hz = median(settled(rows, rows.frequency_hz));
}

void survey_timeline(const run::Run& run, RunFacts& out) {
  if (!run.timeline) return;
  const run::Timeline& t = *run.timeline;
  std::vector<bool> transfer;
  for (const auto& name : t.names) transfer.push_back(is_transfer(name));
  Spans device;
  Spans moves;
  std::int64_t begin = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 0; i < t.begin_ns.size(); ++i) {
    const std::pair<std::int64_t, std::int64_t> span{t.begin_ns[i],
                                                     t.begin_ns[i] + t.duration_ns[i]};
    begin = std::min(begin, span.first);
    end = std::max(end, span.second);
    if (t.tracks[static_cast<std::size_t>(t.track[i])].kind != "stream") continue;
    device.push_back(span);
    if (transfer[static_cast<std::size_t>(t.name[i])]) moves.push_back(span);
  }
  if (device.empty() || end <= begin) return;
  out.device_window_ns = static_cast<double>(end - begin);
  out.device_idle_ratio = 1 - covered(device) / *out.device_window_ns;
  out.transfer_ns = covered(moves);
}

}  // namespace neurolens::analyze
