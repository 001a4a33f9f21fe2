#include "neurolens/base/base64.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "neurolens/base/compress.hpp"

namespace neurolens {
namespace {

// RFC 4648, section 10.
TEST(Base64, KnowsTheVectorsOfTheStandard) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    const auto back = base64_decode(text);
    ASSERT_TRUE(back.ok()) << back.error();
    EXPECT_EQ(back.value(), bytes);
  }
}

TEST(Base64, EveryByteSurvivesAtEveryPlace) {
  std::string bytes;
  for (int i = 0; i < 256 * 3; ++i) bytes += static_cast<char>(i * 7);
  for (std::size_t n = 0; n < 20; ++n) {
    const std::string part = bytes.substr(n);
    EXPECT_EQ(base64_decode(base64_encode(part)).value(), part);
  }
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Zg=", "Z", "Zg==Zg==", "Zm9\n", "Zm 9", "====", "\xff\xff\xff\xff"}) {
    EXPECT_FALSE(base64_decode(text).ok()) << text;
  }
}

TEST(ZlibCompress, ShrinksWhatRepeats) {
  const std::string text(100'000, 'x');
  const std::string packed = zlib_compress(text, 1);
  EXPECT_LT(packed.size(), 1000U);
  EXPECT_EQ(packed[0], '\x78');  // RFC 1950: deflate with a window of 32 KiB
  EXPECT_FALSE(zlib_compress("", 6).empty());
}

/// What zlib's own reader makes of a stream, check sum included.
std::string inflated(const std::string& packed, std::size_t size) {
  std::string out(size + 1, '\0');
  uLongf length = out.size();
  const int status =
      uncompress(reinterpret_cast<Bytef*>(out.data()), &length,
                 reinterpret_cast<const Bytef*>(packed.data()), static_cast<uLong>(packed.size()));
  EXPECT_EQ(status, Z_OK);
  out.resize(length);
  return out;
}

// Shown red by leaving the sums of later pieces out.
TEST(ZlibCompress, PiecesMakeOneStream) {
  constexpr std::size_t kPiece = std::size_t{512} << 10;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kPiece - 1, kPiece, kPiece + 1, 3 * kPiece + 12'345}) {
    std::string text;
    std::uint32_t state = 7;
    while (text.size() < size) {
      state = state * 1664525U + 1013904223U;
      text += state >> 30U != 0 ? "the same words again, " : std::to_string(state);
    }
    text.resize(size);
    for (const int level : {1, 6}) {
      const std::string packed = zlib_compress_parallel(text, level);
      EXPECT_EQ(inflated(packed, size), text) << size;
      EXPECT_LT(packed.size(), zlib_compress(text, level).size() * 101 / 100 + 32) << size;
    }
  }
}

}  // namespace
}  // namespace neurolens
