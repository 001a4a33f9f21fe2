#include "export_bundle.hpp"

#include <fmt/format.h>

#include "common.hpp"
#include "neurolens/analyze/fingerprint.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/findings.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/run/run.hpp"
#include "neurolens/store/bundle.hpp"
#include "rules.hpp"
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

Result<store::BundleFile> part(Context& context, const BundleRequest& request, const run::Run& run,
                               std::string_view kind) {
  if (kind == "report") {
    NEUROLENS_ASSIGN(const auto rules, load_rules(context, {}));
    report::FindingsRequest wanted;
    wanted.run_path = "run.json";
    wanted.rules = &rules;
    auto findings = report::make_findings(run, std::move(wanted));
    if (!findings.ok()) return std::move(findings).error().at(request.run);
    return store::BundleFile{"report.md", "report", report::findings_markdown(*findings)};
  }
  if (kind == "fingerprint") {
    auto taken = analyze::take_fingerprint(run);
    if (!taken.ok()) return std::move(taken).error().at(request.run);
    return store::BundleFile{"fingerprint.json", "fingerprint",
                             analyze::to_json(*taken, run, analyze::null_similarities(run))};
  }
  if (kind == "baseline") {
    NEUROLENS_ASSIGN(const auto base, fitting_baseline(context, request, run));
    return store::BundleFile{"baseline.json", "baseline", run::to_json(base)};
  }
  static const std::vector<std::string> kKinds{"report", "fingerprint", "baseline"};
  return Error{Errc::bad_request,
               fmt::format("\"{}\" is not one of report, fingerprint and baseline.{}",
                           printable(kind), did_you_mean(kind, kKinds)),
               "--with"};
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
  NEUROLENS_ASSIGN(const run::Run run, load_run(context, request.run, request.store));
  store::Bundle bundle{kVersion, to_rfc3339(context.clock.wall()), run.run_id, {}};
  bundle.files.push_back({"run.json", "run", run::to_json(run)});
  if (!request.with.empty()) {
    for (const auto kind : split(request.with, ',')) {
      NEUROLENS_ASSIGN(bundle.files.emplace_back(), part(context, request, run, trim(kind)));
    }
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
