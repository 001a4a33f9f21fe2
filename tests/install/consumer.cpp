// What a stranger writes first: read a Run, print what it says.
#include <cstdio>

#include "neurolens/analyze/summary.hpp"
#include "neurolens/run/run.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto run = neurolens::run::read_file(neurolens::system_files(), argv[1]);
  if (!run.ok()) {
    std::fprintf(stderr, "%s\n", run.error().text().c_str());
    return 1;
  }
  const auto summary = neurolens::analyze::summarise(*run);
  if (!summary.ok()) return 1;
  std::printf("%zu ops, slowest: %s\n", summary->ops.size(), summary->ops.front().name.c_str());
  return 0;
}
