#include "neurolens/run/work.hpp"

#include <gtest/gtest.h>

namespace neurolens::run {
namespace {

TEST(Work, IsKnownWhereEveryPartIs) {
  run::Run run;
  EXPECT_EQ(flops_of(run), 0) << "no op";
  run.ops.resize(2);
  run.ops[0].cost.matrix_flops = 10;
  run.ops[0].cost.vector_flops = 3;
  run.ops[0].cost.activation_bytes = 100;
  run.ops[0].cost.weight_bytes = 0;
  EXPECT_EQ(flops_of(run.ops[0].cost), 13);
  EXPECT_EQ(bytes_of(run.ops[0].cost), 100);
  EXPECT_EQ(flops_of(run), std::nullopt) << "the other op is not known";
  run.ops[1].cost = run.ops[0].cost;
  EXPECT_EQ(flops_of(run), 26);
  EXPECT_EQ(bytes_of(run), 200);
  run.ops[1].cost.weight_bytes = {};
  EXPECT_EQ(bytes_of(run), std::nullopt);
  EXPECT_EQ(flops_of(run), 26);
}

}  // namespace
}  // namespace neurolens::run
