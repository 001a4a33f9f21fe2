/// \file
/// Error handling without exceptions: a value or a reason, and neither can be ignored.
/// Nothing in neurolens throws across a public boundary; a caller's own mistake (taking the value
/// of a failed Result) is an assertion, not an error.
#pragma once

#include <cassert>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace neurolens {

/// Kinds of error, from the table in errors.def.
enum class Errc {
#define NEUROLENS_ERROR(name, exit_status, sentence) name,
#include "neurolens/base/errors.def"
#undef NEUROLENS_ERROR
};

/// The code's name as spelt in the table, such as "not_found".
[[nodiscard]] std::string_view to_string(Errc code) noexcept;
/// The table's sentence: what the code means in general.
[[nodiscard]] std::string_view describe(Errc code) noexcept;
/// Exit status a command ends with when this error stops it: 1 to 4, see errors.def.
[[nodiscard]] int exit_status_of(Errc code) noexcept;

/// Why something failed: a code to branch on, one sentence for a person, and the place in the
/// input.
struct Error {
  Errc code = Errc::internal;
  /// What is wrong and what to do about it; ends with a full stop.
  std::string message;
  /// Where: a file, a file with line and column, or a JSON pointer. Empty when there is no place.
  std::string where;

  /// "where: message", or the message alone.
  [[nodiscard]] std::string text() const;
  /// The same error with a place put in front of the present one ("FILE" + "/ops/3" -> "FILE:
  /// /ops/3").
  [[nodiscard]] Error at(std::string_view place) &&;
  [[nodiscard]] Error at(std::string_view place) const&;
};

/// "code: text", for logs and test messages.
std::ostream& operator<<(std::ostream& out, const Error& error);

/// Success or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: conversion from Error is the point

  [[nodiscard]] bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  /// Requires !ok().
  [[nodiscard]] const Error& error() const& {
    assert(!ok());
    return *error_;
  }
  [[nodiscard]] Error&& error() && {
    assert(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

/// A T or an Error. T must not be Error.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  static_assert(!std::is_same_v<std::remove_cvref_t<T>, Error>);

  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT
  template <class U>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error> &&
           !std::is_same_v<std::remove_cvref_t<U>, Result>) Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  /// Requires ok().
  [[nodiscard]] T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  /// By value, so that `for (auto& x : f().value())` does not outlive what it walks over.
  [[nodiscard]] T value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] T value_or(T fallback) && {
    return ok() ? std::move(*this).value() : std::move(fallback);
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }

  /// Requires !ok().
  [[nodiscard]] const Error& error() const& {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  [[nodiscard]] Error&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }
  /// The outcome without the value.
  [[nodiscard]] Status status() const { return ok() ? Status{} : Status{error()}; }

 private:
  std::variant<T, Error> state_;
};

}  // namespace neurolens

#define NEUROLENS_CONCAT_INNER(a, b) a##b
#define NEUROLENS_CONCAT(a, b) NEUROLENS_CONCAT_INNER(a, b)

/// Returns from the enclosing function with the error of `expression` (a Status or Result), if any.
#define NEUROLENS_TRY(expression)                                             \
  do {                                                                        \
    if (auto neurolens_try_status = (expression); !neurolens_try_status.ok()) \
      return std::move(neurolens_try_status).error();                         \
  } while (false)

/// Declares `declaration` from the value of `expression` (a Result), or returns its error.
/// `NEUROLENS_ASSIGN(auto text, files.read(path));`
#define NEUROLENS_ASSIGN(declaration, expression) \
  NEUROLENS_ASSIGN_INNER(NEUROLENS_CONCAT(neurolens_result_, __LINE__), declaration, expression)
#define NEUROLENS_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).error();           \
  declaration = std::move(result).value()
