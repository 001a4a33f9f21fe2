#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/onnx/zoo.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::cli {
namespace {

namespace zoo = onnx::zoo;

std::string input_text(const onnx::Value& value) {
  return fmt::format("{} {}", value.name, onnx::describe(value.type));
}

std::string list_json(const std::vector<zoo::Entry>& entries) {
  json::Writer w({2});
  w.begin_array();
  for (const auto& entry : entries) {
    w.begin_object().member("name", entry.name).member("description", entry.description);
    w.member("parameters", entry.parameters);
    for (const auto& [key, values] :
         {std::pair{"inputs", &entry.inputs}, std::pair{"outputs", &entry.outputs}}) {
      w.key(key).begin_array();
      for (const auto& value : *values) {
        w.begin_object()
            .member("name", value.name)
            .member("type", onnx::describe(value.type))
            .end_object();
      }
      w.end_array();
    }
    w.member("sequence", entry.sequence).end_object();
  }
  w.end_array();
  return std::move(w).take() + "\n";
}

class ZooList final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "zoo list"; }
  [[nodiscard]] std::string summary() const override {
    return "show the standard architectures that zoo build makes";
  }
  void declare(Options& options) override {
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens zoo list");
  }
  Result<int> run(Context& context) override {
    const auto entries = zoo::list();
    if (json_) {
      context.terminal.out(list_json(entries));
      return kDone;
    }
    report::Table table;
    table.add_column("name", report::Align::left);
    table.add_column("parameters", report::Align::right);
    table.add_column("inputs", report::Align::left);
    table.add_column("what it is", report::Align::left, true);
    for (const auto& entry : entries) {
      std::vector<std::string> inputs;
      for (const auto& input : entry.inputs) inputs.push_back(input_text(input));
      table.add_row({entry.name,
                     fmt::format("{:.2f} M", static_cast<double>(entry.parameters) * 1e-6),
                     fmt::format("{}", fmt::join(inputs, ", ")), entry.description});
    }
    context.terminal.out(table.text(context.terminal.width()));
    context.terminal.out("\nnext: neurolens zoo build resnet50 -o resnet50.onnx\n");
    return kDone;
  }

 private:
  bool json_ = false;
};

class ZooBuild final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "zoo build"; }
  [[nodiscard]] std::string summary() const override {
    return "make a standard architecture with seeded random weights";
  }
  void declare(Options& options) override {
    options.positional("name", name_, "One of `neurolens zoo list`");
    options.value("-o,--output", "FILE", output_, "The model to write (default: NAME.onnx)");
    options.value("--batch", "B", batch_,
                  "Samples per run; 0 leaves the dimension free (default: 1)");
    options.value("--sequence", "S", sequence_,
                  "Tokens or steps per sample; 0 leaves the dimension free");
    options.value("--seed", "N", seed_, "Seed of the weights: same seed, same file (default: 1)");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens zoo build bert-base -o bert.onnx --batch 4 --sequence 64");
  }
  Result<int> run(Context& context) override {
    const std::string path = output_.value_or(name_ + ".onnx");
    zoo::BuildOptions build;
    build.batch = batch_.value_or(build.batch);
    build.sequence = sequence_;
    NEUROLENS_ASSIGN(build.seed, seed_from(seed_));
    auto built = zoo::build(name_, path, build, context.files, context.attention);
    if (!built.ok()) return std::move(built).error();
    if (json_) {
      json::Writer w({2});
      w.begin_object().member("name", name_).member("path", path);
      w.member("parameters", built->parameters).member("size_bytes", built->size).end_object();
      context.terminal.out(std::move(w).take() + "\n");
      return kDone;
    }
    context.terminal.out(
        fmt::format("{}: {}, {:.2f} M parameters, {}\nnext: neurolens profile {}\n",
                    printable(path), name_, static_cast<double>(built->parameters) * 1e-6,
                    report::format_bytes(static_cast<double>(built->size.count)), printable(path)));
    return kDone;
  }

 private:
  std::string name_;
  std::optional<std::string> output_;
  std::optional<std::int64_t> batch_;
  std::optional<std::int64_t> sequence_;
  std::optional<std::int64_t> seed_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_zoo_list() {
  return std::make_unique<ZooList>();
}
std::unique_ptr<Command> make_zoo_build() {
  return std::make_unique<ZooBuild>();
}

}  // namespace neurolens::cli
