// Any bytes as a source file, an ignore file, a depfile, a Ninja log, a manifest or a contract.
#include <cstdint>
#include <string>

#include "compile_db.hpp"
#include "facts.hpp"
#include "history.hpp"
#include "ignore.hpp"
#include "manifests.hpp"
#include "neurolens/codebase/contract.hpp"

namespace nc = neurolens::codebase;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr const char* kNames[] = {"a.cpp", "a.py",   "a.ts", "a.rs",
                                    "a.go",  "a.java", "a.js", "a.hpp"};
  constexpr const char* kManifests[] = {"pyproject.toml", "Cargo.toml", "package.json",
                                        "go.mod",         "setup.cfg",  "requirements.txt"};
  (void)nc::facts_of(kNames[data[0] % 8], text, {});
  (void)nc::depfile_inputs(text);
  (void)nc::ninja_deps("# ninjadeps\n" + text);
  (void)nc::declared_in(kManifests[data[0] % 6], text);
  (void)nc::parse_history(text);
  (void)nc::IgnoreList("", text).test("a/b/c.cpp", false);
  if (text.size() < 4096) (void)nc::parse_contract(text, "c.yaml");
  return 0;
}
