#include "isolate/isolate.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "isolate/channel.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::capture {
namespace {

class Isolate : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("neurolens_isolate_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    request_.model_path = "hostile.onnx";
    request_.work_folder = folder_.string();
  }
  void TearDown() override {
    EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "temporary files were left behind";
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path folder_;
  CaptureRequest request_;
};

TEST_F(Isolate, TurnsACrashIntoAnErrorThatNamesSignalAndModel) {
  const auto result = run_isolated(request_, [](const CaptureRequest&) -> Result<run::Run> {
    std::raise(SIGSEGV);
    return Error{};
  });
  ASSERT_FALSE(result.ok());
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_EQ(result.error().code, Errc::crashed);
  EXPECT_NE(result.error().message.find("signal 11"), std::string::npos) << result.error();
#endif
  EXPECT_EQ(result.error().where, "hostile.onnx");
}

TEST_F(Isolate, KeepsTheLastWordsOfAnAbort) {
  const auto result = run_isolated(request_, [](const CaptureRequest&) -> Result<run::Run> {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, "shape mismatch\n", 15);
    std::abort();
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::crashed);
  EXPECT_NE(result.error().message.find("shape mismatch"), std::string::npos) << result.error();
}

TEST_F(Isolate, EndsAHang) {
  request_.stall_limit = Nanoseconds{200'000'000};
  const auto result = run_isolated(request_, [](const CaptureRequest&) -> Result<run::Run> {
    while (true) pause();
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::timed_out);
}

TEST_F(Isolate, SignsOfLifePostponeTheDeadline) {
  request_.stall_limit = Nanoseconds{400'000'000};
  const auto result = run_isolated(request_, [](const CaptureRequest& request) -> Result<run::Run> {
    for (int i = 0; i < 8; ++i) {
      system_clock().sleep(Nanoseconds{100'000'000});
      request.attention.report("working", 0.1 * i);
    }
    return Error{Errc::refused, "done", "here"};
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::refused);
  EXPECT_EQ(result.error().message, "done");
  EXPECT_EQ(result.error().where, "here");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(Isolate, BoundsMemory) {
  request_.memory_limit = Bytes{std::int64_t{1} << 30};
  const auto result = run_isolated(request_, [](const CaptureRequest&) -> Result<run::Run> {
    std::vector<std::vector<char>> hoard;
    while (true) hoard.emplace_back(std::size_t{1} << 26, 'x');
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::out_of_memory) << result.error();
}
#endif

TEST_F(Isolate, CancellationReachesTheChild) {
  CancelToken token;
  token.cancel();
  request_.attention.cancel = &token;
  const auto result = run_isolated(request_, [](const CaptureRequest& request) -> Result<run::Run> {
    while (!request.attention.cancelled()) system_clock().sleep(Nanoseconds{1'000'000});
    return Error{Errc::cancelled, "heard", {}};
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, "heard");
}

TEST(MessageReader, PutsPiecesTogether) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_TRUE(send_message(ends[1], MessageKind::progress, encode_progress("phase", 0.5)));
  ASSERT_TRUE(send_message(ends[1], MessageKind::run, "{}"));
  close(ends[1]);
  MessageReader reader;
  std::vector<std::string> got;
  char byte = 0;
  while (read(ends[0], &byte, 1) == 1) {
    EXPECT_TRUE(
        reader.feed(std::string_view(&byte, 1), [&](MessageKind kind, std::string_view payload) {
          got.push_back(static_cast<char>(kind) + std::string(payload));
        }));
  }
  close(ends[0]);
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[1], "R{}");
  EXPECT_FALSE(reader.feed("nonsense here", [](MessageKind, std::string_view) {}));
}

}  // namespace
}  // namespace neurolens::capture
