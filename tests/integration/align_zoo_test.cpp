// Alignment of real plans: zoo models without optimisation against all of it, every name of one
// side replaced, so that structure has to find what names would tell. Skipped without ONNX Runtime.
#include <functional>
#include <map>
#include <set>

#include "neurolens/analyze/align.hpp"
#include "neurolens/base/json.hpp"
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
    if (outcome.err.find("No ONNX Runtime library") != std::string::npos)
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

TEST_F(AlignZoo, StructureFindsWhatNamesTell) {
  // Not squeezenet: its Concats in the blocked layout are filed under the Conv that follows, so
  // what serves as truth here is wrong there; alignment pairs Concat with Concat.
  for (const std::string model : {"lenet", "bert-tiny"}) {
    ASSERT_EQ(run({"zoo", "build", model, "-o", model + ".onnx"}).status, 0);
    run::Run none;
    run::Run all;
    profile(model, "none", none);
    if (IsSkipped() || HasFatalFailure()) return;
    profile(model, "all", all);
    if (HasFatalFailure()) return;
    // Truth: ops that stand for the same node of the graph as the user wrote it.
    std::set<std::pair<std::uint32_t, std::uint32_t>> truth;
    std::map<std::string, std::uint32_t> owner;
    for (std::uint32_t j = 0; j < all.ops.size(); ++j) {
      for (const auto& node : all.ops[j].original_nodes) owner[node.name] = j;
    }
    for (std::uint32_t i = 0; i < none.ops.size(); ++i) {
      for (const auto& node : none.ops[i].original_nodes) {
        if (owner.count(node.name) != 0) truth.emplace(i, owner[node.name]);
      }
    }
    for (const bool rename : {false, true}) {
      const auto alignment = analyze::align(none, rename ? renamed(all) : all);
      std::size_t right = 0;
      std::size_t found = 0;
      for (const auto& link : alignment.links) {
        // Ops that the optimiser made of parts of a node have no origin, hence no truth.
        if (all.ops[link.candidate.index()].original_nodes.empty()) continue;
        ++found;
        right += truth.count({link.baseline.value, link.candidate.value});
      }
      EXPECT_GE(static_cast<double>(right), 0.98 * static_cast<double>(found)) << model << rename;
      EXPECT_GE(static_cast<double>(right), 0.98 * static_cast<double>(truth.size()))
          << model << rename;
    }
  }
}

}  // namespace
}  // namespace neurolens
