#include "memory/stacks.hpp"

#include <unwind.h>

#include "memory/table.hpp"

namespace neurolens::probe::memory {
namespace {

constexpr std::uint32_t kMostStacks = std::uint32_t{1} << 20;
constexpr std::size_t kMostFramesInTotal = std::size_t{1} << 25;
constexpr std::size_t kHashSlots = std::size_t{1} << 20;

struct Store {
  SpinLock lock;
  Stack* stacks = nullptr;
  std::uintptr_t* frames = nullptr;
  std::uint32_t* buckets = nullptr;
  std::atomic<std::uint32_t> count{0};
  std::size_t frames_used = 0;
};
constinit Store store;

struct Walk {
  std::uintptr_t frames[kMostFrames];
  std::size_t depth = 0;
  int skip = 0;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* p) {
  auto& walk = *static_cast<Walk*>(p);
  const std::uintptr_t ip = _Unwind_GetIP(context);
  if (ip == 0) return _URC_END_OF_STACK;
  if (walk.skip > 0) {
    --walk.skip;
    return _URC_NO_REASON;
  }
  walk.frames[walk.depth++] = ip - 1;  // inside the call, not after it
  return walk.depth == kMostFrames ? _URC_END_OF_STACK : _URC_NO_REASON;
}

bool prepare() noexcept {
  if (store.stacks != nullptr) return true;
  auto* stacks = map_array<Stack>(kMostStacks);
  auto* frames = map_array<std::uintptr_t>(kMostFramesInTotal);
  auto* buckets = map_array<std::uint32_t>(kHashSlots);
  if (stacks == nullptr || frames == nullptr || buckets == nullptr) return false;
  store.frames = frames;
  store.buckets = buckets;
  store.stacks = stacks;
  return true;
}

bool same(const Stack& stack, const Walk& walk, std::uint64_t hash) noexcept {
  return stack.hash == hash && stack.depth == walk.depth &&
         std::memcmp(store.frames + stack.frames_at, walk.frames,
                     walk.depth * sizeof(std::uintptr_t)) == 0;
}

}  // namespace

__attribute__((noinline)) std::uint32_t take_stack() noexcept {
  Walk walk;
  walk.skip = 3;  // this function, on_allocate, the interposed function
  _Unwind_Backtrace(&visit, &walk);
  std::uint64_t hash = walk.depth;
  for (std::size_t i = 0; i < walk.depth; ++i)
    hash = (hash ^ walk.frames[i]) * 0xBF58476D1CE4E5B9u, hash ^= hash >> 31;
  const SpinGuard guard(store.lock);
  if (!prepare()) return 0;
  std::uint32_t& head = store.buckets[hash & (kHashSlots - 1)];
  for (std::uint32_t i = head; i != 0; i = store.stacks[i].next) {
    if (same(store.stacks[i], walk, hash)) return i;
  }
  const std::uint32_t index = store.count.load(std::memory_order_relaxed) + 1;
  if (index >= kMostStacks || store.frames_used + walk.depth > kMostFramesInTotal) return 0;
  Stack& stack = store.stacks[index];
  stack.hash = hash;
  stack.depth = static_cast<std::uint32_t>(walk.depth);
  stack.next = head;
  stack.frames_at = store.frames_used;
  std::memcpy(store.frames + store.frames_used, walk.frames, walk.depth * sizeof(std::uintptr_t));
  store.frames_used += walk.depth;
  head = index;
  store.count.store(index, std::memory_order_release);
  return index;
}

Stack& stack_at(std::uint32_t index) noexcept {
  return store.stacks[index];
}
std::uint32_t stack_count() noexcept {
  return store.count.load(std::memory_order_acquire);
}
const std::uintptr_t* frames_of(const Stack& stack) noexcept {
  return store.frames + stack.frames_at;
}

}  // namespace neurolens::probe::memory
