#include "manifest.hpp"

#include <fmt/format.h>

#include "neurolens/base/hash.hpp"

namespace neurolens::store {
namespace {

constexpr std::size_t kChecksumDigits = 16;
constexpr std::int64_t kPiece = 4 << 20;

void write_entry(json::Writer& w, const Entry& e) {
  w.member("run_id", e.run_id).member("hash", e.hash).member("created_at", e.created_at);
  w.member("workload", e.workload).member("host", e.host).member("backend", e.backend);
  w.member("provider", e.provider).member("precision", e.precision).member("threads", e.threads);
  w.member("optimisation", e.optimisation)
      .member("batch_size", e.batch_size)
      .member("status", e.status);
  w.member("size_bytes", e.size_bytes).key("tags").begin_object();
  for (const auto& [key, value] : e.tags) w.member(key, value);
  w.end_object();
  const Headline& h = e.headline;
  w.member("latency_ns", h.latency_ns).member("throughput_per_second", h.throughput_per_second);
  w.member("accelerator_utilisation_ratio", h.accelerator_utilisation_ratio);
  w.member("accelerator_peak_bytes", h.accelerator_peak_bytes)
      .member("host_peak_bytes", h.host_peak_bytes);
  w.key("ops").begin_array();
  for (const auto& op : h.ops) w.begin_array().value(op.name).value(op.time_ns).end_array();
  w.end_array();
}

std::string text_of(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  return value != nullptr && value->is_string() ? *value->as_string() : std::string();
}

std::optional<std::string> maybe_text(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  return value != nullptr && value->is_string() ? std::optional(*value->as_string()) : std::nullopt;
}

std::optional<std::int64_t> maybe_int(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  return value != nullptr ? value->as_int() : std::nullopt;
}

std::optional<double> maybe_number(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  return value != nullptr ? value->as_double() : std::nullopt;
}

void read_headline(const json::Value& object, Headline& h) {
  h.latency_ns = maybe_number(object, "latency_ns");
  h.throughput_per_second = maybe_number(object, "throughput_per_second");
  h.accelerator_utilisation_ratio = maybe_number(object, "accelerator_utilisation_ratio");
  h.accelerator_peak_bytes = maybe_number(object, "accelerator_peak_bytes");
  h.host_peak_bytes = maybe_number(object, "host_peak_bytes");
  const json::Value* ops = object.find("ops");
  if (ops == nullptr || !ops->is_array()) return;
  for (const auto& pair : *ops->as_array()) {
    const auto* items = pair.as_array();
    if (items == nullptr || items->size() != 2 || !(*items)[0].is_string()) continue;
    h.ops.push_back({*(*items)[0].as_string(), (*items)[1].as_double().value_or(0)});
  }
}

void read_entry(const json::Value& object, Entry& e) {
  e.run_id = text_of(object, "run_id");
  e.hash = text_of(object, "hash");
  e.created_at = text_of(object, "created_at");
  e.workload = text_of(object, "workload");
  e.host = text_of(object, "host");
  e.backend = text_of(object, "backend");
  e.provider = maybe_text(object, "provider");
  e.precision = maybe_text(object, "precision");
  e.threads = maybe_int(object, "threads");
  e.optimisation = maybe_text(object, "optimisation");
  e.batch_size = maybe_int(object, "batch_size");
  e.status = text_of(object, "status");
  e.size_bytes = maybe_int(object, "size_bytes").value_or(0);
  if (const json::Value* tags = object.find("tags"); tags != nullptr && tags->is_object()) {
    for (const auto& [key, value] : *tags->as_object()) {
      if (value.is_string()) e.tags[key] = *value.as_string();
    }
  }
  read_headline(object, e.headline);
}

constexpr std::string_view kKinds[] = {"add", "remove", "baseline"};

}  // namespace

std::string encode(const Record& record) {
  json::Writer w;
  w.begin_object()
      .member("event", kKinds[static_cast<std::size_t>(record.kind)])
      .member("at", record.at);
  if (record.kind == Record::Kind::add) {
    write_entry(w, record.entry);
  } else {
    w.member("run_id", record.entry.run_id);
    if (record.kind == Record::Kind::baseline) w.member("name", record.name);
  }
  w.end_object();
  const std::string text = std::move(w).take();
  return fmt::format("\n{} {}\n", sha256(text).substr(0, kChecksumDigits), text);
}

Result<Record> decode(std::string_view line) {
  const Error damaged{Errc::data_corrupt, "The line is damaged.", ""};
  if (line.size() < kChecksumDigits + 2 || line[kChecksumDigits] != ' ') return damaged;
  const std::string_view text = line.substr(kChecksumDigits + 1);
  if (sha256(text).compare(0, kChecksumDigits, line.substr(0, kChecksumDigits)) != 0)
    return damaged;
  auto tree = json::parse(text);
  if (!tree.ok()) return damaged;
  Record record;
  const std::string event = text_of(*tree, "event");
  bool known = false;
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (event != kKinds[i]) continue;
    record.kind = static_cast<Record::Kind>(i);
    known = true;
  }
  if (!known)
    return Error{Errc::newer_version, "The line holds an event that this version does not know.",
                 ""};
  record.at = text_of(*tree, "at");
  record.name = text_of(*tree, "name");
  read_entry(*tree, record.entry);
  record.entry.added_at = record.at;
  return record;
}

Result<std::int64_t> scan_manifest(FileSystem& files, const std::string& path, std::int64_t offset,
                                   const OnRecord& on_record) {
  NEUROLENS_ASSIGN(const auto info, files.info(path));
  if (!info) return std::int64_t{0};
  std::int64_t wanted = kPiece;
  while (true) {
    NEUROLENS_ASSIGN(const std::string piece, files.read_from(path, Bytes{offset}, Bytes{wanted}));
    std::size_t begin = 0;
    for (std::size_t end = piece.find('\n'); end != std::string::npos;
         end = piece.find('\n', begin)) {
      if (end > begin) {
        NEUROLENS_TRY(on_record(offset + static_cast<std::int64_t>(begin),
                                decode(std::string_view(piece).substr(begin, end - begin))));
      }
      begin = end + 1;
    }
    offset += static_cast<std::int64_t>(begin);
    if (static_cast<std::int64_t>(piece.size()) < wanted) return offset;  // the end of the file
    if (begin == 0) wanted *= 2;  // one line longer than the piece
  }
}

Status append_manifest(FileSystem& files, const std::string& path, const Record& record) {
  NEUROLENS_ASSIGN(auto file, files.open_append(path));
  NEUROLENS_TRY(file->write(encode(record)));
  return file->commit();
}

}  // namespace neurolens::store
