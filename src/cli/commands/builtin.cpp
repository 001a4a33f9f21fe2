#include "builtin.hpp"

namespace neurolens::cli {

std::vector<std::unique_ptr<Command>> builtin_commands() {
  std::vector<std::unique_ptr<Command>> commands;
#define NEUROLENS_MAKE(name) commands.push_back(make_##name());
  NEUROLENS_COMMANDS(NEUROLENS_MAKE)
#undef NEUROLENS_MAKE
  return commands;
}

}  // namespace neurolens::cli
