#include "neurolens/exec/parallel.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace neurolens::exec {
namespace {

TEST(ExecuteParallel, KeepsOrderAndPartialResults) {
  Executor executor(3);
  std::vector<std::function<int(int)>> functions;
  for (int i = 0; i < 10; ++i) {
    functions.emplace_back([i](int offset) {
      if (i == 4) throw std::domain_error("four");
      return i + offset;
    });
  }
  RunOptions options;
  options.record_times = true;
  const auto all = execute_parallel(executor, functions, options, {}, 100);
  ASSERT_TRUE(all.ok()) << all.error();
  ASSERT_EQ(all->results.size(), 10u);
  for (int i = 0; i < 10; ++i) {
    const auto& r = all->results[static_cast<std::size_t>(i)];
    EXPECT_EQ(r.success(), i != 4);
    EXPECT_EQ(r.value, i != 4 ? std::optional<int>(i + 100) : std::nullopt);
  }
  EXPECT_EQ(all->results[4].error->type, "std::domain_error");
  EXPECT_EQ(all->report.count(EndState::failed), 1u);
}

TEST(ExecuteParallel, MapWorksInProcessesToo) {
  Executor executor(2);
  RunOptions options;
  options.mode = Mode::processes;
  options.shared_bytes = Bytes{1 << 20};
  const auto roots = map(
      executor, [](double x) { return std::sqrt(x); }, std::vector<double>{1, 4, 9}, options);
  ASSERT_TRUE(roots.ok()) << roots.error();
  EXPECT_EQ(roots->results[2].value, 3.0);
}

TEST(ParallelFor, CoversEveryIndexOnceInFixedPieces) {
  Executor executor(4);
  std::vector<std::atomic<int>> hits(10'001);
  std::atomic<int> pieces{0};
  ASSERT_TRUE(parallel_for(executor, hits.size(), 64, [&](std::size_t begin, std::size_t end) {
                EXPECT_EQ(begin % 64, 0u);
                pieces.fetch_add(1);
                for (std::size_t i = begin; i < end; ++i) hits[i].fetch_add(1);
              }).ok());
  for (const auto& h : hits) ASSERT_EQ(h.load(), 1);
  EXPECT_EQ(pieces.load(), 157);
  const Status bad = parallel_for(executor, 100, 10, [](std::size_t begin, std::size_t) {
    if (begin == 30) throw std::runtime_error("piece");
  });
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message.find("#3 failed: std::runtime_error: piece"), std::string::npos);
}

TEST(Sweep, MakesATableWithTheFailedPointsInIt) {
  Executor executor(2);
  const auto table =
      sweep(executor,
            {range_axis("x", 1, 1, 3),
             {"kind",
              {json::Value(json::Value::Data(std::string("a,b"))),
               json::Value(json::Value::Data(std::string("c")))}}},
            {"square", "half"}, [](const Point& p, TaskContext&) -> Result<std::vector<double>> {
              if (p.index() == 3) return Error{Errc::out_of_range, "Too hot.", {}};
              const double x = p.number("x");
              return std::vector<double>{x * x, x / 2};
            });
  ASSERT_TRUE(table.ok()) << table.error();
  EXPECT_EQ(table->csv(),
            "x,kind,square,half,state,error\r\n"
            "1,\"a,b\",1,0.5,done,\r\n1,c,1,0.5,done,\r\n2,\"a,b\",4,1,done,\r\n"
            "2,c,,,failed,Too hot.\r\n3,\"a,b\",9,1.5,done,\r\n3,c,9,1.5,done,\r\n");
  EXPECT_NE(table->text().find("2     c       -     -  failed  Too hot."), std::string::npos)
      << table->text();
  EXPECT_TRUE(json::parse(table->json()).ok());
  EXPECT_FALSE(sweep(executor, {{"x", {}}}, {"y"}, {}).ok());
  EXPECT_FALSE(sweep(executor, {range_axis("x", 0, 1, 2)}, {"x"}, {}).ok());
}

}  // namespace
}  // namespace neurolens::exec
