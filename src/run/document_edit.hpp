/// \file
/// For tests: edits of documents by JSON pointer, down to spellings that no writer would produce.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::run::documents {

/// A string that stands for JSON text to be put in its place when the tree is written.
inline constexpr std::string_view kRaw = "@raw:";

/// In hexadecimal digits, so that the writer leaves it alone.
inline json::Value raw(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string coded(kRaw);
  for (const char c : text) {
    coded += kHex[static_cast<unsigned char>(c) >> 4];
    coded += kHex[static_cast<unsigned char>(c) & 15];
  }
  return json::Value(std::move(coded));
}

inline json::Value tree_of(std::string_view text) {
  return json::parse(text).value();
}

/// The node at `pointer` (keys without escapes), nullptr when there is none.
inline json::Value* find(json::Value& root, std::string_view pointer) {
  json::Value* at = &root;
  if (pointer.empty()) return at;
  for (const auto part : split(pointer.substr(1), '/')) {
    if (auto* items = std::get_if<json::Array>(&at->data())) {
      const auto index = static_cast<std::size_t>(std::stoul(std::string(part)));
      if (index >= items->size()) return nullptr;
      at = &(*items)[index];
      continue;
    }
    at = const_cast<json::Value*>(at->find(part));
    if (at == nullptr) return nullptr;
  }
  return at;
}

/// The text of `root`, raw pieces in place.
inline std::string text_of(const json::Value& root, int indent = 0) {
  json::Writer writer(json::WriterOptions{indent});
  writer.value(root);
  const std::string text = std::move(writer).take();
  const std::string mark = "\"" + std::string(kRaw);
  std::string out;
  std::size_t done = 0;
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, done)) {
    out.append(text, done, at - done);
    const auto end = text.find('"', at + mark.size());
    for (std::size_t i = at + mark.size(); i < end; i += 2)
      out += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    done = end + 1;
  }
  return out.append(text, done);
}

enum class Edit { set, remove, add };

/// `set` replaces the value at `pointer` by the JSON text `json` (or raw text that is none), `add`
/// adds a member or element there (even when the key is there), `remove` takes it away.
inline void apply(json::Value& root, Edit edit, std::string_view pointer, std::string_view json) {
  if (edit == Edit::set) {
    *find(root, pointer) = raw(json);
    return;
  }
  const auto slash = pointer.rfind('/');
  json::Value& parent = *find(root, pointer.substr(0, slash));
  const std::string key(pointer.substr(slash + 1));
  if (auto* items = std::get_if<json::Array>(&parent.data())) {
    const auto at = items->begin() + std::stol(key);
    if (edit == Edit::add) {
      items->insert(at, raw(json));
    } else {
      items->erase(at);
    }
    return;
  }
  auto& members = std::get<json::Object>(parent.data());
  if (edit == Edit::add) {
    members.emplace_back(key, raw(json));
    return;
  }
  for (auto at = members.begin(); at != members.end(); ++at) {
    if (at->first == key) {
      members.erase(at);
      return;
    }
  }
}

}  // namespace neurolens::run::documents
