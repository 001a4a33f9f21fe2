// Every model of Debian's libonnx-testdata goes through profile_model(): each gives a valid Run or
// a refusal with the runtime's own reason. None may crash, hang, or leave a file. The table of
// outcomes is part of the output.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>

#include "neurolens/base/text.hpp"
#include "neurolens/capture/adapter.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/profile.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::capture {
namespace {

namespace fs = std::filesystem;
constexpr const char* kModels = "/usr/share/libonnx-testdata/data";
constexpr int kWorkers = 2;

std::vector<std::string> find_models() {
  std::vector<std::string> out;
  std::error_code absent;
  for (const auto& entry : fs::recursive_directory_iterator(kModels, absent)) {
    if (entry.path().extension() == ".onnx") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// "code<TAB>reason" of one model; code is "run" for a valid Run.
std::string outcome(const std::string& path, const std::string& work) {
  CaptureRequest request;
  request.model_path = path;
  request.isolated = true;
  request.iterations = 2;
  request.warmup = 1;
  request.method = Method::observed;  // calibrating 1,072 times would take minutes
  request.work_folder = work;
  request.stall_limit = Nanoseconds{60'000'000'000};
  const auto result = profile_model(request);
  if (!result.ok())
    return fmt::format("{}\t{}", to_string(result.error().code), printable(result.error().text()));
  const auto report = run::validate(result.value());
  if (!report.valid()) {
    return fmt::format("invalid\t{}: {}", report.faults.front().pointer,
                       report.faults.front().sentence);
  }
  for (const auto& note : result.value().notes) {
    if (note.find("refused the generated inputs") != std::string::npos)
      return "run\tfallback: " + note;
  }
  return fmt::format("run\t{} ops", result.value().ops.size());
}

void work_through(const std::vector<std::string>& models, int worker, const fs::path& folder) {
  const fs::path scratch = folder / fmt::format("scratch{}", worker);
  fs::create_directories(scratch);
  std::ofstream out(folder / fmt::format("outcomes{}", worker));
  for (std::size_t i = static_cast<std::size_t>(worker); i < models.size(); i += kWorkers) {
    std::string line = outcome(models[i], scratch.string());
    std::replace(line.begin(), line.end(), '\n', ' ');
    out << models[i] << '\t' << line << (fs::is_empty(scratch) ? "" : " LEFTOVERS") << std::endl;
    for (const auto& left : fs::directory_iterator(scratch)) fs::remove_all(left.path());
  }
}

/// The same reason for different models reads the same: names and numbers are taken out.
std::string normalise(std::string reason) {
  reason = std::regex_replace(reason, std::regex("/usr/share[^ ]*/model.onnx: "), "");
  reason = std::regex_replace(reason, std::regex("\\(.*?\\)|'[^']*'|\"[^\"]*\"|`[^`]*`"), "_");
  reason = std::regex_replace(reason, std::regex("[0-9]+"), "#");
  return reason.substr(0, 150);
}

TEST(Sweep, EveryConformanceModelRunsOrIsRefusedWithTheRuntimesReason) {
  AdapterRegistry registry;
  ASSERT_TRUE(add_builtin(registry).ok());
  const auto models = find_models();
  if (models.empty()) GTEST_SKIP() << "libonnx-testdata is not installed";
  const fs::path folder =
      fs::path(::testing::TempDir()) / fmt::format("neurolens_sweep_{}", getpid());
  fs::create_directories(folder);

  // The runtime is asked for in a child: this process must not have opened it when it forks.
  std::vector<pid_t> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      work_through(models, worker, folder);
      _exit(0);
    }
    workers.push_back(pid);
  }
  for (const pid_t pid : workers) {
    int status = 0;
    waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "a worker died";
  }

  std::map<std::string, int> counts;
  std::map<std::string, int> reasons;
  std::size_t seen = 0;
  for (int worker = 0; worker < kWorkers; ++worker) {
    std::ifstream in(folder / fmt::format("outcomes{}", worker));
    for (std::string line; std::getline(in, line); ++seen) {
      const auto fields = split(line, '\t');
      ASSERT_GE(fields.size(), 3U) << line;
      const std::string code(fields[1]);
      ++counts[code];
      EXPECT_EQ(fields[2].find("LEFTOVERS"), std::string_view::npos) << line;
      if (code == "run" && fields[2].rfind("fallback", 0) != 0) continue;
      if (code == "run") {
        ++reasons["run with a fallback: " + normalise(std::string(fields[2]))];
        if (std::getenv("NEUROLENS_SWEEP_VERBOSE") != nullptr) fmt::print("{}\n", line);
        continue;
      }
      ++reasons[code + ": " + normalise(std::string(fields[2]))];
      // What a model may end with; anything else is a fault of ours.
      EXPECT_TRUE(code == "refused" || code == "unavailable") << line;
      if (std::getenv("NEUROLENS_SWEEP_VERBOSE") != nullptr) fmt::print("{}\n", line);
    }
  }
  fs::remove_all(folder);
  EXPECT_EQ(seen, models.size());
  fmt::print("outcome        models\n");
  for (const auto& [code, count] : counts) fmt::print("{:<12} {:>8}\n", code, count);
  fmt::print("{:>6}  reason\n", "models");
  for (const auto& [reason, count] : reasons) fmt::print("{:>6}  {}\n", count, reason);
  if (counts.count("unavailable") != 0) GTEST_SKIP() << "no ONNX Runtime on this machine";
  // Every model that ONNX Runtime 1.30 can load and feed is profiled; the rest it does not
  // implement.
  EXPECT_GE(counts["run"], static_cast<int>(models.size() * 9 / 10));
}

}  // namespace
}  // namespace neurolens::capture
