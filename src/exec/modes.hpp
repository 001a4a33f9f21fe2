/// \file
/// What the engine asks of the process and async modes.
#pragma once

#include <cstdint>
#include <memory>

#include "neurolens/base/result.hpp"

namespace neurolens::exec::detail {

struct Compiled;
class Reactor;
class Remote;
class RunCore;

/// Whether every result that another task reads can cross processes. Errors: wrong_type.
[[nodiscard]] Status check_processes(const Compiled& compiled);
/// Forks `workers` processes that can carry out any task of the run. Errors: unavailable.
[[nodiscard]] Result<std::unique_ptr<Remote>> make_processes(RunCore& run, std::uint32_t workers);
/// Errors: unavailable.
[[nodiscard]] Result<std::unique_ptr<Reactor>> make_reactor();

}  // namespace neurolens::exec::detail
