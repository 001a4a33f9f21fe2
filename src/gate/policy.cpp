#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "neurolens/base/text.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/gate/gate.hpp"

namespace neurolens::gate {
namespace {

std::string place(const json::Value& value) {
  return fmt::format("line {}, column {}", value.line, value.column);
}

Error wrong(Errc code, const json::Value& at, std::string sentence) {
  return {code, std::move(sentence), place(at)};
}

Result<double> ratio_of(const json::Value& value) {
  if (const auto number = value.as_double()) {
    if (*number >= 0) return *number;
  } else if (const auto* text = value.as_string()) {
    return parse_ratio(*text, place(value));
  }
  return wrong(Errc::out_of_range, value, "A limit is a number from 0 on, such as 0.05 or 5%.");
}

Result<std::string> text_of(const json::Value& value) {
  if (const auto* text = value.as_string()) return *text;
  return wrong(Errc::wrong_type, value, "A text is needed here.");
}

Error unknown(const json::Value& at, const std::string& key, std::vector<std::string> known) {
  return wrong(Errc::unknown_key, at,
               fmt::format("There is no key \"{}\" here.{} There are: {}.", printable(key),
                           did_you_mean(key, known), fmt::join(known, ", ")));
}

Status read_metrics(const json::Value& node, Policy& policy) {
  const std::vector<std::string> known{"total_time", "p95_time", "peak_memory", "flops", "bytes"};
  if (node.as_object() == nullptr)
    return wrong(Errc::wrong_type, node, "metrics maps names to limits.");
  policy.metrics.clear();
  for (const auto& [name, limit] : *node.as_object()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return unknown(limit, name, known);
    NEUROLENS_ASSIGN(const double ratio, ratio_of(limit));
    policy.metrics.push_back({name, ratio});
  }
  return {};
}

Status read_ops(const json::Value& node, Policy& policy) {
  if (node.as_array() == nullptr) return wrong(Errc::wrong_type, node, "ops is a list of rules.");
  for (const auto& item : *node.as_array()) {
    if (item.as_object() == nullptr)
      return wrong(Errc::wrong_type, item, "A rule of ops is a map.");
    OpRule rule;
    for (const auto& [key, value] : *item.as_object()) {
      if (key == "name") {
        NEUROLENS_ASSIGN(rule.name, text_of(value));
      } else if (key == "type") {
        NEUROLENS_ASSIGN(rule.type, text_of(value));
      } else if (key == "max_regression") {
        NEUROLENS_ASSIGN(rule.max_regression, ratio_of(value));
      } else if (key == "min_share") {
        NEUROLENS_ASSIGN(rule.min_share, ratio_of(value));
      } else {
        return unknown(value, key, {"name", "type", "max_regression", "min_share"});
      }
    }
    policy.ops.push_back(rule);
  }
  return {};
}

Status read_inconclusive(const json::Value& node, Policy& policy) {
  const auto* word = node.as_string();
  if (word != nullptr && *word == "pass") {
    policy.inconclusive_status = 0;
  } else if (word != nullptr && *word == "fail") {
    policy.inconclusive_status = 1;
  } else if (word != nullptr && *word == "report") {
    policy.inconclusive_status = 2;
  } else {
    return wrong(Errc::out_of_range, node,
                 "inconclusive is pass, fail, or report (exit status 2).");
  }
  return {};
}

}  // namespace

Result<double> parse_ratio(std::string_view text, std::string_view where) {
  std::string_view digits = trim(text);
  const bool percent = digits.ends_with('%');
  if (percent) digits = trim(digits.substr(0, digits.size() - 1));
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || !(value >= 0))
    return Error{Errc::out_of_range,
                 fmt::format("\"{}\" is no limit such as 5% or 0.05.", printable(text)),
                 std::string(where)};
  return percent ? value / 100 : value;
}

Result<Policy> parse_policy(std::string_view yaml_text) {
  NEUROLENS_ASSIGN(const auto document, yaml::parse(yaml_text));
  Policy policy;
  if (document.as_object() == nullptr)
    return wrong(Errc::wrong_type, document, "A policy is a map.");
  for (const auto& [key, value] : *document.as_object()) {
    if (key == "metrics") {
      NEUROLENS_TRY(read_metrics(value, policy));
    } else if (key == "ops") {
      NEUROLENS_TRY(read_ops(value, policy));
    } else if (key == "inconclusive") {
      NEUROLENS_TRY(read_inconclusive(value, policy));
    } else {
      return unknown(value, key, {"metrics", "ops", "inconclusive"});
    }
  }
  return policy;
}

}  // namespace neurolens::gate
