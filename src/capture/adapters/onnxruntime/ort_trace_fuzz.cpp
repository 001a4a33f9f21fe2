// Any bytes may stand in a profile: the reader must neither crash nor hang, and must not lose
// count.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "adapters/onnxruntime/op_collector.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace neurolens::capture;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  OpCollector whole;
  TraceReader first([&](const TraceEvent& event) { whole.take(event); });
  first.feed(text);
  first.finish();
  whole.end_segment(0);
  // The same in small pieces gives the same.
  OpCollector pieces;
  TraceReader second([&](const TraceEvent& event) { pieces.take(event); });
  for (std::size_t at = 0; at < text.size(); at += 7) second.feed(text.substr(at, 7));
  second.finish();
  pieces.end_segment(0);
  if (first.events() != second.events() || whole.ops().size() != pieces.ops().size()) std::abort();
  for (std::size_t op = 0; op < whole.ops().size(); ++op) {
    if (whole.column(op) != pieces.column(op)) std::abort();
  }
  return 0;
}
