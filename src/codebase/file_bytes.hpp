/// \file
/// The bytes of a file: read into a buffer that is reused from file to file, or mapped when large,
/// so that a file of gigabytes costs address space and not memory.
#pragma once

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
  [[nodiscard]] std::string_view view() const { return view_; }

 private:
  void unmap();
  std::string buffer_;
  std::string_view view_;
  void* map_ = nullptr;
  std::size_t map_bytes_ = 0;
};

}  // namespace neurolens::codebase
