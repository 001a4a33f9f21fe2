#include "memory/stacks.hpp"

#include <unwind.h>

#include <cstring>

#include "memory/frame_rule.hpp"
#include "memory/table.hpp"

namespace neurolens::probe::memory {
namespace {

constexpr std::uint32_t kMostStacks = std::uint32_t{1} << 20;
constexpr std::size_t kMostFramesInTotal = std::size_t{1} << 25;
constexpr std::size_t kHashSlots = std::size_t{1} << 20;

/// Stacks are found without the lock and added under it; none ever goes or moves.
struct Store {
  SpinLock lock;
  std::atomic<Stack*> stacks{nullptr};
  std::uintptr_t* frames = nullptr;
  std::atomic<std::uint32_t>* buckets = nullptr;
  std::atomic<std::uint32_t> count{0};
  std::size_t frames_used = 0;
};
constinit Store store;

struct SlowWalk {
  Walk& walk;
  int skip;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* p) {
  auto& slow = *static_cast<SlowWalk*>(p);
  const std::uintptr_t ip = _Unwind_GetIP(context);
  if (ip == 0) return _URC_END_OF_STACK;
  if (slow.skip > 0) {
    --slow.skip;
    return _URC_NO_REASON;
  }
  slow.walk.frames[slow.walk.depth++] = ip - 1;  // inside the call, not after it
  return slow.walk.depth == kMostFrames ? _URC_END_OF_STACK : _URC_NO_REASON;
}

#if defined(__x86_64__)
std::uint64_t word_at(std::uint64_t address) noexcept {
  std::uint64_t value = 0;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): a place on the stack
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
  return value;
}

/// False: some frame is out of the ordinary; what `walk` holds then is of no use.
bool walk_by_rules(Walk& walk, int skip, std::uint64_t pc, std::uint64_t stack,
                   std::uint64_t base) noexcept {
  for (;;) {
    const FrameRule rule = frame_rule(pc - 1);
    if (rule.kind() == FrameRule::Kind::unusual) return false;
    if (skip > 0) {
      --skip;
    } else {
      walk.frames[walk.depth++] = pc - 1;
      if (walk.depth == kMostFrames) return true;
    }
    if (rule.kind() == FrameRule::Kind::last) return true;
    const std::uint64_t cfa = (rule.cfa_from_base() ? base : stack) + rule.cfa_offset();
    if (cfa <= stack || cfa % 8 != 0) return false;
    if (rule.base_saved()) base = word_at(cfa - rule.saved_below());
    pc = word_at(cfa - 8);
    if (pc == 0) return true;
    stack = cfa;
  }
}
#endif

bool prepare() noexcept {
  if (store.stacks.load(std::memory_order_relaxed) != nullptr) return true;
  auto* stacks = map_array<Stack>(kMostStacks);
  auto* frames = map_array<std::uintptr_t>(kMostFramesInTotal);
  auto* buckets = map_array<std::atomic<std::uint32_t>>(kHashSlots);
  if (stacks == nullptr || frames == nullptr || buckets == nullptr) return false;
  store.frames = frames;
  store.buckets = buckets;
  store.stacks.store(stacks, std::memory_order_release);
  return true;
}

/// Among the stacks from `head` on, before `end`; 0 when it is not there.
std::uint32_t find(std::uint32_t head, std::uint32_t end, const Walk& walk,
                   std::uint64_t hash) noexcept {
  const Stack* stacks = store.stacks.load(std::memory_order_relaxed);
  for (std::uint32_t i = head; i != end; i = stacks[i].next) {
    const Stack& stack = stacks[i];
    if (stack.hash == hash && stack.depth == walk.depth &&
        std::memcmp(store.frames + stack.frames_at, walk.frames,
                    walk.depth * sizeof(std::uintptr_t)) == 0) {
      return i;
    }
  }
  return 0;
}

std::uint32_t add(const Walk& walk, std::uint64_t hash, std::uint32_t head) noexcept {
  const std::uint32_t index = store.count.load(std::memory_order_relaxed) + 1;
  if (index >= kMostStacks || store.frames_used + walk.depth > kMostFramesInTotal) return 0;
  Stack& stack = store.stacks.load(std::memory_order_relaxed)[index];
  stack.hash = hash;
  stack.depth = static_cast<std::uint32_t>(walk.depth);
  stack.next = head;
  stack.frames_at = store.frames_used;
  std::memcpy(store.frames + store.frames_used, walk.frames, walk.depth * sizeof(std::uintptr_t));
  store.frames_used += walk.depth;
  store.buckets[hash & (kHashSlots - 1)].store(index, std::memory_order_release);
  store.count.store(index, std::memory_order_release);
  return index;
}

}  // namespace

__attribute__((noinline)) void walk_stack_slowly(Walk& walk, int skip) noexcept {
  walk.depth = 0;
  SlowWalk slow{walk, skip + 1};  // this function
  _Unwind_Backtrace(&visit, &slow);
  asm volatile("" ::: "memory");  // no tail call: it would take a frame away
}

__attribute__((noinline)) void walk_stack(Walk& walk, int skip) noexcept {
#if defined(__x86_64__)
  std::uint64_t pc = 0, stack = 0, base = 0;
  // The base pointer first: what follows may be kept in it.
  asm volatile("mov %%rbp, %2\n\tmov %%rsp, %1\n\tlea (%%rip), %0"
               : "=&r"(pc), "=&r"(stack), "=&r"(base));
  walk.depth = 0;
  if (walk_by_rules(walk, skip + 1, pc, stack, base)) return;
#endif
  walk_stack_slowly(walk, skip + 1);
  asm volatile("" ::: "memory");
}

__attribute__((noinline)) std::uint32_t take_stack() noexcept {
  Walk walk;
  walk_stack(walk, 3);  // this function, on_allocate, the interposed function
  std::uint64_t hash = walk.depth;
  for (std::size_t i = 0; i < walk.depth; ++i)
    hash = (hash ^ walk.frames[i]) * 0xBF58476D1CE4E5B9u, hash ^= hash >> 31;
  std::uint32_t seen = 0;
  if (store.stacks.load(std::memory_order_acquire) != nullptr) {
    seen = store.buckets[hash & (kHashSlots - 1)].load(std::memory_order_acquire);
    if (const std::uint32_t index = find(seen, 0, walk, hash); index != 0) return index;
  }
  const SpinGuard guard(store.lock);
  if (!prepare()) return 0;
  // Another thread may have added it meanwhile.
  const std::uint32_t head = store.buckets[hash & (kHashSlots - 1)].load(std::memory_order_relaxed);
  const std::uint32_t index = find(head, seen, walk, hash);
  return index != 0 ? index : add(walk, hash, head);
}

Stack& stack_at(std::uint32_t index) noexcept {
  return store.stacks.load(std::memory_order_relaxed)[index];
}
std::uint32_t stack_count() noexcept {
  return store.count.load(std::memory_order_acquire);
}
const std::uintptr_t* frames_of(const Stack& stack) noexcept {
  return store.frames + stack.frames_at;
}

}  // namespace neurolens::probe::memory
