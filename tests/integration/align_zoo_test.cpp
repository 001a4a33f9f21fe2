// Alignment of real plans: zoo models without optimisation against all of it, every name of one
// side replaced, so that structure has to find what names would tell. Skipped without ONNX Runtime.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include "neurolens/analyze/align.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

class AlignZoo : public test_support::ProgramTest {
 protected:
  void profile(const std::string& model, const std::string& level, run::Run& out) {
    const std::string path = model + "." + level + ".run.json";
    const auto outcome = run({"profile", model + ".onnx", "-o", path, "--iterations", "2",
                              "--method", "observed", "--opt", level});
    if (outcome.err.find("No ONNX Runtime library") != std::string::npos ||
        outcome.err.find("has no ONNX Runtime adapter") != std::string::npos)
      GTEST_SKIP() << "ONNX Runtime is not here";
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    auto loaded = run::read_file(system_files(), at(path));
    ASSERT_TRUE(loaded.ok()) << loaded.error();
    out = std::move(loaded).value();
  }
};

std::string scrambled(const std::string& name) {
  return name.empty() ? name : "n" + std::to_string(std::hash<std::string>{}(name) % 1'000'000'007);
}

run::Run renamed(run::Run run) {
  for (auto& op : run.ops) {
    op.name = scrambled(op.name);
    for (auto& node : op.original_nodes) node.name = scrambled(node.name);
    for (auto* list : {&op.inputs, &op.outputs}) {
      for (auto& tensor : *list) {
        if (tensor.name) tensor.name = scrambled(*tensor.name);
      }
    }
  }
  return run;
}

using Truth = std::set<std::pair<std::uint32_t, std::uint32_t>>;

/// Ops that stand for the same node of the graph as the user wrote it. Both sides were profiled, so
/// the optimiser's own word on where its ops come from is the truth.
Truth truth_of(const run::Run& a, const run::Run& b) {
  Truth truth;
  std::map<std::string, std::vector<std::uint32_t>> owners;
  for (std::uint32_t j = 0; j < b.ops.size(); ++j) {
    for (const auto& node : b.ops[j].original_nodes) owners[node.name].push_back(j);
  }
  for (std::uint32_t i = 0; i < a.ops.size(); ++i) {
    for (const auto& node : a.ops[i].original_nodes) {
      for (const auto j : owners[node.name]) truth.emplace(i, j);
    }
  }
  return truth;
}

struct Score {
  std::size_t right = 0;
  std::size_t found = 0;
  std::size_t true_pairs = 0;
  std::string wrong;   ///< Links that are not true, for the message.
  std::string missed;  ///< True ones that were not found.
};

/// Links to ops that the optimiser made of parts of a node (no origin) have no truth: left out.
Score score(const run::Run& a, const run::Run& b, const Truth& truth) {
  Score out;
  out.true_pairs = truth.size();
  Truth left = truth;
  for (const auto& link : analyze::align(a, b).links) {
    if (a.ops[link.baseline.index()].original_nodes.empty() ||
        b.ops[link.candidate.index()].original_nodes.empty())
      continue;
    ++out.found;
    const auto right = truth.count({link.baseline.value, link.candidate.value});
    out.right += right;
    left.erase({link.baseline.value, link.candidate.value});
    if (right == 0)
      out.wrong += "\n" + std::to_string(link.baseline.value) + " " +
                   std::to_string(link.candidate.value) + " " + a.ops[link.baseline.index()].name +
                   " with " + b.ops[link.candidate.index()].name;
  }
  for (const auto& [i, j] : left) {
    out.missed += "\n" + std::to_string(i) + " " + std::to_string(j) + " " + a.ops[i].name +
                  " with " + b.ops[j].name;
  }
  return out;
}

void expect_found(const Score& s, const std::string& what) {
  const double precision = static_cast<double>(s.right) / static_cast<double>(s.found);
  const double recall = static_cast<double>(s.right) / static_cast<double>(s.true_pairs);
  std::printf("%-34s precision %.3f  recall %.3f  (%zu pairs)\n", what.c_str(), precision, recall,
              s.true_pairs);
  EXPECT_GE(precision, 0.98) << what << s.wrong;
  EXPECT_GE(recall, 0.98) << what << s.missed;
}

/// A plan with ops taken out (their readers read what they read) and Casts put in, at random.
struct Edited {
  run::Run run;
  Truth truth;  ///< (op of the plan, op of the edited plan).
};

Edited edited(const run::Run& plan, double remove, double insert, std::uint64_t seed) {
  Random random(seed);
  Edited out;
  out.run = plan;
  out.run.ops.clear();
  std::map<std::string, std::string> now;  // tensor of the plan -> tensor that stands for it
  for (std::uint32_t i = 0; i < plan.ops.size(); ++i) {
    run::Op op = plan.ops[i];
    for (auto& tensor : op.inputs) {
      if (tensor.name && now.count(*tensor.name) != 0) tensor.name = now[*tensor.name];
    }
    const bool simple =
        op.inputs.size() == 1 && op.outputs.size() == 1 && op.inputs[0].name && op.outputs[0].name;
    if (simple && random.uniform() < remove) {
      now[*op.outputs[0].name] = *op.inputs[0].name;
      continue;
    }
    out.truth.emplace(i, static_cast<std::uint32_t>(out.run.ops.size()));
    out.run.ops.push_back(op);
    if (op.outputs.size() != 1 || !op.outputs[0].name || random.uniform() >= insert) continue;
    run::Op cast;
    cast.type = "Cast";
    cast.name = op.name + "/put_in";
    cast.inputs = cast.outputs = op.outputs;
    cast.outputs[0].name = *op.outputs[0].name + "/put_in";
    cast.original_nodes = {{cast.name, "Cast"}};
    now[*op.outputs[0].name] = *cast.outputs[0].name;
    out.run.ops.push_back(cast);
  }
  return out;
}

class AlignModel : public AlignZoo, public ::testing::WithParamInterface<const char*> {};

TEST_P(AlignModel, FindsTheTruthThroughOptimisationNamesAndEdits) {
  const std::string model = GetParam();
  ASSERT_EQ(run({"zoo", "build", model, "-o", model + ".onnx"}).status, 0);
  run::Run none;
  run::Run all;
  profile(model, "none", none);
  if (IsSkipped() || HasFatalFailure()) return;
  profile(model, "all", all);
  if (HasFatalFailure()) return;
  const Truth truth = truth_of(none, all);
  expect_found(score(none, all, truth), model + " none/all");
  expect_found(score(none, renamed(all), truth), model + " none/all renamed");
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Edited less = edited(none, 0.05, 0.05, seed);
    expect_found(score(none, less.run, less.truth), model + " edited");
    expect_found(score(none, renamed(less.run), less.truth), model + " edited renamed");
  }
}

/// The three largest (0.3 to 0.5 GB of weights) repeat the blocks of bert-tiny: nightly, with
/// NEUROLENS_LARGE_MODELS=1.
std::vector<const char*> models() {
  std::vector<const char*> out{"lenet",     "mlp",  "lstm",     "squeezenet", "mobilenetv2",
                               "bert-tiny", "unet", "resnet18", "resnet50"};
  if (std::getenv("NEUROLENS_LARGE_MODELS") != nullptr) {
    out.insert(out.end(), {"bert-base", "vit-b16", "gpt2"});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Zoo, AlignModel, ::testing::ValuesIn(models()), [](const auto& one) {
  std::string name = one.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace neurolens
