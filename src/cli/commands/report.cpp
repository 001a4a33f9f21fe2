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
    // The built-in rules compile while the Run is read; faults in the user's own come first.
    const auto compiled = std::async(std::launch::async, [] { (void)analyze::RuleSet::builtin(); });
    std::optional<analyze::RuleSet> own;
    if (!rules_.empty()) {
      NEUROLENS_ASSIGN(own, load_rules(context, rules_));
    }
    NEUROLENS_ASSIGN(const Subject subject, load_subject(context));
    auto aside = check_and_pack(subject);
    Result<int> answer = report_on(context, subject.run, aside, own, budget);
    // A file that was changed is worse news than whatever its content led to.
    if (aside.valid()) NEUROLENS_TRY(aside.get().status());
    return answer;
  }

 private:
  /// The Run reported on, and the bytes it came from.
  struct Subject {
    run::Run run;
    std::optional<std::string> claimed_hash;  ///< Still to be compared.
    std::string document;                     ///< Empty: the Run came from a store.
  };
  /// The file to embed, empty when none is wanted; an error when the Run's hash is wrong.
  using Aside = std::future<Result<std::string>>;

  [[nodiscard]] Result<std::size_t> checked_budget() const {
    constexpr std::int64_t kDefault = 2000;
    constexpr std::int64_t kLeast = 50;
    const std::int64_t budget = budget_.value_or(kDefault);
    if (budget < kLeast)
      return Error{Errc::out_of_range, "A budget has at least 50 tokens.", "--budget"};
    return static_cast<std::size_t>(budget);
  }

  [[nodiscard]] Result<Subject> load_subject(Context& context) const {
    NEUROLENS_ASSIGN(const bool file, names_a_file(context, path_));
    if (!file) {
      NEUROLENS_ASSIGN(run::Run stored, load_run(context, path_));
      return Subject{std::move(stored), {}, {}};
    }
    NEUROLENS_ASSIGN(std::string document, context.files.read(path_, Bytes{run::kMaxText}));
    auto read = run::read_unsealed(document);
    if (!read.ok()) return std::move(read).error().at(path_);
    return Subject{std::move(read->run), std::move(read->claimed_hash), std::move(document)};
  }

  /// Compares the content hash and compresses what is to be embedded (the user's own bytes where
  /// there are any), both while the analysis runs.
  [[nodiscard]] Aside check_and_pack(const Subject& subject) const {
    return std::async(std::launch::async, [this, &subject]() -> Result<std::string> {
      Status sealed = run::check_seal(subject.run, subject.claimed_hash);
      if (!sealed.ok()) return std::move(sealed).error().at(path_);
      if (no_embed_ || (!html_ && !json_)) return std::string();
      if (looks_like_zstd(subject.document)) return subject.document;
      constexpr int kQuick = 1;
      return subject.document.empty() ? zstd_compress(run::to_json(subject.run), kQuick)
                                      : zstd_compress(subject.document, kQuick);
    });
  }

  [[nodiscard]] Result<int> report_on(Context& context, const run::Run& loaded, Aside& aside,
                                      const std::optional<analyze::RuleSet>& own,
                                      std::size_t budget) const {
    std::optional<run::Run> baseline;
    if (baseline_) {
      NEUROLENS_ASSIGN(baseline, load_run(context, *baseline_, {}, &loaded));
    }
    report::FindingsRequest request;
    request.run_path = path_;
    request.rules = own ? &*own : nullptr;
    request.compare.margin = margin_.value_or(request.compare.margin);
    request.compare.force = force_;
    if (baseline) {
      request.baseline = &*baseline;
      request.baseline_path = *baseline_;
    }
    NEUROLENS_ASSIGN(request.history, history_of(context, loaded));
    NEUROLENS_ASSIGN(const auto findings, report::make_findings(loaded, std::move(request)));
    NEUROLENS_TRY(write_files(context, findings, aside));
    if (text_ || (!markdown_ && !json_ && !html_))
      context.terminal.out(report::findings_text(findings, budget));
    return kDone;
  }

  /// Nothing leaves before the Run's hash was found right.
  Status write_files(Context& context, const report::Findings& findings, Aside& aside) const {
    const auto write = [&](const std::optional<std::string>& path,
                           std::string_view text) -> Status {
      NEUROLENS_TRY(context.files.write_atomic(*path, text));
      context.terminal.err(fmt::format("wrote {}\n", printable(*path)));
      return {};
    };
    std::string document;
    std::string embedded;
    Status sealed;
    const auto wait = [&]() -> std::string_view {
      auto packed = aside.get();
      sealed = packed.status();
      if (packed.ok()) embedded = std::move(packed).value();
      return embedded;
    };
    if (json_ || html_) {
      document = report::findings_json(findings, {{}, kVersion, wait});
    } else {
      wait();
    }
    NEUROLENS_TRY(sealed);
    if (markdown_) NEUROLENS_TRY(write(markdown_, report::findings_markdown(findings)));
    if (json_) NEUROLENS_TRY(write(json_, document));
    if (!html_) return {};
    NEUROLENS_ASSIGN(const std::string page, report::html_page(document));
    return write(html_, page);
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
