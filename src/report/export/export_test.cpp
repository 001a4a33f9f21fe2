#include "neurolens/report/export.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "json_schema.hpp"
#include "make_run.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::report {
namespace {

const std::string kEvil =
    "evil\x1b[31m\"'</script>;\n\r\t|=1+1\xe2\x80\xae" + std::string(10'000, 'x') + "\x01\xff";

run::Run hostile(bool profile) {
  run::Run run = test_support::make_run({.profile = profile, .gpu = true});
  run.ops[5].name = run.ops[5].type = kEvil;
  run.ops[5].original_nodes[0].name = kEvil;
  run.timeline->names[5] = kEvil;
  run.timeline->tracks[0].name = kEvil;
  run.workload.name = kEvil;
  run.counters[0].name = kEvil;
  if (profile) run.profile->frames[1].function = kEvil;
  return run;
}

/// Every slice as (name, begin, duration), sorted.
using Slices = std::vector<std::tuple<std::string, std::int64_t, std::int64_t>>;

Slices slices_of(const run::Timeline& t) {
  Slices out;
  for (std::size_t i = 0; i < t.begin_ns.size(); ++i)
    out.emplace_back(t.names[static_cast<std::size_t>(t.name[i])], t.begin_ns[i], t.duration_ns[i]);
  std::sort(out.begin(), out.end());
  return out;
}

TEST(Chrome, HoldsEveryEventAndMeetsTheSchema) {
  const run::Run run = test_support::make_run({.ops = 30});
  const std::string text = to_chrome(run).value();
  test_support::expect_schema("tests/support/chrome_trace.schema.json", text);
  const auto tree = json::parse(text).value();
  Slices read;
  std::size_t counters = 0;
  for (const auto& event : *tree.find("traceEvents")->as_array()) {
    const std::string& phase = *event.find("ph")->as_string();
    counters += phase == "C" ? 1 : 0;
    if (phase != "X") continue;
    read.emplace_back(*event.find("name")->as_string(),
                      std::llround(*event.find("ts")->as_double() * 1000),
                      std::llround(*event.find("dur")->as_double() * 1000));
  }
  std::sort(read.begin(), read.end());
  EXPECT_EQ(read, slices_of(*run.timeline));
  EXPECT_EQ(counters, run.counters[0].value.size());
}

TEST(Chrome, HoldsEverySampleWithItsStack) {
  run::Run run = test_support::make_run({.profile = true});
  run.profile->sample_thread = {1, 77, 1, 77};
  run.timeline->tracks[0].id = 1;
  const std::string text = to_chrome(run).value();
  test_support::expect_schema("tests/support/chrome_trace.schema.json", text);
  const auto tree = json::parse(text).value();
  std::map<std::int64_t, std::string> threads;
  for (const auto& event : *tree.find("traceEvents")->as_array()) {
    if (*event.find("name")->as_string() == "thread_name")
      threads[*event.find("tid")->as_int()] = *event.find("args")->find("name")->as_string();
  }
  const auto& frames = *tree.find("stackFrames");
  std::vector<std::string> read;
  for (const auto& sample : *tree.find("samples")->as_array()) {
    std::string stack;
    const std::string* at = sample.find("sf")->as_string();
    for (; at != nullptr;) {
      const auto* frame = frames.find(*at);
      ASSERT_NE(frame, nullptr);
      stack = *frame->find("name")->as_string() + ";" + stack;
      const auto* parent = frame->find("parent");
      at = parent != nullptr ? parent->as_string() : nullptr;
    }
    read.push_back(threads.at(*sample.find("tid")->as_int()) + " " +
                   std::to_string(std::llround(*sample.find("ts")->as_double())) + " " + stack +
                   " " + std::to_string(*sample.find("weight")->as_int()));
  }
  const std::string row = run.timeline->tracks[0].name;
  EXPECT_EQ(read, (std::vector<std::string>{row + " 0 main;run_layer;matmul; 1000000",
                                            "thread 77 1000 main;run_layer;matmul; 1000000",
                                            row + " 2000 main;run_layer; 1000000",
                                            "thread 77 3000 main; 1000000"}));
}

TEST(Speedscope, NestsEveryEventOfTheTimeline) {
  run::Run run = test_support::make_run();
  auto& t = *run.timeline;  // one event around the first three, one beside
  t.names.push_back("around");
  t.track.insert(t.track.begin(), 0);
  t.name.insert(t.name.begin(), 6);
  t.op.insert(t.op.begin(), run::kMissing);
  t.begin_ns.insert(t.begin_ns.begin(), 0);
  t.duration_ns.insert(t.duration_ns.begin(), 6000);
  const std::string text = to_speedscope(run).value();
  test_support::expect_schema("tests/support/speedscope.schema.json", text);
  const auto tree = json::parse(text).value();
  const auto& frames = *tree.find("shared")->find("frames")->as_array();
  const auto& profiles = *tree.find("profiles")->as_array();
  ASSERT_EQ(profiles.size(), 1U);
  Slices read;
  std::vector<std::pair<std::int64_t, std::int64_t>> open;
  std::int64_t now = 0;
  for (const auto& event : *profiles[0].find("events")->as_array()) {
    const std::int64_t frame = *event.find("frame")->as_int();
    const std::int64_t at = *event.find("at")->as_int();
    EXPECT_GE(at, now);
    now = at;
    if (*event.find("type")->as_string() == "O") {
      open.emplace_back(frame, at);
      continue;
    }
    ASSERT_FALSE(open.empty());
    ASSERT_EQ(open.back().first, frame);
    read.emplace_back(*frames[static_cast<std::size_t>(frame)].find("name")->as_string(),
                      open.back().second, at - open.back().second);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
  std::sort(read.begin(), read.end());
  EXPECT_EQ(read, slices_of(t));
}

TEST(Speedscope, KeepsStacksAndWeightsOfSamples) {
  const run::Run run = test_support::make_run({.profile = true});
  const std::string text = to_speedscope(run).value();
  test_support::expect_schema("tests/support/speedscope.schema.json", text);
  const auto tree = json::parse(text).value();
  const auto& profile = (*tree.find("profiles")->as_array())[0];
  const auto& samples = *profile.find("samples")->as_array();
  ASSERT_EQ(samples.size(), 4U);
  EXPECT_EQ(samples[0].as_array()->size(), 3U);  // main > run_layer > matmul
  EXPECT_EQ((*samples[0].as_array())[2].as_int(), 2);
  EXPECT_EQ(samples[3].as_array()->size(), 1U);
  EXPECT_EQ(*profile.find("endValue")->as_int(), 4'000'000);
}

TEST(Collapsed, AddsUpSamplesRootFirst) {
  EXPECT_EQ(to_collapsed(test_support::make_run({.profile = true})).value(),
            "main 1000000\nmain;run_layer 1000000\nmain;run_layer;matmul 2000000\n");
}

TEST(Collapsed, TakesSelfTimeFromATimeline) {
  run::Run run = test_support::make_run({.ops = 2});
  run::Timeline& t = *run.timeline;
  t.names = {"outer", "inner;x"};
  t.track = {0, 0};
  t.name = {0, 1};
  t.begin_ns = {0, 10};
  t.duration_ns = {100, 30};
  EXPECT_EQ(to_collapsed(run).value(), "main;outer 70\nmain;outer;inner:x 30\n");
}

/// Rows of an RFC 4180 text.
std::vector<std::vector<std::string>> rows_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows{{""}};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      rows.back().back() += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      rows.back().emplace_back();
    } else if (c == '\r' && !quoted) {
      ++i;
      if (i + 1 < text.size()) rows.push_back({""});
    } else {
      rows.back().back() += c;
    }
  }
  return rows;
}

TEST(Csv, HasOneRowPerOpAndEmptyCellsForWhatIsMissing) {
  run::Run run = test_support::make_run();
  run.ops[0].cost = {};
  const auto rows = rows_of(to_csv(run).value());
  ASSERT_EQ(rows.size(), 7U);
  for (const auto& row : rows) EXPECT_EQ(row.size(), rows[0].size());
  EXPECT_EQ(rows[1][1], "Add_5");
  EXPECT_EQ(rows[1][6], "6000");
  EXPECT_EQ(rows[6][12], "");
}

TEST(Exports, KeepHostileNamesInert) {
  for (const bool profile : {false, true}) {
    const run::Run run = hostile(profile);
    const auto chrome = json::parse(to_chrome(run).value());
    ASSERT_TRUE(chrome.ok()) << chrome.error();
    const auto speedscope = json::parse(to_speedscope(run).value());
    ASSERT_TRUE(speedscope.ok()) << speedscope.error();
    const auto& frames = *speedscope->find("shared")->find("frames")->as_array();
    EXPECT_TRUE(std::any_of(frames.begin(), frames.end(), [](const auto& frame) {
      return *frame.find("name")->as_string() == to_valid_utf8(kEvil);
    }));
    const std::string collapsed = to_collapsed(run).value();
    for (const auto line : split(collapsed, '\n')) {
      EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x20; }));
      if (!line.empty()) {
        EXPECT_NE(line.find_last_of(' '), std::string_view::npos);
      }
    }
    EXPECT_TRUE(to_perfetto(run).ok());
    const auto rows = rows_of(to_csv(run).value());
    ASSERT_EQ(rows.size(), 7U);
    EXPECT_EQ(rows[1][1], to_valid_utf8(kEvil));
  }
  run::Run run = test_support::make_run();
  run.ops[5].name = "=cmd|' /C calc'!A0";
  EXPECT_EQ(rows_of(to_csv(run).value())[1][1], "'=cmd|' /C calc'!A0");
}

TEST(Exports, SayWhenThereIsNothingToShow) {
  run::Run run = test_support::make_run();
  run.timeline.reset();
  run.samples = {};
  for (const auto write : {&to_chrome, &to_speedscope, &to_collapsed, &to_perfetto})
    EXPECT_EQ(write(run).error().code, Errc::too_few_samples);
}

}  // namespace
}  // namespace neurolens::report
