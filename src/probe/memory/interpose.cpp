// The allocation functions of the C library, replaced. Not part of the probe library: linked into
// programs that ask for neurolens::probe_memory, and into the preload library of `record --memory`.
// operator new and delete, aligned or not, end in these in libstdc++ and libc++.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <unistd.h>

#include "memory/frame_rule.hpp"
#include "memory/track.hpp"

namespace memory = neurolens::probe::memory;

extern "C" {

// The C library's own entries below the replaceable names (glibc).
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

#ifdef NEUROLENS_MEMORY_PRELOAD
// The preload library carries a C++ run time of its own; what that allocates is not the program's.
extern const char __ehdr_start __attribute__((visibility("hidden")));
extern const char _end __attribute__((visibility("hidden")));
#define NEUROLENS_FROM_OUTSIDE                                              \
  (__builtin_return_address(0) < static_cast<const void*>(&__ehdr_start) || \
   __builtin_return_address(0) >= static_cast<const void*>(&_end))
#else
#define NEUROLENS_FROM_OUTSIDE true
#endif

#define NEUROLENS_INTERPOSE __attribute__((visibility("default"), noinline))

NEUROLENS_INTERPOSE void* malloc(std::size_t bytes) {
  void* p = __libc_malloc(bytes);
  if (NEUROLENS_FROM_OUTSIDE) memory::on_allocate(p, bytes);
  return p;
}

NEUROLENS_INTERPOSE void* calloc(std::size_t count, std::size_t bytes) {
  void* p = __libc_calloc(count, bytes);
  if (NEUROLENS_FROM_OUTSIDE) memory::on_allocate(p, count * bytes);
  return p;
}

NEUROLENS_INTERPOSE void free(void* p) {
  memory::on_release(p);
  __libc_free(p);
}

NEUROLENS_INTERPOSE void* realloc(void* old, std::size_t bytes) {
  // Out of the table before the heap may hand the address to another thread.
  const memory::Taken taken = memory::on_take(old);
  void* p = __libc_realloc(old, bytes);
  if (p == nullptr && bytes != 0 && old != nullptr) {
    memory::on_restore(old, taken);
    return nullptr;
  }
  memory::on_taken_release(taken);
  memory::on_allocate(p, bytes);
  return p;
}

NEUROLENS_INTERPOSE void* reallocarray(void* old, std::size_t count, std::size_t bytes) {
  std::size_t total = 0;
  if (__builtin_mul_overflow(count, bytes, &total)) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(old, total);
}

NEUROLENS_INTERPOSE void* memalign(std::size_t alignment, std::size_t bytes) {
  void* p = __libc_memalign(alignment, bytes);
  memory::on_allocate(p, bytes);
  return p;
}

NEUROLENS_INTERPOSE void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  void* p = __libc_memalign(alignment, bytes);
  memory::on_allocate(p, bytes);
  return p;
}

NEUROLENS_INTERPOSE int posix_memalign(void** out, std::size_t alignment, std::size_t bytes) {
  if (alignment % sizeof(void*) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
    return EINVAL;
  void* p = __libc_memalign(alignment, bytes);
  if (p == nullptr) return ENOMEM;
  memory::on_allocate(p, bytes);
  *out = p;
  return 0;
}

NEUROLENS_INTERPOSE void* valloc(std::size_t bytes) {
  void* p = __libc_memalign(static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), bytes);
  memory::on_allocate(p, bytes);
  return p;
}

NEUROLENS_INTERPOSE void* pvalloc(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t rounded = (bytes + page - 1) / page * page;
  void* p = __libc_memalign(page, rounded);
  memory::on_allocate(p, rounded);
  return p;
}

// Not an allocation, but what walking stacks has learnt about code must go with the code.
NEUROLENS_INTERPOSE int dlclose(void* handle) noexcept {
  using Function = int (*)(void*);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "dlclose"));
  if (next == nullptr) return -1;
  const int result = next(handle);
  memory::forget_frame_rules();
  return result;
}
}

namespace {
__attribute__((constructor)) void announce() {
  memory::set_interposed();
}
}  // namespace
