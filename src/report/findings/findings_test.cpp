// The findings document, the text and the Markdown of one Run with everything in it. Golden files
// under tests/golden are renewed with NEUROLENS_BLESS=1 report_test.
#include "neurolens/report/findings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "findings/column.hpp"
#include "json_schema.hpp"
#include "make_run.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "source_dir.hpp"

namespace neurolens::report {
namespace {

const std::string kEvil =
    "evil\x1b[31m|</script><img src=x onerror=alert(1)>\xe2\x80\xae\"'`*_[x](y)\x07";

void give_ceilings(run::Run& run) {
  run.software.threads = 1;
  run.ceilings = {{"fma_f32_avx2_1t", "flops_per_second", 6.4e10, 6.3e10, 6.5e10},
                  {"triad_l1_1t", "bytes_per_second", 2e11, {}, {}},
                  {"triad_l2_1t", "bytes_per_second", 1e11, {}, {}},
                  {"triad_l3_1t", "bytes_per_second", 5e10, {}, {}},
                  {"triad_dram_1t", "bytes_per_second", 1e10, {}, {}}};
}

/// A Run, a baseline and a history; the findings point into it.
struct Sample {
  run::Run run = test_support::make_run({.iterations = 40, .profile = true, .gpu = true});
  run::Run baseline =
      test_support::make_run({.iterations = 40, .seed = 2, .time_scale = 0.8, .gpu = true});

  Sample() {
    give_ceilings(run);
    give_ceilings(baseline);
    run.ops[4].name = kEvil;
    run.ops[1].cost = {};
    run.ops[2].estimate.reset();
    run.samples.op_duration_ns[2].clear();
    run.samples.iterations.disturbed[9] = 1;
    run.timeline->tracks.push_back({"stream 7", "stream", 1, 7});
    for (const std::int64_t op : {0, 3}) {
      run.timeline->track.push_back(1);
      run.timeline->name.push_back(op);
      run.timeline->op.push_back(op == 0 ? 0 : run::kMissing);
      run.timeline->begin_ns.push_back(500 + op * 1000);
      run.timeline->duration_ns.push_back(900);
    }
  }

  [[nodiscard]] Findings findings(bool compared = true) const {
    FindingsRequest request;
    request.run_path = "sample.run.json";
    if (compared) {
      request.baseline = &baseline;
      request.baseline_path = "base.run.json";
      History history{"latency", "ns", {}, {}};
      std::vector<double> values;
      for (int i = 0; i < 24; ++i) {
        values.push_back((i < 14 ? 17'000 : 21'500) + 10 * (i * 7 % 5));
        history.points.push_back({i == 23 ? run.run_id : "run-" + std::to_string(i),
                                  "2026-01-" + std::to_string(10 + i) + "T00:00:00Z",
                                  values.back()});
      }
      history.changes = analyze::find_changes(values);
      request.history = std::move(history);
    }
    auto made = make_findings(run, std::move(request));
    EXPECT_TRUE(made.ok()) << made.error();
    return std::move(made).value();
  }
};

/// An empty zstd frame: what is embedded must not depend on the version of the library.
constexpr std::string_view kEmptyFrame("\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00\x99\xe9\xd8\x51", 13);

std::string document(const Findings& findings) {
  return findings_json(findings, {kEmptyFrame, "0.1.0"});
}

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(NEUROLENS_SOURCE_DIR) + "/tests/golden/" + name;
  if (std::getenv("NEUROLENS_BLESS") != nullptr) std::ofstream(path, std::ios::binary) << text;
  std::ostringstream stored;
  stored << std::ifstream(path, std::ios::binary).rdbuf();
  EXPECT_EQ(stored.str(), text)
      << "Run report_test with NEUROLENS_BLESS=1 and explain the difference.";
}

TEST(FindingsDocument, EqualsTheGoldenFile) {
  const Sample sample;
  expect_golden("findings_small.json", document(sample.findings()));
}

TEST(FindingsText, EqualsTheGoldenFile) {
  const Sample sample;
  expect_golden("findings_small.txt", findings_text(sample.findings(), 100'000));
}

TEST(FindingsMarkdown, EqualsTheGoldenFile) {
  const Sample sample;
  expect_golden("findings_small.md", findings_markdown(sample.findings()));
}

TEST(FindingsDocument, MeetsItsSchema) {
  const Sample sample;
  run::Run bare = test_support::make_run({.ops = 0, .timeline = false});
  bare.ceilings.clear();
  bare.counters.clear();
  const run::Run program = test_support::make_run({.ops = 3, .profile = true});
  for (const run::Run* run : {&sample.run, &std::as_const(bare), &program}) {
    const auto findings = make_findings(*run, {});
    ASSERT_TRUE(findings.ok()) << findings.error();
    const std::string fault =
        test_support::schema_fault("schema/findings.schema.json", findings_json(*findings, {}));
    if (fault == "skip") GTEST_SKIP() << "python3-jsonschema is not installed";
    EXPECT_EQ(fault, "");
  }
  EXPECT_EQ(test_support::schema_fault("schema/findings.schema.json", document(sample.findings())),
            "");
}

// --- columns, read back as a front end does ---

std::string decode(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

template <class T>
std::vector<double> elements(const std::string& bytes) {
  std::vector<double> out;
  for (std::size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T value{};
    std::memcpy(&value, bytes.data() + i, sizeof(T));
    out.push_back(static_cast<double>(value));
  }
  return out;
}

std::vector<double> column(const json::Value& node) {
  const std::string bytes = decode(*node.find("data")->as_string());
  const std::string& type = *node.find("type")->as_string();
  auto out = type == "u8"    ? elements<std::uint8_t>(bytes)
             : type == "u16" ? elements<std::uint16_t>(bytes)
             : type == "u32" ? elements<std::uint32_t>(bytes)
                             : elements<double>(bytes);
  EXPECT_EQ(static_cast<std::int64_t>(out.size()), node.find("length")->as_int());
  return out;
}

TEST(Column, TakesTheNarrowestTypeAndKeepsMissingEntries) {
  const auto written = [](const std::vector<std::int64_t>& values) {
    json::Writer w;
    w.begin_object();
    write_column(w, "c", values);
    w.end_object();
    return json::parse(std::move(w).take()).value();
  };
  for (const auto& [largest, type] :
       std::vector<std::pair<std::int64_t, std::string>>{{254, "u8"},
                                                         {255, "u16"},
                                                         {65534, "u16"},
                                                         {65535, "u32"},
                                                         {4294967294, "u32"},
                                                         {4294967295, "f64"}}) {
    const auto tree = written({1, kNoEntry, largest});
    const auto& node = *tree.find("c");
    EXPECT_EQ(*node.find("type")->as_string(), type);
    const auto values = column(node);
    ASSERT_EQ(values.size(), 3U);
    EXPECT_EQ(values[2], static_cast<double>(largest));
    if (type == "u8") {
      EXPECT_EQ(values[1], 255);
    }
    if (type == "f64") {
      EXPECT_TRUE(std::isnan(values[1]));
    }
  }
}

TEST(FindingsDocument, KeepsEveryEventOfTheTimeline) {
  const Sample sample;
  const auto tree = json::parse(document(sample.findings(false))).value();
  const auto& t = *tree.find("timeline");
  const auto begin = column(*t.find("begin"));
  const auto duration = column(*t.find("duration"));
  const auto name = column(*t.find("name"));
  const run::Timeline& source = *sample.run.timeline;
  ASSERT_EQ(begin.size(), source.begin_ns.size());
  std::size_t i = 0;
  for (const auto& track : *t.find("tracks")->as_array()) {
    double now = *t.find("begin_ns")->as_double();
    for (std::int64_t k = 0; k < *track.find("count")->as_int(); ++k, ++i) {
      now += begin[i];
      EXPECT_EQ(now, static_cast<double>(source.begin_ns[i]));
      EXPECT_EQ(duration[i], static_cast<double>(source.duration_ns[i]));
      EXPECT_EQ(name[i], static_cast<double>(source.name[i]));
    }
  }
  EXPECT_EQ(i, begin.size());
}

TEST(FindingsDocument, WaterfallLeadsFromOneTotalToTheOther) {
  const Sample sample;
  const auto tree = json::parse(document(sample.findings())).value();
  const auto& c = *tree.find("comparison");
  double total = *c.find("baseline_ns")->as_double();
  for (const auto& step : *c.find("waterfall")->as_array())
    total += *step.find("delta_ns")->as_double();
  EXPECT_NEAR(total, *c.find("candidate_ns")->as_double(), 1);
}

TEST(FindingsDocument, CarriesTheNumbersOfTheSummary) {
  const Sample sample;
  const auto findings = sample.findings();
  const auto tree = json::parse(document(findings)).value();
  EXPECT_NEAR(*tree.find("headline")->find("time_ns")->as_double(),
              *findings.summary.unobserved.p50_ns, 1);
  const auto& times = *tree.find("ops")->find("time_ns")->as_array();
  EXPECT_EQ(times[5].as_int(), 6000);
  EXPECT_TRUE(times[2].is_null());  // never collected: null, not 0
  EXPECT_EQ(tree.find("findings")->as_array()->size(), findings.insights.size());
  EXPECT_EQ(*(*tree.find("ops")->find("name")->as_array())[4].as_string(), kEvil);
}

TEST(FindingsText, GrowsOnlyAtItsEndAndKeepsToTheBudget) {
  const Sample sample;
  const auto findings = sample.findings();
  std::string last;
  for (const std::size_t budget : {50U, 100U, 200U, 400U, 800U, 1600U, 3200U, 100'000U}) {
    const std::string text = findings_text(findings, budget);
    EXPECT_LE(token_count(text), budget);
    EXPECT_TRUE(text.starts_with(last)) << budget;
    last = text;
  }
  const std::string brief = findings_text(findings, 200);
  EXPECT_NE(brief.find("against base.run.json: regressed"), std::string::npos) << brief;
  EXPECT_NE(brief.find("do 1: save up to"), std::string::npos) << brief;
}

TEST(TokenCount, IsAnUpperEstimate) {
  EXPECT_EQ(token_count(""), 0U);
  EXPECT_EQ(token_count("the time"), 3U);
  EXPECT_EQ(token_count("1234"), 2U);
  EXPECT_EQ(token_count("[1.5, 2]"), 7U);
}

TEST(Findings, ShowHostileNamesAsText) {
  Sample sample;
  for (auto& op : sample.run.ops) op.name = op.type = kEvil + std::string(10'000, 'x');
  sample.run.workload.name = sample.run.host.cpu_model = kEvil;
  sample.run.notes.push_back(kEvil);
  const auto findings = sample.findings(false);
  const std::string text = findings_text(findings, 100'000);
  const std::string markdown = findings_markdown(findings);
  for (const std::string& shown : {text, markdown, what_to_do(findings.insights, 9, 80)}) {
    EXPECT_EQ(shown.find('\x1b'), std::string::npos);
    EXPECT_EQ(shown.find('\x07'), std::string::npos);
    EXPECT_EQ(shown.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_LT(shown.size(), 60'000U);
  }
  EXPECT_EQ(markdown.find("|</script>"), std::string::npos);
  for (std::size_t at = markdown.find('<'); at != std::string::npos;
       at = markdown.find('<', at + 1))
    EXPECT_EQ(markdown[at - 1], '\\') << markdown.substr(at - 20, 40);
  const auto tree = json::parse(document(findings));
  ASSERT_TRUE(tree.ok()) << tree.error();
}

}  // namespace
}  // namespace neurolens::report
