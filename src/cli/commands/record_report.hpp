/// \file
/// What `record` tells: text for people, one JSON document for programs.
#pragma once

#include <optional>
#include <string>

#include "neurolens/capture/record.hpp"

namespace neurolens::cli {

struct RecordReport {
  double threshold = 0.05;              ///< Smallest share shown, in (0, 1].
  std::optional<std::string> function;  ///< Callers, callees and lines of this one, too.
  std::optional<std::string> module;    ///< Functions of this one only.
  bool threads = false;                 ///< Text: a table of threads.
  bool lines = false;                   ///< Text: a table of source lines.
};

/// `run_path` is named at the end; empty: none was written.
[[nodiscard]] std::string record_text(const capture::Recording& recording,
                                      const RecordReport& report, const std::string& run_path);
/// Meets schema/record.schema.json.
[[nodiscard]] std::string record_json(const capture::Recording& recording,
                                      const RecordReport& report);

}  // namespace neurolens::cli
