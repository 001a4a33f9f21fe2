#include <fmt/format.h>

#include <cctype>
#include <cstdlib>

#include "neurolens/base/json.hpp"
#include "neurolens/capture/peaks.hpp"

namespace neurolens::capture {
namespace {

constexpr const char* kSchemaVersion = "1.0.0";

Error missing(std::string_view key, std::string where) {
  return {
      Errc::missing_key,
      fmt::format(
          "The key \"{}\" is missing or has the wrong type; measure again with `neurolens peaks`.",
          key),
      std::move(where)};
}

Result<std::string> text_at(const json::Value& object, std::string_view key,
                            const std::string& where) {
  const json::Value* value = object.find(key);
  if (value == nullptr || !value->is_string()) return missing(key, where);
  return *value->as_string();
}

Result<double> number_at(const json::Value& object, std::string_view key,
                         const std::string& where) {
  const json::Value* value = object.find(key);
  const auto number = value != nullptr ? value->as_double() : std::nullopt;
  if (!number || *number < 0) return missing(key, where);
  return *number;
}

Result<Peak> peak_from(const json::Value& item, const std::string& where) {
  Peak peak;
  NEUROLENS_ASSIGN(peak.name, text_at(item, "name", where));
  NEUROLENS_ASSIGN(peak.unit, text_at(item, "unit", where));
  NEUROLENS_ASSIGN(peak.value, number_at(item, "value", where));
  NEUROLENS_ASSIGN(peak.low, number_at(item, "low", where));
  NEUROLENS_ASSIGN(peak.high, number_at(item, "high", where));
  NEUROLENS_ASSIGN(const double threads, number_at(item, "threads", where));
  NEUROLENS_ASSIGN(const double clock, number_at(item, "clock_hz", where));
  NEUROLENS_ASSIGN(const double bytes, number_at(item, "working_set_bytes", where));
  peak.threads = static_cast<std::int64_t>(threads);
  peak.clock_hz = static_cast<std::int64_t>(clock);
  peak.working_set_bytes = static_cast<std::int64_t>(bytes);
  return peak;
}

}  // namespace

const Peak* Peaks::find(std::string_view name) const {
  for (const auto& peak : peaks) {
    if (peak.name == name) return &peak;
  }
  return nullptr;
}

std::string to_json(const Peaks& peaks) {
  json::Writer w({2});
  w.begin_object().member("schema_version", kSchemaVersion).member("cpu_model", peaks.cpu_model);
  w.member("threads", peaks.threads)
      .member("created_at", peaks.created_at)
      .key("peaks")
      .begin_array();
  for (const auto& peak : peaks.peaks) {
    w.begin_object()
        .member("name", peak.name)
        .member("unit", peak.unit)
        .member("value", peak.value);
    w.member("low", peak.low).member("high", peak.high).member("threads", peak.threads);
    w.member("clock_hz", peak.clock_hz)
        .member("working_set_bytes", peak.working_set_bytes)
        .end_object();
  }
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

Result<Peaks> peaks_from_json(std::string_view text) {
  NEUROLENS_ASSIGN(const json::Value tree, json::parse(text));
  Peaks peaks;
  NEUROLENS_ASSIGN(peaks.cpu_model, text_at(tree, "cpu_model", ""));
  NEUROLENS_ASSIGN(peaks.created_at, text_at(tree, "created_at", ""));
  NEUROLENS_ASSIGN(const double threads, number_at(tree, "threads", ""));
  peaks.threads = static_cast<std::int64_t>(threads);
  const json::Value* list = tree.find("peaks");
  if (list == nullptr || !list->is_array()) return missing("peaks", "");
  for (const auto& item : *list->as_array()) {
    NEUROLENS_ASSIGN(peaks.peaks.emplace_back(),
                     peak_from(item, fmt::format("/peaks/{}", peaks.peaks.size())));
  }
  return peaks;
}

std::string peaks_cache_path(const run::Host& host) {
  std::string base;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    base = cache;
  } else {
    const char* home = std::getenv("HOME");
    base = std::string(home != nullptr ? home : "/tmp") + "/.cache";
  }
  std::string name;
  for (const char c : host.cpu_model) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  return fmt::format("{}/neurolens/peaks-{}-{}.json", base, name, host.cores_logical);
}

std::vector<run::Ceiling> ceilings_of(const Peaks& peaks) {
  std::vector<run::Ceiling> ceilings;
  for (const auto& peak : peaks.peaks) {
    // Op costs count integer products like floating ones, and so does a Run.
    const std::string unit = peak.unit == "ops_per_second" ? "flops_per_second" : peak.unit;
    ceilings.push_back({peak.name, unit, peak.value, peak.low, peak.high});
  }
  return ceilings;
}

}  // namespace neurolens::capture
