#include "headline.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/text.hpp"
#include "neurolens/report/render.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::report {
namespace {

std::string backend_name(const run::Software& software) {
  std::string name =
      software.backend == "onnxruntime" ? "ONNX Runtime" : printable(software.backend);
  if (software.backend_version) name += " " + printable(*software.backend_version);
  if (software.provider) {
    std::string provider = printable(*software.provider);
    constexpr std::string_view kSuffix = "ExecutionProvider";
    if (provider.ends_with(kSuffix)) provider.resize(provider.size() - kSuffix.size());
    name += " " + provider;
  }
  return name;
}

/// Shapes of the inputs, at most three of them.
std::string input_shapes(const std::vector<run::Tensor>& inputs) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> shapes;
  for (const auto& input : inputs) {
    if (input.shape && shapes.size() < kMost) shapes.push_back(shape_text(*input.shape));
  }
  if (inputs.size() > kMost) shapes.push_back(fmt::format("{} more", inputs.size() - kMost));
  return join(shapes, ", ");
}

std::string unit_of_work(const run::Run& run) {
  return run.workload.kind == "onnx_model" ? "inference" : "iteration";
}

}  // namespace

std::string join(const std::vector<std::string>& pieces, std::string_view separator) {
  return fmt::format("{}", fmt::join(pieces, separator));
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

std::string describe_workload(const run::Run& run) {
  std::vector<std::string> pieces{printable(run.workload.name), backend_name(run.software)};
  if (run.software.precision) pieces.push_back(printable(*run.software.precision));
  if (const auto shapes = input_shapes(run.workload.inputs); !shapes.empty())
    pieces.push_back(shapes);
  if (run.software.threads) {
    pieces.push_back(
        fmt::format("{} thread{}", *run.software.threads, *run.software.threads == 1 ? "" : "s"));
  }
  return join(pieces, " · ");
}

std::string interval_cell(const std::optional<analyze::Interval>& interval, double divisor,
                          double largest) {
  if (!interval) return "-";
  const Scale scale{"", divisor};
  return fmt::format("[{}, {}]", format_in(scale, interval->low, largest),
                     format_in(scale, interval->high, largest));
}

std::optional<std::string> iteration_sentence(const run::Run& run,
                                              const analyze::Summary& summary) {
  const bool truth = summary.unobserved.p50_ns.has_value();
  const analyze::IterationSummary& iterations = truth ? summary.unobserved : summary.observed;
  if (!iterations.p50_ns) return {};
  const double p50 = *iterations.p50_ns;
  const Scale scale = time_scale(p50);
  std::string text =
      fmt::format("{} {} per {}", format_in(scale, p50, p50), scale.unit, unit_of_work(run));
  if (iterations.interval) text += "  " + interval_cell(iterations.interval, scale.divisor, p50);
  if (!truth) text += "  (observer included)";
  return text;
}

std::vector<std::string> rate_sentences(const run::Run& run, const analyze::Summary& summary) {
  std::vector<std::string> pieces;
  if (summary.throughput_per_second) {
    const bool batched = run.workload.batch_size.value_or(1) > 1;
    pieces.push_back(fmt::format("{}{} per second", format_number(*summary.throughput_per_second),
                                 batched ? " samples" : ""));
  }
  if (summary.flops && summary.unobserved.p50_ns && *summary.flops > 0) {
    std::string rate =
        format_rate(static_cast<double>(*summary.flops) * 1e9 / *summary.unobserved.p50_ns, true);
    if (summary.roof_ratio)
      rate += fmt::format(", {:.0f} % of this machine's roof", 100 * *summary.roof_ratio);
    pieces.push_back(std::move(rate));
  }
  return pieces;
}

std::vector<std::string> trust_sentences(const run::Run& run, const analyze::Summary& summary) {
  std::vector<std::string> pieces;
  if (summary.observed_ratio) {
    pieces.push_back(
        fmt::format("observed {}x the time of unobserved", format_number(*summary.observed_ratio)));
  }
  const auto cuts = std::count_if(summary.ops.begin(), summary.ops.end(),
                                  [](const auto& op) { return op.method == "cut"; });
  if (cuts > 0)
    pieces.push_back(fmt::format("{} op{} settled by cuts", cuts, cuts == 1 ? "" : "s"));
  pieces.push_back(
      fmt::format("{} + {} iterations", summary.unobserved.count, summary.observed.count));
  if (summary.disturbed_count > 0) {
    pieces.push_back(fmt::format("{} disturbed left out", summary.disturbed_count));
  }
  if (run.overhead.events_lost.value_or(0) > 0) {
    pieces.push_back(fmt::format("{} events lost", *run.overhead.events_lost));
  }
  if (run.overhead.integrity != "ok") pieces.push_back("measurement " + run.overhead.integrity);
  if (run.status == "partial") pieces.push_back("stopped early: partial");
  return pieces;
}

}  // namespace neurolens::report
