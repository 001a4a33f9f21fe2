#include "fact_cache.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "neurolens/base/random.hpp"
#include "neurolens/codebase/walk.hpp"

namespace neurolens::codebase {
namespace {

namespace fs = std::filesystem;

class FactCacheTree : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("neurolens_cache_" + std::to_string(::getpid()));
    fs::remove_all(root_);
    fs::create_directories(root_ / "tree");
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    const fs::path full = root_ / "tree" / path;
    fs::create_directories(full.parent_path());
    fs::remove(full);
    std::ofstream(full, std::ios::binary) << text;
  }
  Walk walked() { return *walk((root_ / "tree").string(), {}); }
  std::string cache() const { return (root_ / "facts").string(); }

  struct Outcome {
    std::uint64_t read = 0, cached = 0, code = 0, functions = 0;
    bool operator==(const Outcome&) const = default;
  };
  Outcome collect(std::size_t slice, const std::string& cache_file, FactsWanted wanted = {}) {
    const Walk tree = walked();
    FactCollector collector((root_ / "tree").string(), wanted, 2, cache_file);
    Outcome all;
    for (std::size_t first = 0; first < tree.files.size(); first += slice) {
      const std::span<const WalkedFile> files(tree.files);
      const auto table =
          collector.collect(files.subspan(first, std::min(slice, files.size() - first)), 0, {});
      EXPECT_TRUE(table.ok());
      all.read += table->read;
      all.cached += table->cached;
      for (const FileFacts& f : table->facts) {
        all.code += f.measured.lines.code;
        all.functions += f.measured.functions.size();
      }
    }
    EXPECT_TRUE(collector.finish().ok());
    return all;
  }

  fs::path root_;
};

TEST_F(FactCacheTree, TheWalkIsInTheOrderThatTheCacheCountsOn) {
  for (const char* path :
       {"a/b.c", "a.c", "a-b.c", "a/c/d.c", "a/c.c", "A.c", "\xc3\xa9/x.c", "z.c", "a/c-d.c"})
    put(path, "int x;\n");
  const Walk tree = walked();
  ASSERT_EQ(tree.files.size(), 9u);
  for (std::size_t i = 1; i < tree.files.size(); ++i) {
    EXPECT_TRUE(walks_before(tree.files[i - 1].path, tree.files[i].path)) << tree.files[i].path;
    EXPECT_FALSE(walks_before(tree.files[i].path, tree.files[i - 1].path));
  }
}

// Twenty rounds of random changes; every round must open exactly what changed and find what a fresh
// reading finds, whatever the slices.
TEST_F(FactCacheTree, RandomChangesAreReadAndNothingElse) {
  Random random(5);
  std::map<std::string, std::string> files;
  std::size_t stamp = 0;
  const auto fresh_text = [&] {
    ++stamp;
    return "int f" + std::to_string(stamp) + "() { return 1; }\n" + std::string(stamp % 7, '\n');
  };
  const auto some_path = [&] {
    const std::string folders[] = {"", "a/", "a/b/", "a-b/", "b/"};
    return folders[random.below(5)] + "f" + std::to_string(random.below(30)) + ".c";
  };
  for (int round = 0; round < 20; ++round) {
    std::uint64_t changed = 0;
    std::map<std::string, std::string> next = files;
    for (std::uint64_t i = random.below(12); i > 0; --i) {
      const std::string path = some_path();
      if (random.below(3) == 0) {
        next.erase(path);
      } else {
        next[path] = fresh_text();
      }
    }
    for (const auto& [path, text] : files) {
      if (next.count(path) == 0) fs::remove(root_ / "tree" / path);
    }
    for (const auto& [path, text] : next) {
      if (files.count(path) != 0 && files[path] == text) continue;
      put(path, text);
      ++changed;
    }
    files = std::move(next);
    const Outcome with = collect(1 + random.below(9), cache());
    EXPECT_EQ(with.read, changed) << "round " << round;
    EXPECT_EQ(with.cached, files.size() - changed);
    const Outcome without = collect(1000, "");
    EXPECT_EQ(with.code, without.code);
    EXPECT_EQ(with.functions, without.functions);
  }
}

TEST_F(FactCacheTree, NothingIsWrittenWhenNothingChanged) {
  for (int i = 0; i < 9; ++i) put("f" + std::to_string(i) + ".c", "int x;\n");
  collect(2, cache());
  const auto written_at = [&] { return fs::last_write_time(cache()); };
  fs::last_write_time(cache(), fs::file_time_type::clock::now() - std::chrono::hours(1));
  const auto before = written_at();
  EXPECT_EQ(collect(4, cache()).cached, 9u);
  EXPECT_EQ(written_at(), before);
  fs::remove(root_ / "tree" / "f8.c");  // the last one: only its absence tells
  EXPECT_EQ(collect(4, cache()).cached, 8u);
  EXPECT_NE(written_at(), before);
}

TEST_F(FactCacheTree, ACacheWithMoreFactsServesAndIsKeptUp) {
  put("a.c", "#include \"b.h\"\n");
  put("b.c", "int x;\n");
  collect(9, cache(), {true, true});
  put("b.c", "#include \"c.h\"\n");
  EXPECT_EQ(collect(9, cache(), {true, false}).read, 1u);
  EXPECT_EQ(collect(9, cache(), {true, true}).read, 0u);
  // One with fewer facts does not.
  fs::remove(cache());
  collect(9, cache(), {true, false});
  EXPECT_EQ(collect(9, cache(), {true, true}).read, 2u);
}

TEST_F(FactCacheTree, EveryDamagedByteMakesItCountAsEmpty) {
  for (int i = 0; i < 3; ++i) put("f" + std::to_string(i) + ".c", "int f() { return 1; }\n");
  collect(9, cache());
  std::string bytes;
  {
    std::ifstream in(cache(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (std::size_t i = 0; i < bytes.size(); i += 5) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x11);
    std::ofstream(cache(), std::ios::binary) << damaged;
    EXPECT_EQ(collect(9, cache()).read, 3u) << "byte " << i;
  }
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    std::ofstream(cache(), std::ios::binary) << bytes.substr(0, size);
    EXPECT_EQ(collect(9, cache()).read, 3u) << size << " bytes";
  }
}

}  // namespace
}  // namespace neurolens::codebase
