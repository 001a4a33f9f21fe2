// CHOLMOD: sparse Cholesky of -A with its default ordering and supernodes.
#include "peers.hpp"
#ifdef NEUROLENS_PEER_CHOLMOD
#include <cholmod.h>
#endif

namespace neurolens::pde_bench {

#ifdef NEUROLENS_PEER_CHOLMOD
namespace {

cholmod_sparse* matrix_of(const Problem& p, cholmod_common* c) {
  const std::size_t n = p.unknowns();
  cholmod_triplet* t = cholmod_l_allocate_triplet(
      n, n, (static_cast<std::size_t>(p.dimensions) + 1) * n, -1, CHOLMOD_REAL, c);
  std::size_t count = 0;
  const auto put = [&](std::size_t i, std::size_t j, double value) {
    static_cast<SuiteSparse_long*>(t->i)[count] = static_cast<SuiteSparse_long>(i);
    static_cast<SuiteSparse_long*>(t->j)[count] = static_cast<SuiteSparse_long>(j);
    static_cast<double*>(t->x)[count++] = value;
  };
  p.each([&](std::array<int, 3> i) {  // lower triangle
    double diagonal = 0;
    for (int a = 0; a < p.dimensions; ++a) {
      diagonal += p.face(i, a, -1) + p.face(i, a, 1);
      std::array<int, 3> before = i;
      before[static_cast<std::size_t>(a)] -= 1;
      if (p.inside(before)) put(p.index(i), p.index(before), -p.face(i, a, -1));
    }
    put(p.index(i), p.index(i), diagonal);
  });
  t->nnz = count;
  cholmod_sparse* a = cholmod_l_triplet_to_sparse(t, 0, c);
  cholmod_l_free_triplet(&t, c);
  return a;
}

}  // namespace

std::optional<Outcome> run_cholmod(const Problem& p, bool first) {
  cholmod_common c;
  cholmod_l_start(&c);
  cholmod_sparse* a = matrix_of(p, &c);
  cholmod_dense* b = cholmod_l_zeros(p.unknowns(), 1, CHOLMOD_REAL, &c);
  for (std::size_t i = 0; i < p.unknowns(); ++i) static_cast<double*>(b->x)[i] = -p.f[i];
  cholmod_factor* factor = nullptr;
  cholmod_dense* x = nullptr;
  const auto factorise = [&] {
    if (factor != nullptr) cholmod_l_free_factor(&factor, &c);
    factor = cholmod_l_analyze(a, &c);
    cholmod_l_factorize(a, factor, &c);
  };
  Outcome outcome;
  outcome.setup_s = seconds_of(factorise);
  const auto solve = [&] {
    if (first) factorise();
    if (x != nullptr) cholmod_l_free_dense(&x, &c);
    x = cholmod_l_solve(CHOLMOD_A, factor, b, &c);
  };
  time_solves(outcome, solve);
  const auto* value = static_cast<const double*>(x->x);
  outcome.residual = p.residual(std::vector<double>(value, value + p.unknowns()));
  cholmod_l_free_dense(&x, &c);
  cholmod_l_free_dense(&b, &c);
  cholmod_l_free_factor(&factor, &c);
  cholmod_l_free_sparse(&a, &c);
  cholmod_l_finish(&c);
  return outcome;
}
#else
std::optional<Outcome> run_cholmod(const Problem&, bool) {
  return {};
}
#endif

}  // namespace neurolens::pde_bench
