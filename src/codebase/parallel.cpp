#include "parallel.hpp"

#include "neurolens/exec/parallel.hpp"

namespace neurolens::codebase {

Status parallel_for(exec::Executor& executor, std::size_t count,
                    const std::function<void(std::size_t)>& work) {
  // Small pieces: one file may take as long as a thousand others.
  constexpr std::size_t kGrain = 4;
  return exec::parallel_for(executor, count, kGrain, [&work](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) work(i);
  });
}

}  // namespace neurolens::codebase
