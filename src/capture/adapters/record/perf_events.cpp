#include "adapters/record/perf_events.hpp"

#include <linux/perf_event.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

namespace neurolens::capture::record_detail {
namespace {

#if defined(__x86_64__)
// Which registers, in the kernel's order, and their DWARF numbers.
constexpr std::uint64_t kRegisterMask = 0x1FF | (std::uint64_t{0xFF} << 16);
constexpr int kDwarfNumbers[] = {0, 3, 2, 1, 4, 5, 6, 7, 16, 8, 9, 10, 11, 12, 13, 14, 15};
#else
constexpr std::uint64_t kRegisterMask = 0;
constexpr int kDwarfNumbers[] = {0};
#endif

int perf_event_open(perf_event_attr& attr, pid_t pid, int cpu) {
  return static_cast<int>(syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

std::vector<int> online_cpus() {
  // "0-3,8": ranges
  std::ifstream in("/sys/devices/system/cpu/online");
  std::vector<int> cpus;
  int first = 0;
  while (in >> first) {
    int last = first;
    if (in.peek() == '-') {
      in.get();
      in >> last;
    }
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (in.peek() == ',') in.get();
  }
  if (cpus.empty()) {
    for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

std::string paranoid_level() {
  std::ifstream in("/proc/sys/kernel/perf_event_paranoid");
  std::string level;
  return in >> level ? level : "unknown";
}

Error refusal(int error, std::int64_t task) {
  switch (error) {
    case EACCES:
    case EPERM:
      return {Errc::unavailable,
              "The kernel forbids sampling (kernel.perf_event_paranoid is " + paranoid_level() +
                  "); set it to 2 or lower with sysctl, run as the owner of the process, or give "
                  "this program "
                  "CAP_PERFMON.",
              ""};
    case ESRCH:
      return {Errc::not_found, "There is no process or thread " + std::to_string(task) + ".", ""};
    case EMFILE:
      return {Errc::unavailable,
              "Too many files are open for one event per thread and processor; raise ulimit -n.",
              ""};
    case ENOSYS:
    case ENOENT:
    case EOPNOTSUPP:
      return {Errc::unavailable,
              "This kernel or container has no performance events; allow perf_event_open in its "
              "system call filter.",
              ""};
    default:
      return {Errc::unavailable,
              std::string("Sampling cannot be started: ") + std::strerror(error) + ".", ""};
  }
}

perf_event_attr make_attr(const PerfOptions& options, bool hardware, bool kernel) {
  perf_event_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = hardware ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE;
  attr.config =
      hardware ? std::uint64_t{PERF_COUNT_HW_CPU_CYCLES} : std::uint64_t{PERF_COUNT_SW_CPU_CLOCK};
  attr.freq = 1;
  attr.sample_freq = static_cast<std::uint64_t>(std::max(1.0, options.rate_hz));
  attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU |
                     PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN;
  if (options.stacks && kRegisterMask != 0) {
    attr.sample_type |= PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
    attr.sample_regs_user = kRegisterMask;
    attr.sample_stack_user = options.stack_bytes / 8 * 8;
    attr.exclude_callchain_user = 1;  // the copied stack tells more
  }
  attr.disabled = 1;
  attr.enable_on_exec = options.enable_on_exec ? 1 : 0;
  attr.inherit = 1;
  attr.exclude_kernel = kernel ? 0 : 1;
  attr.exclude_hv = 1;
  attr.exclude_guest = 1;
  attr.mmap = attr.mmap2 = 1;
  attr.comm = attr.comm_exec = 1;
  attr.task = 1;
  attr.sample_id_all = 1;
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  attr.watermark = 1;
  attr.wakeup_watermark = std::uint32_t{1} << 30;  // never: see wait()
  return attr;
}

/// Reads fields of a record in order; out of bounds gives zeros.
class Fields {
 public:
  Fields(const unsigned char* p, std::size_t bytes) : p_(p), end_(p + bytes) {}
  std::uint64_t u64() { return take<std::uint64_t>(); }
  std::uint32_t u32() { return take<std::uint32_t>(); }
  void skip(std::size_t bytes) { p_ += std::min(bytes, left()); }
  [[nodiscard]] const unsigned char* at() const { return p_; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - p_); }
  std::string text() {
    const auto* zero = static_cast<const unsigned char*>(std::memchr(p_, 0, left()));
    const unsigned char* stop = zero != nullptr ? zero : end_;
    return {reinterpret_cast<const char*>(p_), static_cast<std::size_t>(stop - p_)};
  }

 private:
  template <class T>
  T take() {
    T value{};
    if (left() < sizeof value) {
      p_ = end_;
      return value;
    }
    std::memcpy(&value, p_, sizeof value);
    p_ += sizeof value;
    return value;
  }
  const unsigned char* p_;
  const unsigned char* end_;
};

constexpr double kLongestWaitMs = 100;
constexpr std::size_t kIdTrailer = 24;  // TID, TIME, CPU at the end of every record but samples

struct Ring {
  int fd = -1;
  int cpu = 0;
  unsigned char* base = nullptr;
  std::size_t bytes = 0;
};

/// A record out of the buffer. Samples are taken apart at once: most of their bytes are room for a
/// stack that the kernel did not fill.
struct Held {
  std::uint64_t time = 0;
  std::uint32_t type = 0;
  std::uint16_t misc = 0;
  std::vector<unsigned char> body;  ///< Of all but samples.
  PerfSample sample;
};

}  // namespace

struct PerfEvents::State {
  PerfOptions options;
  std::vector<int> events;
  std::vector<Ring> rings;
  std::vector<Held> held;
  std::vector<unsigned char> joined;  ///< A record that wraps round the buffer's end.
  std::uint64_t certain_until = 0;    ///< Newest time of the round before.
  std::uint64_t lost = 0;
  bool hardware = false, kernel = false;
  std::uint64_t page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));

  bool map_ring(Ring& ring, std::size_t pages) const {
    void* p = mmap(nullptr, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
    if (p == MAP_FAILED) return false;
    ring.base = static_cast<unsigned char*>(p);
    ring.bytes = pages * page;
    return true;
  }

  void close_all() {
    for (const Ring& ring : rings) munmap(ring.base, ring.bytes + page);
    for (const int fd : events) close(fd);
    rings.clear();
    events.clear();
  }

  /// Events of all tasks on all processors, one buffer of `pages` per processor. Nothing when the
  /// kernel gives no such buffers.
  std::optional<Status> open_on(const std::vector<int>& cpus,
                                const std::vector<std::int64_t>& tasks, perf_event_attr& attr,
                                std::size_t pages) {
    for (const int cpu : cpus) {
      Ring ring;
      ring.cpu = cpu;
      for (const std::int64_t task : tasks) {
        const int fd = perf_event_open(attr, static_cast<pid_t>(task), cpu);
        if (fd < 0) {
          if (errno == ESRCH || errno == ENODEV)
            continue;  // a thread that just ended, a CPU just taken away
          return refusal(errno, task);
        }
        events.push_back(fd);
        if (ring.fd < 0) {
          ring.fd = fd;
          if (!map_ring(ring, pages)) return std::nullopt;
          rings.push_back(ring);
        } else if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring.fd) != 0) {
          return refusal(errno, task);
        }
      }
    }
    return events.empty() ? Status(refusal(ESRCH, tasks[0])) : Status();
  }

  /// As large buffers as locked memory allows, all of one size.
  Status open_all(const std::vector<int>& cpus, const std::vector<std::int64_t>& tasks,
                  perf_event_attr& attr) {
    constexpr std::size_t kMostPages = 4096;  // near 64 MiB, all together
    std::size_t pages = kMostPages;
    while (pages > 256 && pages * cpus.size() > 4 * kMostPages) pages /= 2;
    for (; pages >= 16; pages /= 2) {
      if (auto opened = open_on(cpus, tasks, attr, pages)) return *std::move(opened);
      close_all();
    }
    return Error{Errc::unavailable,
                 "The kernel gives no memory for event buffers; raise kernel.perf_event_mlock_kb.",
                 ""};
  }

  void read_ring(Ring& ring) {
    auto* meta = reinterpret_cast<perf_event_mmap_page*>(ring.base);
    const std::uint64_t head = std::atomic_ref(meta->data_head).load(std::memory_order_acquire);
    std::uint64_t tail = meta->data_tail;
    const unsigned char* data = ring.base + page;
    const auto copy = [&](std::uint64_t from, void* out, std::size_t bytes) {
      const std::size_t at = from % ring.bytes;
      const std::size_t first = std::min(bytes, ring.bytes - at);
      std::memcpy(out, data + at, first);
      std::memcpy(static_cast<unsigned char*>(out) + first, data, bytes - first);
    };
    while (head - tail >= sizeof(perf_event_header)) {
      perf_event_header header;
      copy(tail, &header, sizeof header);
      if (header.size < sizeof header || header.size > head - tail) break;
      const std::size_t at = (tail + sizeof header) % ring.bytes;
      const std::size_t bytes = header.size - sizeof header;
      const unsigned char* body = data + at;
      if (at + bytes > ring.bytes) {
        joined.resize(bytes);
        copy(tail + sizeof header, joined.data(), bytes);
        body = joined.data();
      }
      hold(header, body, bytes);
      tail += header.size;
    }
    std::atomic_ref(meta->data_tail).store(tail, std::memory_order_release);
  }

  void hold(const perf_event_header& header, const unsigned char* body, std::size_t bytes) {
    Held& h = held.emplace_back();
    h.type = header.type;
    h.misc = header.misc;
    if (h.type == PERF_RECORD_SAMPLE) {
      Fields f(body, bytes);
      h.sample = parse_sample(f);
      h.time = h.sample.time;
      return;
    }
    h.body.assign(body, body + bytes);
    if (bytes >= kIdTrailer) std::memcpy(&h.time, body + bytes - 16, 8);
  }

  void hand_on(Held& raw, const PerfSink& sink) {
    Fields f(raw.body.data(), raw.body.size());
    switch (raw.type) {
      case PERF_RECORD_SAMPLE:
        sink.sample(std::move(raw.sample));
        break;
      case PERF_RECORD_MMAP:
      case PERF_RECORD_MMAP2: {
        PerfMapping m;
        m.time = raw.time;
        m.pid = f.u32();
        f.u32();
        m.start = f.u64();
        m.length = f.u64();
        m.offset = f.u64();
        m.executable = true;
        if (raw.type == PERF_RECORD_MMAP2) {
          f.skip(24);  // device, inode, generation or build id
          m.executable = (f.u32() & PROT_EXEC) != 0;
          f.u32();
        }
        m.path = f.text();
        sink.mapping(std::move(m));
        break;
      }
      case PERF_RECORD_COMM: {
        PerfName n;
        n.time = raw.time;
        n.pid = f.u32();
        n.tid = f.u32();
        n.exec = (raw.misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
        n.name = f.text();
        sink.name(std::move(n));
        break;
      }
      case PERF_RECORD_FORK: {
        PerfFork k;
        k.time = raw.time;
        k.pid = f.u32();
        k.parent = f.u32();
        k.tid = f.u32();
        sink.fork(std::move(k));
        break;
      }
      case PERF_RECORD_LOST:
        f.u64();
        lost += f.u64();
        break;
      case PERF_RECORD_LOST_SAMPLES:
        lost += f.u64();
        break;
      default:
        break;
    }
  }

  [[nodiscard]] PerfSample parse_sample(Fields& f) const {
    PerfSample s;
    f.u64();  // IP: the chain begins with it
    s.pid = f.u32();
    s.tid = f.u32();
    s.time = f.u64();
    f.u64();  // CPU
    s.period = f.u64();
    bool user = true;
    for (std::uint64_t n = f.u64(); n > 0 && f.left() >= 8; --n) {
      const std::uint64_t ip = f.u64();
      if (ip >= static_cast<std::uint64_t>(PERF_CONTEXT_MAX)) {
        user = ip == static_cast<std::uint64_t>(PERF_CONTEXT_USER);
      } else {
        (user ? s.user_chain : s.kernel_chain).push_back(ip);
      }
    }
    if (!options.stacks || kRegisterMask == 0) return s;
    if (f.u64() != 0) {  // ABI; none for kernel threads
      s.has_registers = true;
      for (const int number : kDwarfNumbers) s.registers[number] = f.u64();
    }
    const std::uint64_t size = f.u64();
    if (size == 0) return s;
    const unsigned char* begin = f.at();
    f.skip(size);
    const std::uint64_t used = std::min<std::uint64_t>(f.u64(), size);
    s.stack.assign(begin, begin + used);
    return s;
  }
};

PerfEvents::PerfEvents() : state_(std::make_unique<State>()) {}

PerfEvents::~PerfEvents() {
  state_->close_all();
}

Status PerfEvents::open(const std::vector<std::int64_t>& tasks, const PerfOptions& options) {
  State& s = *state_;
  s.options = options;
  const std::vector<int> cpus = online_cpus();
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < tasks.size() * cpus.size() + 64) {
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, tasks.size() * cpus.size() + 64);
    setrlimit(RLIMIT_NOFILE, &files);
  }
  // From the best to the least that the kernel may grant.
  int error = 0;
  perf_event_attr attr;
  bool found = false;
  for (const bool hardware : {true, false}) {
    if (hardware && !options.hardware) continue;
    for (const bool kernel : {true, false}) {
      attr = make_attr(options, hardware, kernel);
      const int fd = perf_event_open(attr, static_cast<pid_t>(tasks[0]), cpus[0]);
      if (fd < 0) {
        error = errno;
        continue;
      }
      close(fd);
      s.hardware = hardware;
      s.kernel = kernel;
      found = true;
      break;
    }
    if (found) break;
  }
  if (!found) return refusal(error, tasks[0]);
  NEUROLENS_TRY(s.open_all(cpus, tasks, attr));
  if (!options.enable_on_exec) {
    for (const int fd : s.events) ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
  }
  return {};
}

void PerfEvents::wait(int timeout_ms, int also) {
  // No wake-ups by the kernel's watermark: they would disturb the program at every sample. A fixed
  // beat reads long before the buffers fill.
  pollfd fd{also, POLLIN, 0};
  poll(&fd, also >= 0 ? 1 : 0, timeout_ms);
}

void PerfEvents::drain(const PerfSink& sink, bool last) {
  State& s = *state_;
  for (Ring& ring : s.rings) s.read_ring(ring);
  std::stable_sort(s.held.begin(), s.held.end(),
                   [](const Held& a, const Held& b) { return a.time < b.time; });
  const std::uint64_t newest = s.held.empty() ? s.certain_until : s.held.back().time;
  std::size_t done = 0;
  while (done < s.held.size() && (last || s.held[done].time <= s.certain_until))
    s.hand_on(s.held[done++], sink);
  s.held.erase(s.held.begin(), s.held.begin() + static_cast<std::ptrdiff_t>(done));
  s.certain_until = newest;
}

int PerfEvents::longest_wait_ms() const {
  // On one processor runs one thread at a time, so a buffer gets that thread's samples only.
  constexpr double kHeaders = 1024;
  const State& s = *state_;
  double ms = kLongestWaitMs;
  for (const Ring& ring : s.rings) {
    const double sample = kHeaders + (s.options.stacks ? s.options.stack_bytes : 0);
    ms = std::min(ms, 1e3 * static_cast<double>(ring.bytes) / (2 * sample * s.options.rate_hz));
  }
  return std::max(1, static_cast<int>(ms));
}

void PerfEvents::disable() {
  for (const int fd : state_->events) ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
}

std::uint64_t PerfEvents::lost() const {
  return state_->lost;
}
bool PerfEvents::hardware() const {
  return state_->hardware;
}
bool PerfEvents::kernel_visible() const {
  return state_->kernel;
}

}  // namespace neurolens::capture::record_detail
