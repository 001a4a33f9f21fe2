#include "adapters/onnxruntime/library.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"

namespace neurolens::capture::ort {
namespace {

constexpr const char* kMend =
    "Run scripts/setup_onnxruntime, or name the library with --ort-library or "
    "NEUROLENS_ORT_LIBRARY.";
constexpr std::size_t kLogLimit = 4096;

/// Libraries below DEPS/onnxruntime, newest version first.
std::vector<std::string> cached_libraries() {
  std::vector<std::string> out;
  const std::string deps = dependency_directory();
  if (deps.empty()) return out;
  const std::string folder = deps + "/onnxruntime";
  const auto entries = system_files().list(folder);
  if (!entries.ok()) return out;
  for (const auto& entry : entries.value()) {
    const std::string path = folder + "/" + entry.name + "/libonnxruntime.so.1";
    if (access(path.c_str(), R_OK) == 0) out.push_back(path);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string resolved(void* symbol, const std::string& fallback) {
  Dl_info info{};
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return fallback;
  std::error_code error;
  const auto real = std::filesystem::canonical(info.dli_fname, error);
  return error ? std::string(info.dli_fname) : real.string();
}

}  // namespace

void ORT_API_CALL Library::log(void* self, OrtLoggingLevel severity, const char* /*category*/,
                               const char* /*id*/, const char* /*location*/, const char* message) {
  if (severity < ORT_LOGGING_LEVEL_ERROR || message == nullptr) return;
  const auto* library = static_cast<const Library*>(self);
  const std::lock_guard lock(library->log_mutex_);
  if (library->log_.size() < kLogLimit) library->log_ += std::string(message) + "\n";
}

Result<std::shared_ptr<const Library>> Library::open(const std::string& explicit_path) {
  // One environment per library and process: the runtime keeps global state behind it.
  static std::mutex mutex;
  static std::vector<std::pair<std::string, std::shared_ptr<const Library>>> opened;
  const std::lock_guard lock(mutex);

  std::vector<std::string> candidates;
  const char* variable = std::getenv("NEUROLENS_ORT_LIBRARY");
  if (!explicit_path.empty()) {
    candidates = {explicit_path};
  } else if (variable != nullptr && *variable != '\0') {
    candidates = {variable};
  } else {
    candidates = cached_libraries();
    for (const char* name :
         {"libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.so.1.21"}) {
      candidates.emplace_back(name);
    }
  }
  Error last{Errc::unavailable, {}, {}};
  for (const auto& candidate : candidates) {
    for (const auto& [path, library] : opened) {
      if (path == candidate) return library;
    }
    auto library = open_at(candidate);
    if (library.ok()) {
      opened.emplace_back(candidate, library.value());
      return library;
    }
    if (last.message.empty()) last = library.error();
  }
  if (explicit_path.empty() && (variable == nullptr || *variable == '\0')) {
    return Error{
        Errc::unavailable, fmt::format("No ONNX Runtime library was found. {}", kMend), {}};
  }
  return last;
}

Result<std::shared_ptr<const Library>> Library::open_at(const std::string& path) {
  const auto unavailable = [&](std::string sentence) {
    return Error{Errc::unavailable, std::move(sentence), path};
  };
  std::error_code error;
  if (path.find('/') != std::string::npos && std::filesystem::is_directory(path, error)) {
    return unavailable(
        "This is a directory, not the ONNX Runtime library itself; name the file "
        "libonnxruntime.so.");
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return unavailable(fmt::format("The library cannot be loaded ({}). {}",
                                   printable(reason == nullptr ? "no reason given" : reason),
                                   kMend));
  }
  void* symbol = dlsym(handle, "OrtGetApiBase");
  if (symbol == nullptr) {
    dlclose(handle);
    return unavailable(
        "This library is not ONNX Runtime (it lacks OrtGetApiBase). Name libonnxruntime.so.");
  }
  const auto* base = reinterpret_cast<const OrtApiBase* (*)()>(symbol)();
  std::shared_ptr<Library> out(new Library);
  out->version_ = base->GetVersionString();
  out->path_ = resolved(symbol, path);
  // An older library answers nullptr for (and may complain about) a version that it does not know.
  std::uint32_t highest = ORT_API_VERSION;
  const auto parts = split(out->version_, '.');
  if (parts.size() >= 2) {
    const auto minor =
        static_cast<std::uint32_t>(std::strtoul(std::string(parts[1]).c_str(), nullptr, 10));
    highest = std::min(highest, std::max(minor, 1U));
  }
  for (std::uint32_t version = highest; version >= kOldestApi && out->api_ == nullptr; --version) {
    out->api_ = base->GetApi(version);
    out->api_version_ = version;
  }
  if (out->api_ == nullptr) {
    return unavailable(fmt::format("ONNX Runtime {} is too old; 1.{} or newer is needed. {}",
                                   out->version_, kOldestApi, kMend));
  }
  NEUROLENS_TRY(out->create_env());
  return std::shared_ptr<const Library>(out);
}

Status Library::create_env() {
  NEUROLENS_TRY(check(api_->CreateEnvWithCustomLogger(&Library::log, this, ORT_LOGGING_LEVEL_ERROR,
                                                      "neurolens", &env_)));
  return check(api_->DisableTelemetryEvents(env_));
}

Status Library::check(OrtStatus* status) const {
  if (status == nullptr) return {};
  std::string reason = to_valid_utf8(api_->GetErrorMessage(status));
  api_->ReleaseStatus(status);
  if (reason.empty()) reason = "the runtime gave no reason";
  return Error{Errc::refused, std::move(reason), {}};
}

std::string Library::take_log() const {
  const std::lock_guard lock(log_mutex_);
  return std::exchange(log_, {});
}

std::string Library::build_info() const {
  const char* text = api_->GetBuildInfoString();
  return text == nullptr ? std::string() : to_valid_utf8(text);
}

std::vector<std::string> Library::providers() const {
  std::vector<std::string> out;
  char** names = nullptr;
  int count = 0;
  if (!check(api_->GetAvailableProviders(&names, &count)).ok()) return out;
  for (int i = 0; i < count; ++i) out.emplace_back(names[i]);
  (void)check(api_->ReleaseAvailableProviders(names, count));
  return out;
}

}  // namespace neurolens::capture::ort
