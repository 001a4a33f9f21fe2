#include "neurolens/report/render.hpp"

#include <gtest/gtest.h>

#include "make_run.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::report {
namespace {

run::Run hostile_run() {
  run::Run run = test_support::make_run({.jitter_ratio = 0});
  run.ops[5].name = "evil\x1b[31m|</script>\u202e" + std::string(10'000, 'x');
  return run;
}

analyze::Summary summary_of(const run::Run& run) {
  return analyze::summarise(run).value();
}

TEST(SummaryText, LeadsWithWhatWasMeasuredThenTheNumber) {
  const run::Run run = test_support::make_run({.jitter_ratio = 0});
  const std::string text =
      summary_text(run, summary_of(run), {.width = 100, .top = 3, .run_path = "s.run.json"});
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "sample-mlp · ONNX Runtime 1.20.0 CPU · f32 · 8x64 · 2 threads")
      << text;
  EXPECT_NE(text.find("\n21.5 us per inference  [21.5, 21.5]   372093 samples per second"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("3 more, 6.00 us"), std::string::npos) << text;
  EXPECT_NE(text.find("neurolens summary s.run.json --top all"), std::string::npos) << text;
}

TEST(SummaryText, ShowsHostileNamesAsText) {
  const run::Run run = hostile_run();
  const std::string text = summary_text(run, summary_of(run), {.width = 80});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (begin > text.find("\n\n")) {
      EXPECT_LE(display_width(text.substr(begin, end - begin)), 80U);
    }
    begin = end + 1;
  }
}

TEST(SummaryJson, IsOneDocumentWithTheDocumentedKeys) {
  const run::Run run = hostile_run();
  const auto tree = json::parse(summary_json(run, summary_of(run), std::nullopt, GroupBy::op));
  ASSERT_TRUE(tree.ok()) << tree.error();
  for (const char* key : {"total_ns", "unobserved_p50_ns", "observed_p50_ns", "ops"}) {
    EXPECT_NE(tree->find(key), nullptr) << key;
  }
  const auto& ops = *tree->find("ops")->as_array();
  ASSERT_EQ(ops.size(), 6U);
  for (const char* key : {"index", "name", "type", "time_ns", "share_ratio", "raw_time_ns"}) {
    EXPECT_NE(ops[0].find(key), nullptr) << key;
  }
  EXPECT_EQ(*ops[0].find("name")->as_string(), run.ops[5].name);
}

}  // namespace
}  // namespace neurolens::report
