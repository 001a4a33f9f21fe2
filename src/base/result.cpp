#include "neurolens/base/result.hpp"

#include <ostream>

namespace neurolens {
namespace {

struct Row {
  std::string_view name;
  int exit_status;
  std::string_view sentence;
};

constexpr Row kRows[] = {
#define NEUROLENS_ERROR(name, exit_status, sentence) {#name, exit_status, sentence},
#include "neurolens/base/errors.def"
#undef NEUROLENS_ERROR
};

const Row& row(Errc code) noexcept {
  return kRows[static_cast<std::size_t>(code)];
}

}  // namespace

std::string_view to_string(Errc code) noexcept {
  return row(code).name;
}
std::string_view describe(Errc code) noexcept {
  return row(code).sentence;
}
int exit_status_of(Errc code) noexcept {
  return row(code).exit_status;
}

std::string Error::text() const {
  return where.empty() ? message : where + ": " + message;
}

Error Error::at(std::string_view place) && {
  if (where.empty()) {
    where = place;
  } else {
    where = std::string(place) + ": " + where;
  }
  return std::move(*this);
}

Error Error::at(std::string_view place) const& {
  Error copy = *this;
  return std::move(copy).at(place);
}

std::ostream& operator<<(std::ostream& out, const Error& error) {
  return out << to_string(error.code) << ": " << error.text();
}

}  // namespace neurolens
