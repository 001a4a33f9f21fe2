// The checks of a workflow that need no run: programs, functions and their types, outputs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "state.hpp"

namespace neurolens::exec::detail {
namespace {

bool executable(const std::string& program, const std::string& directory) {
  if (program.find('/') != std::string::npos) {
    return access(join_path(directory.empty() ? "." : directory, program).c_str(), X_OK) == 0;
  }
  const char* const path = std::getenv("PATH");
  for (const std::string_view folder : split(path != nullptr ? path : "/bin:/usr/bin", ':')) {
    if (access((std::string(folder.empty() ? "." : folder) + "/" + program).c_str(), X_OK) == 0)
      return true;
  }
  return false;
}

// The program a shell line begins with, when that can be told without being a shell.
std::string shell_program(const std::string& line) {
  static const std::set<std::string, std::less<>> kBuiltIn = {
      ".",        ":",     "[",     "alias", "bg",    "break",  "case",  "cd",   "command",
      "continue", "echo",  "eval",  "exec",  "exit",  "export", "false", "fg",   "for",
      "getopts",  "hash",  "if",    "jobs",  "kill",  "printf", "pwd",   "read", "readonly",
      "return",   "set",   "shift", "test",  "times", "trap",   "true",  "type", "ulimit",
      "umask",    "unset", "until", "wait",  "while"};
  const std::string_view text = trim(line);
  const std::size_t end = text.find_first_of(" \t\n;|&<>()$`\"'\\*?{}=!#~");
  const std::string_view word = text.substr(0, end);
  const bool whole = end == std::string_view::npos ||
                     std::string_view(" \t\n;|&<>").find(text[end]) != std::string_view::npos;
  return !whole || kBuiltIn.contains(word) ? "" : std::string(word);
}

std::string_view type_of(const json::Value& v) {
  return v.type_name();
}

bool fits(std::string_view have, std::string_view want) {
  return want == "any" || have == "any" || have == want || (want == "number" && have == "integer");
}

Status check_function(const Workflow::State& state, const StepInstance& s) {
  const StepDefinition& step = state.definition.steps[s.definition];
  const auto wrong = [&](const SourcePlace& place, Errc code, std::string message) {
    return Error{code, std::move(message), place_text(state.definition.file, place)};
  };
  const auto it = state.functions->find(step.function);
  if (it == state.functions->end()) {
    std::vector<std::string> known;
    for (const auto& [name, f] : *state.functions) known.push_back(name);
    return wrong(place_of(step, "call"), Errc::not_found,
                 fmt::format("No function \"{}\" is registered.{}", step.function,
                             did_you_mean(step.function, known)));
  }
  std::size_t next_template = 0;
  const std::function<void(const json::Value&)> skip = [&](const json::Value& v) {
    if (v.is_string()) ++next_template;
    if (v.is_array())
      for (const auto& e : *v.as_array()) skip(e);
    if (v.is_object())
      for (const auto& [k, e] : *v.as_object()) skip(e);
  };
  for (const auto& [name, value] : *step.inputs.as_object()) {
    const SourcePlace place{value.line, value.column};
    const auto declared = it->second.inputs.find(name);
    if (declared == it->second.inputs.end()) {
      std::vector<std::string> known;
      for (const auto& [n, t] : it->second.inputs) known.push_back(n);
      return wrong(place, Errc::unknown_key,
                   fmt::format("\"{}\" takes no input \"{}\".{}", step.function, name,
                               did_you_mean(name, known)));
    }
    std::string have(type_of(value));
    if (value.is_string()) {
      const Template& t = s.templates[next_template];
      // A text that is one reference takes over the type of what it refers to.
      if (t.size() == 1 && t[0].kind == TextPart::Kind::value) {
        const StepDefinition& source =
            state.definition.steps[state.steps[t[0].steps.front()].definition];
        have = source.function.empty() || !t[0].text.empty() || t[0].steps.size() > 1 ? "any" : "";
        if (have.empty()) {
          const auto f = state.functions->find(source.function);
          have = f != state.functions->end() ? f->second.output : "any";
        }
        if (!fits(have, declared->second)) {
          return wrong(
              place, Errc::wrong_type,
              fmt::format("The input \"{}\" of \"{}\" is of type {}, but step \"{}\" yields {}.",
                          name, step.id, declared->second, source.id, have));
        }
      }
    }
    skip(value);
    if (!fits(have, declared->second)) {
      return wrong(place, Errc::wrong_type,
                   fmt::format("The input \"{}\" of \"{}\" is of type {}, not {}.", name, step.id,
                               declared->second, have));
    }
  }
  for (const auto& [name, type] : it->second.inputs) {
    if (step.inputs.find(name) == nullptr) {
      return wrong(place_of(step, "call"), Errc::missing_key,
                   fmt::format("\"{}\" needs the input \"{}\" ({}).", step.function, name, type));
    }
  }
  return {};
}

bool all_literal(const Template& t) {
  return std::all_of(t.begin(), t.end(),
                     [](const TextPart& p) { return p.kind == TextPart::Kind::literal; });
}

// The nearest folder that exists must let us write.
bool can_write(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) return access(path.c_str(), W_OK) == 0;
  std::string folder = parent_path(path);
  while (access(folder.c_str(), F_OK) != 0 && folder != "." && folder != "/")
    folder = parent_path(folder);
  return access((folder + "/.").c_str(), W_OK | X_OK) == 0;
}

}  // namespace

Status check(const Workflow::State& state) {
  std::map<std::string, const StepInstance*> writers;
  for (const StepInstance& s : state.steps) {
    const StepDefinition& step = state.definition.steps[s.definition];
    const auto wrong = [&](const std::string& key, Errc code, std::string message) {
      return Error{code, std::move(message),
                   place_text(state.definition.file, place_of(step, key))};
    };
    for (const TokenDemand& demand : step.policy.tokens) {
      const auto it = state.definition.tokens.find(demand.name);
      if (it == state.definition.tokens.end()) {
        std::vector<std::string> known;
        for (const auto& [name, amount] : state.definition.tokens) known.push_back(name);
        return wrong("tokens", Errc::not_found,
                     fmt::format("The token \"{}\" is not declared under \"tokens\" at the top.{}",
                                 demand.name, did_you_mean(demand.name, known)));
      }
      if (demand.amount > it->second) {
        return wrong("tokens", Errc::out_of_range,
                     fmt::format("Step \"{}\" needs {} of \"{}\", but there are only {}.", step.id,
                                 demand.amount, demand.name, it->second));
      }
    }
    if (!step.function.empty()) NEUROLENS_TRY(check_function(state, s));
    std::string program;
    if (!step.command.empty() && all_literal(s.words[0])) program = literal_text(s.words[0]);
    if (step.shell && !s.words[0].empty() && s.words[0][0].kind == TextPart::Kind::literal) {
      program = shell_program(s.words[0][0].text);
    }
    const std::string directory = all_literal(s.directory) ? literal_text(s.directory) : "";
    if (!program.empty() && all_literal(s.directory) && !executable(program, directory)) {
      return wrong("run", Errc::not_found,
                   fmt::format("Step \"{}\": there is no program \"{}\".", step.id, program));
    }
    if (!directory.empty() && access(directory.c_str(), X_OK) != 0) {
      return wrong("directory", Errc::not_found,
                   fmt::format("Step \"{}\": there is no directory \"{}\".", step.id, directory));
    }
    for (const auto& [name, path] : s.outputs) {
      if (!all_literal(path)) continue;
      const std::string where = literal_text(path);
      const auto [it, fresh] = writers.emplace(where, &s);
      if (!fresh) {
        return wrong(
            "outputs", Errc::duplicate_name,
            fmt::format("Steps \"{}\" and \"{}\" both write \"{}\".", it->second->id, s.id, where));
      }
      if (!can_write(join_path(directory.empty() ? "." : directory, where))) {
        return wrong("outputs", Errc::permission_denied,
                     fmt::format("Step \"{}\" cannot write its output \"{}\".", step.id, where));
      }
    }
  }
  return {};
}

}  // namespace neurolens::exec::detail
