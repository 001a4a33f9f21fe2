#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "adapters/record/address_space.hpp"
#include "adapters/record/child.hpp"
#include "adapters/record/memory_file.hpp"
#include "adapters/record/perf_events.hpp"
#include "adapters/record/profile_builder.hpp"
#include "neurolens/capture/record.hpp"

namespace neurolens::capture {
namespace {

using namespace record_detail;

std::int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Follows what the kernel reports and turns samples into a profile.
class Follower {
 public:
  explicit Follower(bool dwarf) : dwarf_(dwarf) {}

  /// A process that ran before sampling began.
  void add_running(std::uint32_t pid, const std::vector<std::int64_t>& tasks) {
    const std::string folder = "/proc/" + std::to_string(pid);
    spaces_[pid].read_maps(read_text(folder + "/maps"), modules_);
    for (const std::int64_t task : tasks) {
      std::string name = read_text(folder + "/task/" + std::to_string(task) + "/comm");
      if (!name.empty() && name.back() == '\n') name.pop_back();
      builder_.name_thread(pid, static_cast<std::uint32_t>(task), name);
    }
  }

  PerfSink sink() {
    PerfSink s;
    s.sample = [this](PerfSample&& sample) { add(sample); };
    s.mapping = [this](PerfMapping&& m) {
      if (m.executable) spaces_[m.pid].map(m.start, m.length, m.offset, modules_.get(m.path));
    };
    s.name = [this](PerfName&& n) {
      if (n.exec) spaces_[n.pid].clear();
      builder_.name_thread(n.pid, n.tid, n.name);
    };
    s.fork = [this](PerfFork&& f) {
      if (f.pid != f.parent) spaces_[f.pid] = spaces_[f.parent];  // a new process, not a thread
    };
    return s;
  }

  /// Finding names reads whole debug files: it waits until nothing more must be read in time.
  SampledProfile take() {
    for (const Walked& w : walked_) builder_.add(w.sample, w.frames);
    walked_.clear();
    return std::move(builder_.profile());
  }

 private:
  struct Walked {
    PerfSample sample;  ///< Without registers and stack.
    std::vector<Place> frames;
  };

  void add(PerfSample& sample) {
    const AddressSpace& space = spaces_[sample.pid];
    Unwound unwound;
    if (dwarf_ && sample.has_registers) {
      unwound = unwind(sample, space);
    } else {
      bool first = true;
      for (const std::uint64_t ip : sample.user_chain) {
        unwound.frames.push_back(space.find(first ? ip : ip - 1));
        first = false;
      }
      unwound.complete = true;
    }
    if (!unwound.complete && !unwound.frames.empty()) ++builder_.profile().truncated;
    sample.stack = {};
    sample.user_chain = {};
    walked_.push_back({std::move(sample), std::move(unwound.frames)});
  }

  bool dwarf_;
  ModuleTable modules_;
  std::unordered_map<std::uint32_t, AddressSpace> spaces_;
  ProfileBuilder builder_;
  std::vector<Walked> walked_;
};

/// SIGINT and SIGQUIT go to the whole terminal: the program decides, we wait for it.
class IgnoreInterrupts {
 public:
  IgnoreInterrupts() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGINT, &ignore, &interrupt_);
    sigaction(SIGQUIT, &ignore, &quit_);
  }
  ~IgnoreInterrupts() {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGQUIT, &quit_, nullptr);
  }
  IgnoreInterrupts(const IgnoreInterrupts&) = delete;
  IgnoreInterrupts& operator=(const IgnoreInterrupts&) = delete;

 private:
  struct sigaction interrupt_ {
  }, quit_{};
};

std::vector<std::int64_t> tasks_of(std::int64_t pid) {
  std::vector<std::int64_t> tasks;
  DIR* folder = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (folder == nullptr) return tasks;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') tasks.push_back(std::atoll(entry->d_name));
  }
  closedir(folder);
  std::sort(tasks.begin(), tasks.end());
  return tasks;
}

Status check(const RecordOptions& o) {
  if (o.command.empty() == !o.pid.has_value()) {
    return Error{Errc::bad_request, "Recording takes either a command or a process id.", ""};
  }
  if (!(o.rate_hz >= 1 && o.rate_hz <= 20'000)) {
    return Error{Errc::out_of_range, "The rate lies between 1 and 20000 samples per second.", ""};
  }
  if (o.stack_bytes < 1024 || o.stack_bytes > 65'000) {
    return Error{Errc::out_of_range, "The copied stack lies between 1024 and 65000 bytes.", ""};
  }
  if (o.memory && o.pid) {
    return Error{Errc::bad_request,
                 "Memory can be tracked from a program's start only: give its command.", ""};
  }
  return {};
}

PerfOptions perf_options(const RecordOptions& o) {
  PerfOptions p;
  p.rate_hz = o.rate_hz;
  p.hardware = o.hardware;
  p.stacks = o.unwind == Unwind::dwarf;
  p.stack_bytes = o.stack_bytes;
  p.enable_on_exec = !o.command.empty();
  return p;
}

/// How long to sleep before the buffers are read: what they allow, not beyond the duration.
int beat_ms(const PerfEvents& events, const RecordOptions& o, std::int64_t begin_ns) {
  const int beat = events.longest_wait_ms();
  if (o.duration.count == 0) return beat;
  const std::int64_t left_ms = (o.duration.count - (now_ns() - begin_ns)) / 1'000'000;
  return static_cast<int>(std::clamp<std::int64_t>(left_ms, 1, beat));
}

SampledProfile finish(Follower& follower, const PerfEvents& events, const RecordOptions& o,
                      std::int64_t begin_ns, std::int64_t end_ns) {
  SampledProfile profile = follower.take();
  profile.clock = events.hardware() ? "cycles" : "cpu-clock";
  profile.rate_hz = o.rate_hz;
  profile.duration = Nanoseconds{end_ns - begin_ns};
  profile.lost = events.lost();
  profile.kernel_visible = events.kernel_visible();
  double cpu_ns = static_cast<double>(profile.samples.size()) * 1e9 / o.rate_hz;
  if (!events.hardware()) {  // the software clock's weights are nanoseconds
    cpu_ns = 0;
    for (const Sample& s : profile.samples) cpu_ns += static_cast<double>(s.weight);
  }
  profile.cpu_time = Nanoseconds{static_cast<std::int64_t>(cpu_ns)};
  return profile;
}

void note_end(Recording& recording, int status) {
  if (WIFEXITED(status)) recording.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) recording.exit_signal = WTERMSIG(status);
}

Result<Recording> record_command(const RecordOptions& o) {
  Recording recording;
  MemoryFiles memory;
  std::vector<std::pair<std::string, std::string>> environment;
  if (o.memory) {
    NEUROLENS_TRY(memory.prepare(o.memory_library));
    environment = memory.environment();
  }
  Child child;
  NEUROLENS_TRY(child.prepare(o.command, environment));
  const IgnoreInterrupts ignore;  // from here on: the program keeps what we had
  PerfEvents events;
  NEUROLENS_TRY(events.open({child.pid()}, perf_options(o)));
  Follower follower(o.unwind == Unwind::dwarf);
  follower.add_running(static_cast<std::uint32_t>(child.pid()), {child.pid()});
  const std::int64_t begin = now_ns();
  if (Status released = child.release(); !released.ok())
    return std::move(released).error().at(o.command[0]);
  const PerfSink sink = follower.sink();
  const int ended_fd = static_cast<int>(syscall(SYS_pidfd_open, child.pid(), 0));
  int status = 0;
  bool ended = false, asked = false;
  while (!ended && (o.duration.count == 0 || now_ns() - begin < o.duration.count)) {
    events.wait(beat_ms(events, o, begin), ended_fd);
    events.drain(sink, false);
    ended = child.ended(false, status);
    if (o.attention.cancelled() && !ended && !std::exchange(asked, true))
      kill(child.pid(), SIGTERM);
  }
  const std::int64_t end = now_ns();
  events.disable();
  events.drain(sink, true);
  recording.profile = finish(follower, events, o, begin, end);
  while (!child.ended(false, status)) {  // the duration is over, the program is not
    if (o.attention.cancelled() && !std::exchange(asked, true)) kill(child.pid(), SIGTERM);
    events.wait(events.longest_wait_ms(), ended_fd);
  }
  if (ended_fd >= 0) close(ended_fd);
  note_end(recording, status);
  recording.peak_resident = Bytes{std::int64_t{child.peak_resident_kib()} * 1024};
  if (o.memory) {
    NEUROLENS_ASSIGN(recording.memory, memory.read());
  }
  return recording;
}

Result<Recording> record_process(const RecordOptions& o) {
  Recording recording;
  const std::vector<std::int64_t> tasks = tasks_of(*o.pid);
  if (tasks.empty()) {
    return Error{Errc::not_found, "There is no process " + std::to_string(*o.pid) + ".", ""};
  }
  PerfEvents events;
  NEUROLENS_TRY(events.open(tasks, perf_options(o)));
  Follower follower(o.unwind == Unwind::dwarf);
  follower.add_running(static_cast<std::uint32_t>(*o.pid), tasks);
  const std::int64_t begin = now_ns();
  const PerfSink sink = follower.sink();
  const int ended_fd = static_cast<int>(syscall(SYS_pidfd_open, *o.pid, 0));
  const auto alive = [&] { return kill(static_cast<pid_t>(*o.pid), 0) == 0 || errno == EPERM; };
  while (alive() && !o.attention.cancelled() &&
         (o.duration.count == 0 || now_ns() - begin < o.duration.count)) {
    events.wait(beat_ms(events, o, begin), o.duration.count != 0 ? -1 : ended_fd);
    events.drain(sink, false);
    if (read_text("/proc/" + std::to_string(*o.pid) + "/stat").find(") Z ") != std::string::npos)
      break;
  }
  if (ended_fd >= 0) close(ended_fd);
  const std::int64_t end = now_ns();
  events.disable();
  events.drain(sink, true);
  recording.profile = finish(follower, events, o, begin, end);
  return recording;
}

}  // namespace

std::optional<std::string> record_obstacle() {
  PerfEvents events;
  PerfOptions options;
  options.enable_on_exec = true;  // opened, never enabled
  const Status opened = events.open({static_cast<std::int64_t>(getpid())}, options);
  if (opened.ok()) return std::nullopt;
  return opened.error().message;
}

Result<Recording> record(const RecordOptions& options) {
  NEUROLENS_TRY(check(options));
  return options.pid ? record_process(options) : record_command(options);
}

}  // namespace neurolens::capture
