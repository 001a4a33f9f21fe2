// Carrying a workflow out: every step is a task of a typed graph; the journal remembers what
// finished.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "command.hpp"
#include "journal.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/exec/graph.hpp"
#include "neurolens/exec/probe_observer.hpp"
#include "state.hpp"

namespace neurolens::exec {

namespace {

// What a step leaves for others.
struct StepValue {
  std::string text;  ///< Standard output, or the result as JSON.
  bool is_json = false;
  bool resumed = false;
  std::int64_t busy_ns = 0;  ///< Of the earlier run.
};

}  // namespace

template <>
struct Codec<StepValue> {
  static void write(const StepValue& v, std::string& out) {
    Codec<std::string>::write(v.text, out);
    Codec<bool>::write(v.is_json, out);
    Codec<bool>::write(v.resumed, out);
    Codec<std::int64_t>::write(v.busy_ns, out);
  }
  static std::optional<StepValue> read(std::string_view& in) {
    StepValue v;
    std::optional<std::string> text = Codec<std::string>::read(in);
    const auto is_json = Codec<bool>::read(in);
    const auto resumed = Codec<bool>::read(in);
    const auto busy = Codec<std::int64_t>::read(in);
    if (!text || !is_json || !resumed || !busy) return {};
    return StepValue{std::move(*text), *is_json, *resumed, *busy};
  }
};

namespace {

constexpr Bytes kMostValue{64 << 10};

std::string plain(const json::Value& value) {
  if (const std::string* text = value.as_string()) return *text;
  json::Writer writer;
  writer.value(value);
  return std::move(writer).take();
}

// A name for files: ids of a matrix hold characters that folders dislike.
std::string file_id(const std::string& id) {
  std::string out;
  for (const char c : id) {
    out += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.'
               ? c
               : '_';
  }
  return out == id ? out : out + "-" + sha256(id).substr(0, 8);
}

/// The probe and the caller's observer, who may not be there.
class Observers final : public TaskObserver {
 public:
  Observers(const CompiledGraph& graph, TaskObserver* other) : probe_(graph), other_(other) {}
  void begin(TaskId task, std::uint32_t worker, std::uint32_t attempt, Nanoseconds now) override {
    if (other_ != nullptr) other_->begin(task, worker, attempt, now);
    probe_.begin(task, worker, attempt, now);
  }
  void end(TaskId task, std::uint32_t worker, Outcome outcome, Nanoseconds now) override {
    probe_.end(task, worker, outcome, now);
    if (other_ != nullptr) other_->end(task, worker, outcome, now);
  }

 private:
  ProbeObserver probe_;
  TaskObserver* other_;
};

class Runner {
 public:
  Runner(const Workflow::State& state, FileSystem& files, const WorkflowOptions& options)
      : state_(state), files_(files), options_(options) {}

  Result<WorkflowReport> run(Executor& executor) {
    directory_ = options_.state_directory;
    if (const std::size_t at = directory_.find("NAME"); at != std::string::npos) {
      directory_.replace(at, 4, state_.definition.name);
    }
    NEUROLENS_TRY(files_.make_directories(join_path(directory_, "logs")));
    NEUROLENS_ASSIGN(journal_, detail::Journal::open(files_, join_path(directory_, "journal.jsonl"),
                                                     options_.resume));
    NEUROLENS_TRY(make_output_directories());
    Graph graph;
    for (const std::uint32_t i : detail::order_of(state_)) add(graph, i);
    for (const Edge& e : state_.edges) {
      graph.precede(handles_[e.from], handles_[e.to], e.rule);
    }
    NEUROLENS_ASSIGN(const CompiledGraph compiled, std::move(graph).compile());
    GraphRun run(compiled);
    Observers observers(compiled, options_.observer);
    RunOptions wanted;
    wanted.mode = options_.mode;
    wanted.record_times = true;
    wanted.tokens = state_.definition.tokens;
    wanted.attention = options_.attention;
    wanted.control = options_.control;
    wanted.observer = &observers;
    wanted.seed = options_.seed;
    wanted.shared_bytes = Bytes{64 << 20};
    NEUROLENS_TRY(run.run(executor, wanted));
    return report(run);
  }

 private:
  void add(Graph& graph, std::uint32_t index) {
    const StepInstance& s = state_.steps[index];
    handles_.resize(state_.steps.size());
    // The values a step refers to, each once.
    std::vector<std::uint32_t> needed;
    const auto note = [&](const Template& t) {
      for (const TextPart& p : t) {
        if (p.kind == TextPart::Kind::value)
          needed.insert(needed.end(), p.steps.begin(), p.steps.end());
      }
    };
    for (const Template& t : s.words) note(t);
    for (const Template& t : s.templates) note(t);
    for (const auto& [k, t] : s.environment) note(t);
    for (const auto& [k, t] : s.outputs) note(t);
    note(s.directory);
    if (s.condition) note(*s.condition);
    std::sort(needed.begin(), needed.end());
    needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
    std::vector<Handle<StepValue>> values;
    for (const std::uint32_t n : needed) values.push_back(handles_[n]);
    TaskSpec spec(s.id, state_.definition.steps[s.definition].policy);
    handles_[index] = graph.add(
        std::move(spec),
        [this, index, needed](TaskContext& context, const Gathered<StepValue>& gathered) {
          std::map<std::uint32_t, const StepValue*> known;
          for (std::size_t i = 0; i < needed.size(); ++i) known[needed[i]] = &gathered[i];
          return Step(*this, index, context, known).run();
        },
        gather(std::move(values)));
    graph.keep(handles_[index]);
  }

  Status make_output_directories() {
    for (const StepInstance& s : state_.steps) {
      for (const auto& [name, path] : s.outputs) {
        const bool known = std::all_of(path.begin(), path.end(), [](const TextPart& p) {
          return p.kind == TextPart::Kind::literal || p.kind == TextPart::Kind::directory;
        });
        if (!known) continue;
        std::string text;
        for (const TextPart& p : path)
          text += p.kind == TextPart::Kind::literal ? p.text : directory_;
        NEUROLENS_TRY(files_.make_directories(
            parent_path(join_path(detail::literal_text(s.directory), text))));
      }
    }
    return {};
  }

  // One execution of one step.
  class Step {
   public:
    Step(Runner& runner, std::uint32_t index, TaskContext& context,
         const std::map<std::uint32_t, const StepValue*>& values)
        : runner_(runner),
          instance_(runner.state_.steps[index]),
          definition_(runner.state_.definition.steps[instance_.definition]),
          context_(context),
          values_(values) {}

    Result<StepValue> run() {
      NEUROLENS_ASSIGN(const std::string directory, text(instance_.directory));
      if (instance_.condition) {
        NEUROLENS_ASSIGN(const std::string condition, text(*instance_.condition));
        if (!holds(condition)) return context_.skip(kConditionFalse);
      }
      detail::CommandRequest request;
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
      if (const auto done = runner_.journal_->find(instance_.id, key); done && all_exist(outputs)) {
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
      NEUROLENS_TRY(
          runner_.journal_->add(instance_.id, {key, value.text, Nanoseconds{now() - begin}}));
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
        return Error{
            Errc::wrong_type,
            fmt::format("The value of \"{}\" is not JSON, so that it has no member \"{}\".",
                        runner_.state_.steps[step].id, part.text),
            {}};
      }
      const json::Value* at = &*tree;
      for (const std::string_view member : split(part.text, '.')) {
        if (member.empty()) continue;
        at = at->find(member);
        if (at == nullptr) {
          return Error{Errc::not_found,
                       fmt::format("The value of \"{}\" has no member \"{}\".",
                                   runner_.state_.steps[step].id, member),
                       {}};
        }
      }
      return plain(*at);
    }

    [[nodiscard]] Result<std::string> text(const Template& parts) const {
      std::string out;
      for (const TextPart& p : parts) {
        if (p.kind == TextPart::Kind::literal) out += p.text;
        if (p.kind == TextPart::Kind::directory) out += runner_.directory_;
        for (std::size_t i = 0; i < p.steps.size(); ++i) {
          if (i > 0) out += p.kind == TextPart::Kind::value ? "\n" : " ";
          if (p.kind == TextPart::Kind::value) {
            NEUROLENS_ASSIGN(const std::string v, value_text(p, p.steps[i]));
            out += v;
          } else {
            NEUROLENS_ASSIGN(const std::string v,
                             text(runner_.state_.steps[p.steps[i]].outputs.at(p.text)));
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

    Status arguments(detail::CommandRequest& request) const {
      if (definition_.shell) request.arguments = {"/bin/sh", "-c"};
      if (!definition_.neurolens_command.empty()) request.arguments.push_back(runner_.program());
      for (const Template& word : instance_.words) {
        NEUROLENS_ASSIGN(std::string s, text(word));
        request.arguments.push_back(std::move(s));
      }
      const std::string base =
          join_path(join_path(runner_.directory_, "logs"), file_id(instance_.id));
      request.log = base + ".log";
      request.out = base + ".out";
      return {};
    }

    [[nodiscard]] Result<std::string> command(const detail::CommandRequest& request) const {
      Status ended = detail::run_command(request, context_);
      if (!ended.ok()) {
        Error error = std::move(ended).error();
        if (error.code != Errc::cancelled) error.message += fmt::format(" See {}.", request.log);
        return error;
      }
      Result<std::string> text = runner_.files_.read(request.out);
      if (!text.ok()) return text;
      if (text->size() > static_cast<std::size_t>(kMostValue.count))
        text->resize(static_cast<std::size_t>(kMostValue.count));
      while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
      return to_valid_utf8(*text);
    }

    [[nodiscard]] Result<std::string> call(const json::Value& inputs) const {
      const WorkflowFunction& function = runner_.state_.functions->at(definition_.function);
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

    [[nodiscard]] std::string key_of(const detail::CommandRequest& request,
                                     const json::Value& inputs,
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
      const auto info = runner_.files_.info(path);
      return info.ok() && info->has_value();
    }
    [[nodiscard]] bool all_exist(const std::vector<std::string>& paths) const {
      return std::all_of(paths.begin(), paths.end(),
                         [&](const std::string& p) { return exists(p); });
    }

    Runner& runner_;
    const StepInstance& instance_;
    const StepDefinition& definition_;
    TaskContext& context_;
    const std::map<std::uint32_t, const StepValue*>& values_;
  };

  [[nodiscard]] std::string program() const {
    if (!options_.program.empty()) return options_.program;
    char self[4096];
    const ssize_t size = readlink("/proc/self/exe", self, sizeof self);
    return size > 0 ? std::string(self, static_cast<std::size_t>(size)) : "neurolens";
  }

  [[nodiscard]] WorkflowReport report(const GraphRun& run) const {
    WorkflowReport out;
    out.name = state_.definition.name;
    out.run = run.report();
    std::vector<std::vector<std::string>> after = predecessors();
    for (std::size_t i = 0; i < state_.steps.size(); ++i) {
      const TaskId task = handles_[i].task;
      StepReport step;
      step.id = state_.steps[i].id;
      step.after = std::move(after[i]);
      step.state = run.state(task);
      const TaskTimes times = run.times(task);
      step.begin = times.begin;
      step.busy = times.busy;
      step.attempts = times.calls;
      if (const StepValue* value = run.find(handles_[i])) {
        step.value = value->text;
        step.resumed = value->resumed;
        if (value->resumed) {
          ++out.resumed;
          step.busy = Nanoseconds{value->busy_ns};
        }
      }
      if (step.state != EndState::done) step.explanation = run.explain(task);
      const bool is_command = state_.definition.steps[state_.steps[i].definition].function.empty();
      if (is_command && times.calls > 0) {
        step.log = join_path(join_path(directory_, "logs"), file_id(step.id)) + ".log";
      }
      out.steps.push_back(std::move(step));
    }
    for (const TaskId t : out.run.critical_path) out.critical_path.push_back(run.name(t));
    return out;
  }

  [[nodiscard]] std::vector<std::vector<std::string>> predecessors() const {
    std::vector<Edge> edges = state_.edges;
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
      return std::pair(a.to, a.from) < std::pair(b.to, b.from);
    });
    std::vector<std::vector<std::string>> after(state_.steps.size());
    for (std::size_t i = 0; i < edges.size(); ++i) {
      const bool twice =
          i > 0 && edges[i - 1].to == edges[i].to && edges[i - 1].from == edges[i].from;
      if (!twice) after[edges[i].to].push_back(state_.steps[edges[i].from].id);
    }
    return after;
  }

  static constexpr const char* kConditionFalse = "its condition was false";

  const Workflow::State& state_;
  FileSystem& files_;
  const WorkflowOptions& options_;
  std::string directory_;
  std::unique_ptr<detail::Journal> journal_;
  std::vector<Handle<StepValue>> handles_;
};

}  // namespace

Result<WorkflowReport> Workflow::run(Executor& executor, FileSystem& files,
                                     const WorkflowOptions& options) const {
  if (options.mode == Mode::async) {
    return Error{Errc::bad_request, "A workflow runs in threads, in processes or serially.", {}};
  }
  return Runner(*state_, files, options).run(executor);
}

}  // namespace neurolens::exec
