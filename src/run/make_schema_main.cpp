// Writes schema/run.schema.json and docs/reference/run.md. Run by tools/make_schema.
#include <cstdio>
#include <string>

#include "neurolens/base/file_system.hpp"
#include "neurolens/run/run.hpp"
#include "reference.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make_schema REPOSITORY\n", stderr);
    return 2;
  }
  auto& files = neurolens::system_files();
  const std::string root = argv[1];
  for (const auto& [path, text] :
       {std::pair{root + "/schema/run.schema.json", neurolens::run::schema_text()},
        std::pair{root + "/docs/reference/run.md", neurolens::run::detail::reference_text()}}) {
    auto written = files.make_directories(neurolens::parent_path(path));
    if (written.ok()) written = files.write_atomic(path, text);
    if (!written.ok()) {
      std::fprintf(stderr, "%s\n", written.error().text().c_str());
      return neurolens::exit_status_of(written.error().code);
    }
  }
  return 0;
}
