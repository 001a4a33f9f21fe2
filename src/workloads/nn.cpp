// Training steps of engines/nn as workloads.
#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/train.hpp"
#include "options.hpp"

namespace neurolens::workloads {
namespace {

constexpr std::int64_t kClasses = 10;
constexpr std::int64_t kBatches = 4;  // of samples: a step never meets the batch before again
const std::vector<std::string> kSwitch = {"on", "off"};

/// A training step, again and again.
class TrainingStep final : public capture::EngineWorkload {
 public:
  TrainingStep(std::string name, const Options& options, std::int64_t threads, std::int64_t batch,
               nn::Network<float> network)
      : name_(std::move(name)),
        options_(options.all()),
        threads_(threads),
        batch_(batch),
        network_(std::move(network)),
        pool_(nn::make_thread_pool(static_cast<int>(threads))) {}

  /// On random samples: what a step costs does not depend on what they are.
  Status prepare(const nn::TrainOptions& how) {
    const std::int64_t elements = network_.input().elements();
    Random random(1);
    std::vector<float> x(static_cast<std::size_t>(elements * batch_ * kBatches));
    std::vector<std::int32_t> labels;
    for (auto& value : x) value = static_cast<float>(random.normal());
    for (std::int64_t i = 0; i < batch_ * kBatches; ++i)
      labels.push_back(static_cast<std::int32_t>(i % kClasses));
    NEUROLENS_ASSIGN(const auto data,
                     nn::make_memory_dataset(network_.input(), std::move(x), std::move(labels)));
    return prepare(how, {data, data});
  }

  Status prepare(const nn::TrainOptions& how, const nn::DataPair& data) {
    NEUROLENS_ASSIGN(trainer_, nn::Trainer::create(network_, data, how, *pool_));
    // Every iteration does the same work, so a last batch that is not full is left out, unless it
    // is the only one.
    const bool whole = data.train->size() >= batch_;
    loader_ = std::make_unique<nn::BatchLoader>(
        data.train, nn::LoaderOptions{batch_, how.prefetch, how.shuffle, how.seed, whole});
    loader_->start(epoch_);
    std::vector<std::pair<std::string, const nn::Layer<float>*>> layers;
    network_.root().visit("", layers);
    first_flops_ = layers.empty() ? 0 : layers.front().second->cost().flops;
    precision_ = how.precision == nn::Precision::bf16 ? "bf16" : "f32";
    return {};
  }

  Status iterate(capture::PhaseRecorder* recorder) override {
    nn::Batch batch;
    if (recorder != nullptr) recorder->begin("data");
    while (!loader_->next(batch)) loader_->start(++epoch_);
    if (recorder != nullptr)
      recorder->end({0, 0, 8 * batch.rows * network_.input().elements()});  // read, write
    const Nanoseconds begin = system_clock().now();
    NEUROLENS_ASSIGN(const nn::StepReport step, trainer_->step(batch));
    if (recorder == nullptr) return {};
    // The trainer times its phases itself, in this order.
    const nn::Cost cost = network_.root().cost();
    const std::int64_t forward = cost.flops * batch.rows;
    const auto parameters = static_cast<std::int64_t>(network_.params().size());
    const std::int64_t weights = 4 * parameters, activations = 4 * cost.activations * batch.rows;
    Nanoseconds at = begin;
    const auto tell = [&](nn::TrainPhase phase, const char* name, capture::PhaseWork work) {
      const Nanoseconds duration = step.phases[static_cast<std::size_t>(phase)];
      recorder->leaf(name, at, duration, work);
      at += duration;
    };
    tell(nn::TrainPhase::forward, "forward", {forward, 0, activations, weights});
    // Gradients of weights and of inputs: each as much as the forward pass, but nobody asks for the
    // gradient of the samples.
    tell(nn::TrainPhase::backward, "backward",
         {2 * forward - first_flops_ * batch.rows, 0, 2 * activations, 2 * weights});
    // Parameters, gradients and two moments read; parameters and moments written.
    tell(nn::TrainPhase::optimizer, "optimizer", {0, 12 * parameters, 0, 7 * weights});
    tell(nn::TrainPhase::other, "other", {});
    return {};
  }

  [[nodiscard]] capture::EngineFacts facts() const override {
    capture::EngineFacts out;
    out.name = name_;
    out.precision = precision_;
    out.threads = threads_;
    out.batch_size = batch_;
    out.parameters = static_cast<std::int64_t>(network_.params().size());
    out.options = options_;
    out.phase_kinds = {{"data", "data"},
                       {"forward", "forward"},
                       {"backward", "backward"},
                       {"optimizer", "optimizer"}};
    return out;
  }

 private:
  std::string name_;
  std::map<std::string, std::string> options_;
  std::int64_t threads_, batch_;
  nn::Network<float> network_;
  std::unique_ptr<nn::ParallelFor> pool_;
  std::unique_ptr<nn::Trainer> trainer_;
  std::unique_ptr<nn::BatchLoader> loader_;
  std::int64_t epoch_ = 0;
  std::int64_t first_flops_ = 0;  // of the first layer, for one sample
  std::string precision_;
};

/// Builds network and trainer from YAML texts.
Result<std::unique_ptr<capture::EngineWorkload>> assemble(const std::string& name,
                                                          const Options& options,
                                                          std::int64_t inputs,
                                                          const std::string& layers,
                                                          const std::string& train) {
  NEUROLENS_ASSIGN(const auto batch, options.integer("batch", 1, 1'000'000));
  NEUROLENS_ASSIGN(const auto threads, options.integer("threads", 1, 1024));
  NEUROLENS_TRY(options.choice("precision", {"f32", "bf16"}));
  NEUROLENS_ASSIGN(const std::size_t fusion, options.choice("fusion", kSwitch));
  NEUROLENS_TRY(options.choice("plan", {"once", "every_step"}));
  NEUROLENS_ASSIGN(const json::Value model, yaml::parse("layers: " + layers));
  NEUROLENS_ASSIGN(auto network, nn::Network<float>::build(model, nn::Shape{{inputs}}));
  NEUROLENS_ASSIGN(const json::Value settings,
                   yaml::parse(fmt::format("{{precision: {}, fusion: {}, plan: {}{}}}",
                                           options.text("precision"), fusion == 0,
                                           options.text("plan"), train)));
  NEUROLENS_ASSIGN(nn::TrainOptions how, nn::read_train_options(settings));
  how.batch = batch;
  if (threads > 1) how.shard_rows = std::max<std::int64_t>(1, batch / threads);
  auto step = std::make_unique<TrainingStep>(name, options, threads, batch, std::move(network));
  NEUROLENS_TRY(step->prepare(how));
  return std::unique_ptr<capture::EngineWorkload>(std::move(step));
}

Result<std::unique_ptr<capture::EngineWorkload>> make_mlp(const std::string& name,
                                                          const Options& options) {
  NEUROLENS_ASSIGN(const auto inputs, options.integer("inputs", 1, 1'000'000));
  std::string layers;
  for (const auto piece : split(options.text("hidden"), 'x')) {
    std::int64_t units = 0;
    for (const char c : piece)
      units = c >= '0' && c <= '9' && units < 1'000'000 ? units * 10 + (c - '0') : -1'000'000'000;
    if (piece.empty() || units < 1) {
      return Error{Errc::bad_request,
                   fmt::format("`hidden` is the units of each hidden layer such as 256x128, not "
                               "\"{}\".",
                               printable(options.text("hidden"))),
                   ""};
    }
    layers += fmt::format("{{type: linear, units: {}, activation: relu}}, ", units);
  }
  return assemble(name, options, inputs,
                  fmt::format("[{}{{type: linear, units: {}}}]", layers, kClasses), "");
}

Result<std::unique_ptr<capture::EngineWorkload>> make_adaptive(const std::string& name,
                                                               const Options& options) {
  NEUROLENS_ASSIGN(const auto inputs, options.integer("inputs", 1, 1'000'000));
  NEUROLENS_ASSIGN(const auto nodes, options.integer("nodes", 1, 1'000'000));
  NEUROLENS_ASSIGN(const auto hidden, options.integer("hidden", 1, 1'000'000));
  NEUROLENS_ASSIGN(const double awake, options.number("awake", 0, 1));
  const std::string phases =
      awake < 1 ? fmt::format(", phases: {{mode: dial, awake_training: {}}}", awake) : "";
  NEUROLENS_ASSIGN(const std::size_t compaction, options.choice("compaction", kSwitch));
  NEUROLENS_TRY(options.choice("row_order", {"node", "stream"}));
  return assemble(
      name, options, inputs,
      fmt::format("[{{type: adaptive, nodes: {}, hidden: {}, compaction: {}, "
                  "row_order: {}{}}}, {{type: linear, units: {}}}]",
                  nodes, hidden, compaction == 0, options.text("row_order"), phases, kClasses),
      ", state: carried");
}

/// A training configuration of the user's own, from the beginning.
Result<std::unique_ptr<capture::EngineWorkload>> make_train(const std::string& name,
                                                            const Options& options) {
  const std::string& path = options.text("config");
  if (path.empty())
    return Error{Errc::bad_request,
                 "`config` names the YAML file to train, as in "
                 "nn:train?config=digits.yaml.",
                 ""};
  NEUROLENS_ASSIGN(const auto threads, options.integer("threads", 1, 1024));
  nn::TrainRequest request;
  NEUROLENS_ASSIGN(request.config, system_files().read(path));
  request.where = path;
  request.directory = parent_path(path);
  NEUROLENS_ASSIGN(nn::Prepared ready, nn::prepare(request));
  nn::TrainOptions& how = ready.options;
  // What stands in the file holds unless the specification says otherwise.
  const auto given = [&](const char* key) { return !options.text(key).empty(); };
  if (given("batch")) {
    NEUROLENS_ASSIGN(how.batch, options.integer("batch", 1, 1'000'000));
  }
  if (given("precision")) {
    NEUROLENS_ASSIGN(const auto chosen, options.choice("precision", {"f32", "bf16"}));
    how.precision = static_cast<nn::Precision>(chosen);
  }
  if (given("fusion")) {
    NEUROLENS_ASSIGN(const auto off, options.choice("fusion", kSwitch));
    how.fusion = off == 0;
  }
  if (given("plan")) {
    NEUROLENS_ASSIGN(const auto chosen, options.choice("plan", {"once", "every_step"}));
    how.plan = static_cast<nn::PlanUse>(chosen);
  }
  if (threads > 1 && how.shard_rows == 0)
    how.shard_rows = std::max<std::int64_t>(1, how.batch / threads);
  auto step =
      std::make_unique<TrainingStep>(name, options, threads, how.batch, std::move(ready.network));
  NEUROLENS_TRY(step->prepare(how, ready.data));
  return std::unique_ptr<capture::EngineWorkload>(std::move(step));
}

}  // namespace

std::vector<Kind> nn_kinds() {
  return {{{"nn:mlp",
            "one training step of a multilayer perceptron (128-256-128-10)",
            {{"inputs", "128"},
             {"hidden", "256x128"},
             {"batch", "32"},
             {"precision", "f32"},
             {"fusion", "on"},
             {"plan", "once"},
             {"threads", "1"}}},
           make_mlp},
          {{"nn:adaptive",
            "one training step of the adaptive network",
            {{"inputs", "784"},
             {"nodes", "100"},
             {"hidden", "64"},
             {"awake", "1"},
             {"batch", "32"},
             {"precision", "f32"},
             {"fusion", "on"},
             {"compaction", "on"},
             {"row_order", "node"},
             {"plan", "once"},
             {"threads", "1"}}},
           make_adaptive},
          {{"nn:train",
            "one training step of a configuration, on its own data",
            {{"config", ""},
             {"batch", ""},
             {"precision", ""},
             {"fusion", ""},
             {"plan", ""},
             {"threads", "1"}}},
           make_train}};
}

}  // namespace neurolens::workloads
