/// \file
/// Everything of the probe room in one include. Instrumented code needs scope.hpp only.
#pragma once

#include "neurolens/probe/benchmark.hpp"
#include "neurolens/probe/memoize.hpp"
#include "neurolens/probe/memory.hpp"
#include "neurolens/probe/profile.hpp"
#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/session.hpp"
#include "neurolens/probe/statistics.hpp"
#include "neurolens/probe/timer.hpp"
#include "neurolens/probe/workspace.hpp"
