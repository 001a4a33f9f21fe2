#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/text.hpp"
#include "neurolens/report/table.hpp"
#include "record_report.hpp"

namespace neurolens::cli {
namespace {

using capture::FunctionCost;
using capture::NamedCost;
using capture::SampledProfile;

constexpr std::size_t kNameWidth = 90;
constexpr std::size_t kTableRows = 10;

std::string percent(const capture::Share& s) {
  return fmt::format("{:5.1f} % [{:.1f}, {:.1f}]", 100 * s.value, 100 * s.low, 100 * s.high);
}

std::string shorten(const std::string& name) {
  const std::string text = printable(name);
  return text.size() <= kNameWidth ? text : text.substr(0, kNameWidth - 3) + "...";
}

std::string bytes(Bytes b) {
  return report::format_bytes(static_cast<double>(b.count));
}

std::string function_table(const SampledProfile& p, const std::vector<FunctionCost>& costs) {
  std::string text = fmt::format("\n{:<24}{:<24}{}\n", "own", "cumulative", "function");
  for (const FunctionCost& c : costs) {
    const auto& f = p.functions[c.function.index()];
    text += fmt::format("{:<24}{:<24}{}{}\n", percent(c.own), percent(c.cumulative),
                        shorten(f.name), f.kernel ? " [kernel]" : "");
  }
  return text;
}

/// Rows of at least `threshold`, at most `most`.
std::string named_table(const char* title, const std::vector<NamedCost>& costs, double threshold,
                        std::size_t most) {
  std::string text = fmt::format("\n{:<24}{}\n", "samples", title);
  for (const NamedCost& c : costs) {
    if (c.share.value < threshold || most-- == 0) break;
    text += fmt::format("{:<24}{}\n", percent(c.share), shorten(c.name));
  }
  return text;
}

std::string focus(const SampledProfile& p, const std::string& name) {
  const auto found = capture::functions_named(p, name);
  if (found.empty()) {
    std::vector<std::string> names;
    for (const auto& f : p.functions) names.push_back(f.name);
    return fmt::format("\nNo sample shows a function {}.{}\n", printable(name),
                       did_you_mean(name, names));
  }
  std::string text;
  for (const capture::FunctionId id : found) {
    const auto d = capture::function_detail(p, id);
    text += function_table(p, {d.cost});
    text += named_table("caller", d.callers, 0, kTableRows);
    text += named_table("callee", d.callees, 0, kTableRows);
    text += named_table("line", d.lines, 0, kTableRows);
  }
  return text;
}

std::string memory_text(const capture::MemoryProfile& m) {
  std::string text =
      fmt::format("\n{} allocations of {}, {} at the peak, {} never released\n", m.allocations,
                  bytes(m.allocated), bytes(m.peak), bytes(m.live_at_exit));
  text += fmt::format("\n{:>12}{:>14}{:>14}{:>14}  {}\n", "allocated", "allocations", "peak",
                      "leaked", "by");
  for (std::size_t i = 0; i < std::min(kTableRows, m.sites.size()); ++i) {
    const auto& s = m.sites[i];
    const std::string inner = s.stack.empty() ? "?" : m.functions[s.stack.back().index()].name;
    text += fmt::format("{:>12}{:>14}{:>14}{:>14}  {}\n", bytes(s.allocated), s.allocations,
                        bytes(s.peak), bytes(s.live), shorten(inner));
  }
  return text;
}

}  // namespace

std::string record_text(const capture::Recording& r, const RecordReport& report,
                        const std::string& run_path) {
  const SampledProfile& p = r.profile;
  std::string text = fmt::format(
      "{} samples by {} at {} Hz over {:.2f} s; {:.2f} s of processor time\n", p.samples.size(),
      p.clock, shortest(p.rate_hz), static_cast<double>(p.duration.count) / 1e9,
      static_cast<double>(p.cpu_time.count) / 1e9);
  if (p.lost > 0) text += fmt::format("{} records were lost\n", p.lost);
  if (p.truncated > 0) text += fmt::format("{} stacks end early\n", p.truncated);
  auto costs = capture::bottlenecks(p, report.threshold);
  if (report.module) costs = capture::of_module(p, std::move(costs), *report.module);
  text += function_table(p, costs);
  constexpr std::size_t kAll = -1;
  text += named_table("module", capture::module_costs(p), report.threshold, kAll);
  if (report.lines) text += named_table("line", capture::line_costs(p), report.threshold, kAll);
  if (report.threads) text += named_table("thread", capture::thread_costs(p), 0, kAll);
  if (report.function) text += focus(p, *report.function);
  if (r.memory) text += memory_text(*r.memory);
  if (!run_path.empty()) text += fmt::format("\nRun: {}\n", printable(run_path));
  return text;
}

}  // namespace neurolens::cli
