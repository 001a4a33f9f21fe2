// A store of many Runs: time to add one, to list by a filter, and to look through a history.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "make_run.hpp"
#include "neurolens/analyze/change_points.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/store/store.hpp"

namespace {

using namespace neurolens;

/// The machine's files without waiting for the disk: to fill a store quickly. What is measured
/// later goes through the real ones.
class UnsyncedFiles final : public FileSystem {
  class File final : public OutputFile {
   public:
    File(const std::string& path, std::string final_name, bool append)
        : path_(path),
          final_name_(std::move(final_name)),
          out_(path, append ? std::ios::app | std::ios::binary : std::ios::binary) {}
    Status write(std::string_view bytes) override {
      out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      return {};
    }
    Status commit() override {
      out_.flush();
      if (!final_name_.empty()) std::filesystem::rename(path_, final_name_);
      if (!out_) return Error{Errc::io_error, "The disk refused.", path_};
      return {};
    }

   private:
    std::string path_;
    std::string final_name_;
    std::ofstream out_;
  };

 public:
  Result<std::string> read(const std::string& p, Bytes limit) override {
    return real_.read(p, limit);
  }
  Result<std::string> read_from(const std::string& p, Bytes o, Bytes l) override {
    return real_.read_from(p, o, l);
  }
  Result<std::unique_ptr<OutputFile>> create_atomic(const std::string& p) override {
    return std::unique_ptr<OutputFile>(std::make_unique<File>(p + ".new", p, false));
  }
  Result<std::unique_ptr<OutputFile>> open_append(const std::string& p) override {
    return std::unique_ptr<OutputFile>(std::make_unique<File>(p, "", true));
  }
  Result<std::optional<FileInfo>> info(const std::string& p) override { return real_.info(p); }
  Result<std::vector<DirectoryEntry>> list(const std::string& p) override { return real_.list(p); }
  Status make_directories(const std::string& p) override { return real_.make_directories(p); }
  Status remove(const std::string& p) override { return real_.remove(p); }
  Status rename(const std::string& a, const std::string& b) override { return real_.rename(a, b); }

 private:
  FileSystem& real_ = system_files();
};

constexpr const char* kModels[] = {"resnet50.onnx", "bert-base.onnx", "gpt2.onnx", "lenet.onnx",
                                   "vit.onnx"};

struct Sample {
  run::Run run;
  store::Headline headline;
};

/// A Run every ten minutes.
std::string created_at(std::uint64_t i) {
  return to_rfc3339(
      Nanoseconds{(1'600'000'000 + static_cast<std::int64_t>(i) * 600) * 1'000'000'000});
}

Sample sample(std::uint64_t i) {
  Random random(i, 3);
  Sample s{test_support::make_run({.ops = 20,
                                   .iterations = 40,
                                   .seed = i,
                                   .timeline = false,
                                   .name = kModels[i % std::size(kModels)]}),
           {}};
  s.run.created_at = created_at(i);
  s.run.software.precision = i % 3 == 0 ? "f16" : "f32";
  s.run.tags = {{"suite", i % 100 == 0 ? "weekly" : "nightly"},
                {"commit", fmt::format("{:08x}", i)}};
  const double level = (i / 10'000) % 2 == 0 ? 1.0 : 1.05;
  s.headline.latency_ns = 1e6 * level * std::exp(0.02 * random.normal());
  for (int op = 0; op < 20; ++op) {
    s.headline.ops.push_back({fmt::format("MatMul_{}", op),
                              5e4 * (op == 3 ? level : 1.0) * std::exp(0.02 * random.normal())});
  }
  return s;
}

double ms_of(const auto& work) {
  const auto begin = system_clock().now();
  work();
  return static_cast<double>((system_clock().now() - begin).count) * 1e-6;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

Status fill(const std::string& folder, std::uint64_t from, std::uint64_t to) {
  UnsyncedFiles unsynced;
  NEUROLENS_ASSIGN(auto store, store::Store::open(unsynced, folder));
  double spent = 0;
  for (std::uint64_t i = from; i < to; ++i) {
    const Sample s = sample(i);
    Status added;
    spent += ms_of([&] { added = store.add(s.run, s.headline).status(); });
    NEUROLENS_TRY(std::move(added));
  }
  if (to > from)
    fmt::print("adding without waiting for the disk: {:.3f} ms each over {} Runs\n",
               spent / static_cast<double>(to - from), to - from);
  return {};
}

Status add_some(FileSystem& files, const char* how, const std::string& folder, std::uint64_t from,
                std::uint64_t count) {
  NEUROLENS_ASSIGN(auto store, store::Store::open(files, folder));
  std::vector<double> ms;
  for (std::uint64_t i = from; i < from + count; ++i) {
    const Sample s = sample(i);
    Status added;
    ms.push_back(ms_of([&] { added = store.add(s.run, s.headline).status(); }));
    NEUROLENS_TRY(std::move(added));
  }
  std::sort(ms.begin(), ms.end());
  fmt::print("adding {} to {} Runs: median {:.2f} ms, 99 in 100 below {:.2f} ms, worst {:.2f} ms\n",
             how, from, ms[ms.size() / 2], ms[ms.size() * 99 / 100], ms.back());
  return {};
}

Status list(const std::string& folder) {
  struct Case {
    const char* what;
    store::Filter filter;
  };
  std::vector<Case> cases{
      {"newest 20", {.limit = 20}},
      {"model resnet*, newest 20", {.model = "resnet*", .limit = 20}},
      {"precision f16, fastest 20",
       {.precision = "f16", .limit = 20, .sort = store::Sort::fastest}},
      {"tag suite=weekly, all", {.tags = {{"suite", "weekly"}}}},
      {"tag commit=one, all", {.tags = {{"commit", "00000777"}}}},
      {"host Sample*, slowest 20", {.host = "Sample*", .limit = 20, .sort = store::Sort::slowest}},
      {"one month, all", {.since = "2021-01", .until = "2021-01"}},
      {"nothing fits: model none", {.model = "none"}}};
  for (auto& c : cases) {
    std::vector<double> ms;
    std::size_t rows = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
      Status listed;
      ms.push_back(ms_of([&] {
        auto store = store::Store::open(system_files(), folder);
        auto entries = store->list(c.filter);
        listed = entries.status();
        rows = entries.ok() ? entries->size() : 0;
      }));
      NEUROLENS_TRY(std::move(listed));
    }
    fmt::print("open and list, {:<26} {:>6} rows {:>8.2f} ms\n", c.what, rows, median(ms));
  }
  return {};
}

/// Ten thousand points in a row, half of them before the first planted step of 5 %.
Status history(const std::string& folder) {
  store::Filter filter;
  filter.since = created_at(5'000);
  filter.until = created_at(14'999);
  for (const char* metric : {"latency", "op:MatMul_3"}) {
    std::vector<double> values;
    std::vector<analyze::ChangePoint> changes;
    Status read;
    const double read_ms = ms_of([&] {
      auto store = store::Store::open(system_files(), folder);
      const auto points = store->history(filter, metric);
      read = points.status();
      if (points.ok())
        for (const auto& p : *points) values.push_back(p.value);
    });
    NEUROLENS_TRY(std::move(read));
    const double find_ms = ms_of([&] { changes = analyze::find_changes(values); });
    fmt::print("history of {}: {} points read in {:.0f} ms, changes found in {:.0f} ms, at", metric,
               values.size(), read_ms, find_ms);
    for (const auto& change : changes) fmt::print(" {}", change.index);
    fmt::print("\n");
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "store_scale.tmp";
  const auto runs = static_cast<std::uint64_t>(argc > 2 ? std::atoll(argv[2]) : 100'000);
  constexpr std::uint64_t kEach = 500;
  auto work = [&]() -> Status {
    std::uint64_t present = 0;
    {
      NEUROLENS_ASSIGN(auto store, store::Store::open(system_files(), folder));
      NEUROLENS_ASSIGN(const auto entries, store.list());
      present = entries.size();
    }
    NEUROLENS_TRY(fill(folder, present, runs));
    const std::uint64_t first = std::max(present, runs);
    UnsyncedFiles unsynced;
    NEUROLENS_TRY(add_some(unsynced, "without fsync", folder, first, kEach));
    NEUROLENS_TRY(add_some(system_files(), "durably", folder, first + kEach, kEach));
    NEUROLENS_TRY(list(folder));
    return history(folder);
  };
  if (const Status done = work(); !done.ok()) {
    fmt::print(stderr, "{}\n", done.error().text());
    return 1;
  }
  return 0;
}
