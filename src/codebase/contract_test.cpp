#include "neurolens/codebase/contract.hpp"

#include <gtest/gtest.h>

#include <array>

#include "folder_support.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/codebase/map.hpp"

namespace neurolens::codebase {
namespace {

// files[i] = "path module"; edges by index with a line.
DepsReport make_report(const std::vector<std::pair<std::string, std::string>>& files,
                       const std::vector<std::array<std::uint32_t, 3>>& edges) {
  DepsReport r;
  for (const auto& [path, module] : files) {
    DepsFile f;
    f.path = path;
    f.module = module;
    f.language = "C++";
    f.test = path.find("_test") != std::string::npos;
    r.files.push_back(f);
  }
  for (const auto& [from, to, line] : edges)
    r.edges.push_back({from, to, line, ImportKind::normal, true});
  return r;
}

const DepsReport kReport = make_report({{"ui/a.cpp", "ui"},
                                        {"core/b.cpp", "core"},
                                        {"base/c.cpp", "base"},
                                        {"net/d.cpp", "net"},
                                        {"core/b_test.cpp", "core"}},
                                       {{0, 1, 3}, {1, 2, 4}, {2, 3, 5}, {4, 0, 6}});

ContractVerdict check(const std::string& yaml, const DepsReport& report = kReport) {
  const auto contract = parse_contract(yaml, "c.yaml");
  EXPECT_TRUE(contract.ok()) << (contract.ok() ? "" : contract.error().text());
  return check_contract(*contract, report);
}

TEST(Contract, LayersKeptAndBreached) {
  EXPECT_TRUE(
      check("name: x\ncontracts: [{name: l, type: layers, layers: [ui, core, base, net]}]").kept());
  const ContractVerdict v =
      check("name: x\ncontracts: [{name: l, type: layers, layers: [ui, base, core]}]");
  ASSERT_EQ(v.breaches.size(), 1u);
  EXPECT_EQ(v.breaches[0].where, "core/b.cpp:4");
  EXPECT_EQ(contract_text(v), "core/b.cpp:4: core uses base, which lies above it (l)\n");
  EXPECT_EQ(check("name: x\ncontracts: [{name: l, type: layers, layers: [ui, [core, base]]}]")
                .breaches.size(),
            1u);
  // The test of core uses ui: only a breach when tests count.
  EXPECT_EQ(
      check(
          "name: x\ncontracts: [{name: l, type: layers, layers: [ui, core], include_tests: true}]")
          .breaches.size(),
      1u);
}

TEST(Contract, ForbiddenFollowsTheChain) {
  const ContractVerdict v =
      check("name: x\ncontracts: [{name: f, type: forbidden, from: ui, to: net}]");
  ASSERT_EQ(v.breaches.size(), 1u);
  EXPECT_EQ(v.breaches[0].chain, (std::vector<std::string>{"ui", "core", "base", "net"}));
  EXPECT_EQ(v.breaches[0].places,
            (std::vector<std::string>{"ui/a.cpp:3", "core/b.cpp:4", "base/c.cpp:5"}));
  EXPECT_TRUE(
      check("name: x\ncontracts: [{name: f, type: forbidden, from: ui, to: net, indirect: false}]")
          .kept());
  EXPECT_TRUE(check("name: x\ncontracts: [{name: f, type: forbidden, from: net, to: ui}]").kept());
}

TEST(Contract, IndependenceAndAllowed) {
  EXPECT_EQ(check("name: x\ncontracts: [{name: i, type: independence, modules: [ui, net]}]")
                .breaches.size(),
            1u);
  EXPECT_TRUE(check("name: x\ncontracts: [{name: a, type: allowed, allowed: {ui: [core], core: "
                    "[base], base: '*'}}]")
                  .kept());
  const ContractVerdict v =
      check("name: x\ncontracts: [{name: a, type: allowed, allowed: {base: []}}]");
  ASSERT_EQ(v.breaches.size(), 1u);
  EXPECT_EQ(v.breaches[0].sentence, "base may not use net; it may use nothing");
}

TEST(Contract, ExceptionsNeedAReasonAndANeed) {
  const std::string rule =
      "name: x\ncontracts: [{name: a, type: allowed, allowed: {base: []}}]\nexceptions:\n  - ";
  EXPECT_TRUE(check(rule + "{from: base, to: net, reason: until then}").kept());
  const ContractVerdict v = check(rule + "{from: ui, to: net, reason: old}");
  EXPECT_FALSE(v.kept());
  ASSERT_EQ(v.unneeded.size(), 1u);
  const auto none = parse_contract(rule + "{from: ui, to: net}", "c.yaml");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, Errc::missing_key);
}

TEST(Contract, SiblingsAndTestsAlone) {
  const std::string rule =
      "name: x\ncontracts: [{name: l, type: layers, layers: [ui, [core, base], net]";
  EXPECT_EQ(check(rule + "}]").breaches.size(), 1u);
  EXPECT_TRUE(check(rule + ", siblings: true}]").kept());
  const ContractVerdict tests = check(rule + ", only_tests: true}]");
  ASSERT_EQ(tests.breaches.size(), 1u);
  EXPECT_EQ(tests.breaches[0].where, "core/b_test.cpp:6");
}

TEST(Contract, PublicFilesAndCoverage) {
  const ContractVerdict v =
      check("name: x\ncontracts: [{name: p, type: public, public: [core/**, net/**]}]");
  EXPECT_EQ(contract_text(v),
            "core/b.cpp:4: a public file may not use base/c.cpp, which is not (p)\n"
            "core/b_test.cpp:6: a public file may not use ui/a.cpp, which is not (p)\n");
  EXPECT_EQ(contract_text(check("name: x\ncontracts: [{name: p, type: public, public: [ui/**]}]")),
            "base/c.cpp:5: base may not use net/d.cpp, a private file of net (p)\n"
            "core/b.cpp:4: core may not use base/c.cpp, a private file of base (p)\n"
            "ui/a.cpp:3: a public file may not use core/b.cpp, which is not (p)\n");
  const ContractVerdict c = check(
      "name: x\nmodules: {a: {files: [ui/**, core/*], about: top}, b: base/**}\n"
      "contracts: [{name: c, type: covered, files: '**'}]");
  EXPECT_EQ(contract_text(c), "net/d.cpp:1: net/d.cpp belongs to no module of the contract (c)\n");
  EXPECT_FALSE(parse_contract("name: x\nmodules: {a: {file: b}}\ncontracts: []", "c.yaml").ok());
}

TEST(Contract, MistakesNameTheirPlace) {
  const auto typo =
      parse_contract("name: x\ncontracts:\n  - {name: l, type: layer, layers: [a]}\n", "c.yaml");
  ASSERT_FALSE(typo.ok());
  EXPECT_NE(typo.error().text().find("Did you mean \"layers\"?"), std::string::npos);
  EXPECT_NE(typo.error().text().find("c.yaml:3"), std::string::npos);
  EXPECT_FALSE(parse_contract("name: x\n", "c.yaml").ok());
  EXPECT_FALSE(parse_contract("name: x\ncontract: []\n", "c.yaml").ok());
  EXPECT_FALSE(parse_contract("a: [", "c.yaml").ok());
}

TEST(Contract, ModulesOfTheContractComeFirst) {
  EXPECT_EQ(check("name: x\nmodules: {low: [base/**, net/**], high: [ui/**, core/**]}\n"
                  "contracts: [{name: l, type: layers, layers: [low, high]}]")
                .breaches.size(),
            1u);
}

using SystemMapTest = FolderTest;

TEST_F(SystemMapTest, TellsModulesEntriesAndCycles) {
  put("core/README.md", "# Core\n\nHolds the heart. And more.\n");
  put("core/a.py", "import tool.b\nimport requests\n");
  put("tool/__init__.py", "\"\"\"Drives the core.\"\"\"\n");
  put("tool/b.py",
      "import core.a\ndef f(x):\n    if x:\n        return 1\nif __name__ == \"__main__\":\n    "
      "f(1)\n");
  MapRequest request;
  request.root = root_.string();
  request.title = "demo";
  request.heat = {{"core", 3.5}};
  request.heat_unit = "Seconds";
  const auto map = draw_map(request);
  ASSERT_TRUE(map.ok());
  const std::string& page = map->markdown;
  EXPECT_NE(page.find("# System map of demo"), std::string::npos);
  EXPECT_NE(page.find("| core | Holds the heart. | 2 | 4 | 1 | 1 | 3.5 |"), std::string::npos)
      << page;
  EXPECT_NE(page.find("| tool | Drives the core. |"), std::string::npos);
  EXPECT_NE(page.find("- `tool/b.py`"), std::string::npos);
  EXPECT_NE(page.find("core → tool → core"), std::string::npos);
  EXPECT_NE(page.find("python: requests"), std::string::npos);
  EXPECT_NE(page.find("```mermaid\nflowchart TD"), std::string::npos);
  EXPECT_EQ(page.find(root_.string()), std::string::npos);
  EXPECT_NE(map->svg.find("<svg"), std::string::npos);
}

}  // namespace
}  // namespace neurolens::codebase
