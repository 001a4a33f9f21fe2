#include "file_bytes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace neurolens::codebase {
namespace {

constexpr std::size_t kMapAbove = std::size_t{32} << 20;
constexpr std::size_t kFirstBuffer = std::size_t{256} << 10;
// O_NONBLOCK: opening a pipe that took the file's place must not hang.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

// Bytes read, or -1 with errno set.
ssize_t read_some(int fd, char* to, std::size_t size) {
  while (true) {
    const ssize_t n = ::read(fd, to, size);
    if (n >= 0 || errno != EINTR) return n;
  }
}

}  // namespace

FileBytes::~FileBytes() {
  unmap();
  leave_folder();
}

void FileBytes::unmap() {
  if (map_ != nullptr) ::munmap(map_, map_bytes_);
  map_ = nullptr;
}

void FileBytes::leave_folder() {
  if (folder_fd_ >= 0) ::close(folder_fd_);
  folder_fd_ = -1;
}

int FileBytes::load(const std::string& path) {
  const int fd = ::open(path.c_str(), kOpenFlags);
  return fd < 0 ? errno : read_all(fd);
}

int FileBytes::load_below(const std::string& root, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view folder = slash == std::string_view::npos ? "" : path.substr(0, slash);
  if (folder_fd_ < 0 || folder != folder_) {
    leave_folder();
    folder_ = folder;
    folder_fd_ = ::open((root + "/" + folder_).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd_ < 0) return errno;
  }
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  const int fd = ::openat(folder_fd_, std::string(name).c_str(), kOpenFlags);
  return fd < 0 ? errno : read_all(fd);
}

int FileBytes::map(int fd, std::size_t size) {
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return errno;
  ::madvise(map, size, MADV_SEQUENTIAL);
  map_ = map;
  map_bytes_ = size;
  view_ = {static_cast<const char*>(map), size};
  return 0;
}

// Reads the open file and closes it. A file that the buffer holds costs one call: what comes back
// short was the whole of it.
int FileBytes::read_all(int fd) {
  unmap();
  view_ = {};
  if (buffer_ == nullptr) {
    buffer_ = std::make_unique_for_overwrite<char[]>(kFirstBuffer);
    buffer_bytes_ = kFirstBuffer;
  }
  std::size_t done = 0;
  int error = 0;
  while (true) {
    const ssize_t n = read_some(fd, buffer_.get() + done, buffer_bytes_ - done);
    if (n < 0) error = errno;
    if (n > 0) done += static_cast<std::size_t>(n);
    if (n <= 0 || done < buffer_bytes_) break;
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
      error = errno != 0 ? errno : EINVAL;  // something else took the file's place
      break;
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size > kMapAbove) {
      error = map(fd, size);
      break;
    }
    if (size <= done) break;  // it shrank meanwhile, or ended with the buffer
    const std::size_t bytes = size + size / 4;
    auto larger = std::make_unique_for_overwrite<char[]>(bytes);
    std::memcpy(larger.get(), buffer_.get(), done);
    buffer_ = std::move(larger);
    buffer_bytes_ = bytes;
  }
  ::close(fd);
  if (error == 0 && map_ == nullptr) view_ = {buffer_.get(), done};
  return error;
}

}  // namespace neurolens::codebase
