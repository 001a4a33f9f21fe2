/// \file
/// Runs a function over pieces of 0 .. count-1 on the workers of an executor; results are stored by
/// index, so that their order does not depend on the number of workers.
#pragma once

#include <cstddef>
#include <functional>

#include "neurolens/base/result.hpp"

namespace neurolens::exec {
class Executor;
}
namespace neurolens::codebase {

/// Calls `work(begin, end)` for pieces that make up [0, count); returns when all are done. `work`
/// must be safe to call concurrently. Errors: what `work` threw (the other calls are made all the
/// same).
Status parallel_for(exec::Executor& executor, std::size_t count,
                    const std::function<void(std::size_t, std::size_t)>& work);

}  // namespace neurolens::codebase
