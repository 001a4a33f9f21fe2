// Field numbers: perfetto.protos TracePacket, TrackEvent, TrackDescriptor; see
// docs/guides/report.md.
#include <algorithm>
#include <map>

#include "neurolens/base/text.hpp"
#include "neurolens/report/export.hpp"
#include "protobuf.hpp"
#include "sampled.hpp"
#include "trace_events.hpp"

namespace neurolens::report {
namespace {

// Trace
constexpr std::uint32_t kPacket = 1;
// TracePacket
constexpr std::uint32_t kTimestamp = 8, kSequenceId = 10, kTrackEvent = 11, kInternedData = 12,
                        kSequenceFlags = 13, kTimestampClock = 58, kTrackDescriptor = 60,
                        kPerfSample = 66;
// InternedData
constexpr std::uint32_t kEventNames = 2, kFunctionNames = 5, kFrames = 6, kCallstacks = 7,
                        kMappingPaths = 17, kSourcePaths = 18, kMappings = 19;
// TrackEvent
constexpr std::uint32_t kAnnotations = 4, kType = 9, kNameIid = 10, kTrackUuid = 11,
                        kCategories = 22, kDoubleCounter = 44, kFlowIds = 47, kEndFlowIds = 48;
// TrackDescriptor
constexpr std::uint32_t kUuid = 1, kDescriptorName = 2, kProcess = 3, kThread = 4, kParentUuid = 5,
                        kCounter = 8;

constexpr std::uint64_t kBegin = 1, kEnd = 2, kCounterEvent = 4;
constexpr std::uint64_t kSequence = 1;
/// BUILTIN_CLOCK_MONOTONIC: the Run's origin is unknown to the tool, only differences matter.
constexpr std::uint64_t kMonotonic = 3;
constexpr std::uint64_t kCleared = 1, kNeedsState = 2;
constexpr std::uint64_t kProcessUuid = 1;

class PerfettoWriter {
 public:
  PerfettoWriter(const run::Run& run, const Trace& trace)
      : run_(run), trace_(trace), samples_(samples_of(run, trace)), proto_(out_) {}

  std::string write() {
    first_packet();
    for (std::size_t lane = 0; lane < trace_.lanes.size(); ++lane) describe_lane(lane);
    for (std::size_t i = 0; i < run_.counters.size(); ++i) describe_counter(i);
    collect_flows();
    for (std::size_t lane = 0; lane < trace_.lanes.size(); ++lane) slices(lane);
    for (std::size_t i = 0; i < run_.counters.size(); ++i) counter(i);
    if (samples_) samples();
    return std::move(out_);
  }

 private:
  [[nodiscard]] static std::uint64_t track_uuid(std::uint32_t track) { return 0x1000 + track; }
  [[nodiscard]] std::uint64_t lane_uuid(std::size_t lane) const {
    const auto& row = trace_.lanes[lane];
    return row.lane == 0 ? track_uuid(row.track) : 0x10000000 + lane;
  }
  [[nodiscard]] static std::uint64_t counter_uuid(std::size_t i) { return 0x20000000 + i; }
  [[nodiscard]] static std::uint64_t sampled_uuid(std::size_t i) { return 0x30000000 + i; }

  template <class Fill>
  void packet(const Fill& fill) {
    proto_.message(kPacket, [&] {
      fill();
      proto_.varint(kSequenceId, kSequence);
    });
  }

  /// Clears the state of the sequence, interns all names, and describes the process.
  void first_packet() {
    packet([&] {
      proto_.varint(kSequenceFlags, kCleared);
      proto_.message(kInternedData, [&] {
        for (std::size_t i = 0; i < trace_.names.size(); ++i)
          intern(kEventNames, i + 1, trace_.names[i]);
        if (samples_) intern_frames();
      });
    });
    packet([&] {
      proto_.message(kTrackDescriptor, [&] {
        proto_.varint(kUuid, kProcessUuid);
        proto_.message(kProcess, [&] {
          proto_.varint(1, 1);  // pid
          proto_.text(6, to_valid_utf8(run_.workload.name));
        });
      });
    });
  }

  void intern(std::uint32_t table, std::size_t id, std::string_view text) {
    proto_.message(table, [&] {
      proto_.varint(1, id);
      proto_.text(2, to_valid_utf8(text));
    });
  }

  /// Functions, modules and files of all frames. Addresses are not part of a Run: every frame
  /// stands at the begin of its module, and its name tells it from the others.
  void intern_frames() {
    std::map<std::string, std::size_t> modules, files;
    const auto number = [](std::map<std::string, std::size_t>& all, const std::string& text) {
      return all.try_emplace(text, all.size() + 1).first->second;
    };
    const auto& frames = samples_->profile->frames;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const run::Frame& frame = frames[i];
      intern(kFunctionNames, i + 1, frame.function);
      const std::size_t module = number(modules, frame.module.value_or(""));
      const std::size_t file = frame.file ? number(files, *frame.file) : 0;
      proto_.message(kFrames, [&] {
        proto_.varint(1, i + 1);
        proto_.varint(2, i + 1);  // function name
        proto_.varint(3, module);
        proto_.varint(4, 0);  // address within the module
        if (file != 0) proto_.varint(5, file);
        if (frame.line) proto_.varint(6, static_cast<std::uint64_t>(*frame.line));
      });
    }
    for (const auto& [path, id] : modules) {
      intern(kMappingPaths, id, path);
      proto_.message(kMappings, [&, id = id] {
        proto_.varint(1, id);
        proto_.varint(7, id);  // path
      });
    }
    for (const auto& [path, id] : files) intern(kSourcePaths, id, path);
  }

  void describe_thread(std::uint64_t uuid, std::uint64_t tid, std::string_view name) {
    proto_.varint(kUuid, uuid);
    proto_.varint(kParentUuid, kProcessUuid);
    proto_.message(kThread, [&] {
      proto_.varint(1, 1);  // pid
      proto_.varint(2, tid);
      proto_.text(5, to_valid_utf8(name));
    });
  }

  /// One PerfSample each; a stack is interned in the packet that meets it first.
  void samples() {
    constexpr std::size_t kDeepest = 1024;
    for (std::size_t i = 0; i < samples_->threads.size(); ++i) {
      const SampledThread& thread = samples_->threads[i];
      if (thread.has_track) continue;
      packet([&] {
        proto_.message(kTrackDescriptor,
                       [&] { describe_thread(sampled_uuid(i), thread.tid, thread.name); });
      });
    }
    const run::Profile& profile = *samples_->profile;
    std::vector<bool> known(profile.stack_frame.size());
    for (std::size_t i = 0; i < profile.sample_stack.size(); ++i) {
      const std::int64_t stack = profile.sample_stack[i];
      packet([&] {
        proto_.varint(kTimestamp, static_cast<std::uint64_t>(samples_->time_ns[i]));
        proto_.varint(kTimestampClock, kMonotonic);
        proto_.varint(kSequenceFlags, kNeedsState);
        const std::uint64_t id = static_cast<std::uint64_t>(stack) + 1;
        if (!known[static_cast<std::size_t>(stack)]) {
          known[static_cast<std::size_t>(stack)] = true;
          proto_.message(kInternedData, [&] {
            proto_.message(kCallstacks, [&] {
              proto_.varint(1, id);
              for (const auto frame : frames_of(profile, stack, kDeepest))
                proto_.varint(2, static_cast<std::uint64_t>(frame) + 1);
            });
          });
        }
        proto_.message(kPerfSample, [&] {
          proto_.varint(2, 1);  // pid
          proto_.varint(3, samples_->threads[samples_->thread[i]].tid);
          proto_.varint(4, id);
        });
      });
    }
  }

  void describe_lane(std::size_t lane) {
    const auto& row = trace_.lanes[lane];
    const run::Track& track = trace_.tracks[row.track];
    packet([&] {
      proto_.message(kTrackDescriptor, [&] {
        proto_.varint(kUuid, lane_uuid(lane));
        proto_.varint(kParentUuid, row.lane == 0 ? kProcessUuid : track_uuid(row.track));
        const std::string name = to_valid_utf8(track.name);
        if (row.lane != 0) {
          proto_.text(kDescriptorName, name + " (overlapping)");
        } else if (track.kind == "thread") {
          proto_.message(kThread, [&] {
            proto_.varint(1, 1);  // pid
            // Every track needs a thread id of its own.
            proto_.varint(2, row.track + 1);
            proto_.text(5, name);
          });
        } else {
          proto_.text(kDescriptorName, name);
        }
      });
    });
  }

  void describe_counter(std::size_t i) {
    packet([&] {
      proto_.message(kTrackDescriptor, [&] {
        proto_.varint(kUuid, counter_uuid(i));
        proto_.varint(kParentUuid, kProcessUuid);
        proto_.text(kDescriptorName, to_valid_utf8(run_.counters[i].name));
        proto_.message(kCounter, [&] {
          constexpr std::uint64_t kUnitBytes = 3, kUnitNs = 1, kUnitCount = 2;
          const std::string& unit = run_.counters[i].unit;
          if (unit == "bytes") proto_.varint(3, kUnitBytes);
          if (unit == "ns") proto_.varint(3, kUnitNs);
          if (unit == "count") proto_.varint(3, kUnitCount);
          if (unit != "bytes" && unit != "ns" && unit != "count") proto_.text(6, unit);
        });
      });
    });
  }

  void collect_flows() {
    for (const auto& flow : trace_.flows) {
      starts_[{flow.from_lane, flow.from_event}].push_back(flow.id);
      ends_[{flow.to_lane, flow.to_event}].push_back(flow.id);
    }
  }

  template <class Fill>
  void event(std::int64_t time_ns, std::uint64_t type, std::uint64_t track, const Fill& fill) {
    packet([&] {
      proto_.varint(kTimestamp, static_cast<std::uint64_t>(time_ns));
      proto_.varint(kTimestampClock, kMonotonic);
      proto_.varint(kSequenceFlags, kNeedsState);
      proto_.message(kTrackEvent, [&] {
        proto_.varint(kType, type);
        proto_.varint(kTrackUuid, track);
        fill();
      });
    });
  }

  void annotate(std::int64_t op) {
    for (const auto& fact : facts_of(run_, op)) {
      proto_.message(kAnnotations, [&] {
        constexpr std::uint32_t kName = 10, kInt = 4, kString = 6;
        proto_.text(kName, fact.key);
        fact.number ? proto_.varint(kInt, static_cast<std::uint64_t>(*fact.number))
                    : proto_.text(kString, to_valid_utf8(fact.text));
      });
    }
  }

  void begin_slice(std::size_t lane, std::size_t i) {
    const TraceEvent& e = trace_.lanes[lane].events[i];
    event(e.begin_ns, kBegin, lane_uuid(lane), [&] {
      proto_.varint(kNameIid, e.name + 1);
      proto_.text(kCategories,
                  e.op == run::kMissing ? "event" : run_.ops[static_cast<std::size_t>(e.op)].phase);
      annotate(e.op);
      if (const auto found = starts_.find({lane, i}); found != starts_.end()) {
        for (const auto id : found->second) proto_.fixed64(kFlowIds, id);
      }
      if (const auto found = ends_.find({lane, i}); found != ends_.end()) {
        for (const auto id : found->second) proto_.fixed64(kEndFlowIds, id);
      }
    });
  }

  /// Begins and ends in the order of time; an end stands before a begin of the same moment, unless
  /// it would end a slice that has only just begun.
  void slices(std::size_t lane) {
    std::vector<std::int64_t> open;
    const auto close_until = [&](std::int64_t time_ns) {
      while (!open.empty() && open.back() <= time_ns) {
        event(open.back(), kEnd, lane_uuid(lane), [] {});
        open.pop_back();
      }
    };
    const auto& events = trace_.lanes[lane].events;
    for (std::size_t i = 0; i < events.size(); ++i) {
      close_until(events[i].begin_ns);
      begin_slice(lane, i);
      open.push_back(events[i].begin_ns + events[i].duration_ns);
    }
    close_until(std::numeric_limits<std::int64_t>::max());
  }

  void counter(std::size_t i) {
    const auto& track = run_.counters[i];
    for (std::size_t k = 0; k < track.value.size(); ++k) {
      event(track.time_ns[k], kCounterEvent, counter_uuid(i),
            [&] { proto_.number(kDoubleCounter, track.value[k]); });
    }
  }

  using Place = std::pair<std::size_t, std::size_t>;
  const run::Run& run_;
  const Trace& trace_;
  std::optional<Samples> samples_;
  std::string out_;
  Protobuf proto_;
  std::map<Place, std::vector<std::uint64_t>> starts_, ends_;
};

}  // namespace

Result<std::string> to_perfetto(const run::Run& run) {
  NEUROLENS_ASSIGN(const Trace trace, trace_or_samples(run));
  return PerfettoWriter(run, trace).write();
}

}  // namespace neurolens::report
