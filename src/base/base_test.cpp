// Building blocks of base that have no file of their own big enough for a test file.
#include <gtest/gtest.h>

#include <sstream>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/compress.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error{Errc::out_of_range, "Odd.", "/n"};
  return n / 2;
}

Result<int> quarter(int n) {
  NEUROLENS_ASSIGN(const int h, half(n));
  NEUROLENS_ASSIGN(const int q, half(h));
  return q;
}

TEST(Result, CarriesAValueOrTheFirstError) {
  EXPECT_EQ(quarter(12).value(), 3);
  const auto failed = quarter(6);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Errc::out_of_range);
  EXPECT_EQ(failed.error().at("FILE").text(), "FILE: /n: Odd.");
}

TEST(Errors, TheTableGivesNameSentenceAndExitStatus) {
  EXPECT_EQ(to_string(Errc::newer_version), "newer_version");
  EXPECT_EQ(exit_status_of(Errc::check_failed), 1);
  EXPECT_EQ(exit_status_of(Errc::bad_request), 2);
  EXPECT_EQ(exit_status_of(Errc::unavailable), 3);
  EXPECT_EQ(exit_status_of(Errc::internal), 4);
  EXPECT_TRUE(describe(Errc::internal).ends_with("."));
}

TEST(Clock, ManualClockMovesOnlyWhenTold) {
  ManualClock clock(Nanoseconds{1'767'225'600'000'000'000});
  EXPECT_EQ(to_rfc3339(clock.wall()), "2026-01-01T00:00:00.000Z");
  clock.sleep(Nanoseconds{1'500'000'000});
  EXPECT_EQ(clock.now(), Nanoseconds{1'500'000'000});
  EXPECT_EQ(to_rfc3339(clock.wall()), "2026-01-01T00:00:01.500Z");
  EXPECT_EQ(to_rfc3339(Nanoseconds{-1'000'000}), "1969-12-31T23:59:59.999Z");
}

TEST(Hash, MeetsThePublishedAnswers) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  pieces.update("a");
  pieces.update("bc");
  EXPECT_EQ(pieces.finish(), sha256("abc"));
  EXPECT_NE(make_uuid(), make_uuid());
  EXPECT_EQ(make_uuid()[14], '4');
}

// Known answers of the authors' own test vectors for Philox4x32-10.
TEST(Random, PhiloxMeetsThePublishedVectors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t f = 0xffffffff;
  EXPECT_EQ(philox4x32({f, f, f, f}, {f, f}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Random, JumpingEqualsWalkingAndMomentsAreRight) {
  Random walked(7, 3);
  for (int i = 0; i < 20; ++i) (void)walked();
  Random jumped(7, 3);
  jumped.skip_to(10);
  EXPECT_EQ(walked(), jumped());
  Random r(1);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = r.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1, 0.03);
}

TEST(Text, FindsCloseNames) {
  const std::vector<std::string> known{"summary", "validate", "profile", "report"};
  EXPECT_EQ(close_matches("sumary", known), std::vector<std::string>{"summary"});
  EXPECT_EQ(did_you_mean("prof", known), " Did you mean \"profile\"?");
  EXPECT_EQ(did_you_mean("xyzzy", known), "");
}

TEST(Text, MakesHostileNamesVisible) {
  EXPECT_EQ(printable("a\x1b[31m\u202e\xff"), "a\\x1b[31m\\u202e\\xff");
  EXPECT_EQ(printable("Größe"), "Größe");
  EXPECT_EQ(to_valid_utf8("a\xc0\xaf"), "a\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Compress, RoundTripsAndFindsDamage) {
  std::string text(100'000, 'x');
  for (std::size_t i = 0; i < text.size(); i += 7) text[i] = static_cast<char>('a' + i % 23);
  const std::string packed = zstd_compress(text);
  EXPECT_TRUE(looks_like_zstd(packed));
  EXPECT_EQ(zstd_decompress(packed).value(), text);
  std::string flipped = packed;
  flipped[packed.size() / 2] ^= 1;
  EXPECT_EQ(zstd_decompress(flipped).error().code, Errc::data_corrupt);
  EXPECT_EQ(zstd_decompress(packed.substr(0, packed.size() / 2)).error().code, Errc::data_corrupt);
  EXPECT_EQ(zstd_decompress(packed, Bytes{1000}).error().code, Errc::too_large);
}

}  // namespace
}  // namespace neurolens
