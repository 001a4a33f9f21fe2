#include "measure/work_folder.hpp"

#include <stdlib.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "neurolens/base/file_system.hpp"

namespace neurolens::capture {

Result<WorkFolder> WorkFolder::make(const std::string& parent) {
  std::string pattern = parent;
  if (pattern.empty()) {
    const char* variable = std::getenv("TMPDIR");
    pattern = variable == nullptr || *variable == '\0' ? "/tmp" : variable;
  }
  pattern += "/neurolens-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr)
    return system_error(errno, pattern, "making a temporary folder");
  return WorkFolder(std::move(pattern));
}

WorkFolder::~WorkFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace neurolens::capture
