#include "neurolens/codebase/deps.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "compile_db.hpp"
#include "folder_support.hpp"
#include "history.hpp"
#include "manifests.hpp"
#include "neurolens/base/json.hpp"

namespace neurolens::codebase {
namespace {

Graph make_graph(std::vector<std::vector<std::uint32_t>> out) {
  Graph g;
  for (std::size_t v = 0; v < out.size(); ++v) g.names.push_back("n" + std::to_string(v));
  for (const auto& list : out) {
    g.weight.emplace_back(list.size(), 1u);
    g.place.emplace_back(list.size(), "x:1");
  }
  g.out = std::move(out);
  return g;
}

TEST(GraphMeasures, FanInstabilityAndDepth) {
  const Graph g = make_graph({{1, 2}, {2}, {}, {}});
  const GraphMetrics m = measure_graph(g);
  EXPECT_EQ(m.fan_in, (std::vector<std::uint32_t>{0, 1, 2, 0}));
  EXPECT_EQ(m.fan_out, (std::vector<std::uint32_t>{2, 1, 0, 0}));
  EXPECT_DOUBLE_EQ(m.instability[0], 1.0);
  EXPECT_DOUBLE_EQ(m.instability[1], 0.5);
  EXPECT_TRUE(std::isnan(m.instability[3]));
  EXPECT_EQ(m.depth, (std::vector<std::uint32_t>{2, 1, 0, 0}));
  EXPECT_TRUE(m.cycles.empty());
}

TEST(GraphMeasures, OneShortestCyclePerComponent) {
  // 0-1-2-3-0 with the short cut 2-0, beside 4-5-4.
  const GraphMetrics m = measure_graph(make_graph({{1}, {2}, {0, 3}, {0}, {5}, {4}}));
  ASSERT_EQ(m.cycles.size(), 2u);
  EXPECT_EQ(m.cycle_sizes[0], 4u);
  EXPECT_EQ(m.cycles[0], (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(m.cycles[1], (std::vector<std::uint32_t>{4, 5}));
}

TEST(GraphMeasures, ArticulationPoints) {
  // Two triangles share node 2; 5 hangs on 4.
  const GraphMetrics m = measure_graph(make_graph({{1, 2}, {2}, {3}, {4}, {2, 5}, {}}));
  EXPECT_EQ(m.articulation, (std::vector<std::uint32_t>{2, 4}));
}

TEST(GraphMeasures, LongChainsAndRingsNeedNoCallStack) {
  constexpr std::uint32_t kNodes = 200000;
  std::vector<std::vector<std::uint32_t>> out(kNodes);
  for (std::uint32_t v = 0; v + 1 < kNodes; ++v) out[v] = {v + 1};
  EXPECT_EQ(measure_graph(make_graph(out)).depth[0], kNodes - 1);
}

TEST(GraphMeasures, ShortestPath) {
  const Graph g = make_graph({{1, 3}, {2}, {4}, {4}, {}});
  EXPECT_EQ(shortest_path(g, 0, 4), (std::vector<std::uint32_t>{0, 3, 4}));
  EXPECT_TRUE(shortest_path(g, 4, 0).empty());
}

class Project : public FolderTest {
 protected:
  DepsReport report(DepsLevel level = DepsLevel::file) {
    DepsRequest request;
    request.root = root_.string();
    request.level = level;
    request.history_commits = 0;
    auto made = find_dependencies(request);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().text());
    return std::move(made).value();
  }
  // "from:line>to kind" for every edge.
  std::set<std::string> edges() {
    const DepsReport r = report();
    std::set<std::string> out;
    for (const FileEdge& e : r.edges) {
      out.insert(r.files[e.from].path + ":" + std::to_string(e.line) + ">" + r.files[e.to].path +
                 (e.kind == ImportKind::normal ? "" : " " + std::string(to_string(e.kind))));
    }
    return out;
  }
};

using Edges = std::set<std::string>;

TEST_F(Project, PythonRelativeImportsOfEveryLevel) {
  put("p/__init__.py", "");
  put("p/a/__init__.py", "");
  put("p/a/b/__init__.py", "");
  put("p/a/b/m.py",
      "from . import n\nfrom .n import x\nfrom .. import o\nfrom ..o import y\nfrom ...top import "
      "z\nfrom .... import lost\n");
  put("p/a/b/n.py", "");
  put("p/a/o.py", "");
  put("p/top.py", "");
  EXPECT_EQ(edges(),
            (Edges{"p/a/b/m.py:1>p/a/b/n.py", "p/a/b/m.py:2>p/a/b/n.py", "p/a/b/m.py:3>p/a/o.py",
                   "p/a/b/m.py:4>p/a/o.py", "p/a/b/m.py:5>p/top.py"}));
  EXPECT_EQ(report().unresolved, std::vector<std::string>{"p/a/b/m.py:6: ...."});
}

// As whoever points at one package of a library does.
TEST_F(Project, PythonRootThatIsAPackageItself) {
  const std::string name = root_.filename().string();
  put("__init__.py", "");
  put("a.py", "from " + name + ".sub.b import x\nimport " + name + "\nimport " + name + "x\n");
  put("sub/__init__.py", "from " + name + " import a\n");
  put("sub/b.py", "");
  EXPECT_EQ(edges(), (Edges{"a.py:1>sub/b.py", "a.py:2>__init__.py", "sub/__init__.py:1>a.py"}));
}

TEST_F(Project, PythonKindsOfImports) {
  put("p/__init__.py", "");
  put("p/x.py", "");
  put("p/m.py",
      "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import x\ndef f():\n    "
      "import p.x\ntry:\n    from p import x\n"
      "except ImportError:\n    x = None\nclass C:\n    from p import x\nif a: import p.x\n");
  EXPECT_EQ(edges(), (Edges{"p/m.py:3>p/x.py type_only", "p/m.py:5>p/x.py local",
                            "p/m.py:7>p/x.py conditional", "p/m.py:11>p/x.py",
                            "p/m.py:12>p/x.py conditional"}));
}

TEST_F(Project, PythonNamesThatClashMakeNoFalseEdge) {
  put("p/__init__.py", "");
  put("p/json.py", "");  // named like a package of the standard library
  put("p/m.py", "import json\nimport logging\nfrom p import json as j\n");
  put("email/data.py", "");  // a folder named like one
  put("q.py", "import email\nimport p\n");
  put("q/__init__.py", "");  // a package hides the module of the same name
  put("r.py", "import q\n");
  EXPECT_EQ(edges(), (Edges{"p/m.py:3>p/json.py", "q.py:2>p/__init__.py", "r.py:1>q/__init__.py"}));
}

TEST_F(Project, PythonNamespacePackagesAndReexports) {
  put("space/one/mod.py", "");
  put("use.py",
      "import space.one.mod\nfrom space.one import mod\nfrom pkg import thing, sub, attribute\n");
  put("pkg/__init__.py", "from .thing import thing\n");
  put("pkg/thing.py", "");
  put("pkg/sub.py", "");
  EXPECT_EQ(edges(), (Edges{"use.py:1>space/one/mod.py", "use.py:2>space/one/mod.py",
                            "use.py:3>pkg/__init__.py", "use.py:3>pkg/sub.py",
                            "pkg/__init__.py:1>pkg/thing.py"}));
}

TEST_F(Project, PythonStatementsOverLinesAndInStrings) {
  put("p/__init__.py", "");
  put("p/a.py", "");
  put("p/b.py", "");
  put("p/m.py",
      "\"\"\"import p.a\"\"\"\nfrom p import (\n    a,  # why\n    b as c,\n)\nx = '''\nimport "
      "p.b\n'''\nimport p.a as q, \\\n    p.b\n");
  EXPECT_EQ(edges(),
            (Edges{"p/m.py:2>p/a.py", "p/m.py:2>p/b.py", "p/m.py:9>p/a.py", "p/m.py:9>p/b.py"}));
}

TEST_F(Project, CppGuessesAndSaysSo) {
  put("include/lib/a.hpp", "#include <lib/b.hpp>\n#include <string.h>\n#include <vector>\n");
  put("include/lib/b.hpp", "");
  put("src/string.h", "");  // a local file named like a system header
  put("src/m.cpp",
      "#include \"lib/a.hpp\"\n#include \"own.hpp\"\n// #include \"no.hpp\"\n#if 0\n#include "
      "\"lib/b.hpp\"\n#endif\n#include <string.h>\n");
  put("src/own.hpp", "");
  put("src/no.hpp", "");
  EXPECT_EQ(edges(),
            (Edges{"include/lib/a.hpp:1>include/lib/b.hpp", "src/m.cpp:1>include/lib/a.hpp",
                   "src/m.cpp:2>src/own.hpp", "src/m.cpp:5>include/lib/b.hpp inactive"}));
  const DepsReport r = report();
  ASSERT_EQ(r.notes.size(), 1u);
  EXPECT_NE(r.notes[0].find("guessed"), std::string::npos);
}

TEST_F(Project, CppSearchPathsAndDepfilesOfTheCompilerDecide) {
  put("one/x.hpp", "");
  put("two/x.hpp", "#ifdef A\n#include \"y.hpp\"\n#endif\n");
  put("two/y.hpp", "");
  put("src/m.cpp", "#include <x.hpp>\n");
  const std::string r = root_.string();
  put("build/compile_commands.json", "[{\"directory\": \"" + r + "/build\", \"file\": \"" + r +
                                         "/src/m.cpp\", \"command\": \"c++ -I" + r +
                                         "/two -I../one -o m.o -c " + r + "/src/m.cpp\"}]");
  EXPECT_EQ(edges(), (Edges{"src/m.cpp:1>two/x.hpp", "two/x.hpp:2>two/y.hpp"}));
  // The compiler never read y.hpp: that include is compiled out.
  put("build/m.o.d", "m.o: " + r + "/src/m.cpp \\\n  ../two/x.hpp\n");
  EXPECT_EQ(edges(), (Edges{"src/m.cpp:1>two/x.hpp", "two/x.hpp:2>two/y.hpp inactive"}));
}

TEST_F(Project, ScriptsResolveLikeTheirTools) {
  put("tsconfig.json",
      "{ // comment\n \"compilerOptions\": {\"baseUrl\": \".\", \"paths\": {\"@app/*\": "
      "[\"src/app/*\"],}}}");
  put("src/app/a.ts", "");
  put("src/app/dir/index.tsx", "");
  put("src/m.ts",
      "import { a } from '@app/a';\nimport type { B } from './app/dir';\nimport "
      "'./app/a.js';\nexport * from \"./app/a\";\n"
      "const c = require('./app/a');\nasync function f() { await import('./app/dir/index'); "
      "}\nimport fs from 'node:fs';\n"
      "import lodash from 'lodash/fp';\nimport x from '@scope/pkg/sub';\n// import z from "
      "'./z'\nconst s = `import q from './q'`;\n");
  put("package.json", "{\"name\": \"me\", \"dependencies\": {\"lodash\": \"1\", \"left\": \"1\"}}");
  EXPECT_EQ(edges(),
            (Edges{"src/m.ts:1>src/app/a.ts", "src/m.ts:2>src/app/dir/index.tsx type_only",
                   "src/m.ts:3>src/app/a.ts", "src/m.ts:4>src/app/a.ts", "src/m.ts:5>src/app/a.ts",
                   "src/m.ts:6>src/app/dir/index.tsx dynamic"}));
  const DepsReport r = report();
  ASSERT_EQ(r.unused.size(), 1u);
  EXPECT_EQ(r.unused[0].package, "left");
  ASSERT_EQ(r.missing.size(), 1u);
  EXPECT_EQ(r.missing[0].package, "@scope/pkg");
  EXPECT_EQ(r.missing[0].where, "src/m.ts:9");
}

TEST_F(Project, RustModulesCratesAndPaths) {
  put("Cargo.toml", "[package]\nname = \"my-crate\"\n[dependencies]\nserde = \"1\"\n");
  put("src/lib.rs",
      "mod a;\npub mod b;\nuse a::deep::Thing;\nuse serde::Serialize;\nuse std::io;\n");
  put("src/a/mod.rs", "pub mod deep;\n");
  put("src/a/deep.rs", "use super::super::b::{f, g as h};\nfn x() { use crate::b; }\n");
  put("src/b.rs", "use self::c::d;\nmod c;\n");
  put("src/b/c.rs", "use my_crate::a;\n");
  EXPECT_EQ(edges(),
            (Edges{"src/lib.rs:1>src/a/mod.rs", "src/lib.rs:2>src/b.rs",
                   "src/lib.rs:3>src/a/deep.rs", "src/a/mod.rs:1>src/a/deep.rs",
                   "src/a/deep.rs:1>src/b.rs", "src/a/deep.rs:2>src/b.rs local",
                   "src/b.rs:1>src/b/c.rs", "src/b.rs:2>src/b/c.rs", "src/b/c.rs:1>src/a/mod.rs"}));
}

TEST_F(Project, GoAndJava) {
  put("go.mod", "module ex.org/me\nrequire (\n\tgithub.com/x/y v1\n)\n");
  put("main.go",
      "package main\nimport (\n\t\"fmt\"\n\tu "
      "\"ex.org/me/util\"\n\t\"github.com/x/y/sub\"\n)\nfunc main() {}\n");
  put("util/doc.go", "package util\n");
  put("util/a.go", "package util\n");
  put("j/src/org/A.java",
      "package org;\nimport org.in.B;\nimport static org.in.C.f;\nimport java.util.List;\nclass A "
      "{}\n");
  put("j/src/org/in/B.java", "package org.in;\nclass B {}\n");
  put("j/src/org/in/C.java", "package org.in;\nclass C {}\n");
  EXPECT_EQ(edges(), (Edges{"main.go:4>util/doc.go", "j/src/org/A.java:2>j/src/org/in/B.java",
                            "j/src/org/A.java:3>j/src/org/in/C.java"}));
}

TEST_F(Project, PlantedCycleIsFoundWithItsPlaces) {
  put("a/m.py", "import b.m\n");
  put("b/m.py", "x = 1\nimport c.m\n");
  put("c/m.py", "import a.m\nimport b.m\n");
  const DepsReport r = report(DepsLevel::module);
  ASSERT_EQ(r.metrics.cycles.size(), 1u);
  EXPECT_EQ(r.metrics.cycle_sizes[0], 3u);
  EXPECT_EQ(r.metrics.cycles[0].size(), 2u);  // b and c
  const auto document = json::parse(deps_json(r));
  ASSERT_TRUE(document.ok());
  const json::Value& cycle = (*document->find("cycles")->as_array())[0];
  EXPECT_EQ(*(*cycle.find("shortest")->as_array())[0].find("where")->as_string(), "b/m.py:2");
  EXPECT_NE(to_dot(r.graph, r.metrics).find("color=red"), std::string::npos);
  EXPECT_NE(to_mermaid(r.graph, r.metrics).find("stroke:red"), std::string::npos);
  const auto founding = json::parse(module_dependencies_json(r));
  ASSERT_TRUE(founding.ok());
  EXPECT_EQ(founding->find("c")->as_array()->size(), 2u);
}

TEST_F(Project, DrawingsEscapeNamesAndShowHeat) {
  Graph g = make_graph({{1}, {}});
  g.names = {"<a>&\"b\"", "c"};
  const GraphMetrics m = measure_graph(g);
  const std::string svg = to_svg(g, m, {{"c", 2.0}});
  EXPECT_EQ(svg.find("<a>"), std::string::npos);
  EXPECT_NE(svg.find("&lt;a&gt;&amp;&quot;b&quot;"), std::string::npos);
  EXPECT_NE(svg.find("#f08c3c"), std::string::npos);  // the hottest colour
  EXPECT_NE(to_dot(g, m).find("\\\"b\\\""), std::string::npos);
}

TEST(CompileDb, DepfilesWithSpacesAndContinuations) {
  EXPECT_EQ(depfile_inputs("a.o: b.c \\\n  dir\\ x/c.h d$$e.h\n\nb.h:\n"),
            (std::vector<std::string>{"b.c", "dir x/c.h", "d$e.h"}));
  EXPECT_TRUE(depfile_inputs("").empty());
  EXPECT_TRUE(ninja_deps("# ninjadeps\n\4\0\0").empty());
}

TEST(History, CommitsAndPaths) {
  const std::string output("\x01\0\na.c\0b.c\0\x01\0\x01\0\nc.c\0", 19);
  const auto commits = parse_history(output);
  ASSERT_EQ(commits.size(), 3u);
  EXPECT_EQ(commits[0], (std::vector<std::string>{"a.c", "b.c"}));
  EXPECT_TRUE(commits[1].empty());
  EXPECT_EQ(commits[2], std::vector<std::string>{"c.c"});
}

TEST(ManifestNames, DistributionsAndImports) {
  EXPECT_TRUE(same_package("python", "PyYAML", "yaml"));
  EXPECT_TRUE(same_package("python", "typing_extensions", "typing-extensions"));
  EXPECT_FALSE(same_package("python", "numpy", "pandas"));
  const auto declared = declared_in("pyproject.toml",
                                    "[project]\nname = \"x\"\ndependencies = [\n  \"numpy>=1\",\n  "
                                    "\"rich\", # why\n]\n[tool.x]\na = [\"b\"]\n");
  ASSERT_EQ(declared.size(), 2u);
  EXPECT_EQ(declared[1].package, "rich");
}

}  // namespace
}  // namespace neurolens::codebase
