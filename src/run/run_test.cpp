// Reading, writing, versions, damage.
#include "neurolens/run/run.hpp"

#include <gtest/gtest.h>
#include <algorithm>

#include "document_edit.hpp"
#include "make_run.hpp"
#include "neurolens/base/compress.hpp"
#include "neurolens/base/random.hpp"
#include "source_dir.hpp"

namespace neurolens::run {

using Artifact = Run;  // inside a TEST, `Run` is a member of GoogleTest's
namespace {

using test_support::make_run;

std::string first_fault(const Report& report) {
  return report.valid() ? "" : report.faults[0].pointer + ": " + report.faults[0].sentence;
}

TEST(RunDocument, ReadsBackWhatItWroteToTheLastByte) {
  Random random(5);
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Artifact run = make_run({.ops = random.below(6),
                             .iterations = random.below(9),
                             .warmup = random.below(3),
                             .seed = seed,
                             .timeline = random.below(2) == 0,
                             .profile = random.below(2) == 0,
                             .gpu = random.below(2) == 0});
    run.tags["odd / key ~ \"\n\t\x01"] = "värde \xf0\x9f\x98\x80 \\";
    run.config.seed = -static_cast<std::int64_t>(random() >> 1);
    run.samples.iterations.steal_ns.assign(run.samples.iterations.begin_ns.size(), kMissing);
    for (auto& op : run.ops) op.executions_per_iteration = std::ldexp(random.uniform(), -60);
    ASSERT_TRUE(validate(run).valid()) << first_fault(validate(run));
    const std::string text = to_json(run);
    const auto again = read(text);
    ASSERT_TRUE(again.ok()) << again.error();
    EXPECT_EQ(to_json(*again), text);
  }
}

TEST(RunDocument, ReadsAnySpellingOfTheSameValues) {
  const std::string text = to_json(make_run({.profile = true, .gpu = true}));
  auto tree = documents::tree_of(text);
  auto& members = std::get<json::Object>(tree.data());
  std::reverse(members.begin(), members.end());
  documents::apply(tree, documents::Edit::set, "/workload/parameters", "3.00e4");
  documents::apply(tree, documents::Edit::set, "/samples/iterations/page_faults/0", "12.0");
  documents::apply(tree, documents::Edit::set, "/workload/name", R"("sample\u002dmlp")");
  std::string spelt = documents::text_of(tree, 3);
  for (auto at = spelt.find(",\n"); at != std::string::npos; at = spelt.find(",\n", at + 4))
    spelt.insert(at + 1, " \r\n");
  const auto run = read("\n\t " + spelt + " \n");
  ASSERT_TRUE(run.ok()) << run.error();
  EXPECT_EQ(to_json(*run), text);
}

TEST(RunDocument, TakesTheCompressedFormByContent) {
  const Artifact run = make_run();
  const std::string text = to_json(run);
  const auto again = read(zstd_compress(text));
  ASSERT_TRUE(again.ok()) << again.error();
  EXPECT_EQ(to_json(*again), text);
  const std::string compressed = zstd_compress(text);
  const auto cut = read(std::string_view(compressed).substr(0, compressed.size() / 2));
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, Errc::data_corrupt);
}

TEST(RunDocument, RefusesABombBeforeItHasGrown) {
  const std::string bomb = zstd_compress(std::string(std::size_t{300} << 20, ' '));
  ASSERT_LT(bomb.size(), 100'000u);
  const auto report = check(bomb);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Errc::too_large);
}

TEST(RunDocument, IsRefusedWhenCutAnywhere) {
  const std::string text = to_json(make_run({.ops = 1, .iterations = 2}));
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {  // the last byte is a line end
    const auto report = check(std::string_view(text).substr(0, size));
    if (size + 2 == text.size()) continue;
    ASSERT_FALSE(report.ok()) << size;
    EXPECT_EQ(report.error().code, Errc::parse_error) << size;
  }
}

TEST(RunDocument, NeverPassesWithAFlippedBit) {
  const std::string text = to_json(make_run({.ops = 2, .iterations = 3}));
  const std::string content = content_hash(*read(text));
  Random random(11);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string damaged = text;
    const std::size_t at = random.below(text.size());
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
    const auto run = read(damaged);
    // What is outside the hash may change; content may not.
    if (run.ok()) {
      EXPECT_EQ(content_hash(*run), content) << at;
    }
  }
}

struct Malformed {
  std::string_view text;
  std::string_view where;
};
class MalformedText : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedText, IsAParseErrorWithAPlace) {
  const auto report = check(GetParam().text);
  ASSERT_FALSE(report.ok()) << GetParam().text;
  EXPECT_EQ(report.error().code, Errc::parse_error);
  EXPECT_EQ(report.error().where, GetParam().where) << report.error();
}

INSTANTIATE_TEST_SUITE_P(
    All, MalformedText,
    ::testing::Values(
        Malformed{"", "line 1, column 1"}, Malformed{"  ", "line 1, column 3"},
        Malformed{"{", "line 1, column 2"}, Malformed{"{\n\"a\" 1}", "line 2, column 5"},
        Malformed{"{\"a\":1,}", "line 1, column 8"},
        Malformed{"{\"schema_version\":\"1.0.0\",\"a\":[1,2,,3]}", "line 1, column 36"},
        Malformed{"{\"schema_version\":\"1.0.0\"} x", "line 1, column 28"},
        Malformed{"{\"a\":01}", "line 1, column 6"}, Malformed{"{\"a\":1.}", "line 1, column 8"},
        Malformed{"{\"a\":-}", "line 1, column 7"}, Malformed{"{\"a\":1e+}", "line 1, column 9"},
        Malformed{"{\"a\":NaN}", "line 1, column 6"}, Malformed{"{\"a\":nul}", "line 1, column 6"},
        Malformed{"{\"a\":\"\\x\"}", "line 1, column 7"},
        Malformed{"{\"a\":\"\\ud800\"}", "line 1, column 13"},
        Malformed{"{\"a\":\"\\u12g4\"}", "line 1, column 7"},
        Malformed{"{\"a\":\"\n\"}", "line 1, column 7"}, Malformed{"{\"a\":\n\"\xff\"}", "line 2"},
        Malformed{"{\"a\":'x'}", "line 1, column 6"}));

// The seeds of the fuzzer, and what it once found.
TEST(RunDocument, EverySeedOfTheFuzzerGetsAnAnswer) {
  const std::string folder = std::string(NEUROLENS_SOURCE_DIR) + "/src/run/fuzz_corpus";
  const auto seeds = system_files().list(folder);
  ASSERT_TRUE(seeds.ok()) << seeds.error();
  std::size_t valid = 0;
  for (const auto& seed : *seeds) {
    const auto text = system_files().read(folder + "/" + seed.name);
    ASSERT_TRUE(text.ok()) << text.error();
    const auto report = check(*text);
    EXPECT_EQ(read(*text).ok(), report.ok() && report->valid()) << seed.name;
    valid += read(*text).ok() ? 1 : 0;
  }
  EXPECT_GE(valid, 4u);
}

TEST(RunDocument, BoundsNesting) {
  const auto deep = check("{\"a\":" + std::string(100'000, '['));
  ASSERT_FALSE(deep.ok());
  EXPECT_EQ(deep.error().code, Errc::parse_error);
  EXPECT_NE(deep.error().message.find("1,024"), std::string::npos);
}

TEST(RunDocument, WhatIsNoRunIsSaidToBeNone) {
  for (const char* text : {"[]", "17", "\"run\"", "null", "{}", "{\"a\":1}"}) {
    const auto report = check(text);
    ASSERT_TRUE(report.ok()) << report.error();
    EXPECT_FALSE(report->valid()) << text;
  }
}

TEST(RunVersion, ANewerMajorIsRefusedNamingBoth) {
  auto tree = documents::tree_of(to_json(make_run()));
  documents::apply(tree, documents::Edit::set, "/schema_version", "\"2.3.4\"");
  const auto report = check(documents::text_of(tree));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Errc::newer_version);
  EXPECT_NE(report.error().message.find("2.3.4"), std::string::npos);
  EXPECT_NE(report.error().message.find(kSchemaVersion), std::string::npos);
}

TEST(RunVersion, ANewerMinorIsReadAndExplainsItsUnknownKeys) {
  auto tree = documents::tree_of(to_json(make_run()));
  documents::apply(tree, documents::Edit::set, "/schema_version", "\"1.7.0\"");
  const auto known = check(documents::text_of(tree));
  ASSERT_TRUE(known.ok());
  EXPECT_TRUE(known->valid()) << first_fault(*known);
  documents::apply(tree, documents::Edit::add, "/colour", "1");
  const auto unknown = check(documents::text_of(tree));
  ASSERT_TRUE(unknown.ok());
  ASSERT_FALSE(unknown->valid());
  EXPECT_EQ(unknown->faults[0].pointer, "/colour");
  EXPECT_NE(unknown->faults[0].sentence.find("1.7.0"), std::string::npos);
  EXPECT_NE(unknown->faults[0].sentence.find("newer"), std::string::npos);
}

TEST(ContentHash, DependsOnContentAndNotOnIdentity) {
  Artifact run = make_run();
  const std::string before = content_hash(run);
  EXPECT_NE(to_json(run).find(before), std::string::npos);
  run.run_id = "ffffffff-ffff-4fff-8fff-ffffffffffff";
  run.created_at = "2027-01-01T00:00:00Z";
  EXPECT_EQ(content_hash(run), before);
  run.samples.iterations.duration_ns.back() += 1;
  EXPECT_NE(content_hash(run), before);
}

// Reading and judging the hash apart say together what reading alone says.
TEST(ReadUnsealed, LeavesOnlyTheHashToBeJudged) {
  const std::string right = to_json(make_run());
  const auto read_right = read_unsealed(right);
  ASSERT_TRUE(read_right.ok()) << read_right.error();
  EXPECT_TRUE(read_right->claimed_hash);
  EXPECT_TRUE(check_seal(read_right->run, read_right->claimed_hash).ok());

  std::string changed = right;
  const std::string name = "\"name\":\"lab\"";
  changed.replace(changed.find(name), name.size(), "\"name\":\"bal\"");
  const auto read_changed = read_unsealed(changed);
  ASSERT_TRUE(read_changed.ok()) << read_changed.error();
  const Status seal = check_seal(read_changed->run, read_changed->claimed_hash);
  ASSERT_FALSE(seal.ok());
  const auto whole = read(changed);
  ASSERT_FALSE(whole.ok());
  EXPECT_EQ(seal.error().text(), whole.error().text());

  EXPECT_FALSE(read_unsealed("{}").ok());
  EXPECT_TRUE(check_seal(read_right->run, std::nullopt).ok());
}

TEST(ContentHash, IsTheSameForTheFileAndForTheValue) {
  // The writer hashes the text it wrote; content_hash() streams. Sizes around the buffer's edge.
  for (const std::size_t iterations : {0u, 1u, 500u, 9000u}) {
    const Artifact run = make_run({.ops = 9, .iterations = iterations});
    EXPECT_NE(to_json(run).find("\"content_hash\":\"" + content_hash(run) + "\""),
              std::string::npos);
  }
}

}  // namespace
}  // namespace neurolens::run
