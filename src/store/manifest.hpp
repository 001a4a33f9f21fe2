/// \file
/// The append-only record of what happened to a store.
/// Each record is one line: 16 hexadecimal digits (the beginning of the SHA-256 of the rest), a
/// space, a JSON object. Every append begins with a line break of its own, so that a line torn by a
/// kill stays alone and cannot spoil its successor.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/store/store.hpp"

namespace neurolens::store {

/// One event.
struct Record {
  enum class Kind { add, remove, baseline };
  Kind kind = Kind::add;
  Entry entry;       ///< add: the whole; remove and baseline: run_id only.
  std::string name;  ///< baseline
  std::string at;    ///< When, RFC 3339.
};

/// The line for a record, line breaks around it included.
std::string encode(const Record& record);
/// Errors: data_corrupt for a wrong checksum or a line that says nothing known.
Result<Record> decode(std::string_view line);

/// Called for each complete line: its offset in the file, and the record or why there is none.
using OnRecord = std::function<Status(std::int64_t offset, const Result<Record>& record)>;

/// Reads complete lines from `offset` on and returns the offset behind the last of them. An absent
/// manifest is empty. Reads in pieces of a few megabytes.
Result<std::int64_t> scan_manifest(FileSystem& files, const std::string& path, std::int64_t offset,
                                   const OnRecord& on_record);

/// Appends durably.
Status append_manifest(FileSystem& files, const std::string& path, const Record& record);

}  // namespace neurolens::store
