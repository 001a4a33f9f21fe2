/// \file
/// Files as an interface: rooms that keep data take a FileSystem, so that tests can tear writes,
/// flip bits and fill the disk. Paths are UTF-8 strings with '/' as separator. Every error names
/// its path in `Error::where`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens {

/// A file open for writing. Closing without commit() (atomic files) or at destruction discards.
class OutputFile {
 public:
  virtual ~OutputFile() = default;
  /// Appends all of `bytes`. Errors: io_error, no_space; after an error the file is unusable.
  virtual Status write(std::string_view bytes) = 0;
  /// Flushes, makes the content durable and, for an atomic file, visible under its name. Once.
  virtual Status commit() = 0;
};

/// What a name stands for.
enum class FileKind : std::uint8_t { regular, directory, symlink, other };

/// Facts about a file.
struct FileInfo {
  FileKind kind = FileKind::regular;
  Bytes size;
  Nanoseconds modified;  ///< Wall clock, since 1970.
};

/// One name in a directory.
struct DirectoryEntry {
  std::string name;  ///< Without the directory.
  FileKind kind = FileKind::regular;
};

/// The operations that neurolens needs of a file system. Implementations are thread-safe.
/// Errors of every call: not_found, permission_denied, no_space, io_error.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// The whole content. Errors besides: too_large when the file exceeds `limit`; bad_request when
  /// the path names a directory.
  [[nodiscard]] virtual Result<std::string> read(const std::string& path,
                                                 Bytes limit = Bytes{std::int64_t{1} << 40}) = 0;
  /// The bytes from `offset` on, at most `limit` of them; fewer at the end of the file, none beyond
  /// it.
  [[nodiscard]] virtual Result<std::string> read_from(const std::string& path, Bytes offset,
                                                      Bytes limit) = 0;
  /// A file that appears under `path` at commit() and not before: written to a temporary file in
  /// the same directory, synced, renamed. A kill at any moment leaves the old file or the new one.
  [[nodiscard]] virtual Result<std::unique_ptr<OutputFile>> create_atomic(
      const std::string& path) = 0;
  /// A file that grows at its end (created when absent); commit() syncs and may be called
  /// repeatedly.
  [[nodiscard]] virtual Result<std::unique_ptr<OutputFile>> open_append(
      const std::string& path) = 0;
  /// Follows symbolic links. nullopt when there is no such file.
  [[nodiscard]] virtual Result<std::optional<FileInfo>> info(const std::string& path) = 0;
  /// Entries in lexical order, without "." and "..". Links are reported, not followed.
  [[nodiscard]] virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
  /// Makes a directory and its parents; present is success.
  virtual Status make_directories(const std::string& path) = 0;
  /// Removes a file or an empty directory; absent is success.
  virtual Status remove(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;

  /// create_atomic + write + commit.
  Status write_atomic(const std::string& path, std::string_view bytes);
};

/// The machine's file system. Lives as long as the process.
[[nodiscard]] FileSystem& system_files();

/// An Error for a failed system call on `path`: code from `error_number`, a sentence with its mend.
[[nodiscard]] Error system_error(int error_number, const std::string& path, std::string_view doing);

/// `path` with a relative part resolved against `base` when it is relative.
[[nodiscard]] std::string join_path(std::string_view base, std::string_view path);
/// The directory part; "." when there is none.
[[nodiscard]] std::string parent_path(std::string_view path);
/// The last part.
[[nodiscard]] std::string_view file_name(std::string_view path);

}  // namespace neurolens
