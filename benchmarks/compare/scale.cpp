#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>

#include "make_run.hpp"
#include "neurolens/analyze/align.hpp"
#include "neurolens/analyze/compare.hpp"
#include "neurolens/analyze/fingerprint.hpp"
#include "neurolens/base/clock.hpp"

namespace {

using namespace neurolens;

double seconds_of(const auto& work) {
  const auto begin = system_clock().now();
  work();
  return static_cast<double>((system_clock().now() - begin).count) * 1e-9;
}

run::Run sample(std::size_t ops, std::uint64_t seed, bool rename) {
  auto run =
      test_support::make_run({.ops = ops, .iterations = 40, .seed = seed, .timeline = false});
  if (!rename) return run;
  for (auto& op : run.ops) {
    op.name = "x" + op.name;
    for (auto& node : op.original_nodes) node.name = "y" + node.name;
    for (auto* list : {&op.inputs, &op.outputs}) {
      for (auto& tensor : *list) *tensor.name = "z" + *tensor.name;
    }
  }
  return run;
}

}  // namespace

int main(int argc, char** argv) {
  fmt::print("{:>9} {:>9} {:>9} {:>12} {:>9}\n", "ops", "align s", "compare s", "fingerprint s",
             "peak MiB");
  for (int i = 1; i < argc; ++i) {
    const auto ops = static_cast<std::size_t>(std::atoll(argv[i]));
    const auto a = sample(ops, 1, false);
    const auto b = sample(ops, 2, true);
    std::size_t links = 0;
    bool fine = true;
    const double align_s = seconds_of([&] { links = analyze::align(a, b).links.size(); });
    const double compare_s = seconds_of([&] { fine = analyze::compare(a, b).ok(); });
    const double print_s = seconds_of([&] { fine = analyze::take_fingerprint(a).ok() && fine; });
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print("{:>9} {:>9.3f} {:>9.3f} {:>12.3f} {:>9}\n", ops, align_s, compare_s, print_s,
               usage.ru_maxrss / 1024);
    if (!fine || links != ops) return 1;
  }
  return 0;
}
