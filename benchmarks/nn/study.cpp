// Studies of learning, not of speed: the awake dial, the recurrent cells side by side, and the
// loader. usage: nn_study dial DIGITS_DIR | sequence DIGITS_DIR | loader     (DIGITS_DIR: see
// sklearn_digits.py)
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/train.hpp"

namespace nn = neurolens::nn;

namespace {

constexpr int kSeeds = 5;

struct Rig {
  nn::Network<float> network;
  nn::DataPair data;
  nn::TrainOptions options;
};

Rig build(const std::string& folder, const std::string& layers, const nn::Shape& input, int seed,
          const char* train) {
  const auto data =
      neurolens::yaml::parse("{kind: npy, samples: digits_x.npy, labels: digits_y.npy, seed: 7}");
  auto pair = nn::open_data(*data, folder);
  if (!pair.ok()) {
    std::fprintf(stderr, "%s\n", pair.error().text().c_str());
    std::exit(3);
  }
  auto network = nn::Network<float>::build(
      *neurolens::yaml::parse("{seed: " + std::to_string(seed) + ", layers: " + layers + "}"),
      input);
  if (!network.ok()) {
    std::fprintf(stderr, "%s\n", network.error().text().c_str());
    std::exit(2);
  }
  auto options = nn::read_train_options(*neurolens::yaml::parse(train));
  options->seed = static_cast<std::uint64_t>(seed);
  return {std::move(network).value(), std::move(pair).value(), *options};
}

void dial(const std::string& folder) {
  const double awake[] = {1.0, 0.75, 0.5, 0.25, 0.1};
  for (const char* training : {"1.0", "0.5"}) {
    double sum[5] = {};
    for (int seed = 1; seed <= kSeeds; ++seed) {
      Rig rig = build(
          folder,
          std::string(
              "[{type: adaptive, nodes: 100, hidden: 64, phases: {mode: dial, awake_training: ") +
              training + "}}, {type: linear, units: 10}]",
          nn::Shape{{64}}, seed,
          "{epochs: 25, optimizer: {learning_rate: 1e-3}, evaluate_every: 25}");
      auto trainer = nn::Trainer::create(rig.network, rig.data, rig.options);
      if (!(*trainer)->fit().ok()) std::exit(1);
      for (int i = 0; i < 5; ++i) sum[i] += (*trainer)->evaluate(*rig.data.test, awake[i]).accuracy;
    }
    for (int i = 0; i < 5; ++i) {
      std::printf(
          "{\"study\":\"dial\",\"awake_in_training\":%s,\"asleep\":%.2f,\"accuracy\":%.4f,"
          "\"seeds\":%d}\n",
          training, 1 - awake[i], sum[i] / kSeeds, kSeeds);
    }
  }
}

// Digits pixel by pixel, 64 steps of one number; about 5,200 parameters each, read-out included.
void sequence(const std::string& folder) {
  const struct {
    const char* name;
    const char* layers;
  } cells[] = {
      {"gru", "[{type: gru, units: 39}, {type: linear, units: 10}]"},
      {"cfc", "[{type: cfc, units: 39}, {type: linear, units: 10}]"},
      {"ssm",
       "[{type: ssm, units: 32, states: 64, return_sequences: true}, {type: activation, function: "
       "gelu}, {type: "
       "ssm, units: 24, states: 40}, {type: linear, units: 10}]"},
      {"lif", "[{type: lif, units: 66}, {type: linear, units: 10}]"},
      {"adaptive", "[{type: adaptive, nodes: 24, hidden: 44}, {type: linear, units: 10}]"}};
  for (const auto& cell : cells) {
    double accuracy = 0, step_ms = 0;
    std::size_t parameters = 0;
    for (int seed = 1; seed <= 3; ++seed) {
      Rig rig = build(
          folder, cell.layers, nn::Shape{{64, 1}}, seed,
          "{epochs: 40, batch: 32, optimizer: {learning_rate: 5e-3}, schedule: {type: cosine}, "
          "evaluate_every: 40}");
      parameters = rig.network.params().size();
      auto trainer = nn::Trainer::create(rig.network, rig.data, rig.options);
      const auto summary = (*trainer)->fit();
      if (!summary.ok()) {
        std::fprintf(stderr, "%s: %s\n", cell.name, summary.error().text().c_str());
        continue;
      }
      accuracy += summary->test->accuracy / 3;
      step_ms += static_cast<double>(summary->median_step.count) * 1e-6 / 3;
    }
    std::printf(
        "{\"study\":\"sequence\",\"cell\":\"%s\",\"parameters\":%zu,\"accuracy\":%.4f,\"step_ms\":%"
        ".3f,\"seeds\":3}\n",
        cell.name, parameters, accuracy, step_ms);
    std::fflush(stdout);
  }
}

// One epoch of 20,000 samples of 784 values: batch-wise gather against a loader that makes a vector
// for every sample and stacks them, as the usual per-sample loader does.
void loader() {
  nn::DigitsOptions o;
  o.count = 20'000, o.size = 28;
  const auto data = nn::make_digits(o);
  using clock = std::chrono::steady_clock;
  const auto report = [](const char* name, clock::time_point begin, double checksum) {
    const double s = std::chrono::duration<double>(clock::now() - begin).count();
    std::printf(
        "{\"study\":\"loader\",\"loader\":\"%s\",\"samples_per_second\":%.0f,\"gigabytes_per_"
        "second\":%.2f,\"checksum\":%.1f}\n",
        name, 20'000 / s, 20'000 * 784 * 4 / s * 1e-9, checksum);
  };
  for (const int prefetch : {0, 2}) {
    nn::BatchLoader batches(data, {32, prefetch});
    batches.start(0);
    nn::Batch b;
    double checksum = 0;
    const auto begin = clock::now();
    while (batches.next(b)) checksum += b.x[0];
    report(prefetch == 0 ? "gather" : "gather, 2 ahead", begin, checksum);
  }
  double checksum = 0;
  const auto begin = clock::now();
  for (std::int64_t at = 0; at < 20'000; at += 32) {
    std::vector<std::vector<float>> samples;
    for (std::int64_t i = at; i < at + 32; ++i) {
      std::vector<float> sample(784);
      std::int32_t label = 0;
      const std::int64_t index = i * 7919 % 20'000;
      data->gather({&index, 1}, sample.data(), &label);
      samples.push_back(std::move(sample));
    }
    std::vector<float> stacked;
    for (const auto& s : samples) stacked.insert(stacked.end(), s.begin(), s.end());
    checksum += stacked[0];
  }
  report("per sample, stacked", begin, checksum);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const std::string folder = argc > 2 ? argv[2] : ".";
  if (what == "dial") dial(folder);
  if (what == "sequence") sequence(folder);
  if (what == "loader") loader();
  if (what.empty()) std::fprintf(stderr, "usage: nn_study dial DIR | sequence DIR | loader\n");
  return what.empty() ? 2 : 0;
}
