// The bytes of a checkpoint: "NLCKPT1\n", the length of a JSON header (8 bytes, little-endian), the
// header, the arrays that it lists (float32, little-endian), and the SHA-256 of all that as 64
// digits.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::nn {

struct Checkpoint {
  std::string signature;  // names and shapes of the parameters
  std::string optimizer;
  std::int64_t step = 0, epoch = 0, batch = 0;  // batch: next one within the epoch
  double best_loss = 0;
  std::int64_t since_best = -1;  // -1: nothing evaluated yet
  std::vector<float> params, first, second, buffers, states;
};

std::string encode(const Checkpoint& checkpoint);
// Errors: data_corrupt, newer_version, bad_request (no checkpoint at all).
Result<Checkpoint> decode(std::string_view bytes);

}  // namespace neurolens::nn
