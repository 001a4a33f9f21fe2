// Tables of transforms rounded to single precision.
#include <algorithm>
#include <iterator>

#include "direct/stage.hpp"

namespace neurolens::pde {
namespace {

std::vector<float> rounded(const std::vector<double>& wide) {
  std::vector<float> result;
  result.reserve(wide.size());
  std::transform(wide.begin(), wide.end(), std::back_inserter(result),
                 [](double v) { return static_cast<float>(v); });
  return result;
}

BasicCyclicProduct<float> narrow(const CyclicProduct& wide) {
  BasicCyclicProduct<float> result;
  result.length = wide.length;
  for (const auto& n : wide.nodes)
    result.nodes.push_back({n.parts, n.first, n.length, static_cast<float>(n.sign), n.matrix});
  result.matrix = rounded(wide.matrix);
  return result;
}

BasicPrimeButterfly<float> narrow(const PrimeButterfly& wide) {
  return {wide.in, wide.out, narrow(wide.even), narrow(wide.odd)};
}

BasicFftPass<float> narrow(const FftPass& wide) {
  return {wide.radix,          wide.length,       wide.twiddled, rounded(wide.twiddle),
          rounded(wide.dense), narrow(wide.prime)};
}

}  // namespace

StageF32 narrow(const Stage& wide) {
  StageF32 s;
  s.inputs = wide.inputs;
  s.outputs = wide.outputs;
  s.slots = wide.slots;
  s.matrix = rounded(wide.matrix);
  s.folded = wide.folded;
  s.prime_sine = wide.prime_sine;
  s.p = wide.p;
  s.fft_length = wide.fft_length;
  s.selfs = wide.selfs;
  s.pairs = wide.pairs;
  s.eta = static_cast<float>(wide.eta);
  s.sigma = static_cast<float>(wide.sigma);
  s.self_twiddled = wide.self_twiddled;
  for (const FftPass& pass : wide.passes) s.passes.push_back(narrow(pass));
  s.slot_a = wide.slot_a;
  s.slot_b = wide.slot_b;
  s.sign_a = rounded(wide.sign_a);
  s.sign_b = rounded(wide.sign_b);
  s.zero_slots = wide.zero_slots;
  for (const auto& c : wide.columns) s.columns.push_back({c.k, c.partner});
  s.join_twiddle = rounded(wide.join_twiddle);
  s.join_dense = rounded(wide.join_dense);
  s.prime = narrow(wide.prime);
  s.out_slot = wide.out_slot;
  s.out_sign = rounded(wide.out_sign);
  s.swapped = wide.swapped;
  s.periodic_split = wide.periodic_split;
  s.periodic_merge = wide.periodic_merge;
  s.natural_slot = wide.natural_slot;
  return s;
}

}  // namespace neurolens::pde
