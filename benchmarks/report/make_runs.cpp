/// \file
/// report_runs FOLDER: the two large Runs whose reports are measured; see METHOD.md.
///   ops.run.json      10,000 ops with estimates, 20 iterations, a timeline of one iteration
///   events.run.json   200 ops, 1,000,000 events on 8 tracks, two levels deep
#include <fmt/format.h>

#include <string>

#include "make_run.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/run/run.hpp"

namespace {

using namespace neurolens;

run::Run with_ops() {
  run::Run run = test_support::make_run({.ops = 10'000, .iterations = 20, .warmup = 2});
  for (std::size_t i = 0; i < run.ops.size(); ++i) run.ops[i].kernels.clear();
  return run;
}

/// Iterations of 49 ops below one event of their own; times vary from event to event.
run::Run with_events(std::int64_t events, std::int64_t tracks) {
  constexpr std::int64_t kOps = 200;
  constexpr std::int64_t kGroup = 50;
  run::Run run = test_support::make_run({.ops = kOps, .iterations = 20, .warmup = 2});
  run::Timeline timeline;
  timeline.names.emplace_back("model_run");
  for (const auto& op : run.ops) timeline.names.push_back(op.name);
  std::uint64_t state = 1;
  const auto random = [&state](std::int64_t low, std::int64_t span) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return low + static_cast<std::int64_t>((state >> 33U) % static_cast<std::uint64_t>(span));
  };
  const auto add = [&](std::int64_t track, std::int64_t name, std::int64_t op, std::int64_t begin,
                       std::int64_t duration) {
    timeline.track.push_back(track);
    timeline.name.push_back(name);
    timeline.op.push_back(op);
    timeline.begin_ns.push_back(begin);
    timeline.duration_ns.push_back(duration);
  };
  for (std::int64_t t = 0; t < tracks; ++t) {
    timeline.tracks.push_back({fmt::format("worker {}", t), "thread", 1, t + 1});
    std::int64_t clock = 0;
    for (std::int64_t g = 0; g < events / tracks; g += kGroup) {
      const std::size_t head = timeline.begin_ns.size();
      add(t, 0, run::kMissing, clock, 0);
      for (std::int64_t k = 1; k < kGroup; ++k) {
        clock += random(200, 800);
        const std::int64_t op = (g + k) % kOps;
        const std::int64_t duration = random(500, 20'000);
        add(t, op + 1, op, clock, duration);
        clock += duration;
      }
      timeline.duration_ns[head] = clock - timeline.begin_ns[head];
      clock += 2000;
    }
  }
  run.timeline = std::move(timeline);
  return run;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  const auto write = [&](const run::Run& run, const char* name) {
    const Status done = run::write_file(system_files(), folder + "/" + name, run);
    if (!done.ok()) fmt::print(stderr, "{}\n", done.error().text());
    return done.ok();
  };
  return write(with_ops(), "ops.run.json") && write(with_events(1'000'000, 8), "events.run.json")
             ? 0
             : 1;
}
