#include "fit/cut_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace neurolens::capture {
namespace {

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

}  // namespace
}  // namespace neurolens::capture
