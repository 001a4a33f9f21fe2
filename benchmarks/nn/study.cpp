// Studies of learning, not of speed: the awake dial, the recurrent cells side by side, and the
// loader. usage: nn_study dial DIGITS_DIR | sequence DIGITS_DIR | loader DIR     (DIGITS_DIR: see
// sklearn_digits.py; DIR: a folder for 16 MB of files)
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/train.hpp"

namespace nn = neurolens::nn;

namespace {

constexpr int kSeeds = 5;
constexpr double kStudent = 2.776;  // two-sided 95 %, four degrees of freedom

struct Rig {
  nn::Network<float> network;
  nn::DataPair data;
  nn::TrainOptions options;
};

Rig build(const std::string& folder, const std::string& layers, const nn::Shape& input, int seed,
          const std::string& train, const std::string& split = "seed: 7") {
  const auto data = neurolens::yaml::parse(
      "{kind: npy, samples: digits_x.npy, labels: digits_y.npy, " + split + "}");
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

constexpr int kShares = 5;
constexpr double kAwake[kShares] = {1.0, 0.75, 0.5, 0.25, 0.1};

// What is varied: the choices that a curve of accuracy over sleep depends on.
struct Protocol {
  bool standardise;
  int epochs;
  const char* awake_training;
  int ticks = 1;  // steps of the cell per sample, sleepers drawn anew for each
};

// Mean accuracy over `draws` draws of who sleeps, so that the luck of one draw is not a seed's.
double accuracy(const Rig& rig, nn::Plan<float>& plan, double awake, int draws) {
  const std::int64_t n = rig.data.test->size(), inputs = rig.data.test->sample().elements();
  std::vector<std::int64_t> index(static_cast<std::size_t>(n));
  std::vector<std::uint64_t> streams(index.size());
  for (std::size_t i = 0; i < index.size(); ++i)
    index[i] = static_cast<std::int64_t>(i), streams[i] = i;
  std::vector<float> x(static_cast<std::size_t>(n * inputs));
  std::vector<std::int32_t> labels(index.size());
  rig.data.test->gather(index, x.data(), labels.data());
  double correct = 0;
  for (int draw = 0; draw < draws; ++draw) {
    nn::PassOptions pass;
    pass.seed = 1000 + static_cast<std::uint64_t>(draw);
    pass.streams = streams.data();
    pass.awake = awake;
    const float* logits = plan.forward(n, x.data(), false, pass);
    for (std::int64_t r = 0; r < n; ++r, logits += 10)
      correct +=
          std::max_element(logits, logits + 10) - logits == labels[static_cast<std::size_t>(r)];
  }
  return correct / static_cast<double>(n * draws);
}

void dial(const std::string& folder) {
  const Protocol protocols[] = {{true, 25, "1.0"},  {true, 25, "0.75"},  {true, 25, "0.5"},
                                {true, 12, "1.0"},  {true, 50, "1.0"},   {false, 12, "1.0"},
                                {false, 25, "1.0"}, {false, 50, "1.0"},  {false, 50, "0.75"},
                                {false, 50, "0.5"}, {false, 100, "1.0"}, {true, 25, "1.0", 2}};
  for (const Protocol& p : protocols) {
    double share[kShares][kSeeds];
    for (int seed = 1; seed <= kSeeds; ++seed) {
      // Every seed has its own split: parameters, order and test set all vary.
      Rig rig = build(
          folder,
          std::string("[{type: adaptive, nodes: 100, hidden: 64, ticks: ") +
              std::to_string(p.ticks) + ", phases: {mode: dial, awake_training: " +
              p.awake_training + "}}, {type: linear, units: 10}]",
          nn::Shape{{64}}, seed, "{epochs: " + std::to_string(p.epochs) + ", evaluate_every: 1000}",
          "seed: " + std::to_string(seed) + (p.standardise ? ", standardise: true" : ""));
      auto trainer = nn::Trainer::create(rig.network, rig.data, rig.options);
      if (!(*trainer)->fit().ok()) std::exit(1);
      nn::Plan<float> plan(rig.network, rig.data.test->size(), neurolens::kernels::simd_kernels());
      for (int i = 0; i < kShares; ++i)
        share[i][seed - 1] = accuracy(rig, plan, kAwake[i], kAwake[i] < 1 ? 10 : 1);
    }
    for (int i = 0; i < kShares; ++i) {
      double mean = 0, squares = 0;
      for (const double s : share[i]) mean += s / kSeeds;
      for (const double s : share[i]) squares += (s - mean) * (s - mean);
      const double half = kStudent * std::sqrt(squares / (kSeeds - 1) / kSeeds);
      std::printf(
          "{\"study\":\"dial\",\"inputs\":\"%s\",\"epochs\":%d,\"awake_in_training\":%s,"
          "\"ticks\":%d,"
          "\"asleep\":%.2f,\"accuracy\":%.4f,\"low\":%.4f,\"high\":%.4f,\"seeds\":%d}\n",
          p.standardise ? "standardised" : "raw", p.epochs, p.awake_training, p.ticks,
          1 - kAwake[i], mean, mean - half, mean + half, kSeeds);
    }
    std::fflush(stdout);
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

// What a framework's per-sample loader does: a vector for every sample, then one array of them.
double per_sample(const nn::Dataset& data, const std::vector<std::int64_t>& order,
                  std::int64_t batch) {
  double checksum = 0;
  const std::int64_t n = data.size(), elements = data.sample().elements();
  for (std::int64_t at = 0; at < n; at += batch) {
    std::vector<std::vector<float>> samples;
    for (std::int64_t i = at; i < std::min(n, at + batch); ++i) {
      std::vector<float> sample(static_cast<std::size_t>(elements));
      std::int32_t label = 0;
      data.gather({&order[static_cast<std::size_t>(i)], 1}, sample.data(), &label);
      samples.push_back(std::move(sample));
    }
    std::vector<float> stacked;
    for (const auto& s : samples) stacked.insert(stacked.end(), s.begin(), s.end());
    checksum += stacked[0];
  }
  return checksum;
}

// `count` pictures of `size` x `size` bytes as .npy files in `folder`, mapped.
std::shared_ptr<const nn::Dataset> map_bytes(const std::string& folder, std::int64_t count,
                                             std::int64_t size) {
  const std::string name = folder + "/bytes" + std::to_string(size);
  const auto write = [&](const std::string& path, const std::string& shape, std::size_t bytes) {
    std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (" + shape + "), }";
    while ((10 + header.size() + 1) % 64 != 0) header += ' ';
    header += '\n';
    std::string text("\x93NUMPY\x01\x00", 8);
    text += static_cast<char>(header.size() % 256);
    text += static_cast<char>(header.size() / 256);
    text += header;
    for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(i * 2654435761u >> 16 & 7);
    if (!neurolens::system_files().write_atomic(path, text).ok()) std::exit(3);
  };
  write(name + "_x.npy", std::to_string(count) + ", " + std::to_string(size * size),
        static_cast<std::size_t>(count * size * size));
  write(name + "_y.npy", std::to_string(count) + ",", static_cast<std::size_t>(count));
  const auto mapped = nn::open_npy(name + "_x.npy", name + "_y.npy", 1.0 / 255);
  if (!mapped.ok()) std::exit(3);
  return *mapped;
}

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// Seconds of one epoch by batch-wise gather, with nobody using the batches.
double gathered(const std::shared_ptr<const nn::Dataset>& data, int prefetch, int epoch) {
  nn::BatchLoader loader(data, {32, prefetch});
  nn::Batch batch;
  double checksum = 0;
  const auto begin = SteadyClock::now();
  loader.start(epoch);
  while (loader.next(batch)) checksum += batch.x[0];
  const double s = seconds_since(begin);
  return checksum == -1 ? 0 : s;
}

// 20,000 samples of 784 values: batch-wise gather against a per-sample loader, in turns, for
// samples kept as floats and for bytes in a mapped file; then who waits while a network trains.
void loader(const std::string& folder) {
  nn::DigitsOptions o;
  o.count = 20'000, o.size = 28;
  using Named = std::pair<const char*, std::shared_ptr<const nn::Dataset>>;
  const Named sets[] = {{"floats in memory", nn::make_digits(o)},
                        {"bytes in a mapped file", map_bytes(folder, o.count, o.size)}};
  std::vector<std::int64_t> order(static_cast<std::size_t>(o.count));
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = static_cast<std::int64_t>(i * 7919 % order.size());
  for (const auto& [name, data] : sets) {
    std::vector<double> ratio, ahead, rate;
    for (int round = 0; round < 9; ++round) {
      const double ours = gathered(data, 0, round), two = gathered(data, 2, round);
      const auto begin = SteadyClock::now();
      const double checksum = per_sample(*data, order, 32);
      const double theirs = checksum == -1 ? 0 : seconds_since(begin);
      if (round == 0) continue;  // pages are touched for the first time
      ratio.push_back(theirs / ours), ahead.push_back(theirs / two);
      rate.push_back(static_cast<double>(o.count) / ours);
    }
    for (auto* v : {&ratio, &ahead, &rate}) std::sort(v->begin(), v->end());
    // The 2nd and 7th of eight values: a 93 % interval of the median.
    std::printf(
        "{\"study\":\"loader\",\"data\":\"%s\",\"samples_per_second\":%.0f,"
        "\"gigabytes_per_second\":%.2f,\"per_sample_ratio\":%.2f,\"low\":%.2f,\"high\":%.2f,"
        "\"two_ahead_ratio\":%.2f}\n",
        name, (rate[3] + rate[4]) / 2, (rate[3] + rate[4]) / 2 * 784 * 4e-9,
        (ratio[3] + ratio[4]) / 2, ratio[1], ratio[6], (ahead[3] + ahead[4]) / 2);
  }
  const Named trained[] = {{"784 floats in memory", sets[0].second},
                           {"9216 bytes in a mapped file", map_bytes(folder, 4000, 96)}};
  for (const auto& [name, data] : trained) {
    for (const int prefetch : {0, 1, 2, 4}) {
      auto network = nn::Network<float>::build(
          *neurolens::yaml::parse("layers: [{type: linear, units: 128, activation: relu}, {type: "
                                  "linear, units: 16}]"),
          data->sample());
      nn::TrainOptions options;
      options.epochs = 1, options.prefetch = prefetch, options.evaluate_every = 2;
      options.max_steps = 120, options.clip_norm = 0;
      const auto few = nn::make_subset(data, {0});
      auto trainer = nn::Trainer::create(*network, {data, few}, options);
      if (!trainer.ok()) std::exit(2);
      const auto summary = (*trainer)->fit();
      if (!summary.ok()) std::exit(1);
      double total = 0;
      for (const auto p : summary->phases) total += static_cast<double>(p.count);
      const auto each = [&](neurolens::Nanoseconds t) {
        return static_cast<double>(t.count) / static_cast<double>(summary->stalls.batches) * 1e-3;
      };
      std::printf(
          "{\"study\":\"stalls\",\"data\":\"%s\",\"prefetch\":%d,\"batches\":%lld,"
          "\"wait_us\":%.2f,\"longest_wait_us\":%.1f,\"decode_us\":%.2f,\"copy_us\":%.2f,"
          "\"wait_share\":%.4f,\"step_us\":%.1f}\n",
          name, prefetch, static_cast<long long>(summary->stalls.batches),
          each(summary->stalls.wait),
          static_cast<double>(summary->stalls.longest_wait.count) * 1e-3,
          each(summary->stalls.decode), each(summary->stalls.copy),
          static_cast<double>(summary->stalls.wait.count) / total,
          static_cast<double>(summary->median_step.count) * 1e-3);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const std::string folder = argc > 2 ? argv[2] : ".";
  if (what == "dial") dial(folder);
  if (what == "sequence") sequence(folder);
  if (what == "loader") loader(folder);
  if (what.empty()) std::fprintf(stderr, "usage: nn_study dial DIR | sequence DIR | loader DIR\n");
  return what.empty() ? 2 : 0;
}
