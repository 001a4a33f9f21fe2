// hypre: geometric multigrid on structured grids (PFMG, red-black) and algebraic multigrid
// (BoomerAMG preconditioning conjugate gradients), both to a relative residual of 1e-8.
#include "peers.hpp"
#ifdef NEUROLENS_PEER_HYPRE
#include <HYPRE.h>
#include <HYPRE_krylov.h>
#include <HYPRE_parcsr_ls.h>
#include <HYPRE_struct_ls.h>
#include <mpi.h>
#endif

namespace neurolens::pde_bench {

#ifdef NEUROLENS_PEER_HYPRE
namespace {

constexpr double kTolerance = 1e-8;
constexpr int kMostIterations = 100;

struct Mpi {
  Mpi() {
    MPI_Init(nullptr, nullptr);
    HYPRE_Init();
  }
  ~Mpi() {
    HYPRE_Finalize();
    MPI_Finalize();
  }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
};

// The row of unknown i of -A: its diagonal, then lower and upper neighbour per axis; 0 outside.
std::array<double, 7> row_of(const Problem& p, std::array<int, 3> i) {
  std::array<double, 7> row{};
  for (int a = 0; a < p.dimensions; ++a)
    for (int side = 0; side < 2; ++side) {
      const double face = p.face(i, a, side == 0 ? -1 : 1);
      row[0] += face;
      std::array<int, 3> there = i;
      there[static_cast<std::size_t>(a)] += side == 0 ? -1 : 1;
      if (p.inside(there)) row[static_cast<std::size_t>(1 + 2 * a + side)] = -face;
    }
  return row;
}

std::vector<double> negated(const std::vector<double>& f) {
  std::vector<double> b(f.size());
  for (std::size_t i = 0; i < f.size(); ++i) b[i] = -f[i];
  return b;
}

}  // namespace

std::optional<Outcome> run_pfmg(const Problem& p) {
  const Mpi mpi;
  const int dims = p.dimensions;
  HYPRE_StructGrid grid;
  HYPRE_StructGridCreate(MPI_COMM_WORLD, dims, &grid);
  int low[3] = {0, 0, 0};
  int high[3] = {p.m - 1, p.m - 1, p.m - 1};
  HYPRE_StructGridSetExtents(grid, low, high);
  HYPRE_StructGridAssemble(grid);
  HYPRE_StructStencil stencil;
  HYPRE_StructStencilCreate(dims, 1 + 2 * dims, &stencil);
  int entries[7] = {0, 1, 2, 3, 4, 5, 6};
  for (int e = 0; e <= 2 * dims; ++e) {
    int offset[3] = {0, 0, 0};
    if (e > 0) offset[(e - 1) / 2] = e % 2 == 1 ? -1 : 1;
    HYPRE_StructStencilSetElement(stencil, e, offset);
  }
  HYPRE_StructMatrix a;
  HYPRE_StructMatrixCreate(MPI_COMM_WORLD, grid, stencil, &a);
  HYPRE_StructMatrixInitialize(a);
  {
    std::vector<double> values;
    values.reserve(p.unknowns() * static_cast<std::size_t>(1 + 2 * dims));
    p.each([&](std::array<int, 3> i) {
      const auto row = row_of(p, i);
      values.insert(values.end(), row.begin(), row.begin() + 1 + 2 * dims);
    });
    HYPRE_StructMatrixSetBoxValues(a, low, high, 1 + 2 * dims, entries, values.data());
  }
  HYPRE_StructMatrixAssemble(a);
  HYPRE_StructVector b, x;
  for (HYPRE_StructVector* v : {&b, &x}) {
    HYPRE_StructVectorCreate(MPI_COMM_WORLD, grid, v);
    HYPRE_StructVectorInitialize(*v);
  }
  std::vector<double> values = negated(p.f);
  HYPRE_StructVectorSetBoxValues(b, low, high, values.data());
  HYPRE_StructVectorAssemble(b);
  HYPRE_StructVectorAssemble(x);
  Outcome outcome;
  HYPRE_StructSolver solver;
  outcome.setup_s = seconds_of([&] {
    HYPRE_StructPFMGCreate(MPI_COMM_WORLD, &solver);
    HYPRE_StructPFMGSetTol(solver, kTolerance);
    HYPRE_StructPFMGSetRelaxType(solver, 2);  // red-black
    HYPRE_StructPFMGSetMaxIter(solver, kMostIterations);
    HYPRE_StructPFMGSetup(solver, a, b, x);
  });
  time_solves(outcome, [&] {
    HYPRE_StructVectorSetConstantValues(x, 0.0);
    HYPRE_StructPFMGSolve(solver, a, b, x);
  });
  HYPRE_StructPFMGGetNumIterations(solver, &outcome.iterations);
  HYPRE_StructVectorGetBoxValues(x, low, high, values.data());
  outcome.residual = p.residual(values);
  HYPRE_StructPFMGDestroy(solver);
  HYPRE_StructVectorDestroy(x);
  HYPRE_StructVectorDestroy(b);
  HYPRE_StructMatrixDestroy(a);
  HYPRE_StructStencilDestroy(stencil);
  HYPRE_StructGridDestroy(grid);
  return outcome;
}

std::optional<Outcome> run_boomeramg(const Problem& p) {
  const Mpi mpi;
  const auto n = static_cast<HYPRE_BigInt>(p.unknowns());
  HYPRE_IJMatrix matrix;
  HYPRE_IJMatrixCreate(MPI_COMM_WORLD, 0, n - 1, 0, n - 1, &matrix);
  HYPRE_IJMatrixSetObjectType(matrix, HYPRE_PARCSR);
  HYPRE_IJMatrixInitialize(matrix);
  p.each([&](std::array<int, 3> i) {
    const auto row = row_of(p, i);
    auto here = static_cast<HYPRE_BigInt>(p.index(i));
    HYPRE_BigInt columns[7];
    double values[7];
    int count = 0;
    columns[count] = here;
    values[count++] = row[0];
    for (int e = 1; e <= 2 * p.dimensions; ++e) {
      if (row[static_cast<std::size_t>(e)] == 0) continue;
      std::array<int, 3> there = i;
      there[static_cast<std::size_t>((e - 1) / 2)] += e % 2 == 1 ? -1 : 1;
      columns[count] = static_cast<HYPRE_BigInt>(p.index(there));
      values[count++] = row[static_cast<std::size_t>(e)];
    }
    HYPRE_IJMatrixSetValues(matrix, 1, &count, &here, columns, values);
  });
  HYPRE_IJMatrixAssemble(matrix);
  HYPRE_ParCSRMatrix a;
  HYPRE_IJMatrixGetObject(matrix, reinterpret_cast<void**>(&a));
  HYPRE_IJVector vectors[2];
  HYPRE_ParVector b, x;
  std::vector<double> values = negated(p.f);
  for (HYPRE_IJVector& v : vectors) {
    HYPRE_IJVectorCreate(MPI_COMM_WORLD, 0, n - 1, &v);
    HYPRE_IJVectorSetObjectType(v, HYPRE_PARCSR);
    HYPRE_IJVectorInitialize(v);
    HYPRE_IJVectorSetValues(v, static_cast<HYPRE_Int>(n), nullptr, values.data());
    HYPRE_IJVectorAssemble(v);
  }
  HYPRE_IJVectorGetObject(vectors[0], reinterpret_cast<void**>(&b));
  HYPRE_IJVectorGetObject(vectors[1], reinterpret_cast<void**>(&x));
  HYPRE_Solver amg, solver;
  Outcome outcome;
  outcome.setup_s = seconds_of([&] {
    HYPRE_BoomerAMGCreate(&amg);
    HYPRE_BoomerAMGSetCoarsenType(amg, 8);  // PMIS
    HYPRE_BoomerAMGSetInterpType(amg, 6);   // extended+i
    HYPRE_BoomerAMGSetPMaxElmts(amg, 4);
    HYPRE_BoomerAMGSetStrongThreshold(amg, p.dimensions > 2 ? 0.5 : 0.25);
    HYPRE_BoomerAMGSetRelaxType(amg, 6);  // symmetric hybrid Gauss-Seidel
    HYPRE_BoomerAMGSetTol(amg, 0.0);
    HYPRE_BoomerAMGSetMaxIter(amg, 1);
    HYPRE_ParCSRPCGCreate(MPI_COMM_WORLD, &solver);
    HYPRE_PCGSetTol(solver, kTolerance);
    HYPRE_PCGSetMaxIter(solver, kMostIterations);
    HYPRE_PCGSetTwoNorm(solver, 1);
    HYPRE_PCGSetPrecond(solver, reinterpret_cast<HYPRE_PtrToSolverFcn>(HYPRE_BoomerAMGSolve),
                        reinterpret_cast<HYPRE_PtrToSolverFcn>(HYPRE_BoomerAMGSetup), amg);
    HYPRE_ParCSRPCGSetup(solver, a, b, x);
  });
  time_solves(outcome, [&] {
    HYPRE_ParVectorSetConstantValues(x, 0.0);
    HYPRE_ParCSRPCGSolve(solver, a, b, x);
  });
  HYPRE_PCGGetNumIterations(solver, &outcome.iterations);
  std::vector<HYPRE_BigInt> all(p.unknowns());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<HYPRE_BigInt>(i);
  HYPRE_IJVectorGetValues(vectors[1], static_cast<HYPRE_Int>(n), all.data(), values.data());
  outcome.residual = p.residual(values);
  HYPRE_ParCSRPCGDestroy(solver);
  HYPRE_BoomerAMGDestroy(amg);
  for (HYPRE_IJVector& v : vectors) HYPRE_IJVectorDestroy(v);
  HYPRE_IJMatrixDestroy(matrix);
  return outcome;
}
#else
std::optional<Outcome> run_pfmg(const Problem&) {
  return {};
}
std::optional<Outcome> run_boomeramg(const Problem&) {
  return {};
}
#endif

}  // namespace neurolens::pde_bench
