#include "neurolens/analyze/align.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "align/sequence.hpp"
#include "make_run.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

using Truth = std::set<std::pair<std::uint32_t, std::uint32_t>>;

/// A node of the graph that both plans of a test are made from.
struct Node {
  std::string type;
  std::vector<std::int64_t> shape;
  std::vector<std::size_t> inputs;  ///< Nodes; none: the graph's input.
};

/// Blocks of a convolutional network with shapes that repeat, as real ones do.
std::vector<Node> make_graph(std::size_t nodes, std::uint64_t seed) {
  Random random(seed);
  std::vector<Node> graph;
  std::int64_t channels = 16;
  std::size_t skip = 0;
  while (graph.size() < nodes) {
    const auto append = [&](const char* type) {
      std::vector<std::size_t> inputs;
      if (!graph.empty()) inputs.push_back(graph.size() - 1);
      graph.push_back({type, {1, channels, 28, 28}, std::move(inputs)});
    };
    if (random.below(6) == 0) channels = 16 * static_cast<std::int64_t>(1 + random.below(12));
    append("Conv");
    append("BatchNormalization");
    if (random.below(3) != 0) append("Relu");
    if (random.below(4) == 0 && graph.size() - skip > 3) {
      append("Add");
      graph.back().inputs.push_back(skip);
      skip = graph.size() - 1;
    }
    if (random.below(9) == 0) append("MaxPool");
  }
  graph.resize(nodes);
  return graph;
}

/// How a plan is made from the graph.
struct Making {
  double fuse = 0;  ///< Probability that a chain Conv, BatchNormalization, Relu becomes one op.
  bool rename = false;
  bool origins = true;  ///< Original nodes are recorded.
  double remove = 0;    ///< Probability that a node of one input is bypassed.
  double insert = 0;    ///< Probability that a Cast follows a node.
  std::uint64_t seed = 1;
};

struct Made {
  run::Run run;
  std::vector<std::vector<std::size_t>> nodes;  ///< Per op; inserted ops have none.
};

Made make_plan(const std::vector<Node>& graph, const Making& making) {
  Random random(making.seed, 3);
  const std::string prefix = making.rename ? "other/" + std::to_string(making.seed) + "_" : "node_";
  const auto spell = [&](std::size_t i) {
    return prefix + std::to_string(making.rename ? i * 7919 % 1000003 : i);
  };
  std::vector<std::size_t> readers(graph.size(), 0);
  for (const auto& node : graph) {
    for (const auto i : node.inputs) ++readers[i];
  }
  Made made;
  std::vector<std::string> tensor(graph.size());
  const auto tensor_of = [&](std::size_t i) {
    return run::Tensor{tensor[i], "f32", graph[i].shape};
  };
  for (std::size_t i = 0; i < graph.size();) {
    if (making.remove > 0 && graph[i].inputs.size() == 1 && random.uniform() < making.remove) {
      tensor[i] = tensor[graph[i].inputs[0]];
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    if (graph[i].type == "Conv" && random.uniform() < making.fuse) {
      while (end < graph.size() && graph[end].inputs.size() == 1 && readers[end - 1] == 1 &&
             (graph[end].type == "BatchNormalization" || graph[end].type == "Relu"))
        ++end;
    }
    run::Op op;
    op.type = end - i > 1 ? "FusedConv" : graph[i].type;
    op.name = spell(i) + "/op";
    for (const auto input : graph[i].inputs) op.inputs.push_back(tensor_of(input));
    tensor[end - 1] = spell(end - 1) + "/out";
    op.outputs = {tensor_of(end - 1)};
    std::vector<std::size_t> stands_for(end - i);
    std::iota(stands_for.begin(), stands_for.end(), i);
    if (making.origins) {
      for (const auto n : stands_for) op.original_nodes.push_back({spell(n), graph[n].type});
    }
    made.run.ops.push_back(op);
    made.nodes.push_back(stands_for);
    if (random.uniform() < making.insert) {
      run::Op cast;
      cast.type = "Cast";
      cast.name = spell(end - 1) + "/cast";
      cast.inputs = {tensor_of(end - 1)};
      tensor[end - 1] = spell(end - 1) + "/cast_out";
      cast.outputs = {tensor_of(end - 1)};
      if (making.origins) cast.original_nodes = {{cast.name, "Cast"}};
      made.run.ops.push_back(cast);
      made.nodes.emplace_back();
    }
    i = end;
  }
  return made;
}

Truth truth_of(const Made& a, const Made& b) {
  std::vector<std::pair<std::size_t, std::uint32_t>> where;
  for (std::uint32_t j = 0; j < b.nodes.size(); ++j) {
    for (const auto n : b.nodes[j]) where.emplace_back(n, j);
  }
  std::sort(where.begin(), where.end());
  Truth truth;
  for (std::uint32_t i = 0; i < a.nodes.size(); ++i) {
    for (const auto n : a.nodes[i]) {
      const auto at = std::lower_bound(where.begin(), where.end(), std::pair(n, 0u));
      if (at != where.end() && at->first == n) truth.emplace(i, at->second);
    }
  }
  return truth;
}

void expect_found(const Made& a, const Made& b, const char* what) {
  const Truth truth = truth_of(a, b);
  const Alignment alignment = align(a.run, b.run);
  std::size_t right = 0;
  for (const auto& link : alignment.links)
    right += truth.count({link.baseline.value, link.candidate.value});
  const double precision = static_cast<double>(right) / static_cast<double>(alignment.links.size());
  const double recall = static_cast<double>(right) / static_cast<double>(truth.size());
  EXPECT_GE(precision, 0.98) << what;
  EXPECT_GE(recall, 0.98) << what;
  ::testing::Test::RecordProperty(what, std::to_string(precision) + " " + std::to_string(recall));
}

TEST(Align, FindsTheTruthWhateverHappenedToThePlan) {
  struct Case {
    const char* name;
    Making a, b;
  };
  const Making plain;
  const std::vector<Case> cases{
      {"same", plain, plain},
      {"renamed", plain, {.rename = true}},
      {"fused", plain, {.fuse = 1}},
      {"refused", {.fuse = .5, .seed = 2}, {.fuse = .5, .seed = 3}},
      {"fused_without_origins", {.origins = false}, {.fuse = 1, .origins = false}},
      {"refused_without_origins",
       {.fuse = .5, .origins = false, .seed = 2},
       {.fuse = .5, .origins = false, .seed = 3}},
      {"inserted", plain, {.insert = .1}},
      {"removed", plain, {.remove = .1}},
      {"renamed_fused", plain, {.fuse = 1, .rename = true}},
      {"renamed_refused", {.fuse = .5, .seed = 2}, {.fuse = .5, .rename = true, .seed = 3}},
      {"renamed_inserted", plain, {.rename = true, .insert = .1}},
      {"renamed_inserted_without_origins",
       {.origins = false},
       {.rename = true, .origins = false, .insert = .1}},
      {"all_at_once",
       {.fuse = .5, .insert = .05, .seed = 2},
       {.fuse = .5, .remove = .05, .insert = .05, .seed = 3}},
  };
  for (const auto& c : cases) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const auto graph = make_graph(1500, seed);
      expect_found(make_plan(graph, c.a), make_plan(graph, c.b), c.name);
    }
  }
}

TEST(Align, GroupsSayWhatHappened) {
  std::vector<Node> graph{{"Conv", {1, 8}, {}},
                          {"BatchNormalization", {1, 8}, {0}},
                          {"Relu", {1, 8}, {1}},
                          {"MaxPool", {1, 4}, {2}}};
  const auto plain = make_plan(graph, {});
  const auto fused = make_plan(graph, {.fuse = 1, .rename = true});
  const auto merged = align(plain.run, fused.run);
  ASSERT_EQ(merged.groups.size(), 2u);
  EXPECT_EQ(merged.groups[0].kind, GroupKind::merged);
  EXPECT_EQ(merged.groups[0].baseline.size(), 3u);
  EXPECT_EQ(merged.groups[1].kind, GroupKind::matched);
  EXPECT_EQ(align(fused.run, plain.run).groups[0].kind, GroupKind::split);

  const auto more = make_plan(graph, {.insert = 1});
  const auto added = align(plain.run, more.run);
  EXPECT_EQ(std::count_if(added.groups.begin(), added.groups.end(),
                          [](const auto& g) { return g.kind == GroupKind::added; }),
            4);
  const auto removed = align(more.run, plain.run);
  EXPECT_EQ(std::count_if(removed.groups.begin(), removed.groups.end(),
                          [](const auto& g) { return g.kind == GroupKind::removed; }),
            4);
}

// Numbered names that all move by one when an op is put in front: equal names, other work.
TEST(Align, MisleadingNamesLoseAgainstStructure) {
  const auto graph = make_graph(600, 5);
  const auto a = make_plan(graph, {});
  auto b = make_plan(graph, {});
  for (std::size_t i = b.run.ops.size(); i-- > 1;) {
    b.run.ops[i].original_nodes[0].name = b.run.ops[i - 1].original_nodes[0].name;
  }
  b.run.ops[0].original_nodes[0].name = "node_new";
  for (auto& op : b.run.ops) {
    for (auto* list : {&op.inputs, &op.outputs}) {
      for (auto& tensor : *list) tensor.name = "shifted_" + *tensor.name;
    }
  }
  expect_found(a, b, "shifted");
  EXPECT_EQ(align(a.run, b.run).method, "structure");
}

TEST(Align, ExchangingTheSidesExchangesTheAnswerOnly) {
  const auto graph = make_graph(400, 9);
  const auto a = make_plan(graph, {.fuse = .5, .insert = .2, .seed = 4});
  const auto b = make_plan(graph, {.fuse = .5, .rename = true, .remove = .2, .seed = 5});
  const auto there = align(a.run, b.run);
  const auto back = align(b.run, a.run);
  ASSERT_EQ(there.links.size(), back.links.size());
  std::set<OpLink> flipped;
  for (const auto& link : back.links) flipped.insert({link.candidate, link.baseline});
  for (const auto& link : there.links) EXPECT_EQ(flipped.count(link), 1u);
  EXPECT_EQ(there.groups.size(), back.groups.size());
}

TEST(Align, EveryOpIsInExactlyOneGroup) {
  const auto graph = make_graph(300, 2);
  const auto a = make_plan(graph, {.fuse = .5, .remove = .1, .seed = 4});
  const auto b = make_plan(graph, {.rename = true, .insert = .3, .seed = 5});
  std::vector<int> seen_a(a.run.ops.size(), 0);
  std::vector<int> seen_b(b.run.ops.size(), 0);
  for (const auto& group : align(a.run, b.run).groups) {
    for (const auto op : group.baseline) ++seen_a[op.index()];
    for (const auto op : group.candidate) ++seen_b[op.index()];
  }
  EXPECT_EQ(std::count(seen_a.begin(), seen_a.end(), 1), std::ssize(seen_a));
  EXPECT_EQ(std::count(seen_b.begin(), seen_b.end(), 1), std::ssize(seen_b));
}

TEST(Align, EmptyPlansAlign) {
  const run::Run nothing;
  EXPECT_TRUE(align(nothing, nothing).groups.empty());
  const auto one = make_plan({{"Relu", {1}, {}}}, {});
  ASSERT_EQ(align(nothing, one.run).groups.size(), 1u);
  EXPECT_EQ(align(nothing, one.run).groups[0].kind, GroupKind::added);
}

/// Longest common subsequence by the textbook table.
std::size_t longest_by_table(const std::vector<Key>& a, const std::vector<Key>& b) {
  std::vector<std::vector<std::size_t>> best(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      best[i][j] =
          a[i - 1] == b[j - 1] ? best[i - 1][j - 1] + 1 : std::max(best[i - 1][j], best[i][j - 1]);
    }
  }
  return best[a.size()][b.size()];
}

TEST(CommonSubsequence, IsCommonAndNearlyTheLongest) {
  Random random(11);
  std::size_t found = 0;
  std::size_t possible = 0;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<Key> a(random.below(60));
    std::vector<Key> b(random.below(60));
    const auto alphabet = 1 + random.below(8);
    for (auto& key : a) key = 1 + random.below(alphabet);
    for (auto& key : b) key = 1 + random.below(alphabet);
    const auto pairs = common_subsequence(a, b);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(a[pairs[i].first], b[pairs[i].second]);
      if (i > 0) {
        EXPECT_LT(pairs[i - 1].first, pairs[i].first);
        EXPECT_LT(pairs[i - 1].second, pairs[i].second);
      }
    }
    found += pairs.size();
    possible += longest_by_table(a, b);
  }
  EXPECT_LE(found, possible);
  EXPECT_GE(static_cast<double>(found), 0.9 * static_cast<double>(possible));
}

}  // namespace
}  // namespace neurolens::analyze
