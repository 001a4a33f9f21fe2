/// \file
/// make_page DOCUMENT OUT: fills the page that is built into the program with a findings document. What
/// the browser tests open is thereby made by the code that users run.
#include <cstdio>
#include <string>

#include "neurolens/base/file_system.hpp"
#include "neurolens/report/html.hpp"

int main(int argc, char** argv) {
  using namespace neurolens;
  constexpr int kNoPage = 77;  // what ctest takes for "skipped"
  if (argc == 2 && std::string(argv[1]) == "--served") {
    const auto page = report::served_page();
    if (!page.ok()) return kNoPage;
    std::fwrite(page->data(), 1, page->size(), stdout);
    return 0;
  }
  if (argc != 3) return 2;
  const auto document = system_files().read(argv[1]);
  if (!document.ok()) return 1;
  const auto page = report::html_page(document.value());
  if (!page.ok()) {
    std::fprintf(stderr, "%s\n", page.error().text().c_str());
    return page.error().code == Errc::unavailable ? kNoPage : 1;
  }
  return system_files().write_atomic(argv[2], page.value()).ok() ? 0 : 1;
}
