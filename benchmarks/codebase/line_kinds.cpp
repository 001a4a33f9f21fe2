// Prints "PATH KINDS" for each path on stdin: one letter per line of the file (c m d b), see
// line_kinds(). The scripts beside it hold this against other programs' readings.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "neurolens/codebase/measure.hpp"

int main() {
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const auto found = neurolens::codebase::identify(path, bytes);
    if (found)
      std::cout << path << ' ' << neurolens::codebase::line_kinds(bytes, found->language) << '\n';
  }
}
