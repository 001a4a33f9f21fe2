#include "journal.hpp"

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::exec::detail {

Result<std::unique_ptr<Journal>> Journal::open(FileSystem& files, const std::string& path,
                                               bool resume) {
  auto journal = std::make_unique<Journal>();
  std::string kept;
  if (resume) {
    Result<std::string> text = files.read(path);
    if (!text.ok() && text.error().code != Errc::not_found) return std::move(text).error();
    const std::string content = text.ok() ? std::move(text).value() : std::string();
    for (const std::string_view line : split(content, '\n')) {
      const Result<json::Value> entry = json::parse(line);
      if (!entry.ok()) continue;
      const json::Value* const step = entry->find("step");
      const json::Value* const key = entry->find("key");
      const json::Value* const value = entry->find("value");
      const json::Value* const busy = entry->find("busy_ns");
      if (step == nullptr || !step->is_string() || key == nullptr || !key->is_string() ||
          value == nullptr || !value->is_string() || busy == nullptr) {
        continue;
      }
      journal->old_[*step->as_string()] = {*key->as_string(), *value->as_string(),
                                           Nanoseconds{busy->as_int().value_or(0)}};
      kept += std::string(line) + "\n";
    }
  }
  // Rewritten without torn lines, so that new lines begin at the start of a line.
  NEUROLENS_TRY(files.write_atomic(path, kept));
  NEUROLENS_ASSIGN(journal->file_, files.open_append(path));
  return journal;
}

std::optional<JournalEntry> Journal::find(const std::string& step, const std::string& key) const {
  const auto it = old_.find(step);
  if (it == old_.end() || it->second.key != key) return {};
  return it->second;
}

Status Journal::add(const std::string& step, const JournalEntry& entry) {
  json::Writer writer;
  writer.begin_object();
  writer.member("step", step).member("key", entry.key).member("value", entry.value);
  writer.member("busy_ns", entry.busy);
  writer.end_object();
  const std::string line = std::move(writer).take() + "\n";
  const std::lock_guard lock(mutex_);
  NEUROLENS_TRY(file_->write(line));
  return file_->commit();
}

}  // namespace neurolens::exec::detail
