#include "neurolens/store/store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "index.hpp"
#include "manifest.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/compress.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/run/run.hpp"
#include "series.hpp"

namespace neurolens::store {
namespace {

constexpr std::string_view kObjectSuffix = ".run.json.zst";

std::string host_text(const run::Host& host) {
  return fmt::format("{}, {} cores", host.cpu_model, host.cores_logical);
}

Entry describe(const run::Run& run, const Headline& headline) {
  Entry e;
  e.run_id = run.run_id;
  e.created_at = run.created_at;
  e.workload = run.workload.name;
  e.host = host_text(run.host);
  e.backend = run.software.backend;
  e.provider = run.software.provider;
  e.precision = run.software.precision;
  e.threads = run.software.threads;
  e.optimisation = run.software.optimisation;
  e.batch_size = run.workload.batch_size;
  e.status = run.status;
  e.tags = run.tags;
  e.headline = headline;
  if (e.headline.ops.size() > kMostOps) e.headline.ops.resize(kMostOps);
  return e;
}

/// The one of `all` that `name` means for a Run like `like`.
Result<Entry> baseline_called(const std::vector<Baseline>& all, std::string_view name,
                              const run::Run* like) {
  std::vector<std::string> names;
  std::vector<const Entry*> found;
  for (const auto& baseline : all) {
    names.push_back(baseline.name);
    if (baseline.name != name) continue;
    if (like != nullptr && same_series(baseline.entry, *like)) return baseline.entry;
    found.push_back(&baseline.entry);
  }
  if (found.size() == 1) return *found.front();
  if (found.empty()) {
    return Error{Errc::not_found,
                 fmt::format("There is no such baseline.{}", did_you_mean(name, names)),
                 printable(name)};
  }
  std::string ids;
  for (const auto* entry : found)
    ids += fmt::format("{}{} ({})", ids.empty() ? "" : ", ", entry->run_id,
                       printable(entry->workload));
  return Error{
      Errc::bad_request,
      fmt::format("This name stands for one Run of each model, host and settings, and none "
                  "of them is that of the Run at hand; name one by its id: {}.",
                  ids),
      printable(name)};
}

bool is_hash(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string series_of(const Entry& e) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", e.workload, e.host, e.backend,
                     e.provider.value_or(""), e.precision.value_or(""), e.threads.value_or(-1),
                     e.optimisation.value_or(""), e.batch_size.value_or(-1));
}

bool same_series(const Entry& entry, const run::Run& run) {
  return series_of(entry) == series_of(describe(run, {}));
}

struct Store::State {
  FileSystem& files;
  std::string folder;
  std::string manifest;
  std::string index_path;
  Index index;

  [[nodiscard]] std::string now() const { return to_rfc3339(system_clock().wall()); }
  [[nodiscard]] std::string object_folder(std::string_view hash) const {
    return fmt::format("{}/objects/{}", folder, hash.substr(0, 2));
  }
  [[nodiscard]] std::string object_path(std::string_view hash) const {
    return fmt::format("{}/{}{}", object_folder(hash), hash, kObjectSuffix);
  }
  Status catch_up() { return index.catch_up(files, manifest); }
  Status record(const Record& what) {
    NEUROLENS_TRY(append_manifest(files, manifest, what));
    return catch_up();
  }
  Result<std::string> object_text(const Entry& entry) {
    NEUROLENS_ASSIGN(const std::string packed, files.read(object_path(entry.hash)));
    auto text = zstd_decompress(packed);
    if (!text.ok()) return std::move(text).error().at(object_path(entry.hash));
    if (sha256(*text) != entry.hash) {
      return Error{Errc::data_corrupt,
                   "The Run's content does not match its hash; restore it from a copy.",
                   object_path(entry.hash)};
    }
    return text;
  }
  /// Every object: its hash and size.
  Result<std::vector<std::pair<std::string, std::int64_t>>> objects() {
    std::vector<std::pair<std::string, std::int64_t>> found;
    NEUROLENS_ASSIGN(const auto folders, files.list(folder + "/objects"));
    for (const auto& sub : folders) {
      if (sub.kind != FileKind::directory) continue;
      const std::string path = folder + "/objects/" + sub.name;
      NEUROLENS_ASSIGN(const auto names, files.list(path));
      for (const auto& entry : names) {
        const std::string_view name = entry.name;
        if (!name.ends_with(kObjectSuffix) ||
            !is_hash(name.substr(0, name.size() - kObjectSuffix.size())))
          continue;
        NEUROLENS_ASSIGN(const auto info, files.info(path + "/" + entry.name));
        if (info) found.emplace_back(name.substr(0, 64), info->size.count);
      }
    }
    return found;
  }
};

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(FileSystem& files, const std::string& folder, bool create) {
  NEUROLENS_ASSIGN(const auto info, files.info(folder));
  if (!info && !create) {
    return Error{Errc::not_found,
                 "There is no store here yet; `neurolens store add RUN` makes one.", folder};
  }
  NEUROLENS_TRY(files.make_directories(folder + "/objects"));
  const std::string path = folder + "/index.sqlite";
  auto index = Index::open(path);
  if (!index.ok() && index.error().code == Errc::data_corrupt) {
    // Nothing is deleted: the damaged index is set aside and a new one made from the manifest.
    NEUROLENS_TRY(
        files.rename(path, fmt::format("{}.damaged-{}", path, system_clock().wall().count)));
    for (const char* suffix : {"-wal", "-shm"}) NEUROLENS_TRY(files.remove(path + suffix));
    index = Index::open(path);
  }
  if (!index.ok()) return std::move(index).error();
  Store store(std::make_unique<State>(
      State{files, folder, folder + "/manifest", path, std::move(index).value()}));
  NEUROLENS_TRY(store.state_->catch_up());
  return store;
}

Result<Entry> Store::add(const run::Run& run, const Headline& headline) {
  if (const run::Report report = run::validate(run); !report.valid()) {
    return Error{Errc::invalid_document, report.faults.front().sentence,
                 report.faults.front().pointer};
  }
  const std::string text = run::to_json(run);
  Entry entry = describe(run, headline);
  entry.hash = sha256(text);
  NEUROLENS_TRY(state_->catch_up());
  NEUROLENS_ASSIGN(const auto present, state_->index.begins_with(entry.run_id, 1));
  if (!present.empty() && present.front().run_id == entry.run_id) {
    if (present.front().hash == entry.hash) return present.front();
    return Error{
        Errc::duplicate_name,
        "A Run with this id but other content is in the store already; a Run is never changed.",
        entry.run_id};
  }
  const std::string packed = zstd_compress(text);
  entry.size_bytes = static_cast<std::int64_t>(packed.size());
  NEUROLENS_TRY(state_->files.make_directories(state_->object_folder(entry.hash)));
  NEUROLENS_TRY(state_->files.write_atomic(state_->object_path(entry.hash), packed));
  Record record;
  record.kind = Record::Kind::add;
  record.entry = entry;
  record.at = state_->now();
  NEUROLENS_TRY(state_->record(record));
  entry.added_at = record.at;
  return entry;
}

Result<std::vector<Entry>> Store::list(const Filter& filter) {
  NEUROLENS_TRY(state_->catch_up());
  return state_->index.list(filter);
}

Result<Entry> Store::resolve(std::string_view name, const run::Run* like) {
  NEUROLENS_TRY(state_->catch_up());
  if (name == "@latest") {
    NEUROLENS_ASSIGN(auto newest, state_->index.list({.limit = 1}));
    if (newest.empty()) return Error{Errc::not_found, "The store is empty.", state_->folder};
    return std::move(newest.front());
  }
  constexpr std::string_view kBaseline = "@baseline:";
  if (name.starts_with(kBaseline)) {
    NEUROLENS_ASSIGN(const auto all, baselines());
    return baseline_called(all, name.substr(kBaseline.size()), like);
  }
  constexpr int kShown = 6;
  if (name.empty() || name.find_first_not_of("0123456789abcdef-") != std::string_view::npos) {
    return Error{Errc::not_found,
                 "There is no such file, and a Run in the store is named by the beginning of its "
                 "id, @latest or @baseline:NAME.",
                 printable(name)};
  }
  NEUROLENS_ASSIGN(auto found, state_->index.begins_with(std::string(name), kShown));
  if (found.empty())
    return Error{Errc::not_found,
                 "No Run in the store has an id that begins like this; `neurolens ls` lists them.",
                 std::string(name)};
  if (found.size() > 1) {
    std::string ids;
    for (const auto& entry : found) ids += (ids.empty() ? "" : ", ") + entry.run_id;
    return Error{Errc::bad_request,
                 fmt::format("Several Runs begin like this ({}); give more of the id.", ids),
                 std::string(name)};
  }
  return std::move(found.front());
}

Result<run::Run> Store::load(const Entry& entry) {
  NEUROLENS_ASSIGN(const std::string text, state_->object_text(entry));
  auto loaded = run::read(text);
  if (!loaded.ok()) return std::move(loaded).error().at(state_->object_path(entry.hash));
  return loaded;
}

Status Store::remove(const std::string& run_id) {
  NEUROLENS_ASSIGN(const auto entry, resolve(run_id));
  NEUROLENS_ASSIGN(const auto named, state_->index.baselines());
  for (const auto& [baseline, id] : named) {
    if (id == entry.run_id) {
      return Error{
          Errc::bad_request,
          fmt::format("This Run is the baseline \"{}\"; let that name stand for another Run first.",
                      baseline.name),
          run_id};
    }
  }
  Record record;
  record.kind = Record::Kind::remove;
  record.entry.run_id = entry.run_id;
  record.at = state_->now();
  return state_->record(record);
}

Status Store::set_baseline(const std::string& name, const std::string& run_id) {
  if (name.empty() || name.find('@') != std::string::npos || printable(name) != name) {
    return Error{Errc::bad_request,
                 "A baseline's name must not be empty and holds no '@' and no control character.",
                 "baseline"};
  }
  NEUROLENS_ASSIGN(const auto entry, resolve(run_id));
  Record record;
  record.kind = Record::Kind::baseline;
  record.entry.run_id = entry.run_id;
  record.name = name;
  record.at = state_->now();
  return state_->record(record);
}

Result<std::vector<Baseline>> Store::baselines() {
  NEUROLENS_TRY(state_->catch_up());
  NEUROLENS_ASSIGN(auto named, state_->index.baselines());
  std::vector<Baseline> result;
  for (auto& [baseline, run_id] : named) {
    NEUROLENS_ASSIGN(auto found, state_->index.begins_with(run_id, 1));
    if (found.empty()) continue;
    baseline.entry = std::move(found.front());
    result.push_back(std::move(baseline));
  }
  return result;
}

Result<std::vector<Point>> Store::history(const Filter& filter, const std::string& metric) {
  NEUROLENS_TRY(state_->catch_up());
  NEUROLENS_ASSIGN(auto points, state_->index.history(filter, metric));
  if (points.empty() && metric.starts_with("op:")) {
    constexpr int kMostNames = 100'000;
    NEUROLENS_ASSIGN(const auto names, state_->index.op_names(kMostNames));
    if (std::find(names.begin(), names.end(), metric.substr(3)) == names.end()) {
      return Error{Errc::unknown_metric,
                   fmt::format("No Run in the store has an op of this name.{}",
                               did_you_mean(metric.substr(3), names)),
                   metric};
    }
  }
  return points;
}

Result<OpHistory> Store::op_history(const Filter& filter) {
  NEUROLENS_TRY(state_->catch_up());
  return state_->index.op_history(filter);
}

Result<VerifyReport> Store::verify() {
  VerifyReport report;
  NEUROLENS_TRY(state_->catch_up());
  const auto take = [&](std::int64_t offset, const Result<Record>& record) -> Status {
    if (!record.ok())
      report.faults.push_back(
          fmt::format("{}: byte {}: {}", state_->manifest, offset, record.error().message));
    return {};
  };
  NEUROLENS_ASSIGN(const std::int64_t end, scan_manifest(state_->files, state_->manifest, 0, take));
  NEUROLENS_ASSIGN(const auto info, state_->files.info(state_->manifest));
  if (info && info->size.count > end)
    report.faults.push_back(
        fmt::format("{}: byte {}: The last line is torn.", state_->manifest, end));
  NEUROLENS_ASSIGN(const auto entries, state_->index.list({.sort = Sort::oldest}));
  for (const auto& entry : entries) {
    ++report.runs;
    report.bytes += entry.size_bytes;
    const auto text = state_->object_text(entry);
    if (!text.ok()) report.faults.push_back(text.error().text());
  }
  return report;
}

Result<CollectReport> Store::collect(const Retention& policy, Nanoseconds now) {
  if (policy.keep_newest && *policy.keep_newest < 1) {
    return Error{Errc::out_of_range, "At least one Run of each series must stay.", "keep_newest"};
  }
  CollectReport report;
  NEUROLENS_TRY(state_->catch_up());
  std::set<std::string> kept;
  NEUROLENS_ASSIGN(const auto named, state_->index.baselines());
  for (const auto& [baseline, id] : named) kept.insert(id);
  NEUROLENS_ASSIGN(const auto entries, state_->index.list({.sort = Sort::newest}));
  const std::string horizon = policy.older_than ? to_rfc3339(now - *policy.older_than) : "";
  std::map<std::string, std::int64_t> newer;
  std::set<std::string> gone;
  for (const auto& entry : entries) {
    const std::int64_t rank = newer[series_of(entry)]++;
    const bool surplus =
        policy.keep_newest ? rank >= *policy.keep_newest : policy.older_than.has_value();
    const bool old =
        policy.older_than ? entry.created_at < horizon : policy.keep_newest.has_value();
    if (!surplus || !old || kept.contains(entry.run_id)) continue;
    NEUROLENS_TRY(remove(entry.run_id));
    gone.insert(entry.hash);
    ++report.runs;
  }
  NEUROLENS_ASSIGN(const auto left, state_->index.list({.sort = Sort::oldest}));
  std::set<std::string> needed;
  for (const auto& entry : left) needed.insert(entry.hash);
  NEUROLENS_ASSIGN(const auto objects, state_->objects());
  // An object younger than this may belong to an addition whose line is not written yet.
  const Nanoseconds grace{std::int64_t{3600} * 1'000'000'000};
  for (const auto& [hash, size] : objects) {
    if (needed.contains(hash)) continue;
    NEUROLENS_ASSIGN(const auto info, state_->files.info(state_->object_path(hash)));
    if (!info || (!gone.contains(hash) && info->modified > now - grace)) continue;
    NEUROLENS_TRY(state_->files.remove(state_->object_path(hash)));
    ++report.objects;
    report.bytes += size;
  }
  return report;
}

Status Store::rebuild_index() {
  const std::string fresh = state_->index_path + ".new";
  for (const char* suffix : {"", "-wal", "-shm"})
    NEUROLENS_TRY(state_->files.remove(fresh + suffix));
  {
    NEUROLENS_ASSIGN(auto index, Index::open(fresh));
    NEUROLENS_TRY(index.catch_up(state_->files, state_->manifest));
  }
  // The old connection must be closed before: closing it removes its log by name.
  NEUROLENS_ASSIGN(state_->index, Index::open(":memory:"));
  NEUROLENS_TRY(state_->files.rename(fresh, state_->index_path));
  for (const char* suffix : {"-wal", "-shm"})
    NEUROLENS_TRY(state_->files.remove(state_->index_path + suffix));
  NEUROLENS_ASSIGN(auto index, Index::open(state_->index_path));
  state_->index = std::move(index);
  return state_->catch_up();
}

Result<std::string> Store::dump_index() {
  NEUROLENS_TRY(state_->catch_up());
  return state_->index.dump();
}

std::string default_folder() {
  if (const char* store = std::getenv("NEUROLENS_STORE"); store != nullptr && *store != '\0')
    return store;
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data == '/')
    return std::string(data) + "/neurolens";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "/tmp") + "/.local/share/neurolens";
}

}  // namespace neurolens::store
