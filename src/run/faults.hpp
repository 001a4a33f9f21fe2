/// \file
/// Where a walker is in a document, and what it found wrong there.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "neurolens/run/run.hpp"

namespace neurolens::run::detail {

/// A JSON pointer (RFC 6901) that becomes text only when a fault needs it. Keys are not owned.
class Path {
 public:
  void push(std::string_view key) { parts_.emplace_back(key); }
  void push(std::size_t index) { parts_.emplace_back(index); }
  void pop() { parts_.pop_back(); }
  [[nodiscard]] std::size_t depth() const { return parts_.size(); }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& part : parts_) {
      out += '/';
      if (const auto* index = std::get_if<std::size_t>(&part)) {
        out += std::to_string(*index);
      } else {
        append_key(out, std::get<std::string_view>(part));
      }
    }
    return out;
  }

 private:
  static void append_key(std::string& out, std::string_view key) {
    for (const char c : key) {
      if (c == '~') {
        out += "~0";
      } else if (c == '/') {
        out += "~1";
      } else {
        out += c;
      }
    }
  }
  std::vector<std::variant<std::string_view, std::size_t>> parts_;
};

/// Keeps the first kMaxFaults faults and whether there are more.
class Faults {
 public:
  void add(std::string pointer, std::string sentence) {
    if (list_.size() < kMaxFaults) {
      list_.push_back({std::move(pointer), std::move(sentence)});
    } else {
      truncated_ = true;
    }
  }
  /// Nothing that is still to be found could be listed.
  [[nodiscard]] bool saturated() const { return truncated_; }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] std::vector<Fault>& list() { return list_; }
  [[nodiscard]] const std::vector<Fault>& list() const { return list_; }

 private:
  std::vector<Fault> list_;
  bool truncated_ = false;
};

}  // namespace neurolens::run::detail
