#include "fit/isotonic.hpp"

#include <cassert>
#include <cstddef>

namespace neurolens::capture {

std::vector<double> isotonic(std::span<const double> values, std::span<const double> weights) {
  assert(values.size() == weights.size());
  struct Block {
    double mean;
    double weight;
    std::size_t count;
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < values.size(); ++i) {
    blocks.push_back({values[i], weights[i], 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean > blocks.back().mean) {
      const Block last = blocks.back();
      blocks.pop_back();
      Block& into = blocks.back();
      into.mean = (into.mean * into.weight + last.mean * last.weight) / (into.weight + last.weight);
      into.weight += last.weight;
      into.count += last.count;
    }
  }
  std::vector<double> out;
  out.reserve(values.size());
  for (const auto& block : blocks) out.insert(out.end(), block.count, block.mean);
  return out;
}

}  // namespace neurolens::capture
