#include "live/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "isolate/channel.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"

extern char** environ;

namespace neurolens::capture {
namespace {

constexpr std::size_t kMostKept = std::size_t{1} << 20;
constexpr std::size_t kWordsKept = 300;

/// Without the signal that a closed pipe would raise.
bool write_quietly(int fd, std::string_view text) {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  const bool fine = write_all(fd, text);
  sigaction(SIGPIPE, &before, nullptr);
  return fine;
}

}  // namespace

Pipe::Pipe() {
  ok_ = pipe2(ends_.data(), O_CLOEXEC) == 0;
}

Pipe::~Pipe() {
  close_read();
  close_write();
}

void Pipe::close_end(std::size_t i) {
  if (ends_[i] >= 0) close(ends_[i]);
  ends_[i] = -1;
}

Child::~Child() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Status Child::start(const std::vector<std::string>& command) {
  if (command.empty()) return Error{Errc::bad_request, "There is no command to launch.", ""};
  program_ = command[0];
  if (!in_.ok() || !out_.ok() || !err_.ok())
    return system_error(errno, "pipe", "starting a launch");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in_.read_end(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out_.write_end(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err_.write_end(), STDERR_FILENO);
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  begin_ = system_clock().now();
  const int failed = posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    pid_ = 0;
    return system_error(failed, program_, "start");
  }
  in_.close_read();
  out_.close_write();
  err_.close_write();
  out_open_ = err_open_ = true;
  return {};
}

bool Child::pump() {
  std::array<pollfd, 2> waits{pollfd{out_open_ ? out_.read_end() : -1, POLLIN, 0},
                              pollfd{err_open_ ? err_.read_end() : -1, POLLIN, 0}};
  const std::array<std::string*, 2> texts{&out_text_, &err_text_};
  const std::array<bool*, 2> open{&out_open_, &err_open_};
  if (!out_open_ && !err_open_) return false;
  if (poll(waits.data(), waits.size(), -1) < 0) return errno == EINTR;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if (waits[i].fd < 0 || (waits[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    std::array<char, 65536> buffer;
    const auto got = read(waits[i].fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      *open[i] = false;
      continue;
    }
    texts[i]->append(buffer.data(), static_cast<std::size_t>(got));
    if (texts[i]->size() > kMostKept) texts[i]->erase(0, texts[i]->size() - kMostKept);
  }
  return true;
}

Status Child::send(const std::string& line) {
  if (write_quietly(in_.write_end(), line + "\n")) return {};
  const auto end = finish();
  if (!end.ok()) return end.error();
  return Error{Errc::task_failed, "The launch ended before it was told to.", program_};
}

Result<std::string> Child::read_line() {
  for (;;) {
    if (const auto at = out_text_.find('\n'); at != std::string::npos) {
      std::string line = out_text_.substr(0, at);
      out_text_.erase(0, at + 1);
      return line;
    }
    if (!out_open_ || !pump()) break;
  }
  const auto end = finish();
  if (!end.ok()) return end.error();
  return Error{Errc::task_failed, "The launch ended before it was told to.", program_};
}

Error Child::failed(int status) const {
  std::string_view words = trim(err_text_);
  if (words.size() > kWordsKept) words = words.substr(words.size() - kWordsKept);
  const std::string how = WIFEXITED(status)
                              ? fmt::format("ended with status {}", WEXITSTATUS(status))
                              : fmt::format("was ended by signal {}", WTERMSIG(status));
  return {Errc::task_failed,
          fmt::format("A launch {}{}{}", how, words.empty() ? "." : ": ", printable(words)),
          program_};
}

Result<Child::End> Child::finish() {
  in_.close_write();
  while (pump()) {
  }
  int status = 0;
  rusage usage{};
  while (wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  End end;
  end.spent = system_clock().now() - begin_;
  end.peak_memory = Bytes{usage.ru_maxrss * 1024};
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return failed(status);
  end.out = std::move(out_text_);
  return end;
}

}  // namespace neurolens::capture
