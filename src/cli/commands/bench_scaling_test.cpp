#include "bench_scaling.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::cli {
namespace {

/// What a matrix over two models, batch sizes and threads would find on a machine whose throughput
/// follows the law of threads exactly and whose time grows with a power of the batch.
struct Planted {
  double sigma, kappa, exponent;
};

BenchSummary planted_matrix(const std::vector<std::pair<std::string, Planted>>& models,
                            const std::vector<int>& batches, const std::vector<int>& threads,
                            double noise) {
  BenchSummary summary{
      "planted", "id", {"model", "batch", "threads"}, {"model", "batch", "threads"}, {}};
  Random random(1);
  for (const auto& [name, law] : models) {
    for (const int b : batches) {
      for (const int n : threads) {
        BenchRow row;
        row.axes = {{"model", name}, {"batch", std::to_string(b)}, {"threads", std::to_string(n)}};
        row.key = fmt::format("model={} batch={} threads={}", name, b, n);
        row.status = "measured";
        row.batch_size = b;
        const double serial_ns = 1e6 * std::pow(b, law.exponent);
        const double slowdown = (1 + law.sigma * (n - 1) + law.kappa * n * (n - 1)) / n;
        for (int launch = 0; launch < 3; ++launch)
          row.launches_ns.push_back(serial_ns * slowdown * std::exp(noise * random.normal()));
        row.latency_ns = row.launches_ns[0];
        row.run_ids = {"a", "b", "c"};
        summary.rows.push_back(row);
      }
    }
  }
  return summary;
}

TEST(BenchScaling, RecoversPlantedLawsForEverySeries) {
  const auto summary = planted_matrix({{"well", {0.05, 0.002, 1.0}}, {"badly", {0.4, 0.03, 0.5}}},
                                      {1, 4, 16}, {1, 2, 4, 8}, 0);
  const auto scaling = scaling_of(summary);
  ASSERT_EQ(scaling.threads.size(), 6U);  // 2 models x 3 batch sizes
  for (const auto& s : scaling.threads) {
    const bool well = s.series.find("well") != std::string::npos;
    ASSERT_TRUE(s.law) << s.series;
    EXPECT_NEAR(s.law->sigma, well ? 0.05 : 0.4, 1e-6) << s.series;
    EXPECT_NEAR(s.law->kappa, well ? 0.002 : 0.03, 1e-7) << s.series;
    const double expected = well ? 8 / (1 + 0.05 * 7 + 0.002 * 56) : 8 / (1 + 0.4 * 7 + 0.03 * 56);
    EXPECT_NEAR(s.speedup.back(), expected, 1e-9);
  }
  ASSERT_EQ(scaling.sizes.size(), 8U);  // 2 models x 4 thread counts
  for (const auto& s : scaling.sizes)
    EXPECT_NEAR(s.exponent, s.series.find("well") != std::string::npos ? 1.0 : 0.5, 1e-9);
}

TEST(BenchScaling, IntervalsHoldThePlantedValuesUnderNoise) {
  const auto summary =
      planted_matrix({{"m", {0.1, 0.01, 0.9}}}, {1, 2, 4, 8, 16}, {1, 2, 4, 8}, 0.01);
  const auto scaling = scaling_of(summary);
  int held = 0;
  for (const auto& s : scaling.threads) {
    held += s.law->sigma_interval.low <= 0.1 && 0.1 <= s.law->sigma_interval.high ? 1 : 0;
    EXPECT_NEAR(s.law->sigma, 0.1, 0.05);
  }
  EXPECT_GE(held, 4);  // of 5, at 95 % each
  for (const auto& s : scaling.sizes) EXPECT_NEAR(s.exponent, 0.9, 0.02);
}

TEST(BenchScaling, TwoThreadCountsGiveASpeedUpAndASerialShareButNoLaw) {
  // Amdahl with 20 % serial work: 1 / (0.2 + 0.8 / 2) = 1.667 times at 2 threads.
  const auto summary = planted_matrix({{"m", {0.2, 0, 1}}}, {1}, {1, 2}, 0);
  const auto scaling = scaling_of(summary);
  ASSERT_EQ(scaling.threads.size(), 1U);
  EXPECT_FALSE(scaling.threads[0].law);
  EXPECT_NEAR(scaling.threads[0].speedup.back(), 1 / 0.6, 1e-9);
  EXPECT_NEAR(*scaling.threads[0].serial_ratio, 0.2, 1e-9);
  EXPECT_TRUE(scaling.sizes.empty());
}

TEST(BenchScaling, SaysWhereALawIsMissingAndWhereThreadsExceedTheCores) {
  auto summary = planted_matrix({{"m", {0.2, 0, 1}}}, {1}, {1, 2}, 0);
  summary.cores = 2;
  EXPECT_NE(bench_markdown(summary).find("No law where fewer than 3 thread counts were measured."),
            std::string::npos);
  EXPECT_EQ(bench_markdown(summary).find("more threads than cores"), std::string::npos);
  auto tree = json::parse(bench_json(summary)).value();
  const auto series = [&]() -> const json::Value& {
    return (*tree.find("scaling")->find("threads")->as_array())[0];
  };
  EXPECT_TRUE(series().find("sigma")->is_null());
  EXPECT_TRUE(series().find("beyond_cores")->as_array()->empty());

  summary = planted_matrix({{"m", {0.2, 0, 1}}}, {1}, {1, 2, 4, 8}, 0);
  summary.cores = 2;
  EXPECT_EQ(scaling_of(summary).threads[0].beyond_cores, (std::vector<double>{4, 8}));
  EXPECT_NE(
      bench_markdown(summary).find("From 4 threads on there were more threads than cores (2)"),
      std::string::npos);
  tree = json::parse(bench_json(summary)).value();
  EXPECT_EQ(series().find("beyond_cores")->as_array()->size(), 2U);
  EXPECT_FALSE(series().find("sigma")->is_null());
}

TEST(BenchScaling, CellsWithoutTimesMakeNoPoints) {
  auto summary = planted_matrix({{"m", {0.2, 0, 1}}}, {1, 2, 4}, {1, 2}, 0);
  for (auto& row : summary.rows) {
    if (row.axis("threads") == "2") {
      row.launches_ns.clear();
      row.status = "failed";
      row.reason = "The backend ended by a signal, twice";
    }
  }
  EXPECT_TRUE(scaling_of(summary).threads.empty());
  EXPECT_EQ(scaling_of(summary).sizes.size(), 1U);
  const std::string csv = bench_csv(summary);
  EXPECT_NE(csv.find(",failed,"), std::string::npos);
  EXPECT_NE(csv.find("\"The backend ended by a signal, twice\""), std::string::npos);
}

TEST(BenchTables, ShowThePlantedNumbers) {
  const auto summary = planted_matrix({{"m", {0.2, 0, 1}}}, {1, 4, 16}, {1, 2}, 0);
  const std::string text = bench_text(summary, 0);
  EXPECT_NE(text.find("1.00, 1.67"), std::string::npos) << text;
  EXPECT_NE(text.find("0.200"), std::string::npos) << text;
  EXPECT_NE(text.find("1.000"), std::string::npos) << text;
  EXPECT_NE(bench_markdown(summary).find("## Scaling over threads"), std::string::npos);
  const auto json = json::parse(bench_json(summary));
  ASSERT_TRUE(json.ok()) << json.error();
  EXPECT_EQ(json->find("cells")->as_array()->size(), 6U);
}

}  // namespace
}  // namespace neurolens::cli
