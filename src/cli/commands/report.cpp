#include <fmt/format.h>

#include <future>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/compress.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/findings.hpp"
#include "neurolens/report/html.hpp"
#include "neurolens/run/run.hpp"
#include "rules.hpp"
#include "store.hpp"
#include "trend.hpp"
#include "version.hpp"

namespace neurolens::cli {
namespace {

class Report final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "report"; }
  [[nodiscard]] std::string summary() const override {
    return "write a report of one Run, alone or against a baseline";
  }
  void declare(Options& options) override {
    options.positional(
        "run", path_,
        "A Run file, or one in the store: @latest, @baseline:NAME, beginning of an id");
    options.value("--baseline", "RUN", baseline_, "Compare with this Run");
    options.value("--html", "FILE", html_, "Write one self-contained HTML page to FILE");
    options.value("--md", "FILE", markdown_, "Write Markdown to FILE (/dev/stdout prints it)");
    options.value("--json", "FILE", json_,
                  "Write the findings as one JSON document to FILE (schema/findings.schema.json)");
    options.flag("--text", text_,
                 "Print the findings, most valuable first (without another output)");
    options.value("--budget", "TOKENS", budget_,
                  "Text: stop before this many tokens (default: 2000)");
    options.values("--rules", "FILE", rules_, "Add or replace rules from FILE; may be repeated");
    options.flag("--no-embed", no_embed_, "HTML and JSON: leave out the Run itself");
    options.value("--margin", "RATIO", margin_,
                  "Baseline: change that two launches can show by luck (default: 0.10)");
    options.flag("--force", force_, "Compare even other hardware, inputs or models");
    options.example("neurolens report resnet50.run.json --html resnet50.html");
    options.example("neurolens report resnet50.run.json --md resnet50.md");
    options.example("neurolens report resnet50.run.json --text --budget 1000");
  }

  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const std::size_t budget, checked_budget());
    if (html_) NEUROLENS_TRY(report::served_page().status());  // before the work, not after it
    NEUROLENS_ASSIGN(const auto rules, load_rules(context, rules_));
    NEUROLENS_ASSIGN(const run::Run loaded, load_run(context, path_));
    auto packed = pack(context.files, loaded);
    std::optional<run::Run> baseline;
    if (baseline_) {
      NEUROLENS_ASSIGN(baseline, load_run(context, *baseline_, {}, &loaded));
    }
    report::FindingsRequest request;
    request.run_path = path_;
    request.rules = &rules;
    request.compare.margin = margin_.value_or(request.compare.margin);
    request.compare.force = force_;
    if (baseline) {
      request.baseline = &*baseline;
      request.baseline_path = *baseline_;
    }
    NEUROLENS_ASSIGN(request.history, history_of(context, loaded));
    NEUROLENS_ASSIGN(const auto findings, report::make_findings(loaded, std::move(request)));
    NEUROLENS_TRY(write_files(context, findings, packed));
    if (text_ || (!markdown_ && !json_ && !html_))
      context.terminal.out(report::findings_text(findings, budget));
    return kDone;
  }

 private:
  [[nodiscard]] Result<std::size_t> checked_budget() const {
    constexpr std::int64_t kDefault = 2000;
    constexpr std::int64_t kLeast = 50;
    const std::int64_t budget = budget_.value_or(kDefault);
    if (budget < kLeast)
      return Error{Errc::out_of_range, "A budget has at least 50 tokens.", "--budget"};
    return static_cast<std::size_t>(budget);
  }

  /// The Run to embed, compressed while the analysis runs: the user's own bytes where it is a file.
  [[nodiscard]] std::future<std::string> pack(FileSystem& files, const run::Run& loaded) const {
    const bool wanted = (html_ || json_) && !no_embed_;
    return std::async(wanted ? std::launch::async : std::launch::deferred, [this, &files, &loaded] {
      auto own = files.read(path_);
      const bool usable = own.ok() && !own->empty();  // a pipe can be read once only
      const std::string text = usable ? std::move(own).value() : run::to_json(loaded);
      constexpr int kQuick = 1;
      return looks_like_zstd(text) ? text : zstd_compress(text, kQuick);
    });
  }

  Status write_files(Context& context, const report::Findings& findings,
                     std::future<std::string>& packed) const {
    const auto write = [&](const std::optional<std::string>& path, const auto& make) -> Status {
      if (!path) return {};
      NEUROLENS_TRY(context.files.write_atomic(*path, make()));
      context.terminal.err(fmt::format("wrote {}\n", printable(*path)));
      return {};
    };
    NEUROLENS_TRY(write(markdown_, [&] { return report::findings_markdown(findings); }));
    if (!json_ && !html_) return {};
    const std::string run_file = no_embed_ ? "" : packed.get();
    const std::string document = report::findings_json(findings, {run_file, kVersion});
    NEUROLENS_TRY(write(json_, [&] { return document; }));
    if (!html_) return {};
    NEUROLENS_ASSIGN(const std::string page, report::html_page(document));
    return write(html_, [&] { return page; });
  }

  /// The trend of Runs like this one when it was named as one of the store.
  Result<std::optional<report::History>> history_of(Context& context, const run::Run& run) const {
    NEUROLENS_ASSIGN(const auto file, context.files.info(path_));
    if (file) return std::optional<report::History>{};
    NEUROLENS_ASSIGN(auto store, open_store(context, {}, false));
    NEUROLENS_ASSIGN(auto trend, trend_of_runs_like(store, run));
    return std::optional(std::move(trend));
  }

  std::string path_;
  std::optional<std::string> baseline_;
  std::optional<std::string> html_;
  std::optional<std::string> markdown_;
  std::optional<std::string> json_;
  std::optional<std::int64_t> budget_;
  std::optional<double> margin_;
  std::vector<std::string> rules_;
  bool text_ = false;
  bool no_embed_ = false;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_report() {
  return std::make_unique<Report>();
}

}  // namespace neurolens::cli
