#include "neurolens/run/run.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <new>
#include <optional>

#include "emitter.hpp"
#include "migrate.hpp"
#include "neurolens/base/compress.hpp"
#include "reader.hpp"
#include "rules.hpp"

namespace neurolens::run {
namespace {

using detail::Claim;
using detail::Document;
using detail::Faults;

/// A document after everything but its hash was judged.
struct Outcome {
  Run run;
  Report report;
  std::optional<std::string> claimed_hash;  ///< Where the rest was right.
};

/// What a compressed document may grow to: columns of equal values shrink a thousandfold, so small
/// files get room; a bomb of a kilobyte does not get gigabytes.
Bytes expansion_limit(std::size_t compressed) {
  constexpr std::int64_t kLeast = std::int64_t{256} << 20;
  constexpr std::int64_t kRatio = 2000;
  const auto size = std::min<std::int64_t>(static_cast<std::int64_t>(compressed), kMaxText);
  return Bytes{std::clamp(size * kRatio, kLeast, kMaxText)};
}

Error invalid_utf8(std::string_view text) {
  std::size_t line = 1;
  while (true) {
    const auto end = std::min(text.find('\n'), text.size());
    if (!simdjson::validate_utf8(text.data(), end) || end == text.size()) break;
    text.remove_prefix(end + 1);
    ++line;
  }
  return {Errc::parse_error, "This is not valid JSON: the text is not UTF-8.",
          fmt::format("line {}", line)};
}

std::optional<Fault> judge_hash(const Run& run, std::string_view claimed) {
  const std::string computed = detail::hash_content(run);
  if (computed == claimed) return {};
  return Fault{"/content_hash",
               fmt::format("Does not belong to this content, whose hash is {}: the document was "
                           "changed after it was written.",
                           computed)};
}

Result<Outcome> judge_version_1(std::string_view text, const Claim& claim) {
  Document document;
  Faults faults;
  NEUROLENS_TRY(detail::read_structure(text, claim, document, faults));
  if (faults.empty()) detail::check_relations(document.run, faults);
  Outcome out{
      std::move(document.run), {std::move(faults.list()), faults.saturated(), claim.major}, {}};
  if (out.report.valid()) out.claimed_hash = std::move(document.head.content_hash);
  return out;
}

Result<Outcome> judge_version_0(std::string_view text) {
  Outcome out;
  Faults faults;
  NEUROLENS_TRY(detail::read_version_0(text, out.run, faults));
  if (faults.empty()) {
    const Report after = validate(out.run);
    for (const auto& fault : after.faults)
      faults.add("", fmt::format("Migrated, {} is at fault: {}", fault.pointer, fault.sentence));
  }
  out.report = {std::move(faults.list()), faults.saturated(), 0};
  return out;
}

Result<Outcome> judge_text(std::string_view text) {
  if (static_cast<std::int64_t>(text.size()) > kMaxText) {
    return Error{Errc::too_large, fmt::format("A Run has at most {} bytes of text.", kMaxText), ""};
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) return invalid_utf8(text);
  NEUROLENS_ASSIGN(const Claim claim, detail::find_version(text));
  if (claim.major > 1) {
    return Error{Errc::newer_version,
                 fmt::format("The document has schema {}, this program reads up to {}; use a newer "
                             "neurolens.",
                             claim.spelling, kSchemaVersion),
                 "/schema_version"};
  }
  if (claim.major == 0 || claim.foreign_shape) return judge_version_0(text);
  return judge_version_1(text, claim);
}

Result<Outcome> judge_content(std::string_view document) try {
  if (!looks_like_zstd(document)) return judge_text(document);
  NEUROLENS_ASSIGN(const std::string text,
                   zstd_decompress(document, expansion_limit(document.size())));
  return judge_text(text);
} catch (const std::bad_alloc&) {
  return Error{Errc::out_of_memory, "There is not enough memory to read this Run.", ""};
}

Result<Outcome> judge(std::string_view document) {
  NEUROLENS_ASSIGN(Outcome outcome, judge_content(document));
  if (outcome.claimed_hash) {
    if (auto fault = judge_hash(outcome.run, *outcome.claimed_hash))
      outcome.report.faults.push_back(std::move(*fault));
  }
  return outcome;
}

Error as_error(const Report& report) {
  const auto& first = report.faults.front();
  const std::size_t others = report.faults.size() - 1;
  std::string message = first.sentence;
  if (others > 0) {
    message += fmt::format(" There {} {}{} more fault{}.", others == 1 ? "is" : "are", others,
                           report.truncated ? " or" : "", others == 1 ? "" : "s");
  }
  return {Errc::invalid_document, std::move(message), first.pointer};
}

}  // namespace

Result<Report> check(std::string_view document) {
  NEUROLENS_ASSIGN(Outcome outcome, judge(document));
  return std::move(outcome.report);
}

Report validate(const Run& run) {
  Faults faults;
  detail::check_values(detail::object_of<Run>(), &run, faults);
  if (faults.empty()) detail::check_relations(run, faults);
  return {std::move(faults.list()), faults.saturated(), 1};
}

Result<Run> read(std::string_view document) {
  NEUROLENS_ASSIGN(Outcome outcome, judge(document));
  if (!outcome.report.valid()) return as_error(outcome.report);
  return std::move(outcome.run);
}

Result<Unsealed> read_unsealed(std::string_view document) {
  NEUROLENS_ASSIGN(Outcome outcome, judge_content(document));
  if (!outcome.report.valid()) return as_error(outcome.report);
  return Unsealed{std::move(outcome.run), std::move(outcome.claimed_hash)};
}

Status check_seal(const Run& run, const std::optional<std::string>& claimed_hash) {
  if (!claimed_hash) return {};
  auto fault = judge_hash(run, *claimed_hash);
  if (!fault) return {};
  return Error{Errc::invalid_document, std::move(fault->sentence), std::move(fault->pointer)};
}

Result<Run> read_file(FileSystem& files, const std::string& path) {
  NEUROLENS_ASSIGN(const std::string document, files.read(path, Bytes{kMaxText}));
  auto run = read(document);
  if (!run.ok()) return std::move(run).error().at(path);
  return run;
}

std::string to_json(const Run& run) {
  return detail::emit_document(run);
}

Status write_file(FileSystem& files, const std::string& path, const Run& run) {
  if (const Report report = validate(run); !report.valid()) return as_error(report).at(path);
  const std::string text = to_json(run);
  return files.write_atomic(path, path.ends_with(".zst") ? zstd_compress(text) : text);
}

std::string content_hash(const Run& run) {
  return detail::hash_content(run);
}

}  // namespace neurolens::run
