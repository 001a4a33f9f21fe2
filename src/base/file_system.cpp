#include "neurolens/base/file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace neurolens {
namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return system_error(errno, path, "write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

/// Makes a rename in `directory` durable. Some file systems cannot sync directories: not an error.
void sync_directory(const std::string& directory) {
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid()) ::fsync(fd.get());
}

class AtomicFile final : public OutputFile {
 public:
  AtomicFile(int fd, std::string temporary, std::string path)
      : fd_(fd), temporary_(std::move(temporary)), path_(std::move(path)) {}
  ~AtomicFile() override {
    fd_.close();
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  Status write(std::string_view bytes) override { return write_all(fd_.get(), bytes, path_); }
  Status commit() override {
    if (::fsync(fd_.get()) != 0) return system_error(errno, path_, "write");
    fd_.close();
    if (::rename(temporary_.c_str(), path_.c_str()) != 0)
      return system_error(errno, path_, "write");
    temporary_.clear();
    sync_directory(parent_path(path_));
    return {};
  }

 private:
  Descriptor fd_;
  std::string temporary_;
  std::string path_;
};

class AppendFile final : public OutputFile {
 public:
  AppendFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  Status write(std::string_view bytes) override { return write_all(fd_.get(), bytes, path_); }
  Status commit() override {
    if (::fsync(fd_.get()) != 0) return system_error(errno, path_, "write");
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::regular;
  if (S_ISDIR(mode)) return FileKind::directory;
  if (S_ISLNK(mode)) return FileKind::symlink;
  return FileKind::other;
}

class SystemFiles final : public FileSystem {
 public:
  Result<std::string> read(const std::string& path, Bytes limit) override {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return system_error(errno, path, "read");
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return system_error(errno, path, "read");
    if (S_ISDIR(st.st_mode))
      return Error{Errc::bad_request, "This is a directory; name a file.", path};
    if (S_ISREG(st.st_mode) && st.st_size > limit.count) return too_large(path, limit);
    std::string content;
    // Pipes and /proc files have no size: read until the end in either case.
    std::size_t capacity = S_ISREG(st.st_mode) ? static_cast<std::size_t>(st.st_size) + 1 : 65536;
    std::size_t used = 0;
    while (true) {
      content.resize(std::max(capacity, used + 1));
      const ssize_t n = ::read(fd.get(), content.data() + used, content.size() - used);
      if (n < 0) {
        if (errno == EINTR) continue;
        return system_error(errno, path, "read");
      }
      if (n == 0) break;
      used += static_cast<std::size_t>(n);
      if (static_cast<std::int64_t>(used) > limit.count) return too_large(path, limit);
      if (used == content.size()) capacity = content.size() * 2;
    }
    content.resize(used);
    return content;
  }

  Result<std::string> read_from(const std::string& path, Bytes offset, Bytes limit) override {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return system_error(errno, path, "read");
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return system_error(errno, path, "read");
    const std::int64_t left = std::max<std::int64_t>(0, st.st_size - offset.count);
    std::string content(static_cast<std::size_t>(std::min(left, limit.count)), '\0');
    std::size_t used = 0;
    while (used < content.size()) {
      const ssize_t n = ::pread(fd.get(), content.data() + used, content.size() - used,
                                offset.count + static_cast<std::int64_t>(used));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error(errno, path, "read");
      if (n == 0) break;
      used += static_cast<std::size_t>(n);
    }
    content.resize(used);
    return content;
  }

  Result<std::unique_ptr<OutputFile>> create_atomic(const std::string& path) override {
    struct stat st {};
    // Replacing a link would leave its target behind; a device or pipe cannot be replaced at all.
    if (::stat(path.c_str(), &st) == 0) {
      if (S_ISDIR(st.st_mode))
        return Error{Errc::bad_request, "This is a directory; name a file to write.", path};
      if (!S_ISREG(st.st_mode)) return open_plain(path);
    }
    static std::atomic<unsigned> counter{0};
    const std::string temporary =
        fmt::format("{}.{}.{}.tmp", path, ::getpid(), counter.fetch_add(1));
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return system_error(errno, path, "create");
    return std::unique_ptr<OutputFile>(std::make_unique<AtomicFile>(fd, temporary, path));
  }

  Result<std::unique_ptr<OutputFile>> open_append(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return system_error(errno, path, "open");
    return std::unique_ptr<OutputFile>(std::make_unique<AppendFile>(fd, path));
  }

  Result<std::optional<FileInfo>> info(const std::string& path) override {
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::optional<FileInfo>{};
      return system_error(errno, path, "look at");
    }
    return std::optional<FileInfo>(FileInfo{
        kind_of(st.st_mode), Bytes{st.st_size},
        Nanoseconds{std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec}});
  }

  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) return system_error(errno, path, "list");
    std::vector<DirectoryEntry> entries;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      entries.push_back({std::string(name), entry_kind(path, *entry)});
    }
    ::closedir(dir);
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  Status make_directories(const std::string& path) override {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (!part.empty() && ::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST) {
        return system_error(errno, part, "create");
      }
      if (end == std::string::npos) break;
    }
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0 && !S_ISDIR(st.st_mode)) {
      return Error{Errc::bad_request,
                   "A file stands where a directory is needed; remove or rename it.", path};
    }
    return {};
  }

  Status remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0 && errno != ENOENT)
      return system_error(errno, path, "remove");
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) return system_error(errno, from, "rename");
    sync_directory(parent_path(to));
    return {};
  }

 private:
  static Error too_large(const std::string& path, Bytes limit) {
    return Error{Errc::too_large,
                 fmt::format("The file is larger than the {} bytes allowed here.", limit.count),
                 path};
  }

  static FileKind entry_kind(const std::string& directory, const dirent& entry) {
    switch (entry.d_type) {
      case DT_REG:
        return FileKind::regular;
      case DT_DIR:
        return FileKind::directory;
      case DT_LNK:
        return FileKind::symlink;
      case DT_UNKNOWN:
        break;
      default:
        return FileKind::other;
    }
    struct stat st {};
    const std::string path = directory + "/" + entry.d_name;
    return ::lstat(path.c_str(), &st) == 0 ? kind_of(st.st_mode) : FileKind::other;
  }

  /// Devices and pipes (/dev/stdout, a shell's process substitution): written in place.
  static Result<std::unique_ptr<OutputFile>> open_plain(const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return system_error(errno, path, "open");
    class PlainFile final : public OutputFile {
     public:
      PlainFile(int descriptor, std::string name) : fd_(descriptor), path_(std::move(name)) {}
      Status write(std::string_view bytes) override { return write_all(fd_.get(), bytes, path_); }
      Status commit() override { return {}; }

     private:
      Descriptor fd_;
      std::string path_;
    };
    return std::unique_ptr<OutputFile>(std::make_unique<PlainFile>(fd, path));
  }
};

}  // namespace

FileSystem& system_files() {
  static SystemFiles files;
  return files;
}

Status FileSystem::write_atomic(const std::string& path, std::string_view bytes) {
  NEUROLENS_ASSIGN(auto file, create_atomic(path));
  NEUROLENS_TRY(file->write(bytes));
  return file->commit();
}

Error system_error(int error_number, const std::string& path, std::string_view doing) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      if (doing == "create" || doing == "write" || doing == "open") {
        return {Errc::not_found, "The directory does not exist; create it first.", path};
      }
      return {Errc::not_found, "There is no such file; check the path.", path};
    case EACCES:
    case EPERM:
    case EROFS:
      return {Errc::permission_denied,
              fmt::format("You may not {} this; check its permissions.", doing), path};
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {Errc::no_space,
              "The disk is full (or a quota or size limit is reached); free space and try again.",
              path};
    default:
      return {Errc::io_error,
              fmt::format("Cannot {} this: {}.", doing, std::strerror(error_number)), path};
  }
}

std::string join_path(std::string_view base, std::string_view path) {
  if (base.empty() || path.starts_with('/')) return std::string(path);
  return base.ends_with('/') ? fmt::format("{}{}", base, path) : fmt::format("{}/{}", base, path);
}

std::string parent_path(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string_view file_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace neurolens
