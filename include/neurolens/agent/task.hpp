/// \file
/// What an agent may ask for. A task declares its fields once; checking of requests, the request
/// schema and the list of tools of a protocol come from that. This room knows neither argv nor
/// streams: whoever owns the work (the command line) supplies the tasks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::agent {

/// The JSON type of a field.
enum class FieldKind : std::uint8_t {
  flag,     ///< true or false.
  text,     ///< A string; a number is taken as its shortest text.
  integer,  ///< A whole number that fits 64 bits with sign.
  number,   ///< Any finite number.
  choice,   ///< One of Field::words.
  texts,    ///< An array of strings.
};

/// What a setter receives: bool, string, integer, number or strings, as its FieldKind says (text
/// and choice are strings).
using FieldValue = std::variant<bool, std::string, std::int64_t, double, std::vector<std::string>>;

/// One member of a request.
struct Field {
  std::string name;  ///< [a-z0-9_]+; "task" is taken.
  FieldKind kind = FieldKind::text;
  std::string help;                ///< One sentence, with the unit and the default.
  std::vector<std::string> words;  ///< Of a choice.
  bool required = false;
  /// Called at most once, with a value of the right type.
  std::function<void(FieldValue)> set;
};

/// What a finished task leaves.
struct Outcome {
  /// As the command would end with; 1: the answer is "no".
  int exit_status = 0;
  /// The answer as one JSON document (other text becomes {"text": ...}); empty: none.
  std::string document;
};

/// One piece of work, used once: fields are set, then it runs. One thread.
class Task {
 public:
  virtual ~Task() = default;
  /// REQUIRED. Fields that a request may hold, in the order of its documentation.
  [[nodiscard]] virtual const std::vector<Field>& fields() const = 0;
  /// REQUIRED. Does the work. What it cannot do is an Error, never an exception that matters: the
  /// caller turns those into Errc::internal.
  virtual Result<Outcome> run() = 0;
};

/// A name that requests may use.
struct TaskEntry {
  std::string name;     ///< [a-z0-9_]+, unique.
  std::string summary;  ///< One line.
  std::function<std::unique_ptr<Task>()> make;
};

}  // namespace neurolens::agent
