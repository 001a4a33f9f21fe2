#include <fmt/format.h>

#include "neurolens/base/json.hpp"
#include "neurolens/report/export.hpp"
#include "trace_events.hpp"

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
  ChromeWriter(const run::Run& run, const Trace& trace) : run_(run), trace_(trace) {}

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
    w_.end_array().key("otherData").begin_object().member("run_id", run_.run_id);
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
  const Trace& trace_;
  json::Writer w_;
};

}  // namespace

Result<std::string> to_chrome(const run::Run& run) {
  NEUROLENS_ASSIGN(const Trace trace, trace_of(run));
  return ChromeWriter(run, trace).write();
}

}  // namespace neurolens::report
