/// \file
/// The one list of commands, in the order of the help screen. Each factory lives in the file named
/// after its command (or the first word of it).
#pragma once

#include <memory>

#include "command.hpp"

#define NEUROLENS_COMMANDS(X)  \
  X(doctor)                    \
  X(zoo_list)                  \
  X(zoo_build)                 \
  X(profile)                   \
  X(record)                    \
  X(bench)                     \
  X(peaks)                     \
  X(summary)                   \
  X(report)                    \
  X(view)                      \
  X(export)                    \
  X(compare)                   \
  X(fingerprint)               \
  X(gate)                      \
  X(gate_selftest)             \
  X(launch)                    \
  X(validate)                  \
  X(ls)                        \
  X(history)                   \
  X(baseline_set)              \
  X(baseline_show)             \
  X(store_add)                 \
  X(store_rm)                  \
  X(store_verify)              \
  X(store_gc)                  \
  X(workflow_run)              \
  X(workflow_graph)            \
  X(train)                     \
  X(eval)                      \
  X(export_onnx)               \
  X(solve_poisson)             \
  X(solve_heat)                \
  X(solve_wave)                \
  X(solve_advection_diffusion) \
  X(solve_burgers)             \
  X(solve_ode)                 \
  X(solve_bvp)                 \
  X(inventory)                 \
  X(deps)                      \
  X(map)                       \
  X(agent)

namespace neurolens::cli {

#define NEUROLENS_DECLARE(name) std::unique_ptr<Command> make_##name();
NEUROLENS_COMMANDS(NEUROLENS_DECLARE)
#undef NEUROLENS_DECLARE

}  // namespace neurolens::cli
