#include "index.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "series.hpp"
#include "sqlite.hpp"

namespace neurolens::store {
namespace {

constexpr std::int64_t kVersion = 2;

// WITHOUT ROWID keeps the ops of a run together and needs no second tree.
constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS runs (seq INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, hash TEXT NOT NULL,
    created_at TEXT NOT NULL, added_at TEXT NOT NULL, workload TEXT NOT NULL, host TEXT NOT NULL, backend TEXT NOT NULL,
    provider TEXT, precision TEXT, threads INTEGER, optimisation TEXT, batch_size INTEGER, status TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, latency_ns REAL, throughput_per_second REAL, accelerator_utilisation_ratio REAL,
    accelerator_peak_bytes REAL, host_peak_bytes REAL);
  CREATE INDEX IF NOT EXISTS runs_by_time ON runs (created_at, seq);
  CREATE INDEX IF NOT EXISTS runs_by_workload ON runs (workload, created_at);
  CREATE TABLE IF NOT EXISTS tags (seq INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (seq, key)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tags_by_value ON tags (key, value, seq);
  CREATE TABLE IF NOT EXISTS ops (name TEXT NOT NULL, seq INTEGER NOT NULL, time_ns REAL NOT NULL, PRIMARY KEY (name, seq)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS baselines (name TEXT NOT NULL, series TEXT NOT NULL, run_id TEXT NOT NULL,
    set_at TEXT NOT NULL, PRIMARY KEY (name, series)) WITHOUT ROWID;
)";

constexpr const char* kColumns =
    "r.run_id, r.hash, r.created_at, r.added_at, r.workload, r.host, r.backend, r.provider, "
    "r.precision, r.threads, "
    "r.optimisation, r.batch_size, r.status, r.size_bytes, r.latency_ns, r.throughput_per_second, "
    "r.accelerator_utilisation_ratio, r.accelerator_peak_bytes, r.host_peak_bytes, r.seq";

Entry entry_of(const Statement& row) {
  Entry e;
  int c = 0;
  e.run_id = row.text(c++);
  e.hash = row.text(c++);
  e.created_at = row.text(c++);
  e.added_at = row.text(c++);
  e.workload = row.text(c++);
  e.host = row.text(c++);
  e.backend = row.text(c++);
  e.provider = row.maybe_text(c++);
  e.precision = row.maybe_text(c++);
  e.threads = row.maybe_integer(c++);
  e.optimisation = row.maybe_text(c++);
  e.batch_size = row.maybe_integer(c++);
  e.status = row.text(c++);
  e.size_bytes = row.integer(c++);
  e.headline.latency_ns = row.maybe_number(c++);
  e.headline.throughput_per_second = row.maybe_number(c++);
  e.headline.accelerator_utilisation_ratio = row.maybe_number(c++);
  e.headline.accelerator_peak_bytes = row.maybe_number(c++);
  e.headline.host_peak_bytes = row.maybe_number(c++);
  return e;
}
constexpr int kSeqColumn = 19;

/// The conditions of a filter as SQL, with what to bind.
struct Where {
  std::string sql;
  std::vector<std::string> texts;

  explicit Where(const Filter& filter) {
    add("r.backend = ?", filter.backend);
    add("r.workload GLOB ?", filter.model);
    add("r.precision = ?", filter.precision);
    add("r.host GLOB ?", filter.host);
    add("r.created_at >= ?", filter.since);
    // '~' sorts behind every character of a time: "2026-01" takes in all of January.
    add("r.created_at < ? || '~'", filter.until);
    for (const auto& [key, value] : filter.tags) {
      sql += sql.empty() ? " WHERE " : " AND ";
      sql += "r.seq IN (SELECT t.seq FROM tags t WHERE t.key = ? AND t.value = ?)";
      texts.push_back(key);
      texts.push_back(value);
    }
  }
  void add(const char* condition, const std::optional<std::string>& value) {
    if (!value) return;
    sql += sql.empty() ? " WHERE " : " AND ";
    sql += condition;
    texts.push_back(*value);
  }
  void bind_to(Statement& statement) const {
    for (const auto& text : texts) statement.bind(text);
  }
};

}  // namespace

struct Index::State {
  explicit State(Database&& opened) : database(std::move(opened)) {}
  Database database;

  Result<std::int64_t> state_value(const char* key) {
    Statement s(database, "SELECT value FROM state WHERE key = ?");
    s.bind(std::string_view(key));
    NEUROLENS_ASSIGN(const bool there, s.step());
    return there ? s.integer(0) : std::int64_t{0};
  }
  Status set_state(const char* key, std::int64_t value) {
    Statement s(database, "INSERT OR REPLACE INTO state VALUES (?, ?)");
    return s.bind(std::string_view(key)).bind(value).run();
  }

  Status take(std::int64_t seq, const Record& record) {
    switch (record.kind) {
      case Record::Kind::add:
        return take_run(seq, record.entry);
      case Record::Kind::remove:
        return take_removal(record.entry.run_id);
      case Record::Kind::baseline:
        return take_baseline(record);
    }
    return {};
  }

  Status take_run(std::int64_t seq, const Entry& e) {
    Statement s(database,
                "INSERT OR IGNORE INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    s.bind(seq)
        .bind(e.run_id)
        .bind(e.hash)
        .bind(e.created_at)
        .bind(e.added_at)
        .bind(e.workload)
        .bind(e.host);
    s.bind(e.backend)
        .bind(e.provider)
        .bind(e.precision)
        .bind(e.threads)
        .bind(e.optimisation)
        .bind(e.batch_size);
    s.bind(e.status)
        .bind(e.size_bytes)
        .bind(e.headline.latency_ns)
        .bind(e.headline.throughput_per_second);
    s.bind(e.headline.accelerator_utilisation_ratio).bind(e.headline.accelerator_peak_bytes);
    s.bind(e.headline.host_peak_bytes);
    NEUROLENS_TRY(s.run());
    if (sqlite3_changes(database.handle()) == 0)
      return {};  // two processes added the same Run at once
    Statement tag(database, "INSERT INTO tags VALUES (?, ?, ?)");
    for (const auto& [key, value] : e.tags)
      NEUROLENS_TRY(tag.bind(seq).bind(key).bind(value).run());
    Statement op(database, "INSERT OR IGNORE INTO ops VALUES (?, ?, ?)");
    for (const auto& o : e.headline.ops)
      NEUROLENS_TRY(op.bind(o.name).bind(seq).bind(o.time_ns).run());
    return {};
  }

  Status take_baseline(const Record& record) {
    Statement found(database, fmt::format("SELECT {} FROM runs r WHERE r.run_id = ?", kColumns));
    found.bind(record.entry.run_id);
    NEUROLENS_ASSIGN(const bool there, found.step());
    if (!there) return {};  // the line of the Run itself was damaged
    Statement s(database, "INSERT OR REPLACE INTO baselines VALUES (?, ?, ?, ?)");
    return s.bind(record.name)
        .bind(series_of(entry_of(found)))
        .bind(record.entry.run_id)
        .bind(record.at)
        .run();
  }

  Status take_removal(const std::string& run_id) {
    for (const char* sql : {"DELETE FROM tags WHERE seq = (SELECT seq FROM runs WHERE run_id = ?)",
                            "DELETE FROM ops WHERE seq = (SELECT seq FROM runs WHERE run_id = ?)",
                            "DELETE FROM runs WHERE run_id = ?"}) {
      Statement s(database, sql);
      NEUROLENS_TRY(s.bind(run_id).run());
    }
    return {};
  }

  Status fill_tags(Entry& entry, std::int64_t seq) {
    Statement s(database, "SELECT key, value FROM tags WHERE seq = ?");
    s.bind(seq);
    while (true) {
      NEUROLENS_ASSIGN(const bool more, s.step());
      if (!more) return {};
      entry.tags[s.text(0)] = s.text(1);
    }
  }

  Result<std::vector<Entry>> entries(Statement& s) {
    std::vector<Entry> result;
    while (true) {
      NEUROLENS_ASSIGN(const bool more, s.step());
      if (!more) return result;
      result.push_back(entry_of(s));
      NEUROLENS_TRY(fill_tags(result.back(), s.integer(kSeqColumn)));
    }
  }
};

Index::Index(std::unique_ptr<State> state) : state_(std::move(state)) {}
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

Result<Index> Index::open(const std::string& path) {
  NEUROLENS_ASSIGN(auto database, Database::open(path));
  auto state = std::make_unique<State>(std::move(database));
  // The manifest is the truth: an index that loses its last transactions in a power cut catches up.
  NEUROLENS_TRY(state->database.execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"));
  NEUROLENS_TRY(state->database.execute(kSchema));
  NEUROLENS_ASSIGN(const std::int64_t version, state->state_value("version"));
  if (version == 0) NEUROLENS_TRY(state->set_state("version", kVersion));
  if (version != 0 && version != kVersion) {
    return Error{Errc::data_corrupt, "The index is of another version.", path};
  }
  return Index(std::move(state));
}

Status Index::catch_up(FileSystem& files, const std::string& manifest) {
  NEUROLENS_ASSIGN(const std::int64_t known, state_->state_value("offset"));
  NEUROLENS_ASSIGN(const auto info, files.info(manifest));
  if (!info || info->size.count <= known) return {};
  NEUROLENS_TRY(state_->database.execute("BEGIN IMMEDIATE"));
  const auto work = [&]() -> Status {
    NEUROLENS_ASSIGN(const std::int64_t from,
                     state_->state_value("offset"));  // another process may have been here
    const auto take = [&](std::int64_t offset, const Result<Record>& record) -> Status {
      return record.ok() ? state_->take(offset, *record)
                         : Status{};  // verify() reports damaged lines
    };
    NEUROLENS_ASSIGN(const std::int64_t end, scan_manifest(files, manifest, from, take));
    return state_->set_state("offset", end);
  };
  if (Status status = work(); !status.ok()) {
    (void)state_->database.execute("ROLLBACK");
    return status;
  }
  return state_->database.execute("COMMIT");
}

Result<std::vector<Entry>> Index::list(const Filter& filter) {
  const Where where(filter);
  static constexpr const char* kOrders[] = {"r.created_at DESC, r.seq DESC", "r.created_at, r.seq",
                                            "r.latency_ns IS NULL, r.latency_ns, r.seq",
                                            "r.latency_ns IS NULL, r.latency_ns DESC, r.seq"};
  Statement s(state_->database,
              fmt::format("SELECT {} FROM runs r{} ORDER BY {} LIMIT ?", kColumns, where.sql,
                          kOrders[static_cast<std::size_t>(filter.sort)]));
  where.bind_to(s);
  s.bind(filter.limit.value_or(-1));
  return state_->entries(s);
}

Result<std::vector<Entry>> Index::begins_with(const std::string& prefix, int most) {
  Statement s(state_->database, fmt::format("SELECT {} FROM runs r WHERE r.run_id >= ? AND "
                                            "r.run_id < ? || '~' ORDER BY r.run_id LIMIT ?",
                                            kColumns));
  s.bind(prefix).bind(prefix).bind(std::int64_t{most});
  return state_->entries(s);
}

Result<std::vector<std::pair<Baseline, std::string>>> Index::baselines() {
  std::vector<std::pair<Baseline, std::string>> result;
  Statement s(state_->database, "SELECT name, set_at, run_id FROM baselines ORDER BY name, series");
  while (true) {
    NEUROLENS_ASSIGN(const bool more, s.step());
    if (!more) return result;
    result.emplace_back(Baseline{s.text(0), s.text(1), {}}, s.text(2));
  }
}

Result<std::vector<Point>> Index::history(const Filter& filter, const std::string& metric) {
  const Where where(filter);
  std::string value = metric == "latency"      ? "r.latency_ns"
                      : metric == "throughput" ? "r.throughput_per_second"
                                               : "o.time_ns";
  const bool op = metric.starts_with("op:");
  if (!op && metric != "latency" && metric != "throughput") {
    return Error{
        Errc::unknown_metric,
        fmt::format("There is no metric \"{}\"; there are latency, throughput and op:NAME.",
                    metric),
        ""};
  }
  Statement s(state_->database,
              fmt::format("SELECT r.run_id, r.created_at, {0} FROM runs r{1}{2}{3}{0} IS NOT NULL "
                          "ORDER BY r.created_at, r.seq",
                          value, op ? " JOIN ops o ON o.seq = r.seq AND o.name = ?" : "", where.sql,
                          where.sql.empty() ? " WHERE " : " AND "));
  if (op) s.bind(metric.substr(3));
  where.bind_to(s);
  std::vector<Point> points;
  while (true) {
    NEUROLENS_ASSIGN(const bool more, s.step());
    if (!more) return points;
    points.push_back({s.text(0), s.text(1), s.maybe_number(2).value_or(0)});
  }
}

Result<OpHistory> Index::op_history(const Filter& filter) {
  const Where where(filter);
  OpHistory history;
  std::unordered_map<std::int64_t, std::size_t> place;
  Statement runs(state_->database, fmt::format("SELECT r.seq, r.run_id, r.created_at, r.latency_ns "
                                               "FROM runs r{} ORDER BY r.created_at, r.seq",
                                               where.sql));
  where.bind_to(runs);
  while (true) {
    NEUROLENS_ASSIGN(const bool more, runs.step());
    if (!more) break;
    place[runs.integer(0)] = history.runs.size();
    history.runs.push_back({runs.text(1), runs.text(2), runs.maybe_number(3).value_or(0)});
  }
  Statement ops(state_->database,
                fmt::format("SELECT o.name, o.seq, o.time_ns FROM ops o JOIN runs r ON r.seq = "
                            "o.seq{} ORDER BY o.name, r.created_at, r.seq",
                            where.sql));
  where.bind_to(ops);
  while (true) {
    NEUROLENS_ASSIGN(const bool more, ops.step());
    if (!more) return history;
    std::string name = ops.text(0);
    if (history.ops.empty() || history.ops.back().name != name)
      history.ops.push_back({std::move(name), {}, {}});
    history.ops.back().runs.push_back(place[ops.integer(1)]);
    history.ops.back().time_ns.push_back(ops.maybe_number(2).value_or(0));
  }
}

Result<std::vector<std::string>> Index::op_names(int most) {
  Statement s(state_->database, "SELECT DISTINCT name FROM ops LIMIT ?");
  s.bind(std::int64_t{most});
  std::vector<std::string> names;
  while (true) {
    NEUROLENS_ASSIGN(const bool more, s.step());
    if (!more) return names;
    names.push_back(s.text(0));
  }
}

Result<std::string> Index::dump() {
  std::string text;
  for (const char* table : {"runs", "tags", "ops", "baselines"}) {
    const int columns = table[0] == 'r' ? 20 : table[0] == 'b' ? 4 : 3;
    Statement s(state_->database, fmt::format("SELECT * FROM {} ORDER BY 1, 2", table));
    while (true) {
      NEUROLENS_ASSIGN(const bool more, s.step());
      if (!more) break;
      text += table;
      for (int c = 0; c < columns; ++c) text += "\t" + s.text(c);
      text += "\n";
    }
  }
  return text;
}

}  // namespace neurolens::store
