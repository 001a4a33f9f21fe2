#include "adapters/record/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

extern char**
    environ;  // NOLINT(readability-redundant-declaration): not declared by every C library

namespace neurolens::capture::record_detail {
namespace {

/// In the child: only async-signal-safe calls.
[[noreturn]] void run_program(int door, int answer, char* const* arguments, char** variables) {
  char byte = 0;
  // The observer writes one byte to let us in; when it died instead, there is nothing to do.
  if (read(door, &byte, 1) != 1) _exit(127);
  environ = variables;
  execvp(arguments[0], arguments);
  const int error = errno;
  static_cast<void>(!write(answer, &error, sizeof error));
  _exit(127);
}

}  // namespace

Child::~Child() {
  if (door_ >= 0) close(door_);
  if (answer_ >= 0) close(answer_);
  int status = 0;
  if (pid_ > 0 && !reaped_) {
    if (door_ >= 0) kill(pid_, SIGKILL);  // never let in
    waitpid(pid_, &status, 0);
  }
}

Status Child::prepare(const std::vector<std::string>& command,
                      const std::vector<std::pair<std::string, std::string>>& environment) {
  int door[2], answer[2];
  if (pipe2(door, O_CLOEXEC) != 0)
    return Error{Errc::io_error, "No more pipes: raise ulimit -n.", ""};
  if (pipe2(answer, O_CLOEXEC) != 0) {
    close(door[0]);
    close(door[1]);
    return Error{Errc::io_error, "No more pipes: raise ulimit -n.", ""};
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::vector<std::string> added;
  for (const auto& [name, value] : environment) added.push_back(name + "=" + value);
  std::vector<char*> variables;
  for (char** v = environ; *v != nullptr; ++v) {
    bool replaced = false;
    for (const auto& [name, value] : environment) {
      replaced = replaced ||
                 (std::strncmp(*v, name.c_str(), name.size()) == 0 && (*v)[name.size()] == '=');
    }
    if (!replaced) variables.push_back(*v);
  }
  for (std::string& text : added) variables.push_back(text.data());
  variables.push_back(nullptr);

  pid_ = fork();
  if (pid_ == 0) {
    close(door[1]);
    close(answer[0]);
    run_program(door[0], answer[1], arguments.data(), variables.data());
  }
  close(door[0]);
  close(answer[1]);
  door_ = door[1];
  answer_ = answer[0];
  if (pid_ < 0) return Error{Errc::io_error, "No new process can be started here.", ""};
  return {};
}

Status Child::release() {
  const char byte = 1;
  static_cast<void>(!write(door_, &byte, 1));
  close(door_);
  door_ = -1;
  int error = 0;
  const ssize_t got = read(answer_, &error, sizeof error);  // ends with the exec
  close(answer_);
  answer_ = -1;
  if (got != sizeof error) return {};
  if (error == ENOENT) return Error{Errc::not_found, "There is no such program.", ""};
  if (error == EACCES) return Error{Errc::permission_denied, "This program may not be run.", ""};
  return Error{Errc::io_error,
               std::string("This program cannot be run: ") + std::strerror(error) + ".", ""};
}

bool Child::ended(bool wait, int& status) {
  while (!reaped_) {
    rusage usage{};
    const pid_t got = wait4(pid_, &status_, wait ? 0 : WNOHANG, &usage);
    if (got == 0) return false;
    if (got < 0 && errno == EINTR) continue;
    reaped_ = true;
    peak_resident_kib_ = usage.ru_maxrss;
  }
  status = status_;
  return true;
}

}  // namespace neurolens::capture::record_detail
