// YAML to WorkflowDefinition. Knows the file format, not what steps mean.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "neurolens/base/document.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/base/yaml.hpp"
#include "state.hpp"

namespace neurolens::exec {
namespace {

using json::Value;

class Parser : private DocumentReader {
 public:
  using DocumentReader::DocumentReader;

  Result<WorkflowDefinition> workflow(const Value& root) {
    WorkflowDefinition out;
    out.file = file();
    NEUROLENS_TRY(want_object(root, "a workflow"));
    NEUROLENS_TRY(known_keys(root, {"name", "tokens", "steps"}));
    if (const Value* name = root.find("name")) {
      NEUROLENS_ASSIGN(out.name, text(*name, "name"));
    }
    if (out.name.empty()) out.name = "workflow";
    if (out.name.find('/') != std::string::npos) {
      return wrong(*root.find("name"), Errc::bad_request,
                   "The name becomes a folder: it cannot hold \"/\".");
    }
    if (const Value* tokens = root.find("tokens")) {
      NEUROLENS_TRY(want_object(*tokens, "tokens"));
      for (const auto& [name, amount] : *tokens->as_object()) {
        NEUROLENS_ASSIGN(out.tokens[name], count(amount, "tokens." + name));
      }
    }
    const Value* const steps = root.find("steps");
    if (steps == nullptr || steps->as_object() == nullptr || steps->as_object()->empty()) {
      return wrong(steps != nullptr ? *steps : root, Errc::missing_key,
                   "A workflow needs \"steps\": a map from step ids to steps.");
    }
    for (const auto& [id, body] : *steps->as_object()) {
      NEUROLENS_ASSIGN(StepDefinition step, this->step(id, body));
      out.steps.push_back(std::move(step));
    }
    return out;
  }

 private:
  static SourcePlace place(const Value& v) { return {v.line, v.column}; }
  Result<std::uint64_t> count(const Value& v, std::string_view key) const {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    NEUROLENS_ASSIGN(const std::int64_t n, integer(v, key, 0, kMost));
    return static_cast<std::uint64_t>(n);
  }

  Status retries(const Value& v, Retry& retry) const {
    if (v.is_integer()) {
      NEUROLENS_ASSIGN(const std::uint64_t n, count(v, "retries"));
      retry.times = static_cast<std::uint32_t>(std::min<std::uint64_t>(n, 1'000'000));
      return {};
    }
    NEUROLENS_TRY(want_object(v, "\"retries\""));
    NEUROLENS_TRY(known_keys(v, {"times", "delay", "factor", "most_delay", "jitter", "on"}));
    const Value* const times = v.find("times");
    if (times == nullptr) return wrong(v, Errc::missing_key, "\"retries\" needs \"times\".");
    NEUROLENS_ASSIGN(const std::uint64_t n, count(*times, "times"));
    retry.times = static_cast<std::uint32_t>(std::min<std::uint64_t>(n, 1'000'000));
    if (const Value* d = v.find("delay")) {
      NEUROLENS_ASSIGN(retry.delay, duration(*d, "delay"));
    }
    if (const Value* d = v.find("most_delay")) {
      NEUROLENS_ASSIGN(retry.most_delay, duration(*d, "most_delay"));
    }
    for (const auto& [key, target, least, most] : {std::tuple{"factor", &retry.factor, 1.0, 1e6},
                                                   std::tuple{"jitter", &retry.jitter, 0.0, 1.0}}) {
      const Value* const found = v.find(key);
      if (found == nullptr) continue;
      const std::optional<double> number = found->as_double();
      if (!number || *number < least || *number > most) {
        return wrong(*found, Errc::out_of_range,
                     fmt::format("\"{}\" must be a number between {} and {}.", key, least, most));
      }
      *target = *number;
    }
    if (const Value* on = v.find("on")) {
      NEUROLENS_ASSIGN(const std::vector<std::string> codes, texts(*on, "on", true));
      const std::vector<std::string> known = {"task_failed", "timed_out", "crashed",    "not_found",
                                              "io_error",    "no_space",  "unavailable"};
      for (const std::string& code : codes) {
        if (std::find(known.begin(), known.end(), code) == known.end()) {
          return wrong(
              *on, Errc::not_found,
              fmt::format("No error is called \"{}\".{}", code, did_you_mean(code, known)));
        }
      }
      retry.only_if = [codes](const TaskError& e) {
        return std::find(codes.begin(), codes.end(), to_string(e.error.code)) != codes.end();
      };
    }
    return {};
  }

  Result<StepDefinition> step(const std::string& id, const Value& body) const {
    StepDefinition out;
    out.id = id;
    out.place = place(body);
    if (id.empty() || id.find_first_of("[]${}. /\\\n") != std::string::npos) {
      return wrong(
          body, Errc::bad_request,
          fmt::format("\"{}\" cannot be a step id: ids hold no blanks, dots, slashes or brackets.",
                      id));
    }
    NEUROLENS_TRY(want_object(body, fmt::format("Step \"{}\"", id)));
    NEUROLENS_TRY(known_keys(
        body, {"run", "neurolens", "call", "with", "after", "after_any_end", "if", "matrix", "env",
               "directory", "outputs", "retries", "deadline", "tokens", "priority"}));
    for (const auto& [key, value] : *body.as_object()) out.places[key] = place(value);
    NEUROLENS_TRY(action(body, out));
    if (const Value* v = body.find("with")) {
      NEUROLENS_TRY(want_object(*v, "\"with\""));
      if (out.function.empty())
        return wrong(*v, Errc::bad_request, "\"with\" is for steps that \"call\" a function.");
      out.inputs = *v;
    } else {
      out.inputs = Value(Value::Data(json::Object{}));
    }
    if (const Value* v = body.find("after")) {
      NEUROLENS_ASSIGN(out.after, texts(*v, "after", true));
    }
    if (const Value* v = body.find("after_any_end")) {
      NEUROLENS_ASSIGN(out.after_any_end, texts(*v, "after_any_end", true));
    }
    if (const Value* v = body.find("if")) {
      NEUROLENS_ASSIGN(out.condition, text(*v, "if"));
    }
    if (const Value* v = body.find("env")) {
      NEUROLENS_ASSIGN(out.environment, text_map(*v, "env"));
    }
    if (const Value* v = body.find("outputs")) {
      NEUROLENS_ASSIGN(out.outputs, text_map(*v, "outputs"));
    }
    if (const Value* v = body.find("directory")) {
      NEUROLENS_ASSIGN(out.directory, text(*v, "directory"));
    }
    if (const Value* v = body.find("retries")) NEUROLENS_TRY(retries(*v, out.policy.retry));
    if (const Value* v = body.find("deadline")) {
      NEUROLENS_ASSIGN(const Nanoseconds limit, duration(*v, "deadline"));
      if (limit.count == 0)
        return wrong(*v, Errc::out_of_range, "\"deadline\" must be longer than 0.");
      out.policy.deadline = limit;
    }
    if (const Value* v = body.find("priority")) {
      const std::optional<std::int64_t> n = v->as_int();
      if (!n || *n < -1000 || *n > 1000)
        return wrong(*v, Errc::out_of_range,
                     "\"priority\" must be an integer between -1000 and 1000.");
      out.policy.priority = static_cast<std::int32_t>(*n);
    }
    if (const Value* v = body.find("tokens")) NEUROLENS_TRY(tokens(*v, out));
    if (const Value* v = body.find("matrix")) NEUROLENS_TRY(matrix(*v, out));
    return out;
  }

  Status action(const Value& body, StepDefinition& out) const {
    int actions = 0;
    if (const Value* v = body.find("run")) {
      ++actions;
      if (v->is_array()) {
        NEUROLENS_ASSIGN(out.command, texts(*v, "run", false));
        if (out.command.empty()) return wrong(*v, Errc::bad_request, "\"run\" is an empty list.");
      } else {
        NEUROLENS_ASSIGN(out.shell, text(*v, "run"));
        if (trim(*out.shell).empty()) return wrong(*v, Errc::bad_request, "\"run\" is empty.");
      }
    }
    if (const Value* v = body.find("neurolens")) {
      ++actions;
      if (const std::string* line = v->as_string()) {
        for (const std::string_view word : split(*line, ' ')) {
          if (!word.empty()) out.neurolens_command.emplace_back(word);
        }
      } else {
        NEUROLENS_ASSIGN(out.neurolens_command, texts(*v, "neurolens", false));
      }
      if (out.neurolens_command.empty())
        return wrong(*v, Errc::bad_request, "\"neurolens\" names no command.");
    }
    if (const Value* v = body.find("call")) {
      ++actions;
      NEUROLENS_ASSIGN(out.function, text(*v, "call"));
    }
    if (actions == 1) return {};
    return wrong(
        body, actions == 0 ? Errc::missing_key : Errc::bad_request,
        fmt::format("Step \"{}\" needs exactly one of \"run\", \"neurolens\" and \"call\".",
                    out.id));
  }

  Status tokens(const Value& v, StepDefinition& out) const {
    if (v.is_object()) {
      for (const auto& [name, amount] : *v.as_object()) {
        NEUROLENS_ASSIGN(const std::uint64_t n, count(amount, name));
        out.policy.tokens.push_back({name, n});
      }
      return {};
    }
    NEUROLENS_ASSIGN(const std::vector<std::string> names, texts(v, "tokens", true));
    for (const std::string& name : names) out.policy.tokens.push_back({name, 1});
    return {};
  }

  Status matrix(const Value& v, StepDefinition& out) const {
    NEUROLENS_TRY(want_object(v, "\"matrix\""));
    for (const auto& [key, values] : *v.as_object()) {
      if (!values.is_array() || values.as_array()->empty()) {
        return wrong(values, Errc::wrong_type,
                     fmt::format("\"matrix.{}\" must be a list with at least one value.", key));
      }
      for (const Value& value : *values.as_array()) {
        if (value.is_array() || value.is_object())
          return wrong(value, Errc::wrong_type,
                       "Values of a matrix must be texts, numbers or booleans.");
      }
      out.matrix.emplace_back(key, *values.as_array());
    }
    return {};
  }
};

}  // namespace

Result<Workflow> Workflow::parse(std::string_view yaml, const std::string& file,
                                 const WorkflowFunctions& functions) {
  Result<json::Value> tree = yaml::parse(yaml);
  if (!tree.ok()) return std::move(tree).error().at(file);
  NEUROLENS_ASSIGN(WorkflowDefinition definition, Parser(file).workflow(*tree));
  return make(std::move(definition), functions);
}

}  // namespace neurolens::exec
