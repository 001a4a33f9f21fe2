// libFuzzer target for the model reader and writer. Seeds: src/onnx/seeds (made by seeds_test.cpp).
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = neurolens::onnx::testing_support::check_any_bytes(
      {reinterpret_cast<const char*>(data), size});
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    std::abort();
  }
  return 0;
}
