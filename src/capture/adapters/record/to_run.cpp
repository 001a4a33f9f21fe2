// A recording as a Run.
#include <algorithm>
#include <cmath>
#include <map>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/record.hpp"

namespace neurolens::capture {
namespace {

std::string utf8_or(const std::string& text, const char* fallback) {
  return text.empty() ? std::string(fallback) : to_valid_utf8(text);
}

std::optional<std::string> known(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return to_valid_utf8(text);
}

run::Frame frame_of(const SampledFunction& f, const std::vector<SampledModule>& modules) {
  run::Frame frame;
  frame.function = utf8_or(f.name, "?");
  frame.file = known(f.file);
  frame.module = known(modules[f.module.index()].path);
  return frame;
}

run::Profile time_profile(const SampledProfile& p) {
  run::Profile profile;
  for (const SampledFunction& f : p.functions) profile.frames.push_back(frame_of(f, p.modules));
  for (const SampledNode& n : p.nodes) {
    profile.stack_parent.push_back(n.parent < 0 ? run::kMissing : n.parent);
    profile.stack_frame.push_back(static_cast<std::int64_t>(n.function.value));
  }
  // Weights in nanoseconds, also where cycles paced the samples.
  const auto period_ns = static_cast<std::int64_t>(std::llround(1e9 / p.rate_hz));
  const std::int64_t origin = p.samples.empty() ? 0 : p.samples.front().time.count;
  for (const Sample& s : p.samples) {
    profile.sample_stack.push_back(static_cast<std::int64_t>(s.node.value));
    profile.sample_time_ns.push_back(std::max<std::int64_t>(0, s.time.count - origin));
    profile.sample_weight.push_back(p.clock == "cpu-clock" ? s.weight : period_ns);
    profile.sample_thread.push_back(p.threads[s.thread.index()].thread_id);
  }
  profile.weight_unit = "ns";
  profile.period_ns = period_ns;
  return profile;
}

/// One sample per allocation site, weighing the bytes it allocated.
run::Profile memory_profile(const MemoryProfile& m) {
  run::Profile profile;
  std::map<std::pair<std::int64_t, std::uint32_t>, std::int64_t> nodes;
  for (const SampledFunction& f : m.functions) profile.frames.push_back(frame_of(f, m.modules));
  for (const MemorySite& site : m.sites) {
    std::int64_t parent = run::kMissing;
    for (const FunctionId f : site.stack) {
      const auto next = static_cast<std::int64_t>(profile.stack_frame.size());
      const auto [at, fresh] = nodes.try_emplace({parent, f.value}, next);
      if (fresh) {
        profile.stack_parent.push_back(parent);
        profile.stack_frame.push_back(static_cast<std::int64_t>(f.value));
      }
      parent = at->second;
    }
    if (parent == run::kMissing || site.allocated.count <= 0) continue;
    profile.sample_stack.push_back(parent);
    profile.sample_weight.push_back(site.allocated.count);
  }
  profile.weight_unit = "bytes";
  return profile;
}

/// What to know a function by in another launch: its name, with the module's where several modules
/// have one of that name. Not the module always: programs are compared with their own next version.
class Identities {
 public:
  explicit Identities(const SampledProfile& p) : p_(p) {
    for (const SampledFunction& f : p.functions) ++count_[f.name];
  }
  [[nodiscard]] std::string of(const SampledFunction& f) const {
    const std::string name = utf8_or(f.name, "?");
    if (count_.at(f.name) == 1) return name;
    return utf8_or(std::string(file_name(p_.modules[f.module.index()].path)), "?") + ": " + name;
  }

 private:
  const SampledProfile& p_;
  std::map<std::string, int> count_;
};

run::Op op_of(const FunctionCost& cost, const SampledProfile& p, const Identities& identities) {
  const SampledFunction& f = p.functions[cost.function.index()];
  run::Op op;
  op.name = utf8_or(f.name, "?");
  op.type = op.name;
  // Which functions a launch meets, and in which order of cost, is chance: compare() goes by this.
  op.original_nodes.push_back({identities.of(f), op.type});
  op.phase = "other";
  op.provider = known(p.modules[f.module.index()].path);
  run::Estimate e;
  const auto time = [&p](double share) {
    return std::llround(share * static_cast<double>(p.cpu_time.count));
  };
  e.time_ns = cost.own_time.count;
  e.low_ns = std::min<std::int64_t>(e.time_ns, time(cost.own.low));
  e.high_ns = std::max<std::int64_t>(e.time_ns, time(cost.own.high));
  e.raw_time_ns = e.time_ns;
  e.method = "sampled";
  op.estimate = e;
  return op;
}

void add_notes(const Recording& r, run::Run& run) {
  const SampledProfile& p = r.profile;
  const auto count = [](std::uint64_t n) { return std::to_string(n); };
  run.notes.push_back("Times are estimated from " + count(p.samples.size()) + " samples paced by " +
                      p.clock + ".");
  if (p.truncated > 0) {
    run.notes.push_back(count(p.truncated) +
                        " stacks end early: deeper than what was copied, or through code without "
                        "unwinding tables.");
  }
  if (!p.kernel_visible) {
    run.notes.push_back(
        "The kernel hides its own part: its time is in the functions that called it "
        "(kernel.perf_event_paranoid above 1).");
  }
  if (r.exit_status.value_or(0) != 0) {
    run.notes.push_back("The program ended with status " + std::to_string(*r.exit_status) + ".");
  }
  if (r.exit_signal) {
    run.notes.push_back("The program was ended by signal " + std::to_string(*r.exit_signal) + ".");
  }
  if (!r.memory) return;
  const MemoryProfile& m = *r.memory;
  run.notes.push_back("Memory: " + count(m.allocations) + " allocations of " +
                      std::to_string(m.allocated.count) + " bytes, " + count(m.releases) +
                      " released, " + std::to_string(m.peak.count) + " bytes at the peak, " +
                      std::to_string(m.live_at_exit.count) + " bytes never released.");
}

}  // namespace

run::Run to_run(const Recording& recording, const RecordOptions& options,
                const ProgramFacts& facts) {
  const SampledProfile& p = recording.profile;
  run::Run run;
  run.run_id = make_uuid();
  run.created_at = to_rfc3339(system_clock().wall());
  run.neurolens_version = facts.neurolens_version;
  run.host = facts.host;
  run.software.backend = "process";
  run.workload.kind = "program";
  const std::string name = options.pid ? "process " + std::to_string(*options.pid)
                                       : std::string(file_name(options.command[0]));
  run.workload.name = utf8_or(name, "program");
  if (!options.command.empty()) run.workload.path = to_valid_utf8(options.command[0]);
  for (const std::string& word : facts.argv) run.config.command.push_back(to_valid_utf8(word));
  run.config.method = "sampled";
  run.config.options["clock"] = p.clock;
  run.config.options["rate_hz"] = shortest(options.rate_hz);
  run.config.options["unwind"] = options.unwind == Unwind::dwarf ? "dwarf" : "frame_pointers";
  run.tags = facts.tags;
  const Identities identities(p);
  for (const FunctionCost& cost : function_costs(p)) {
    if (cost.own_samples == 0) break;  // sorted
    run.ops.push_back(op_of(cost, p, identities));
    run.samples.op_duration_ns.push_back({cost.own_time.count});
  }
  run::Iterations& i = run.samples.iterations;
  i.begin_ns = {0};
  i.duration_ns = {p.duration.count};
  i.observed = {1};
  i.warmup = {0};
  i.disturbed = {0};
  i.cpu_time_ns = {p.cpu_time.count};
  run.profile = recording.memory ? memory_profile(*recording.memory) : time_profile(p);
  run.overhead.events_lost = static_cast<std::int64_t>(p.lost);
  const auto all = static_cast<double>(p.lost + p.samples.size());
  if (static_cast<double>(p.lost) > 0.01 * all) {
    run.overhead.integrity = "suspect";
    run.overhead.reasons.push_back(
        "The kernel dropped more than 1 % of the samples; lower the rate or give this program more "
        "processor time.");
  }
  if (recording.peak_resident) run.memory.host_peak_bytes = recording.peak_resident->count;
  add_notes(recording, run);
  return run;
}

}  // namespace neurolens::capture
