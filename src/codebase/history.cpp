#include "history.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "neurolens/base/text.hpp"

extern char** environ;

namespace neurolens::codebase {
namespace {

// Standard output of a program; empty when it cannot be run or fails.
std::string output_of(std::vector<std::string> words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int started =
      ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string out;
  std::array<char, 65536> buffer{};
  while (started == 0) {
    const ssize_t n = ::read(ends[0], buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  if (started != 0) return {};
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? out : std::string();
}

}  // namespace

std::vector<std::vector<std::string>> parse_history(std::string_view output) {
  std::vector<std::vector<std::string>> commits;
  for (std::string_view part : split(output, '\0')) {
    while (!part.empty() && (part.front() == '\n' || part.front() == '\x01')) {
      if (part.front() == '\x01') commits.emplace_back();
      part.remove_prefix(1);
    }
    if (!part.empty() && !commits.empty()) commits.back().emplace_back(part);
  }
  return commits;
}

std::vector<std::vector<std::string>> read_history(const std::string& root, std::uint32_t commits) {
  if (commits == 0) return {};
  return parse_history(
      output_of({"git", "-C", root, "log", "-n", std::to_string(commits), "--no-merges",
                 "--no-renames", "--relative", "--name-only", "-z", "--format=%x01", "--", "."}));
}

}  // namespace neurolens::codebase
