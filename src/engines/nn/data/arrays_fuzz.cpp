// Foreign array files: any bytes give a dataset or a sentence, never a crash.
#include <cstdint>
#include <string_view>

#include "data/array_view.hpp"
#include "neurolens/engines/nn/data.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto parse : {neurolens::nn::parse_npy, neurolens::nn::parse_idx}) {
    const auto view = parse(bytes);
    if (!view.ok()) continue;
    float out[4];
    const std::int64_t n = view->count() < 4 ? view->count() : 4;
    view->read(0, n, 1.0f, out);
    view->read(view->count() - n, n, 1.0f, out);
  }
  (void)neurolens::nn::parse_csv(bytes, "input");
  return 0;
}
