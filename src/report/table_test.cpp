#include "neurolens/report/table.hpp"

#include <gtest/gtest.h>

namespace neurolens::report {
namespace {

TEST(Numbers, ChooseAUnitAndThreeDigits) {
  EXPECT_EQ(format_time(48'300'000), "48.3 ms");
  EXPECT_EQ(format_time(999), "999 ns");
  EXPECT_EQ(format_time(1.5e9), "1.50 s");
  EXPECT_EQ(format_time(0), "0 ns");
  EXPECT_EQ(format_bytes(102'400), "100 KiB");
  EXPECT_EQ(format_rate(170e9, true), "170 GFLOP/s");
  EXPECT_EQ(format_rate(41e9, false), "41.0 GB/s");
  EXPECT_EQ(format_share(0.064), "6.4 %");
}

TEST(Numbers, OfOneColumnShareUnitAndDecimals) {
  const Scale scale = time_scale(3'110'000);
  EXPECT_EQ(scale.unit, "ms");
  EXPECT_EQ(format_in(scale, 3'110'000, 3'110'000), "3.11");
  EXPECT_EQ(format_in(scale, 20'000, 3'110'000), "0.02");
}

TEST(ElideMiddle, KeepsBothEndsAndCountsCharactersNotBytes) {
  EXPECT_EQ(elide_middle("stage4.0.conv2", 20), "stage4.0.conv2");
  EXPECT_EQ(elide_middle("abcdefghijkl", 9), "abc...jkl");
  EXPECT_EQ(display_width("Größe"), 5U);
  EXPECT_EQ(elide_middle("ääääääääää", 7), "ää...ää");
  EXPECT_EQ(elide_middle("abcdefghij", 4), "....");
}

Table sample() {
  Table table;
  table.add_column("op", Align::left, true);
  table.add_column("time", Align::right);
  table.add_row({"a|b", "3.11 ms"});
  table.add_row({"a_very_long_name_of_an_op", "12.00 ms"});
  return table;
}

TEST(Table, AlignsAndFitsTheTerminal) {
  EXPECT_EQ(sample().text(0),
            "op                             time\n"
            "a|b                         3.11 ms\n"
            "a_very_long_name_of_an_op  12.00 ms\n");
  EXPECT_EQ(sample().text(28),
            "op                      time\n"
            "a|b                  3.11 ms\n"
            "a_very_...of_an_op  12.00 ms\n");
}

TEST(Table, EscapesMarkdown) {
  EXPECT_EQ(sample().markdown(),
            "| op | time |\n|---|---:|\n| a\\|b | 3.11 ms |\n| "
            "a\\_very\\_long\\_name\\_of\\_an\\_op | 12.00 ms |\n");
}

}  // namespace
}  // namespace neurolens::report
