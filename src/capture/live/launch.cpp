#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/live.hpp"

extern char** environ;

namespace neurolens::capture {
namespace {

constexpr std::size_t kMostKept = std::size_t{1} << 20;
constexpr std::size_t kWordsKept = 300;

/// Both ends of a pipe, closed at the end.
class Pipe {
 public:
  Pipe() { ok_ = pipe2(ends_.data(), O_CLOEXEC) == 0; }
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  void close_read() { close_end(0); }
  void close_write() { close_end(1); }

 private:
  void close_end(std::size_t i) {
    if (ends_[i] >= 0) close(ends_[i]);
    ends_[i] = -1;
  }
  std::array<int, 2> ends_{-1, -1};
  bool ok_ = false;
};

/// Reads both streams until the program closed them; keeps the last part of each.
void drain(Pipe& out, Pipe& err, std::string& out_text, std::string& err_text) {
  std::array<pollfd, 2> waits{pollfd{out.read_end(), POLLIN, 0}, pollfd{err.read_end(), POLLIN, 0}};
  std::array<std::string*, 2> texts{&out_text, &err_text};
  std::string buffer(std::size_t{1} << 16, '\0');
  int open = 2;
  while (open > 0) {
    if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].fd < 0 || (waits[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      const auto got = read(waits[i].fd, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        waits[i].fd = -1;
        --open;
        continue;
      }
      texts[i]->append(buffer, 0, static_cast<std::size_t>(got));
      if (texts[i]->size() > kMostKept) texts[i]->erase(0, texts[i]->size() - kMostKept);
    }
  }
}

Result<Nanoseconds> smallest_sample(const std::string& text, const std::string& program) {
  const Error none{Errc::parse_error, "The launch printed no {\"samples_ns\": [...]}.", program};
  const auto document = json::parse(trim(text));
  if (!document.ok()) return none;
  const auto* samples = document->find("samples_ns");
  if (samples == nullptr || samples->as_array() == nullptr || samples->as_array()->empty())
    return none;
  std::int64_t least = 0;
  for (const auto& sample : *samples->as_array()) {
    const auto value = sample.as_int();
    if (!value || *value <= 0) return none;
    least = least == 0 ? *value : std::min(least, *value);
  }
  return Nanoseconds{least};
}

}  // namespace

Result<Nanoseconds> launch(const LaunchCommand& command) {
  if (command.command.empty())
    return Error{Errc::bad_request, "There is no command to launch.", ""};
  const std::string& program = command.command[0];
  Pipe out;
  Pipe err;
  if (!out.ok() || !err.ok()) return system_error(errno, "pipe", "starting a launch");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end(), STDERR_FILENO);
  std::vector<char*> argv;
  for (const auto& word : command.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  Clock& clock = system_clock();
  const Nanoseconds begin = clock.now();
  pid_t child = 0;
  const int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return system_error(failed, program, "start");
  out.close_write();
  err.close_write();
  std::string out_text;
  std::string err_text;
  drain(out, err, out_text, err_text);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const Nanoseconds spent = clock.now() - begin;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string_view words = trim(err_text);
    if (words.size() > kWordsKept) words = words.substr(words.size() - kWordsKept);
    const std::string how = WIFEXITED(status)
                                ? fmt::format("ended with status {}", WEXITSTATUS(status))
                                : fmt::format("was ended by signal {}", WTERMSIG(status));
    return Error{Errc::task_failed,
                 fmt::format("A launch {}{}{}", how, words.empty() ? "." : ": ", printable(words)),
                 program};
  }
  if (!command.reports_samples) return spent;
  return smallest_sample(out_text, program);
}

Result<LiveBlock> measure_block(const LaunchCommand& baseline, const LaunchCommand& candidate,
                                Random& random, const Attention& attention) {
  LiveBlock block;
  const std::array<const LaunchCommand*, 3> sides{&baseline, &candidate, &baseline};
  const std::array<Nanoseconds*, 3> places{&block.baseline, &block.candidate, &block.control};
  std::array<std::size_t, 3> order{0, 1, 2};
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.below(i + 1)]);
  for (const auto i : order) {
    if (attention.cancelled()) return Error{Errc::cancelled, "Stopped by the user.", ""};
    NEUROLENS_ASSIGN(*places[i], launch(*sides[i]));
  }
  return block;
}

}  // namespace neurolens::capture
