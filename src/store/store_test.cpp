#include "neurolens/store/store.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "faulty_files.hpp"
#include "make_run.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::store {
namespace {

using test_support::FaultyFiles;
using test_support::make_run;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "neurolens_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Store open() { return Store::open(files_, folder_).value(); }
  static run::Run sample(std::uint64_t seed, const char* name = "sample-mlp") {
    run::Run run =
        make_run({.ops = 2, .iterations = 4, .seed = seed, .timeline = false, .name = name});
    run.created_at = to_rfc3339(
        Nanoseconds{(1'700'000'000 + static_cast<std::int64_t>(seed) * 60) * 1'000'000'000});
    return run;
  }
  static Headline headline(double latency_ns) {
    Headline h;
    h.latency_ns = latency_ns;
    h.ops = {{"MatMul_0", latency_ns / 2}};
    return h;
  }

  FaultyFiles files_;
  std::string folder_;
};

TEST_F(StoreTest, KeepsListsAndReturnsRuns) {
  Store store = open();
  for (std::uint64_t i = 1; i <= 5; ++i)
    ASSERT_TRUE(store.add(sample(i), headline(100.0 * static_cast<double>(i))).ok());
  const auto newest = store.list();
  ASSERT_TRUE(newest.ok()) << newest.error();
  ASSERT_EQ(newest->size(), 5U);
  EXPECT_EQ(newest->front().run_id, sample(5).run_id);
  EXPECT_EQ(newest->front().tags.at("suite"), "sample");
  EXPECT_EQ(store.list({.limit = 2, .sort = Sort::slowest})->at(1).headline.latency_ns, 400);
  EXPECT_EQ(store.list({.model = "other*"})->size(), 0U);
  EXPECT_EQ(store.list({.model = "sample*", .tags = {{"suite", "sample"}}})->size(), 5U);
  EXPECT_EQ(store.list({.since = newest->at(1).created_at})->size(), 2U);
  const auto loaded = store.load(newest->front());
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(loaded->run_id, sample(5).run_id);
}

TEST_F(StoreTest, NamesStandForRuns) {
  Store store = open();
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(store.add(sample(i), headline(1)).ok());
  EXPECT_EQ(store.resolve("@latest")->run_id, sample(3).run_id);
  EXPECT_EQ(store.resolve(sample(2).run_id)->run_id, sample(2).run_id);
  EXPECT_EQ(store.resolve("0000").error().code, Errc::bad_request);  // all of them begin so
  EXPECT_EQ(store.resolve("ffff").error().code, Errc::not_found);
  ASSERT_TRUE(store.set_baseline("main", sample(1).run_id).ok());
  ASSERT_TRUE(store.set_baseline("main", sample(2).run_id).ok());
  EXPECT_EQ(store.resolve("@baseline:main")->run_id, sample(2).run_id);
  EXPECT_NE(store.resolve("@baseline:mian").error().message.find("main"), std::string::npos);
  EXPECT_EQ(store.set_baseline("a@b", sample(1).run_id).error().code, Errc::bad_request);
  EXPECT_EQ(store.remove(sample(2).run_id).error().code, Errc::bad_request);
  EXPECT_TRUE(store.remove(sample(1).run_id).ok());
  EXPECT_EQ(store.list()->size(), 2U);
}

TEST_F(StoreTest, OneNameIsTheBaselineOfEverySeries) {
  Store store = open();
  ASSERT_TRUE(store.add(sample(1, "resnet"), headline(1)).ok());
  ASSERT_TRUE(store.add(sample(2, "bert"), headline(2)).ok());
  ASSERT_TRUE(store.add(sample(3, "bert"), headline(3)).ok());
  for (const std::uint64_t i : {1U, 2U})
    ASSERT_TRUE(store.set_baseline("main", sample(i).run_id).ok());
  EXPECT_EQ(store.baselines()->size(), 2U);
  const run::Run bert = sample(9, "bert");
  const run::Run other = sample(9, "other");
  EXPECT_EQ(store.resolve("@baseline:main", &bert)->run_id, sample(2).run_id);
  EXPECT_EQ(store.resolve("@baseline:main").error().code, Errc::bad_request);
  EXPECT_EQ(store.resolve("@baseline:main", &other).error().code, Errc::bad_request);
  ASSERT_TRUE(store.set_baseline("main", sample(3).run_id).ok());  // moves within its series
  EXPECT_EQ(store.baselines()->size(), 2U);
  EXPECT_EQ(store.resolve("@baseline:main", &bert)->run_id, sample(3).run_id);
  const std::string grown = store.dump_index().value();
  ASSERT_TRUE(store.rebuild_index().ok());
  EXPECT_EQ(store.dump_index().value(), grown);
}

TEST_F(StoreTest, AddingTwiceChangesNothingAndOtherContentIsRefused) {
  Store store = open();
  ASSERT_TRUE(store.add(sample(1), headline(1)).ok());
  ASSERT_TRUE(store.add(sample(1), headline(2)).ok());
  EXPECT_EQ(store.list()->size(), 1U);
  run::Run other = sample(1);
  other.tags["x"] = "y";
  EXPECT_EQ(store.add(other, {}).error().code, Errc::duplicate_name);
  run::Run bad = sample(2);
  bad.samples.iterations.duration_ns[0] = -1;
  EXPECT_EQ(store.add(bad, {}).error().code, Errc::invalid_document);
}

TEST_F(StoreTest, HistoryFollowsAMetricInTime) {
  Store store = open();
  for (const std::uint64_t i : {3U, 1U, 2U})
    ASSERT_TRUE(store.add(sample(i), headline(10.0 * static_cast<double>(i))).ok());
  const auto latency = store.history({}, "latency");
  ASSERT_EQ(latency->size(), 3U);
  EXPECT_EQ(latency->at(0).value, 10);
  EXPECT_EQ(latency->at(2).value, 30);
  EXPECT_EQ(store.history({}, "op:MatMul_0")->at(1).value, 10);
  EXPECT_EQ(store.history({}, "throughput")->size(), 0U);
  EXPECT_NE(store.history({}, "op:MatMul_1").error().message.find("MatMul_0"), std::string::npos);
  EXPECT_EQ(store.history({}, "speed").error().code, Errc::unknown_metric);
}

TEST_F(StoreTest, TheIndexIsAFunctionOfTheManifest) {
  Store store = open();
  for (std::uint64_t i = 1; i <= 20; ++i) ASSERT_TRUE(store.add(sample(i), headline(1)).ok());
  ASSERT_TRUE(store.set_baseline("b", sample(4).run_id).ok());
  ASSERT_TRUE(store.remove(sample(7).run_id).ok());
  const std::string grown = store.dump_index().value();
  ASSERT_TRUE(store.rebuild_index().ok());
  EXPECT_EQ(store.dump_index().value(), grown);
  std::filesystem::remove(folder_ + "/index.sqlite");
  EXPECT_EQ(open().dump_index().value(), grown);
  std::ofstream(folder_ + "/index.sqlite") << std::string(5000, 'x');
  EXPECT_EQ(open().dump_index().value(), grown);  // set aside and made anew
}

TEST_F(StoreTest, DamageIsNamedAndTheRestStaysUsable) {
  Store store = open();
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(store.add(sample(i), headline(1)).ok());
  EXPECT_TRUE(store.verify()->faults.empty());
  const Entry victim = store.resolve(sample(2).run_id).value();
  files_.on_read = [&](const std::string& path, std::string& bytes) {
    if (path.find(victim.hash) != std::string::npos) bytes[bytes.size() / 2] ^= 1;
  };
  const auto report = store.verify();
  ASSERT_EQ(report->faults.size(), 1U);
  EXPECT_NE(report->faults[0].find(victim.hash), std::string::npos);
  EXPECT_EQ(store.load(victim).error().code, Errc::data_corrupt);
  EXPECT_TRUE(store.load(store.resolve(sample(1).run_id).value()).ok());
  EXPECT_EQ(store.list()->size(), 3U);
}

// Every byte of a line can be the last one before a kill: the line is skipped, the next addition
// stands.
TEST_F(StoreTest, ATornLineIsSkippedAndItsSuccessorStands) {
  std::string whole;
  {
    Store store = open();
    ASSERT_TRUE(store.add(sample(1), headline(1)).ok());
    whole = files_.read(folder_ + "/manifest", Bytes{1 << 20}).value();
  }
  for (std::size_t keep = 1; keep + 1 < whole.size(); keep += 37) {
    std::filesystem::remove(folder_ + "/index.sqlite");
    std::ofstream(folder_ + "/manifest", std::ios::trunc) << whole.substr(0, keep);
    Store store = open();
    EXPECT_EQ(store.list()->size(), 0U) << keep;
    ASSERT_TRUE(store.add(sample(2), headline(1)).ok());
    EXPECT_EQ(store.list()->size(), 1U) << keep;
    EXPECT_EQ(store.verify()->faults.size(), keep > 1 ? 1U : 0U) << keep;
  }
}

TEST_F(StoreTest, AFullDiskLosesNothingThatWasAcknowledged) {
  Store store = open();
  ASSERT_TRUE(store.add(sample(1), headline(1)).ok());
  for (std::int64_t space = 0; space < 6000; space += 311) {
    files_.space_left = space;
    const auto outcome = store.add(sample(2), headline(1));
    files_.space_left = -1;
    if (outcome.ok()) break;
    EXPECT_EQ(outcome.error().code, Errc::no_space);
    EXPECT_EQ(store.list()->size(), 1U);
    EXPECT_TRUE(store.load(store.list()->front()).ok());
  }
  ASSERT_TRUE(store.add(sample(2), headline(1)).ok());
  EXPECT_EQ(store.list()->size(), 2U);
}

TEST_F(StoreTest, RetentionKeepsTheNewestOfEachSeriesAndBaselines) {
  Store store = open();
  for (std::uint64_t i = 1; i <= 6; ++i)
    ASSERT_TRUE(store.add(sample(i, i % 2 == 0 ? "even" : "odd"), headline(1)).ok());
  ASSERT_TRUE(store.set_baseline("first", sample(1).run_id).ok());
  const auto report = store.collect({.keep_newest = 1, .older_than = {}}, system_clock().wall());
  ASSERT_TRUE(report.ok()) << report.error();
  EXPECT_EQ(report->runs, 3);  // 2, 4 and 3; 1 is a baseline
  EXPECT_EQ(report->objects, 3);
  std::set<std::string> left;
  const auto entries = store.list();
  for (const auto& entry : *entries) left.insert(entry.run_id);
  EXPECT_EQ(left, (std::set<std::string>{sample(1).run_id, sample(5).run_id, sample(6).run_id}));
  EXPECT_TRUE(store.verify()->faults.empty());
  EXPECT_EQ(store.collect({.keep_newest = 0, .older_than = {}}, system_clock().wall()).error().code,
            Errc::out_of_range);
}

// Eight writers, each killed at a random moment and started again, until each has added its share.
// What was acknowledged (through a pipe, after add() returned) must be there; the index equals one
// made anew.
TEST_F(StoreTest, SurvivesEightWritersThatAreKilledAtRandom) {
  constexpr std::uint64_t kWriters = 8;
  constexpr std::uint64_t kEach = 25;
  { Store made = open(); }
  Random random(5);
  std::vector<std::set<std::uint64_t>> acknowledged(kWriters);
  const auto start = [&](std::uint64_t writer, int& reader) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      auto store = Store::open(system_files(), folder_);
      for (std::uint64_t i = 0; i < kEach && store.ok(); ++i) {
        if (acknowledged[writer].contains(i)) continue;
        if (!store->add(sample(writer * 1000 + i), {}).ok()) _exit(1);
        const auto byte = static_cast<unsigned char>(i);
        if (write(ends[1], &byte, 1) != 1) _exit(2);
      }
      _exit(store.ok() ? 0 : 3);
    }
    close(ends[1]);
    reader = ends[0];
    return child;
  };
  for (int round = 0; round < 12; ++round) {
    std::vector<pid_t> children(kWriters);
    std::vector<int> readers(kWriters);
    for (std::uint64_t w = 0; w < kWriters; ++w) children[w] = start(w, readers[w]);
    const bool last = round == 11;
    for (std::uint64_t w = 0; w < kWriters && !last; ++w) {
      usleep(static_cast<useconds_t>(random.below(8000)));
      kill(children[w], SIGKILL);
    }
    for (std::uint64_t w = 0; w < kWriters; ++w) {
      int status = 0;
      waitpid(children[w], &status, 0);
      if (last) {
        EXPECT_EQ(status, 0) << w;
      }
      unsigned char byte = 0;
      while (read(readers[w], &byte, 1) == 1) acknowledged[w].insert(byte);
      close(readers[w]);
    }
  }
  Store store = open();
  const auto entries = store.list();
  ASSERT_TRUE(entries.ok()) << entries.error();
  std::set<std::string> present;
  for (const auto& entry : *entries) present.insert(entry.run_id);
  for (std::uint64_t w = 0; w < kWriters; ++w) {
    EXPECT_EQ(acknowledged[w].size(), kEach);
    for (const auto i : acknowledged[w])
      EXPECT_TRUE(present.contains(sample(w * 1000 + i).run_id)) << w << " " << i;
  }
  const auto report = store.verify();
  for (const auto& fault : report->faults)
    EXPECT_NE(fault.find("damaged"), std::string::npos) << fault;  // torn lines only
  const std::string grown = store.dump_index().value();
  ASSERT_TRUE(store.rebuild_index().ok());
  EXPECT_EQ(store.dump_index().value(), grown);
}

}  // namespace
}  // namespace neurolens::store
