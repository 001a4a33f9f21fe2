#include "neurolens/analyze/roofline.hpp"

#include <gtest/gtest.h>

#include "neurolens/analyze/summary.hpp"

namespace neurolens::analyze {
namespace {

// 100 GFLOP/s; L2 100 GB/s, L3 50 GB/s, DRAM 10 GB/s, so that every expected figure is mental
// arithmetic.
run::Run machine() {
  run::Run run;
  run.software.threads = 1;
  run.host.caches = {
      {2, "unified", 2 << 20, 2}, {1, "instruction", 32768, 2}, {3, "unified", 32 << 20, 1}};
  run.ceilings = {{"fma_f32_avx2_1t", "flops_per_second", 100e9, {}, {}},
                  {"fma_f32_sse2_1t", "flops_per_second", 30e9, {}, {}},
                  {"fma_f32_avx2_all", "flops_per_second", 180e9, {}, {}},
                  {"triad_l2_1t", "bytes_per_second", 100e9, {}, {}},
                  {"triad_l3_1t", "bytes_per_second", 50e9, {}, {}},
                  {"triad_dram_1t", "bytes_per_second", 10e9, {}, {}}};
  return run;
}

run::Op op_with(std::int64_t matrix_flops, std::int64_t activation_bytes,
                std::int64_t weight_bytes = 0) {
  run::Op op;
  op.inputs = {{"x", "f32", std::vector<std::int64_t>{1}}};
  op.cost.matrix_flops = matrix_flops;
  op.cost.vector_flops = 0;
  op.cost.activation_bytes = activation_bytes;
  op.cost.weight_bytes = weight_bytes;
  return op;
}

TEST(Roofline, TellsComputeFromEachLevelOfMemory) {
  const run::Run run = machine();
  const Roofline roof(run);
  const auto compute = roof.point(op_with(1'000'000'000, 1000), 20e6);
  EXPECT_EQ(compute->bound, "compute");
  EXPECT_DOUBLE_EQ(compute->ideal_ns, 10e6);
  EXPECT_DOUBLE_EQ(compute->roof_ratio, 0.5);
  EXPECT_DOUBLE_EQ(compute->flops_per_second, 50e9);
  EXPECT_DOUBLE_EQ(*compute->intensity, 1e6);
  EXPECT_EQ(roof.point(op_with(1, 1 << 20), 20e3)->bound, "L2");
  EXPECT_EQ(roof.point(op_with(1, 16 << 20), 500e3)->bound, "L3");
  const auto dram = roof.point(op_with(1, 100'000'000), 20e6);
  EXPECT_EQ(dram->bound, "DRAM");
  // 1 MiB may lie in L2 and 16 MiB in L3; the rest comes from DRAM.
  EXPECT_NEAR(dram->ideal_ns, 1048576 / 100.0 + 16777216 / 50.0 + (100e6 - 17825792) / 10.0, 1);
}

TEST(Roofline, WeightsComeFromTheLevelThatHoldsTheWholeModel) {
  run::Run run = machine();
  run.ops = {op_with(1, 1000, 50'000'000), op_with(1, 1000, 1'000'000)};
  const Roofline roof(run);
  const auto p = roof.point(run.ops[1], 200e3);  // its own weights would fit L2, the model's do not
  EXPECT_EQ(p->bound, "DRAM");
  EXPECT_NEAR(p->ideal_ns, 100e3 + 10, 1e-6);
}

// A level that is a little too small for an op does not slow down all of its bytes; and an op that
// only reads is held against reading.
TEST(Roofline, FillsLevelsFromTheNearestAndTakesTheBestBandwidth) {
  run::Run run = machine();
  const auto over = Roofline(run).point(op_with(1, (1 << 20) + 1000), 20e3);
  EXPECT_EQ(over->bound, "L3");
  EXPECT_NEAR(over->ideal_ns, 1048576 / 100.0 + 1000 / 50.0, 1e-6);
  run.ceilings.push_back({"read_l3_1t", "bytes_per_second", 80e9, {}, {}});
  EXPECT_NEAR(Roofline(run).point(op_with(1, (1 << 20) + 1000), 20e3)->ideal_ns,
              1048576 / 100.0 + 1000 / 80.0, 1e-6);
}

TEST(Roofline, ComputesHalfTypesInSingleWhereThatIsFaster) {
  run::Run run = machine();
  run.ceilings.push_back({"fma_bf16_avx512_1t", "flops_per_second", 60e9, {}, {}});
  EXPECT_EQ(Roofline(run).compute("bf16"), 100e9);
  run.ceilings.back().value = 400e9;
  EXPECT_EQ(Roofline(run).compute("bf16"), 400e9);
}

TEST(Roofline, CallsDispatchWhatIsNoWork) {
  const run::Run run = machine();
  const Roofline roof(run);
  EXPECT_EQ(roof.point(op_with(1000, 1000), 5'000)->bound, "overhead");
  EXPECT_EQ(roof.point(op_with(10, 1000), 50'000)->bound,
            "L2");  // slow, but not because of dispatch
}

TEST(Roofline, ScalesWithThreadsUpToTheMeasuredAll) {
  run::Run run = machine();
  run.software.threads = 2;
  EXPECT_DOUBLE_EQ(*Roofline(run).compute("f32"), 180e9);
  EXPECT_DOUBLE_EQ(*Roofline(run).compute("f16"), 180e9);
  EXPECT_FALSE(Roofline(run).compute("f64").has_value());
}

TEST(Roofline, IsSilentWithoutCeilingsOrCosts) {
  run::Run run = machine();
  run::Op op = op_with(1, 1);
  op.cost.matrix_flops.reset();
  EXPECT_FALSE(Roofline(run).point(op, 100).has_value());
  EXPECT_FALSE(Roofline(run).point(op_with(1, 1), 0).has_value());
  run.ceilings.clear();
  EXPECT_FALSE(Roofline(run).usable());
  EXPECT_FALSE(Roofline(run).point(op_with(1, 1), 100).has_value());
}

}  // namespace
}  // namespace neurolens::analyze
