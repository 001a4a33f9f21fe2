// A file in memory without reading it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens::nn {

class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::string_view bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace neurolens::nn
