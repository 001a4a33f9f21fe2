#include "core/names.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/signals.hpp"
#include "neurolens/probe/hot_path.hpp"

namespace neurolens::probe::names {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{16} << 20;
constexpr std::size_t kSlots = std::size_t{1} << 17;
constexpr std::size_t kLongestText = 1024;
constexpr std::uint32_t kOther = hot::kLastSite;

struct Table {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  char* arena = nullptr;
  std::uint32_t* slots = nullptr;  // offset of the entry + 8, 0: free
  std::atomic<std::size_t> used{0};
  std::uint32_t next_code = hot::kFirstSite;
  char* mirror = nullptr;
  std::size_t mirror_capacity = 0;
  std::atomic<std::uint64_t>* mirror_used = nullptr;
};
constinit Table table;

void* map(std::size_t bytes) noexcept {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

std::uint64_t hash(std::uint64_t h, std::string_view text) noexcept {
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return (h ^ 0xFF) * 0x100000001B3u;
}

const Entry* entry_at(std::size_t offset) noexcept {
  return reinterpret_cast<const Entry*>(table.arena + offset);
}

bool same(const Entry& e, std::string_view name, std::string_view file, std::uint32_t line,
          std::string_view category) noexcept {
  const char* text = reinterpret_cast<const char*>(&e + 1);
  return e.line == line && std::string_view(text, e.name_bytes) == name &&
         std::string_view(text + e.name_bytes, e.file_bytes) == file &&
         std::string_view(text + e.name_bytes + e.file_bytes, e.category_bytes) == category;
}

void copy_to_mirror(std::size_t from, std::size_t to) noexcept {
  if (table.mirror == nullptr || to > table.mirror_capacity) return;
  std::memcpy(table.mirror + from, table.arena + from, to - from);
  table.mirror_used->store(to, std::memory_order_release);
}

void append(std::uint32_t code, std::string_view name, std::string_view file, std::uint32_t line,
            std::string_view category) noexcept {
  const std::size_t at = table.used.load(std::memory_order_relaxed);
  const std::size_t bytes =
      (sizeof(Entry) + name.size() + file.size() + category.size() + 7) / 8 * 8;
  Entry e{static_cast<std::uint32_t>(bytes),       line,
          static_cast<std::uint16_t>(code),        static_cast<std::uint16_t>(name.size()),
          static_cast<std::uint16_t>(file.size()), static_cast<std::uint16_t>(category.size())};
  char* p = table.arena + at;
  std::memcpy(p, &e, sizeof e);
  p += sizeof e;
  for (const std::string_view text : {name, file, category}) {
    if (!text.empty()) std::memcpy(p, text.data(), text.size());
    p += text.size();
  }
  table.used.store(at + bytes, std::memory_order_release);
  copy_to_mirror(at, at + bytes);
}

bool prepare() noexcept {
  if (table.arena != nullptr) return true;
  char* arena = static_cast<char*>(map(kArenaBytes));
  auto* slots = static_cast<std::uint32_t*>(map(kSlots * sizeof(std::uint32_t)));
  if (arena == nullptr || slots == nullptr) return false;
  table.arena = arena;
  table.slots = slots;
  append(kOther, "(other)", "", 0, "");
  return true;
}

}  // namespace

std::uint32_t intern(std::string_view name, std::string_view file, std::uint32_t line,
                     std::string_view category) noexcept {
  name = name.substr(0, kLongestText);
  file = file.substr(file.size() - std::min(file.size(), kLongestText));
  category = category.substr(0, kLongestText);
  const SignalBlock block;
  pthread_mutex_lock(&table.mutex);
  std::uint32_t code = kOther;
  if (prepare()) {
    std::uint64_t slot = hash(hash(hash(line, name), file), category) % kSlots;
    while (table.slots[slot] != 0 &&
           !same(*entry_at(table.slots[slot] - 8), name, file, line, category)) {
      slot = (slot + 1) % kSlots;
    }
    const std::size_t at = table.used.load(std::memory_order_relaxed);
    if (table.slots[slot] != 0) {
      code = entry_at(table.slots[slot] - 8)->code;
    } else if (table.next_code < kOther && at + 4 * kLongestText <= kArenaBytes) {
      code = table.next_code++;
      append(code, name, file, line, category);
      table.slots[slot] = static_cast<std::uint32_t>(at + 8);
    }
  }
  pthread_mutex_unlock(&table.mutex);
  return code;
}

const char* data() noexcept {
  return table.arena;
}
std::size_t used() noexcept {
  return table.used.load(std::memory_order_acquire);
}

void mirror(char* target, std::size_t capacity, void* target_used) noexcept {
  const SignalBlock block;
  pthread_mutex_lock(&table.mutex);
  prepare();
  table.mirror = target;
  table.mirror_capacity = capacity;
  table.mirror_used = static_cast<std::atomic<std::uint64_t>*>(target_used);
  copy_to_mirror(0, table.used.load(std::memory_order_relaxed));
  pthread_mutex_unlock(&table.mutex);
}

void drop_mirror() noexcept {
  table.mirror = nullptr;
}

void lock_for_fork() noexcept {
  pthread_mutex_lock(&table.mutex);
}
void unlock_after_fork() noexcept {
  pthread_mutex_unlock(&table.mutex);
}

}  // namespace neurolens::probe::names

namespace neurolens::probe::hot {

std::uint32_t register_site(const Site& site) noexcept {
  const std::uint32_t code =
      names::intern(site.name != nullptr ? site.name : "", site.file != nullptr ? site.file : "",
                    site.line, site.category != nullptr ? site.category : "");
  site.code.store(code, std::memory_order_relaxed);
  return code;
}

}  // namespace neurolens::probe::hot
