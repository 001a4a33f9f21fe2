// What can be turned off to see what it is worth changes the time of a step, never its result.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/train.hpp"

std::int64_t allocations_so_far();  // see allocations_test.cpp

namespace neurolens::nn {
namespace {

struct Outcome {
  std::vector<float> params;
  std::int64_t allocations = 0;  // of the last step
  double accuracy = 0;
};

// Ten steps of a network whose nodes sleep, with carried state and two ticks, so that gradients run
// through sleepers.
Outcome steps(const std::string& layer, const std::string& train) {
  const auto data = yaml::parse("{kind: digits, count: 200, size: 6}");
  auto pair = open_data(*data, ".");
  EXPECT_TRUE(pair.ok());
  const auto model = yaml::parse("{seed: 4, layers: [{type: adaptive, nodes: 12, hidden: 18, " +
                                 layer + "}, {type: linear, units: 10, activation: sigmoid}]}");
  auto network = Network<float>::build(*model, Shape{{36}});
  EXPECT_TRUE(network.ok()) << network.error();
  auto options = read_train_options(
      *yaml::parse("{batch: 8, state: carried" + (train.empty() ? "" : ", " + train) + "}"));
  EXPECT_TRUE(options.ok()) << options.error();
  auto trainer = Trainer::create(*network, *pair, *options);
  EXPECT_TRUE(trainer.ok()) << trainer.error();
  BatchLoader loader(pair->train, {8});
  loader.start(0);
  Outcome out;
  Batch batch;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(loader.next(batch));
    const std::int64_t before = allocations_so_far();
    EXPECT_TRUE((*trainer)->step(batch).ok());
    out.allocations = allocations_so_far() - before;
  }
  out.accuracy = (*trainer)->evaluate(*pair->test, 0.5).accuracy;
  out.params.assign(network->params().begin(), network->params().end());
  return out;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(double(a[i]) - double(b[i])));
  return most;
}

const std::string kDial = "ticks: 2, phases: {mode: dial, awake_training: 0.5}";
const std::string kController = "ticks: 2, phases: {mode: controller, exploration: 0.5}";

TEST(Switches, MaskingSleepersGivesTheBitsOfCompactingThem) {
  for (const auto& phases : {kDial, kController}) {
    const Outcome compacted = steps(phases, "");
    const Outcome masked = steps(phases + ", compaction: false", "");
    EXPECT_EQ(compacted.params, masked.params) << phases;
    EXPECT_EQ(compacted.accuracy, masked.accuracy) << phases;
  }
}

TEST(Switches, APlanForEveryStepGivesTheSameBitsAndAllocates) {
  const Outcome once = steps(kDial, "");
  const Outcome anew = steps(kDial, "plan: every_step");
  EXPECT_EQ(once.params, anew.params);
  if (allocations_so_far() < 0) GTEST_SKIP() << "a sanitizer owns the allocator";
  EXPECT_EQ(once.allocations, 0);
  EXPECT_GT(anew.allocations, 0);
}

TEST(Switches, OrderAndFusionChangeNothingBeyondRounding) {
  const Outcome usual = steps(kDial, "");
  for (const auto& [layer, train] : {std::pair<std::string, std::string>{", row_order: stream", ""},
                                     {"", "fusion: false"},
                                     {", row_order: stream, compaction: false", "fusion: false"}}) {
    const Outcome other = steps(kDial + layer, train);
    EXPECT_NE(usual.params, other.params) << layer << train;  // or it was not switched
    // Adam moves every parameter by about the learning rate, whatever the gradient's size.
    EXPECT_LT(largest_difference(usual.params, other.params), 1e-3) << layer << train;
  }
}

TEST(Switches, WithoutFusionThereIsNoGpu) {
  EXPECT_TRUE(read_train_options(*yaml::parse("{fusion: false, device: auto}")).ok());
  EXPECT_EQ(read_train_options(*yaml::parse("{fusion: false, device: cuda}")).error().code,
            Errc::bad_request);
}

TEST(Switches, AreShownByThePlan) {
  TrainRequest request;
  request.config =
      "model: {layers: [{type: adaptive, nodes: 4, hidden: 4, compaction: false, row_order: "
      "stream, phases: {mode: dial}}, {type: linear, units: 10}]}\n"
      "data: {kind: digits, count: 20}\ntrain: {fusion: false, plan: every_step}\n";
  const auto text = explain(request);
  ASSERT_TRUE(text.ok()) << text.error();
  for (const char* part : {"nothing fused", "sleepers masked", "rows by stream", "fusion off",
                           "plan every_step", "precision f32"})
    EXPECT_NE(text->find(part), std::string::npos) << part << "\n" << *text;
}

}  // namespace
}  // namespace neurolens::nn
