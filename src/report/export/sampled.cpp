#include "sampled.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace neurolens::report {
namespace {

bool has_samples(const run::Run& run) {
  return run.profile && !run.profile->sample_stack.empty() && run.profile->weight_unit == "ns";
}

SampledThread describe(std::int64_t id, const Trace& trace, std::size_t others) {
  for (const auto& lane : trace.lanes) {
    const run::Track& track = trace.tracks[lane.track];
    if (lane.lane == 0 && track.kind == "thread" && track.id == id)
      return {track.name, lane.track + std::uint64_t{1}, true};
  }
  return {id == run::kMissing ? std::string("all threads") : fmt::format("thread {}", id),
          trace.tracks.size() + others + 1, false};
}

}  // namespace

std::optional<Samples> samples_of(const run::Run& run, const Trace& trace) {
  if (!has_samples(run)) return {};
  const run::Profile& p = *run.profile;
  Samples out;
  out.profile = &p;
  std::map<std::int64_t, std::uint32_t> known;
  std::vector<std::int64_t> clock;
  for (std::size_t i = 0; i < p.sample_stack.size(); ++i) {
    const std::int64_t id = p.sample_thread.empty() ? run::kMissing : p.sample_thread[i];
    const auto [entry, added] =
        known.try_emplace(id, static_cast<std::uint32_t>(out.threads.size()));
    if (added) {
      out.threads.push_back(describe(id, trace, out.threads.size()));
      clock.push_back(0);
    }
    out.thread.push_back(entry->second);
    out.time_ns.push_back(p.sample_time_ns.empty() ? clock[entry->second] : p.sample_time_ns[i]);
    clock[entry->second] += p.sample_weight[i];
  }
  return out;
}

std::vector<std::int64_t> frames_of(const run::Profile& profile, std::int64_t stack,
                                    std::size_t most) {
  std::vector<std::int64_t> frames;
  for (; stack != run::kMissing && frames.size() < most;
       stack = profile.stack_parent[static_cast<std::size_t>(stack)])
    frames.push_back(profile.stack_frame[static_cast<std::size_t>(stack)]);
  std::reverse(frames.begin(), frames.end());
  return frames;
}

Result<Trace> trace_or_samples(const run::Run& run) {
  auto trace = trace_of(run);
  if (!trace.ok() && trace.error().code == Errc::too_few_samples && has_samples(run))
    return Trace{};
  return trace;
}

}  // namespace neurolens::report
