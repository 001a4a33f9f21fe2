// `neurolens agent`: one request in, one reply out.
#include "neurolens/agent/agent.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "agent_tasks.hpp"
#include "builtin.hpp"
#include "neurolens/agent/mcp.hpp"
#include "neurolens/base/text.hpp"
#include "version.hpp"

namespace neurolens::cli {
namespace {

/// All of a descriptor, up to the largest request and a byte.
Result<std::string> read_all(int fd) {
  std::string text;
  char piece[65536];
  while (text.size() <= agent::kLargestRequest) {
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "standard input", "read");
    if (got == 0) break;
    text.append(piece, static_cast<std::size_t>(got));
  }
  return text;
}

/// While this lives, programs that tasks start read nothing and write to stderr: stdout is for the
/// reply alone.
class StreamsAside {
 public:
  StreamsAside() {
    std::fflush(stdout);
    stdin_ = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    stdout_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0) dup2(nothing, STDOUT_FILENO);
    close(nothing);
  }
  ~StreamsAside() {
    std::fflush(stdout);
    restore(stdin_, STDIN_FILENO);
    restore(stdout_, STDOUT_FILENO);
  }
  StreamsAside(const StreamsAside&) = delete;
  StreamsAside& operator=(const StreamsAside&) = delete;
  [[nodiscard]] int input() const { return stdin_; }
  [[nodiscard]] int output() const { return stdout_; }

 private:
  static void restore(int saved, int stream) {
    if (saved < 0) {  // it was closed before
      close(stream);
      return;
    }
    dup2(saved, stream);
    close(saved);
  }
  int stdin_ = -1, stdout_ = -1;
};

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return system_error(errno, "standard output", "write");
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

/// Messages of the Model Context Protocol, one a line, until stdin ends.
Status serve(std::span<const agent::TaskEntry> tasks) {
  const StreamsAside aside;
  std::string held;
  char piece[65536];
  for (;;) {
    const ssize_t got = ::read(aside.input(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "standard input", "read");
    if (got == 0) return {};
    held.append(piece, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = held.find('\n'); end != std::string::npos;
         end = held.find('\n', begin)) {
      const std::string_view line = trim(std::string_view(held).substr(begin, end - begin));
      begin = end + 1;
      if (line.empty()) continue;
      if (const auto reply = agent::mcp_answer(line, tasks, kVersion))
        NEUROLENS_TRY(write_all(aside.output(), *reply + "\n"));
    }
    held.erase(0, begin);
    if (held.size() > agent::kLargestRequest)
      return Error{Errc::too_large, "A message has at most 16 MiB.", "standard input"};
  }
}

class Agent final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "agent"; }
  [[nodiscard]] std::string summary() const override {
    return "any of these as a structured request and reply, JSON in and out";
  }

  void declare(Options& options) override {
    options.value("--request", "FILE", request_, "Read the request here (default: from stdin)");
    options.flag("--schema", schema_, "Show the JSON Schema of requests instead: tasks and fields");
    options.flag("--mcp", mcp_,
                 "Serve the Model Context Protocol on stdin and stdout until stdin ends");
    options.flag("--json", json_, "Changes nothing: the reply is JSON in any case");
    options.example(
        R"(neurolens agent <<< '{"task": "profile_function", "command": ["ls", "-lR", "/usr/lib"]}')");
  }

  Result<int> run(Context& context) override {
    const auto tasks = agent_tasks(context);
    if (schema_) {
      context.terminal.out(agent::request_schema(tasks));
      return kDone;
    }
    if (mcp_) {
      NEUROLENS_TRY(serve(tasks));
      return kDone;
    }
    auto request = request_ ? context.files.read(*request_, Bytes{agent::kLargestRequest})
                            : read_all(STDIN_FILENO);
    agent::Reply reply;
    if (request.ok()) {
      const StreamsAside aside;
      reply = agent::answer(*request, tasks);
    } else {
      reply = agent::refusal(request.error());
    }
    context.terminal.out(agent::to_json(reply));
    return agent::exit_status_of(reply);
  }

 private:
  std::optional<std::string> request_;
  bool schema_ = false, mcp_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_agent() {
  return std::make_unique<Agent>();
}

}  // namespace neurolens::cli
