// Ground truth for times per op; see METHOD.md. Prints one JSON object per trial and method.
//   true_cost [--case NAME] [--trials N] [--first N] [--budget SECONDS] [--method NAME] [--list]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fit/order_statistics.hpp"
#include "graphs.hpp"
#include "measure/work_folder.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/capture/profile.hpp"
#include "truth.hpp"

namespace neurolens::capture::true_cost {
namespace {

struct Options {
  std::string only;
  std::string method;
  int trials = 1;
  int first = 1;  ///< Number and seed of the first trial.
  double budget_s = 3;
  bool list = false;
};

/// Time of a part: of all ops whose names begin with its name.
struct PartTime {
  std::string kind;
  double time = 0;
  double low = 0;
  double high = 0;
  int cut = 0;
  bool has_interval = true;
};

std::map<std::string, PartTime> part_times(const run::Run& run) {
  std::map<std::string, PartTime> out;
  for (const auto& op : run.ops) {
    if (!op.estimate) continue;
    auto& part = out[op.name.substr(0, op.name.find('/'))];
    part.kind = op.name.substr(0, op.name.find('#'));
    part.time += static_cast<double>(op.estimate->time_ns);
    part.low += static_cast<double>(op.estimate->low_ns.value_or(op.estimate->time_ns));
    part.high += static_cast<double>(op.estimate->high_ns.value_or(op.estimate->time_ns));
    part.has_interval = part.has_interval && op.estimate->low_ns && op.estimate->high_ns;
    part.cut += op.estimate->method == "cut" ? 1 : 0;
  }
  return out;
}

/// Kinds of the five heaviest parts, where parts within 10 % of each other may change places.
bool top_five_right(const std::map<std::string, PartTime>& parts, const Truth& truth) {
  std::vector<PartTime> ranked;
  std::vector<double> right;
  for (const auto& [name, part] : parts) {
    ranked.push_back(part);
    right.push_back(truth.parts.at(part.kind).ns);
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const PartTime& a, const PartTime& b) { return a.time > b.time; });
  std::sort(right.rbegin(), right.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(5, ranked.size()); ++i) {
    if (std::abs(truth.parts.at(ranked[i].kind).ns - right[i]) > 0.1 * right[i]) return false;
  }
  return true;
}

double unobserved_latency(const run::Run& run) {
  std::vector<double> values;
  const auto& rows = run.samples.iterations;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if (rows.observed[i] == 0 && rows.warmup[i] == 0 && rows.disturbed[i] == 0)
      values.push_back(static_cast<double>(rows.duration_ns[i]));
  }
  return median(values);
}

double call_of(const run::Run& run) {
  for (const auto& entry : run.overhead.ledger) {
    if (entry.event == "unobserved_call") return entry.cost_ns;
  }
  return 0;
}

std::string judge(const Case& one, int trial, const run::Run& run, const Truth& truth,
                  double seconds) {
  const auto parts = part_times(run);
  const double latency = unobserved_latency(run);
  // The truth was measured at another moment: the same graph tells how fast the machine was then.
  const double drift = latency / truth.latency_ns;
  double sum = call_of(run);
  double whole = 0;
  for (const auto& [name, part] : parts) {
    sum += part.time;
    whole += drift * truth.parts.at(part.kind).ns;
  }
  json::Writer out;
  out.begin_object();
  out.member("case", std::string(one.name)).member("trial", trial);
  out.member("method", run.config.method).member("seconds", seconds);
  out.member("observer", run.overhead.observed_ratio).member("latency_ns", latency);
  out.member("sum_error", (sum - latency) / latency).member("call_ns", call_of(run));
  out.member("drift", drift).member("truth_sum", (whole + call_of(run)) / latency);
  out.member("top5", top_five_right(parts, truth));
  out.key("parts").begin_array();
  for (const auto& [name, part] : parts) {
    PartTruth right = truth.parts.at(part.kind);
    right.ns *= drift;
    right.error_ns *= drift;
    out.begin_object().member("part", name).member("truth_ns", right.ns);
    out.member("truth_error_ns", right.error_ns).member("time_ns", part.time);
    if (part.has_interval) out.member("low_ns", part.low).member("high_ns", part.high);
    out.member("cut", part.cut).member("counts", right.ns >= 0.02 * whole);
    out.end_object();
  }
  out.end_array().end_object();
  return std::move(out).take();
}

Status run_trial(const std::shared_ptr<const ort::Library>& library, const Case& one, int trial,
                 const Options& options, const std::string& folder) {
  NEUROLENS_ASSIGN(const auto truth, truth_of(library, one, static_cast<std::uint64_t>(trial)));
  for (const Method method :
       {Method::observed, Method::corrected, Method::cut, Method::automatic}) {
    if (!options.method.empty() && options.method != to_string(method)) continue;
    CaptureRequest request;
    request.model_path = folder + "/model.onnx";
    request.optimisation = OptLevel::none;
    request.method = method;
    request.time_limit = Nanoseconds{1'000'000'000};
    request.budget = Nanoseconds{static_cast<std::int64_t>(options.budget_s * 1e9)};
    request.seed = static_cast<std::uint64_t>(trial);
    request.work_folder = folder;
    const Nanoseconds start = system_clock().now();
    NEUROLENS_ASSIGN(const auto run, profile_model(request));
    const double seconds = static_cast<double>((system_clock().now() - start).count) * 1e-9;
    fmt::print("{}\n", judge(one, trial, run, truth, seconds));
    std::fflush(stdout);
  }
  return {};
}

Status run_all(const Options& options) {
  NEUROLENS_ASSIGN(const auto library, ort::Library::open(""));
  NEUROLENS_ASSIGN(const auto folder, WorkFolder::make(""));
  for (const auto& one : cases()) {
    if (!options.only.empty() && options.only != one.name) continue;
    NEUROLENS_TRY(system_files().write_atomic(folder.path() + "/model.onnx",
                                              encode(chain(one.dims, one.parts))));
    for (int trial = options.first; trial < options.first + options.trials; ++trial) {
      NEUROLENS_TRY(run_trial(library, one, trial, options, folder.path()));
    }
  }
  return {};
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--list") {
      options.list = true;
      continue;
    }
    ++i;
    if (name == "--case")
      options.only = value;
    else if (name == "--method")
      options.method = value;
    else if (name == "--trials")
      options.trials = std::atoi(value);
    else if (name == "--first")
      options.first = std::atoi(value);
    else if (name == "--budget")
      options.budget_s = std::atof(value);
    else {
      fmt::print(stderr, "true_cost: unknown option {}; see the first lines of its source\n", name);
      return 2;
    }
  }
  if (options.list) {
    for (const auto& one : cases()) fmt::print("{}\n", one.name);
    return 0;
  }
  if (const Status done = run_all(options); !done.ok()) {
    fmt::print(stderr, "true_cost: {}\n", done.error().text());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace neurolens::capture::true_cost

int main(int argc, char** argv) {
  return neurolens::capture::true_cost::run(argc, argv);
}
