#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iostream>
#include <memory>

#include "live/child.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/live.hpp"

namespace neurolens::capture {
namespace {

constexpr int kRounds = 6;
constexpr int kTurn = 3;  ///< Samples of a turn.

Error no_samples(const std::string& program) {
  return {Errc::parse_error, "The launch printed no {\"samples_ns\": [...]}.", program};
}

/// Numbers above 0 of the list `key`; nullopt when there is none.
std::optional<std::vector<double>> numbers(const json::Value& document, const char* key) {
  const auto* list = document.find(key);
  if (list == nullptr || list->as_array() == nullptr) return {};
  std::vector<double> out;
  for (const auto& item : *list->as_array()) {
    const auto value = item.as_double();
    if (!value || !(*value >= 0)) return {};
    out.push_back(*value);
  }
  return out;
}

Nanoseconds nanoseconds(double value) {
  return Nanoseconds{std::max<std::int64_t>(1, std::llround(value))};
}

/// `samples`: in the order of measuring, not empty.
void describe(const std::vector<double>& samples, Launched& out) {
  out.time = nanoseconds(*std::min_element(samples.begin(), samples.end()));
  double even = samples[0];
  double odd = samples.size() > 1 ? samples[1] : samples[0];
  for (std::size_t i = 0; i < samples.size(); ++i) {
    double& half = i % 2 == 0 ? even : odd;
    half = std::min(half, samples[i]);
  }
  out.even = nanoseconds(even);
  out.odd = nanoseconds(odd);
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const auto at = static_cast<std::size_t>(0.95 * static_cast<double>(sorted.size() - 1) + 0.5);
  out.p95 = nanoseconds(sorted[at]);
}

Result<std::vector<double>> samples_in(const std::string& text, const std::string& program) {
  const auto document = json::parse(trim(text));
  if (!document.ok()) return no_samples(program);
  auto samples = numbers(*document, "samples_ns");
  if (!samples) return no_samples(program);
  return std::move(*samples);
}

/// One side of a resident block.
struct Resident {
  Child child;
  std::vector<double> samples;
};

Result<LiveBlock> resident_block(const std::array<const LaunchCommand*, 3>& sides,
                                 const std::array<Launched*, 3>& places, Random& random,
                                 std::array<std::size_t, 3> order, LiveBlock& block,
                                 const Attention& attention) {
  std::array<std::unique_ptr<Resident>, 3> residents;
  for (const auto i : order) {
    if (attention.cancelled()) return Error{Errc::cancelled, "Stopped by the user.", ""};
    residents[i] = std::make_unique<Resident>();
    auto command = sides[i]->command;
    command.emplace_back("--resident");
    NEUROLENS_TRY(residents[i]->child.start(command));
    NEUROLENS_ASSIGN(const auto ready, residents[i]->child.read_line());
    NEUROLENS_TRY(samples_in(ready, command[0]));
  }
  const bool back_first = random.below(2) == 1;
  for (int round = 0; round < kRounds; ++round) {
    if (attention.cancelled()) return Error{Errc::cancelled, "Stopped by the user.", ""};
    if (round > 0 || back_first) std::reverse(order.begin(), order.end());
    for (const auto i : order) {
      NEUROLENS_TRY(residents[i]->child.send(std::to_string(kTurn)));
      NEUROLENS_ASSIGN(const auto line, residents[i]->child.read_line());
      NEUROLENS_ASSIGN(const auto samples, samples_in(line, sides[i]->command[0]));
      if (samples.empty()) return no_samples(sides[i]->command[0]);
      // A turn is one sample: its smallest. Turns are what alternates.
      residents[i]->samples.push_back(*std::min_element(samples.begin(), samples.end()));
    }
  }
  for (const auto i : order) {
    NEUROLENS_ASSIGN(const auto end, residents[i]->child.finish());
    describe(residents[i]->samples, *places[i]);
    places[i]->peak_memory = end.peak_memory;
    places[i]->spent = end.spent;
  }
  return block;
}

}  // namespace

std::string_view to_string(Runner runner) noexcept {
  return runner == Runner::fresh ? "fresh" : "resident";
}

Result<Launched> launch(const LaunchCommand& command) {
  Child child;
  NEUROLENS_TRY(child.start(command.command));
  NEUROLENS_ASSIGN(const auto end, child.finish());
  Launched out;
  out.time = out.p95 = out.even = out.odd = out.spent = end.spent;
  out.peak_memory = end.peak_memory;
  if (!command.reports_samples) return out;
  NEUROLENS_ASSIGN(const auto samples, samples_in(end.out, command.command[0]));
  if (samples.empty()) return no_samples(command.command[0]);
  describe(samples, out);
  const auto document = json::parse(trim(end.out));
  if (auto ops = numbers(*document, "op_ns")) out.op_ns = std::move(*ops);
  return out;
}

Result<LiveBlock> measure_block(Runner runner, const LaunchCommand& baseline,
                                const LaunchCommand& candidate, Random& random,
                                const Attention& attention) {
  LiveBlock block;
  const std::array<const LaunchCommand*, 3> sides{&baseline, &candidate, &baseline};
  const std::array<Launched*, 3> places{&block.baseline, &block.candidate, &block.control};
  std::array<std::size_t, 3> order{0, 1, 2};
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.below(i + 1)]);
  if (runner == Runner::resident) {
    if (!baseline.reports_samples || !candidate.reports_samples)
      return Error{Errc::bad_request, "Only `neurolens launch` can stay resident.", "runner"};
    return resident_block(sides, places, random, order, block, attention);
  }
  for (const auto i : order) {
    if (attention.cancelled()) return Error{Errc::cancelled, "Stopped by the user.", ""};
    NEUROLENS_ASSIGN(*places[i], launch(*sides[i]));
  }
  return block;
}

Status Sampler::warm_up() {
  constexpr int kWarmup = 3;
  constexpr std::int64_t kShortest = 200'000;
  constexpr std::int64_t kMostRepeats = 10'000;
  std::int64_t least = kShortest;
  for (int i = 0; i < kWarmup; ++i) {
    NEUROLENS_ASSIGN(const auto time, workload_());
    least = std::min(least, std::max<std::int64_t>(1, time.count));
  }
  repeats_ = std::min(kMostRepeats, (kShortest + least - 1) / least);
  return {};
}

Result<std::vector<std::int64_t>> Sampler::take(int count) {
  std::vector<std::int64_t> samples;
  for (int i = 0; i < count; ++i) {
    std::int64_t sum = 0;
    for (std::int64_t r = 0; r < repeats_; ++r) {
      NEUROLENS_ASSIGN(const auto time, workload_());
      sum += time.count;
    }
    samples.push_back(std::max<std::int64_t>(1, (sum + repeats_ / 2) / repeats_));
  }
  return samples;
}

Status serve_turns(Sampler& sampler, const std::function<void(std::string)>& say) {
  NEUROLENS_TRY(sampler.warm_up());
  const auto answer = [&](const std::vector<std::int64_t>& samples) {
    say(fmt::format("{{\"samples_ns\":[{}]}}\n", fmt::join(samples, ",")));
  };
  answer({});
  std::string line;
  while (std::getline(std::cin, line)) {
    constexpr int kMost = 1'000'000;
    int count = 0;
    const auto digits = trim(line);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error != std::errc{} || end != digits.data() + digits.size() || count < 1 || count > kMost)
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" is no number of iterations.", printable(digits)), "stdin"};
    // The others have been in the caches meanwhile: one sample to settle.
    NEUROLENS_TRY(sampler.take(1));
    NEUROLENS_ASSIGN(const auto samples, sampler.take(count));
    answer(samples);
  }
  return {};
}

}  // namespace neurolens::capture
