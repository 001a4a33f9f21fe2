// Fuzzes the reader: whatever the bytes, check() and read() agree, and what can be read writes back
// to a document that reads as the same. Seeds: src/run/fuzz_corpus.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "neurolens/base/text.hpp"
#include "neurolens/run/run.hpp"
#include "reader.hpp"
#include "rules.hpp"

namespace neurolens::run {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void write_and_read_back(const Run& run) {
  require(validate(run).valid());
  const std::string written = to_json(run);
  const auto again = read(written);
  require(again.ok() && to_json(*again) == written);
}

/// Behind the content hash, which no mutation would get past.
void try_without_hash(std::string_view text) {
  if (to_valid_utf8(text) != text) return;
  const auto claim = detail::find_version(text);
  if (!claim.ok()) return;
  detail::Document document;
  detail::Faults faults;
  if (!detail::read_structure(text, *claim, document, faults).ok()) return;
  detail::check_relations(document.run, faults);  // also safe for what could not be read
  if (faults.empty()) write_and_read_back(document.run);
}

}  // namespace
}  // namespace neurolens::run

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace neurolens::run;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto report = check(text);
  const auto run = read(text);
  require(run.ok() == (report.ok() && report->valid()));
  if (run.ok()) write_and_read_back(*run);
  try_without_hash(text);
  return 0;
}
