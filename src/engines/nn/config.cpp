#include "neurolens/engines/nn/config.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "neurolens/base/text.hpp"

namespace neurolens::nn {

std::string place_of(const json::Value& value) {
  if (value.line == 0) return {};
  return "line " + std::to_string(value.line) + ", column " + std::to_string(value.column);
}

Config::Config(const json::Value& value, std::string what) : value_(value), what_(std::move(what)) {
  if (!value.is_object())
    fail(Errc::wrong_type, "The " + what_ + " must be a mapping of keys to values.", &value);
}

void Config::fail(Errc code, std::string message, const json::Value* at) {
  if (status_.ok())
    status_ = Error{code, std::move(message), place_of(at != nullptr ? *at : value_)};
}

const json::Value* Config::member(std::string_view key) {
  known_.emplace_back(key);
  return value_.is_object() ? value_.find(key) : nullptr;
}

std::int64_t Config::integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                             std::int64_t high) {
  const json::Value* v = member(key);
  if (v == nullptr) return fallback;
  const auto number = v->as_int();
  const std::string name = "\"" + std::string(key) + "\" of the " + what_;
  if (!number) {
    fail(Errc::wrong_type, name + " must be an integer.", v);
    return fallback;
  }
  if (*number < low || *number > high) {
    fail(Errc::out_of_range,
         name + " is " + std::to_string(*number) + "; it must lie in [" + std::to_string(low) +
             ", " + std::to_string(high) + "].",
         v);
    return fallback;
  }
  return *number;
}

std::int64_t Config::required(std::string_view key, std::int64_t low, std::int64_t high) {
  if (value_.is_object() && value_.find(key) == nullptr) {
    fail(Errc::missing_key, "The " + what_ + " needs the key \"" + std::string(key) + "\".");
  }
  return integer(key, low, low, high);
}

double Config::number(std::string_view key, double fallback, double low, double high) {
  const json::Value* v = member(key);
  if (v == nullptr) return fallback;
  const auto number = v->as_double();
  const std::string name = "\"" + std::string(key) + "\" of the " + what_;
  if (!number) {
    fail(Errc::wrong_type, name + " must be a number.", v);
    return fallback;
  }
  if (!(*number >= low && *number <= high)) {
    fail(Errc::out_of_range,
         name + " is " + shortest(*number) + "; it must lie in [" + shortest(low) + ", " +
             shortest(high) + "].",
         v);
    return fallback;
  }
  return *number;
}

bool Config::flag(std::string_view key, bool fallback) {
  const json::Value* v = member(key);
  if (v == nullptr) return fallback;
  if (const auto b = v->as_bool()) return *b;
  fail(Errc::wrong_type, "\"" + std::string(key) + "\" of the " + what_ + " must be true or false.",
       v);
  return fallback;
}

std::string Config::text(std::string_view key, std::string_view fallback) {
  const json::Value* v = member(key);
  if (v == nullptr) return std::string(fallback);
  if (const auto* s = v->as_string()) return *s;
  fail(Errc::wrong_type, "\"" + std::string(key) + "\" of the " + what_ + " must be text.", v);
  return std::string(fallback);
}

std::string Config::required_text(std::string_view key) {
  std::string value = text(key, "");
  if (value.empty()) {
    fail(Errc::missing_key, "The " + what_ + " needs the key \"" + std::string(key) + "\".",
         value_.is_object() ? value_.find(key) : nullptr);
  }
  return value;
}

std::size_t Config::choice(std::string_view key, const std::vector<std::string>& choices,
                           std::size_t fallback) {
  const json::Value* v = member(key);
  if (v == nullptr) return fallback;
  const std::string* s = v->as_string();
  const auto found = s == nullptr ? choices.end() : std::find(choices.begin(), choices.end(), *s);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  std::string all;
  for (const auto& c : choices) all += (all.empty() ? "" : ", ") + c;
  fail(Errc::out_of_range,
       "\"" + std::string(key) + "\" of the " + what_ + " must be one of " + all + "." +
           (s != nullptr ? did_you_mean(*s, choices) : ""),
       v);
  return fallback;
}

std::vector<double> Config::numbers(std::string_view key) {
  const json::Value* v = member(key);
  std::vector<double> out;
  if (v == nullptr) return out;
  const auto* list = v->as_array();
  if (list == nullptr) {
    fail(Errc::wrong_type,
         "\"" + std::string(key) + "\" of the " + what_ + " must be a list of numbers.", v);
    return out;
  }
  for (const auto& item : *list) {
    const auto number = item.as_double();
    if (!number) {
      fail(Errc::wrong_type,
           "\"" + std::string(key) + "\" of the " + what_ + " must hold numbers only.", &item);
      return {};
    }
    out.push_back(*number);
  }
  return out;
}

Status Config::finish() {
  const bool missing = !status_.ok() && status_.error().code == Errc::missing_key;
  if (!status_.ok() && !missing) return status_;
  for (const auto& [key, v] : *value_.as_object()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    if (missing) status_ = Status();
    fail(Errc::unknown_key,
         "The " + what_ + " has no key \"" + printable(key) + "\"." + did_you_mean(key, known_),
         &v);
    break;
  }
  return status_;
}

}  // namespace neurolens::nn
