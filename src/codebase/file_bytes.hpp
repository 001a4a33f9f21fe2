/// \file
/// The bytes of a file: read into a buffer that is reused from file to file, or mapped when large,
/// so that a file of gigabytes costs address space and not memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace neurolens::codebase {

class FileBytes {
 public:
  FileBytes() = default;
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  /// 0 or an errno. The view is valid until the next load or the end of this object.
  int load(const std::string& path);
  /// The same for a file below `root`. Files of one folder after the other cost least: the folder
  /// stays open until another one is read or leave_folder() is called.
  int load_below(const std::string& root, std::string_view path);
  void leave_folder();
  [[nodiscard]] std::string_view view() const { return view_; }

 private:
  int read_all(int fd);
  int map(int fd, std::size_t size);
  void unmap();
  std::unique_ptr<char[]> buffer_;
  std::size_t buffer_bytes_ = 0;
  std::string folder_;  ///< That folder_fd_ is of.
  int folder_fd_ = -1;
  std::string_view view_;
  void* map_ = nullptr;
  std::size_t map_bytes_ = 0;
};

}  // namespace neurolens::codebase
