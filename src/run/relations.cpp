// Rules between values of a Run.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_set>

#include "neurolens/base/json.hpp"
#include "rules.hpp"

namespace neurolens::run::detail {
namespace {

class RelationChecker {
 public:
  RelationChecker(const Run& run, Faults& faults) : run_(run), faults_(faults) {}

  void check() {
    check_identity();
    check_host();
    check_ops();
    check_iterations();
    check_op_samples();
    if (run_.timeline) check_timeline(*run_.timeline);
    check_counters();
    if (run_.profile) check_profile(*run_.profile);
    check_overhead();
    check_ceilings();
  }

 private:
  void fault(std::string pointer, std::string sentence) {
    faults_.add(std::move(pointer), std::move(sentence));
  }

  void check_identity() {
    const std::string& at = run_.created_at;
    if (at.size() >= 10) {
      const auto number = [&](std::size_t begin, std::size_t size) {
        return std::atoi(at.substr(begin, size).c_str());
      };
      static constexpr std::array kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
      const int year = number(0, 4);
      const int month = number(5, 2);
      const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
      const bool february = month == 2 && leap;
      if (month >= 1 && month <= 12 &&
          number(8, 2) > kDays[static_cast<std::size_t>(month - 1)] + (february ? 1 : 0)) {
        fault("/created_at", fmt::format("There is no such day: {}.", at.substr(0, 10)));
      }
    }
    if (run_.status == "partial" && !run_.status_reason) {
      fault("/status_reason", "A partial Run must say why it is partial.");
    }
  }

  void check_host() {
    if (!run_.host.cores_used) return;
    std::unordered_set<std::int64_t> seen;
    for (std::size_t i = 0; i < run_.host.cores_used->size(); ++i) {
      const std::int64_t id = (*run_.host.cores_used)[i];
      if (!seen.insert(id).second) {
        fault(fmt::format("/host/cores_used/{}", i), fmt::format("Core {} is listed twice.", id));
      }
    }
  }

  /// low <= value <= high, where they are known.
  template <class T>
  void check_interval(const std::string& pointer, std::string_view value_key,
                      std::string_view low_key, std::string_view high_key, T value,
                      const std::optional<T>& low, const std::optional<T>& high) {
    if (low && *low > value) {
      fault(fmt::format("{}/{}", pointer, low_key),
            fmt::format("Must not exceed {} ({}), but is {}.", value_key, value, *low));
    }
    if (high && *high < value) {
      fault(fmt::format("{}/{}", pointer, high_key),
            fmt::format("Must not be below {} ({}), but is {}.", value_key, value, *high));
    }
  }

  void check_ops() {
    for (std::size_t i = 0; i < run_.ops.size() && !faults_.saturated(); ++i) {
      const auto& estimate = run_.ops[i].estimate;
      if (!estimate) continue;
      if (estimate->low_ns > estimate->time_ns ||
          (estimate->high_ns && *estimate->high_ns < estimate->time_ns)) {
        check_interval(fmt::format("/ops/{}/estimate", i), "time_ns", "low_ns", "high_ns",
                       estimate->time_ns, estimate->low_ns, estimate->high_ns);
      }
    }
  }

  template <class Values>
  void check_length(const std::string& pointer, const Values& values, std::size_t expected,
                    std::string_view of_what, bool may_be_empty = false) {
    if (values.size() == expected || (may_be_empty && values.empty())) return;
    fault(pointer,
          fmt::format("Has {} entries where {} has {}.", values.size(), of_what, expected));
  }

  void check_iterations() {
    const auto& rows = run_.samples.iterations;
    const std::string at = "/samples/iterations";
    const std::size_t size = rows.begin_ns.size();
    check_length(at + "/duration_ns", rows.duration_ns, size, "begin_ns");
    check_length(at + "/observed", rows.observed, size, "begin_ns");
    check_length(at + "/warmup", rows.warmup, size, "begin_ns");
    check_length(at + "/disturbed", rows.disturbed, size, "begin_ns");
    check_length(at + "/cpu_time_ns", rows.cpu_time_ns, size, "begin_ns", true);
    check_length(at + "/steal_ns", rows.steal_ns, size, "begin_ns", true);
    check_length(at + "/involuntary_switches", rows.involuntary_switches, size, "begin_ns", true);
    check_length(at + "/page_faults", rows.page_faults, size, "begin_ns", true);
    check_length(at + "/frequency_hz", rows.frequency_hz, size, "begin_ns", true);
    check_rising(at + "/begin_ns", rows.begin_ns);
    check_ends(at + "/duration_ns", rows.begin_ns, rows.duration_ns);
  }

  void check_rising(const std::string& pointer, const Column& column) {
    for (std::size_t i = 1; i < column.size() && !faults_.saturated(); ++i) {
      if (column[i] < column[i - 1]) {
        fault(fmt::format("{}/{}", pointer, i),
              fmt::format("Begins at {}, before the entry ahead of it ({}); sort by time.",
                          column[i], column[i - 1]));
      }
    }
  }

  /// begin + duration must be an instant too.
  void check_ends(const std::string& pointer, const Column& begin, const Column& duration) {
    const std::size_t size = std::min(begin.size(), duration.size());
    for (std::size_t i = 0; i < size && !faults_.saturated(); ++i) {
      std::int64_t end = 0;
      if (__builtin_add_overflow(begin[i], duration[i], &end)) {
        fault(fmt::format("{}/{}", pointer, i), "Begin plus duration exceeds 64 bits.");
      }
    }
  }

  void check_op_samples() {
    const auto& columns = run_.samples.op_duration_ns;
    const std::string at = "/samples/op_duration_ns";
    check_length(at, columns, run_.ops.size(), "/ops", true);
    const auto& observed = run_.samples.iterations.observed;
    const auto rows = static_cast<std::size_t>(std::count(observed.begin(), observed.end(), 1));
    for (std::size_t op = 0; op < columns.size() && !faults_.saturated(); ++op) {
      if (columns[op].size() == rows || columns[op].empty()) continue;
      fault(fmt::format("{}/{}", at, op),
            fmt::format("Has {} entries where {} iterations were observed.", columns[op].size(),
                        rows));
    }
  }

  /// Entries must index a list of `size` things; kMissing is no index.
  void check_indices(const std::string& pointer, const Column& column, std::size_t size,
                     std::string_view list) {
    for (std::size_t i = 0; i < column.size() && !faults_.saturated(); ++i) {
      if (column[i] == kMissing) continue;
      if (column[i] < 0 || static_cast<std::uint64_t>(column[i]) >= size) {
        fault(fmt::format("{}/{}", pointer, i),
              fmt::format("Is {}, but {} has {} entries.", column[i], list, size));
      }
    }
  }

  void check_timeline(const Timeline& timeline) {
    const std::size_t size = timeline.track.size();
    check_length("/timeline/name", timeline.name, size, "track");
    check_length("/timeline/op", timeline.op, size, "track");
    check_length("/timeline/begin_ns", timeline.begin_ns, size, "track");
    check_length("/timeline/duration_ns", timeline.duration_ns, size, "track");
    check_indices("/timeline/track", timeline.track, timeline.tracks.size(), "/timeline/tracks");
    check_indices("/timeline/name", timeline.name, timeline.names.size(), "/timeline/names");
    check_indices("/timeline/op", timeline.op, run_.ops.size(), "/ops");
    check_ends("/timeline/duration_ns", timeline.begin_ns, timeline.duration_ns);
    check_names(timeline);
    check_track_order(timeline);
  }

  void check_names(const Timeline& timeline) {
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < timeline.names.size() && !faults_.saturated(); ++i) {
      if (!seen.insert(timeline.names[i]).second) {
        fault(fmt::format("/timeline/names/{}", i),
              fmt::format("{} is listed twice.", json::quote(timeline.names[i])));
      }
    }
  }

  void check_track_order(const Timeline& timeline) {
    std::vector<std::int64_t> latest(timeline.tracks.size(), 0);
    const std::size_t size = std::min(timeline.track.size(), timeline.begin_ns.size());
    for (std::size_t i = 0; i < size && !faults_.saturated(); ++i) {
      const auto track = static_cast<std::uint64_t>(timeline.track[i]);
      if (track >= latest.size()) continue;
      if (timeline.begin_ns[i] < latest[track]) {
        fault(fmt::format("/timeline/begin_ns/{}", i),
              fmt::format("Begins at {}, before an earlier event of its track ({}); sort by begin "
                          "within a track.",
                          timeline.begin_ns[i], latest[track]));
      }
      latest[track] = std::max(latest[track], timeline.begin_ns[i]);
    }
  }

  void check_counters() {
    for (std::size_t i = 0; i < run_.counters.size() && !faults_.saturated(); ++i) {
      const auto& counter = run_.counters[i];
      const std::string at = fmt::format("/counters/{}", i);
      check_length(at + "/value", counter.value, counter.time_ns.size(), "time_ns");
      check_rising(at + "/time_ns", counter.time_ns);
    }
  }

  void check_profile(const Profile& profile) {
    check_length("/profile/stack_frame", profile.stack_frame, profile.stack_parent.size(),
                 "stack_parent");
    for (std::size_t i = 0; i < profile.stack_parent.size() && !faults_.saturated(); ++i) {
      const std::int64_t parent = profile.stack_parent[i];
      if (parent == kMissing) continue;
      if (parent < 0 || static_cast<std::uint64_t>(parent) >= i) {
        fault(fmt::format("/profile/stack_parent/{}", i),
              fmt::format("Must be smaller than its own index {}, but is {}.", i, parent));
      }
    }
    check_indices("/profile/stack_frame", profile.stack_frame, profile.frames.size(),
                  "/profile/frames");
    check_indices("/profile/sample_stack", profile.sample_stack, profile.stack_parent.size(),
                  "/profile/stack_parent");
    const std::size_t samples = profile.sample_stack.size();
    check_length("/profile/sample_time_ns", profile.sample_time_ns, samples, "sample_stack", true);
    check_length("/profile/sample_weight", profile.sample_weight, samples, "sample_stack");
    check_length("/profile/sample_thread", profile.sample_thread, samples, "sample_stack", true);
  }

  void check_overhead() {
    const auto& overhead = run_.overhead;
    for (std::size_t i = 0; i < overhead.ledger.size() && !faults_.saturated(); ++i) {
      const auto& entry = overhead.ledger[i];
      check_interval(fmt::format("/overhead/ledger/{}", i), "cost_ns", "low_ns", "high_ns",
                     entry.cost_ns, entry.low_ns, entry.high_ns);
    }
    if (overhead.integrity == "ok" && !overhead.reasons.empty()) {
      fault("/overhead/reasons", "Must be empty when integrity is \"ok\".");
    }
    if (overhead.integrity != "ok" && overhead.reasons.empty()) {
      fault("/overhead/reasons",
            fmt::format("Must say why integrity is \"{}\".", overhead.integrity));
    }
  }

  void check_ceilings() {
    for (std::size_t i = 0; i < run_.ceilings.size() && !faults_.saturated(); ++i) {
      const auto& ceiling = run_.ceilings[i];
      check_interval(fmt::format("/ceilings/{}", i), "value", "low", "high", ceiling.value,
                     ceiling.low, ceiling.high);
    }
  }

  const Run& run_;
  Faults& faults_;
};

}  // namespace

void check_relations(const Run& run, Faults& faults) {
  RelationChecker(run, faults).check();
}

}  // namespace neurolens::run::detail
