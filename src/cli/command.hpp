/// \file
/// What a command of the program is. Adding one means adding a file in commands/ with a factory,
/// and a line in commands/builtin.cpp.
///
/// A command declares its options once; help text, completion and the man page come from that. Only
/// this room knows argv, stdout and exit statuses.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "terminal.hpp"

namespace neurolens::cli {

/// Receives the options of one command. Targets must outlive parsing; they keep their value (the
/// default) when the option is absent. Declared here, parsed by CLI11 in options.cpp.
class Options {
 public:
  virtual ~Options() = default;
  /// "--json": true when given.
  virtual void flag(std::string name, bool& target, std::string help) = 0;
  /// "--top" K. `name` may list alternatives: "-o,--output".
  virtual void value(std::string name, std::string placeholder, std::string& target,
                     std::string help) = 0;
  virtual void value(std::string name, std::string placeholder, std::optional<std::string>& target,
                     std::string help) = 0;
  virtual void value(std::string name, std::string placeholder, std::optional<std::int64_t>& target,
                     std::string help) = 0;
  virtual void value(std::string name, std::string placeholder, std::optional<double>& target,
                     std::string help) = 0;
  /// One of a fixed set of words; anything else is refused with the set.
  virtual void choice(std::string name, std::vector<std::string> words, std::string& target,
                      std::string help) = 0;
  /// May be given several times.
  virtual void values(std::string name, std::string placeholder, std::vector<std::string>& target,
                      std::string help) = 0;
  virtual void positional(std::string name, std::string& target, std::string help) = 0;
  virtual void positional(std::string name, std::optional<std::string>& target,
                          std::string help) = 0;
  virtual void positionals(std::string name, std::vector<std::string>& target,
                           std::string help) = 0;
  /// Everything after "--", untouched.
  virtual void rest(std::string name, std::vector<std::string>& target, std::string help) = 0;
  /// A line for the end of the help text: a command that works as it stands.
  virtual void example(std::string line) = 0;
};

/// What a command works with besides its options.
struct Context {
  Terminal& terminal;
  FileSystem& files;
  Clock& clock;
  Attention attention;            ///< Progress on stderr, Ctrl-C.
  std::vector<std::string> argv;  ///< The command line as given, program name first.
};

/// Exit statuses besides those of errors.
inline constexpr int kDone = 0;
inline constexpr int kAnswerIsNo = 1;

class Command {
 public:
  virtual ~Command() = default;
  /// One word, or two for a sub-command: "zoo build".
  [[nodiscard]] virtual std::string name() const = 0;
  /// One line for the list of commands.
  [[nodiscard]] virtual std::string summary() const = 0;
  virtual void declare(Options& options) = 0;
  /// Does the work; the result is the exit status. An error is shown and gives its own status.
  virtual Result<int> run(Context& context) = 0;
};

/// Every command, in the order of the help screen.
[[nodiscard]] std::vector<std::unique_ptr<Command>> builtin_commands();

/// Parses `argv`, runs the command, shows errors. Returns the exit status.
int run_program(std::vector<std::unique_ptr<Command>> commands, std::vector<std::string> argv,
                Context context);

}  // namespace neurolens::cli
