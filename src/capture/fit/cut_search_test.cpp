#include "fit/cut_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "fit/isotonic.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

TEST(Isotonic, PoolsWhatFalls) {
  const std::vector<double> ones(5, 1);
  EXPECT_EQ(isotonic(std::vector<double>{1, 2, 3, 4, 5}, ones),
            (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(isotonic(std::vector<double>{1, 3, 2, 4, 4}, ones),
            (std::vector<double>{1, 2.5, 2.5, 4, 4}));
  EXPECT_EQ(isotonic(std::vector<double>{5, 4, 3, 2, 1}, ones),
            (std::vector<double>{3, 3, 3, 3, 3}));
  EXPECT_EQ(isotonic(std::vector<double>{4, 0}, std::vector<double>{3, 1}),
            (std::vector<double>{3, 3}));
}

/// Runs a search against known times; returns how many prefixes it asked for.
std::size_t search(const std::vector<double>& truth, std::vector<double> belief, std::size_t wanted,
                   CutSearch& out) {
  out = CutSearch(std::move(belief), wanted);
  out.set(0, 0);
  std::size_t asked = 0;
  while (const auto k = out.next()) {
    out.set(*k,
            std::accumulate(truth.begin(), truth.begin() + static_cast<std::ptrdiff_t>(*k), 0.0));
    if (++asked > 10 * truth.size()) break;
  }
  return asked;
}

bool alone(const CutSearch& search, std::size_t node) {
  return search.measured().count(node) != 0 && search.measured().count(node + 1) != 0;
}

TEST(CutSearch, IsolatesTheHeaviestNodesInFewCuts) {
  std::vector<double> truth(200, 1);
  for (const std::size_t heavy : {3U, 50U, 51U, 120U, 199U}) truth[heavy] = 100;
  CutSearch result({}, 0);
  // Right beliefs: two cuts for each. None at all: a logarithm for each.
  EXPECT_LE(search(truth, truth, 5, result), 12U);
  for (const std::size_t heavy : {3U, 50U, 51U, 120U, 199U})
    EXPECT_TRUE(alone(result, heavy)) << heavy;
  EXPECT_LE(search(truth, std::vector<double>(200, 0), 5, result), 5 * 9U);
  for (const std::size_t heavy : {3U, 50U, 51U, 120U, 199U})
    EXPECT_TRUE(alone(result, heavy)) << heavy;
  // Wrong beliefs cost more, but do not mislead.
  std::vector<double> wrong(200, 1);
  wrong[10] = wrong[20] = wrong[30] = 1000;
  search(truth, wrong, 5, result);
  for (const std::size_t heavy : {3U, 50U, 51U, 120U, 199U})
    EXPECT_TRUE(alone(result, heavy)) << heavy;
}

TEST(CutSearch, EndsOnSmallModels) {
  CutSearch result({}, 0);
  EXPECT_EQ(search({}, {}, 5, result), 0U);
  EXPECT_EQ(search({7}, {1}, 5, result), 1U);
  EXPECT_LE(search({7, 8, 9}, {0, 0, 0}, 5, result), 3U);
}

TEST(GapTimes, CoverTheTruthAtTheirRate) {
  const std::vector<double> truth{10, 0, 40, 5};
  const std::vector<std::size_t> prefixes{0, 1, 2, 3, 4};
  int covered = 0;
  int intervals = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Random random(seed);
    std::vector<std::vector<double>> rounds;
    for (int r = 0; r < 40; ++r) {
      std::vector<double> row;
      double sum = 100;
      const double drift = 1 + 0.05 * random.normal();
      for (std::size_t i = 0; i <= truth.size(); ++i) {
        row.push_back(sum + drift + random.normal());
        if (i < truth.size()) sum += truth[i];
      }
      rounds.push_back(std::move(row));
    }
    const auto gaps = gap_times(prefixes, rounds, seed);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      EXPECT_GE(gaps[i].time_ns, 0);
      if (truth[i] == 0) continue;  // at the edge of what is allowed: pulled to one side by design
      covered += gaps[i].low_ns <= truth[i] && truth[i] <= gaps[i].high_ns ? 1 : 0;
      ++intervals;
    }
  }
  EXPECT_GT(covered, 0.88 * intervals);
}

}  // namespace
}  // namespace neurolens::capture
