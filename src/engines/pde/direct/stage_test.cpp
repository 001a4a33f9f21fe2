// Every transform against its defining sum, for lengths of every kind of factorisation.
#include "direct/stage.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "direct/factors.hpp"
#include "kernels/lane_transform.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::pde {
namespace {

using Lines = std::vector<std::vector<double>>;

struct alignas(64) Block {
  double v[8];
};

Lines run(const Stage& stage, const Lines& lines) {
  const std::size_t width = kernels::batch_lines();
  std::vector<Block> buffer(static_cast<std::size_t>(buffer_slots(stage)) * width / 8 + 8);
  double* work = buffer.data()->v;
  std::vector<const double*> in;
  std::vector<double*> out;
  Lines result(width, std::vector<double>(static_cast<std::size_t>(stage.outputs)));
  for (std::size_t l = 0; l < width; ++l) {
    in.push_back(lines[l].data());
    out.push_back(result[l].data());
  }
  const std::vector<double> scale(static_cast<std::size_t>(stage.outputs) + 8, 1.0);
  kernels::gather_rows(stage, in.data(), work);
  kernels::transform(stage, work);
  kernels::scatter_rows(stage, work, scale.data(), width, out.data());
  return result;
}

Lines random_lines(int n) {
  Random random(7, static_cast<std::uint64_t>(n));
  Lines lines(kernels::batch_lines(), std::vector<double>(static_cast<std::size_t>(n)));
  for (auto& line : lines)
    for (double& x : line) x = random.normal();
  return lines;
}

// Twice the defining sum, ends of a Neumann direction once.
double forward_sum(AxisKind kind, int n, int q, const std::vector<double>& x) {
  const long double unit = std::numbers::pi_v<long double> / n;
  long double sum = 0;
  for (int i = 0; i < static_cast<int>(x.size()); ++i) {
    const long double value = x[static_cast<std::size_t>(i)];
    switch (kind) {
      case AxisKind::dirichlet_dirichlet:
        sum += 2 * value * std::sin(unit * (i + 1) * (q + 1));
        break;
      case AxisKind::neumann_neumann:
        sum += (i == 0 || i == n ? 1 : 2) * value * std::cos(unit * i * q);
        break;
      case AxisKind::dirichlet_neumann:
        sum += (i + 1 == n ? 1 : 2) * value * std::sin(unit * (i + 1) * (q + 0.5L));
        break;
      case AxisKind::neumann_dirichlet:
        sum += (i == 0 ? 1 : 2) * value * std::cos(unit * i * (q + 0.5L));
        break;
      default:
        sum +=
            value * (2 * q <= n ? std::cos(2 * unit * i * q) : -std::sin(2 * unit * i * (n - q)));
    }
  }
  return static_cast<double>(sum);
}

class StageTest : public ::testing::TestWithParam<AxisKind> {};

TEST_P(StageTest, EqualsItsDefiningSumAndInverts) {
  const AxisKind kind = GetParam();
  for (const int n : {2,   3,   4,   5,   6,   7,   8,   9,   12,  15,   16,   17,
                      31,  34,  39,  59,  64,  73,  79,  99,  126, 127,  128,  146,
                      134, 158, 201, 210, 256, 262, 384, 511, 514, 1022, 1023, 1024}) {
    SCOPED_TRACE(n);
    const int count = unknowns_of(kind, n);
    const Lines x = random_lines(count);
    const Lines y = run(make_stage(kind, n, false), x);
    const int step = n > 300 ? 37 : 1;
    for (int q = 0; q < count; q += step)
      for (std::size_t l = 0; l < x.size(); l += 3)
        ASSERT_NEAR(y[l][static_cast<std::size_t>(q)], forward_sum(kind, n, q, x[l]),
                    4e-15 * n + 2e-14)
            << "mode " << q << " line " << l;
    const Lines back = run(make_stage(kind, n, true), y);
    for (std::size_t l = 0; l < x.size(); ++l)
      for (std::size_t i = 0; i < x[l].size(); ++i)
        ASSERT_NEAR(back[l][i] / scale_of(kind, n), x[l][i], 3e-14) << "line " << l << " at " << i;
  }
}

// Rows that begin anywhere in a cache line go out through a near block, and past the caches when
// asked to: the same bits in the same places, and nothing beside them.
TEST(ScatterEliminate, WritesTheSameRowsHoweverTheyLie) {
  constexpr int kIntervals = 150;
  constexpr std::size_t kCount = kIntervals - 1;
  const Stage stage = make_stage(AxisKind::dirichlet_dirichlet, kIntervals, false);
  const std::size_t lines = kernels::batch_lines();
  const Lines x = random_lines(static_cast<int>(kCount));
  std::vector<Block> buffer(static_cast<std::size_t>(buffer_slots(stage)) * lines / 8 + 8);
  std::vector<const double*> in;
  for (const auto& line : x) in.push_back(line.data());
  kernels::gather_rows(stage, in.data(), buffer.data()->v);
  kernels::transform(stage, buffer.data()->v);
  const std::vector<double> scale(kCount + 8, 0.5);
  const std::vector<double> diagonal(kCount, -2.5);
  FactorTable table;
  ASSERT_TRUE(table.build(kCount, static_cast<int>(lines), diagonal.data(), diagonal.data(),
                          diagonal.data(), -1));
  const auto written = [&](std::size_t pitch, std::size_t begin, bool past, std::size_t count) {
    std::vector<Block> field((lines + 2) * pitch / 8 + 4);
    double* const first = field.data()->v + 8;
    for (std::size_t i = 0; i + 8 < field.size() * 8; ++i) first[i] = -7;
    std::vector<double*> rows;
    for (std::size_t l = 0; l < lines; ++l) rows.push_back(first + 3 + l * pitch);
    kernels::Factors factors = table.view();
    factors.past_caches = past;
    std::vector<double> carry(kCount + 16, 0.0);
    for (const auto& [from, to] : {std::pair{std::size_t{0}, begin}, std::pair{begin, kCount}})
      kernels::scatter_eliminate(stage, buffer.data()->v, scale.data(), count, rows.data(), factors,
                                 0, from, to, carry.data());
    std::vector<double> result;
    for (std::size_t l = 0; l < lines; ++l) {
      result.insert(result.end(), rows[l], rows[l] + kCount);
      EXPECT_EQ(rows[l][-1], -7) << "before row " << l;
      EXPECT_EQ(rows[l][kCount], -7) << "behind row " << l;
    }
    return result;
  };
  for (const std::size_t count : {lines, lines - 3}) {
    const auto expected = written(160, 0, false, count);  // rows alike
    for (const std::size_t pitch : {151U, 153U, 156U})
      for (const std::size_t begin : {0U, 61U, 128U})
        for (const bool past : {false, true})
          EXPECT_EQ(written(pitch, begin, past, count), expected) << pitch << ' ' << begin;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, StageTest,
                         ::testing::Values(AxisKind::dirichlet_dirichlet, AxisKind::neumann_neumann,
                                           AxisKind::dirichlet_neumann, AxisKind::neumann_dirichlet,
                                           AxisKind::periodic));

}  // namespace
}  // namespace neurolens::pde
