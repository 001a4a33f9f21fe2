// One training step, timed: the MLP 128-256-128-10 and the adaptive network (784 inputs, 100 nodes
// of 64, 10 classes). Prints one JSON line per case. See METHOD.md.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "neurolens/base/random.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/trainer.hpp"

namespace nn = neurolens::nn;

namespace {

struct Case {
  const char* name;
  std::int64_t inputs;
  const char* layers;
  const char* train;
};

const Case kCases[] = {
    {"mlp", 128,
     "[{type: linear, units: 256, activation: relu}, {type: linear, units: 128, activation: relu}, "
     "{type: linear, "
     "units: 10}]",
     "{}"},
    {"mlp_bf16", 128,
     "[{type: linear, units: 256, activation: relu}, {type: linear, units: 128, activation: relu}, "
     "{type: linear, "
     "units: 10}]",
     "{precision: bf16}"},
    {"adaptive", 784, "[{type: adaptive, nodes: 100, hidden: 64}, {type: linear, units: 10}]",
     "{state: carried}"},
    {"adaptive_controller", 784,
     "[{type: adaptive, nodes: 100, hidden: 64, phases: {mode: controller}}, {type: linear, units: "
     "10}]",
     "{state: carried}"},
    {"adaptive_awake_50", 784,
     "[{type: adaptive, nodes: 100, hidden: 64, phases: {mode: dial, awake_training: 0.5}}, {type: "
     "linear, units: 10}]",
     "{state: carried}"},
    {"adaptive_awake_25", 784,
     "[{type: adaptive, nodes: 100, hidden: 64, phases: {mode: dial, awake_training: 0.25}}, "
     "{type: linear, units: "
     "10}]",
     "{state: carried}"},
    {"adaptive_awake_10", 784,
     "[{type: adaptive, nodes: 100, hidden: 64, phases: {mode: dial, awake_training: 0.1}}, {type: "
     "linear, units: "
     "10}]",
     "{state: carried}"},
};

nn::DataPair noise_data(std::int64_t inputs, std::int64_t samples) {
  neurolens::Random random(1);
  std::vector<float> x(static_cast<std::size_t>(inputs * samples));
  std::vector<std::int32_t> labels;
  for (auto& v : x) v = static_cast<float>(random.normal());
  for (std::int64_t i = 0; i < samples; ++i) labels.push_back(static_cast<std::int32_t>(i % 10));
  auto data = nn::make_memory_dataset(nn::Shape{{inputs}}, std::move(x), std::move(labels));
  return {*data, *data};
}

void run(const Case& c, std::int64_t batch, double seconds, int threads, double peak) {
  const auto model = neurolens::yaml::parse(std::string("layers: ") + c.layers);
  auto network = nn::Network<float>::build(*model, nn::Shape{{c.inputs}});
  auto options = nn::read_train_options(*neurolens::yaml::parse(c.train));
  options->batch = batch;
  if (threads > 1) options->shard_rows = std::max<std::int64_t>(1, batch / threads);
  const auto data = noise_data(c.inputs, 4 * batch);
  const auto pool = nn::make_thread_pool(threads);
  auto trainer = nn::Trainer::create(*network, data, *options, *pool);
  nn::BatchLoader loader(data.train, {batch, 0, false});
  std::vector<double> total, phases[nn::kTrainPhases];
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + std::chrono::duration<double>(seconds);
  nn::Batch b;
  for (std::int64_t epoch = 0; total.size() < 20 || clock::now() < end; ++epoch) {
    loader.start(epoch);
    while (loader.next(b)) {
      const auto begin = clock::now();
      const auto report = (*trainer)->step(b);
      const double ns = std::chrono::duration<double, std::nano>(clock::now() - begin).count();
      if (!report.ok()) std::exit(1);
      if (epoch < 5) continue;  // warm-up
      total.push_back(ns);
      for (std::size_t p = 0; p < nn::kTrainPhases; ++p)
        phases[p].push_back(double(report->phases[p].count));
    }
  }
  const auto quantile = [](std::vector<double> v, double q) {
    std::sort(v.begin(), v.end());
    return v[static_cast<std::size_t>(q * static_cast<double>(v.size() - 1))];
  };
  const double median = quantile(total, 0.5);
  // Forward; the same again for weight gradients; input gradients of every layer but the first.
  const double forward = static_cast<double>(network->root().cost().flops * batch);
  std::printf(
      "{\"engine\":\"neurolens\",\"case\":\"%s\",\"batch\":%lld,\"threads\":%d,\"steps\":%zu,"
      "\"median_ns\":%.0f,"
      "\"p10_ns\":%.0f,\"p90_ns\":%.0f,\"forward_ns\":%.0f,\"backward_ns\":%.0f,\"optimizer_ns\":%."
      "0f,"
      "\"forward_flops\":%.0f,\"fma_peak_flops\":%.4g}\n",
      c.name, static_cast<long long>(batch), threads, total.size(), median, quantile(total, 0.1),
      quantile(total, 0.9), quantile(phases[1], 0.5), quantile(phases[2], 0.5),
      quantile(phases[3], 0.5), forward, peak);
}

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  double seconds = 1.0;
  int threads = 1;
  std::vector<std::int64_t> batches = {32, 64};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--case") == 0) only = argv[i + 1];
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::atof(argv[i + 1]);
    if (std::strcmp(argv[i], "--threads") == 0) threads = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--batch") == 0) batches = {std::atoll(argv[i + 1])};
  }
  const double peak = neurolens::kernels::measure_fma_peak(50);
  for (const auto& c : kCases) {
    if (!only.empty() && only != c.name) continue;
    for (const auto batch : batches) run(c, batch, seconds, threads, peak);
  }
}
