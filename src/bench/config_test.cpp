#include "neurolens/bench/config.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "neurolens/bench/cells.hpp"

namespace neurolens::bench {
namespace {

constexpr const char* kWhole = R"(
name: nightly
seed: 7
warmup: 3
stop: {interval: 5%, time: 500ms}
repeats: {least: 2, most: 6, interval: 0.1}
method: corrected
tags: {suite: zoo}
models:
  - zoo: lenet
    tags: {family: cnn}
  - file: models/big.onnx
    int8: models/big.int8.onnx
  - plain.onnx
axes:
  batch: [1, 4]
  threads: [1, 2]
  precision: [f32, int8]
  optimisation: [none, all]
  tags: {side: [a, b]}
include:
  - {model: [lenet, big]}
exclude:
  - {model: lenet, precision: int8}
  - {batch: 4, tags.side: b}
)";

TEST(BenchConfig, ReadsEveryKey) {
  const auto config = parse_config(kWhole, "m.yaml");
  ASSERT_TRUE(config.ok()) << config.error();
  EXPECT_EQ(config->name, "nightly");
  EXPECT_EQ(config->seed, 7U);
  EXPECT_EQ(config->warmup, 3);
  EXPECT_EQ(config->stop.time.count, 500'000'000);
  EXPECT_DOUBLE_EQ(config->stop.interval_ratio, 0.05);
  EXPECT_EQ(config->repeats.most, 6);
  EXPECT_EQ(config->method, capture::Method::corrected);
  ASSERT_EQ(config->models.size(), 3U);
  EXPECT_EQ(config->models[0].zoo, "lenet");
  EXPECT_EQ(config->models[1].name, "big");
  EXPECT_EQ(config->models[2].file, "plain.onnx");
  EXPECT_EQ(config->axes.threads, (std::vector<std::int64_t>{1, 2}));
}

TEST(BenchConfig, HashFollowsWhatIsMeasuredAndNotTheLayout) {
  const auto config = parse_config(kWhole, "m.yaml");
  std::string other = std::string("# a comment\n") + kWhole;
  EXPECT_EQ(content_hash(*parse_config(other, "m.yaml")), content_hash(*config));
  other.replace(other.find("seed: 7"), 7, "seed: 8");
  EXPECT_NE(content_hash(*parse_config(other, "m.yaml")), content_hash(*config));
}

struct Refusal {
  const char* yaml;
  Errc code;
  const char* place;
  const char* says;
};

class BenchConfigRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(BenchConfigRefuses, WithLineAndColumn) {
  const auto config = parse_config(GetParam().yaml, "m.yaml");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, GetParam().code) << config.error();
  EXPECT_EQ(config.error().where, std::string("m.yaml: ") + GetParam().place) << config.error();
  EXPECT_NE(config.error().message.find(GetParam().says), std::string::npos) << config.error();
}

std::string long_axis() {
  std::string list;
  for (int i = 1; i <= 1000; ++i) list += fmt::format("{}{}", i == 1 ? "" : ",", i);
  return list;
}
// 1,000 values on each of three axes: 10^9 cells, of which the second axis is already too much.
const std::string kBillion = fmt::format(
    "models: [m.onnx]\naxes:\n  batch: [{0}]\n  sequence: [{0}]\n  threads: [{0}]\n", long_axis());

INSTANTIATE_TEST_SUITE_P(
    Cases, BenchConfigRefuses,
    ::testing::Values(
        Refusal{"models: [m.onnx\n", Errc::parse_error, "line 2, column 1", "YAML"},
        Refusal{"models: [m.onnx]\naxis: {}\n", Errc::unknown_key, "line 2, column 1", "axes"},
        Refusal{"models: [m.onnx]\naxes:\n  bacth:\n    [1]\n", Errc::unknown_key,
                "line 3, column 3", "batch"},
        Refusal{"- 1\n", Errc::wrong_type, "line 1, column 1", "map"},
        Refusal{"seed: 1\n", Errc::missing_key, "line 1, column 1", "models"},
        Refusal{"models: []\n", Errc::out_of_range, "line 1, column 9", "at least one"},
        Refusal{"models: [{workload: a, file: b}]\n", Errc::missing_key, "line 1, column 10",
                "one of"},
        Refusal{"models: [{workload: 'nn:mlp', int8: b}]\n", Errc::bad_request, "line 1, column 37",
                "not a workload"},
        Refusal{"models: [{file: a, options: {n: 1}}]\n", Errc::bad_request, "line 1, column 29",
                "workload"},
        Refusal{"models: [{workload: 'nn:mlp'}, m.onnx]\naxes:\n  options: {n: [1]}\n",
                Errc::bad_request, "line 3, column 12", "every model"},
        Refusal{"models: [{workload: 'nn:mlp'}]\naxes:\n  provider: [cpu]\n", Errc::bad_request,
                "line 3, column 13", "provider"},
        Refusal{"models: [{workload: 'nn:mlp'}]\naxes:\n  batch: [1]\n  options: {batch: [2]}\n",
                Errc::duplicate_name, "line 4, column 20", "axis of its own"},
        Refusal{"models: [{workload: 'nn:mlp'}]\naxes:\n  options: {hidden: [[1]]}\n",
                Errc::wrong_type, "line 3, column 22", "text or a number"},
        Refusal{"models: [{zoo: a, file: b}]\n", Errc::missing_key, "line 1, column 10", "one of"},
        Refusal{"models: [a/m.onnx, b/m.onnx]\n", Errc::duplicate_name, "line 1, column 20", "m"},
        Refusal{"models: [m.onnx]\naxes:\n  batch: []\n", Errc::out_of_range, "line 3, column 10",
                "empty"},
        Refusal{"models: [m.onnx]\naxes:\n  batch: 4\n", Errc::wrong_type, "line 3, column 10",
                "list"},
        Refusal{"models: [m.onnx]\naxes:\n  batch: [1, two]\n", Errc::wrong_type,
                "line 3, column 14", "integer"},
        Refusal{"models: [m.onnx]\naxes:\n  batch: [1, 0]\n", Errc::out_of_range,
                "line 3, column 14", "0"},
        Refusal{"models: [m.onnx]\naxes:\n  batch: [1, 2, 1]\n", Errc::duplicate_name,
                "line 3, column 17", "twice"},
        Refusal{"models: [m.onnx]\naxes:\n  precision: [f32, f64]\n", Errc::out_of_range,
                "line 3, column 20", "bf16"},
        Refusal{"models: [m.onnx]\naxes:\n  tags: {cell: [a]}\n", Errc::duplicate_name,
                "line 3, column 16", "cell"},
        Refusal{"models: [m.onnx]\nstop: {iterations: 5, time: 3s}\n", Errc::bad_request,
                "line 2, column 29", "iterations"},
        Refusal{"models: [m.onnx]\nstop: {time: soon}\n", Errc::wrong_type, "line 2, column 14",
                "duration"},
        Refusal{"models: [m.onnx]\nrepeats: {least: 3, most: 2, interval: 1%}\n",
                Errc::out_of_range, "line 2, column 27", "[3"},
        Refusal{"models: [m.onnx]\nmethod: magic\n", Errc::out_of_range, "line 2, column 9",
                "observed"},
        Refusal{"models: [m.onnx]\nexclude:\n  - {threads: 3}\n", Errc::not_found,
                "line 3, column 15", "no value"},
        Refusal{kBillion.c_str(), Errc::too_large, "line 4, column 13", "cells"}));

TEST(Cells, AreTheProductThatTheRulesLeave) {
  const auto config = parse_config(kWhole, "m.yaml");
  const auto cells = expand(*config);
  ASSERT_TRUE(cells.ok()) << cells.error();
  // lenet: f32 only, 2 levels, 2 threads; batch 1 on both sides and batch 4 on side a: 12. big: 24.
  EXPECT_EQ(cells->size(), 36U);
  std::set<std::string> keys;
  for (const auto& cell : *cells) keys.insert(cell.key);
  EXPECT_EQ(keys.size(), cells->size());
  EXPECT_TRUE(
      keys.contains("model=lenet batch=1 precision=f32 threads=2 optimisation=all tags.side=b"));
  EXPECT_FALSE(
      keys.contains("model=big batch=4 precision=f32 threads=2 optimisation=all tags.side=b"));
}

TEST(Cells, RulesThatLeaveNothingAreRefused) {
  const auto config = parse_config("models: [m.onnx]\nexclude:\n  - {model: m}\n", "m.yaml");
  ASSERT_TRUE(config.ok()) << config.error();
  EXPECT_EQ(expand(*config).error().code, Errc::bad_request);
}

TEST(Cells, RoundsAreShuffledAnewAndReproducible) {
  const auto first = order_of_round(100, 1, 0);
  auto sorted = first;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::size_t> every(100);
  std::iota(every.begin(), every.end(), std::size_t{0});
  EXPECT_EQ(sorted, every);
  EXPECT_NE(first, every);
  EXPECT_EQ(order_of_round(100, 1, 0), first);
  EXPECT_NE(order_of_round(100, 1, 1), first);
  EXPECT_NE(order_of_round(100, 2, 0), first);
}

TEST(Cells, EnginesTakeOptionsFromTheModelTheAxesAndTheOptionAxes) {
  const auto config = parse_config(R"(
models:
  - {workload: 'nn:adaptive', options: {inputs: 64, nodes: 5}}
axes:
  batch: [8]
  options: {nodes: [10, 20], awake: [1, 0.5], fusion: [true, off]}
exclude:
  - {options.awake: 0.5, options.nodes: 20}
)",
                                   "m.yaml");
  ASSERT_TRUE(config.ok()) << config.error();
  const auto cells = expand(*config);
  ASSERT_TRUE(cells.ok()) << cells.error();
  EXPECT_EQ(cells->size(), 6U);
  EXPECT_EQ(cells->front().key,
            "model=nn:adaptive options.nodes=10 options.awake=1 options.fusion=on");
  const auto options = engine_options(*config, cells->front());
  // Neither threads nor precision: the matrix does not name them, and not every engine has them.
  EXPECT_EQ(
      options,
      (std::map<std::string, std::string>{
          {"awake", "1"}, {"batch", "8"}, {"fusion", "on"}, {"inputs", "64"}, {"nodes", "10"}}));
  const auto request = request_for(*config, cells->front(), "nn:adaptive?nodes=10");
  EXPECT_EQ(request.model_path, "nn:adaptive?nodes=10");
  EXPECT_EQ(request.command[2], "--workload");
  EXPECT_NE(content_hash(*config),
            content_hash(*parse_config("models: [{workload: 'nn:adaptive'}]\n", "m.yaml")));
}

TEST(Cells, RequestCarriesSettingsAndTags) {
  const auto config = parse_config(kWhole, "m.yaml");
  const auto cells = expand(*config);
  const auto request = request_for(*config, cells->front(), "lenet.onnx");
  EXPECT_EQ(request.batch, 1);
  EXPECT_TRUE(request.batch_given);
  EXPECT_FALSE(request.sequence_given);
  EXPECT_TRUE(request.isolated);
  EXPECT_EQ(request.tags.at("suite"), "zoo");
  EXPECT_EQ(request.tags.at("family"), "cnn");
  EXPECT_EQ(request.tags.at("side"), "a");
  EXPECT_EQ(request.optimisation, capture::OptLevel::none);
}

}  // namespace
}  // namespace neurolens::bench
