// 2-D and 3-D Poisson solves beside their peers, one core, one run. See METHOD.md.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "neurolens/engines/pde/multigrid.hpp"
#include "neurolens/engines/pde/poisson.hpp"
#ifdef NEUROLENS_PEER_FFTW
#include <fftw3.h>
#endif
#ifdef NEUROLENS_PEER_CHOLMOD
#include <cholmod.h>
#endif
#ifdef NEUROLENS_PEER_HYPRE
#include <HYPRE.h>
#include <HYPRE_krylov.h>
#include <HYPRE_parcsr_ls.h>
#include <HYPRE_struct_ls.h>
#include <mpi.h>
#endif

namespace {

using namespace neurolens::pde;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Best of several runs, at least `least` seconds of them.
double best_seconds(const std::function<void()>& body, double least = 0.15) {
  body();
  double best = 1e300;
  double total = 0;
  for (int i = 0; i < 3 || (total < least && i < 2000); ++i) {
    const double start = now();
    body();
    const double t = now() - start;
    best = std::min(best, t);
    total += t;
  }
  return best;
}

struct Problem {
  int n;                  // intervals
  int m;                  // interior points per side
  std::vector<double> f;  // interior, row-major
  explicit Problem(int points)
      : n(points - 1), m(points - 2), f(static_cast<std::size_t>(m) * static_cast<std::size_t>(m)) {
    for (int j = 0; j < m; ++j)
      for (int i = 0; i < m; ++i) {
        const double x = (i + 1.0) / n - 0.5;
        const double y = (j + 1.0) / n - 0.5;
        f[static_cast<std::size_t>(j) * static_cast<std::size_t>(m) + static_cast<std::size_t>(i)] =
            std::exp(-40 * (x * x + y * y));
      }
  }
  // max |f - A u| / max |f| for the 5-point stencil, zero boundary.
  [[nodiscard]] double residual(const double* u) const {
    double worst = 0;
    const double s = static_cast<double>(n) * n;
    const auto at = [&](int i, int j) {
      return i < 0 || j < 0 || i >= m || j >= m
                 ? 0.0
                 : u[static_cast<std::size_t>(j) * static_cast<std::size_t>(m) +
                     static_cast<std::size_t>(i)];
    };
    for (int j = 0; j < m; ++j)
      for (int i = 0; i < m; ++i)
        worst =
            std::max(worst, std::fabs(f[static_cast<std::size_t>(j) * static_cast<std::size_t>(m) +
                                        static_cast<std::size_t>(i)] -
                                      s * (at(i - 1, j) + at(i + 1, j) + at(i, j - 1) +
                                           at(i, j + 1) - 4 * at(i, j))));
    return worst / *std::max_element(f.begin(), f.end());
  }
};

void row(const std::string& name, int points, int dimensions, double seconds, double residual,
         double megabytes) {
  const double unknowns = std::pow(points - 2.0, dimensions);
  fmt::print("{:<34} {:>5}^{} {:>10.2f} ns/unknown  residual {:>9}  {:>9}\n", name, points,
             dimensions, seconds / unknowns * 1e9,
             residual < 0 ? "-" : fmt::format("{:.1e}", residual),
             megabytes < 0 ? "-" : fmt::format("{:.1f} MB", megabytes));
  std::fflush(stdout);
}

void run_ours(const Problem& p, int points, std::size_t threads) {
  const Grid grid = Grid::unit(2, points);
  const Boundary zero = Boundary::all({ConditionKind::dirichlet, 0.0});
  Field f(grid);
  for (int j = 0; j < p.m; ++j)
    for (int i = 0; i < p.m; ++i)
      f.at(i + 1, j + 1) = p.f[static_cast<std::size_t>(j) * static_cast<std::size_t>(p.m) +
                               static_cast<std::size_t>(i)];
  Field u(grid);
  const auto interior = [&] {
    std::vector<double> v(p.f.size());
    for (int j = 0; j < p.m; ++j)
      for (int i = 0; i < p.m; ++i)
        v[static_cast<std::size_t>(j) * static_cast<std::size_t>(p.m) +
          static_cast<std::size_t>(i)] = u.at(i + 1, j + 1);
    return v;
  };
  const auto workers = threads > 1 ? make_thread_workers(threads) : nullptr;
  const auto plan = PoissonPlan::make(grid, zero);
  if (!plan.ok()) return;
  const Context context{workers.get(), nullptr};
  const double t = best_seconds([&] { (void)(*plan)->solve(f, zero, 0, u, context); });
  row(threads > 1 ? fmt::format("neurolens direct, {} threads", threads) : "neurolens direct",
      points, 2, t, p.residual(interior().data()),
      static_cast<double>((*plan)->bytes().count) * 1e-6);
  if (threads > 1) return;
  if (const auto four = PoissonPlan::make(grid, zero, 0, 4); four.ok())
    row("neurolens direct, order 4", points, 2,
        best_seconds([&] { (void)(*four)->solve(f, zero, 0, u); }), -1,
        static_cast<double>((*four)->bytes().count) * 1e-6);
  const ScalarData a = *ScalarData::parse("1+x*y");
  if (const auto mg = MultigridPlan::make(grid, zero, a, 0.0); mg.ok()) {
    Report report;
    const double tm = best_seconds([&] { (void)(*mg)->solve(f, zero, 0, u, {}, report); });
    row(fmt::format("neurolens multigrid a=1+xy, {} it", report.iterations), points, 2, tm,
        report.residual_relative, static_cast<double>((*mg)->bytes().count) * 1e-6);
  }
}

void run_ours_3d(int points) {
  const Grid grid = Grid::unit(3, points);
  const Boundary zero = Boundary::all({ConditionKind::dirichlet, 0.0});
  Field f(grid);
  for (std::size_t i = 0; i < f.values.size(); ++i)
    f.values[i] = std::sin(1e-3 * static_cast<double>(i));
  Field u(grid);
  const auto plan = PoissonPlan::make(grid, zero);
  if (!plan.ok()) return;
  const double t = best_seconds([&] { (void)(*plan)->solve(f, zero, 0, u); });
  const auto r = points <= 130 ? (*plan)->residual(f, zero, 0, u) : neurolens::Result<double>(-1.0);
  row("neurolens direct", points, 3, t, r.ok() ? *r : -1,
      static_cast<double>((*plan)->bytes().count) * 1e-6);
}

#ifdef NEUROLENS_PEER_FFTW
// DST-I along the rows, tridiagonal solves down the columns with tabulated factors, DST-I back.
void run_fftw(const Problem& p, int points) {
  const auto m = static_cast<std::size_t>(p.m);
  std::vector<double> u(m * m);
  std::vector<double> factor(m * m);
  const fftw_r2r_kind kind = FFTW_RODFT00;
  const int n = p.m;
  fftw_plan plan = fftw_plan_many_r2r(1, &n, p.m, u.data(), nullptr, 1, p.m, u.data(), nullptr, 1,
                                      p.m, &kind, points > 2000 ? FFTW_ESTIMATE : FFTW_MEASURE);
  std::vector<double> d(m);
  for (std::size_t k = 0; k < m; ++k) {
    const double s = std::sin(M_PI * static_cast<double>(k + 1) / (2.0 * p.n));
    d[k] = -2 - 4 * s * s;
    double before = 0;
    for (std::size_t j = 0; j < m; ++j) before = factor[j * m + k] = 1 / (d[k] - before);
  }
  const double scale = 1.0 / (static_cast<double>(p.n) * p.n * 2.0 * p.n);
  const double t = best_seconds([&] {
    for (std::size_t i = 0; i < m * m; ++i) u[i] = p.f[i] * scale;
    fftw_execute(plan);
    for (std::size_t k = 0; k < m; ++k) u[k] *= factor[k];
    for (std::size_t j = 1; j < m; ++j)
      for (std::size_t k = 0; k < m; ++k)
        u[j * m + k] = (u[j * m + k] - u[(j - 1) * m + k]) * factor[j * m + k];
    for (std::size_t j = m - 1; j-- > 0;)
      for (std::size_t k = 0; k < m; ++k) u[j * m + k] -= factor[j * m + k] * u[(j + 1) * m + k];
    fftw_execute(plan);
  });
  row("FFTW DST-I + tridiagonal", points, 2, t, p.residual(u.data()),
      static_cast<double>(m * m) * 8e-6);
  fftw_destroy_plan(plan);
}
#endif

#ifdef NEUROLENS_PEER_CHOLMOD
void run_cholmod(const Problem& p, int points) {
  if (points > 1100) return;
  cholmod_common c;
  cholmod_l_start(&c);
  const auto m = static_cast<std::size_t>(p.m);
  cholmod_triplet* t = cholmod_l_allocate_triplet(m * m, m * m, 3 * m * m, -1, CHOLMOD_REAL, &c);
  auto* ti = static_cast<SuiteSparse_long*>(t->i);
  auto* tj = static_cast<SuiteSparse_long*>(t->j);
  auto* tx = static_cast<double*>(t->x);
  std::size_t k = 0;
  const double s = static_cast<double>(p.n) * p.n;
  const auto put = [&](std::size_t i, std::size_t j, double v) {
    ti[k] = static_cast<SuiteSparse_long>(i);
    tj[k] = static_cast<SuiteSparse_long>(j);
    tx[k++] = v;
  };
  for (std::size_t j = 0; j < m; ++j)
    for (std::size_t i = 0; i < m; ++i) {
      put(j * m + i, j * m + i, 4 * s);
      if (i > 0) put(j * m + i, j * m + i - 1, -s);
      if (j > 0) put(j * m + i, (j - 1) * m + i, -s);
    }
  t->nnz = k;
  cholmod_sparse* a = cholmod_l_triplet_to_sparse(t, 0, &c);
  const double start = now();
  cholmod_factor* l = cholmod_l_analyze(a, &c);
  cholmod_l_factorize(a, l, &c);
  const double first = now() - start;
  cholmod_dense* b = cholmod_l_zeros(m * m, 1, CHOLMOD_REAL, &c);
  for (std::size_t i = 0; i < m * m; ++i) static_cast<double*>(b->x)[i] = -p.f[i];
  cholmod_dense* x = nullptr;
  const double solve = best_seconds([&] {
    if (x != nullptr) cholmod_l_free_dense(&x, &c);
    x = cholmod_l_solve(CHOLMOD_A, l, b, &c);
  });
  const double r = p.residual(static_cast<double*>(x->x));
  row("CHOLMOD first (factor + solve)", points, 2, first + solve, r, c.lnz * 8e-6);
  row("CHOLMOD repeated solve", points, 2, solve, r, c.lnz * 8e-6);
  cholmod_l_free_dense(&x, &c);
  cholmod_l_free_dense(&b, &c);
  cholmod_l_free_factor(&l, &c);
  cholmod_l_free_sparse(&a, &c);
  cholmod_l_free_triplet(&t, &c);
  cholmod_l_finish(&c);
}
#endif

#ifdef NEUROLENS_PEER_HYPRE
void run_pfmg(const Problem& p, int points) {
  if (points > 2000) return;
  HYPRE_StructGrid grid;
  HYPRE_StructGridCreate(MPI_COMM_WORLD, 2, &grid);
  int low[2] = {0, 0};
  int high[2] = {p.m - 1, p.m - 1};
  HYPRE_StructGridSetExtents(grid, low, high);
  HYPRE_StructGridAssemble(grid);
  HYPRE_StructStencil stencil;
  HYPRE_StructStencilCreate(2, 5, &stencil);
  int offsets[5][2] = {{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}};
  for (int e = 0; e < 5; ++e) HYPRE_StructStencilSetElement(stencil, e, offsets[e]);
  HYPRE_StructMatrix a;
  HYPRE_StructMatrixCreate(MPI_COMM_WORLD, grid, stencil, &a);
  HYPRE_StructMatrixInitialize(a);
  const auto count = static_cast<std::size_t>(p.m) * static_cast<std::size_t>(p.m);
  std::vector<double> values(5 * count);
  const double s = static_cast<double>(p.n) * p.n;
  for (std::size_t i = 0; i < count; ++i) {
    const auto x = static_cast<int>(i % static_cast<std::size_t>(p.m));
    const auto y = static_cast<int>(i / static_cast<std::size_t>(p.m));
    values[5 * i] = 4 * s;
    values[5 * i + 1] = x > 0 ? -s : 0;
    values[5 * i + 2] = x + 1 < p.m ? -s : 0;
    values[5 * i + 3] = y > 0 ? -s : 0;
    values[5 * i + 4] = y + 1 < p.m ? -s : 0;
  }
  int entries[5] = {0, 1, 2, 3, 4};
  HYPRE_StructMatrixSetBoxValues(a, low, high, 5, entries, values.data());
  HYPRE_StructMatrixAssemble(a);
  HYPRE_StructVector b, x;
  HYPRE_StructVectorCreate(MPI_COMM_WORLD, grid, &b);
  HYPRE_StructVectorCreate(MPI_COMM_WORLD, grid, &x);
  HYPRE_StructVectorInitialize(b);
  HYPRE_StructVectorInitialize(x);
  std::vector<double> rhs(count);
  for (std::size_t i = 0; i < count; ++i) rhs[i] = -p.f[i];
  std::vector<double> zero(count, 0.0);
  HYPRE_StructVectorSetBoxValues(b, low, high, rhs.data());
  HYPRE_StructVectorAssemble(b);
  HYPRE_StructSolver solver;
  HYPRE_StructPFMGCreate(MPI_COMM_WORLD, &solver);
  HYPRE_StructPFMGSetTol(solver, 1e-8);
  HYPRE_StructPFMGSetRelaxType(solver, 2);  // red-black
  HYPRE_StructPFMGSetMaxIter(solver, 50);
  HYPRE_StructPFMGSetup(solver, a, b, x);
  const double t = best_seconds([&] {
    HYPRE_StructVectorSetBoxValues(x, low, high, zero.data());
    HYPRE_StructVectorAssemble(x);
    HYPRE_StructPFMGSolve(solver, a, b, x);
  });
  std::vector<double> u(count);
  HYPRE_StructVectorGetBoxValues(x, low, high, u.data());
  row("hypre PFMG to 1e-8", points, 2, t, p.residual(u.data()), -1);
  HYPRE_StructPFMGDestroy(solver);
  HYPRE_StructVectorDestroy(x);
  HYPRE_StructVectorDestroy(b);
  HYPRE_StructMatrixDestroy(a);
  HYPRE_StructStencilDestroy(stencil);
  HYPRE_StructGridDestroy(grid);
}
#endif

}  // namespace

int main(int argc, char** argv) {
#ifdef NEUROLENS_PEER_HYPRE
  MPI_Init(&argc, &argv);
  HYPRE_Init();
#endif
  std::vector<int> sizes{40, 60, 80, 100, 127, 1023, 1024, 4096, 4097};
  std::vector<int> cubes{32, 64, 128, 256};
  if (argc > 1) {
    sizes.clear();
    cubes.clear();
    for (int i = 1; i < argc; ++i) {
      const int n = std::atoi(argv[i]);
      if (n < 0)
        cubes.push_back(-n);
      else if (n >= 3)
        sizes.push_back(n);
    }
  }
  for (const int points : sizes) {
    const Problem p(points);
    run_ours(p, points, 1);
    if (points >= 1000) run_ours(p, points, 2);
#ifdef NEUROLENS_PEER_FFTW
    run_fftw(p, points);
#else
    fmt::print("FFTW: not built in (libfftw3-dev was not found)\n");
#endif
#ifdef NEUROLENS_PEER_CHOLMOD
    run_cholmod(p, points);
#else
    fmt::print("CHOLMOD: not built in (libsuitesparse-dev was not found)\n");
#endif
#ifdef NEUROLENS_PEER_HYPRE
    run_pfmg(p, points);
#else
    fmt::print("hypre: not built in (libhypre-dev and MPI were not found)\n");
#endif
  }
  for (const int points : cubes) run_ours_3d(points);
#ifdef NEUROLENS_PEER_HYPRE
  HYPRE_Finalize();
  MPI_Finalize();
#endif
  return 0;
}
