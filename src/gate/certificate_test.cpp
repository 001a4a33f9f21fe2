#include "neurolens/gate/certificate.hpp"

#include <gtest/gtest.h>

namespace neurolens::gate {
namespace {

Certificate sample(std::uint64_t seed, std::int64_t wrong) {
  Certificate c;
  c.cpu_model = "Sample CPU";
  c.cores_logical = 2;
  Sitting s;
  s.created_at = "2026-01-31T12:00:00.000Z";
  s.seed = seed;
  s.null = {150, wrong, 0, 40, 1, 3000, 0, 0, 12};
  s.injected = {50, 46, 0, 4, 0, 900, 5, 1, 300};
  s.settings = {{"memory", "resident", 0.021, 0.004, 12}};
  c.sittings = {s};
  return c;
}

// Known values: 0 of 299 leave 1 %, as do 1 of 473 and 2 of 628.
TEST(Certificate, TheBoundIsThatOfClopperAndPearson) {
  EXPECT_LT(upper_bound(0, 299), 0.01);
  EXPECT_GT(upper_bound(0, 298), 0.01);
  EXPECT_LT(upper_bound(1, 473), 0.01);
  EXPECT_GT(upper_bound(1, 472), 0.01);
  EXPECT_LT(upper_bound(2, 628), 0.01);
  EXPECT_EQ(upper_bound(0, 0), 1);
  EXPECT_EQ(upper_bound(5, 5), 1);
}

TEST(Certificate, SittingsAddUpOnceEach) {
  auto sum = sample(1, 0);
  ASSERT_TRUE(add(sum, sample(2, 1)).ok());
  ASSERT_TRUE(add(sum, sample(2, 1)).ok());
  EXPECT_EQ(sum.sittings.size(), 2u);
  EXPECT_EQ(sum.null().comparisons, 300);
  EXPECT_EQ(sum.null().regressed, 1);
  EXPECT_EQ(sum.injected().out_of_reach, 10);
  EXPECT_EQ(sum.injected().most_needed, 300);
  auto other = sample(3, 0);
  other.cpu_model = "Other CPU";
  EXPECT_EQ(add(sum, other).error().code, Errc::not_comparable);
}

TEST(Certificate, ReadsWhatItWrites) {
  auto sum = sample(1, 0);
  ASSERT_TRUE(add(sum, sample(2, 1)).ok());
  const auto back = parse_certificate(to_json(sum));
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(back->sittings, sum.sittings);
  EXPECT_EQ(to_json(*back), to_json(sum));
}

TEST(Certificate, RefusesWhatIsNone) {
  EXPECT_FALSE(parse_certificate("{}").ok());
  EXPECT_FALSE(parse_certificate("[1]").ok());
  EXPECT_FALSE(parse_certificate("no").ok());
  std::string more = to_json(sample(1, 0));
  more.replace(more.find("\"regressed\": 0"), 14, "\"regressed\": 999");
  more.replace(more.rfind("\"regressed\": 46"), 15, "\"regressed\": 99");
  EXPECT_FALSE(parse_certificate(more).ok());
}

TEST(Certificate, SaysWhatItKnows) {
  EXPECT_EQ(quote(Certificate{}), "");
  const std::string text = quote(sample(1, 0));
  EXPECT_NE(text.find("0 of 150"), std::string::npos) << text;
  EXPECT_NE(text.find("46 of 50"), std::string::npos) << text;
  const std::string all = describe(sample(1, 0));
  EXPECT_NE(all.find("needs 299"), std::string::npos) << all;
  EXPECT_NE(all.find("45 of 45; 5 comparisons needed up to 300 blocks"), std::string::npos) << all;
}

}  // namespace
}  // namespace neurolens::gate
