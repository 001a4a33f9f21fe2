// An independent bandwidth program in the manner of STREAM: plain loops, no neurolens code, its own
// clock and arrays; prints the best triad rate of ten repetitions as JSON. Used by
// benchmarks/peaks/run.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Piece {
  std::unique_ptr<double[]> a, b, c;
  std::size_t n;
};

void triad(Piece& p) {
  double* __restrict a = p.a.get();
  const double* __restrict b = p.b.get();
  const double* __restrict c = p.c.get();
  for (std::size_t i = 0; i < p.n; ++i) a[i] = b[i] + 3.0 * c[i];
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const std::size_t total =
      argc > 2 ? static_cast<std::size_t>(std::atoll(argv[2])) : 100'000'000;  // elements an array
  std::vector<Piece> pieces(static_cast<std::size_t>(threads));
  const auto on_all = [&](auto work) {
    std::vector<std::thread> pool;
    for (auto& piece : pieces) pool.emplace_back([&piece, work] { work(piece); });
    for (auto& thread : pool) thread.join();
  };
  on_all([&](Piece& p) {
    p.n = total / static_cast<std::size_t>(threads);
    p.a = std::make_unique<double[]>(p.n);
    p.b = std::make_unique<double[]>(p.n);
    p.c = std::make_unique<double[]>(p.n);
    for (std::size_t i = 0; i < p.n; ++i) p.b[i] = p.c[i] = 1.0;
  });
  double best = 0;
  for (int repetition = 0; repetition < 10; ++repetition) {
    const auto start = Clock::now();
    on_all(triad);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double rate = 24.0 * static_cast<double>(pieces[0].n) * threads / seconds;
    best = rate > best ? rate : best;
  }
  std::printf("{\"threads\": %d, \"triad_bytes_per_second\": %.0f, \"check\": %.1f}\n", threads,
              best, pieces[0].a[1]);
  return 0;
}
