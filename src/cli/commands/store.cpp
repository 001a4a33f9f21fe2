#include "store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::cli {

void write_entry(json::Writer& w, const store::Entry& e) {
  w.begin_object()
      .member("run_id", e.run_id)
      .member("hash", e.hash)
      .member("created_at", e.created_at);
  w.member("added_at", e.added_at)
      .member("workload", e.workload)
      .member("host", e.host)
      .member("backend", e.backend);
  w.member("provider", e.provider).member("precision", e.precision).member("threads", e.threads);
  w.member("optimisation", e.optimisation)
      .member("batch_size", e.batch_size)
      .member("status", e.status);
  w.member("size_bytes", e.size_bytes).key("tags").begin_object();
  for (const auto& [key, value] : e.tags) w.member(key, value);
  w.end_object();
  const store::Headline& h = e.headline;
  w.member("latency_ns", h.latency_ns).member("throughput_per_second", h.throughput_per_second);
  w.member("accelerator_utilisation_ratio", h.accelerator_utilisation_ratio);
  w.member("accelerator_peak_bytes", h.accelerator_peak_bytes)
      .member("host_peak_bytes", h.host_peak_bytes)
      .end_object();
}

namespace {

constexpr const char* kStoreHelp =
    "Folder of the store (default: $NEUROLENS_STORE or ~/.local/share/neurolens)";

class List final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "ls"; }
  [[nodiscard]] std::string summary() const override { return "list the Runs in the store"; }
  void declare(Options& options) override {
    filter_.declare(options);
    options.value("--limit", "N", limit_,
                  "Most Runs to list (default: 20; all with --json or --csv)");
    options.choice("--sort", {"newest", "oldest", "fastest", "slowest"}, sort_, "Order");
    options.flag("--json", json_, "One JSON document on stdout");
    options.flag("--csv", csv_, "Comma-separated values on stdout");
    options.example("neurolens ls --model 'resnet*' --sort fastest");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(store::Filter filter, filter_.filter());
    if (limit_ && *limit_ < 1)
      return Error{Errc::out_of_range, "At least one Run must be allowed.", "--limit"};
    constexpr std::int64_t kScreen = 20;
    if (limit_ || !(json_ || csv_)) filter.limit = limit_.value_or(kScreen);
    filter.sort = sort_ == "oldest"    ? store::Sort::oldest
                  : sort_ == "fastest" ? store::Sort::fastest
                  : sort_ == "slowest" ? store::Sort::slowest
                                       : store::Sort::newest;
    NEUROLENS_ASSIGN(auto opened, open_store(context, filter_.folder, false));
    NEUROLENS_ASSIGN(const auto entries, opened.list(filter));
    context.terminal.out(json_  ? as_json(entries)
                         : csv_ ? as_csv(entries)
                                : as_text(context, entries));
    return kDone;
  }

 private:
  static std::string as_json(const std::vector<store::Entry>& entries) {
    json::Writer w({2});
    w.begin_array();
    for (const auto& entry : entries) write_entry(w, entry);
    w.end_array();
    return std::move(w).take() + "\n";
  }
  static std::string as_csv(const std::vector<store::Entry>& entries) {
    std::string text =
        "run_id,created_at,workload,backend,precision,threads,batch_size,latency_ns,status\n";
    for (const auto& e : entries) {
      text +=
          fmt::format("{},{},{},{},{},{},{},{},{}\n", e.run_id, e.created_at, csv_cell(e.workload),
                      csv_cell(e.backend), csv_cell(e.precision.value_or("")),
                      e.threads ? std::to_string(*e.threads) : "",
                      e.batch_size ? std::to_string(*e.batch_size) : "",
                      e.headline.latency_ns ? shortest(*e.headline.latency_ns) : "", e.status);
    }
    return text;
  }
  static std::string as_text(const Context& context, const std::vector<store::Entry>& entries) {
    if (entries.empty()) return "no Run matches\n";
    report::Table table;
    for (const char* title : {"run", "when", "workload", "backend", "precision"}) {
      table.add_column(title, report::Align::left, title[0] == 'w' && title[1] == 'o');
    }
    for (const char* title : {"threads", "batch", "latency"})
      table.add_column(title, report::Align::right);
    table.add_column("", report::Align::left);
    constexpr std::size_t kShortId = 8;
    for (const auto& e : entries) {
      table.add_row({e.run_id.substr(0, kShortId), e.created_at.substr(0, 19),
                     printable(e.workload), printable(e.backend), e.precision.value_or("-"),
                     e.threads ? std::to_string(*e.threads) : "-",
                     e.batch_size ? std::to_string(*e.batch_size) : "-",
                     e.headline.latency_ns ? report::format_time(*e.headline.latency_ns) : "-",
                     e.status == "partial" ? "partial" : ""});
    }
    return table.text(context.terminal.width());
  }

  FilterOptions filter_;
  std::optional<std::int64_t> limit_;
  std::string sort_ = "newest";
  bool json_ = false;
  bool csv_ = false;
};

class StoreAdd final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "store add"; }
  [[nodiscard]] std::string summary() const override { return "keep Runs in the store"; }
  void declare(Options& options) override {
    options.positionals("runs", paths_, "Runs (run.json or run.json.zst)");
    options.value("--store", "PATH", folder_, kStoreHelp);
    options.example("neurolens store add resnet50.run.json");
  }
  Result<int> run(Context& context) override {
    if (paths_.empty())
      return Error{Errc::bad_request, "Name at least one Run to keep.", "store add"};
    NEUROLENS_ASSIGN(auto opened, open_store(context, folder_, true));
    for (const auto& path : paths_) {
      NEUROLENS_ASSIGN(const run::Run run, run::read_file(context.files, path));
      NEUROLENS_ASSIGN(const auto headline, headline_of(run));
      auto entry = opened.add(run, headline);
      if (!entry.ok()) return std::move(entry).error().at(path);
      context.terminal.out(fmt::format("{}  {}\n", entry->run_id, printable(path)));
    }
    return kDone;
  }

 private:
  std::vector<std::string> paths_;
  std::optional<std::string> folder_;
};

class StoreRemove final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "store rm"; }
  [[nodiscard]] std::string summary() const override {
    return "mark a Run of the store as removed";
  }
  void declare(Options& options) override {
    options.positional("run", run_, "Beginning of its id, or @latest");
    options.value("--store", "PATH", folder_, kStoreHelp);
    options.example("neurolens store rm 1f3c");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(auto opened, open_store(context, folder_, false));
    NEUROLENS_ASSIGN(const auto entry, opened.resolve(run_));
    NEUROLENS_TRY(opened.remove(entry.run_id));
    context.terminal.out(
        fmt::format("removed {}; `neurolens store gc` frees its space\n", entry.run_id));
    return kDone;
  }

 private:
  std::string run_;
  std::optional<std::string> folder_;
};

class StoreVerify final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "store verify"; }
  [[nodiscard]] std::string summary() const override {
    return "check every hash of the store; exit status 1 when damaged";
  }
  void declare(Options& options) override {
    options.flag("--rebuild", rebuild_, "Make the index anew first");
    options.value("--store", "PATH", folder_, kStoreHelp);
    options.example("neurolens store verify");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(auto opened, open_store(context, folder_, false));
    if (rebuild_) NEUROLENS_TRY(opened.rebuild_index());
    NEUROLENS_ASSIGN(const auto report, opened.verify());
    for (const auto& fault : report.faults) context.terminal.out(printable(fault) + "\n");
    context.terminal.out(fmt::format("{} Runs, {}: {}\n", report.runs,
                                     report::format_bytes(static_cast<double>(report.bytes)),
                                     report.faults.empty() ? "every hash is right" : "damaged"));
    return report.faults.empty() ? kDone : kAnswerIsNo;
  }

 private:
  std::optional<std::string> folder_;
  bool rebuild_ = false;
};

class StoreCollect final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "store gc"; }
  [[nodiscard]] std::string summary() const override {
    return "free the space of Runs that a policy lets go";
  }
  void declare(Options& options) override {
    options.value("--keep", "N", keep_, "Keep the newest N of each workload, host and setting");
    options.value("--older-than", "DAYS", days_, "Let go only what is older");
    options.value("--store", "PATH", folder_, kStoreHelp);
    options.example("neurolens store gc --keep 50 --older-than 90");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(auto opened, open_store(context, folder_, false));
    store::Retention policy;
    policy.keep_newest = keep_;
    if (days_) policy.older_than = Nanoseconds{static_cast<std::int64_t>(*days_ * 86'400e9)};
    NEUROLENS_ASSIGN(const auto report, opened.collect(policy, context.clock.wall()));
    context.terminal.out(fmt::format("let {} Runs go, freed {}\n", report.runs,
                                     report::format_bytes(static_cast<double>(report.bytes))));
    return kDone;
  }

 private:
  std::optional<std::string> folder_;
  std::optional<std::int64_t> keep_;
  std::optional<double> days_;
};

class BaselineSet final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "baseline set"; }
  [[nodiscard]] std::string summary() const override {
    return "let a name stand for a Run: @baseline:NAME";
  }
  void declare(Options& options) override {
    options.positional("name", name_, "The baseline's name");
    options.positional("run", run_,
                       "A Run file (it is kept in the store) or the name of one in the store");
    options.value("--store", "PATH", folder_, kStoreHelp);
    options.example("neurolens baseline set main resnet50.run.json");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(auto opened, open_store(context, folder_, true));
    std::string run_id;
    NEUROLENS_ASSIGN(const auto file, context.files.info(run_));
    if (file) {
      NEUROLENS_ASSIGN(const run::Run run, run::read_file(context.files, run_));
      NEUROLENS_ASSIGN(const auto headline, headline_of(run));
      NEUROLENS_ASSIGN(const auto entry, opened.add(run, headline));
      run_id = entry.run_id;
    } else {
      NEUROLENS_ASSIGN(const auto entry, opened.resolve(run_));
      run_id = entry.run_id;
    }
    NEUROLENS_TRY(opened.set_baseline(name_, run_id));
    context.terminal.out(fmt::format("{} stands for {}\n", printable(name_), run_id));
    return kDone;
  }

 private:
  std::string name_;
  std::string run_;
  std::optional<std::string> folder_;
};

class BaselineShow final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "baseline show"; }
  [[nodiscard]] std::string summary() const override {
    return "show the baselines and their figures";
  }
  void declare(Options& options) override {
    options.value("--store", "PATH", folder_, kStoreHelp);
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens baseline show");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(auto opened, open_store(context, folder_, false));
    NEUROLENS_ASSIGN(const auto baselines, opened.baselines());
    context.terminal.out(json_ ? as_json(baselines) : as_text(context, baselines));
    return kDone;
  }

 private:
  static std::string as_json(const std::vector<store::Baseline>& baselines) {
    json::Writer w({2});
    w.begin_array();
    for (const auto& b : baselines) {
      w.begin_object().member("name", b.name).member("set_at", b.set_at).key("run");
      write_entry(w, b.entry);
      w.end_object();
    }
    w.end_array();
    return std::move(w).take() + "\n";
  }
  static std::string as_text(const Context& context,
                             const std::vector<store::Baseline>& baselines) {
    if (baselines.empty())
      return "there are no baselines; `neurolens baseline set NAME RUN` makes one\n";
    report::Table table;
    table.add_column("baseline", report::Align::left, true);
    table.add_column("run", report::Align::left);
    table.add_column("workload", report::Align::left, true);
    for (const char* title :
         {"latency", "per second", "accelerator", "its memory", "host memory"}) {
      table.add_column(title, report::Align::right);
    }
    for (const auto& b : baselines) {
      const store::Headline& h = b.entry.headline;
      const auto bytes = [](const std::optional<double>& n) {
        return n ? report::format_bytes(*n) : "-";
      };
      table.add_row(
          {printable(b.name), b.entry.run_id.substr(0, 8), printable(b.entry.workload),
           h.latency_ns ? report::format_time(*h.latency_ns) : "-",
           h.throughput_per_second ? report::format_number(*h.throughput_per_second) : "-",
           h.accelerator_utilisation_ratio ? report::format_share(*h.accelerator_utilisation_ratio)
                                           : "-",
           bytes(h.accelerator_peak_bytes), bytes(h.host_peak_bytes)});
    }
    return table.text(context.terminal.width());
  }

  std::optional<std::string> folder_;
  bool json_ = false;
};

}  // namespace

void FilterOptions::declare(Options& options) {
  options.value("--model", "NAME", model, "Name of the workload; * and ? are wildcards");
  options.value("--backend", "NAME", backend, "Backend");
  options.value("--precision", "NAME", precision, "Precision, such as f32");
  options.value("--host", "PATTERN", host, "Processor; * and ? are wildcards");
  options.values("--tag", "K=V", tags, "A label; may be repeated");
  options.value("--since", "TIME", since, "RFC 3339 time or its beginning, such as 2026-01-31");
  options.value("--until", "TIME", until, "Likewise, inclusive");
  options.value("--store", "PATH", folder, kStoreHelp);
}

Result<store::Filter> FilterOptions::filter() const {
  store::Filter f;
  f.backend = backend;
  f.model = model;
  f.precision = precision;
  f.host = host;
  f.since = since;
  f.until = until;
  for (const auto& text : tags) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" is not of the form KEY=VALUE.", printable(text)), "--tag"};
    }
    f.tags[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return f;
}

Result<store::Store> open_store(Context& context, const std::optional<std::string>& folder,
                                bool create) {
  return store::Store::open(context.files, folder.value_or(store::default_folder()), create);
}

Result<bool> names_a_file(Context& context, const std::string& name) {
  NEUROLENS_ASSIGN(const auto file, context.files.info(name));
  // What looks like a path is meant as one: its absence is told as such.
  return file || name.find('/') != std::string::npos || name.ends_with(".json") ||
         name.ends_with(".zst");
}

Result<run::Run> load_run(Context& context, const std::string& name,
                          const std::optional<std::string>& folder, const run::Run* like) {
  NEUROLENS_ASSIGN(const bool file, names_a_file(context, name));
  if (file) return run::read_file(context.files, name);
  auto opened = open_store(context, folder, false);
  if (!opened.ok())
    return Error{Errc::not_found,
                 "There is no such file, and no store to look for a Run of this name in.",
                 printable(name)};
  NEUROLENS_ASSIGN(const auto entry, opened->resolve(name, like));
  return opened->load(entry);
}

namespace {

/// Share of an observed iteration in which kernels ran; nullopt without kernel times, and where
/// kernels overlap so that their sum says nothing.
std::optional<double> accelerator_utilisation(const run::Run& run,
                                              const analyze::Summary& summary) {
  double busy_ns = 0;
  for (const auto& op : run.ops) {
    for (const auto& kernel : op.kernels) {
      if (!kernel.time_ns) return std::nullopt;
      busy_ns += static_cast<double>(*kernel.time_ns);
    }
  }
  if (!(busy_ns > 0) || !summary.observed.p50_ns || busy_ns > *summary.observed.p50_ns)
    return std::nullopt;
  return busy_ns / *summary.observed.p50_ns;
}

}  // namespace

Result<store::Headline> headline_of(const run::Run& run) {
  store::Headline h;
  const auto summary = analyze::summarise(run);
  if (!summary.ok()) return h;  // a Run without times is kept all the same, without figures
  h.latency_ns = summary->unobserved.p50_ns;
  h.throughput_per_second = summary->throughput_per_second;
  h.accelerator_utilisation_ratio = accelerator_utilisation(run, *summary);
  const auto number = [](const std::optional<std::int64_t>& n) {
    return n ? std::optional(static_cast<double>(*n)) : std::nullopt;
  };
  h.accelerator_peak_bytes = number(run.memory.accelerator_peak_bytes);
  h.host_peak_bytes = number(run.memory.host_peak_bytes);
  for (const auto& op : summary->ops) {
    if (h.ops.size() == store::kMostOps) break;
    h.ops.push_back({op.name, op.time_ns});
  }
  return h;
}

std::unique_ptr<Command> make_ls() {
  return std::make_unique<List>();
}
std::unique_ptr<Command> make_store_add() {
  return std::make_unique<StoreAdd>();
}
std::unique_ptr<Command> make_store_rm() {
  return std::make_unique<StoreRemove>();
}
std::unique_ptr<Command> make_store_verify() {
  return std::make_unique<StoreVerify>();
}
std::unique_ptr<Command> make_store_gc() {
  return std::make_unique<StoreCollect>();
}
std::unique_ptr<Command> make_baseline_set() {
  return std::make_unique<BaselineSet>();
}
std::unique_ptr<Command> make_baseline_show() {
  return std::make_unique<BaselineShow>();
}

}  // namespace neurolens::cli
