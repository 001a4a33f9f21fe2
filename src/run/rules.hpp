/// \file
/// Judging values: each on its own (rules of the tables), then against one another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "faults.hpp"
#include "reflect.hpp"

namespace neurolens::run::detail {

/// The sentence for a value that breaks its rule; nullopt when it does not.
std::optional<std::string> broken(const Rule& rule, std::int64_t value);
std::optional<std::string> broken(const Rule& rule, double value);
std::optional<std::string> broken(const Rule& rule, std::string_view value);

/// Reports every entry of a column that breaks `rule`; `path` names the column.
void check_column(const Rule& rule, const Column& column, Path& path, Faults& faults);

/// The expression that texts of `format` match in full (ECMA-262); nullptr for Format::none.
const char* pattern_of(Format format);

/// Walks a value in memory and reports what its tables forbid.
void check_values(const Object& object, const void* host, Faults& faults);

/// Rules between values: lengths, indices, order, intervals. Safe for any Run; the sentences assume
/// that each value keeps its own rule.
void check_relations(const Run& run, Faults& faults);

}  // namespace neurolens::run::detail
