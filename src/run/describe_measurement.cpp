// Tables of what was measured: samples, timeline, counters, stacks, overhead, and the Run itself.
#include "reflect.hpp"

namespace neurolens::run::detail {
namespace {

constexpr std::string_view kTrackKinds[] = {"thread", "stream", "process", "async"};
constexpr std::string_view kCounterUnits[] = {"bytes",
                                              "ratio",
                                              "count",
                                              "hz",
                                              "ns",
                                              "watts",
                                              "celsius",
                                              "flops_per_second",
                                              "bytes_per_second",
                                              "unknown"};
constexpr std::string_view kWeightUnits[] = {"ns", "bytes"};
constexpr std::string_view kIntegrities[] = {"ok", "suspect", "broken"};
constexpr std::string_view kCeilingUnits[] = {"flops_per_second", "bytes_per_second"};
constexpr std::string_view kStatuses[] = {"complete", "partial"};

}  // namespace

template <>
const Object& object_of<Iterations>() {
  static const Field fields[] = {
      field<&Iterations::begin_ns>("begin_ns", at_least(0), "Since the start; never decreases."),
      field<&Iterations::duration_ns>("duration_ns", at_least(0), "Of the whole iteration."),
      field<&Iterations::observed>("observed", between(0, 1),
                                   "1: the backend's profiler or a sampler was on."),
      field<&Iterations::warmup>("warmup", between(0, 1),
                                 "1: before the measurement settled; kept, not used."),
      field<&Iterations::disturbed>("disturbed", between(0, 1),
                                    "1: taken in a disturbed state; kept, not used."),
      field<&Iterations::cpu_time_ns>("cpu_time_ns", or_missing(at_least(0)),
                                      "Of all threads of the process; empty when not collected."),
      field<&Iterations::steal_ns>("steal_ns", or_missing(at_least(0)),
                                   "Taken by the hypervisor; empty when not collected."),
      field<&Iterations::involuntary_switches>("involuntary_switches", or_missing(at_least(0)),
                                               "Context switches; empty when not collected."),
      field<&Iterations::page_faults>("page_faults", or_missing(at_least(0)),
                                      "Empty when not collected."),
      field<&Iterations::frequency_hz>("frequency_hz", or_missing(at_least(1)),
                                       "Clock; empty when not collected."),
  };
  static const Object object{
      "iterations", "Whole iterations in the order they ran; columns of equal length.", fields};
  return object;
}

template <>
const Object& object_of<Samples>() {
  static const Field fields[] = {
      field<&Samples::iterations>("iterations", any(), "Whole iterations."),
      field<&Samples::op_duration_ns>(
          "op_duration_ns", or_missing(at_least(0)),
          "Per op (in the order of /ops; empty when not collected) one value per observed "
          "iteration in the order of those, warm-up included; an op's column may be empty."),
  };
  static const Object object{"samples", "What was measured, iteration by iteration.", fields};
  return object;
}

template <>
const Object& object_of<Track>() {
  static const Field fields[] = {
      field<&Track::name>("name", any(), "What people call it."),
      field<&Track::kind>("kind", one_of(kTrackKinds), "What it stands for."),
      field<&Track::process>("process", at_least(0), "Process id."),
      field<&Track::id>("id", at_least(0), "Thread or stream id."),
  };
  static const Object object{"track", "A row of the timeline.", fields};
  return object;
}

template <>
const Object& object_of<Timeline>() {
  static const Field fields[] = {
      field<&Timeline::tracks>("tracks", any(), "Rows."),
      field<&Timeline::names>("names", any(), "Names of events, each once."),
      field<&Timeline::track>("track", at_least(0), "Per event: index into tracks."),
      field<&Timeline::name>("name", at_least(0), "Per event: index into names."),
      field<&Timeline::op>("op", or_missing(at_least(0)),
                           "Per event: index into /ops; null when it is none."),
      field<&Timeline::begin_ns>("begin_ns", at_least(0),
                                 "Per event; never decreases within a track."),
      field<&Timeline::duration_ns>("duration_ns", at_least(0), "Per event."),
  };
  static const Object object{"timeline", "Begin and duration of events; columns of equal length.",
                             fields};
  return object;
}

template <>
const Object& object_of<CounterTrack>() {
  static const Field fields[] = {
      field<&CounterTrack::name>("name", filled(), "What is counted."),
      field<&CounterTrack::unit>("unit", one_of(kCounterUnits), "Unit of the values."),
      field<&CounterTrack::time_ns>("time_ns", at_least(0), "Instants; never decrease."),
      field<&CounterTrack::value>("value", any(), "One per instant."),
  };
  static const Object object{"counter_track", "A quantity over time.", fields};
  return object;
}

template <>
const Object& object_of<Frame>() {
  static const Field fields[] = {
      field<&Frame::function>("function", any(), "Demangled name."),
      field<&Frame::file>("file", any(), "Source file."),
      field<&Frame::line>("line", at_least(0), "Line in it."),
      field<&Frame::module>("module", any(), "Program or shared object."),
  };
  static const Object object{"frame", "A place in a program.", fields};
  return object;
}

template <>
const Object& object_of<Profile>() {
  static const Field fields[] = {
      field<&Profile::frames>("frames", any(), "Places that stacks are made of."),
      field<&Profile::stack_parent>("stack_parent", or_missing(at_least(0)),
                                    "Per stack: its caller's index, smaller than its own; null at "
                                    "the root."),
      field<&Profile::stack_frame>("stack_frame", at_least(0), "Per stack: index into frames."),
      field<&Profile::sample_stack>("sample_stack", at_least(0),
                                    "Per sample: index of the innermost stack."),
      field<&Profile::sample_time_ns>("sample_time_ns", or_missing(at_least(0)),
                                      "Per sample; empty when not collected."),
      field<&Profile::sample_weight>("sample_weight", at_least(0), "Per sample, in weight_unit."),
      field<&Profile::sample_thread>("sample_thread", or_missing(at_least(0)),
                                     "Per sample: thread id; empty when not collected."),
      field<&Profile::weight_unit>("weight_unit", one_of(kWeightUnits), "Unit of the weights."),
      field<&Profile::period_ns>("period_ns", at_least(1), "Time between samples asked for."),
  };
  static const Object object{"profile", "Stacks of a sampling profiler.", fields};
  return object;
}

template <>
const Object& object_of<LedgerEntry>() {
  static const Field fields[] = {
      field<&LedgerEntry::event>("event", filled(), "Kind of observation, such as \"op\"."),
      field<&LedgerEntry::cost_ns>("cost_ns", at_least(0), "Per event."),
      field<&LedgerEntry::low_ns>("low_ns", any(), "95 % interval, lower end; <= cost_ns."),
      field<&LedgerEntry::high_ns>("high_ns", any(), "Upper end; >= cost_ns."),
      field<&LedgerEntry::events_per_iteration>("events_per_iteration", at_least(0),
                                                "How often it happens."),
  };
  static const Object object{"ledger_entry", "Cost of one observation, calibrated here.", fields};
  return object;
}

template <>
const Object& object_of<Overhead>() {
  static const Field fields[] = {
      field<&Overhead::observed_ratio>("observed_ratio", above_zero(),
                                       "Median observed / median unobserved iteration."),
      field<&Overhead::ledger>("ledger", any(), "What each kind of observation costs."),
      field<&Overhead::events_lost>("events_lost", at_least(0), "Observations dropped."),
      field<&Overhead::integrity>("integrity", one_of(kIntegrities),
                                  "Whether the observed times can be trusted."),
      field<&Overhead::reasons>("reasons", filled(), "Why not; empty when integrity is \"ok\"."),
  };
  static const Object object{"overhead", "What the observer did to the measurement.", fields};
  return object;
}

template <>
const Object& object_of<Memory>() {
  static const Field fields[] = {
      field<&Memory::host_before_bytes>("host_before_bytes", at_least(0),
                                        "Resident set before the workload."),
      field<&Memory::host_peak_bytes>("host_peak_bytes", at_least(0), "Largest resident set."),
      field<&Memory::accelerator_peak_bytes>("accelerator_peak_bytes", at_least(0),
                                             "Most device memory in use."),
  };
  static const Object object{"memory", "Memory in use.", fields};
  return object;
}

template <>
const Object& object_of<Ceiling>() {
  static const Field fields[] = {
      field<&Ceiling::name>("name", filled(), "Such as \"triad_dram_all\"."),
      field<&Ceiling::unit>("unit", one_of(kCeilingUnits), "Unit of the values."),
      field<&Ceiling::value>("value", above_zero(), "Measured."),
      field<&Ceiling::low>("low", any(), "95 % interval, lower end; <= value."),
      field<&Ceiling::high>("high", any(), "Upper end; >= value."),
  };
  static const Object object{"ceiling", "A measured ceiling of the machine.", fields};
  return object;
}

template <>
const Object& object_of<Head>() {
  static const Field fields[] = {
      field<&Head::schema_version>("schema_version", of(Format::version),
                                   "Version of this form: 1.MINOR.PATCH."),
      field<&Head::content_hash>(
          "content_hash", of(Format::sha256),
          "SHA-256 of the canonical text without schema_version, content_hash, run_id and "
          "created_at: equal content, equal hash."),
  };
  static const Object object{"head", "What a document holds besides the Run.", fields};
  return object;
}

template <>
const Object& object_of<Run>() {
  static const Field fields[] = {
      field<&Run::run_id>("run_id", of(Format::uuid), "UUID of this measurement."),
      field<&Run::created_at>("created_at", of(Format::date_time), "RFC 3339, UTC."),
      field<&Run::neurolens_version>("neurolens_version", filled(), "What wrote it."),
      field<&Run::status>("status", one_of(kStatuses), "\"partial\": stopped before its end."),
      field<&Run::status_reason>("status_reason", filled(), "Why it is partial."),
      field<&Run::host>("host", any(), "The machine."),
      field<&Run::software>("software", any(), "What executed the workload."),
      field<&Run::workload>("workload", any(), "What ran."),
      field<&Run::config>("config", any(), "How the measurement was set up."),
      field<&Run::tags>("tags", any(), "Labels that people gave."),
      field<&Run::ops>("ops", any(), "Op instances of the executed plan, in its order."),
      field<&Run::samples>("samples", any(), "Iteration by iteration."),
      field<&Run::timeline>("timeline", any(), "At least one representative iteration."),
      field<&Run::counters>("counters", any(), "Quantities over time."),
      field<&Run::profile>("profile", any(), "Stacks of a sampling profiler."),
      field<&Run::overhead>("overhead", any(), "What the observer did to the measurement."),
      field<&Run::memory>("memory", any(), "Memory in use."),
      field<&Run::ceilings>("ceilings", any(), "Measured ceilings of the machine."),
      field<&Run::notes>("notes", filled(), "What is not known and why, in sentences."),
  };
  static const Object object{"run", "One measurement of one workload on one host.", fields};
  return object;
}

}  // namespace neurolens::run::detail
