#include "parallel.hpp"

#include <algorithm>

#include "neurolens/exec/parallel.hpp"

namespace neurolens::codebase {

Status parallel_for(exec::Executor& executor, std::size_t count,
                    const std::function<void(std::size_t, std::size_t)>& work) {
  // Small pieces, as one file may take as long as a thousand others; yet neighbours together, as
  // they lie in one folder.
  const std::size_t grain = std::clamp<std::size_t>(count / 64, 1, 16);
  return exec::parallel_for(executor, count, grain, work);
}

}  // namespace neurolens::codebase
