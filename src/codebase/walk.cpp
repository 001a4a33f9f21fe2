#include "neurolens/codebase/walk.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "ignore.hpp"
#include "neurolens/base/file_system.hpp"

namespace neurolens::codebase {
namespace {

struct Entry {
  std::string name;
  unsigned char type = DT_UNKNOWN;
};

class Walker {
 public:
  Walker(std::string root, const WalkOptions& options)
      : root_(std::move(root)), options_(options) {}

  Result<Walk> run() {
    struct stat status {};
    if (::stat(root_.c_str(), &status) != 0) return system_error(errno, root_, "reading");
    if (!S_ISDIR(status.st_mode)) {
      return Error{Errc::bad_request, "This is no directory; give the root of a source tree.",
                   root_};
    }
    std::vector<Entry> entries;
    if (const int error = list("", &entries); error != 0)
      return system_error(error, root_, "listing");
    if (options_.gitignore) add_above();
    std::string extra;
    for (const std::string& pattern : options_.exclude) extra += pattern + "\n";
    if (!extra.empty()) lists_.emplace_back("", extra);
    if (options_.follow_links) seen_.emplace(status.st_dev, status.st_ino);
    // Own stack instead of recursion: a tree may be deeper than the call stack.
    open(std::string(), std::move(entries));
    while (!stack_.empty()) {
      Level& level = stack_.back();
      if (level.next == level.entries.size()) {
        lists_.resize(level.lists_before, IgnoreList("", ""));
        stack_.pop_back();
        continue;
      }
      const Entry entry = std::move(level.entries[level.next++]);
      visit(level.prefix + entry.name, entry.type);
    }
    return std::move(walk_);
  }

 private:
  struct Level {
    std::string prefix;  ///< "" or ends in '/'.
    std::vector<Entry> entries;
    std::size_t next = 0;
    std::size_t lists_before = 0;
  };

  std::string absolute(const std::string& path) const {
    return path.empty() ? root_ : root_ + "/" + path;
  }

  int list(const std::string& path, std::vector<Entry>* entries) const {
    DIR* dir = ::opendir(absolute(path).c_str());
    if (dir == nullptr) return errno;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") entries->push_back({std::string(name), entry->d_type});
    }
    const int error = errno;
    ::closedir(dir);
    std::sort(entries->begin(), entries->end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return error;
  }

  void add_list(const std::string& base, const std::string& file) {
    auto text = system_files().read(file, Bytes{std::int64_t{16} << 20});
    if (!text.ok()) return;
    IgnoreList list(base, *text);
    if (!list.empty()) lists_.push_back(std::move(list));
  }

  // The .gitignore files above the root, up to the directory that holds .git.
  void add_above() {
    std::error_code ignored;
    char resolved[4096];
    if (::realpath(root_.c_str(), resolved) == nullptr) return;
    std::vector<std::string> above;
    std::string at = resolved;
    bool found = false;
    while (true) {
      struct stat status {};
      if (::stat((at + "/.git").c_str(), &status) == 0) {
        found = true;
        above.push_back(at);
        break;
      }
      above.push_back(at);
      const auto slash = at.rfind('/');
      if (slash == std::string::npos || slash == 0) break;
      at.resize(slash);
    }
    if (!found) return;
    prefix_above_ = std::string(resolved).substr(std::min(at.size() + 1, std::strlen(resolved)));
    if (!prefix_above_.empty()) prefix_above_ += '/';
    above_.clear();
    const std::string top = at;
    const auto add = [&](const std::string& base, const std::string& file) {
      auto text = system_files().read(file, Bytes{std::int64_t{16} << 20});
      if (text.ok()) above_.emplace_back(base, *text);
    };
    add("", top + "/.git/info/exclude");
    for (std::size_t i = above.size(); i-- > 1;) {
      const std::string below =
          above[i].size() > top.size() ? above[i].substr(top.size() + 1) + "/" : "";
      add(below, above[i] + "/.gitignore");
    }
  }

  void open(std::string prefix, std::vector<Entry> entries) {
    Level level{std::move(prefix), std::move(entries), 0, lists_.size()};
    for (const Entry& entry : level.entries) {
      if (entry.name == ".gitignore" && options_.gitignore)
        add_list(level.prefix, absolute(level.prefix + entry.name));
    }
    for (const Entry& entry : level.entries) {
      if (entry.name == ".neurolensignore")
        add_list(level.prefix, absolute(level.prefix + entry.name));
    }
    stack_.push_back(std::move(level));
  }

  bool ignored(const std::string& path, bool directory) const {
    for (std::size_t i = lists_.size(); i-- > 0;) {
      const IgnoreVerdict verdict = lists_[i].test(path, directory);
      if (verdict != IgnoreVerdict::none) return verdict == IgnoreVerdict::ignored;
    }
    if (above_.empty()) return false;
    const std::string full = prefix_above_ + path;
    for (std::size_t i = above_.size(); i-- > 0;) {
      const IgnoreVerdict verdict = above_[i].test(full, directory);
      if (verdict != IgnoreVerdict::none) return verdict == IgnoreVerdict::ignored;
    }
    return false;
  }

  // What the listing said, where that is all that is asked for; 0 when the file has to be asked.
  mode_t listed_mode(unsigned char type) const {
    if (options_.follow_links) return 0;
    if (type == DT_DIR) return S_IFDIR;
    if (type == DT_LNK) return S_IFLNK;
    return type == DT_REG && !options_.details ? S_IFREG : 0;
  }

  void visit(const std::string& path, unsigned char type) {
    struct stat status {};
    status.st_mode = listed_mode(type);
    if (status.st_mode == 0 && ::lstat(absolute(path).c_str(), &status) != 0) {
      walk_.unreadable.push_back({path, std::strerror(errno)});
      return;
    }
    if (S_ISLNK(status.st_mode)) {
      if (!options_.follow_links) {
        ++walk_.links;
        return;
      }
      if (::stat(absolute(path).c_str(), &status) != 0) {
        ++(errno == ELOOP ? walk_.loops : walk_.links);
        return;
      }
    }
    const bool directory = S_ISDIR(status.st_mode);
    if (!directory && !S_ISREG(status.st_mode)) return;
    const std::string_view name = file_name(path);
    if (directory &&
        (name == ".git" || name == ".hg" || name == ".svn" || name == ".bzr" || name == "CVS"))
      return;
    if (ignored(path, directory)) {
      ++walk_.ignored;
      return;
    }
    if (options_.follow_links && !seen_.emplace(status.st_dev, status.st_ino).second) {
      ++walk_.loops;
      return;
    }
    if (!directory) {
      const std::int64_t modified =
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
      walk_.files.push_back(
          {path, static_cast<std::uint64_t>(status.st_size), modified, status.st_ino});
      return;
    }
    std::vector<Entry> entries;
    if (const int error = list(path, &entries); error != 0) {
      walk_.unreadable.push_back({path, std::strerror(error)});
      return;
    }
    open(path + "/", std::move(entries));
  }

  std::string root_;
  const WalkOptions& options_;
  Walk walk_;
  std::vector<Level> stack_;
  std::vector<IgnoreList> lists_;
  std::vector<IgnoreList> above_;
  std::string prefix_above_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

Result<Walk> walk(const std::string& root, const WalkOptions& options) {
  std::string clean = root.empty() ? "." : root;
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  return Walker(clean, options).run();
}

}  // namespace neurolens::codebase
