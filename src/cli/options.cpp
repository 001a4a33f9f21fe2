// The only file that knows CLI11: parsing, help texts, suggestions.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <map>

#include "command.hpp"
#include "neurolens/base/text.hpp"
#include "version.hpp"

namespace neurolens::cli {
namespace {

/// Declares into a CLI::App and remembers what help needs.
class AppOptions final : public Options {
 public:
  explicit AppOptions(CLI::App& app) : app_(app) {}

  void flag(std::string name, bool& target, std::string help) override {
    app_.add_flag(name, target, help);
  }
  void value(std::string name, std::string placeholder, std::string& target,
             std::string help) override {
    app_.add_option(name, target, help)->type_name(placeholder)->capture_default_str();
  }
  void value(std::string name, std::string placeholder, std::optional<std::string>& target,
             std::string help) override {
    add_optional(name, placeholder, target, help);
  }
  void value(std::string name, std::string placeholder, std::optional<std::int64_t>& target,
             std::string help) override {
    add_optional(name, placeholder, target, help);
  }
  void value(std::string name, std::string placeholder, std::optional<double>& target,
             std::string help) override {
    add_optional(name, placeholder, target, help);
  }
  void choice(std::string name, std::vector<std::string> words, std::string& target,
              std::string help) override {
    const std::string list = fmt::format("{}", fmt::join(words, "|"));
    auto* option = app_.add_option(name, target, help);
    option->type_name(list)->capture_default_str();
    option->check(CLI::Validator(
        [words](const std::string& word) {
          if (std::find(words.begin(), words.end(), word) != words.end()) return std::string();
          return fmt::format("\"{}\" is not one of {}.{}", word, fmt::join(words, ", "),
                             did_you_mean(word, words));
        },
        ""));
  }
  void values(std::string name, std::string placeholder, std::vector<std::string>& target,
              std::string help) override {
    app_.add_option(name, target, help)
        ->type_name(placeholder)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  void positional(std::string name, std::string& target, std::string help) override {
    app_.add_option(name, target, help)->required()->type_name("");
  }
  void positional(std::string name, std::optional<std::string>& target, std::string help) override {
    app_.add_option_function<std::string>(
            name, [&target](const std::string& text) { target = text; }, help)
        ->type_name("");
  }
  void positionals(std::string name, std::vector<std::string>& target, std::string help) override {
    app_.add_option(name, target, help)->type_name("");
  }
  void rest(std::string name, std::vector<std::string>& target, std::string help) override {
    rest_name_ = std::move(name);
    rest_help_ = std::move(help);
    rest_ = &target;
  }
  void example(std::string line) override { examples_ += "  " + line + "\n"; }

  /// After parsing: hands the words behind "--" to the command.
  [[nodiscard]] std::vector<std::string>* rest_target() const { return rest_; }
  [[nodiscard]] std::string footer() const {
    std::string text;
    if (rest_ != nullptr) text += fmt::format("-- {}\n  {}\n\n", rest_name_, rest_help_);
    if (!examples_.empty()) text += "Example:\n" + examples_;
    return text;
  }

 private:
  template <class T>
  void add_optional(const std::string& name, const std::string& placeholder,
                    std::optional<T>& target, const std::string& help) {
    app_.add_option_function<T>(
            name, [&target](const T& given) { target = given; }, help)
        ->type_name(placeholder);
  }

  CLI::App& app_;
  std::string examples_;
  std::string rest_name_;
  std::string rest_help_;
  std::vector<std::string>* rest_ = nullptr;
};

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// One sentence for a parse failure, with the mend.
std::string explain(const CLI::ParseError& error, const CLI::App& app, const std::string& command) {
  std::string text = error.what();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    const auto extras = app.remaining(true);
    const auto option = std::find_if(extras.begin(), extras.end(),
                                     [](const auto& w) { return w.starts_with('-'); });
    const std::string word = option != extras.end() ? *option : extras.empty() ? "" : extras.back();
    const auto bare = word.substr(0, word.find('='));
    text = word.starts_with('-') ? fmt::format("there is no option {}.{}", printable(bare),
                                               did_you_mean(bare, option_names(app)))
                                 : fmt::format("\"{}\" is one argument too many.", printable(word));
  } else if (!text.ends_with('.')) {
    text += ".";
  }
  return fmt::format("neurolens: {}: {} `neurolens {} --help` shows the options.\n", command, text,
                     command);
}

std::string screen(const std::vector<std::unique_ptr<Command>>& commands) {
  std::string text =
      "neurolens tells you where a neural network or a numerical program really spends its "
      "time.\n\n"
      "Try this first:\n"
      "  neurolens zoo build resnet50 -o resnet50.onnx     something real to measure, no download\n"
      "  neurolens profile resnet50.onnx                   measure it; writes "
      "resnet50.run.json\n\nCommands:\n";
  std::size_t width = 0;
  for (const auto& command : commands) width = std::max(width, command->name().size());
  for (const auto& command : commands)
    text += fmt::format("  {:<{}}  {}\n", command->name(), width, command->summary());
  return text +
         "\n`neurolens COMMAND --help` shows a command's options and an example. `neurolens "
         "--version` the version.\n";
}

std::string version_text() {
  return fmt::format("neurolens {}\n", kVersion);
}

int show_error(Context& context, const Error& error) {
  context.terminal.err(fmt::format("neurolens: {}\n", error.text()));
  return exit_status_of(error.code);
}

/// The command that argv names: its longest match of one or two words. nullptr: none.
Command* find_command(const std::vector<std::unique_ptr<Command>>& commands,
                      const std::vector<std::string>& words, std::size_t& used) {
  for (used = std::min<std::size_t>(2, words.size()); used > 0; --used) {
    const std::string name = used == 2 ? words[0] + " " + words[1] : words[0];
    for (const auto& command : commands) {
      if (command->name() == name) return command.get();
    }
  }
  return nullptr;
}

int unknown_command(Context& context, const std::vector<std::unique_ptr<Command>>& commands,
                    const std::vector<std::string>& words) {
  std::vector<std::string> names;
  std::vector<std::string> children;
  for (const auto& command : commands) {
    names.push_back(command->name());
    if (command->name().starts_with(words[0] + " ")) children.push_back(command->name());
  }
  if (!children.empty()) {
    if (words.size() > 1 && words[1] != "--help" && words[1] != "-h") {
      context.terminal.err(fmt::format(
          "neurolens: there is no command \"{} {}\".{} There are: {}.\n", printable(words[0]),
          printable(words[1]), did_you_mean(words[0] + " " + words[1], children),
          fmt::join(children, ", ")));
    } else {
      context.terminal.err(fmt::format("neurolens: {} needs a second word: {}.\n", words[0],
                                       fmt::join(children, ", ")));
    }
    return 2;
  }
  context.terminal.err(
      fmt::format("neurolens: there is no command \"{}\".{} `neurolens --help` lists them.\n",
                  printable(words[0]), did_you_mean(words[0], names)));
  return 2;
}

int run_command(Command& command, std::vector<std::string> words, Context& context) {
  CLI::App app{command.summary() + ".", "neurolens " + command.name()};
  app.get_formatter()->column_width(34);
  AppOptions options(app);
  command.declare(options);
  app.footer(options.footer());
  if (options.rest_target() != nullptr) {
    const auto dashes = std::find(words.begin(), words.end(), "--");
    if (dashes != words.end()) options.rest_target()->assign(dashes + 1, words.end());
    words.erase(dashes, words.end());
  }
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    context.terminal.out(app.help());
    return kDone;
  } catch (const CLI::ParseError& error) {
    context.terminal.err(explain(error, app, command.name()));
    return 2;
  }
  auto status = command.run(context);
  return status.ok() ? status.value() : show_error(context, status.error());
}

}  // namespace

int run_program(std::vector<std::unique_ptr<Command>> commands, std::vector<std::string> argv,
                Context context) {
  context.argv = argv;
  std::vector<std::string> words(argv.begin() + std::min<std::ptrdiff_t>(1, std::ssize(argv)),
                                 argv.end());
  int status = kDone;
  std::size_t used = 0;
  if (words.empty() || words[0] == "--help" || words[0] == "-h" ||
      (words[0] == "help" && words.size() == 1)) {
    context.terminal.out(screen(commands));
  } else if (words[0] == "--version" || words[0] == "-V") {
    context.terminal.out(version_text());
  } else {
    if (words[0] == "help") {
      words.erase(words.begin());
      words.emplace_back("--help");
    }
    Command* command = find_command(commands, words, used);
    if (command == nullptr) {
      status = unknown_command(context, commands, words);
    } else {
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(used));
      status = run_command(*command, std::move(words), context);
    }
  }
  if (const Status flushed = context.terminal.finish(); !flushed.ok())
    return show_error(context, flushed.error());
  return status;
}

}  // namespace neurolens::cli
