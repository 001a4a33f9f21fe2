// Process mode: every engine worker has a forked worker process. Arguments and results travel
// through memory shared by the two, one task at a time; a socket carries the turns. The process has
// the graph by inheritance, so that functions need not be named or serialised.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "modes.hpp"
#include "neurolens/exec/codec.hpp"
#include "run_core.hpp"

namespace neurolens::exec::detail {
namespace {

constexpr std::int64_t kCancelPeriodNs = 20'000'000;

void write_error(const TaskError& error, std::string& out) {
  Codec<int>::write(static_cast<int>(error.error.code), out);
  Codec<std::string>::write(error.error.message, out);
  Codec<std::string>::write(error.type, out);
  Codec<std::uint32_t>::write(error.attempts, out);
}

TaskError read_error(std::string_view& in) {
  TaskError error;
  error.error.code =
      static_cast<Errc>(Codec<int>::read(in).value_or(static_cast<int>(Errc::internal)));
  error.error.message = Codec<std::string>::read(in).value_or("");
  error.type = Codec<std::string>::read(in).value_or("");
  error.attempts = Codec<std::uint32_t>::read(in).value_or(0);
  return error;
}

struct Child {
  pid_t pid = -1;
  int socket = -1;
  int pidfd = -1;
  char* shared = nullptr;
};

class Processes final : public Remote {
 public:
  Processes(RunCore& run, std::uint32_t workers, std::size_t bytes)
      : run_(run), bytes_(bytes), children_(workers) {}
  ~Processes() override {
    for (Child& child : children_) {
      end(child);  // idle by now
      if (child.shared != nullptr) munmap(child.shared, bytes_);
    }
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  Status start() {
    for (Child& child : children_) {
      void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) return refused("shared memory");
      child.shared = static_cast<char*>(memory);
      NEUROLENS_TRY(fork_child(child));
    }
    return {};
  }

  Outcome call(RunCore& run, TaskContext& context, std::int64_t deadline_ns) override {
    Child& child = children_[context.worker()];
    const std::uint32_t task = context.task().value;
    if (child.pid < 0) {  // an earlier attempt to replace it failed
      if (Status forked = fork_child(child); !forked.ok()) {
        return report_error(context, std::move(forked).error());
      }
    }
    std::string request;
    Codec<std::uint32_t>::write(task, request);
    Codec<std::uint32_t>::write(context.attempt(), request);
    Codec<std::int64_t>::write(deadline_ns, request);
    write_arguments(task, request);
    if (request.size() > bytes_) return too_big(context, request.size(), "arguments");
    std::memcpy(child.shared, request.data(), request.size());
    std::uint64_t length = request.size();
    if (send(child.socket, &length, sizeof length, MSG_NOSIGNAL) != sizeof length) {
      return crashed(child, context);
    }
    switch (wait_for(child, context, deadline_ns)) {
      case Wake::reply:
        break;
      case Wake::crash:
        return crashed(child, context);
      case Wake::deadline: {
        end(child);
        (void)fork_child(child);
        TaskError error;
        error.error.code = Errc::timed_out;
        error.error.message = "It ran past its deadline; its worker process was killed.";
        error.attempts = context.attempt();
        return run.record_error(task, std::move(error), Outcome::timed_out);
      }
      case Wake::cancel:
        end(child);
        (void)fork_child(child);
        return Outcome::cancelled;
    }
    if (recv(child.socket, &length, sizeof length, 0) != sizeof length)
      return crashed(child, context);
    if (length > bytes_) return too_big(context, length, "result");
    std::string_view reply(child.shared, length);
    const auto outcome = static_cast<Outcome>(Codec<std::uint8_t>::read(reply).value_or(1));
    if (Codec<bool>::read(reply).value_or(false))
      run.record_error(task, read_error(reply), outcome);
    if (outcome == Outcome::done && run.compiled().uniform == nullptr) {
      const NodeOps& ops = *run.compiled().ops[task];
      const void* const node = run.compiled().records[task].node;
      if (!ops.decode(node, run.slots(), reply)) {
        return report_error(context, {Errc::data_corrupt, "Its result cannot be read back.", {}});
      }
      ops.release(node, run.slots());
    }
    return outcome;
  }

 private:
  enum class Wake { reply, crash, deadline, cancel };

  static Error refused(std::string_view what) {
    return {Errc::unavailable,
            fmt::format(
                "The system refused {} for a worker process ({}). Ask for fewer workers or less "
                "shared memory.",
                what, std::strerror(errno)),
            {}};
  }

  Status fork_child(Child& child) {
    const std::lock_guard lock(fork_mutex_);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
      return refused("a socket");
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
      const Error error = refused("a fork");
      close(ends[0]);
      close(ends[1]);
      child.pid = -1;
      return error;
    }
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(0);
      close(ends[0]);
      for (const Child& other : children_) {
        if (other.pid >= 0) close(other.socket);
      }
      serve(ends[1], child.shared);
    }
    close(ends[1]);
    child.pid = pid;
    child.socket = ends[0];
    child.pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    return {};
  }

  // Ends a process; returns what waitpid said.
  int end(Child& child) {
    const std::lock_guard lock(fork_mutex_);  // a fork must not see half of this
    if (child.pid < 0) return 0;
    kill(child.pid, SIGKILL);
    close(child.socket);
    if (child.pidfd >= 0) close(child.pidfd);
    int status = 0;
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    child.pid = -1;
    return status;
  }

  void write_arguments(std::uint32_t task, std::string& request) const {
    const Compiled& compiled = run_.compiled();
    if (compiled.uniform != nullptr) return;
    std::vector<std::uint32_t> reads;
    compiled.ops[task]->reads(compiled.records[task].node, reads);
    for (const std::uint32_t t : reads) {
      const EndState state = run_.state(t);
      Codec<std::uint8_t>::write(static_cast<std::uint8_t>(state), request);
      std::string bytes;
      if (state == EndState::done) {
        compiled.ops[t]->encode(compiled.records[t].node, run_.slots(), bytes);
      } else if (const TaskError* error = run_.error(t)) {
        write_error(*error, bytes);
      }
      Codec<std::string>::write(bytes, request);
    }
  }

  Wake wait_for(const Child& child, const TaskContext& context, std::int64_t deadline_ns) const {
    for (;;) {
      pollfd watched[2] = {{child.socket, POLLIN, 0}, {child.pidfd, POLLIN, 0}};
      const std::int64_t now = monotonic_ns();
      std::int64_t until = now + kCancelPeriodNs;
      if (deadline_ns != 0) until = std::min(until, deadline_ns);
      const std::int64_t left = std::max<std::int64_t>(0, until - now);
      const timespec slice{left / 1'000'000'000, static_cast<long>(left % 1'000'000'000)};
      ppoll(watched, 2, &slice, nullptr);
      if ((watched[0].revents & POLLIN) != 0) return Wake::reply;
      if (watched[0].revents != 0 || watched[1].revents != 0) return Wake::crash;
      if (deadline_ns != 0 && monotonic_ns() >= deadline_ns) return Wake::deadline;
      if (run_.cancel_requested(context.task().value)) return Wake::cancel;
    }
  }

  Outcome crashed(Child& child, TaskContext& context) {
    const int status = end(child);
    TaskError error;
    error.error.code = Errc::crashed;
    error.attempts = context.attempt();
    if (WIFSIGNALED(status)) {
      error.signal = WTERMSIG(status);
      error.error.message = fmt::format("Its worker process was ended by signal {} ({}).",
                                        error.signal, strsignal(error.signal));
    } else {
      error.error.message =
          fmt::format("Its worker process exited with status {}.", WEXITSTATUS(status));
    }
    (void)fork_child(child);  // when this fails, the next call tries again and reports it
    return run_.record_error(context.task().value, std::move(error), Outcome::failed);
  }

  Outcome too_big(TaskContext& context, std::uint64_t size, std::string_view what) const {
    return report_error(
        context, {Errc::too_large,
                  fmt::format("Its {} take {} bytes, but the memory shared with a worker process "
                              "has {}; raise RunOptions::shared_bytes.",
                              what, size, bytes_),
                  {}});
  }

  // --- in the worker process ---

  [[noreturn]] void serve(int socket, char* shared) {
    run_.become_child();
    std::uint64_t length = 0;
    while (recv(socket, &length, sizeof length, 0) == sizeof length) {
      const std::string reply = serve_one(std::string_view(shared, length));
      std::uint64_t size = reply.size();
      if (size <= bytes_) std::memcpy(shared, reply.data(), size);
      if (send(socket, &size, sizeof size, MSG_NOSIGNAL) != sizeof size) break;
    }
    _exit(0);
  }

  std::string serve_one(std::string_view request) {
    const std::uint32_t task = Codec<std::uint32_t>::read(request).value_or(0);
    const std::uint32_t attempt = Codec<std::uint32_t>::read(request).value_or(1);
    const std::int64_t deadline = Codec<std::int64_t>::read(request).value_or(0);
    const Compiled& compiled = run_.compiled();
    std::vector<std::uint32_t> reads;
    if (compiled.uniform == nullptr) {
      compiled.ops[task]->reads(compiled.records[task].node, reads);
    }
    for (const std::uint32_t t : reads) {
      const auto state = static_cast<EndState>(Codec<std::uint8_t>::read(request).value_or(0));
      const std::string bytes = Codec<std::string>::read(request).value_or("");
      run_.pretend_ended(t, state);
      drop(t);
      if (state == EndState::done) {
        compiled.ops[t]->decode(compiled.records[t].node, run_.slots(), bytes);
      } else if (std::string_view in = bytes; !in.empty()) {
        run_.record_error(t, read_error(in), Outcome::failed);
      }
    }
    run_.forget_error(task);
    const Outcome outcome = run_.call_in_child(task, attempt, deadline);
    std::string reply;
    Codec<std::uint8_t>::write(static_cast<std::uint8_t>(outcome), reply);
    const TaskError* const error = run_.error(task);
    Codec<bool>::write(error != nullptr, reply);
    if (error != nullptr) write_error(*error, reply);
    if (outcome == Outcome::done && compiled.uniform == nullptr) {
      compiled.ops[task]->encode(compiled.records[task].node, run_.slots(), reply);
      drop(task);
    }
    for (const std::uint32_t t : reads) drop(t);
    return reply;
  }

  void drop(std::uint32_t task) const {
    const NodeOps& ops = *run_.compiled().ops[task];
    if (ops.destroy_result != nullptr) {
      ops.destroy_result(run_.compiled().records[task].node, run_.slots());
    }
  }

  RunCore& run_;
  std::size_t bytes_;
  std::vector<Child> children_;
  std::mutex fork_mutex_;
};

}  // namespace

Status check_processes(const Compiled& compiled) {
  for (std::uint32_t t = 0; t < compiled.ops.size(); ++t) {
    if (compiled.ops[t]->encode != nullptr) continue;
    return Error{
        Errc::wrong_type,
        fmt::format("Its result has the type {}, which has no Codec, so that it cannot leave a "
                    "worker process. Specialise neurolens::exec::Codec for it.",
                    compiled.ops[t]->type_name),
        compiled.name(t)};
  }
  return {};
}

Result<std::unique_ptr<Remote>> make_processes(RunCore& run, std::uint32_t workers) {
  auto processes = std::make_unique<Processes>(
      run, workers, static_cast<std::size_t>(run.options().shared_bytes.count));
  NEUROLENS_TRY(processes->start());
  return std::unique_ptr<Remote>(std::move(processes));
}

}  // namespace neurolens::exec::detail
