#include "migrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <set>
#include <unordered_map>

#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "reflect.hpp"
#include "rules.hpp"

namespace neurolens::run::detail {
namespace {

using json::Value;
using Names = std::initializer_list<std::string_view>;

constexpr std::size_t kMaxText = std::size_t{256} << 20;  // the form is a tree in memory here
constexpr double kMaxMs = 1e9;                            // eleven days

constexpr std::pair<std::string_view, std::string_view> kBackends[] = {
    {"torch", "libtorch"}, {"onnxrt", "onnxruntime"}, {"tensorrt", "tensorrt"}};
constexpr std::pair<std::string_view, std::string_view> kPrecisions[] = {
    {"fp32", "f32"}, {"fp16", "f16"}, {"int8", "int8"}};

std::string escaped(std::string_view key) {
  Path path;
  path.push(key);
  return path.text();
}

std::string as_text(const Value& value) {
  if (const auto* text = value.as_string()) return *text;
  json::Writer writer;
  writer.value(value);
  return std::move(writer).take();
}

/// One event of the earlier timeline, in ns since the earliest one.
struct Event {
  std::int64_t op_index = 0;
  std::string name;
  std::string type;
  std::int64_t begin_ns = 0;
  std::int64_t duration_ns = 0;
  std::vector<Kernel> kernels;
};

/// An object of the earlier form. Members that nobody asks for are kept as options.
class Section {
 public:
  Section(const Value* value, std::string pointer) : value_(value), pointer_(std::move(pointer)) {}

  /// The first of `names` that is there and not null.
  const Value* take(Names names) {
    for (const auto name : names) {
      const Value* found = value_ == nullptr ? nullptr : value_->find(name);
      if (found == nullptr) continue;
      used_.emplace(name);
      last_ = pointer_ + escaped(name);
      if (!found->is_null()) return found;
    }
    last_ = pointer_ + escaped(*names.begin());
    return nullptr;
  }
  std::optional<std::string> text(Names names) {
    const Value* value = take(names);
    if (value == nullptr) return {};
    std::string out = as_text(*value);
    return out.empty() ? std::nullopt : std::optional(std::move(out));
  }
  /// A positive integer in `scale` units; nullopt when it is anything else.
  std::optional<std::int64_t> count(Names names, double scale = 1) {
    const Value* value = take(names);
    const auto number = value == nullptr ? std::nullopt : value->as_double();
    if (!number || !(*number * scale >= 1) || *number * scale > 9e18) return {};
    return static_cast<std::int64_t>(std::llround(*number * scale));
  }
  void keep_rest(std::map<std::string, std::string>& options) const {
    if (value_ == nullptr || !value_->is_object()) return;
    for (const auto& [key, member] : *value_->as_object()) {
      if (used_.count(key) == 0) options["v0:" + pointer_ + escaped(key)] = as_text(member);
    }
  }
  /// Pointer of what was asked for last.
  [[nodiscard]] const std::string& last() const { return last_; }
  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  [[nodiscard]] const Value* value() const { return value_; }

 private:
  const Value* value_;
  std::string pointer_;
  std::string last_;
  std::set<std::string, std::less<>> used_;
};

class Migration {
 public:
  Migration(const Value& root, Run& out, Faults& faults)
      : root_(&root, ""), out_(out), faults_(faults) {}

  void migrate(const std::string& text_hash) {
    if (root_.value()->as_object() == nullptr) {
      faults_.add("", "Must be an object.");
      return;
    }
    identity(text_hash);
    software();
    hardware();
    workload();
    timeline();
    summary();
    root_.keep_rest(out_.config.options);
    out_.overhead.integrity = "suspect";
    out_.overhead.reasons = {"Schema version 0 did not record what the observer cost."};
    out_.notes.emplace_back("Migrated from schema version 0.");
  }

 private:
  void identity(const std::string& hash) {
    root_.take({"schema_version"});
    const auto id = root_.text({"run_id"});
    if (id && !broken(of(Format::uuid), std::string_view(*id))) {
      out_.run_id = *id;
    } else {
      if (id) out_.config.options["v0:/run_id"] = *id;
      // A version 8 UUID (RFC 9562: custom) of the text, so that migrating twice is the same.
      out_.run_id = fmt::format("{}-{}-8{}-8{}-{}", hash.substr(0, 8), hash.substr(8, 4),
                                hash.substr(12, 3), hash.substr(15, 3), hash.substr(18, 12));
    }
    const auto at = root_.text({"created_at", "timestamp"});
    if (at && !broken(of(Format::date_time), std::string_view(*at))) {
      out_.created_at = *at;
    } else {
      if (at) out_.config.options["v0:" + root_.last()] = *at;
      out_.created_at = "1970-01-01T00:00:00Z";
      out_.notes.emplace_back("The instant of the measurement is not known.");
    }
    out_.neurolens_version = root_.text({"neurolens_version", "version"}).value_or("0");
  }

  template <std::size_t N>
  std::optional<std::string> translated(
      Section& section, Names names,
      const std::pair<std::string_view, std::string_view> (&table)[N]) {
    const Value* value = section.take(names);
    if (value == nullptr) return {};
    const std::string text = as_text(*value);
    std::string known;
    for (const auto& [from, to] : table) {
      if (text == from) return std::string(to);
      known += (known.empty() ? "" : ", ") + json::quote(from);
    }
    faults_.add(section.last(),
                fmt::format("Must be one of {}, but is {}.", known, json::quote(text)));
    return {};
  }

  void software() {
    const Value* value = root_.take({"software"});
    if (value == nullptr || !value->is_object()) {
      faults_.add("/software", "Schema version 0 needs an object here.");
      return;
    }
    Section section(value, "/software");
    if (const auto backend = translated(section, {"backend"}, kBackends)) {
      out_.software.backend = *backend;
    } else if (value->find("backend") == nullptr) {
      faults_.add("/software/backend", "This key is missing.");
    }
    out_.software.backend_version = section.text({"backend_version", "version"});
    out_.software.precision = translated(section, {"precision"}, kPrecisions);
    if (!out_.software.precision)
      out_.software.precision = translated(root_, {"precision"}, kPrecisions);
    section.keep_rest(out_.config.options);
  }

  void hardware() {
    const Value* value = root_.take({"hardware"});
    if (value == nullptr || !value->is_object()) {
      faults_.add("/hardware", "Schema version 0 needs an object here.");
      return;
    }
    Section section(value, "/hardware");
    Gpu gpu;
    const auto model = section.text({"gpu_name", "gpu_model", "gpu"});
    if (!model) faults_.add("/hardware/gpu_name", "This key is missing.");
    gpu.model = model.value_or("");
    gpu.memory_bytes = section.count({"gpu_memory_bytes"});
    if (!gpu.memory_bytes) gpu.memory_bytes = section.count({"gpu_memory_mb"}, 1024.0 * 1024);
    if (!gpu.memory_bytes)
      gpu.memory_bytes = section.count({"gpu_memory_gb"}, 1024.0 * 1024 * 1024);
    gpu.driver = section.text({"driver_version", "driver"});
    gpu.compute_capability = section.text({"compute_capability"});
    gpu.multiprocessors = section.count({"sm_count"});
    out_.host.gpus = {gpu};
    out_.host.cpu_model = section.text({"cpu_model", "cpu"}).value_or("unknown");
    const auto cores = section.count({"cpu_cores", "cpu_count"});
    out_.host.cores_logical = cores.value_or(1);
    if (!cores) out_.notes.emplace_back("The number of cores is not known; it stands as 1.");
    out_.host.memory_bytes = section.count({"memory_gb", "ram_gb"}, 1024.0 * 1024 * 1024);
    out_.host.architecture = section.text({"architecture"}).value_or("unknown");
    out_.host.os = section.text({"os"}).value_or("unknown");
    out_.host.kernel = section.text({"kernel"}).value_or("unknown");
    section.keep_rest(out_.config.options);
  }

  void workload() {
    out_.workload.kind = "imported";
    const Value* value = root_.take({"model", "workload"});
    const bool object = value != nullptr && value->is_object();
    Section section(object ? value : nullptr, root_.last());
    if (object) {
      out_.workload.name = section.text({"name"}).value_or("unknown");
    } else {
      out_.workload.name =
          value != nullptr ? as_text(*value) : root_.text({"model_name"}).value_or("unknown");
    }
    if (out_.workload.name.empty()) out_.workload.name = "unknown";
    out_.workload.path = section.text({"path"});
    out_.workload.parameters = section.count({"parameters"});
    out_.workload.batch_size = section.count({"batch_size"});
    if (!out_.workload.batch_size) out_.workload.batch_size = root_.count({"batch_size"});
    out_.workload.sequence_length = section.count({"sequence_length"});
    section.keep_rest(out_.config.options);
  }

  /// A time in ms as ns; reports what is no such thing.
  std::optional<std::int64_t> milliseconds(Section& section, Names names) {
    const Value* value = section.take(names);
    if (value == nullptr) {
      faults_.add(section.last(), "This key is missing.");
      return {};
    }
    const auto number = value->as_double();
    if (!number || !(*number >= 0 && *number <= kMaxMs)) {
      faults_.add(section.last(), fmt::format("Must be milliseconds in [0, {}], but is {}.", kMaxMs,
                                              as_text(*value)));
      return {};
    }
    return std::llround(*number * 1e6);
  }

  std::string required_text(Section& section, Names names) {
    const Value* value = section.take(names);
    if (value != nullptr && value->is_string() && !value->as_string()->empty())
      return *value->as_string();
    faults_.add(section.last(),
                value == nullptr ? "This key is missing." : "Must be a string that is not empty.");
    return {};
  }

  void timeline() {
    const Value* value = root_.take({"timeline"});
    if (value == nullptr || !value->is_array()) {
      faults_.add("/timeline", "Schema version 0 needs an array here.");
      return;
    }
    const auto& entries = *value->as_array();
    std::vector<Event> events;
    for (std::size_t i = 0; i < entries.size() && !faults_.saturated(); ++i) {
      const std::string pointer = fmt::format("/timeline/{}", i);
      if (!entries[i].is_object()) {
        faults_.add(pointer, "Must be an object.");
        continue;
      }
      Section section(&entries[i], pointer);
      events.push_back(event(section));
      section.keep_rest(out_.config.options);
    }
    if (!faults_.empty() || events.empty()) return;
    place(events);
  }

  Event event(Section& section) {
    Event out;
    const Value* index = section.take({"op_index"});
    const auto number = index == nullptr ? std::nullopt : index->as_int();
    if (!number || *number < 0) {
      faults_.add(section.last(),
                  index == nullptr ? "This key is missing." : "Must be an integer of at least 0.");
    }
    out.op_index = number.value_or(0);
    out.name = required_text(section, {"op_name"});
    out.type = required_text(section, {"op_type"});
    const auto start = milliseconds(section, {"start_ms"});
    const auto end = milliseconds(section, {"end_ms"});
    const auto duration = milliseconds(section, {"duration_ms"});
    if (start && end && duration) {
      check_times(section.pointer(), *start, *end, *duration);
      out.begin_ns = *start;
      out.duration_ns = *duration;
    }
    if (const Value* kernels = section.take({"kernels"})) {
      if (!kernels->is_array()) {
        faults_.add(section.last(), "Must be an array.");
      } else {
        for (std::size_t i = 0; i < kernels->as_array()->size(); ++i) {
          out.kernels.push_back(kernel((*kernels->as_array())[i],
                                       fmt::format("{}/kernels/{}", section.pointer(), i)));
        }
      }
    }
    return out;
  }

  void check_times(const std::string& pointer, std::int64_t start, std::int64_t end,
                   std::int64_t duration) {
    constexpr std::int64_t kRounding = 2000;  // milliseconds were often written with 3 decimals
    if (end < start) {
      faults_.add(pointer + "/end_ms", "Must not come before start_ms.");
    } else if (std::abs(end - start - duration) > kRounding + duration / 100) {
      faults_.add(pointer + "/duration_ms", "Does not agree with end_ms - start_ms.");
    }
  }

  Kernel kernel(const Value& value, const std::string& pointer) {
    Kernel out;
    if (value.is_string() && !value.as_string()->empty()) {
      out.name = *value.as_string();
      return out;
    }
    if (!value.is_object()) {
      faults_.add(pointer, "Must be an object or the name of a kernel.");
      return out;
    }
    Section section(&value, pointer);
    out.name = required_text(section, {"name", "kernel_name"});
    if (value.find("duration_ms") != nullptr) out.time_ns = milliseconds(section, {"duration_ms"});
    for (const auto& [key, member] : *value.as_object()) {
      if (key == "name" || key == "kernel_name" || key == "duration_ms") continue;
      if (member.is_number() || member.is_null()) {
        out.counters[key] = member.as_double();
        section.take({key});
      }
    }
    section.keep_rest(out_.config.options);
    return out;
  }

  /// Turns events into ops, one iteration of samples, and the timeline.
  void place(std::vector<Event>& events) {
    std::stable_sort(events.begin(), events.end(),
                     [](const Event& a, const Event& b) { return a.begin_ns < b.begin_ns; });
    const std::int64_t origin = events.front().begin_ns;
    std::map<std::int64_t, std::size_t> places;
    for (const auto& event : events) places.emplace(event.op_index, 0);
    std::size_t next = 0;
    for (auto& [index, place] : places) place = next++;
    out_.ops.resize(places.size());
    Timeline timeline;
    timeline.tracks = {{"imported", "stream", std::nullopt, std::nullopt}};
    std::unordered_map<std::string, std::int64_t> names;
    std::int64_t last = 0;
    for (auto& event : events) {
      const std::size_t place = places[event.op_index];
      add_to_op(out_.ops[place], event);
      const auto [name, added] =
          names.emplace(event.name, static_cast<std::int64_t>(timeline.names.size()));
      if (added) timeline.names.push_back(event.name);
      timeline.track.push_back(0);
      timeline.name.push_back(name->second);
      timeline.op.push_back(static_cast<std::int64_t>(place));
      timeline.begin_ns.push_back(event.begin_ns - origin);
      timeline.duration_ns.push_back(event.duration_ns);
      last = std::max(last, event.begin_ns - origin + event.duration_ns);
    }
    out_.timeline = std::move(timeline);
    auto& rows = out_.samples.iterations;
    rows.begin_ns = {0};
    rows.duration_ns = {last};
    rows.observed = {1};
    rows.warmup = {0};
    rows.disturbed = {0};
    for (const auto& op : out_.ops) out_.samples.op_duration_ns.push_back({op.estimate->time_ns});
  }

  void add_to_op(Op& op, Event& event) {
    if (!op.estimate) {
      op.name = event.name;
      op.type = event.type;
      op.executions_per_iteration = 0;
      op.estimate = Estimate{0, std::nullopt, std::nullopt, 0, "observed"};
    } else if (op.name != event.name || op.type != event.type) {
      faults_.add("/timeline",
                  fmt::format("The op_index {} stands for {} and for {}.", event.op_index,
                              json::quote(op.name), json::quote(event.name)));
    }
    op.estimate->time_ns = saturating_sum(op.estimate->time_ns, event.duration_ns);
    op.estimate->raw_time_ns = op.estimate->time_ns;
    *op.executions_per_iteration += 1;
    std::move(event.kernels.begin(), event.kernels.end(), std::back_inserter(op.kernels));
  }

  static std::int64_t saturating_sum(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
  }

  void summary() {
    const Value* value = root_.take({"summary"});
    if (value == nullptr) return;
    if (!value->is_object()) {
      faults_.add("/summary", "Must be an object.");
      return;
    }
    Section(value, "/summary").keep_rest(out_.config.options);
  }

  Section root_;
  Run& out_;
  Faults& faults_;
};

}  // namespace

Status read_version_0(std::string_view text, Run& out, Faults& faults) {
  if (text.size() > kMaxText) {
    return Error{Errc::too_large,
                 fmt::format("A Run of schema version 0 has at most {} bytes.", kMaxText), ""};
  }
  NEUROLENS_ASSIGN(const Value root, json::parse(text));
  Migration(root, out, faults).migrate(sha256(text));
  return {};
}

}  // namespace neurolens::run::detail
