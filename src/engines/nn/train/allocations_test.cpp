// Counts allocations of the whole test program. In a file of its own, so that no compiler sees a
// caller and its replaced operator together. Sanitizers have their own allocator: there nothing is
// counted.
#include <cstdint>

std::int64_t allocations_so_far();

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEUROLENS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define NEUROLENS_SANITIZED
#endif
#endif

#ifdef NEUROLENS_SANITIZED
std::int64_t allocations_so_far() {
  return -1;
}
#else
#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::int64_t> allocations{0};
}

std::int64_t allocations_so_far() {
  return allocations.load();
}

void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(n == 0 ? 1 : n);
}
void* operator new(std::size_t n) {
  if (void* p = operator new(n, std::nothrow)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}
#endif
