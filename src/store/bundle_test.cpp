#include "neurolens/store/bundle.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "make_run.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::store {
namespace {

Bundle sample() {
  const auto run = test_support::make_run({.ops = 2, .iterations = 4, .seed = 1});
  const auto base = test_support::make_run({.ops = 2, .iterations = 4, .seed = 2});
  return {"1.2.3",
          "2026-01-31T12:00:00.000Z",
          run.run_id,
          {{"run.json", "run", run::to_json(run)},
           {"baseline.json", "baseline", run::to_json(base)},
           {"report.md", "report", "# report\n"}}};
}

/// The members of an archive, to be tampered with.
std::vector<ZipMember> members_of(const Bundle& bundle) {
  return zip_read(make_bundle(bundle).value()).value();
}

Error refusal(const std::vector<ZipMember>& members) {
  const auto read = read_bundle(zip_write(members).value());
  EXPECT_FALSE(read.ok());
  return read.ok() ? Error{} : read.error();
}

class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "neurolens_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(BundleTest, ComesBackAsItWas) {
  const auto read = read_bundle(make_bundle(sample()).value());
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_EQ(read->run_id, sample().run_id);
  ASSERT_EQ(read->files.size(), 3U);
  EXPECT_EQ(read->files[2].bytes, "# report\n");
  ASSERT_TRUE(unpack_bundle(*read, system_files(), folder_ + "/out").ok());
  EXPECT_TRUE(run::read_file(system_files(), folder_ + "/out/run.json").ok());
  EXPECT_EQ(system_files().list(folder_ + "/out")->size(), 4U);
}

TEST_F(BundleTest, AWrongHashIsRefusedAndNamed) {
  auto members = members_of(sample());
  members[3].bytes = "# REPORT\n";
  const Error error = refusal(members);
  EXPECT_EQ(error.code, Errc::invalid_document);
  EXPECT_EQ(error.where, "report.md");
  EXPECT_NE(error.message.find("hash"), std::string::npos);
  members[3].bytes = "# report, longer\n";
  EXPECT_NE(refusal(members).message.find("long"), std::string::npos);
}

TEST_F(BundleTest, WhatIsMissingUnnamedOrForeignIsRefused) {
  auto members = members_of(sample());
  members.push_back({"extra.txt", "hello"});
  EXPECT_EQ(refusal(members).where, "extra.txt");
  members = members_of(sample());
  members.erase(members.begin() + 2);
  EXPECT_EQ(refusal(members).where, "baseline.json");
  members = members_of(sample());
  members.erase(members.begin());
  EXPECT_EQ(refusal(members).where, "bundle.json");
  Bundle other = sample();
  other.run_id = sample().run_id + "0";
  EXPECT_EQ(refusal(members_of(other)).where, "run.json");
  Bundle broken = sample();
  broken.files[0].bytes.insert(1, "\"x\": 1,");
  EXPECT_EQ(refusal(members_of(broken)).where, "run.json");
  Bundle twice = sample();
  twice.files[1].kind = "run";
  EXPECT_FALSE(read_bundle(make_bundle(twice).value()).ok());
}

TEST_F(BundleTest, NothingIsWrittenOutsideOrOverOthersFiles) {
  Bundle evil = sample();
  evil.files[2].path = "../escaped.md";
  EXPECT_EQ(make_bundle(evil).error().code, Errc::bad_request);
  std::filesystem::create_directories(folder_ + "/full");
  std::ofstream(folder_ + "/full/mine.txt") << "mine";
  EXPECT_EQ(unpack_bundle(sample(), system_files(), folder_ + "/full").error().code,
            Errc::bad_request);
  // A link in place of the folder is followed only when it leads to an empty folder.
  std::filesystem::create_directory_symlink(folder_ + "/full", folder_ + "/link");
  EXPECT_FALSE(unpack_bundle(sample(), system_files(), folder_ + "/link").ok());
  EXPECT_EQ(system_files().list(folder_ + "/full")->size(), 1U);
}

}  // namespace
}  // namespace neurolens::store
