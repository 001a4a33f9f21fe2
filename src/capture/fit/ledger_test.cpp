#include "fit/ledger.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "fit/estimates.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

TEST(FitLedger, RecoversItsCoefficients) {
  std::vector<LedgerPoint> points;
  for (const double tensors : {2, 3, 7}) {
    for (const double rank : {1, 4})
      points.push_back({{tensors, tensors * rank}, 1500 + 130 * tensors + 20 * tensors * rank});
  }
  const auto model = fit_ledger(points);
  EXPECT_NEAR(model.base_ns, 1500, 1);
  EXPECT_NEAR(model.per_tensor_ns, 130, 1);
  EXPECT_NEAR(model.per_dimension_ns, 20, 1);
}

TEST(FitLedger, NeverClaimsThatObservingSavesTime) {
  std::vector<LedgerPoint> points;
  for (const double tensors : {2, 3, 7}) points.push_back({{tensors, 4}, 1000 - 100 * tensors});
  const auto model = fit_ledger(points);
  EXPECT_GE(model.base_ns, 0);
  EXPECT_GE(model.per_tensor_ns, 0);
  EXPECT_GE(model.per_dimension_ns, 0);
}

TEST(Correct, AddsUpAndIsNotNegative) {
  const std::vector<double> raw{5000, 3000, 2500, 100'000};
  const std::vector<double> cost{2000, 2800, 2800, 2000};
  const auto got = correct(raw, cost, 99'000, {1, 0.3, 0.03});
  EXPECT_NEAR(std::accumulate(got.time_ns.begin(), got.time_ns.end(), 0.0), 99'000, 1);
  for (const double time : got.time_ns) EXPECT_GE(time, 0);
}

TEST(Correct, WithoutAnObserverNothingChanges) {
  const std::vector<double> raw{5000, 3000};
  const std::vector<double> cost{0, 0};
  const auto got = correct(raw, cost, 8000, {1, 0.3, 0.03});
  EXPECT_NEAR(got.time_ns[0], 5000, 1);
  EXPECT_NEAR(got.time_ns[1], 3000, 1);
}

// The model's claim about its own error must hold for points that it has not seen.
TEST(FitLedger, KnowsHowWellItPredicts) {
  double ratio = 0;
  constexpr int kTrials = 200;
  for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
    Random random(seed);
    const auto cost = [&](double tensors, double rank) {
      return (1500 + 130 * tensors + 20 * tensors * rank) * (1 + 0.05 * random.normal());
    };
    std::vector<LedgerPoint> points;
    for (const double tensors : {2, 3, 7}) {
      for (const double rank : {1, 2, 4})
        points.push_back({{tensors, tensors * rank}, cost(tensors, rank)});
    }
    const auto model = fit_ledger(points);
    const double miss = model.cost_ns({4, 12}) / cost(4, 3) - 1;
    ratio += miss * miss / (model.relative_error * model.relative_error) / kTrials;
  }
  EXPECT_GT(ratio, 0.5);
  EXPECT_LT(ratio, 1.6);
}

TEST(ExpectedScale, WeighsWhatIsSeenAgainstWhatWasKnown) {
  // An exact measurement decides, a useless one changes nothing, equal ones meet in the middle.
  EXPECT_NEAR(expected_scale(2000, 1, 1000, 0, 0.3).scale, 2, 0.01);
  EXPECT_NEAR(expected_scale(2000, 1e6, 1000, 0, 0.3).scale, 1, 0.01);
  EXPECT_NEAR(expected_scale(2000, 0, 1000, 0.3, 0.3).scale, std::sqrt(2), 0.01);
  EXPECT_NEAR(expected_scale(2000, 0, 1000, 0.3, 0.3).scale_spread, 0.3 / std::sqrt(2), 0.001);
  EXPECT_EQ(expected_scale(-5, 1, 1000, 0.1, 0.3).scale, 1);
}

/// A model of ops with known times, observed at a known price and rounded to microseconds.
CorrectionInput planted(const std::vector<double>& truth, double factor, std::uint64_t seed) {
  CorrectionInput in;
  in.ledger = {1500, 130, 10, 0.1};
  in.plausible = {factor, 0.1, 0.01};
  Random random(seed);
  for (std::size_t op = 0; op < truth.size(); ++op) {
    in.shapes.push_back({static_cast<double>(2 + op % 5), static_cast<double>(4 * (2 + op % 5))});
    in.executions.push_back(1);
  }
  const double sum = std::accumulate(truth.begin(), truth.end(), 0.0);
  in.call_ns = 3000;
  in.call_low_ns = 2800;
  in.call_high_ns = 3200;
  in.samples_ns.resize(truth.size());
  std::vector<double> cost;
  for (std::size_t op = 0; op < truth.size(); ++op) {
    cost.push_back(factor * in.ledger.cost_ns(in.shapes[op]) * std::exp(0.1 * random.normal()));
  }
  for (int row = 0; row < 200; ++row) {
    double total = 0;
    for (std::size_t op = 0; op < truth.size(); ++op) {
      const double time = (truth[op] + cost[op]) * (1 + 0.02 * random.normal());
      in.samples_ns[op].push_back(1000 * std::floor(time / 1000 + random.uniform()));
      total += time + 3000;
    }
    in.observed_ns.push_back(total);
    in.unobserved_ns.push_back((sum + in.call_ns) * (1 + 0.01 * random.normal()));
  }
  in.seed = seed;
  return in;
}

TEST(EstimateCorrected, FindsTheHeavyOpsAndCoversTheTruth) {
  std::vector<double> truth(30, 500);
  truth[7] = 40'000;
  truth[20] = 20'000;
  int covered = 0;
  int intervals = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto got = estimate_corrected(planted(truth, 1.3, seed));
    double sum = 0;
    for (const auto& op : got.ops) sum += op.time_ns;
    EXPECT_NEAR(sum, got.target_ns, 1);
    EXPECT_NEAR(got.ops[7].time_ns, 40'000, 2000);
    EXPECT_NEAR(got.ops[20].time_ns, 20'000, 1500);
    for (std::size_t op = 0; op < truth.size(); ++op) {
      EXPECT_LE(got.ops[op].low_ns, got.ops[op].time_ns);
      EXPECT_GE(got.ops[op].high_ns, got.ops[op].time_ns);
      covered += got.ops[op].low_ns <= truth[op] && truth[op] <= got.ops[op].high_ns ? 1 : 0;
      ++intervals;
    }
  }
  EXPECT_GT(covered, 0.85 * intervals);
}

TEST(EstimateCorrected, TheSameSeedGivesTheSameAnswer) {
  const auto input = planted({1000, 20'000, 500}, 1, 5);
  const auto a = estimate_corrected(input);
  const auto b = estimate_corrected(input);
  for (std::size_t op = 0; op < 3; ++op) {
    EXPECT_EQ(a.ops[op].time_ns, b.ops[op].time_ns);
    EXPECT_EQ(a.ops[op].low_ns, b.ops[op].low_ns);
  }
}

}  // namespace
}  // namespace neurolens::capture
