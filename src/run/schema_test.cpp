// The schema file and the reader are two witnesses of the same rules: held against each other with
// an independent validator.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <functional>

#include "document_edit.hpp"
#include "make_run.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/run/run.hpp"
#include "reader.hpp"
#include "reference.hpp"
#include "source_dir.hpp"

namespace neurolens::run {
namespace {

using test_support::make_run;

const std::string kSource = NEUROLENS_SOURCE_DIR;

TEST(SchemaFile, IsWhatTheTablesSay) {
  const auto file = system_files().read(kSource + "/schema/run.schema.json");
  ASSERT_TRUE(file.ok()) << file.error();
  EXPECT_TRUE(*file == schema_text()) << "run tools/make_schema and look at the difference";
}

TEST(ReferencePage, IsWhatTheTablesSay) {
  const auto file = system_files().read(kSource + "/docs/reference/run.md");
  ASSERT_TRUE(file.ok()) << file.error();
  EXPECT_TRUE(*file == detail::reference_text()) << "run tools/make_schema";
}

TEST(GoldenRun, OfThisVersionReadsAndWritesBackUnchanged) {
  const std::string path = kSource + "/schema/examples/run-1.0.0.json";
  const auto file = system_files().read(path);
  ASSERT_TRUE(file.ok()) << file.error();
  const auto run = read(*file);
  ASSERT_TRUE(run.ok()) << run.error();
  EXPECT_TRUE(to_json(*run) == *file);
}

/// What a mutation may put in the place of any value.
constexpr std::string_view kTokens[] = {
    "null",
    "true",
    "false",
    "0",
    "1",
    "2",
    "-1",
    "7",
    "0.5",
    "1.0",
    "1e3",
    "-0",
    "-0.0",
    "1e-400",
    "1e400",
    "-1e400",
    "1.5e300",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775807",
    "-9223372036854775808",
    "-9223372036854775809",
    "1e18",
    "9.3e18",
    "123456789012345678901234567890",
    "0.1e1",
    "100e-2",
    "1E+2",
    "[]",
    "[1]",
    "[null]",
    "[[]]",
    "[1,null,2.0]",
    "[\"x\"]",
    "[-1]",
    "[true]",
    "{}",
    "{\"\":1}",
    "{\"x\":\"y\"}",
    "{\"x\":null}",
    "\"\"",
    "\"x\"",
    "\"ok\"",
    "\"data\"",
    "\"ns\"",
    "\"thread\"",
    "\"cut\"",
    "\"auto\"",
    "\"f32\"",
    "\"complete\"",
    "\"1.0.0\"",
    "\"1.20.3\"",
    "\"1.01.0\"",
    "\"0.1.0\"",
    "\"bytes\"",
    "\"00000000-0000-4000-8000-00000000000a\"",
    "\"00000000-0000-4000-8000-00000000000A\"",
    "\"2026-02-28T23:59:60.123456789Z\"",
    "\"2026-02-28T24:00:00Z\"",
    "\"2026-02-28T23:00:00+01:00\"",
    "\"2026-02-28T23:00:00.Z\"",
    "\"\\u00e9\\n\"",
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
    "NaN",
    "Infinity",
    "01",
    "1.",
    ".5",
    "+1",
    "nul",
    "[1,]",
    "\"\\x\"",
    "'x'"};

void collect(json::Value& node, std::vector<json::Value*>& out) {
  out.push_back(&node);
  if (auto* items = std::get_if<json::Array>(&node.data())) {
    for (auto& item : *items) collect(item, out);
  } else if (auto* members = std::get_if<json::Object>(&node.data())) {
    for (auto& [key, item] : *members) collect(item, out);
  }
}

json::Value random_token(Random& random) {
  return documents::raw(kTokens[random.below(std::size(kTokens))]);
}

void mutate_object(json::Object& members, Random& random) {
  const std::size_t at = members.empty() ? 0 : random.below(members.size());
  switch (members.empty() ? 1 : random.below(5)) {
    case 0:
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      members.emplace_back("colour", random_token(random));
      break;
    case 2:
      members.emplace_back(members[at].first, random_token(random));
      break;
    case 3:
      members[at].first += "s";
      break;
    default:
      std::swap(members[at], members.back());
  }
}

/// One change anywhere in the tree.
void mutate(json::Value& root, Random& random) {
  std::vector<json::Value*> nodes;
  collect(root, nodes);
  json::Value& node = *nodes[random.below(nodes.size())];
  if (auto* members = std::get_if<json::Object>(&node.data())) {
    if (random.below(8) != 0) return mutate_object(*members, random);
  } else if (auto* items = std::get_if<json::Array>(&node.data())) {
    if (random.below(2) == 0) {
      items->push_back(random_token(random));
      return;
    }
  }
  node = random_token(random);
}

std::vector<std::string> make_documents(std::size_t count) {
  std::vector<std::string> out;
  Random random(2024);
  for (std::size_t i = 0; i < count; ++i) {
    auto tree = documents::tree_of(to_json(make_run({.ops = 1 + random.below(2),
                                                     .iterations = 2,
                                                     .warmup = 0,
                                                     .seed = i,
                                                     .timeline = random.below(3) != 0,
                                                     .profile = random.below(2) == 0,
                                                     .gpu = random.below(2) == 0})));
    for (std::size_t n = i == 0 ? 0 : 1 + random.below(2); n > 0; --n) mutate(tree, random);
    out.push_back(documents::text_of(tree));
  }
  return out;
}

bool reader_accepts(const std::string& text) {
  const auto claim = detail::find_version(text);
  if (!claim.ok()) return false;
  detail::Document document;
  detail::Faults faults;
  return detail::read_structure(text, *claim, document, faults).ok() && faults.empty();
}

TEST(SchemaFile, AgreesWithTheReaderOnGeneratedDocuments) {
  const auto documents = make_documents(2000);
  const std::string folder = ::testing::TempDir();
  const std::string input = folder + "run_differential.jsonl";
  const std::string output = folder + "run_differential.out";
  std::string lines;
  for (const auto& document : documents) lines += document + "\n";
  ASSERT_TRUE(system_files().write_atomic(input, lines).ok());
  const std::string command = "/usr/bin/python3 -W ignore '" + kSource +
                              "/tests/support/schema_oracle.py' '" + kSource +
                              "/schema/run.schema.json' '" + input + "' > '" + output + "'";
  const int status = std::system(command.c_str());
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "python3-jsonschema is not installed";
  ASSERT_EQ(status, 0) << command;
  const auto verdicts = system_files().read(output);
  ASSERT_TRUE(verdicts.ok());
  ASSERT_EQ(verdicts->size(), 2 * documents.size());
  std::size_t valid = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const bool oracle = (*verdicts)[2 * i] == '1';
    EXPECT_EQ(reader_accepts(documents[i]), oracle) << documents[i];
    valid += oracle ? 1 : 0;
  }
  EXPECT_GT(valid, documents.size() / 10);  // else nothing was tested
  EXPECT_LT(valid, documents.size() * 9 / 10);
}

}  // namespace
}  // namespace neurolens::run
