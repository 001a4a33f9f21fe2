#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/json.hpp"
#include "neurolens/report/export.hpp"
#include "sampled.hpp"

namespace neurolens::report {
namespace {

/// Chrome's times are us; the thousandths keep the nanoseconds.
std::string micros(std::int64_t ns) {
  const bool negative = ns < 0;
  const auto size = static_cast<std::uint64_t>(negative ? -ns : ns);
  return fmt::format("{}{}.{:03}", negative ? "-" : "", size / 1000, size % 1000);
}

class ChromeWriter {
 public:
  ChromeWriter(const run::Run& run, const Trace& trace)
      : run_(run), trace_(trace), samples_(samples_of(run, trace)) {}

  std::string write() {
    w_.begin_object().member("displayTimeUnit", "ns").key("traceEvents").begin_array();
    metadata("process_name", 0, run_.workload.name);
    for (std::size_t lane = 0; lane < trace_.lanes.size(); ++lane) {
      const auto& row = trace_.lanes[lane];
      metadata("thread_name", lane + 1,
               trace_.tracks[row.track].name + (row.lane == 0 ? "" : " (overlapping)"));
    }
    for (std::size_t lane = 0; lane < trace_.lanes.size(); ++lane) {
      for (const auto& event : trace_.lanes[lane].events) slice(lane, event);
    }
    for (const auto& counter : run_.counters) values(counter);
    for (const auto& flow : trace_.flows) {
      flow_end("s", flow, flow.from_lane, flow.from_event);
      flow_end("f", flow, flow.to_lane, flow.to_event);
    }
    if (samples_) name_sampled_threads();
    w_.end_array();
    if (samples_) samples();
    w_.key("otherData").begin_object().member("run_id", run_.run_id);
    w_.member("neurolens_version", run_.neurolens_version).end_object().end_object();
    return std::move(w_).take() + "\n";
  }

 private:
  void head(std::string_view phase, std::string_view name, std::size_t thread) {
    w_.begin_object().member("ph", phase).member("name", name).member("pid", 1);
    w_.member("tid", static_cast<std::uint64_t>(thread));
  }

  void metadata(std::string_view what, std::size_t thread, std::string_view name) {
    head("M", what, thread);
    w_.key("args").begin_object().member("name", name).end_object().end_object();
  }

  void slice(std::size_t lane, const TraceEvent& event) {
    head("X", trace_.names[event.name], lane + 1);
    w_.member("cat", event.op == run::kMissing
                         ? std::string_view("event")
                         : std::string_view(run_.ops[static_cast<std::size_t>(event.op)].phase));
    w_.key("ts").raw(micros(event.begin_ns)).key("dur").raw(micros(event.duration_ns));
    if (event.op != run::kMissing) {
      w_.key("args").begin_object();
      for (const auto& fact : facts_of(run_, event.op))
        fact.number ? w_.member(fact.key, *fact.number) : w_.member(fact.key, fact.text);
      w_.end_object();
    }
    w_.end_object();
  }

  void values(const run::CounterTrack& counter) {
    for (std::size_t i = 0; i < counter.value.size(); ++i) {
      head("C", counter.name, 0);
      w_.key("ts").raw(micros(counter.time_ns[i]));
      w_.key("args").begin_object().member(counter.unit, counter.value[i]).end_object();
      w_.end_object();
    }
  }

  void flow_end(std::string_view phase, const TraceFlow& flow, std::size_t lane,
                std::size_t event) {
    head(phase, "launch", lane + 1);
    w_.member("cat", "launch").member("id", static_cast<std::uint64_t>(flow.id));
    w_.key("ts").raw(micros(trace_.lanes[lane].events[event].begin_ns));
    if (phase == "f") w_.member("bp", "e");
    w_.end_object();
  }

  const run::Run& run_;
  /// Where lane 0 of a row stands; a lane's tid is one more than its place.
  [[nodiscard]] std::uint64_t tid_of(const SampledThread& thread) const {
    if (!thread.has_track) return trace_.lanes.size() + thread.tid;
    const auto lane =
        std::find_if(trace_.lanes.begin(), trace_.lanes.end(), [&](const auto& candidate) {
          return candidate.track + 1 == thread.tid && candidate.lane == 0;
        });
    return static_cast<std::uint64_t>(lane - trace_.lanes.begin()) + 1;
  }

  void name_sampled_threads() {
    for (const auto& thread : samples_->threads) {
      if (!thread.has_track) metadata("thread_name", tid_of(thread), thread.name);
    }
  }

  /// Stacks as a tree of frames, each sample with its innermost one.
  void samples() {
    const run::Profile& p = *samples_->profile;
    w_.key("stackFrames").begin_object();
    for (std::size_t i = 0; i < p.stack_frame.size(); ++i) {
      const run::Frame& frame = p.frames[static_cast<std::size_t>(p.stack_frame[i])];
      w_.key(std::to_string(i)).begin_object().member("name", frame.function);
      w_.member("category", frame.module ? *frame.module : std::string("unknown"));
      if (p.stack_parent[i] != run::kMissing)
        w_.member("parent", std::to_string(p.stack_parent[i]));
      w_.end_object();
    }
    w_.end_object().key("samples").begin_array();
    for (std::size_t i = 0; i < p.sample_stack.size(); ++i) {
      w_.begin_object().member("pid", 1);
      w_.member("tid", tid_of(samples_->threads[samples_->thread[i]]));
      w_.key("ts").raw(micros(samples_->time_ns[i]));
      w_.member("name", "sample").member("sf", std::to_string(p.sample_stack[i]));
      w_.member("weight", p.sample_weight[i]).end_object();
    }
    w_.end_array();
  }

  const Trace& trace_;
  std::optional<Samples> samples_;
  json::Writer w_;
};

}  // namespace

Result<std::string> to_chrome(const run::Run& run) {
  NEUROLENS_ASSIGN(const Trace trace, trace_or_samples(run));
  return ChromeWriter(run, trace).write();
}

}  // namespace neurolens::report
