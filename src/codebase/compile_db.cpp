#include "compile_db.hpp"

#include <cstring>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::codebase {
namespace {

// Words of a shell command: quotes and backslashes, nothing else.
std::vector<std::string> shell_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      if (open) words.push_back(std::move(word));
      word.clear();
      open = false;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      open = true;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
      open = true;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(std::move(word));
  return words;
}

std::uint32_t word32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at,
              4);  // the log is little-endian, as are the machines that write it
  return value;
}

}  // namespace

std::string normal_path(std::string_view base, std::string_view path) {
  std::string full =
      path.starts_with('/') ? std::string(path) : std::string(base) + "/" + std::string(path);
  std::vector<std::string_view> parts;
  for (const std::string_view part : split(full, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (part != "..") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

std::vector<std::string> depfile_inputs(std::string_view text) {
  std::vector<std::string> inputs;
  std::string word;
  bool behind_colon = false;
  const auto finish = [&] {
    if (word.empty()) return;
    if (!behind_colon && word.back() == ':') {
      behind_colon = true;
    } else if (behind_colon) {
      inputs.push_back(word);
    }
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      const char next = text[i + 1];
      if (next == '\n' || (next == '\r' && i + 2 < text.size() && text[i + 2] == '\n')) {
        finish();
        i += next == '\r' ? 2 : 1;
        continue;
      }
      if (next == ' ' || next == '#') {
        word += next;
        ++i;
        continue;
      }
    }
    if (c == '$' && i + 1 < text.size() && text[i + 1] == '$') {
      word += '$';
      ++i;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      finish();
      if (c == '\n' && behind_colon) break;  // one rule; -MP adds empty rules behind it
      continue;
    }
    word += c;
  }
  finish();
  return inputs;
}

std::unordered_map<std::string, std::vector<std::string>> ninja_deps(std::string_view bytes) {
  std::unordered_map<std::string, std::vector<std::string>> out;
  constexpr std::string_view kHead = "# ninjadeps\n";
  if (!bytes.starts_with(kHead) || bytes.size() < kHead.size() + 4) return out;
  const std::uint32_t version = word32(bytes, kHead.size());
  if (version != 3 && version != 4) return out;
  const std::size_t time_bytes = version == 4 ? 8 : 4;
  std::vector<std::string> paths;
  for (std::size_t at = kHead.size() + 4; at + 4 <= bytes.size();) {
    const std::uint32_t head = word32(bytes, at);
    const std::size_t size = head & 0x7fffffffu;
    at += 4;
    if (size > bytes.size() - at) break;  // a torn end
    const std::string_view record = bytes.substr(at, size);
    at += size;
    if ((head >> 31) != 0) {
      if (size < 4 + time_bytes) break;
      const std::uint32_t output = word32(record, 0);
      if (output >= paths.size()) break;
      auto& inputs = out[paths[output]];
      inputs.clear();
      for (std::size_t i = 4 + time_bytes; i + 4 <= size; i += 4) {
        const std::uint32_t input = word32(record, i);
        if (input < paths.size()) inputs.push_back(paths[input]);
      }
    } else {
      if (size < 4) break;
      std::string_view path = record.substr(0, size - 4);
      while (!path.empty() && path.back() == '\0') path.remove_suffix(1);
      paths.emplace_back(path);
    }
  }
  return out;
}

Result<CompileDb> read_compile_db(const std::string& path) {
  NEUROLENS_ASSIGN(const std::string text, system_files().read(path));
  auto parsed = json::parse(text);
  if (!parsed.ok()) return Error(parsed.error()).at(path);
  const json::Array* entries = parsed->as_array();
  if (entries == nullptr)
    return Error{Errc::parse_error, "A compilation database is an array of commands.", path};
  CompileDb db;
  db.path = path;
  std::unordered_map<std::string, std::unordered_map<std::string, std::vector<std::string>>> logs;
  for (const json::Value& entry : *entries) {
    const auto field = [&entry](std::string_view key) -> std::string {
      const json::Value* v = entry.find(key);
      return v != nullptr && v->as_string() != nullptr ? *v->as_string() : std::string();
    };
    const std::string directory = normal_path("/", field("directory"));
    CompileUnit unit;
    unit.file = normal_path(directory, field("file"));
    std::vector<std::string> words = shell_words(field("command"));
    if (const json::Value* list = entry.find("arguments");
        list != nullptr && list->as_array() != nullptr) {
      words.clear();
      for (const json::Value& word : *list->as_array())
        words.push_back(word.as_string() != nullptr ? *word.as_string() : "");
    }
    std::vector<std::string> system;
    std::string output = field("output"), depfile;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const auto option = [&](std::string_view name) -> std::string {
        if (!words[i].starts_with(name)) return {};
        if (words[i].size() > name.size()) return words[i].substr(name.size());
        return i + 1 < words.size() ? words[++i] : std::string();
      };
      if (words[i].starts_with("-isystem"))
        system.push_back(normal_path(directory, option("-isystem")));
      else if (words[i].starts_with("-iquote"))
        unit.quote_dirs.push_back(normal_path(directory, option("-iquote")));
      else if (words[i].starts_with("-I"))
        unit.angle_dirs.push_back(normal_path(directory, option("-I")));
      else if (words[i] == "-MF")
        depfile = option("-MF");
      else if (words[i] == "-o")
        output = option("-o");
    }
    unit.angle_dirs.insert(unit.angle_dirs.end(), system.begin(), system.end());
    if (depfile.empty() && !output.empty()) depfile = output + ".d";
    if (!depfile.empty()) {
      auto found = system_files().read(normal_path(directory, depfile));
      if (!found.ok() && output.size() > 2)
        found =
            system_files().read(normal_path(directory, output.substr(0, output.size() - 2) + ".d"));
      if (found.ok()) unit.inputs = depfile_inputs(*found);
    }
    if (unit.inputs.empty() && !output.empty()) {
      const auto [log, fresh] = logs.try_emplace(directory);
      if (fresh) {
        auto bytes = system_files().read(directory + "/.ninja_deps");
        if (bytes.ok()) log->second = ninja_deps(*bytes);
      }
      if (const auto found = log->second.find(output); found != log->second.end())
        unit.inputs = found->second;
    }
    for (std::string& input : unit.inputs) input = normal_path(directory, input);
    db.recorded += unit.inputs.empty() ? 0 : 1;
    db.units.push_back(std::move(unit));
  }
  return db;
}

}  // namespace neurolens::codebase
