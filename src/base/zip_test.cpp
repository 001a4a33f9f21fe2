#include "neurolens/base/zip.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "neurolens/base/random.hpp"

namespace neurolens {
namespace {

std::vector<ZipMember> sample() {
  std::string noise;
  Random random(1);
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(random.below(256));
  return {{"run.json", std::string(20'000, 'x') + "end"}, {"a/noise.bin", noise}, {"empty", ""}};
}

std::string archive() {
  return zip_write(sample()).value();
}

/// `bytes` with the first (or `from`-th) occurrence of `what` replaced by as many other bytes.
std::string replaced(std::string bytes, const std::string& what, const std::string& by,
                     bool everywhere = true) {
  for (auto at = bytes.find(what); at != std::string::npos; at = bytes.find(what, at + 1)) {
    bytes.replace(at, what.size(), by);
    if (!everywhere) break;
  }
  return bytes;
}

TEST(Zip, ReadsWhatItWrote) {
  const auto members = zip_read(archive());
  ASSERT_TRUE(members.ok()) << members.error();
  ASSERT_EQ(members->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*members)[i].name, sample()[i].name);
    EXPECT_EQ((*members)[i].bytes, sample()[i].bytes);
  }
  EXPECT_LT(archive().size(), 7000U);  // 20 kB of x are packed, noise is stored
  EXPECT_EQ(archive(), archive());
  EXPECT_TRUE(zip_read(zip_write({}).value())->empty());
}

// The judge is a program of other people; skipped where it is not installed.
TEST(Zip, OtherProgramsReadIt) {
  if (std::system("unzip -v > /dev/null 2>&1") != 0) GTEST_SKIP() << "unzip is not installed";
  const auto path = std::filesystem::temp_directory_path() / "neurolens_zip_test.zip";
  std::ofstream(path, std::ios::binary) << archive();
  EXPECT_EQ(std::system(("unzip -tqq " + path.string() + " > /dev/null").c_str()), 0);
  std::filesystem::remove(path);
}

TEST(Zip, RefusesNamesThatLeaveTheFolder) {
  for (const char* name : {"/etc/pass", "../../../x", "a/../../b.c", "a\\..\\b.exe", "C:/b/c.exe",
                           "a//bcdefg", "./abcdefg", "new\nline.x"}) {
    const std::string good = "0123456789";
    const std::string bad = (std::string(name) + "xxxxxxxxxx").substr(0, 10);
    const auto made = zip_write(std::vector<ZipMember>{{good, "content"}});
    const auto read = zip_read(replaced(*made, good, bad));
    ASSERT_FALSE(read.ok()) << name;
    EXPECT_EQ(read.error().code, Errc::invalid_document) << read.error();
    EXPECT_EQ(zip_write(std::vector<ZipMember>{{bad, ""}}).error().code, Errc::bad_request);
  }
}

TEST(Zip, RefusesTwins) {
  const auto made = zip_write(std::vector<ZipMember>{{"first", "1"}, {"other", "2"}});
  EXPECT_EQ(zip_read(replaced(*made, "other", "first")).error().code, Errc::invalid_document);
}

TEST(Zip, RefusesBombs) {
  const auto bomb =
      zip_write(std::vector<ZipMember>{{"bomb", std::string(std::size_t{8} << 20, '0')}});
  EXPECT_LT(bomb->size(), 20'000U);
  EXPECT_EQ(zip_read(*bomb).error().code, Errc::too_large);
  ZipLimits loose;
  loose.most_ratio = 1e9;
  EXPECT_TRUE(zip_read(*bomb, loose).ok());
  loose.most_bytes = Bytes{1 << 20};
  EXPECT_EQ(zip_read(*bomb, loose).error().code, Errc::too_large);
  ZipLimits few;
  few.most_members = 2;
  EXPECT_EQ(zip_read(archive(), few).error().code, Errc::too_large);
}

// The directory of a bomb of the overlapping kind points several names at one content.
TEST(Zip, RefusesMembersThatOverlap) {
  auto made = zip_write(
      std::vector<ZipMember>{{"aa", std::string(100, 'x')}, {"bb", std::string(100, 'x')}});
  std::string bytes = *made;
  const auto second = bytes.rfind("bb");
  const auto entry = second - 46;  // its directory entry; the offset of the content stands at 42
  for (int i = 0; i < 4; ++i) bytes[entry + 42 + static_cast<std::size_t>(i)] = '\0';
  EXPECT_FALSE(zip_read(bytes).ok());
}

TEST(Zip, FindsDamageAnywhere) {
  const std::string good = archive();
  std::size_t changed = 0;
  for (std::size_t at = 0; at < good.size(); at += 3) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    const auto read = zip_read(bad);
    if (read.ok()) {  // times and attributes mean nothing here; contents must be untouched
      ASSERT_EQ(read->size(), 3U) << at;
      for (std::size_t i = 0; i < 3; ++i) ASSERT_EQ((*read)[i].bytes, sample()[i].bytes) << at;
    } else {
      ++changed;
    }
  }
  EXPECT_GT(changed, good.size() / 3 * 9 / 10);
  for (std::size_t keep = 0; keep < good.size(); keep += 7)
    EXPECT_FALSE(zip_read(good.substr(0, keep)).ok()) << keep;
}

}  // namespace
}  // namespace neurolens
