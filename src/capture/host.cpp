#include "neurolens/capture/host.hpp"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <set>

#include "neurolens/base/text.hpp"

namespace neurolens::capture {
namespace {

class Reader {
 public:
  Reader(FileSystem& files, std::string root) : files_(files), root_(std::move(root)) {}
  [[nodiscard]] std::optional<std::string> text(const std::string& path) const {
    auto content = files_.read(root_ + path, Bytes{1 << 24});
    if (!content.ok()) return std::nullopt;
    return std::string(trim(content.value()));
  }
  [[nodiscard]] std::optional<std::int64_t> number(const std::string& path) const {
    const auto content = text(path);
    return content ? parse(*content) : std::nullopt;
  }
  static std::optional<std::int64_t> parse(std::string_view digits) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end == digits.data()) return std::nullopt;
    return value;
  }
  [[nodiscard]] FileSystem& files() const { return files_; }
  [[nodiscard]] std::string at(const std::string& path) const { return root_ + path; }

 private:
  FileSystem& files_;
  std::string root_;
};

/// "key : value" lines; the first of each key wins, all are in `all`.
struct CpuInfo {
  std::map<std::string, std::string> first;
  std::set<std::string> cores;  // "physical id/core id"
  std::int64_t logical = 0;
};

CpuInfo read_cpuinfo(const Reader& reader) {
  CpuInfo out;
  const auto text = reader.text("/proc/cpuinfo");
  if (!text) return out;
  std::string package;
  std::string core;
  for (const auto line : split(*text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string key(trim(line.substr(0, colon)));
    const std::string value(trim(line.substr(colon + 1)));
    out.first.emplace(key, value);
    if (key == "processor") ++out.logical;
    if (key == "physical id") package = value;
    if (key == "core id") out.cores.insert(package + "/" + value);
  }
  return out;
}

std::optional<std::string> simd_level(const CpuInfo& info) {
  const auto found = info.first.find("flags");
  if (found == info.first.end()) {
    const auto arm = info.first.find("Features");
    if (arm == info.first.end()) return std::nullopt;
    return arm->second.find("sve") != std::string::npos ? "sve" : "neon";
  }
  const auto words = split(found->second, ' ');
  const auto has = [&](std::string_view flag) {
    return std::find(words.begin(), words.end(), flag) != words.end();
  };
  if (has("avx512f") && has("avx512bw") && has("avx512vl") && has("avx512dq")) return "avx512";
  if (has("avx2") && has("fma")) return "avx2";
  if (has("avx")) return "avx";
  if (has("sse4_2")) return "sse4";
  return "sse2";
}

/// "96K", "2M" -> bytes.
std::optional<std::int64_t> size_of(std::string_view text) {
  const auto value = Reader::parse(text);
  if (!value || text.empty()) return std::nullopt;
  switch (text.back()) {
    case 'K':
      return *value << 10;
    case 'M':
      return *value << 20;
    case 'G':
      return *value << 30;
    default:
      return value;
  }
}

std::vector<run::Cache> read_caches(const Reader& reader, std::int64_t logical) {
  std::map<std::pair<std::int64_t, std::string>, run::Cache> caches;
  std::set<std::string> seen;
  for (std::int64_t cpu = 0; cpu < logical; ++cpu) {
    for (int index = 0; index < 8; ++index) {
      const std::string dir = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index" +
                              std::to_string(index) + "/";
      const auto level = reader.number(dir + "level");
      auto type = reader.text(dir + "type");
      const auto size = reader.text(dir + "size");
      if (!level || !type || !size || !size_of(*size)) break;
      std::transform(type->begin(), type->end(), type->begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const std::string shared = reader.text(dir + "shared_cpu_list").value_or(std::to_string(cpu));
      if (!seen.insert(std::to_string(*level) + *type + shared).second) continue;
      auto& cache = caches[{*level, *type}];
      cache.level = *level;
      cache.type = *type;
      cache.size_bytes = *size_of(*size);
      cache.instances = cache.instances.value_or(0) + 1;
    }
  }
  std::vector<run::Cache> out;
  for (auto& [key, cache] : caches) out.push_back(std::move(cache));
  return out;
}

std::optional<std::int64_t> memory_total(const Reader& reader) {
  const auto text = reader.text("/proc/meminfo");
  if (!text) return std::nullopt;
  for (const auto line : split(*text, '\n')) {
    if (line.rfind("MemTotal:", 0) != 0) continue;
    const auto kib = Reader::parse(trim(line.substr(9)));
    return kib ? std::optional(*kib << 10) : std::nullopt;
  }
  return std::nullopt;
}

std::string pretty_os(const Reader& reader) {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    const auto text = reader.text(path);
    if (!text) continue;
    for (const auto line : split(*text, '\n')) {
      if (line.rfind("PRETTY_NAME=", 0) != 0) continue;
      auto value = line.substr(12);
      if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
      return std::string(value);
    }
  }
  return "Linux";
}

std::optional<std::string> hypervisor(const Reader& reader) {
  if (auto type = reader.text("/sys/hypervisor/type"); type && !type->empty()) return type;
  const auto vendor = reader.text("/sys/class/dmi/id/sys_vendor");
  if (!vendor) return std::nullopt;
  for (const char* known : {"QEMU", "VMware", "Xen", "Microsoft", "Google", "Amazon", "innotek"}) {
    if (vendor->find(known) != std::string::npos) return vendor;
  }
  return std::nullopt;
}

std::optional<std::vector<std::int64_t>> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return std::nullopt;
  std::vector<std::int64_t> out;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) out.push_back(cpu);
  }
  return out;
}

std::optional<std::int64_t> current_frequency(const Reader& reader, const CpuInfo& info) {
  if (auto khz = reader.number("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")) {
    return *khz * 1000;
  }
  const auto mhz = info.first.find("cpu MHz");
  if (mhz == info.first.end()) return std::nullopt;
  const double value = std::strtod(mhz->second.c_str(), nullptr);
  return value > 0 ? std::optional(static_cast<std::int64_t>(value * 1e6)) : std::nullopt;
}

void read_processor(const Reader& reader, run::Host& host) {
  const CpuInfo info = read_cpuinfo(reader);
  const auto get = [&](const char* key) -> std::optional<std::string> {
    const auto found = info.first.find(key);
    return found == info.first.end() ? std::nullopt : std::optional(found->second);
  };
  host.cpu_model = get("model name").value_or(get("Hardware").value_or("unknown"));
  host.cpu_vendor = get("vendor_id");
  if (!info.cores.empty()) host.cores_physical = static_cast<std::int64_t>(info.cores.size());
  host.cores_logical = std::max<std::int64_t>(
      1,
      info.logical > 0 ? info.logical : static_cast<std::int64_t>(sysconf(_SC_NPROCESSORS_ONLN)));
  host.simd_level = simd_level(info);
  host.frequency_hz = current_frequency(reader, info);
  host.caches = read_caches(reader, host.cores_logical);
  if (const auto flags = get("flags")) {
    host.virtualised = (" " + *flags + " ").find(" hypervisor ") != std::string::npos;
  }
}

}  // namespace

std::string dependency_directory() {
  const auto env = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
  };
  if (auto deps = env("NEUROLENS_DEPS"); !deps.empty()) return deps;
  if (auto cache = env("XDG_CACHE_HOME"); !cache.empty()) return cache + "/neurolens";
  const auto home = env("HOME");
  return home.empty() ? std::string() : home + "/.cache/neurolens";
}

Host read_host(const HostSources& sources, FileSystem& files) {
  const Reader reader(files, sources.root);
  Host out;
  run::Host& host = out.facts;
  utsname names{};
  if (uname(&names) == 0) {
    host.name = names.nodename;
    host.architecture = names.machine;
    host.kernel = names.release;
  }
  read_processor(reader, host);
  host.cores_used = allowed_cores();
  host.memory_bytes = memory_total(reader);
  host.os = pretty_os(reader);
  host.governor = reader.text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (auto khz = reader.number("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")) {
    host.frequency_max_hz = *khz * 1000;
  }
  host.hypervisor = hypervisor(reader);
  if (host.hypervisor) host.virtualised = true;
  out.dependency_directory = dependency_directory();
  return out;
}

}  // namespace neurolens::capture
