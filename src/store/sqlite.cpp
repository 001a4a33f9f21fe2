#include "sqlite.hpp"

#include <fmt/format.h>

namespace neurolens::store {

Result<Database> Database::open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(handle, path);
  if (code != SQLITE_OK) return database.error();
  sqlite3_busy_timeout(handle, 30'000);
  return database;
}

Error Database::error() const {
  const int code = sqlite3_errcode(handle_);
  const std::string reason = handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory";
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {Errc::no_space, "The disk is full; free space and try again.", path_};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Errc::data_corrupt, fmt::format("The index is damaged ({}).", reason), path_};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {Errc::permission_denied, "You may not write to this store; check its permissions.",
              path_};
    default:
      return {Errc::io_error, fmt::format("The index cannot be used: {}.", reason), path_};
  }
}

Status Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

Statement::Statement(Database& database, const std::string& sql) : database_(database) {
  sqlite3_prepare_v2(database.handle(), sql.c_str(), static_cast<int>(sql.size()), &statement_,
                     nullptr);
}

Statement& Statement::bind(std::string_view text) {
  sqlite3_bind_text(statement_, next_++, text.data(), static_cast<int>(text.size()),
                    SQLITE_TRANSIENT);
  return *this;
}
Statement& Statement::bind(std::int64_t number) {
  sqlite3_bind_int64(statement_, next_++, number);
  return *this;
}
Statement& Statement::bind(double number) {
  sqlite3_bind_double(statement_, next_++, number);
  return *this;
}
Statement& Statement::bind_null() {
  sqlite3_bind_null(statement_, next_++);
  return *this;
}

Result<bool> Statement::step() {
  if (statement_ == nullptr) return database_.error();
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_.error();
}

Status Statement::run() {
  const auto outcome = step();
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  next_ = 1;
  return outcome.status();
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr
             ? std::string()
             : std::string(bytes,
                           static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}
std::optional<std::string> Statement::maybe_text(int column) const {
  return is_null(column) ? std::nullopt : std::optional(text(column));
}
std::optional<std::int64_t> Statement::maybe_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}
std::optional<double> Statement::maybe_number(int column) const {
  return is_null(column) ? std::nullopt : std::optional(sqlite3_column_double(statement_, column));
}

}  // namespace neurolens::store
