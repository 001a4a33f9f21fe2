#include <fmt/format.h>

#include <algorithm>

#include "bench_rows.hpp"
#include "bench_workshop.hpp"
#include "builtin.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/workloads/workloads.hpp"
#include "store.hpp"

namespace neurolens::cli {
namespace {

/// One line for the whole matrix; what a single measurement reports only redraws it.
class MatrixProgress final : public Progress {
 public:
  explicit MatrixProgress(Progress* line) : line_(line) {}
  void step(const bench::Step& step) {
    text_ = fmt::format("{} of {}: {}", step.done + 1, step.total, printable(step.cell));
    if (step.left)
      text_ += fmt::format(", {} left", report::format_time(static_cast<double>(step.left->count)));
    update({}, {});
  }
  void update(std::string_view /*phase*/, std::optional<double> /*fraction*/) override {
    if (line_ != nullptr) line_->update(text_, {});
  }

 private:
  Progress* line_;
  std::string text_;
};

class Bench final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "bench"; }
  [[nodiscard]] std::string summary() const override {
    return "measure a matrix: model x batch x sequence x precision x threads x ...";
  }
  void declare(Options& options) override {
    options.positional("config", config_path_, "The matrix, a YAML file (docs/guides/bench.md)");
    options.value("--out", "DIR", out_,
                  "Folder for summary.csv, summary.md and state (default: NAME.bench here)");
    options.flag("--dry-run", dry_run_, "Show the cells and their order; measure nothing");
    options.flag("--resume", resume_, "Go on with what the folder holds");
    options.value("--store", "PATH", store_,
                  "Folder of the store (default: $NEUROLENS_STORE or ~/.local/share/neurolens)");
    options.value("--ort-library", "PATH", ort_library_, "The ONNX Runtime library to load");
    options.flag("--json", json_, "The result as one JSON document on stdout");
    options.example("neurolens bench examples/bench/zoo-scaling.yaml --out scaling");
  }

  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const std::string text, context.files.read(config_path_));
    NEUROLENS_ASSIGN(const auto config, bench::parse_config(text, config_path_));
    NEUROLENS_ASSIGN(const auto cells, bench::expand(config));
    NEUROLENS_TRY(check_engines(config, cells));
    const std::string folder = out_.value_or(config.name + ".bench");
    if (dry_run_) return show_plan(context, config, cells);
    NEUROLENS_ASSIGN(auto store, open_store(context, store_, true));
    StoreWorkshop workshop(context, store, folder, ort_library_);
    MatrixProgress progress(context.attention.progress);
    bench::MatrixOptions options{folder, resume_, {&progress, context.attention.cancel}, {}};
    options.on_step = [&](const bench::Step& step) { progress.step(step); };
    NEUROLENS_ASSIGN(const auto result, bench::run_matrix(config, cells, workshop, options,
                                                          context.files, context.clock));
    NEUROLENS_ASSIGN(const auto summary, summarise_bench(config, cells, result, store));
    return finish(context, summary, folder, result.cancelled);
  }

 private:
  /// Every cell of an engine names one that there is, with options that it has.
  static Status check_engines(const bench::Config& config, const std::vector<bench::Cell>& cells) {
    for (const auto& cell : cells) {
      if (!config.models[cell.model].workload) continue;
      const auto text = specification_of(config, cell);
      const Status known = text.ok() ? workloads::check(*text) : Status(text.error());
      if (!known.ok()) return Error(known.error()).at(config.file);
    }
    return {};
  }

  Result<int> finish(Context& context, const BenchSummary& summary, const std::string& folder,
                     bool cancelled) const {
    NEUROLENS_TRY(context.files.write_atomic(folder + "/summary.csv", bench_csv(summary)));
    NEUROLENS_TRY(context.files.write_atomic(folder + "/summary.md", bench_markdown(summary)));
    context.terminal.out(json_ ? bench_json(summary)
                               : bench_text(summary, context.terminal.width()));
    if (!json_)
      context.terminal.out(fmt::format("\n{0}/summary.csv  {0}/summary.md\n", printable(folder)));
    if (cancelled) {
      return Error{Errc::cancelled, "Stopped; the same command with --resume goes on.", folder};
    }
    const bool failed = std::any_of(summary.rows.begin(), summary.rows.end(),
                                    [](const BenchRow& row) { return row.status == "failed"; });
    return failed ? kAnswerIsNo : kDone;
  }

  Result<int> show_plan(Context& context, const bench::Config& config,
                        const std::vector<bench::Cell>& cells) const {
    const auto order = bench::order_of_round(cells.size(), config.seed, 0);
    if (json_) {
      json::Writer w({2});
      w.begin_object().member("name", config.name).key("order").begin_array();
      for (const auto c : order) w.value(cells[c].key);
      w.end_array().member("least_launches_per_cell", config.repeats.least);
      w.member("most_launches_per_cell", config.repeats.most).end_object();
      context.terminal.out(std::move(w).take() + "\n");
      return kDone;
    }
    for (const auto c : order) context.terminal.out(printable(cells[c].key) + "\n");
    const auto launches = static_cast<std::int64_t>(cells.size()) * config.repeats.most;
    std::string text = fmt::format("{} cells, at most {} launches", cells.size(), launches);
    if (!config.stop.iterations) {
      text += fmt::format(", at most {} of measuring (loading and warm-up besides)",
                          report::format_time(static_cast<double>(config.stop.time.count) *
                                              static_cast<double>(launches)));
    }
    context.terminal.out(text + "\n");
    return kDone;
  }

  std::string config_path_;
  std::optional<std::string> out_;
  std::optional<std::string> store_;
  std::string ort_library_;
  bool dry_run_ = false;
  bool resume_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_bench() {
  return std::make_unique<Bench>();
}

}  // namespace neurolens::cli
