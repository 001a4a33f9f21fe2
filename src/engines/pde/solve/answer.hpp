/// \file
/// What the branches of run_solve share: members of the document, tables, pictures.
#pragma once

#include <span>
#include <string>

#include "neurolens/base/json.hpp"
#include "neurolens/engines/pde/solve.hpp"

namespace neurolens::pde {

/// "12.3 us", for people.
std::string duration(Nanoseconds t);
/// "error 1e-3, estimated discretisation error 1e-3", what is known of it, a comma before each.
std::string error_text(const std::optional<double>& error, const std::optional<double>& estimate);
/// method, details, why, unknowns, iterations, time_ns, plan_time_ns, memory_bytes.
void write_report(json::Writer& w, const Report& report);
/// The conditions of all faces. Errors: as parse_boundary.
Result<Boundary> boundary_of(const SolveRequest& request, int dimensions);
/// The files that were asked for, under the phase "output".
void add_pictures(const SolveRequest& request, const Field& field, std::string title,
                  PhaseObserver* observer, SolveAnswer& answer);
void add_pictures(const SolveRequest& request, const FieldF32& field, std::string title,
                  PhaseObserver* observer, SolveAnswer& answer);
/// The table as member "convergence" and as text. Fewer rows than asked for: stopped.
void add_convergence(const SolveRequest& request, std::span<const ConvergenceRow> rows,
                     json::Writer& w, SolveAnswer& answer);

}  // namespace neurolens::pde
