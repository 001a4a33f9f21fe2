#include "neurolens/analyze/fingerprint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "make_run.hpp"

namespace neurolens::analyze {
namespace {

run::Run sample(std::uint64_t seed, bool gpu = false) {
  return test_support::make_run({.ops = 12, .iterations = 60, .seed = seed, .gpu = gpu});
}

run::Run renamed(run::Run run) {
  for (auto& op : run.ops) {
    op.name = "x" + op.name;
    for (auto& node : op.original_nodes) node.name = "y" + node.name;
    for (auto* list : {&op.inputs, &op.outputs}) {
      for (auto& tensor : *list) *tensor.name = "z" + *tensor.name;
    }
  }
  return run;
}

TEST(Fingerprint, SurvivesRenamingAndKnowsOtherGraphs) {
  const auto run = sample(1);
  const auto a = take_fingerprint(run).value();
  const auto b = take_fingerprint(renamed(run)).value();
  EXPECT_EQ(a.graph_hash, b.graph_hash);
  EXPECT_DOUBLE_EQ(similarity(a, b), 1);
  auto other = run;
  other.ops[3].outputs[0].shape->at(0) = 9;
  EXPECT_NE(take_fingerprint(other)->graph_hash, a.graph_hash);
}

TEST(Fingerprint, AnInsertedOpChangesItsNeighboursOnly) {
  const auto run = sample(1);
  auto more = run;
  auto op = more.ops[5];
  op.type = "Cast";
  op.inputs[0].name = more.ops[4].outputs[0].name;
  op.outputs[0].name = "cast";
  more.ops[5].inputs[0].name = "cast";
  const auto put_at_five = [](auto& rows, auto row) {
    rows.push_back(std::move(row));
    std::rotate(rows.begin() + 5, rows.end() - 1, rows.end());
  };
  put_at_five(more.ops, op);
  put_at_five(more.samples.op_duration_ns, run.samples.op_duration_ns[5]);
  const auto a = take_fingerprint(run).value();
  const auto b = take_fingerprint(more).value();
  std::size_t equal = 0;
  for (std::size_t i = 0; i < a.ops.size(); ++i)
    equal += a.ops[i].signature == b.ops[i < 5 ? i : i + 1].signature;
  EXPECT_EQ(equal, a.ops.size() - 2);
}

TEST(Fingerprint, MissingIsMissing) {
  const auto cpu = take_fingerprint(sample(1)).value();
  EXPECT_FALSE(cpu.ops[0].vector[2]);
  const auto gpu = take_fingerprint(sample(1, true)).value();
  EXPECT_DOUBLE_EQ(*gpu.ops[0].vector[2], 0.5);
  EXPECT_FALSE(gpu.ops[0].vector[4]);  // collected as null
}

TEST(Fingerprint, ARepeatLiesWithinTheNullAndASlowedOpDoesNot) {
  const auto run = sample(1);
  const auto null = null_similarities(run);
  ASSERT_EQ(null.size(), 100u);
  const auto a = take_fingerprint(run).value();
  EXPECT_GE(similarity(a, take_fingerprint(sample(2)).value()), null.front() - 0.01);
  auto slow = run;
  slow.ops[11].estimate->time_ns *= 2;
  slow.ops[11].estimate->high_ns.reset();
  slow.ops[11].estimate->low_ns.reset();
  EXPECT_LT(similarity(a, take_fingerprint(slow).value()), null.front());
  EXPECT_EQ(null, null_similarities(run));
}

TEST(Fingerprint, SimilarityIsSymmetricAndBounded) {
  const auto a = take_fingerprint(sample(1)).value();
  auto other = sample(2);
  other.ops.resize(7);
  other.samples.op_duration_ns.resize(7);
  const auto b = take_fingerprint(other).value();
  EXPECT_NEAR(similarity(a, b), similarity(b, a), 1e-12);
  EXPECT_GT(similarity(a, b), 0);
  EXPECT_LT(similarity(a, b), 1);
}

}  // namespace
}  // namespace neurolens::analyze
