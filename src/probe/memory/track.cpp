#include "memory/track.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>

#include "memory/stacks.hpp"
#include "memory/table.hpp"

namespace neurolens::probe {
namespace memory {
namespace {

/// One running tracker. `thread` 0 counts every thread.
struct alignas(64) Slot {
  std::atomic<std::uint64_t> start{0};  ///< Blocks with this serial or a later one are its own.
  std::uint32_t thread = 0;
  bool call_sites = false;
  std::atomic<std::uint64_t> allocations{0}, releases{0};
  std::atomic<std::int64_t> allocated{0}, current{0}, peak{0};
  /// By stack, for call_sites: only blocks of this tracker.
  struct Local {
    std::atomic<std::uint64_t> allocations{0};
    std::atomic<std::int64_t> allocated{0}, current{0};
  };
  std::atomic<Local*> by_stack{nullptr};
};

constexpr std::uint32_t kMostLocalStacks = 1u << 18;

std::atomic<bool> interposed{false};
std::atomic<std::uint64_t> active{0};  ///< Bit per slot in use.
std::atomic<std::uint64_t> call_site_trackers{0};
std::atomic<std::int64_t> sample_every{1};
std::atomic<std::uint32_t> most_stacks_per_s{0};
std::atomic<std::uint64_t> next_serial{1};
constinit Slot slots[64];
constinit Table table;
SpinLock slots_lock;

struct ThreadState {
  bool inside = false;  ///< Unwinding may allocate: not our caller's doing.
  std::uint32_t id = 0;
  std::int64_t bytes_to_sample = 0;
  std::uint64_t random = 0;
  std::int64_t window_end = 0;
  std::uint32_t in_window = 0;
  std::uint32_t stride = 1, until_next = 0;
};
#if defined(__has_attribute) && __has_attribute(tls_model)
__attribute__((tls_model("initial-exec")))
#endif
constinit thread_local ThreadState here;

std::uint32_t thread_id() noexcept {
  if (here.id == 0) here.id = static_cast<std::uint32_t>(syscall(SYS_gettid));
  return here.id;
}

double uniform() noexcept {
  if (here.random == 0) here.random = 0x9E3779B97F4A7C15u * (thread_id() + 1);
  here.random ^= here.random << 13;
  here.random ^= here.random >> 7;
  here.random ^= here.random << 17;
  return (static_cast<double>(here.random >> 11) + 0.5) * 0x1.0p-53;
}

/// How many allocations this one stands for: 0 takes no stack.
std::uint32_t weight_by_bytes(std::size_t bytes) noexcept {
  const std::int64_t every = sample_every.load(std::memory_order_relaxed);
  if (every <= 1) return 1;
  here.bytes_to_sample -= static_cast<std::int64_t>(bytes);
  if (here.bytes_to_sample > 0) return 0;
  const auto interval = static_cast<double>(every);
  here.bytes_to_sample = static_cast<std::int64_t>(-std::log(uniform()) * interval) + 1;
  // A block of b bytes is met with probability 1 - exp(-b / interval).
  const double met = -std::expm1(-static_cast<double>(std::max<std::size_t>(bytes, 1)) / interval);
  return static_cast<std::uint32_t>(std::clamp(1 / met, 1.0, 4e9));
}

std::uint32_t weight_by_rate(std::uint32_t most_per_s) noexcept {
  constexpr std::int64_t kWindowNs = 50'000'000;
  if (here.until_next > 0) {
    --here.until_next;
    ++here.in_window;
    return 0;
  }
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  const std::int64_t now = std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  ++here.in_window;
  if (now >= here.window_end) {
    const std::uint32_t wanted = most_per_s / 20;
    here.stride = std::max<std::uint32_t>(1, here.in_window / std::max<std::uint32_t>(wanted, 1));
    here.in_window = 0;
    here.window_end = now + kWindowNs;
  }
  here.until_next = here.stride - 1;
  return here.stride;
}

void raise(std::atomic<std::int64_t>& peak, std::int64_t value) noexcept {
  std::int64_t seen = peak.load(std::memory_order_relaxed);
  while (value > seen && !peak.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

template <class Visit>
void for_trackers_of(const Block& block, Visit visit) noexcept {
  for (std::uint64_t left = active.load(std::memory_order_acquire); left != 0; left &= left - 1) {
    Slot& slot = slots[__builtin_ctzll(left)];
    if (slot.thread != 0 && slot.thread != block.thread) continue;
    if (block.serial >= slot.start.load(std::memory_order_relaxed)) visit(slot);
  }
}

Slot::Local* local_of(Slot& slot, std::uint32_t stack) noexcept {
  if (stack == 0 || stack >= kMostLocalStacks) return nullptr;
  Slot::Local* all = slot.by_stack.load(std::memory_order_acquire);
  return all == nullptr ? nullptr : all + stack;
}

/// Accounts for a block that has left the table.
void account_release(const Block& block) noexcept {
  const auto size = static_cast<std::int64_t>(block.size);
  const auto weighted = size * static_cast<std::int64_t>(block.weight);
  for_trackers_of(block, [&](Slot& slot) {
    slot.releases.fetch_add(1, std::memory_order_relaxed);
    slot.current.fetch_sub(size, std::memory_order_relaxed);
    if (Slot::Local* local = local_of(slot, block.stack)) {
      local->current.fetch_sub(weighted, std::memory_order_relaxed);
    }
  });
  if (block.stack != 0) {
    Stack& stack = stack_at(block.stack);
    stack.live_blocks.fetch_sub(block.weight, std::memory_order_relaxed);
    stack.live_bytes.fetch_sub(weighted, std::memory_order_relaxed);
  }
}

}  // namespace

void set_interposed() noexcept {
  interposed.store(true, std::memory_order_relaxed);
}

__attribute__((noinline)) void on_allocate(void* address, std::size_t bytes) noexcept {
  if (address == nullptr || active.load(std::memory_order_relaxed) == 0 || here.inside) return;
  here.inside = true;
  Block block;
  block.address = reinterpret_cast<std::uintptr_t>(address);
  block.size = bytes;
  block.thread = thread_id();
  block.serial = next_serial.fetch_add(1, std::memory_order_relaxed);
  if (const std::uint32_t most = most_stacks_per_s.load(std::memory_order_relaxed); most != 0) {
    block.weight = weight_by_rate(most);
  } else if (call_site_trackers.load(std::memory_order_relaxed) != 0) {
    block.weight = weight_by_bytes(bytes);
  }
  if (block.weight != 0) block.stack = take_stack();
  const auto size = static_cast<std::int64_t>(bytes);
  const auto weighted = size * static_cast<std::int64_t>(block.weight);
  if (table.insert(block)) {
    for_trackers_of(block, [&](Slot& slot) {
      slot.allocations.fetch_add(1, std::memory_order_relaxed);
      slot.allocated.fetch_add(size, std::memory_order_relaxed);
      raise(slot.peak, slot.current.fetch_add(size, std::memory_order_relaxed) + size);
      if (Slot::Local* local = local_of(slot, block.stack)) {
        local->allocations.fetch_add(block.weight, std::memory_order_relaxed);
        local->allocated.fetch_add(weighted, std::memory_order_relaxed);
        local->current.fetch_add(weighted, std::memory_order_relaxed);
      }
    });
    if (block.stack != 0) {
      Stack& stack = stack_at(block.stack);
      stack.allocations.fetch_add(block.weight, std::memory_order_relaxed);
      stack.allocated.fetch_add(weighted, std::memory_order_relaxed);
      stack.live_blocks.fetch_add(block.weight, std::memory_order_relaxed);
      raise(stack.peak_bytes,
            stack.live_bytes.fetch_add(weighted, std::memory_order_relaxed) + weighted);
    }
  }
  here.inside = false;
}

Taken on_take(void* address) noexcept {
  Taken taken;
  if (address == nullptr || interposed.load(std::memory_order_relaxed) == false || here.inside)
    return taken;
  if (next_serial.load(std::memory_order_relaxed) == 1) return taken;  // nothing was ever tracked
  Block block;
  if (!table.remove(reinterpret_cast<std::uintptr_t>(address), block)) return taken;
  return {true, block.size, block.serial, block.thread, block.stack, block.weight};
}

void on_restore(void* address, const Taken& taken) noexcept {
  if (!taken.known) return;
  table.insert({reinterpret_cast<std::uintptr_t>(address), taken.size, taken.serial, taken.thread,
                taken.stack, taken.weight});
}

void on_taken_release(const Taken& taken) noexcept {
  if (!taken.known) return;
  account_release({1, taken.size, taken.serial, taken.thread, taken.stack, taken.weight});
}

void on_release(void* address) noexcept {
  on_taken_release(on_take(address));
}

namespace {

int open_slot(bool all_threads, bool call_sites) noexcept {
  const SpinGuard guard(slots_lock);
  const std::uint64_t used = active.load(std::memory_order_relaxed);
  if (used == ~std::uint64_t{0}) return -1;
  const int index = __builtin_ctzll(~used);
  Slot& slot = slots[index];
  slot.start.store(next_serial.load(std::memory_order_relaxed), std::memory_order_relaxed);
  slot.thread = all_threads ? 0 : thread_id();
  slot.call_sites = call_sites;
  for (auto* n : {&slot.allocations, &slot.releases}) n->store(0, std::memory_order_relaxed);
  for (auto* n : {&slot.allocated, &slot.current, &slot.peak})
    n->store(0, std::memory_order_relaxed);
  if (call_sites) {
    slot.by_stack.store(map_array<Slot::Local>(kMostLocalStacks), std::memory_order_release);
    call_site_trackers.fetch_add(1, std::memory_order_relaxed);
  }
  active.fetch_or(std::uint64_t{1} << index, std::memory_order_release);
  return index;
}

void close_slot(int index) noexcept {
  const SpinGuard guard(slots_lock);
  Slot& slot = slots[index];
  active.fetch_and(~(std::uint64_t{1} << index), std::memory_order_release);
  if (slot.call_sites) {
    call_site_trackers.fetch_sub(1, std::memory_order_relaxed);
    // Another thread may be counting into it this very moment: the pages go, the addresses stay.
    if (Slot::Local* all = slot.by_stack.exchange(nullptr)) {
      madvise(all, kMostLocalStacks * sizeof(Slot::Local), MADV_DONTNEED);
    }
  }
}

MemoryUse read_slot(const Slot& slot) noexcept {
  MemoryUse use;
  use.allocations = slot.allocations.load(std::memory_order_relaxed);
  use.releases = slot.releases.load(std::memory_order_relaxed);
  use.allocated = Bytes{slot.allocated.load(std::memory_order_relaxed)};
  use.current = Bytes{slot.current.load(std::memory_order_relaxed)};
  use.peak = Bytes{slot.peak.load(std::memory_order_relaxed)};
  return use;
}

std::string frame_text(std::uintptr_t address) {
  Dl_info info{};
  char text[64];
  if (dladdr(reinterpret_cast<const void*>(address), &info) == 0) {
    std::snprintf(text, sizeof text, "0x%lx", static_cast<unsigned long>(address));
    return text;
  }
  std::string name = "?";
  if (info.dli_sname != nullptr) {
    int status = 0;
    char* readable = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
    name = status == 0 ? readable : info.dli_sname;
    std::free(readable);
  }
  std::snprintf(
      text, sizeof text, "+0x%lx)",
      static_cast<unsigned long>(address - reinterpret_cast<std::uintptr_t>(info.dli_fbase)));
  return name + " (" + info.dli_fname + text;
}

std::vector<AllocationSite> read_sites(Slot& slot) {
  std::vector<AllocationSite> sites;
  here.inside = true;  // what this function allocates is not the program's doing
  const std::uint32_t count = std::min(stack_count(), kMostLocalStacks - 1);
  for (std::uint32_t i = 1; i <= count; ++i) {
    Slot::Local* local = local_of(slot, i);
    if (local == nullptr || local->allocations.load(std::memory_order_relaxed) == 0) continue;
    AllocationSite site;
    site.allocations = local->allocations.load(std::memory_order_relaxed);
    site.allocated = Bytes{local->allocated.load(std::memory_order_relaxed)};
    site.current = Bytes{local->current.load(std::memory_order_relaxed)};
    const Stack& stack = stack_at(i);
    for (std::uint32_t f = 0; f < stack.depth; ++f)
      site.frames.push_back(frame_text(frames_of(stack)[f]));
    sites.push_back(std::move(site));
  }
  std::sort(sites.begin(), sites.end(), [](const AllocationSite& a, const AllocationSite& b) {
    return a.allocated > b.allocated;
  });
  here.inside = false;
  return sites;
}

int process_slot = -1;

}  // namespace

void track_process(std::uint32_t most_per_s) noexcept {
  most_stacks_per_s.store(std::max<std::uint32_t>(1, most_per_s), std::memory_order_relaxed);
  process_slot = open_slot(true, false);
}

namespace {

/// Formatted output without the heap.
class Printer {
 public:
  explicit Printer(int fd) noexcept : fd_(fd) {}
  ~Printer() { flush(); }
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;
  __attribute__((format(printf, 2, 3))) void print(const char* format, ...) noexcept {
    if (used_ + 256 > sizeof buffer_) flush();
    std::va_list args;
    va_start(args, format);
    const int n = std::vsnprintf(buffer_ + used_, sizeof buffer_ - used_, format, args);
    va_end(args);
    if (n > 0)
      used_ += std::min<std::size_t>(static_cast<std::size_t>(n), sizeof buffer_ - used_ - 1);
  }
  void raw(const char* data, std::size_t bytes) noexcept {
    flush();
    write_all(data, bytes);
  }
  void flush() noexcept {
    write_all(buffer_, used_);
    used_ = 0;
  }

 private:
  void write_all(const char* p, std::size_t bytes) noexcept {
    while (bytes > 0) {
      const ssize_t n = ::write(fd_, p, bytes);
      if (n <= 0) return;
      p += n;
      bytes -= static_cast<std::size_t>(n);
    }
  }
  int fd_;
  std::size_t used_ = 0;
  char buffer_[16384];
};

}  // namespace

void dump(int fd) noexcept {
  if (process_slot < 0) return;
  here.inside = true;
  Printer out(fd);
  const MemoryUse use = read_slot(slots[process_slot]);
  const auto n = [](std::int64_t v) { return static_cast<long long>(v); };
  out.print("neurolens-memory 1\n");
  out.print("process %d\n", static_cast<int>(getpid()));
  out.print("total %llu %llu %lld %lld %lld\n", static_cast<unsigned long long>(use.allocations),
            static_cast<unsigned long long>(use.releases), n(use.allocated.count),
            n(use.current.count), n(use.peak.count));
  const std::uint32_t count = stack_count();
  for (std::uint32_t i = 1; i <= count; ++i) {
    const Stack& s = stack_at(i);
    out.print("stack %llu %lld %lld %lld %lld",
              static_cast<unsigned long long>(s.allocations.load()), n(s.allocated.load()),
              n(s.live_blocks.load()), n(s.live_bytes.load()), n(s.peak_bytes.load()));
    for (std::uint32_t f = 0; f < s.depth; ++f)
      out.print(" %lx", static_cast<unsigned long>(frames_of(s)[f]));
    out.print("\n");
  }
  out.print("maps\n");
  const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  char piece[4096];
  for (ssize_t got = 0; maps >= 0 && (got = read(maps, piece, sizeof piece)) > 0;) {
    out.raw(piece, static_cast<std::size_t>(got));
  }
  if (maps >= 0) close(maps);
  out.print("end\n");
  out.flush();
  here.inside = false;
}

}  // namespace memory

bool memory_is_tracked() noexcept {
  return memory::interposed.load(std::memory_order_relaxed);
}

MemoryTracker::MemoryTracker(const MemoryOptions& options) noexcept {
  if (!memory_is_tracked()) return;
  if (options.call_sites) {
    memory::sample_every.store(std::max<std::int64_t>(1, options.sample_every.count),
                               std::memory_order_relaxed);
  }
  slot_ = memory::open_slot(options.all_threads, options.call_sites);
}

MemoryTracker::~MemoryTracker() {
  if (slot_ >= 0 && !stopped_) memory::close_slot(slot_);
}

std::optional<MemoryUse> MemoryTracker::use() const noexcept {
  if (slot_ < 0) return std::nullopt;
  return stopped_ ? final_ : memory::read_slot(memory::slots[slot_]);
}

std::vector<AllocationSite> MemoryTracker::sites() const {
  if (slot_ < 0) return {};
  return stopped_ ? final_sites_ : memory::read_sites(memory::slots[slot_]);
}

void MemoryTracker::stop() noexcept {
  if (slot_ < 0 || stopped_) return;
  final_ = memory::read_slot(memory::slots[slot_]);
  if (memory::slots[slot_].call_sites) final_sites_ = memory::read_sites(memory::slots[slot_]);
  memory::close_slot(slot_);
  stopped_ = true;
}

}  // namespace neurolens::probe
