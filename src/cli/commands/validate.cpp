#include <fmt/format.h>

#include "builtin.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::cli {
namespace {

std::string report_json(const std::string& path, const run::Report& report) {
  json::Writer w({2});
  w.begin_object().member("path", path).member("valid", report.valid());
  w.member("schema_major", report.schema_major >= 0
                               ? std::optional<std::int64_t>(report.schema_major)
                               : std::nullopt);
  w.key("faults").begin_array();
  for (const auto& fault : report.faults) {
    w.begin_object()
        .member("pointer", fault.pointer)
        .member("message", fault.sentence)
        .end_object();
  }
  w.end_array().member("truncated", report.truncated).end_object();
  return std::move(w).take() + "\n";
}

std::string report_text(const std::string& path, const run::Report& report) {
  if (report.valid())
    return fmt::format("{}: valid, schema version {}\n", printable(path), report.schema_major);
  std::string text;
  for (const auto& fault : report.faults) {
    text += fmt::format("{}: {}: {}\n", printable(path),
                        fault.pointer.empty() ? "/" : printable(fault.pointer),
                        printable(fault.sentence));
  }
  text += fmt::format("{}: invalid, {} fault{}{}\n", printable(path), report.faults.size(),
                      report.faults.size() == 1 ? "" : "s",
                      report.truncated ? " listed, more exist" : "");
  return text;
}

class Validate final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "validate"; }
  [[nodiscard]] std::string summary() const override {
    return "check a Run against its schema; exit status 1 when invalid";
  }
  void declare(Options& options) override {
    options.positional("run", path_, "The Run (run.json or run.json.zst)");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens validate resnet50.run.json");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const std::string document, context.files.read(path_));
    auto report = run::check(document);
    if (!report.ok()) return std::move(report).error().at(path_);
    context.terminal.out(json_ ? report_json(path_, *report) : report_text(path_, *report));
    return report->valid() ? kDone : kAnswerIsNo;
  }

 private:
  std::string path_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_validate() {
  return std::make_unique<Validate>();
}

}  // namespace neurolens::cli
