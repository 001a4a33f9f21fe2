#include "adapters/record/memory_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "adapters/record/address_space.hpp"
#include "adapters/record/profile_builder.hpp"

namespace neurolens::capture::record_detail {
namespace {

struct StackLine {
  std::uint64_t allocations = 0;
  std::int64_t bytes = 0, live_blocks = 0, live = 0, peak = 0;
  std::vector<std::uint64_t> addresses;
};

}  // namespace

MemoryFiles::~MemoryFiles() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Status MemoryFiles::prepare(const std::string& library) {
  std::vector<std::string> places;
  if (!library.empty()) {
    places.push_back(library);
  } else {
    std::error_code ignored;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
    for (const char* part :
         {"", "../lib", "../lib/x86_64-linux-gnu", "../lib64", "../..", "../../../.."}) {
      places.push_back((own / part / "libneurolens_memory.so").string());
    }
  }
  for (const std::string& place : places) {
    if (access(place.c_str(), R_OK) == 0) library_ = std::filesystem::absolute(place).string();
    if (!library_.empty()) break;
  }
  if (library_.empty()) {
    return Error{Errc::unavailable,
                 "Memory tracking needs libneurolens_memory.so beside this program or in its "
                 "../lib; it is part of "
                 "the build and of the installation.",
                 places[0]};
  }
  std::string pattern =
      (std::filesystem::temp_directory_path() / "neurolens_memory_XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return Error{Errc::io_error, "No temporary folder can be made; set TMPDIR to a writable one.",
                 pattern};
  }
  folder_ = pattern;
  return {};
}

std::vector<std::pair<std::string, std::string>> MemoryFiles::environment() const {
  std::string preload = library_;
  if (const char* before = std::getenv("LD_PRELOAD"); before != nullptr && *before != '\0') {
    preload += ":" + std::string(before);
  }
  return {{"LD_PRELOAD", preload}, {"NEUROLENS_MEMORY_OUT", folder_ + "/memory"}};
}

Result<MemoryProfile> MemoryFiles::read() {
  MemoryProfile profile;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    if (Status added = add_memory_text(text.str(), profile); !added.ok()) {
      return std::move(added).error().at(entry.path().string());
    }
    ++files;
  }
  if (files == 0) {
    return Error{Errc::unavailable,
                 "No memory record was left: the program is linked statically, or it was killed "
                 "before its end.",
                 ""};
  }
  std::stable_sort(
      profile.sites.begin(), profile.sites.end(),
      [](const MemorySite& a, const MemorySite& b) { return a.allocated > b.allocated; });
  return profile;
}

Status add_memory_text(const std::string& text, MemoryProfile& profile) {
  const Error damaged{Errc::invalid_document, "This memory record is cut off or damaged.", ""};
  std::istringstream in(text);
  std::string line, word;
  std::vector<StackLine> stacks;
  if (!std::getline(in, line) || line != "neurolens-memory 1") return damaged;
  bool maps_follow = false;
  while (!maps_follow && std::getline(in, line)) {
    std::istringstream fields(line);
    fields >> word;
    if (word == "total") {
      std::uint64_t allocations = 0, releases = 0;
      std::int64_t bytes = 0, live = 0, peak = 0;
      if (!(fields >> allocations >> releases >> bytes >> live >> peak)) return damaged;
      profile.allocations += allocations;
      profile.releases += releases;
      profile.allocated.count += bytes;
      profile.live_at_exit.count += live;
      profile.peak.count += peak;  // of several processes: a bound
    } else if (word == "stack") {
      StackLine s;
      if (!(fields >> s.allocations >> s.bytes >> s.live_blocks >> s.live >> s.peak))
        return damaged;
      for (std::uint64_t address = 0; fields >> std::hex >> address;)
        s.addresses.push_back(address);
      stacks.push_back(std::move(s));
    }
    maps_follow = word == "maps";
  }
  const std::string rest = in.eof() ? "" : text.substr(static_cast<std::size_t>(in.tellg()));
  if (!rest.ends_with("end\n")) return damaged;
  ModuleTable modules;
  AddressSpace space;
  space.read_maps(rest, modules);
  NameTable names(profile.modules, profile.functions);
  names.restore();
  for (const StackLine& s : stacks) {
    MemorySite site;
    site.allocations = s.allocations;
    site.allocated = Bytes{s.bytes};
    site.live = Bytes{s.live};
    site.peak = Bytes{s.peak};
    for (std::size_t i = s.addresses.size(); i-- > 0;) {
      const auto& named = names.names_of(space.find(s.addresses[i]));
      for (std::size_t k = named.size(); k-- > 0;) site.stack.push_back(named[k].function);
    }
    profile.sites.push_back(std::move(site));
  }
  return {};
}

}  // namespace neurolens::capture::record_detail
