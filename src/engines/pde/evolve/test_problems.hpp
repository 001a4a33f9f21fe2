/// \file
/// What tests of equations in time share.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "neurolens/engines/pde/evolve.hpp"

namespace neurolens::pde {

inline ScalarData formula(std::string_view text) {
  auto data = ScalarData::parse(text);
  EXPECT_TRUE(data.ok()) << text << ": " << data.error();
  return data.ok() ? *data : ScalarData();
}

/// u = cos(t) sin(2x+1) with a moving Dirichlet value and a moving flux.
inline EvolutionProblem moving(int n) {
  EvolutionProblem p;
  const int points[] = {n + 1};
  const double lower[] = {0};
  const double upper[] = {1};
  p.grid = *Grid::make(points, lower, upper);
  p.boundary.face[0][0] = {ConditionKind::dirichlet, formula("cos(t)*sin(1)")};
  p.boundary.face[0][1] = {ConditionKind::neumann, formula("2*cos(t)*cos(3)")};
  p.initial = formula("sin(2*x+1)");
  p.source = formula("-sin(t)*sin(2*x+1)+4*cos(t)*sin(2*x+1)");
  return p;
}

}  // namespace neurolens::pde
