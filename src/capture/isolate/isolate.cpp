#include "isolate/isolate.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "isolate/channel.hpp"
#include "measure/work_folder.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/run/run.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEUROLENS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEUROLENS_SANITIZED 1
#endif
#endif

namespace neurolens::capture {
namespace {

constexpr int kPollMs = 50;
constexpr std::int64_t kGraceNs =
    15'000'000'000;  // to hand over what was measured after a cancellation
[[maybe_unused]] constexpr std::int64_t kHeadroomBytes = std::int64_t{2} << 30;
constexpr std::size_t kWordsKept = 400;

CancelToken g_child_cancel;  // set by the signal handler of the child, which has no other way in
void on_terminate(int /*signal*/) {
  g_child_cancel.cancel();
}

// --- the child ---------------------------------------------------------------------------------

class PipeProgress final : public Progress {
 public:
  explicit PipeProgress(int pipe) : pipe_(pipe) {}
  void update(std::string_view phase, std::optional<double> fraction) override {
    send_message(pipe_, MessageKind::progress, encode_progress(phase, fraction));
  }

 private:
  int pipe_;
};

void limit_memory([[maybe_unused]] const CaptureRequest& request) {
#ifndef NEUROLENS_SANITIZED  // sanitizers reserve terabytes of addresses
  struct sysinfo info {};
  std::int64_t bytes = 0;
  if (request.memory_limit) {
    bytes = request.memory_limit->count;
  } else if (sysinfo(&info) == 0) {
    bytes = static_cast<std::int64_t>((info.totalram + info.totalswap) * info.mem_unit) +
            kHeadroomBytes;
  }
  if (bytes > 0) {
    const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
    setrlimit(RLIMIT_AS, &limit);
  }
#endif
}

void settle_child(const CaptureRequest& request, const std::string& folder, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above
  // Ctrl-C reaches the whole process group; the parent decides and says so by SIGTERM.
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  for (const int fatal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) signal(fatal, SIG_DFL);
  struct sigaction action {};
  action.sa_handler = on_terminate;
  sigaction(SIGTERM, &action, nullptr);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  limit_memory(request);
  const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) {
    [[maybe_unused]] const auto written = write(score, "1000", 4);
    close(score);
  }
  const int nothing = open("/dev/null", O_RDWR);
  const int words = open((folder + "/stderr").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDOUT_FILENO);
  dup2(words >= 0 ? words : nothing, STDERR_FILENO);
}

[[noreturn]] void run_child(CaptureRequest request, const std::string& folder, int pipe,
                            pid_t parent,
                            const std::function<Result<run::Run>(const CaptureRequest&)>& work) {
  settle_child(request, folder, parent);
  PipeProgress progress(pipe);
  request.attention = {&progress, &g_child_cancel};
  request.work_folder = folder;
  request.isolated = false;
  bool sent = false;
  try {
    auto result = work(request);
    sent = result.ok() ? send_message(pipe, MessageKind::run, run::to_json(result.value()))
                       : send_message(pipe, MessageKind::error, encode_error(result.error()));
  } catch (const std::bad_alloc&) {
    sent = send_message(
        pipe, MessageKind::error,
        encode_error({Errc::out_of_memory, "Memory ran out while the model was measured.", {}}));
  } catch (const std::exception& problem) {
    sent =
        send_message(pipe, MessageKind::error, encode_error({Errc::internal, problem.what(), {}}));
  }
  _exit(sent ? 0 : 1);
}

// --- the parent --------------------------------------------------------------------------------

/// Waits for the child; kills it when it goes out of scope unfinished.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      wait();
    }
  }
  void ask_to_stop() const { kill(pid_, SIGTERM); }
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

class Supervisor {
 public:
  Supervisor(const CaptureRequest& request, const std::string& folder, int pipe, pid_t pid)
      : request_(request), folder_(folder), pipe_(pipe), child_(pid), alive_(clock_.now().count) {}

  Result<run::Run> supervise() {
    std::string buffer(std::size_t{1} << 16, '\0');
    while (true) {
      pollfd wait{pipe_, POLLIN, 0};
      const int ready = poll(&wait, 1, kPollMs);
      if (ready > 0) {
        const auto got = read(pipe_, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return ended();
        take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
      }
      if (auto problem = check(); !problem.ok()) return problem.error();
    }
  }

 private:
  void take(std::string_view bytes) {
    alive_ = clock_.now().count;
    sane_ = sane_ && reader_.feed(bytes, [&](MessageKind kind, std::string_view payload) {
      if (kind == MessageKind::run) run_ = std::string(payload);
      if (kind == MessageKind::error) error_ = decode_error(payload);
      if (kind == MessageKind::progress) {
        std::string phase;
        std::optional<double> fraction;
        decode_progress(payload, phase, fraction);
        request_.attention.report(phase, fraction);
      }
    });
  }

  /// Cancellation and deadlines.
  Status check() {
    const auto now = clock_.now().count;
    if (request_.attention.cancelled()) {
      if (asked_ == 0) {
        asked_ = now;
        child_.ask_to_stop();
      } else if (now - asked_ > kGraceNs) {
        return Error{Errc::cancelled,
                     "Stopped; the backend did not hand over what it had measured in time.",
                     request_.model_path};
      }
    }
    if (now - alive_ <= request_.stall_limit.count) return {};
    return Error{Errc::timed_out,
                 fmt::format("The backend gave no sign of life for {} s and was ended. A longer "
                             "limit is set by --stall-limit.",
                             request_.stall_limit.count / 1'000'000'000),
                 request_.model_path};
  }

  /// The pipe is closed: the child is gone or about to be.
  Result<run::Run> ended() {
    const int status = child_.wait();
    if (run_) return run::read(*run_);
    if (error_) return *error_;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      return Error{Errc::out_of_memory,
                   "The process of the backend was killed, most likely because memory ran out.",
                   request_.model_path};
    }
    std::string how = WIFSIGNALED(status)
                          ? fmt::format("crashed with signal {} ({})", WTERMSIG(status),
                                        strsignal(WTERMSIG(status)))
                          : fmt::format("ended with status {}", WEXITSTATUS(status));
    const std::string words = last_words();
    if (words.find("bad_alloc") != std::string::npos) {
      return Error{Errc::out_of_memory, "Memory ran out in the backend.", request_.model_path};
    }
    return Error{
        Errc::crashed,
        fmt::format("The backend {} on this model{}{}.", how, words.empty() ? "" : ": ", words),
        request_.model_path};
  }

  [[nodiscard]] std::string last_words() const {
    const auto text = system_files().read(folder_ + "/stderr", Bytes{1 << 20});
    if (!text.ok()) return {};
    std::string_view tail = trim(text.value());
    if (tail.size() > kWordsKept) tail = tail.substr(tail.size() - kWordsKept);
    return printable(tail);
  }

  const CaptureRequest& request_;
  const std::string& folder_;
  int pipe_;
  Child child_;
  Clock& clock_ = system_clock();
  MessageReader reader_;
  bool sane_ = true;
  std::int64_t alive_;
  std::int64_t asked_ = 0;
  std::optional<std::string> run_;
  std::optional<Error> error_;
};

}  // namespace

Result<run::Run> run_isolated(const CaptureRequest& request,
                              const std::function<Result<run::Run>(const CaptureRequest&)>& work) {
  NEUROLENS_ASSIGN(const WorkFolder folder, WorkFolder::make(request.work_folder));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return system_error(errno, "pipe", "starting the process of the backend");
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    const int reason = errno;
    close(ends[0]);
    close(ends[1]);
    return system_error(reason, "fork", "starting the process of the backend");
  }
  if (pid == 0) {
    close(ends[0]);
    run_child(request, folder.path(), ends[1], parent, work);
  }
  close(ends[1]);
  auto result = Supervisor(request, folder.path(), ends[0], pid).supervise();
  close(ends[0]);
  return result;
}

}  // namespace neurolens::capture
