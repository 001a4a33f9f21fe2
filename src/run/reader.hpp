/// \file
/// Text to values: keys, types and the rules that each value keeps on its own. This is what
/// schema/run.schema.json says, no more and no less; rules between values come after it.
#pragma once

#include <string_view>

#include "faults.hpp"
#include "neurolens/base/result.hpp"
#include "reflect.hpp"

namespace neurolens::run::detail {

/// A document as far as it could be read.
struct Document {
  Head head;
  Run run;  ///< Meaningful only when no fault was found.
};

/// The schema version that a document claims.
struct Claim {
  bool present = false;  ///< The key is there.
  std::string spelling;  ///< Its text; empty when it is no string.
  int major = -1;        ///< -1 when not of the form X.Y.Z.
  int minor = -1;
  bool foreign_shape = false;  ///< An object without the key that looks like version 0.
};

/// Looks for the version without judging the rest. Errors: parse_error.
[[nodiscard]] Result<Claim> find_version(std::string_view text);

/// Reads a document of version 1. Faults are added in the order of the text. Errors: parse_error.
/// `text` must be valid UTF-8.
[[nodiscard]] Status read_structure(std::string_view text, const Claim& claim, Document& out,
                                    Faults& faults);

}  // namespace neurolens::run::detail
