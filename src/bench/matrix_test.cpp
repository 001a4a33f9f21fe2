#include "neurolens/bench/matrix.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "make_run.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::bench {
namespace {

/// A workshop with planted times in place of a machine: what is under test is the order of the
/// work, not the measurement.
class PlantedWorkshop final : public Workshop {
 public:
  Result<std::string> model_file(const Config& config, const Cell& cell) override {
    if (cell.precision == Precision::int8)
      return Error{Errc::unavailable, "int8 is not available here: no quantised model.", ""};
    if (const auto& engine = config.models[cell.model].workload)
      return *engine + "?" + engine_options(config, cell).at("nodes");
    return config.models[cell.model].name + ".onnx";
  }
  Result<run::Run> measure_engine(const capture::CaptureRequest& request) override {
    engines.push_back(request.model_path);
    return measure(request);
  }
  Result<run::Run> measure(const capture::CaptureRequest& request) override {
    ++measured;
    clock->sleep(Nanoseconds{1'000'000'000});
    if (request.model_path == "bad.onnx")
      return Error{Errc::crashed, "The backend ended by a signal.", "bad.onnx"};
    if (measured == cancel_at) cancel.cancel();
    run::Run run = test_support::make_run({.ops = 1, .iterations = 4, .seed = next_seed++});
    run.tags = request.tags;
    run.tags["threads"] = std::to_string(request.threads);
    return run;
  }
  Result<Launch> keep(const run::Run& run) override {
    if (full) return Error{Errc::no_space, "The disk is full.", "store"};
    order.push_back(run.tags.at(kCellTag));
    Launch launch{std::stoll(run.tags.at(kRepeatTag)), run.run_id,
                  1e6 * std::exp(noise * random.normal())};
    store.emplace_back(run.tags.at(kBenchIdTag), run.tags.at(kCellTag), launch);
    return launch;
  }
  Result<std::vector<std::pair<std::string, Launch>>> kept(const std::string& id) override {
    std::vector<std::pair<std::string, Launch>> found;
    for (const auto& [bench, cell, launch] : store) {
      if (bench == id) found.emplace_back(cell, launch);
    }
    return found;
  }

  std::vector<std::tuple<std::string, std::string, Launch>> store;
  std::vector<std::string> order;
  Random random{3};
  double noise = 0;
  std::vector<std::string> engines;
  int measured = 0;
  int cancel_at = -1;
  bool full = false;
  std::uint64_t next_seed = 1;
  CancelToken cancel;
  ManualClock* clock = nullptr;
};

class MatrixTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "neurolens_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    workshop_.clock = &clock_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void configure(const std::string& yaml) {
    config_ = parse_config(yaml, "m.yaml").value();
    cells_ = expand(config_).value();
  }
  Result<MatrixResult> run(bool resume = false) {
    MatrixOptions options{folder_ + "/out", resume, {nullptr, &workshop_.cancel}, {}};
    options.on_step = [&](const Step& s) { steps_.push_back(s); };
    return run_matrix(config_, cells_, workshop_, options, system_files(), clock_);
  }

  std::string folder_;
  ManualClock clock_;
  PlantedWorkshop workshop_;
  Config config_;
  std::vector<Cell> cells_;
  std::vector<Step> steps_;
};

constexpr const char* kSix = R"(
models: [good.onnx, bad.onnx]
repeats: 2
axes:
  precision: [f32, int8]
  threads: [1, 2]
exclude:
  - {model: bad, precision: int8}
)";

TEST_F(MatrixTest, EnginesAreMeasuredAsEnginesWithTheOptionsOfTheCell) {
  configure("models: [{workload: 'nn:adaptive'}]\naxes: {options: {nodes: [5, 7]}}\n");
  const auto result = run();
  ASSERT_TRUE(result.ok()) << result.error();
  std::sort(workshop_.engines.begin(), workshop_.engines.end());
  EXPECT_EQ(workshop_.engines, (std::vector<std::string>{"nn:adaptive?5", "nn:adaptive?7"}));
}

TEST_F(MatrixTest, AFailingCellIsARowAndTheRestGoesOn) {
  configure(kSix);
  const auto result = run();
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_FALSE(result->cancelled);
  std::map<std::string, int> launches;
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    const auto& outcome = result->cells[c];
    if (cells_[c].precision == Precision::int8) {
      EXPECT_EQ(outcome.failure->code, Errc::unavailable);
      EXPECT_TRUE(outcome.launches.empty());
    } else if (config_.models[cells_[c].model].name == "bad") {
      EXPECT_EQ(outcome.failure->code, Errc::crashed);
    } else {
      EXPECT_FALSE(outcome.failure);
      ASSERT_EQ(outcome.launches.size(), 2U);
      EXPECT_EQ(outcome.launches[1].repeat, 1);
    }
  }
  EXPECT_EQ(workshop_.measured, 6);  // 2 good cells twice, 2 bad ones once
}

TEST_F(MatrixTest, RoundsInterleaveTheCells) {
  configure("models: [m.onnx]\nrepeats: 3\naxes: {threads: [1, 2, 3, 4, 5, 6, 7, 8]}\n");
  ASSERT_TRUE(run().ok());
  ASSERT_EQ(workshop_.order.size(), 24U);
  for (std::size_t round = 0; round < 3; ++round) {
    const std::set<std::string> seen(workshop_.order.begin() + static_cast<long>(8 * round),
                                     workshop_.order.begin() + static_cast<long>(8 * round + 8));
    EXPECT_EQ(seen.size(), 8U) << round;  // each round has each cell once
  }
}

TEST_F(MatrixTest, ResumeMeasuresWhatIsMissingAndNothingElse) {
  configure(kSix);
  workshop_.cancel_at = 4;
  const auto first = run();
  ASSERT_TRUE(first.ok()) << first.error();
  EXPECT_TRUE(first->cancelled);
  const std::size_t kept = workshop_.store.size();
  EXPECT_EQ(run().error().code, Errc::bad_request);  // not without --resume
  PlantedWorkshop again;
  again.clock = &clock_;
  again.store = workshop_.store;
  again.next_seed = 100;
  const MatrixOptions options{folder_ + "/out", true, {}, {}};
  // A kill in the middle of a line of failures leaves a torn one.
  std::ofstream(folder_ + "/out/failures.jsonl", std::ios::app) << "\n{\"cell\": \"mod";
  const auto second = run_matrix(config_, cells_, again, options, system_files(), clock_);
  ASSERT_TRUE(second.ok()) << second.error();
  EXPECT_EQ(second->bench_id, first->bench_id);
  EXPECT_EQ(again.store.size(), 4U);
  EXPECT_EQ(again.order.size(), 4U - kept);
  std::set<std::pair<std::string, std::int64_t>> unique;
  for (const auto& [id, cell, launch] : again.store) unique.emplace(cell, launch.repeat);
  EXPECT_EQ(unique.size(), 4U);
  const auto third = run_matrix(config_, cells_, again, options, system_files(), clock_);
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(again.store.size(), 4U);  // nothing was left to do, failures included
}

TEST_F(MatrixTest, ResumeRefusesAnotherConfiguration) {
  configure(kSix);
  ASSERT_TRUE(run().ok());
  config_.seed = 99;
  const auto result = run(true);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::bad_request);
}

TEST_F(MatrixTest, AStoreThatCannotKeepEndsTheMatrix) {
  configure(kSix);
  workshop_.full = true;
  EXPECT_EQ(run().error().code, Errc::no_space);
}

TEST_F(MatrixTest, TheStoppingRuleEndsQuietCellsEarlierThanNoisyOnes) {
  configure("models: [m.onnx]\nrepeats: {least: 3, most: 20, interval: 5%}\n");
  workshop_.noise = 0.002;
  const auto quiet = run();
  ASSERT_TRUE(quiet.ok());
  EXPECT_EQ(quiet->cells[0].launches.size(), 3U);
  std::filesystem::remove_all(folder_ + "/out");
  workshop_.noise = 0.2;
  const auto noisy = run();
  EXPECT_GT(noisy->cells[0].launches.size(), 8U);
}

TEST_F(MatrixTest, TimeLeftFollowsWhatLaunchesTook) {
  configure("models: [m.onnx]\nrepeats: 2\naxes: {threads: [1, 2, 3, 4, 5]}\n");
  ASSERT_TRUE(run().ok());
  ASSERT_EQ(steps_.size(), 10U);
  EXPECT_FALSE(steps_[0].left);
  EXPECT_EQ(steps_[6].total, 10U);
  EXPECT_EQ(steps_[6].done, 6U);
  EXPECT_NEAR(static_cast<double>(steps_[6].left->count), 4e9, 1e6);  // 1 s each
}

TEST(LatencyOf, IsTheGeometricMeanWithAnIntervalThatCovers) {
  EXPECT_FALSE(latency_of({}));
  EXPECT_FALSE(latency_of({{0, "a", 10.0}})->low_ns);
  Random random(1);
  int covered = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    std::vector<Launch> launches;
    for (int i = 0; i < 5; ++i) launches.push_back({i, "", 1e6 * std::exp(0.03 * random.normal())});
    const auto l = latency_of(launches);
    covered += *l->low_ns <= 1e6 && 1e6 <= *l->high_ns ? 1 : 0;
  }
  EXPECT_GE(covered, 925);  // 95 % less three standard errors
  EXPECT_LE(covered, 975);
}

}  // namespace
}  // namespace neurolens::bench
