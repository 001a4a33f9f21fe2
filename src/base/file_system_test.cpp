#include "neurolens/base/file_system.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "neurolens/base/random.hpp"

namespace neurolens {
namespace {

class FileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "neurolens_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    const auto entries = files_.list(directory_);
    for (const auto& entry : entries.value()) (void)files_.remove(directory_ + "/" + entry.name);
    (void)files_.remove(directory_);
  }
  FileSystem& files_ = system_files();
  std::string directory_;
};

TEST_F(FileSystemTest, WritesReadsListsAndRemoves) {
  const std::string path = directory_ + "/a";
  ASSERT_TRUE(files_.write_atomic(path, "hello").ok());
  ASSERT_TRUE(files_.write_atomic(path, "world").ok());
  EXPECT_EQ(files_.read(path).value(), "world");
  EXPECT_EQ(files_.list(directory_).value().size(), 1U);
  EXPECT_EQ(files_.info(path).value()->size, Bytes{5});
  EXPECT_EQ(files_.read_from(path, Bytes{3}, Bytes{100}).value(), "ld");
  EXPECT_EQ(files_.read_from(path, Bytes{1}, Bytes{2}).value(), "or");
  EXPECT_EQ(files_.read_from(path, Bytes{9}, Bytes{2}).value(), "");
  ASSERT_TRUE(files_.remove(path).ok());
  EXPECT_FALSE(files_.info(path).value().has_value());
}

TEST_F(FileSystemTest, SaysWhatIsWrongWithAPath) {
  EXPECT_EQ(files_.read(directory_ + "/none").error().code, Errc::not_found);
  EXPECT_EQ(files_.read(directory_).error().code, Errc::bad_request);
  EXPECT_EQ(files_.write_atomic(directory_ + "/no/such", "x").error().code, Errc::not_found);
  ASSERT_TRUE(files_.write_atomic(directory_ + "/big", std::string(100, 'x')).ok());
  EXPECT_EQ(files_.read(directory_ + "/big", Bytes{10}).error().code, Errc::too_large);
}

TEST_F(FileSystemTest, AnAbandonedWriteLeavesTheOldFileAndNoLitter) {
  const std::string path = directory_ + "/a";
  ASSERT_TRUE(files_.write_atomic(path, "old").ok());
  {
    auto file = files_.create_atomic(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file.value()->write("half").ok());
  }
  EXPECT_EQ(files_.read(path).value(), "old");
  EXPECT_EQ(files_.list(directory_).value().size(), 1U);
}

TEST_F(FileSystemTest, AFullDiskIsReportedAndLeavesTheOldFile) {
  const std::string path = directory_ + "/a";
  ASSERT_TRUE(files_.write_atomic(path, "old").ok());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};  // a file size limit fails writes the way a full disk does
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto status = files_.write_atomic(path, std::string(1000, 'x'));
    _exit(!status.ok() && status.error().code == Errc::no_space ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(files_.read(path).value(), "old");
  EXPECT_EQ(files_.list(directory_).value().size(), 1U);
}

// A writer killed at a random moment, 200 times: readers see one whole version, always.
TEST_F(FileSystemTest, KilledWritersNeverLeaveHalfAFile) {
  const std::string path = directory_ + "/a";
  ASSERT_TRUE(files_.write_atomic(path, std::string(300'000, 'a')).ok());
  Random random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (int i = 0;; ++i) {
        (void)files_.write_atomic(path, std::string(300'000, static_cast<char>('a' + i % 26)));
      }
    }
    usleep(static_cast<useconds_t>(random.below(3000)));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const auto content = files_.read(path);
    ASSERT_TRUE(content.ok());
    ASSERT_EQ(content->size(), 300'000U);
    ASSERT_EQ(content->find_first_not_of(content->front()), std::string::npos);
  }
}

}  // namespace
}  // namespace neurolens
