/// \file
/// Runs the program under test and catches what it says; a folder of its own for each test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "neurolens/base/file_system.hpp"

namespace neurolens::test_support {

/// How a program ended and what it wrote.
struct Outcome {
  int status = -1;  ///< Exit status; 128 + signal when killed.
  std::string out;
  std::string err;
};

/// A test that starts `neurolens` in a folder of its own, which is removed afterwards.
class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "neurolens_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string at(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, std::string_view bytes) {
    ASSERT_TRUE(system_files().write_atomic(at(name), bytes).ok());
  }
  [[nodiscard]] std::string read(const std::string& name) {
    return system_files().read(at(name)).value_or("");
  }
  /// Names in the folder, to see that nothing was left behind.
  [[nodiscard]] std::vector<std::string> names() {
    std::vector<std::string> result;
    for (const auto& entry : system_files().list(folder_).value()) result.push_back(entry.name);
    return result;
  }

  /// Starts the program in the folder and waits. With `interrupt_after`, sends SIGINT then.
  Outcome run(std::vector<std::string> arguments, std::chrono::milliseconds interrupt_after = {},
              const std::string& stdout_path = "") {
    // The captured streams live outside the folder, so that names() shows only what the program
    // made.
    const std::string out = folder_ + ".out";
    const std::string err = folder_ + ".err";
    const pid_t child = fork();
    if (child == 0) {
      const int out_fd = open((stdout_path.empty() ? out : stdout_path).c_str(),
                              O_WRONLY | O_CREAT | O_TRUNC, 0600);
      const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(out_fd, 1);
      dup2(err_fd, 2);
      if (chdir(folder_.c_str()) != 0) _exit(126);
      if (file_size_limit_ > 0) {
        const rlimit limit{file_size_limit_, file_size_limit_};
        setrlimit(RLIMIT_FSIZE, &limit);
      }
      std::vector<char*> argv;
      std::string program = NEUROLENS_PROGRAM;
      argv.push_back(program.data());
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    if (interrupt_after.count() > 0) {
      std::this_thread::sleep_for(interrupt_after);
      kill(child, SIGINT);
    }
    int status = 0;
    waitpid(child, &status, 0);
    Outcome outcome;
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.out = system_files().read(out).value_or("");
    outcome.err = system_files().read(err).value_or("");
    std::filesystem::remove(out);
    std::filesystem::remove(err);
    return outcome;
  }

  std::string folder_;
  rlim_t file_size_limit_ = 0;  ///< Bytes; files that grow beyond fail to be written. 0: no limit.
};

}  // namespace neurolens::test_support
