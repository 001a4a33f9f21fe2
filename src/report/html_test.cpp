#include "neurolens/report/html.hpp"

#include <gtest/gtest.h>

#include "neurolens/base/base64.hpp"
#include "neurolens/base/compress.hpp"

namespace neurolens::report {
namespace {

std::string page_of(std::string_view document) {
  auto page = html_page(document);
  EXPECT_TRUE(page.ok()) << page.error();
  return std::move(page).value_or("");
}

/// What stands in the element with this id.
std::string inside(const std::string& page, const std::string& id) {
  const auto mark = page.find("id=\"" + id + "\"");
  if (mark == std::string::npos) return "";
  const auto begin = page.find('>', mark) + 1;
  return page.substr(begin, page.find("</script>", begin) - begin);
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

class HtmlPage : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_page()) GTEST_SKIP() << "the page was not built: npm is missing";
  }
};

TEST_F(HtmlPage, EmbedsASmallDocumentAsItIs) {
  EXPECT_EQ(inside(page_of(R"({"a": 1})"), "neurolens-document"), R"({"a": 1})");
}

TEST_F(HtmlPage, NothingFromTheDocumentBecomesMarkup) {
  const std::string empty = page_of("{}");
  const std::string hostile = page_of(
      R"({"name": "</script><script>alert(1)</script><!--<script><img src=x onerror=alert(1)>"})");
  EXPECT_EQ(count(hostile, "<"), count(empty, "<"));
  EXPECT_NE(inside(hostile, "neurolens-document").find("\\u003c/script>"), std::string::npos);
}

TEST_F(HtmlPage, TalksToNobody) {
  const std::string page = page_of("{}");
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("connect-src 'none'"), std::string::npos);
  EXPECT_EQ(page.find("src=\"http"), std::string::npos);
  EXPECT_EQ(page.find("unsafe-"), std::string::npos);
  const auto served = served_page();
  ASSERT_TRUE(served.ok());
  EXPECT_NE(served->find("connect-src 'self'"), std::string::npos);
  EXPECT_EQ(served->find("connect-src 'none'"), std::string::npos);
}

TEST_F(HtmlPage, MovesLargeBase64IntoDeflatedBlocks) {
  const std::string bytes(100'000, '\x07');
  const std::string page =
      page_of("{\"x\": {\"data\": \"" + base64_encode(bytes) + "\"}, \"y\": 2}");
  EXPECT_EQ(inside(page, "neurolens-document"), R"({"x": {"data": "@0"}, "y": 2})");
  EXPECT_EQ(inside(page, "neurolens-block-0"), base64_encode(zlib_compress_parallel(bytes, 1)));
  EXPECT_LT(page.find("</main>"), page.find("neurolens-block-0"));
}

TEST_F(HtmlPage, LeavesCompressedFilesAlone) {
  std::string noise;
  std::uint64_t x = 1;
  for (int i = 0; i < 40'000; ++i)
    noise += static_cast<char>((x = x * 6364136223846793005U + 1) >> 56U);
  const std::string file = base64_encode(zstd_compress(noise));
  EXPECT_EQ(inside(page_of("[\"" + file + "\"]"), "neurolens-block-0"), file);
}

TEST_F(HtmlPage, LargeTextThatIsNotBase64Stays) {
  const std::string name(20'000, 'a');
  const std::string odd = name + "\\\"!";
  const std::string page = page_of("[\"" + odd + "\"]");
  EXPECT_EQ(inside(page, "neurolens-document"), "[\"" + odd + "\"]");
}

TEST_F(HtmlPage, DeflatesALargeDocument) {
  std::string document = "[";
  for (int i = 0; i < 20'000; ++i) document += "\"<name " + std::to_string(i) + ">\",";
  document += "0]";
  const std::string page = page_of(document);
  EXPECT_EQ(inside(page, "neurolens-document"), base64_encode(zlib_compress_parallel(document, 1)));
  EXPECT_LT(page.size(), document.size());
}

TEST_F(HtmlPage, RefusesATextThatDoesNotEnd) {
  for (const char* text : {"{\"a", "[\"a\\\"", "\"\\"}) EXPECT_FALSE(html_page(text).ok()) << text;
}

}  // namespace
}  // namespace neurolens::report
