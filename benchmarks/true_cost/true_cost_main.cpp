// Ground truth for times per op; see METHOD.md. Prints one line per case and method, and a summary.
//   true_cost [--trials N]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "adapters/onnxruntime/feeds.hpp"
#include "adapters/onnxruntime/measure.hpp"
#include "fit/order_statistics.hpp"
#include "measure/work_folder.hpp"
#include "model/model_writer.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/capture/profile.hpp"

namespace neurolens::capture {
namespace {

void unary(ModelSpec& m, const char* op, const std::string& in, const std::string& out,
           const std::string& name) {
  m.nodes.push_back({op, {in}, {out}, name, "", {}});
}
void weight(ModelSpec& m, const std::string& name, std::vector<std::int64_t> dims) {
  for (const auto& one : m.initializers) {
    if (one.name == name) return;
  }
  m.initializers.push_back(random_weights(name, std::move(dims), 7, 0.05F));
}
void relu(ModelSpec& m, const std::string& in, const std::string& out, const std::string& name) {
  unary(m, "Relu", in, out, name);
}
void tanh_op(ModelSpec& m, const std::string& in, const std::string& out, const std::string& name) {
  unary(m, "Tanh", in, out, name);
}
void softmax(ModelSpec& m, const std::string& in, const std::string& out, const std::string& name) {
  unary(m, "Softmax", in, out, name);
}
void add(ModelSpec& m, const std::string& in, const std::string& out, const std::string& name) {
  weight(m, "bias", {m.inputs[0].dims.back()});
  m.nodes.push_back({"Add", {in, "bias"}, {out}, name, "", {}});
}
void matmul(ModelSpec& m, const std::string& in, const std::string& out, const std::string& name) {
  const auto n = m.inputs[0].dims.back();
  weight(m, "square", {n, n});
  m.nodes.push_back({"MatMul", {in, "square"}, {out}, name, "", {}});
}
/// Four times the work of matmul: through a layer twice as wide, in two nodes of twice its work
/// each.
void wide(ModelSpec& m, const std::string& in, const std::string& out, const std::string& name) {
  const auto n = m.inputs[0].dims.back();
  weight(m, "up", {n, 2 * n});
  weight(m, "down", {2 * n, n});
  m.nodes.push_back({"MatMul", {in, "up"}, {out + "_mid"}, name + "_up", "", {}});
  m.nodes.push_back({"MatMul", {out + "_mid", "down"}, {out}, name + "_down", "", {}});
}
void conv(ModelSpec& m, const std::string& in, const std::string& out, const std::string& name) {
  const auto c = m.inputs[0].dims[1];
  weight(m, "kernel", {c, c, 3, 3});
  m.nodes.push_back(
      {"Conv", {in, "kernel"}, {out}, name, "", {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}}});
}

using Append = void (*)(ModelSpec&, const std::string&, const std::string&, const std::string&);
struct Part {
  const char* kind;
  Append append;
};

ModelSpec chain(const std::vector<std::int64_t>& dims, const std::vector<Part>& parts) {
  ModelSpec model;
  model.inputs = {{"t0", 1, dims}};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].append(model, fmt::format("t{}", i), fmt::format("t{}", i + 1),
                    fmt::format("{}#{}", parts[i].kind, i));
  }
  model.outputs = {{fmt::format("t{}", parts.size()), 1, dims}};
  return model;
}

struct Case {
  const char* name;
  std::vector<std::int64_t> dims;
  std::vector<Part> parts;
};

std::vector<Part> repeat(std::vector<Part> block, int times) {
  std::vector<Part> out;
  for (int i = 0; i < times; ++i) out.insert(out.end(), block.begin(), block.end());
  return out;
}

std::vector<Case> cases() {
  const Part r{"relu", relu}, t{"tanh", tanh_op}, s{"softmax", softmax}, a{"add", add},
      m{"matmul", matmul}, w{"wide", wide}, c{"conv", conv};
  std::vector<Case> out;
  out.push_back({"tiny MLP blocks", {1, 64}, repeat({m, a, r}, 20)});
  out.push_back({"MLP blocks", {8, 256}, repeat({m, a, t}, 12)});
  out.push_back({"conv blocks", {1, 32, 28, 28}, repeat({c, r}, 8)});
  auto heavy = repeat({r, a}, 20);
  heavy.insert(heavy.begin() + 17, w);
  out.push_back({"one heavy among 40 light", {8, 256}, heavy});
  auto pair = repeat({r}, 12);
  pair.insert(pair.begin() + 3, m);
  pair.insert(pair.begin() + 9, w);
  out.push_back({"pair of known ratio 1:4", {4, 512}, pair});
  out.push_back({"attention-like", {64, 256}, repeat({m, s, m, a}, 4)});
  return out;
}

constexpr int kRounds = 60;

struct Bench {
  std::optional<ort::RuntimeSession> session;
  std::optional<ort::PreparedFeeds> feeds;
  std::vector<double> ns;
};

Result<Bench> open(const std::shared_ptr<const ort::Library>& library, const ModelSpec& model) {
  CaptureRequest request;
  ort::SessionSettings settings;
  settings.optimisation = OptLevel::none;
  Bench out;
  NEUROLENS_ASSIGN(auto session,
                   ort::RuntimeSession::create_from(library, encode(model), settings));
  out.session.emplace(std::move(session));
  NEUROLENS_ASSIGN(auto feeds, ort::prepare_feeds(library, *out.session, nullptr, request));
  out.feeds.emplace(std::move(feeds));
  return out;
}

/// Time of one part of each kind: the slope of unobserved latency against how many more of it the
/// case's own graph holds, so that caches are as they are there.
Result<std::map<std::string, double>> truth(const std::shared_ptr<const ort::Library>& library,
                                            const Case& one) {
  std::map<std::string, Part> kinds;
  for (const auto& part : one.parts) kinds.emplace(part.kind, part);
  constexpr int kMore = 8;
  std::vector<Bench> benches;
  std::vector<std::string> names;
  NEUROLENS_ASSIGN(auto base, open(library, chain(one.dims, one.parts)));
  benches.push_back(std::move(base));
  for (const auto& [name, part] : kinds) {
    std::vector<Part> longer;
    const auto total = static_cast<std::size_t>(std::count_if(
        one.parts.begin(), one.parts.end(), [&](const Part& p) { return name == p.kind; }));
    std::size_t added = 0;
    std::size_t seen = 0;
    for (const auto& p : one.parts) {  // spread over the places where the kind stands
      longer.push_back(p);
      if (name != p.kind) continue;
      ++seen;
      for (; added < kMore * seen / total; ++added) longer.push_back(p);
    }
    NEUROLENS_ASSIGN(auto bench, open(library, chain(one.dims, longer)));
    benches.push_back(std::move(bench));
    names.push_back(name);
  }
  for (int round = -5; round < kRounds; ++round) {
    for (auto& bench : benches) {
      NEUROLENS_ASSIGN(const auto timing, bench.session->run(bench.feeds->set));
      if (round >= 0) bench.ns.push_back(static_cast<double>(timing.duration.count));
    }
  }
  std::map<std::string, double> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::vector<double> difference;
    for (int r = 0; r < kRounds; ++r)
      difference.push_back(benches[i + 1].ns[static_cast<std::size_t>(r)] -
                           benches[0].ns[static_cast<std::size_t>(r)]);
    out[names[i]] = std::max(median(difference) / kMore, 0.0);
  }
  return out;
}

struct Score {
  double sum_error = 0;
  std::vector<double> errors;  // of parts above 2 % of the whole
  int covered = 0;
  int intervals = 0;
  bool top_right = false;
};

/// Time per part, from the ops whose names begin with it.
struct PartTime {
  std::string kind;
  double time = 0;
  double low = 0;
  double high = 0;
};

std::map<std::string, PartTime> part_times(const run::Run& run) {
  std::map<std::string, PartTime> out;
  for (const auto& op : run.ops) {
    if (!op.estimate) continue;
    std::string name = op.name;
    for (const char* end : {"_up", "_down"}) {
      const auto at = name.rfind(end);
      if (at != std::string::npos && at + std::strlen(end) == name.size()) name.resize(at);
    }
    auto& part = out[name];
    part.kind = name.substr(0, name.find('#'));
    const double time = static_cast<double>(op.estimate->time_ns);
    part.time += time;
    part.low += static_cast<double>(op.estimate->low_ns.value_or(op.estimate->time_ns));
    part.high += static_cast<double>(op.estimate->high_ns.value_or(op.estimate->time_ns));
  }
  return out;
}

/// Kinds of the five heaviest parts, where kinds within 10 % of each other count as the same rank.
bool top_five_right(const std::map<std::string, PartTime>& parts,
                    const std::map<std::string, double>& truth_ns) {
  std::vector<PartTime> ranked;
  for (const auto& [name, part] : parts) ranked.push_back(part);
  std::sort(ranked.begin(), ranked.end(),
            [](const PartTime& a, const PartTime& b) { return a.time > b.time; });
  std::vector<double> right;
  for (const auto& [name, part] : parts) right.push_back(truth_ns.at(part.kind));
  std::sort(right.rbegin(), right.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(5, ranked.size()); ++i) {
    if (std::abs(truth_ns.at(ranked[i].kind) - right[i]) > 0.1 * right[i]) return false;
  }
  return true;
}

Score score(const run::Run& run, const std::map<std::string, double>& truth_ns) {
  Score out;
  std::vector<double> unobserved;
  const auto& rows = run.samples.iterations;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if (rows.observed[i] == 0 && rows.warmup[i] == 0 && rows.disturbed[i] == 0)
      unobserved.push_back(static_cast<double>(rows.duration_ns[i]));
  }
  const double latency = median(unobserved);
  double sum = 0;
  for (const auto& entry : run.overhead.ledger) {
    if (entry.event == "unobserved_call") sum += entry.cost_ns;
  }
  const auto parts = part_times(run);
  for (const auto& [name, part] : parts) sum += part.time;
  out.sum_error = std::abs(sum - latency) / latency;
  double whole = 0;
  for (const auto& [name, part] : parts) whole += truth_ns.at(part.kind);
  for (const auto& [name, part] : parts) {
    const double right = truth_ns.at(part.kind);
    if (right < 0.02 * whole) continue;
    out.errors.push_back(std::abs(part.time - right) / right);
    ++out.intervals;
    if (part.low <= right && right <= part.high) ++out.covered;
  }
  out.top_right = top_five_right(parts, truth_ns);
  return out;
}

Status run_case(const std::shared_ptr<const ort::Library>& library, const Case& one, int trials,
                const std::string& folder) {
  const std::string path = folder + "/model.onnx";
  NEUROLENS_TRY(system_files().write_atomic(path, encode(chain(one.dims, one.parts))));
  for (const Method method : {Method::observed, Method::corrected, Method::cut}) {
    std::vector<double> errors, worst, sums;
    int covered = 0, intervals = 0, right = 0;
    double ratio = 0;
    for (int trial = 0; trial < trials; ++trial) {
      NEUROLENS_ASSIGN(const auto truth_ns, truth(library, one));
      CaptureRequest request;
      request.model_path = path;
      request.optimisation = OptLevel::none;
      request.method = method;
      request.iterations = 150;
      request.budget = Nanoseconds{4'000'000'000};
      request.seed = static_cast<std::uint64_t>(trial) + 1;
      request.work_folder = folder;
      NEUROLENS_ASSIGN(const auto run, profile_model(request));
      const Score got = score(run, truth_ns);
      ratio = run.overhead.observed_ratio.value_or(0);
      sums.push_back(got.sum_error);
      errors.insert(errors.end(), got.errors.begin(), got.errors.end());
      worst.push_back(got.errors.empty() ? 0
                                         : *std::max_element(got.errors.begin(), got.errors.end()));
      covered += got.covered;
      intervals += got.intervals;
      right += got.top_right ? 1 : 0;
    }
    fmt::print("{:<26} {:<10} {:>8.2f} {:>8.1f} % {:>8.1f} % {:>8.1f} % {:>5}/{:<3} {:>8.0f} %\n",
               one.name, to_string(method), ratio, 100 * median(sums), 100 * median(errors),
               100 * median(worst), right, trials,
               intervals > 0 ? 100.0 * covered / intervals : 0.0);
    std::fflush(stdout);
  }
  return {};
}

int run(int trials) {
  const auto library = ort::Library::open("");
  const auto folder = WorkFolder::make("");
  if (!library.ok() || !folder.ok()) {
    fmt::print(stderr, "true_cost: {}\n",
               library.ok() ? folder.error().text() : library.error().text());
    return 3;
  }
  fmt::print("{:<26} {:<10} {:>8} {:>10} {:>10} {:>10} {:>9} {:>10}\n", "case", "method",
             "observer", "sum error", "op median", "op worst", "top 5", "coverage");
  for (const auto& one : cases()) {
    if (const Status done = run_case(library.value(), one, trials, folder.value().path());
        !done.ok()) {
      fmt::print(stderr, "true_cost: {}: {}\n", one.name, done.error().text());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace neurolens::capture

int main(int argc, char** argv) {
  int trials = 5;
  if (argc == 3 && std::strcmp(argv[1], "--trials") == 0) trials = std::max(1, std::atoi(argv[2]));
  return neurolens::capture::run(trials);
}
