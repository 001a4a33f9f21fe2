#include "export_bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "common.hpp"
#include "neurolens/analyze/fingerprint.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/findings.hpp"
#include "neurolens/report/html.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/run/run.hpp"
#include "neurolens/store/bundle.hpp"
#include "store.hpp"
#include "version.hpp"

namespace neurolens::cli {
namespace {

constexpr std::int64_t kMostArchiveBytes = std::int64_t{4} << 30;

Result<run::Run> fitting_baseline(Context& context, const BundleRequest& request,
                                  const run::Run& run) {
  if (request.baseline) return load_run(context, *request.baseline, request.store);
  NEUROLENS_ASSIGN(auto opened, open_store(context, request.store, false));
  NEUROLENS_ASSIGN(const auto all, opened.baselines());
  for (const auto& baseline : all) {
    if (store::same_series(baseline.entry, run)) return opened.load(baseline.entry);
  }
  return Error{Errc::not_found,
               "The store has no baseline of the same model, host and settings; name a Run by "
               "--baseline.",
               request.run};
}

using Files = std::vector<store::BundleFile>;

/// What `--with` names, each once. Errors: bad_request.
Result<std::set<std::string>> parts_of(const std::string& with) {
  static const std::vector<std::string> kKinds{"report", "fingerprint", "baseline"};
  std::set<std::string> parts;
  for (const auto word : split(with, ',')) {
    const std::string kind(trim(word));
    if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" is not one of report, fingerprint and baseline.{}",
                               printable(kind), did_you_mean(kind, kKinds)),
                   "--with"};
    }
    parts.insert(kind);
  }
  return parts;
}

/// The page that people open and the same as Markdown; against the baseline where that travels too.
Result<Files> report_files(const BundleRequest& request, const run::Run& run,
                           const std::optional<run::Run>& baseline) {
  report::FindingsRequest wanted;
  wanted.run_path = "run.json";
  if (baseline) {
    wanted.baseline = &*baseline;
    wanted.baseline_path = "baseline.json";
  }
  auto findings = report::make_findings(run, std::move(wanted));
  if (!findings.ok()) return std::move(findings).error().at(request.run);
  Files files{{"report.md", "report", report::findings_markdown(*findings)}};
  if (!report::has_page()) return files;  // built without npm
  const std::string document = report::findings_json(*findings, {run::to_json(run), kVersion});
  NEUROLENS_ASSIGN(std::string page, report::html_page(document));
  files.push_back({"report.html", "report", std::move(page)});
  return files;
}

Result<store::BundleFile> fingerprint_file(const BundleRequest& request, const run::Run& run) {
  auto taken = analyze::take_fingerprint(run);
  if (!taken.ok()) return std::move(taken).error().at(request.run);
  return store::BundleFile{"fingerprint.json", "fingerprint",
                           analyze::to_json(*taken, run, analyze::null_similarities(run))};
}

std::string as_json(const store::Bundle& bundle) {
  json::Writer w({2});
  w.begin_object().member("run_id", bundle.run_id).member("created_at", bundle.created_at);
  w.member("neurolens_version", bundle.neurolens_version).key("files").begin_array();
  for (const auto& file : bundle.files) {
    w.begin_object().member("path", file.path).member("kind", file.kind);
    w.member("size_bytes", static_cast<std::int64_t>(file.bytes.size()));
    w.member("sha256", sha256(file.bytes)).end_object();
  }
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

std::string as_text(const store::Bundle& bundle) {
  std::string text = fmt::format("Run {}, every hash is right\n", bundle.run_id);
  for (const auto& file : bundle.files) {
    text += fmt::format("  {}  {}\n", printable(file.path),
                        report::format_bytes(static_cast<double>(file.bytes.size())));
  }
  return text;
}

}  // namespace

Result<int> write_bundle(Context& context, const BundleRequest& request) {
  std::set<std::string> parts;
  if (!request.with.empty()) {
    NEUROLENS_ASSIGN(parts, parts_of(request.with));
  }
  NEUROLENS_ASSIGN(const run::Run run, load_run(context, request.run, request.store));
  store::Bundle bundle{kVersion, to_rfc3339(context.clock.wall()), run.run_id, {}};
  bundle.files.push_back({"run.json", "run", run::to_json(run)});
  std::optional<run::Run> baseline;
  if (parts.contains("baseline")) {
    NEUROLENS_ASSIGN(baseline, fitting_baseline(context, request, run));
    bundle.files.push_back({"baseline.json", "baseline", run::to_json(*baseline)});
  }
  if (parts.contains("report")) {
    NEUROLENS_ASSIGN(Files files, report_files(request, run, baseline));
    for (auto& file : files) bundle.files.push_back(std::move(file));
  }
  if (parts.contains("fingerprint")) {
    NEUROLENS_ASSIGN(bundle.files.emplace_back(), fingerprint_file(request, run));
  }
  NEUROLENS_ASSIGN(const std::string archive, store::make_bundle(bundle));
  NEUROLENS_TRY(context.files.write_atomic(request.output, archive));
  context.terminal.err(fmt::format("wrote {} ({} files, {})\n", printable(request.output),
                                   bundle.files.size() + 1,
                                   report::format_bytes(static_cast<double>(archive.size()))));
  return kDone;
}

Result<int> verify_bundle(Context& context, const std::string& path,
                          const std::optional<std::string>& unpack, bool json) {
  NEUROLENS_ASSIGN(const std::string archive, context.files.read(path, Bytes{kMostArchiveBytes}));
  auto bundle = store::read_bundle(archive);
  if (!bundle.ok()) return std::move(bundle).error().at(path);
  if (unpack) NEUROLENS_TRY(store::unpack_bundle(*bundle, context.files, *unpack));
  context.terminal.out(json ? as_json(*bundle) : as_text(*bundle));
  if (unpack) context.terminal.err(fmt::format("unpacked into {}\n", printable(*unpack)));
  return kDone;
}

}  // namespace neurolens::cli
