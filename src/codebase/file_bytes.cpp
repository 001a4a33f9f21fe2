#include "file_bytes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace neurolens::codebase {
namespace {

constexpr std::size_t kMapAbove = std::size_t{32} << 20;

}  // namespace

FileBytes::~FileBytes() {
  unmap();
}

void FileBytes::unmap() {
  if (map_ != nullptr) ::munmap(map_, map_bytes_);
  map_ = nullptr;
}

int FileBytes::load(const std::string& path) {
  unmap();
  view_ = {};
  // O_NONBLOCK: opening a pipe that took the file's place must not hang.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno;
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    const int error = errno != 0 ? errno : EINVAL;
    ::close(fd);
    return error;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > kMapAbove) {
    void* map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (map == MAP_FAILED) return error;
    ::madvise(map, size, MADV_SEQUENTIAL);
    map_ = map;
    map_bytes_ = size;
    view_ = {static_cast<const char*>(map), size};
    return 0;
  }
  if (buffer_.size() < size) buffer_.resize(size + size / 4);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd, buffer_.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      return error;
    }
    if (n == 0) break;  // it shrank meanwhile
    done += static_cast<std::size_t>(n);
  }
  ::close(fd);
  view_ = {buffer_.data(), done};
  return 0;
}

}  // namespace neurolens::codebase
