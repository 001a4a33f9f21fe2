/// \file
/// ONNX Runtime's shared library, opened at run time. It stays open until the process ends:
/// unloading a library with threads of its own is not safe.
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_c_api.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::capture::ort {

/// Oldest version of the C API (1.N) that this adapter can work with.
inline constexpr std::uint32_t kOldestApi = 17;

/// Calls the release function that belongs to a handle.
template <class T>
using Handle = std::unique_ptr<T, void (*)(T*)>;

class Library {
 public:
  /// Opens `explicit_path`, or else the first that works of ${NEUROLENS_ORT_LIBRARY}, the
  /// dependency directory and the system's loader. A path that was asked for by name is never
  /// passed over. Errors: unavailable, with every place that was tried and the mend.
  static Result<std::shared_ptr<const Library>> open(const std::string& explicit_path);

  [[nodiscard]] const OrtApi& api() const { return *api_; }
  [[nodiscard]] std::uint32_t api_version() const { return api_version_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] OrtEnv* env() const { return env_; }
  [[nodiscard]] std::string build_info() const;
  [[nodiscard]] std::vector<std::string> providers() const;

  /// Ok for nullptr; otherwise `refused` with the runtime's own reason. Releases `status`.
  Status check(OrtStatus* status) const;
  /// What the runtime logged at severity error since the last call, newest last.
  [[nodiscard]] std::string take_log() const;

 private:
  Library() = default;
  static Result<std::shared_ptr<const Library>> open_at(const std::string& path);
  Status create_env();
  static void ORT_API_CALL log(void* self, OrtLoggingLevel severity, const char* category,
                               const char* id, const char* location, const char* message);

  const OrtApi* api_ = nullptr;
  OrtEnv* env_ = nullptr;
  std::uint32_t api_version_ = 0;
  std::string version_;
  std::string path_;
  mutable std::mutex log_mutex_;
  mutable std::string log_;
};

}  // namespace neurolens::capture::ort
