// Writing to files: whole or not at all.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "make_run.hpp"
#include "neurolens/base/compress.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::run {
namespace {

using Artifact = Run;  // inside a TEST, `Run` is a member of GoogleTest's
using test_support::make_run;

class RunFile : public ::testing::Test {
 protected:
  RunFile() {
    folder_ = ::testing::TempDir() + "run_file_" + std::to_string(::getpid());
    EXPECT_TRUE(system_files().make_directories(folder_).ok());
  }
  ~RunFile() override {
    for (const auto& entry : entries())
      EXPECT_TRUE(system_files().remove(folder_ + "/" + entry.name).ok());
    EXPECT_TRUE(system_files().remove(folder_).ok());
  }
  [[nodiscard]] std::string path(const char* name) const { return folder_ + "/" + name; }

  [[nodiscard]] std::vector<DirectoryEntry> entries() const {
    return system_files().list(folder_).value();
  }

  std::string folder_;
};

TEST_F(RunFile, IsCompressedWhenItsNameSaysSo) {
  const Artifact run = make_run();
  ASSERT_TRUE(write_file(system_files(), path("a.json"), run).ok());
  ASSERT_TRUE(write_file(system_files(), path("a.json.zst"), run).ok());
  EXPECT_EQ(system_files().read(path("a.json")).value(), to_json(run));
  const auto small = system_files().read(path("a.json.zst"));
  EXPECT_TRUE(looks_like_zstd(*small));
  EXPECT_LT(small->size(), to_json(run).size() / 2);
  // Told apart by content: a name may lie.
  ASSERT_TRUE(system_files().rename(path("a.json.zst"), path("b.json")).ok());
  const auto again = read_file(system_files(), path("b.json"));
  ASSERT_TRUE(again.ok()) << again.error();
  EXPECT_EQ(to_json(*again), to_json(run));
}

TEST_F(RunFile, IsNotWrittenWhenTheRunIsInvalid) {
  Artifact run = make_run();
  run.samples.iterations.duration_ns[0] = -1;
  const Status written = write_file(system_files(), path("a.json"), run);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Errc::invalid_document);
  EXPECT_EQ(written.error().where, path("a.json") + ": /samples/iterations/duration_ns/0");
  EXPECT_TRUE(entries().empty());
}

TEST_F(RunFile, ErrorsNameTheFile) {
  const auto absent = read_file(system_files(), path("none.json"));
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, Errc::not_found);
  ASSERT_TRUE(system_files().write_atomic(path("cut.json"), "{\"a\":").ok());
  const auto cut = read_file(system_files(), path("cut.json"));
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, Errc::parse_error);
  EXPECT_EQ(cut.error().where, path("cut.json") + ": line 1, column 6");
}

TEST_F(RunFile, AFullDiskIsSaidToBeFull) {
  const Status written = write_file(system_files(), "/dev/full", make_run());
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Errc::no_space);
}

TEST_F(RunFile, TheOldFileSurvivesADiskThatFillsUpHalfway) {
  const Artifact old = make_run({.seed = 1});
  ASSERT_TRUE(write_file(system_files(), path("a.json"), old).ok());
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};  // the file is larger: the second page does not fit
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Status written = write_file(system_files(), path("a.json"), make_run({.seed = 2}));
    ::_exit(!written.ok() && written.error().code == Errc::no_space ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(system_files().read(path("a.json")).value(), to_json(old));
  EXPECT_EQ(entries().size(), 1u);  // no temporary file is left
}

// A writer alternates between two Runs and is killed at a random moment, 200 times.
TEST_F(RunFile, IsWholeAfterEveryKill) {
  const Artifact runs[] = {make_run({.ops = 40, .iterations = 100, .seed = 1}),
                           make_run({.ops = 40, .iterations = 100, .seed = 2})};
  const std::string texts[] = {to_json(runs[0]), to_json(runs[1])};
  const std::string file = path("a.json");
  ASSERT_TRUE(write_file(system_files(), file, runs[0]).ok());
  Random random(3);
  int half_written = 0;  // kills that met a write in progress
  for (int kill_number = 0; kill_number < 200; ++kill_number) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 1;; ++i) {
        if (!write_file(system_files(), file, runs[i % 2]).ok()) ::_exit(1);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(8000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
    const auto content = system_files().read(file);
    ASSERT_TRUE(content.ok()) << content.error();
    ASSERT_TRUE(*content == texts[0] || *content == texts[1]) << "kill " << kill_number;
    for (const auto& entry : entries()) {
      if (entry.name == "a.json") continue;
      ++half_written;
      ASSERT_TRUE(system_files().remove(folder_ + "/" + entry.name).ok());
    }
  }
  EXPECT_GT(half_written, 0) << "no kill met a write: the test tested nothing";
}

}  // namespace
}  // namespace neurolens::run
