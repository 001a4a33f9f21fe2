#include "neurolens/base/json.hpp"
#include "record_report.hpp"

namespace neurolens::cli {
namespace {

using capture::FunctionCost;
using capture::NamedCost;
using capture::SampledProfile;

void put_share(json::Writer& w, std::string_view name, const capture::Share& s) {
  w.key(name).begin_object().member("value", s.value).member("low", s.low).member("high", s.high);
  w.end_object();
}

void put_costs(json::Writer& w, std::string_view name, const std::vector<NamedCost>& costs,
               double threshold = 0) {
  w.key(name).begin_array();
  for (const NamedCost& c : costs) {
    if (c.share.value < threshold) break;  // sorted
    w.begin_object().member("name", c.name).member("samples", c.samples);
    put_share(w, "own_ratio", c.share);
    w.end_object();
  }
  w.end_array();
}

/// Callers and callees: samples with that call on the stack, not own ones.
void put_calls(json::Writer& w, std::string_view name, const std::vector<NamedCost>& costs) {
  w.key(name).begin_array();
  for (const NamedCost& c : costs) {
    w.begin_object().member("name", c.name).member("samples", c.samples);
    put_share(w, "ratio", c.share);
    w.end_object();
  }
  w.end_array();
}

void put_function(json::Writer& w, const SampledProfile& p, const FunctionCost& c) {
  const auto& f = p.functions[c.function.index()];
  w.member("name", f.name).member("module", p.modules[f.module.index()].path).key("file");
  f.file.empty() ? w.null() : w.value(f.file);
  w.member("kernel", f.kernel);
  w.member("own_samples", c.own_samples).member("cumulative_samples", c.cumulative_samples);
  put_share(w, "own_ratio", c.own);
  put_share(w, "cumulative_ratio", c.cumulative);
  w.member("own_time_ns", c.own_time).member("cumulative_time_ns", c.cumulative_time);
}

void put_focus(json::Writer& w, const SampledProfile& p, const std::optional<std::string>& name) {
  w.key("focus");
  if (!name) {
    w.null();
    return;
  }
  w.begin_object().member("asked", *name).key("functions").begin_array();
  for (const capture::FunctionId id : capture::functions_named(p, *name)) {
    const auto d = capture::function_detail(p, id);
    w.begin_object();
    put_function(w, p, d.cost);
    put_calls(w, "callers", d.callers);
    put_calls(w, "callees", d.callees);
    put_costs(w, "lines", d.lines);
    w.end_object();
  }
  w.end_array().end_object();
}

/// Worth showing: a good part of what was allocated, of the peak, or of the leaks.
bool large(const capture::MemorySite& s, const capture::MemoryProfile& m, double threshold) {
  const auto part = [threshold](Bytes of, Bytes all) {
    return of.count > 0 &&
           static_cast<double>(of.count) >= threshold * static_cast<double>(all.count);
  };
  return part(s.allocated, m.allocated) || part(s.live, m.live_at_exit) || part(s.peak, m.peak);
}

void put_memory(json::Writer& w, const capture::MemoryProfile& m, double threshold) {
  w.begin_object().member("allocations", m.allocations).member("releases", m.releases);
  w.member("allocated_bytes", m.allocated).member("peak_bytes", m.peak);
  w.member("live_at_exit_bytes", m.live_at_exit).key("sites").begin_array();
  std::uint64_t left_out = 0;
  for (const capture::MemorySite& s : m.sites) {
    if (!large(s, m, threshold)) {
      ++left_out;
      continue;
    }
    w.begin_object().member("allocations", s.allocations).member("allocated_bytes", s.allocated);
    w.member("peak_bytes", s.peak).member("live_at_exit_bytes", s.live).key("stack").begin_array();
    for (const capture::FunctionId f : s.stack) w.value(m.functions[f.index()].name);
    w.end_array().end_object();
  }
  w.end_array().member("sites_left_out", left_out).end_object();
}

}  // namespace

std::string record_json(const capture::Recording& r, const RecordReport& report) {
  const SampledProfile& p = r.profile;
  json::Writer w({2});
  w.begin_object();
  w.member("samples", static_cast<std::uint64_t>(p.samples.size())).member("clock", p.clock);
  w.member("rate_hz", p.rate_hz)
      .member("duration_ns", p.duration)
      .member("cpu_time_ns", p.cpu_time);
  w.member("lost", p.lost).member("truncated", p.truncated);
  w.member("kernel_visible", p.kernel_visible);
  w.member("exit_status", r.exit_status).member("exit_signal", r.exit_signal);
  w.member("threshold_ratio", report.threshold);
  auto costs = capture::bottlenecks(p, report.threshold);
  if (report.module) costs = capture::of_module(p, std::move(costs), *report.module);
  w.key("functions").begin_array();
  for (const FunctionCost& c : costs) {
    w.begin_object();
    put_function(w, p, c);
    w.end_object();
  }
  w.end_array();
  put_focus(w, p, report.function);
  put_costs(w, "modules", capture::module_costs(p));
  put_costs(w, "lines", capture::line_costs(p), report.threshold);
  put_costs(w, "threads", capture::thread_costs(p));
  w.key("memory");
  r.memory ? put_memory(w, *r.memory, report.threshold) : void(w.null());
  w.end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::cli
