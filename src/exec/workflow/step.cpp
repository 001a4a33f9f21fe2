#include "step.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "command.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::exec::detail {
namespace {

constexpr const char* kConditionFalse = "its condition was false";
constexpr Bytes kMostValue{64 << 10};

std::string plain(const json::Value& value) {
  if (const std::string* text = value.as_string()) return *text;
  json::Writer writer;
  writer.value(value);
  return std::move(writer).take();
}

class Step {
 public:
  Step(const StepSurroundings& around, std::uint32_t index, TaskContext& context,
       const std::map<std::uint32_t, const StepValue*>& values)
      : around_(around),
        instance_(around.state.steps[index]),
        definition_(around.state.definition.steps[instance_.definition]),
        context_(context),
        values_(values) {}

  Result<StepValue> run() {
    NEUROLENS_ASSIGN(const std::string directory, text(instance_.directory));
    if (instance_.condition) {
      NEUROLENS_ASSIGN(const std::string condition, text(*instance_.condition));
      if (!holds(condition)) return context_.skip(kConditionFalse);
    }
    CommandRequest request;
    request.directory = directory;
    for (const auto& [name, value] : instance_.environment) {
      NEUROLENS_ASSIGN(request.environment[name], text(value));
    }
    std::vector<std::string> outputs;
    for (const auto& [name, value] : instance_.outputs) {
      NEUROLENS_ASSIGN(std::string path, text(value));
      outputs.push_back(join_path(directory.empty() ? "." : directory, path));
    }
    json::Value inputs;
    if (definition_.function.empty()) {
      NEUROLENS_TRY(arguments(request));
    } else {
      std::size_t next = 0;
      NEUROLENS_ASSIGN(inputs, resolved(definition_.inputs, next));
    }
    const std::string key = key_of(request, inputs, outputs);
    if (const auto done = around_.journal.find(instance_.id, key); done && all_exist(outputs)) {
      return StepValue{done->value, !definition_.function.empty(), true, done->busy.count};
    }
    const std::int64_t begin = now();
    StepValue value;
    if (definition_.function.empty()) {
      NEUROLENS_ASSIGN(value.text, command(request));
    } else {
      NEUROLENS_ASSIGN(value.text, call(inputs));
      value.is_json = true;
    }
    for (const std::string& path : outputs) {
      if (exists(path)) continue;
      return Error{Errc::task_failed,
                   fmt::format("It ended well, but did not leave the output \"{}\".", path),
                   {}};
    }
    NEUROLENS_TRY(around_.journal.add(instance_.id, {key, value.text, Nanoseconds{now() - begin}}));
    return value;
  }

 private:
  static std::int64_t now() { return system_clock().now().count; }

  // "A == B", "A != B", or a text that is not empty, "0" or "false".
  static bool holds(const std::string& condition) {
    for (const std::string_view op : {"==", "!="}) {
      const std::size_t at = condition.find(op);
      if (at == std::string::npos) continue;
      const auto side = [](std::string_view s) {
        s = trim(s);
        if (s.size() >= 2 && (s.front() == '"' || s.front() == '\'') && s.back() == s.front()) {
          s = s.substr(1, s.size() - 2);
        }
        return s;
      };
      const bool equal = side(std::string_view(condition).substr(0, at)) ==
                         side(std::string_view(condition).substr(at + 2));
      return equal == (op == "==");
    }
    const std::string_view text = trim(condition);
    return !text.empty() && text != "0" && text != "false";
  }

  [[nodiscard]] Result<std::string> value_text(const TextPart& part, std::uint32_t step) const {
    const StepValue& value = *values_.at(step);
    if (!value.is_json) {
      if (part.text.empty()) return value.text;
    }
    Result<json::Value> tree = json::parse(value.text);
    if (!tree.ok()) {
      return Error{Errc::wrong_type,
                   fmt::format("The value of \"{}\" is not JSON, so that it has no member \"{}\".",
                               around_.state.steps[step].id, part.text),
                   {}};
    }
    const json::Value* at = &*tree;
    for (const std::string_view member : split(part.text, '.')) {
      if (member.empty()) continue;
      at = at->find(member);
      if (at == nullptr) {
        return Error{Errc::not_found,
                     fmt::format("The value of \"{}\" has no member \"{}\".",
                                 around_.state.steps[step].id, member),
                     {}};
      }
    }
    return plain(*at);
  }

  [[nodiscard]] Result<std::string> text(const Template& parts) const {
    std::string out;
    for (const TextPart& p : parts) {
      if (p.kind == TextPart::Kind::literal) out += p.text;
      if (p.kind == TextPart::Kind::directory) out += around_.directory;
      for (std::size_t i = 0; i < p.steps.size(); ++i) {
        if (i > 0) out += p.kind == TextPart::Kind::value ? "\n" : " ";
        if (p.kind == TextPart::Kind::value) {
          NEUROLENS_ASSIGN(const std::string v, value_text(p, p.steps[i]));
          out += v;
        } else {
          NEUROLENS_ASSIGN(const std::string v,
                           text(around_.state.steps[p.steps[i]].outputs.at(p.text)));
          out += v;
        }
      }
    }
    return out;
  }

  // Inputs with their references replaced. A text that is one reference takes over the value's
  // type.
  [[nodiscard]] Result<json::Value> resolved(const json::Value& value, std::size_t& next) const {
    if (value.is_string()) {
      const Template& t = instance_.templates[next++];
      const bool alone =
          t.size() == 1 && t[0].kind == TextPart::Kind::value && t[0].steps.size() == 1;
      NEUROLENS_ASSIGN(std::string s, text(t));
      if (alone) {
        const StepValue& source = *values_.at(t[0].steps[0]);
        if (source.is_json && t[0].text.empty()) return json::parse(source.text);
        if (Result<json::Value> tree = json::parse(s); tree.ok()) return tree;
      }
      return json::Value(json::Value::Data(std::move(s)));
    }
    if (const json::Array* array = value.as_array()) {
      json::Array out;
      for (const json::Value& v : *array) {
        NEUROLENS_ASSIGN(json::Value r, resolved(v, next));
        out.push_back(std::move(r));
      }
      return json::Value(json::Value::Data(std::move(out)));
    }
    if (const json::Object* object = value.as_object()) {
      json::Object out;
      for (const auto& [k, v] : *object) {
        NEUROLENS_ASSIGN(json::Value r, resolved(v, next));
        out.emplace_back(k, std::move(r));
      }
      return json::Value(json::Value::Data(std::move(out)));
    }
    return value;
  }

  Status arguments(CommandRequest& request) const {
    if (definition_.shell) request.arguments = {"/bin/sh", "-c"};
    if (!definition_.neurolens_command.empty()) request.arguments.push_back(program());
    for (const Template& word : instance_.words) {
      NEUROLENS_ASSIGN(std::string s, text(word));
      request.arguments.push_back(std::move(s));
    }
    const std::string base = join_path(join_path(around_.directory, "logs"), file_id(instance_.id));
    request.log = base + ".log";
    request.out = base + ".out";
    return {};
  }

  [[nodiscard]] Result<std::string> command(const CommandRequest& request) const {
    Status ended = run_command(request, context_);
    if (!ended.ok()) {
      Error error = std::move(ended).error();
      if (error.code != Errc::cancelled) error.message += fmt::format(" See {}.", request.log);
      return error;
    }
    Result<std::string> text = around_.files.read(request.out);
    if (!text.ok()) return text;
    if (text->size() > static_cast<std::size_t>(kMostValue.count))
      text->resize(static_cast<std::size_t>(kMostValue.count));
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return to_valid_utf8(*text);
  }

  [[nodiscard]] Result<std::string> call(const json::Value& inputs) const {
    const WorkflowFunction& function = around_.state.functions->at(definition_.function);
    NEUROLENS_ASSIGN(const json::Value value, function.call(inputs, context_));
    if (function.output != "any" && value.type_name() != function.output &&
        !(function.output == "number" && value.is_number())) {
      return Error{Errc::wrong_type,
                   fmt::format("\"{}\" declares a result of type {}, but returned {}.",
                               definition_.function, function.output, value.type_name()),
                   {}};
    }
    json::Writer writer;
    writer.value(value);
    return std::move(writer).take();
  }

  [[nodiscard]] std::string key_of(const CommandRequest& request, const json::Value& inputs,
                                   const std::vector<std::string>& outputs) const {
    json::Writer writer;
    writer.begin_array();
    writer.begin_array();
    for (const std::string& a : request.arguments) writer.value(a);
    writer.end_array();
    writer.value(definition_.function).value(inputs).value(request.directory);
    writer.begin_object();
    for (const auto& [k, v] : request.environment) writer.member(k, v);
    writer.end_object();
    writer.begin_array();
    for (const std::string& o : outputs) writer.value(o);
    writer.end_array();
    // Steps that must end before this one may change what it reads: their values count too.
    for (const auto& [step, value] : values_) writer.value(value->text);
    writer.end_array();
    return sha256(std::move(writer).take());
  }

  [[nodiscard]] bool exists(const std::string& path) const {
    const auto info = around_.files.info(path);
    return info.ok() && info->has_value();
  }
  [[nodiscard]] bool all_exist(const std::vector<std::string>& paths) const {
    return std::all_of(paths.begin(), paths.end(), [&](const std::string& p) { return exists(p); });
  }

  [[nodiscard]] std::string program() const {
    if (!around_.options.program.empty()) return around_.options.program;
    char self[4096];
    const ssize_t size = readlink("/proc/self/exe", self, sizeof self);
    return size > 0 ? std::string(self, static_cast<std::size_t>(size)) : "neurolens";
  }

  const StepSurroundings& around_;
  const StepInstance& instance_;
  const StepDefinition& definition_;
  TaskContext& context_;
  const std::map<std::uint32_t, const StepValue*>& values_;
};

}  // namespace

std::string file_id(const std::string& id) {
  std::string out;
  for (const char c : id) {
    out += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.'
               ? c
               : '_';
  }
  return out == id ? out : out + "-" + sha256(id).substr(0, 8);
}

Result<StepValue> run_step(const StepSurroundings& around, std::uint32_t index,
                           TaskContext& context,
                           const std::map<std::uint32_t, const StepValue*>& values) {
  return Step(around, index, context, values).run();
}

}  // namespace neurolens::exec::detail
