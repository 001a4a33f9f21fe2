#include "command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"

extern char** environ;

namespace neurolens::exec::detail {
namespace {

constexpr std::int64_t kGraceNs = 2'000'000'000;
constexpr int kPollMilliseconds = 20;
constexpr int kCannotStart = 127;

std::vector<std::string> environment_of(const CommandRequest& request) {
  std::vector<std::string> all;
  for (char** e = environ; *e != nullptr; ++e) {
    const std::string_view text = *e;
    if (!request.environment.contains(std::string(text.substr(0, text.find('=')))))
      all.emplace_back(text);
  }
  for (const auto& [name, value] : request.environment) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& t : texts) out.push_back(t.data());
  out.push_back(nullptr);
  return out;
}

// Where exec would find the program; as is when nothing is found, so that exec says why.
std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* const path = std::getenv("PATH");
  for (const std::string_view folder : split(path != nullptr ? path : "/bin:/usr/bin", ':')) {
    const std::string full = std::string(folder.empty() ? "." : folder) + "/" + program;
    if (access(full.c_str(), X_OK) == 0) return full;
  }
  return program;
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
      read_end = ends[0];
      write_end = ends[1];
    }
  }
  ~Pipe() {
    close_end(read_end);
    close_end(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  static void close_end(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

// After fork, until exec: system calls only.
[[noreturn]] void become(const char* program, char* const* argv, char* const* envp,
                         const char* directory, int out, int err, int trouble, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotStart);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  signal(SIGPIPE, SIG_DFL);
  if (directory[0] == '\0' || chdir(directory) == 0) execve(program, argv, envp);
  const int why = errno;
  [[maybe_unused]] const auto n = write(trouble, &why, sizeof why);
  _exit(kCannotStart);
}

// Copies what is there to read; false at the end of the stream.
bool drain(int from, std::initializer_list<int> to) {
  char buffer[65536];
  for (;;) {
    const ssize_t got = read(from, buffer, sizeof buffer);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    for (const int fd : to) {
      for (ssize_t at = 0; at < got;) {
        const ssize_t wrote = write(fd, buffer + at, static_cast<std::size_t>(got - at));
        if (wrote <= 0)
          break;  // a full disk loses log text; the step's own writes will fail by themselves
        at += wrote;
      }
    }
  }
}

}  // namespace

Status run_command(const CommandRequest& request, const TaskContext& context) {
  std::vector<std::string> arguments = request.arguments;
  std::vector<std::string> environment = environment_of(request);
  const std::string program = find_program(arguments[0]);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const int log = open(request.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (log < 0) return system_error(errno, request.log, "write");
  const int value = open(request.out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (value < 0) {
    const int why = errno;
    close(log);
    return system_error(why, request.out, "write");
  }
  Pipe out;
  Pipe trouble;
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    become(program.c_str(), argv.data(), envp.data(), request.directory.c_str(), out.write_end, log,
           trouble.write_end, parent);
  }
  if (pid < 0) {
    const int why = errno;
    close(log);
    close(value);
    return Error{Errc::unavailable,
                 fmt::format("The system refused a process ({}).", std::strerror(why)),
                 {}};
  }
  setpgid(pid, pid);
  Pipe::close_end(out.write_end);
  Pipe::close_end(trouble.write_end);
  fcntl(out.read_end, F_SETFL, O_NONBLOCK);

  bool open_stream = true;
  bool asked = false;
  std::int64_t kill_at = 0;
  int status = 0;
  for (;;) {
    pollfd watched{open_stream ? out.read_end : -1, POLLIN, 0};
    poll(&watched, 1, kPollMilliseconds);
    if (open_stream) open_stream = drain(out.read_end, {log, value});
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid || (ended < 0 && errno == ECHILD)) break;
    if (!asked && context.cancelled()) {
      asked = true;
      kill_at = system_clock().now().count + kGraceNs;
      kill(-pid, SIGTERM);
    } else if (asked && system_clock().now().count >= kill_at) {
      kill(-pid, SIGKILL);
    }
  }
  if (open_stream) drain(out.read_end, {log, value});
  close(log);
  close(value);
  if (asked) {
    kill(-pid, SIGKILL);  // what the program left behind
    return Error{Errc::cancelled, "It was asked to stop.", {}};
  }
  int why = 0;
  if (read(trouble.read_end, &why, sizeof why) == sizeof why) {
    return Error{
        Errc::not_found,
        fmt::format("\"{}\" cannot be started ({}).", request.arguments[0], std::strerror(why)),
        {}};
  }
  if (WIFSIGNALED(status)) {
    return Error{Errc::crashed,
                 fmt::format("It was ended by signal {} ({}).", WTERMSIG(status),
                             strsignal(WTERMSIG(status))),
                 {}};
  }
  if (WEXITSTATUS(status) != 0) {
    return Error{
        Errc::task_failed, fmt::format("It exited with status {}.", WEXITSTATUS(status)), {}};
  }
  return {};
}

}  // namespace neurolens::exec::detail
