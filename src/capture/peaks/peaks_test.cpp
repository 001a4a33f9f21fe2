#include "neurolens/capture/peaks.hpp"

#include <gtest/gtest.h>

#include "kernels.hpp"

namespace neurolens::capture {
namespace {

run::Host small_host() {
  run::Host host;
  host.cpu_model = "Sample CPU (R) 9000 @ 3.00GHz";
  host.cores_logical = 2;
  host.caches = {{1, "data", 32768, 2}, {2, "unified", 262144, 2}};
  host.memory_bytes = std::int64_t{64} << 20;
  return host;
}

TEST(Peaks, MeasuresEveryKernelAtEveryLevelWithItsSpread) {
  const auto peaks = measure_peaks(small_host(), {.rounds = 3, .round_ms = 1, .threads = 2}, {});
  ASSERT_TRUE(peaks.ok()) << peaks.error();
  for (const auto& peak : peaks->peaks) {
    EXPECT_GT(peak.low, 0) << peak.name;
    EXPECT_LE(peak.low, peak.value) << peak.name;
    EXPECT_LE(peak.value, peak.high) << peak.name;
  }
  const std::size_t arithmetic = peaks::arithmetic_kernels().size();
  EXPECT_EQ(peaks->peaks.size(), 2 * (arithmetic + 3 * 4));
  for (const char* name : {"triad_l1_1t", "read_l2_all", "copy_dram_1t"})
    EXPECT_NE(peaks->find(name), nullptr) << name;
  // A Run knows two units; a machine with integer kernels must not make it invalid.
  for (const auto& ceiling : ceilings_of(*peaks)) {
    EXPECT_TRUE(ceiling.unit == "flops_per_second" || ceiling.unit == "bytes_per_second")
        << ceiling.name << ": " << ceiling.unit;
  }
}

TEST(Peaks, MeasuresOnlyWhatIsAsked) {
  PeaksOptions options{.rounds = 3, .round_ms = 1, .threads = 1};
  options.only = "triad_l";
  const auto some = measure_peaks(small_host(), options, {});
  ASSERT_TRUE(some.ok()) << some.error();
  ASSERT_EQ(some->peaks.size(), 2U);
  EXPECT_EQ(some->peaks[1].name, "triad_l2_1t");
  options.only = "nothing";
  EXPECT_EQ(measure_peaks(small_host(), options, {}).error().code, Errc::not_found);
}

TEST(Peaks, SurviveTheirDocument) {
  Peaks peaks{
      "cpu",
      2,
      "2026-01-01T00:00:00.000Z",
      {{"triad_dram_1t", "bytes_per_second", 4e10, 3.9e10, 4.1e10, 1, 3'000'000'000, 1 << 30}}};
  const auto back = peaks_from_json(to_json(peaks));
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(to_json(*back), to_json(peaks));
  EXPECT_EQ(back->find("triad_dram_1t")->working_set_bytes, 1 << 30);
  EXPECT_EQ(peaks_from_json("{}").error().code, Errc::missing_key);
  EXPECT_EQ(
      peaks_from_json(R"({"cpu_model":"c","created_at":"x","threads":1,"peaks":[{"name":"n"}]})")
          .error()
          .where,
      "/peaks/0");
}

TEST(Peaks, AreKeptPerMachine) {
  EXPECT_TRUE(peaks_cache_path(small_host())
                  .ends_with("/neurolens/peaks-sample-cpu-r-9000-3-00ghz-2.json"));
}

TEST(Peaks, StopWhenAsked) {
  CancelToken cancel;
  cancel.cancel();
  EXPECT_EQ(measure_peaks(small_host(), {}, {nullptr, &cancel}).error().code, Errc::cancelled);
  EXPECT_EQ(measure_peaks(small_host(), {.rounds = 1}, {}).error().code, Errc::out_of_range);
}

}  // namespace
}  // namespace neurolens::capture
