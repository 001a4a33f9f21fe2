/// \file
/// The little of SQLite that the index needs, with statements that clean up after themselves.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens::store {

/// A database connection.
class Database {
 public:
  static Result<Database> open(const std::string& path);
  Database(Database&& other) noexcept : handle_(other.handle_), path_(std::move(other.path_)) {
    other.handle_ = nullptr;
  }
  Database& operator=(Database&&) = delete;
  ~Database() { sqlite3_close(handle_); }

  /// Runs statements without answers.
  Status execute(const char* sql);
  [[nodiscard]] Error error() const;
  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  sqlite3* handle_;
  std::string path_;
};

/// A prepared statement. Parameters are bound in order, columns read in order.
class Statement {
 public:
  Statement(Database& database, const std::string& sql);
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t number);
  Statement& bind(double number);
  template <class T>
  Statement& bind(const std::optional<T>& maybe) {
    return maybe ? bind(*maybe) : bind_null();
  }
  Statement& bind_null();

  /// True: a row is there. False: no more. Errors: of the database.
  Result<bool> step();
  /// For statements without rows; makes it ready to be bound again.
  Status run();

  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::optional<std::string> maybe_text(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const {
    return sqlite3_column_int64(statement_, column);
  }
  [[nodiscard]] std::optional<std::int64_t> maybe_integer(int column) const;
  [[nodiscard]] std::optional<double> maybe_number(int column) const;

 private:
  [[nodiscard]] bool is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
  int next_ = 1;
};

}  // namespace neurolens::store
