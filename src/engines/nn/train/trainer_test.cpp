#include "neurolens/engines/nn/trainer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/train.hpp"
#include "train/denormals.hpp"

// Allocations of this whole test program so far; see allocations_test.cpp.
std::int64_t allocations_so_far();

namespace neurolens::nn {
namespace {

std::string config(const std::string& layers, const std::string& train,
                   const std::string& data = "count: 1500") {
  return "model: {name: test, seed: 3, layers: " + layers + "}\ndata: {kind: digits, " + data +
         "}\ntrain: {" + train + "}\n";
}
const std::string kMlp = "[{type: linear, units: 48, activation: relu}, {type: linear, units: 10}]";
const std::string kAdaptive =
    "[{type: adaptive, nodes: 30, hidden: 16}, {type: linear, units: 10}]";

struct Rig {
  Network<float> network;
  DataPair data;
  TrainOptions options;
};

Rig make_rig(const std::string& layers, const std::string& train,
             const std::string& data = "count: 300") {
  const auto all = yaml::parse(config(layers, train, data));
  EXPECT_TRUE(all.ok());
  auto pair = open_data(*all->find("data"), ".");
  auto network = Network<float>::build(*all->find("model"), pair->train->sample());
  EXPECT_TRUE(network.ok()) << network.error();
  auto options = read_train_options(*all->find("train"));
  EXPECT_TRUE(options.ok()) << options.error();
  return {std::move(network).value(), std::move(pair).value(), *options};
}

TEST(Train, AnMlpLearnsTheDigits) {
  const auto result = train({config(kMlp, "epochs: 12, optimizer: {learning_rate: 3e-3}")});
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_GT(result->fit.test->accuracy, 0.97);
  EXPECT_GT(result->fit.median_step.count, 0);
  EXPECT_NEAR(result->fit.test->f1, result->fit.test->accuracy, 0.03);
  const std::string json = to_json(*result);
  EXPECT_NE(json.find("\"test\":{\"accuracy_ratio\":"), std::string::npos) << json;
}

TEST(Train, TheAdaptiveCellLearnsTheDigitsAndTheLegacyOneDoesNot) {
  const auto adaptive = train({config(kAdaptive, "epochs: 12, optimizer: {learning_rate: 3e-3}")});
  ASSERT_TRUE(adaptive.ok()) << adaptive.error();
  EXPECT_GT(adaptive->fit.test->accuracy, 0.95);
  const auto legacy =
      train({config("[{type: adaptive_legacy, nodes: 30, hidden: 16}, {type: linear, units: 10}]",
                    "epochs: 4, optimizer: {learning_rate: 3e-3}", "count: 600")});
  ASSERT_TRUE(legacy.ok()) << legacy.error();
  EXPECT_LT(legacy->fit.test->accuracy, 0.6);
}

TEST(Train, UntrainedNetworksGuess) {
  const auto result = train({config(kMlp, "epochs: 0")});
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_LT(result->fit.test->accuracy, 0.35);
}

// Two trainings that must agree bit for bit.
void expect_equal_params(const Network<float>& a, const Network<float>& b) {
  ASSERT_EQ(a.params().size(), b.params().size());
  for (std::size_t i = 0; i < a.params().size(); ++i)
    ASSERT_EQ(a.params()[i], b.params()[i]) << a.name_of(static_cast<std::int64_t>(i));
}

TEST(Trainer, ResumesBitForBitInTheMiddleOfAnEpoch) {
  const std::string layers =
      "[{type: linear, units: 20}, {type: batch_norm}, {type: dropout, rate: 0.2}, {type: "
      "adaptive, nodes: 12, hidden: "
      "8, phases: {mode: controller}}, {type: linear, units: 10}]";
  const std::string options =
      "epochs: 3, batch: 16, state: carried, prefetch: 1, schedule: {type: cosine, warmup_steps: "
      "5}";
  Rig whole = make_rig(layers, options);
  ASSERT_TRUE((*Trainer::create(whole.network, whole.data, whole.options))->fit().ok());

  Rig first = make_rig(layers, options);
  first.options.max_steps = 22;  // 15 batches an epoch: stops within the second
  auto stopped = Trainer::create(first.network, first.data, first.options);
  ASSERT_TRUE((*stopped)->fit().ok());
  EXPECT_EQ((*stopped)->steps_done(), 22);
  const std::string saved = (*stopped)->checkpoint();

  Rig second = make_rig(layers, options);
  auto resumed = Trainer::create(second.network, second.data, second.options);
  ASSERT_TRUE((*resumed)->restore(saved).ok());
  EXPECT_EQ((*resumed)->steps_done(), 22);
  ASSERT_TRUE((*resumed)->fit().ok());
  EXPECT_EQ((*resumed)->steps_done(), 45);
  expect_equal_params(second.network, whole.network);
  for (std::size_t i = 0; i < whole.network.buffers().size(); ++i) {
    EXPECT_EQ(second.network.buffers()[i], whole.network.buffers()[i]);
  }
}

TEST(Trainer, TheNumberOfThreadsDoesNotChangeTheResult) {
  const std::string layers =
      "[{type: adaptive, nodes: 12, hidden: 8, phases: {mode: controller}}, {type: dropout, rate: "
      "0.3}, {type: linear, "
      "units: 10}]";
  const std::string options = "epochs: 2, batch: 32, shard_rows: 5, state: carried, accumulate: 2";
  Rig one = make_rig(layers, options), three = make_rig(layers, options);
  ASSERT_TRUE((*Trainer::create(one.network, one.data, one.options))->fit().ok());
  const auto pool = make_thread_pool(3);
  ASSERT_TRUE((*Trainer::create(three.network, three.data, three.options, *pool))->fit().ok());
  expect_equal_params(three.network, one.network);
}

TEST(Plan, SplittingABatchDoesNotChangeOutputsOrStates) {
  Rig rig = make_rig(
      "[{type: adaptive, nodes: 12, hidden: 8, ticks: 3, phases: {mode: controller}}, {type: "
      "linear, units: 10}]",
      "");
  std::vector<std::int64_t> index = {0, 1, 2, 3, 4, 5, 6};
  std::vector<float> x(7 * 64);
  std::vector<std::int32_t> labels(7);
  rig.data.train->gather(index, x.data(), labels.data());
  const std::uint64_t streams[7] = {6, 0, 3, 1, 2, 5, 4};
  StreamStates<float> whole(rig.network, 7), split(rig.network, 7);
  Plan<float> plan(rig.network, 7, kernels::simd_kernels());
  for (std::uint64_t step = 0; step < 5; ++step) {
    PassOptions o;
    o.seed = 5, o.step = step, o.streams = streams;
    const float* y = plan.forward(7, x.data(), true, o, &whole);
    const std::vector<float> all(y, y + 70);
    for (std::int64_t r = 0; r < 7; ++r) {
      o.streams = streams + r;
      const float* one = plan.forward(1, x.data() + r * 64, true, o, &split);
      EXPECT_EQ(std::vector<float>(one, one + 10),
                std::vector<float>(&all[r * 10], &all[r * 10] + 10));
    }
    for (std::int64_t s = 0; s < 7; ++s) whole.commit(s), split.commit(s);
    EXPECT_EQ(whole.save(), split.save());
  }
  EXPECT_NE(whole.save(), StreamStates<float>(rig.network, 7).save());
  const auto saved = whole.save();
  StreamStates<float> loaded(rig.network, 7);
  ASSERT_TRUE(loaded.load(saved).ok());
  EXPECT_EQ(loaded.save(), saved);
  EXPECT_FALSE(loaded.load({saved.data(), saved.size() - 1}).ok());
}

TEST(FlushDenormals, HoldsWhileItLivesAndGivesBackWhatWasThere) {
  volatile float small = 1e-37f;
  volatile float tenth = 0.1f;
  {
    const FlushDenormals flush;
#if defined(__SSE2__) || defined(__aarch64__)
    EXPECT_EQ(small * tenth, 0.0f);
#endif
  }
  EXPECT_GT(small * tenth, 0.0f);
}

TEST(Trainer, AStepAllocatesNothing) {
  if (allocations_so_far() < 0) GTEST_SKIP() << "a sanitizer owns the allocator";
  for (const std::string& layers : std::vector<std::string>{
           kMlp, kAdaptive,
           std::string("[{type: adaptive, nodes: 20, hidden: 16, ticks: 2, phases: {mode: "
                       "controller}}, {type: layer_norm}, {type: linear, units: 10}]"),
           std::string("[{type: reshape, shape: [1, 8, 8]}, {type: conv2d, filters: 4}, {type: "
                       "max_pool}, {type: flatten}, {type: linear, units: 10}]"),
           std::string(
               "[{type: reshape, shape: [8, 8]}, {type: residual, layers: [{type: attention, "
               "heads: "
               "2}]}, {type: gru, units: 8}, {type: dropout}, {type: linear, units: 10}]")}) {
    Rig rig = make_rig(layers, "batch: 16, shard_rows: 8, state: carried");
    const auto pool = make_thread_pool(2);
    auto trainer = Trainer::create(rig.network, rig.data, rig.options, *pool);
    ASSERT_TRUE(trainer.ok()) << trainer.error();
    BatchLoader loader(rig.data.train, {16});
    loader.start(0);
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
    ASSERT_TRUE((*trainer)->step(batch).ok());
    const std::int64_t before = allocations_so_far();
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(loader.next(batch));
      ASSERT_TRUE((*trainer)->step(batch).ok());
    }
    EXPECT_EQ(allocations_so_far() - before, 0) << layers;
  }
}

TEST(Trainer, StopsBeforeANotANumberSpreads) {
  Rig rig = make_rig(kMlp, "batch: 16");
  auto trainer = Trainer::create(rig.network, rig.data, rig.options);
  std::vector<float> x(16 * 64, 0.5f);
  std::vector<std::int32_t> labels(16, 1);
  std::vector<std::uint64_t> samples(16, 0);
  const std::vector<float> before(rig.network.params().begin(), rig.network.params().end());
  x[3 * 64 + 5] = std::nanf("");
  auto report = (*trainer)->step({16, x.data(), labels.data(), samples.data()});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Errc::check_failed);
  EXPECT_NE(report.error().message.find("step 1"), std::string::npos);
  EXPECT_NE(report.error().message.find("input of row 3"), std::string::npos) << report.error();
  EXPECT_TRUE(std::equal(before.begin(), before.end(), rig.network.params().begin()));
  x[3 * 64 + 5] = 0;
  rig.network.params()[64 * 48 + 2] = INFINITY;
  report = (*trainer)->step({16, x.data(), labels.data(), samples.data()});
  ASSERT_FALSE(report.ok());
  EXPECT_NE(report.error().message.find("0.bias"), std::string::npos) << report.error();
}

TEST(Trainer, RefusesForeignAndDamagedCheckpoints) {
  Rig rig = make_rig(kMlp, "batch: 16"), other = make_rig(kAdaptive, "batch: 16");
  auto trainer = Trainer::create(rig.network, rig.data, rig.options);
  const std::string good = (*trainer)->checkpoint();
  const std::string foreign =
      (*Trainer::create(other.network, other.data, other.options))->checkpoint();
  EXPECT_EQ((*trainer)->restore(foreign).error().code, Errc::bad_request);
  for (const std::size_t n :
       {std::size_t{0}, std::size_t{7}, std::size_t{20}, good.size() / 2, good.size() - 1}) {
    EXPECT_FALSE((*trainer)->restore(good.substr(0, n)).ok()) << n;
  }
  std::string flipped = good;
  flipped[good.size() / 2] ^= 4;
  EXPECT_EQ((*trainer)->restore(flipped).error().code, Errc::data_corrupt);
  std::string newer = good;
  newer[6] = '2';
  EXPECT_EQ((*trainer)->restore(newer).error().code, Errc::newer_version);
  rig.options.optimizer.kind = OptimizerKind::sgd;
  auto sgd = Trainer::create(rig.network, rig.data, rig.options);
  EXPECT_NE((*sgd)->restore(good).error().message.find("optimizer"), std::string::npos);
  EXPECT_TRUE((*trainer)->restore(good).ok());
}

TEST(Trainer, OptimizersSchedulesAndPrecisionsAllReduceTheLoss) {
  for (const std::string options :
       {"optimizer: {type: sgd, learning_rate: 0.2, momentum: 0.9, nesterov: true}",
        "optimizer: {type: adamw, weight_decay: 0.01}", "precision: bf16, loss_scale: 8",
        "accumulate: 3, optimizer: {learning_rate: 0.02}, schedule: {type: step, every_steps: 50}",
        "optimizer: {learning_rate: 0.01}, schedule: {type: linear, warmup_steps: 5, floor_ratio: "
        "0.1}, clip_norm: 0.1"}) {
    Rig rig = make_rig(kMlp, "epochs: 6, " + options, "count: 800");
    auto trainer = Trainer::create(rig.network, rig.data, rig.options);
    ASSERT_TRUE(trainer.ok());
    const double before = (*trainer)->evaluate(*rig.data.test).loss;
    ASSERT_TRUE((*trainer)->fit().ok());
    EXPECT_LT((*trainer)->evaluate(*rig.data.test).loss, 0.6 * before) << options;
  }
}

TEST(Trainer, FallsBackToTheCpuUnlessAGpuWasDemanded) {
  if (kernels::cuda_kernels().ok()) GTEST_SKIP() << "built with CUDA";
  EXPECT_TRUE(train({config(kMlp, "epochs: 0, device: auto")}).ok());
  const auto demanded = train({config(kMlp, "epochs: 0, device: cuda")});
  ASSERT_FALSE(demanded.ok());
  EXPECT_EQ(demanded.error().code, Errc::unavailable);
}

TEST(Schedule, MeetsItsFormula) {
  TrainOptions o;
  o.optimizer.learning_rate = 1.0;
  o.schedule.warmup_steps = 10;
  o.schedule.kind = ScheduleKind::cosine;
  o.schedule.floor_ratio = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 0, 110), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 10, 110), 1.0);
  EXPECT_NEAR(learning_rate_at(o, 60, 110), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate_at(o, 110, 110), 0.1, 1e-12);
  o.schedule.kind = ScheduleKind::step;
  o.schedule.every_steps = 5;
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 21, 0), 0.25);
}

TEST(Trainer, StopsEarlyWhenNothingImproves) {
  Rig rig = make_rig(kMlp, "epochs: 50, patience: 2, optimizer: {learning_rate: 0}");
  const auto summary = (*Trainer::create(rig.network, rig.data, rig.options))->fit();
  ASSERT_TRUE(summary.ok());
  EXPECT_TRUE(summary->stopped_early);
  EXPECT_EQ(summary->epochs, 3);
}

TEST(Trainer, CancellingWritesACheckpointThatGoesOn) {
  const std::string path = testing::TempDir() + "nn_cancel.ckpt";
  Rig rig = make_rig(kMlp, "epochs: 2, checkpoint: " + path);
  CancelToken cancel;
  cancel.cancel();
  Attention attention;
  attention.cancel = &cancel;
  auto trainer = Trainer::create(rig.network, rig.data, rig.options);
  const auto stopped = (*trainer)->fit(nullptr, attention);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, Errc::cancelled);
  const auto bytes = system_files().read(path);
  ASSERT_TRUE(bytes.ok());
  ASSERT_TRUE((*trainer)->restore(*bytes).ok());
  EXPECT_EQ((*trainer)->steps_done(), 1);
}

TEST(Train, SaysWhereAConfigurationIsWrong) {
  const auto message = [](const std::string& text) {
    const auto result = train({text, "c.yaml"});
    EXPECT_FALSE(result.ok());
    return result.ok() ? std::string() : result.error().text();
  };
  EXPECT_NE(
      message("model: {layers: [{type: liner, units: 3}]}\ndata: {kind: digits}\n").find("linear"),
      std::string::npos);
  EXPECT_NE(message(config("[{type: linear, units: 0}]", "")).find("c.yaml: line 1"),
            std::string::npos);
  const auto both = message(config("[{type: linear, units: 8}, {type: conv2d, filters: 2}]", ""));
  EXPECT_NE(both.find("layer 1 (conv2d) cannot follow layer 0 (linear)"), std::string::npos)
      << both;
  EXPECT_NE(message(config("[{type: linear, units: 3}]", "")).find("10 classes"),
            std::string::npos);
  EXPECT_NE(message(config(kMlp, "batc: 3")).find("batch"), std::string::npos);
  EXPECT_NE(message("model: [").find("c.yaml"), std::string::npos);
  // Shapes that do not fit the data are the configuration's mistake; so is a misspelt needed key.
  EXPECT_NE(message(config("[{type: linear, units: 3}]", "")).find("c.yaml"), std::string::npos);
  EXPECT_NE(message(config("[{type: linear, unit: 3}]", "")).find("Did you mean \"units\"?"),
            std::string::npos);
  const auto data = [&](const std::string& section) {
    return message("model: {layers: " + kMlp + "}\ndata: {" + section + "}\n");
  };
  EXPECT_NE(data("kind: npy, labels: y.npy").find("needs the key \"samples\""), std::string::npos);
  EXPECT_NE(data("kind: csv, file: /no/such.csv").find("no such file"), std::string::npos);
  EXPECT_NE(data("kind: npy, samples: /no/x.npy, labels: y").find("no such file"),
            std::string::npos);
  EXPECT_NE(data("kind: npy, samples: /, labels: y").find("not a file"), std::string::npos);
  // A checkpoint that cannot be written is found out before the first step.
  EXPECT_NE(message(config(kMlp, "checkpoint: /no/such/c.ckpt, epochs: 1000000")).find("directory"),
            std::string::npos);
  TrainRequest awake{config(kMlp, ""), "c.yaml"};
  awake.awake = 0.5;
  EXPECT_EQ(train(awake).error().code, Errc::bad_request);
  EXPECT_EQ(evaluate(awake).error().code, Errc::bad_request);
  TrainRequest request{config(kMlp, ""), "c.yaml"};
  request.resume = "/no/such/checkpoint";
  const auto missing = train(request);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

TEST(Train, EvaluatesTheCheckpointThatTheConfigurationNames) {
  const std::string path = testing::TempDir() + "/named.ckpt";
  (void)system_files().remove(path);
  const TrainRequest request{config(kMlp, "epochs: 4, checkpoint: " + path), "c.yaml"};
  EXPECT_EQ(*checkpoint_of(request), "");
  const auto untrained = evaluate(request);
  ASSERT_TRUE(untrained.ok()) << untrained.error();
  const auto trained = train(request);
  ASSERT_TRUE(trained.ok()) << trained.error();
  EXPECT_EQ(*checkpoint_of(request), path);
  const auto evaluated = evaluate(request);
  ASSERT_TRUE(evaluated.ok()) << evaluated.error();
  EXPECT_EQ(evaluated->test.loss, trained->fit.test->loss);
  EXPECT_LT(evaluated->test.loss, untrained->test.loss);
  EXPECT_GT(evaluated->samples_per_second, 0);
  TrainRequest other = request;
  other.resume = "/other.ckpt";
  EXPECT_EQ(*checkpoint_of(other), "/other.ckpt");
  (void)system_files().remove(path);
}

TEST(Explain, ListsLayersAndMemory) {
  const auto text = explain({config(kAdaptive, "")});
  ASSERT_TRUE(text.ok()) << text.error();
  for (const char* word : {"adaptive", "linear", "gemm", "arena", "parameters"}) {
    EXPECT_NE(text->find(word), std::string::npos) << *text;
  }
}

TEST(Registry, RefusesASecondLayerOfOneName) {
  LayerRegistry<float> registry;
  const LayerRegistry<float>::Factory factory = [](const LayerRegistry<float>&,
                                                   const json::Value&) -> Result<LayerPtr<float>> {
    return Error{Errc::internal, "Not made.", ""};
  };
  EXPECT_TRUE(registry.add("mine", factory).ok());
  EXPECT_EQ(registry.add("mine", factory).error().code, Errc::duplicate_name);
}

}  // namespace
}  // namespace neurolens::nn
