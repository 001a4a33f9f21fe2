#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "builtin.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/findings.hpp"
#include "neurolens/report/html.hpp"
#include "neurolens/run/run.hpp"
#include "rules.hpp"
#include "serve/http_server.hpp"
#include "store.hpp"
#include "trend.hpp"
#include "version.hpp"

namespace neurolens::cli {
namespace {

constexpr const char* kJson = "application/json";

std::string parameter(const Query& query, const std::string& name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

std::optional<std::string> given(const Query& query, const std::string& name) {
  const std::string text = parameter(query, name);
  return text.empty() ? std::nullopt : std::optional(text);
}

/// A file that the user named, as a list shows it.
store::Entry entry_of(const run::Run& run, std::string id) {
  store::Entry e;
  e.run_id = std::move(id);
  e.created_at = e.added_at = run.created_at;
  e.workload = run.workload.name;
  e.host = run.host.cpu_model;
  e.backend = run.software.backend;
  e.provider = run.software.provider;
  e.precision = run.software.precision;
  e.threads = run.software.threads;
  e.optimisation = run.software.optimisation;
  e.batch_size = run.workload.batch_size;
  e.status = run.status;
  e.tags = run.tags;
  if (auto headline = headline_of(run); headline.ok()) e.headline = std::move(headline).value();
  return e;
}

/// What the page asks for: Runs of the store, and files named on the command line ("file:0").
/// Thread-safe: one question at a time.
class Library {
 public:
  Library(FileSystem& files, std::vector<std::string> paths, std::optional<store::Store> store,
          std::string folder, analyze::RuleSet rules)
      : files_(files),
        paths_(std::move(paths)),
        store_(std::move(store)),
        folder_(std::move(folder)),
        rules_(std::move(rules)) {}

  Result<Reply> runs(const Query& query) {
    const std::lock_guard lock(mutex_);
    json::Writer w;
    w.begin_object().member("revision", revision()).key("store");
    if (store_) {
      w.value(folder_);
    } else {
      w.null();
    }
    w.key("runs").begin_array();
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      const auto run = run::read_file(files_, paths_[i]);
      if (!run.ok()) continue;  // it may be written anew just now; the next look finds it
      write_entry(w, entry_of(run.value(), fmt::format("{}{}", kFile, i)));
    }
    if (store_) {
      store::Filter filter;
      filter.limit = kMostRuns;
      filter.since = given(query, "since");
      NEUROLENS_ASSIGN(const auto entries, store_->list(filter));
      for (const auto& entry : entries) write_entry(w, entry);
    }
    w.end_array().key("baselines").begin_array();
    if (store_) {
      NEUROLENS_ASSIGN(const auto baselines, store_->baselines());
      for (const auto& baseline : baselines) {
        w.begin_object().member("name", baseline.name).member("run_id", baseline.entry.run_id);
        w.end_object();
      }
    }
    w.end_array().end_object();
    return Reply{kJson, std::move(w).take(), "", ""};
  }

  Result<Reply> findings(const Query& query) {
    const std::lock_guard lock(mutex_);
    NEUROLENS_ASSIGN(const Found found, find(parameter(query, "run")));
    report::FindingsRequest request;
    request.run_path = found.path;
    request.rules = &rules_;
    request.compare.force = true;  // two Runs were chosen by hand; the differences are listed
    std::optional<Found> baseline;
    if (const auto name = given(query, "baseline")) {
      NEUROLENS_ASSIGN(baseline, find(*name));
      request.baseline = &baseline->run;
      request.baseline_path = baseline->path;
    }
    if (store_) {
      NEUROLENS_ASSIGN(request.history, trend_of_runs_like(*store_, found.run));
    }
    NEUROLENS_ASSIGN(const auto made, report::make_findings(found.run, std::move(request)));
    return Reply{kJson, report::findings_json(made, {"", kVersion}), "", ""};
  }

  Result<Reply> run_file(const Query& query) {
    const std::lock_guard lock(mutex_);
    NEUROLENS_ASSIGN(const Found found, find(parameter(query, "run")));
    return Reply{kJson, run::to_json(found.run), found.run.run_id + ".run.json", ""};
  }

  Result<Reply> history(const Query& query) {
    const std::lock_guard lock(mutex_);
    if (!store_) return Error{Errc::not_found, "There is no store with a history here.", ""};
    store::Filter filter;
    filter.model = given(query, "model");
    NEUROLENS_ASSIGN(const auto trend,
                     trend_of(*store_, filter, given(query, "metric").value_or("latency")));
    json::Writer w;
    w.begin_object().member("metric", trend.metric).member("unit", trend.unit);
    w.key("points").begin_array();
    for (const auto& p : trend.points) {
      w.begin_object().member("run_id", p.run_id).member("created_at", p.created_at);
      w.member("value", p.value).end_object();
    }
    w.end_array().key("changes").begin_array();
    for (const auto& c : trend.changes) {
      w.begin_object().member("index", static_cast<std::int64_t>(c.index));
      w.member("before", c.before).member("after", c.after).member("ratio", c.after / c.before);
      w.end_object();
    }
    w.end_array().key("current").null().end_object();
    return Reply{kJson, std::move(w).take(), "", ""};
  }

  Result<Reply> revision_reply() {
    const std::lock_guard lock(mutex_);
    json::Writer w;
    w.begin_object().member("revision", revision()).end_object();
    return Reply{kJson, std::move(w).take(), "", ""};
  }

 private:
  static constexpr std::string_view kFile = "file:";
  static constexpr std::int64_t kMostRuns = 10'000;

  struct Found {
    run::Run run;
    std::string path;
  };

  /// `name` comes from the network: it is a number of a file named at the start, or goes to the
  /// store, which knows ids and names and no paths.
  Result<Found> find(const std::string& name) {
    if (name.starts_with(kFile)) {
      const std::string number = name.substr(kFile.size());
      for (std::size_t i = 0; i < paths_.size(); ++i) {
        if (number != std::to_string(i)) continue;
        NEUROLENS_ASSIGN(run::Run run, run::read_file(files_, paths_[i]));
        return Found{std::move(run), paths_[i]};
      }
    }
    if (!store_ || name.empty() || name.starts_with(kFile))
      return Error{Errc::not_found, "There is no such Run.", printable(name)};
    NEUROLENS_ASSIGN(const auto entry, store_->resolve(name));
    NEUROLENS_ASSIGN(run::Run run, store_->load(entry));
    return Found{std::move(run), entry.run_id};
  }

  /// Changes whenever a Run is added or a named file is written.
  std::string revision() {
    std::string text;
    const auto look = [&](const std::string& path) {
      const auto info = files_.info(path);
      if (!info.ok() || !info.value()) return;
      text += fmt::format("{}.{}-", info.value()->size.count, info.value()->modified.count);
    };
    if (store_) look(join_path(folder_, "manifest"));
    for (const auto& path : paths_) look(path);
    return text;
  }

  FileSystem& files_;
  std::vector<std::string> paths_;
  std::optional<store::Store> store_;
  std::string folder_;
  analyze::RuleSet rules_;
  std::mutex mutex_;
};

/// The policy that stands in the page, as a header; a header can forbid framing besides.
std::string policy_of(const std::string& page) {
  constexpr std::string_view kMark = "http-equiv=\"Content-Security-Policy\" content=\"";
  const auto at = page.find(kMark);
  const auto begin = at + kMark.size();
  const auto end = page.find('"', begin);
  if (at == std::string::npos || end == std::string::npos) return "default-src 'none'";
  return page.substr(begin, end - begin) + "; frame-ancestors 'none'";
}

class View final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "view"; }
  [[nodiscard]] std::string summary() const override {
    return "show Runs of the store in a browser: list, report, compare, trend";
  }
  void declare(Options& options) override {
    options.positionals("runs", paths_, "Run files to show besides those of the store");
    options.value("--store", "PATH", folder_,
                  "Folder of the store (default: $NEUROLENS_STORE or ~/.local/share/neurolens)");
    options.value("--port", "N", port_, "Port to listen on (default: any free one)");
    options.value("--listen", "ADDRESS", address_,
                  "Address to listen on (default: 127.0.0.1, this machine only). Everybody who "
                  "reaches another address can read every Run");
    options.example("neurolens view resnet50.run.json");
    options.example("neurolens view --store runs --port 8080");
  }

  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const std::string page, report::served_page());
    NEUROLENS_ASSIGN(auto rules, load_rules(context, {}));
    for (const auto& path : paths_) {
      const auto run = run::read_file(context.files, path);
      if (!run.ok()) return run.error();
    }
    const std::string folder = folder_.value_or(store::default_folder());
    std::optional<store::Store> opened;
    if (auto found = store::Store::open(context.files, folder, false); found.ok()) {
      opened = std::move(found).value();
    } else if (folder_ || paths_.empty()) {
      return found.error();
    }
    Library library(context.files, paths_, std::move(opened), folder, std::move(rules));
    ServeOptions serve;
    serve.address = address_;
    serve.port = static_cast<int>(std::clamp<std::int64_t>(port_.value_or(0), -1, 65536));
    NEUROLENS_ASSIGN(const auto server, HttpServer::open(paths_of(library, page), serve));
    if (!is_loopback(address_)) {
      context.terminal.err(
          fmt::format("Everybody who reaches {} can read every Run.\n", printable(address_)));
    }
    const bool six = address_.find(':') != std::string::npos;
    context.terminal.out(fmt::format("http://{}{}{}:{}/\n", six ? "[" : "", printable(address_),
                                     six ? "]" : "", server->port()));
    NEUROLENS_TRY(context.terminal.finish());
    context.terminal.err("Ctrl-C ends it.\n");
    static const CancelToken kNever;
    server->run(context.attention.cancel != nullptr ? *context.attention.cancel : kNever);
    return kDone;
  }

 private:
  static std::map<std::string, Handler> paths_of(Library& library, const std::string& page) {
    const Reply whole{"text/html; charset=utf-8", page, "", policy_of(page)};
    return {{"/", [whole](const Query&) { return Result<Reply>(whole); }},
            {"/api/runs", [&](const Query& q) { return library.runs(q); }},
            {"/api/findings", [&](const Query& q) { return library.findings(q); }},
            {"/api/run", [&](const Query& q) { return library.run_file(q); }},
            {"/api/history", [&](const Query& q) { return library.history(q); }},
            {"/api/revision", [&](const Query&) { return library.revision_reply(); }}};
  }

  std::vector<std::string> paths_;
  std::optional<std::string> folder_;
  std::optional<std::int64_t> port_;
  std::string address_ = "127.0.0.1";
};

}  // namespace

std::unique_ptr<Command> make_view() {
  return std::make_unique<View>();
}

}  // namespace neurolens::cli
