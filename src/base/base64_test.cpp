#include "neurolens/base/base64.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace neurolens
