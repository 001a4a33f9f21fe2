/// \file
/// Reading, checking and writing Runs. `run.json` is plain JSON, `run.json.zst` the same
/// compressed; every function here takes both and tells them apart by content, not by name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::run {

/// One broken rule: where (JSON pointer into the document) and what (a sentence).
struct Fault {
  std::string pointer;
  std::string sentence;
};

/// What check() found out about a document.
struct Report {
  std::vector<Fault> faults;  ///< In the order of the document; at most `kMaxFaults`.
  bool truncated = false;     ///< More faults exist than are listed.
  int schema_major = -1;      ///< Version of the document, -1 when not readable.
  [[nodiscard]] bool valid() const { return faults.empty(); }
};
inline constexpr std::size_t kMaxFaults = 100;
/// Largest document, as text. 500 million samples fit.
inline constexpr std::int64_t kMaxText = std::int64_t{4} << 30;

/// Checks a document (bytes of a file, compressed or not) against schema and rules, and reports
/// every fault with its place. Keys, types and the rules of single values come first; rules between
/// values (lengths, indices, order, the content hash) are judged once those hold.
/// Version 0 is checked against its own form; a newer minor version is fine as long as its keys are
/// known. At most 4 GiB of text. Errors: parse_error (with line and column), data_corrupt,
/// too_large, newer_version, out_of_memory: not even readable.
/// Threads: this and everything below are pure functions of their arguments.
[[nodiscard]] Result<Report> check(std::string_view document);

/// Checks a value in memory: the rules that the types do not keep by themselves. Safe for any Run.
[[nodiscard]] Report validate(const Run& run);

/// Reads a document. Version 0 is migrated. Errors: those of check(), and invalid_document whose
/// message holds the first fault and the number of the others.
[[nodiscard]] Result<Run> read(std::string_view document);
[[nodiscard]] Result<Run> read_file(FileSystem& files, const std::string& path);

/// A Run of which everything was judged but the content hash.
struct Unsealed {
  Run run;
  std::optional<std::string> claimed_hash;  ///< nullopt: version 0, which has none.
};
/// read() without the comparison of the hash, a third of its time: for a caller that computes on
/// the Run while another thread calls check_seal(). Nothing made from the Run may leave the program
/// before that has answered. Errors: those of read(), but for a wrong hash.
[[nodiscard]] Result<Unsealed> read_unsealed(std::string_view document);
/// Errors: invalid_document, in the words of read(). Never for nullopt.
[[nodiscard]] Status check_seal(const Run& run, const std::optional<std::string>& claimed_hash);

/// The JSON text of a Run, keys in schema order, one line per key of the root and per op;
/// deterministic, content hash included. Requires: validate(run).valid().
[[nodiscard]] std::string to_json(const Run& run);

/// Validates, then writes atomically; compressed when `path` ends in ".zst".
/// Errors: invalid_document (nothing is written), and those of FileSystem.
Status write_file(FileSystem& files, const std::string& path, const Run& run);

/// SHA-256 over the canonical text without schema_version, run_id and created_at: equal content,
/// equal hash, in whatever file and under whichever minor version.
[[nodiscard]] std::string content_hash(const Run& run);

/// The JSON Schema (draft 2020-12) of the current version; schema/run.schema.json is this text.
[[nodiscard]] std::string schema_text();

}  // namespace neurolens::run
