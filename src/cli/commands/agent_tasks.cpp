#include "agent_tasks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "builtin.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::cli {
namespace {

using agent::Field;
using agent::FieldKind;
using agent::FieldValue;

/// "-o,--output" -> "--output".
std::string long_name(const std::string& names) {
  for (const auto name : split(names, ',')) {
    if (name.starts_with("--")) return std::string(name);
  }
  return names;
}

std::string field_name(const std::string& names) {
  std::string name = long_name(names);
  name.erase(0, name.find_first_not_of('-'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// The value as an argument of the command line.
std::string word_of(const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  return shortest(std::get<double>(value));
}

/// The command line that a request stands for: what a Run says about its origin.
struct Words {
  std::vector<std::string> options, positionals, rest;
};

/// Turns declared options into fields.
class FieldOptions final : public Options {
 public:
  explicit FieldOptions(Words& words) : words_(words) {}

  void flag(std::string name, bool& target, std::string help) override {
    add(name, FieldKind::flag, help,
        [&words = words_, option = long_name(name), &target](FieldValue v) {
          target = std::get<bool>(v);
          if (target) words.options.push_back(option);
        });
  }
  void value(std::string name, std::string, std::string& target, std::string help) override {
    const std::string shown = target.empty() ? help : fmt::format("{} [{}]", help, target);
    add(name, FieldKind::text, shown, setter<std::string>(name, target));
  }
  void value(std::string name, std::string, std::optional<std::string>& target,
             std::string help) override {
    add(name, FieldKind::text, help, setter<std::string>(name, target));
  }
  void value(std::string name, std::string, std::optional<std::int64_t>& target,
             std::string help) override {
    add(name, FieldKind::integer, help, setter<std::int64_t>(name, target));
  }
  void value(std::string name, std::string, std::optional<double>& target,
             std::string help) override {
    add(name, FieldKind::number, help, setter<double>(name, target));
  }
  void choice(std::string name, std::vector<std::string> words, std::string& target,
              std::string help) override {
    const std::string shown = fmt::format("{} [{}]", help, target);
    add(name, FieldKind::choice, shown, setter<std::string>(name, target)).words = std::move(words);
  }
  void values(std::string name, std::string, std::vector<std::string>& target,
              std::string help) override {
    add(name, FieldKind::texts, help,
        [&words = words_, option = long_name(name), &target](FieldValue v) {
          target = std::get<std::vector<std::string>>(std::move(v));
          for (const auto& text : target) {
            words.options.push_back(option);
            words.options.push_back(text);
          }
        });
  }
  void positional(std::string name, std::string& target, std::string help) override {
    add(name, FieldKind::text, help, place(target)).required = true;
  }
  void positional(std::string name, std::optional<std::string>& target, std::string help) override {
    add(name, FieldKind::text, help, place(target));
  }
  void positionals(std::string name, std::vector<std::string>& target, std::string help) override {
    add(name, FieldKind::texts, help, all(target, words_.positionals));
  }
  void rest(std::string, std::vector<std::string>& target, std::string help) override {
    add("command", FieldKind::texts, help, all(target, words_.rest));
  }
  void example(std::string) override {}

  std::vector<Field> fields;

 private:
  Field& add(const std::string& name, FieldKind kind, const std::string& help,
             std::function<void(FieldValue)> set) {
    fields.push_back({field_name(name), kind, help, {}, false, std::move(set)});
    return fields.back();
  }
  template <class T, class Target>
  std::function<void(FieldValue)> setter(const std::string& name, Target& target) {
    return [&words = words_, option = long_name(name), &target](FieldValue v) {
      words.options.push_back(option);
      words.options.push_back(word_of(v));
      target = std::get<T>(std::move(v));
    };
  }
  template <class Target>
  std::function<void(FieldValue)> place(Target& target) {
    return [&words = words_, &target](FieldValue v) {
      target = std::get<std::string>(v);
      words.positionals.push_back(std::get<std::string>(std::move(v)));
    };
  }
  static std::function<void(FieldValue)> all(std::vector<std::string>& target,
                                             std::vector<std::string>& words) {
    return [&target, &words](FieldValue v) {
      target = words = std::get<std::vector<std::string>>(std::move(v));
    };
  }

  Words& words_;
};

/// How a task differs from the command behind it.
struct Shape {
  std::string command;                       ///< Factory's name: "zoo_build".
  std::map<std::string, FieldValue> preset;  ///< Set before the request, not fields of it.
  std::set<std::string> left_out;            ///< Options that are no fields.
  std::set<std::string> required;            ///< Fields that the task needs, unlike the command.
};

class CommandTask final : public agent::Task {
 public:
  CommandTask(std::unique_ptr<Command> command, const Shape& shape, const Context& outer)
      : command_(std::move(command)), outer_(outer) {
    FieldOptions options(words_);
    command_->declare(options);
    for (Field& field : options.fields) {
      if (field.name == "json") {
        field.set(field.kind == FieldKind::flag ? FieldValue(true) : FieldValue(std::string("-")));
        continue;
      }
      if (const auto preset = shape.preset.find(field.name); preset != shape.preset.end()) {
        field.set(preset->second);
        continue;
      }
      if (shape.left_out.count(field.name) > 0) continue;
      field.required = field.required || shape.required.count(field.name) > 0;
      fields_.push_back(field);
    }
  }

  [[nodiscard]] const std::vector<Field>& fields() const override { return fields_; }

  Result<agent::Outcome> run() override {
    agent::Outcome outcome;
    Terminal terminal(outcome.document);
    Attention attention = outer_.attention;
    Context context{terminal, outer_.files, outer_.clock, attention, argv()};
    NEUROLENS_ASSIGN(outcome.exit_status, command_->run(context));
    return outcome;
  }

 private:
  [[nodiscard]] std::vector<std::string> argv() const {
    std::vector<std::string> line{"neurolens"};
    const std::string name(command_->name());  // the words are views of it
    for (const auto word : split(name, ' ')) line.emplace_back(word);
    line.insert(line.end(), words_.options.begin(), words_.options.end());
    line.insert(line.end(), words_.positionals.begin(), words_.positionals.end());
    if (!words_.rest.empty()) line.emplace_back("--");
    line.insert(line.end(), words_.rest.begin(), words_.rest.end());
    return line;
  }

  Words words_;
  std::unique_ptr<Command> command_;
  const Context& outer_;
  std::vector<Field> fields_;
};

struct NamedTask {
  const char* name;
  const char* summary;
  Shape shape;
};

/// What people ask for, in terms of the commands.
std::vector<NamedTask> named_tasks() {
  return {
      {"profile_function",
       "Sample a program: own and cumulative time of its functions; with \"function\" also the "
       "callers, callees and lines of that one. Data: schema/record.schema.json",
       {"record", {}, {"memory", "module"}, {}}},
      {"profile_memory",
       "Run a program and count its allocations by call stack. Data: schema/record.schema.json",
       {"record", {{"memory", true}}, {"function", "module", "pid"}, {"command"}}},
      {"analyze_bottlenecks",
       "Sample a program: the functions above a share of its time. Data: "
       "schema/record.schema.json",
       {"record", {}, {"memory", "function", "module"}, {}}},
      {"profile_module",
       "Sample a program: time by executable and shared object; with \"module\" the functions of "
       "that one. Data: schema/record.schema.json",
       {"record", {}, {"memory", "function"}, {}}},
      {"profile_model",
       "Run an ONNX model under a backend and record a Run. Data: schema/summary.schema.json",
       {"profile", {}, {"command"}, {"model"}}},
      {"profile_program",
       "Run a program linked with neurolens::probe and record a Run. Data: "
       "schema/summary.schema.json",
       {"profile", {}, {"model"}, {"command"}}},
  };
}

using Factory = std::unique_ptr<Command> (*)();

/// Commands by the names of their factories. Not for agents: `agent` itself, `launch` (an internal
/// part of live comparisons) and `view` (a server without an end).
std::map<std::string, Factory> factories() {
  std::map<std::string, Factory> found;
#define NEUROLENS_FACTORY(name) found[#name] = &make_##name;
  NEUROLENS_COMMANDS(NEUROLENS_FACTORY)
#undef NEUROLENS_FACTORY
  for (const char* excluded : {"agent", "launch", "view"}) found.erase(excluded);
  return found;
}

agent::TaskEntry entry_of(std::string name, std::string summary, Factory make, const Shape& shape,
                          const Context& context) {
  return {std::move(name), std::move(summary), [make, shape, &context] {
            return std::make_unique<CommandTask>(make(), shape, context);
          }};
}

}  // namespace

std::vector<agent::TaskEntry> agent_tasks(const Context& context) {
  const auto commands = factories();
  std::vector<agent::TaskEntry> tasks;
  for (const NamedTask& named : named_tasks()) {
    tasks.push_back(entry_of(named.name, named.summary, commands.at(named.shape.command),
                             named.shape, context));
  }
  for (const auto& [name, make] : commands) {
    std::string summary = make()->summary();
    summary.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(summary.front())));
    tasks.push_back(entry_of(name, summary, make, {}, context));
  }
  return tasks;
}

}  // namespace neurolens::cli
