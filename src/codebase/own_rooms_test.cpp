// neurolens looks at itself: the rooms keep the contract of tools/rooms.yaml, planted breaches of
// every rule are found, and ARCHITECTURE.md shows the table and the map. NEUROLENS_BLESS=1 writes
// both anew.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "neurolens/base/text.hpp"
#include "neurolens/codebase/contract.hpp"
#include "neurolens/codebase/map.hpp"
#include "source_dir.hpp"

namespace neurolens::codebase {
namespace {

namespace fs = std::filesystem;

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

Contract rooms() {
  const std::string path = NEUROLENS_SOURCE_DIR "/tools/rooms.yaml";
  auto contract = parse_contract(read(path), path);
  EXPECT_TRUE(contract.ok()) << contract.error().text();
  return contract.ok() ? *contract : Contract();
}

// As tools/check_layers: src and include, without what tests read.
WalkOptions own_part() {
  WalkOptions walk;
  walk.exclude = {"testdata", "/*", "!/src", "!/include"};
  return walk;
}

std::string breaches_of(const std::string& root) {
  DepsRequest request;
  request.root = root;
  request.walk = own_part();
  request.use_compile_commands = false;
  request.history_commits = 0;
  const auto report = find_dependencies(request);
  EXPECT_TRUE(report.ok());
  return report.ok() ? contract_text(check_contract(rooms(), *report)) : "";
}

TEST(OwnRooms, KeepTheirContract) {
  EXPECT_EQ(breaches_of(NEUROLENS_SOURCE_DIR), "");
}

TEST(OwnRooms, PlantedBreachesOfEveryRuleAreFound) {
  const fs::path root =
      fs::temp_directory_path() / ("neurolens_rooms_" + std::to_string(::getpid()));
  fs::remove_all(root);
  const auto put = [&](const std::string& path, const std::string& text) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << text;
  };
  for (const char* room : {"base", "run", "probe", "store", "gate", "report"})
    put("include/neurolens/" + std::string(room) + "/" + room + ".hpp", "#pragma once\n");
  put("src/run/inner.hpp", "#pragma once\n");
  // What is right.
  put("src/store/good.cpp",
      "#include \"neurolens/run/run.hpp\"\n#include \"neurolens/base/base.hpp\"\n");
  put("src/store/remark.cpp",
      "// #include \"neurolens/gate/gate.hpp\"\nauto s = R\"(\n#include "
      "\"neurolens/gate/gate.hpp\"\n)\";\n");
  put("src/run/side_test.cpp", "#include \"neurolens/probe/probe.hpp\"\n#include \"inner.hpp\"\n");
  put("src/cli/any.cpp", "#include \"neurolens/store/store.hpp\"\n");
  // What is not.
  put("src/base/up.cpp", "int x;\n#include \"neurolens/run/run.hpp\"\n");
  put("src/report/sideways.cpp", "#include \"neurolens/gate/gate.hpp\"\n");
  put("src/run/up_test.cpp", "#include \"neurolens/store/store.hpp\"\n");
  put("src/cli/private.cpp", "#include \"../run/inner.hpp\"\n");
  put("src/cli/private_test.cpp", "#include \"run/inner.hpp\"\n");
  put("include/neurolens/run/leak.hpp", "#include \"../../../src/run/inner.hpp\"\n");
  put("src/attic/old.cpp", "int y;\n");
  const std::string found = breaches_of(root.string());
  fs::remove_all(root);
  EXPECT_EQ(found,
            "src/attic/old.cpp:1: src/attic/old.cpp belongs to no module of the contract (every "
            "file has a room)\n"
            "include/neurolens/run/leak.hpp:1: a public file may not use src/run/inner.hpp, which "
            "is not (private headers)\n"
            "src/cli/private.cpp:1: cli may not use src/run/inner.hpp, a private file of run "
            "(private headers)\n"
            "src/cli/private_test.cpp:1: cli may not use src/run/inner.hpp, a private file of run "
            "(private headers)\n"
            "src/run/up_test.cpp:1: run uses store, which lies above it (ranks of tests)\n"
            "src/base/up.cpp:2: base may not use run; it may use nothing (room table)\n"
            "src/report/sideways.cpp:1: report may not use gate; it may use analyze, run, base "
            "(room table)\n");
}

// ---- ARCHITECTURE.md
// -------------------------------------------------------------------------------------------

std::string room_table(const Contract& contract) {
  std::string out = "| rank | room | what lives there | may include |\n|---|---|---|---|\n";
  const ContractRule& allowed = contract.rules.at(0);
  const auto& layers = contract.rules.at(1).layers;
  for (const ModuleRule& room : contract.modules.rules()) {
    std::size_t rank = layers.size();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (std::find(layers[i].begin(), layers[i].end(), room.name) != layers[i].end())
        rank = layers.size() - 1 - i;
    }
    EXPECT_LT(rank, layers.size()) << room.name << " has no rank";
    std::string uses;
    for (const auto& [name, targets] : allowed.allowed) {
      if (name != room.name) continue;
      for (const std::string& target : targets)
        uses += (uses.empty() ? "" : ", ") + (target == "*" ? "anything" : target);
      if (uses.empty()) uses = "nothing";
    }
    EXPECT_NE(uses, "") << room.name << " has no row in the room table";
    out += "| " + std::to_string(rank) + " | " + room.name + " | " + room.about + " | " + uses +
           " |\n";
  }
  return out;
}

std::string system_map(const Contract& contract) {
  MapRequest request;
  request.root = NEUROLENS_SOURCE_DIR;
  request.modules = contract.modules;
  request.walk = own_part();
  request.history_commits = 0;
  request.use_compile_commands = false;  // records of an old build know nothing of new includes
  request.parts = {MapPart::modules, MapPart::layers, MapPart::entry_points, MapPart::cycles};
  const auto map = draw_map(request);
  EXPECT_TRUE(map.ok());
  if (!map.ok()) return {};
  std::string out;  // one level down in the page
  for (const std::string_view line : split(map->markdown, '\n'))
    out += (line.starts_with("## ") ? "#" : "") + std::string(line) + "\n";
  out.pop_back();
  return out;
}

// Sizes grow with every change: in a table's row, the counts of files and lines may be a quarter
// off.
bool same_row(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const auto x = split(a, '|'), y = split(b, '|');
  if (x.size() != y.size() || x.size() < 6) return false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i]) continue;
    if (i != 3 && i != 4) return false;
    const double p = std::atof(std::string(x[i]).c_str()), q = std::atof(std::string(y[i]).c_str());
    if (p <= 0 || q <= 0 || std::abs(p - q) > std::max(0.25 * p, 3.0)) return false;
  }
  return true;
}

void expect_shown(const std::string& name, const std::string& made) {
  const std::string path = NEUROLENS_SOURCE_DIR "/ARCHITECTURE.md";
  const std::string page = read(path);
  const std::string open = "<!-- " + name + ": written by NEUROLENS_BLESS=1 codebase_test -->\n";
  const std::string close = "<!-- end of " + name + " -->\n";
  const std::size_t from = page.find(open), to = page.find(close);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to)
      << "no place for the " << name;
  const std::string shown = page.substr(from + open.size(), to - from - open.size());
  const auto a = split(shown, '\n'), b = split(made, '\n');
  std::string first;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()) && first.empty(); ++i) {
    const std::string_view x = i < a.size() ? a[i] : "(nothing)",
                           y = i < b.size() ? b[i] : "(nothing)";
    if (!same_row(x, y)) first = "shown: " + std::string(x) + "\nis:    " + std::string(y);
  }
  if (std::getenv("NEUROLENS_BLESS") != nullptr) {
    std::ofstream(path, std::ios::binary)
        << page.substr(0, from) << open << made << page.substr(to);
    return;
  }
  EXPECT_EQ(first, "") << "ARCHITECTURE.md no longer shows the " << name
                       << "; NEUROLENS_BLESS=1 writes it anew";
}

TEST(OwnRooms, ArchitectureShowsTheTable) {
  expect_shown("room table", room_table(rooms()));
}

TEST(OwnRooms, ArchitectureShowsTheMap) {
  expect_shown("system map", system_map(rooms()));
}

TEST(OwnRooms, OnlySizesMayDrift) {
  EXPECT_TRUE(same_row("| base | x | 40 | 2855 | 17 | 0 |", "| base | x | 42 | 3100 | 17 | 0 |"));
  EXPECT_FALSE(same_row("| base | x | 40 | 2855 | 17 | 0 |", "| base | x | 40 | 4000 | 17 | 0 |"));
  EXPECT_FALSE(same_row("| base | x | 40 | 2855 | 17 | 0 |", "| base | x | 40 | 2855 | 16 | 0 |"));
  EXPECT_FALSE(same_row("  n1 --> n3", "  n1 --> n4"));
}

}  // namespace
}  // namespace neurolens::codebase
