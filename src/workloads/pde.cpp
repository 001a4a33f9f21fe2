// Solvers of engines/pde as workloads.
#include <fmt/format.h>

#include <optional>

#include "neurolens/base/text.hpp"
#include "neurolens/engines/pde/elliptic.hpp"
#include "neurolens/engines/pde/solve.hpp"
#include "neurolens/workloads/pde.hpp"
#include "options.hpp"

namespace neurolens::workloads {
namespace {

/// Phases of the engine, told to a recorder of capture.
class Bridge final : public pde::PhaseObserver {
 public:
  explicit Bridge(capture::PhaseRecorder& recorder) : recorder_(recorder) {}
  void begin(std::string_view name) override { recorder_.begin(name); }
  void end(std::string_view, pde::PhaseCost cost) override {
    recorder_.end({0, cost.flops.count, cost.bytes.count});
  }

 private:
  capture::PhaseRecorder& recorder_;
};

/// "80" -> "80x80" for two dimensions; "80x40" stays.
std::string points_text(const std::string& n, std::int64_t dimensions) {
  if (n.find('x') != std::string::npos) return n;
  std::string out = n;
  for (std::int64_t d = 1; d < dimensions; ++d) out += "x" + n;
  return out;
}

/// What stationary and time-dependent workloads share: threads, and the observer of an iteration.
class Solver : public capture::EngineWorkload {
 public:
  Solver(std::string name, const Options& options, std::int64_t threads,
         std::string precision = "f64")
      : precision_(std::move(precision)),
        name_(std::move(name)),
        options_(options.all()),
        threads_(threads),
        workers_(threads > 1 ? pde::make_thread_workers(static_cast<std::size_t>(threads))
                             : nullptr) {}

  Status iterate(capture::PhaseRecorder* recorder) final {
    pde::Context context;
    context.workers = workers_.get();
    std::optional<Bridge> bridge;
    if (recorder != nullptr) context.observer = &bridge.emplace(*recorder);
    return solve(context);
  }

  [[nodiscard]] capture::EngineFacts facts() const final {
    capture::EngineFacts out;
    out.name = name_;
    out.precision = precision_;
    out.threads = threads_;
    out.options = options_;
    return out;
  }

 private:
  virtual Status solve(const pde::Context& context) = 0;

  std::string precision_;
  std::string name_;
  std::map<std::string, std::string> options_;
  std::int64_t threads_;
  std::unique_ptr<pde::Workers> workers_;
};

class Poisson final : public Solver {
 public:
  Poisson(std::string name, const Options& options, std::int64_t threads,
          pde::EllipticProblem problem, pde::EllipticOptions how, bool cached, bool narrow)
      : Solver(std::move(name), options, threads, narrow ? "f32" : "f64"),
        problem_(std::move(problem)),
        how_(how),
        narrow_(narrow) {
    if (cached) how_.cache = &cache_;
  }

 private:
  Status solve(const pde::Context& context) override {
    if (narrow_) return pde::solve_elliptic_f32(problem_, how_, context).status();
    return pde::solve_elliptic(problem_, how_, context).status();
  }

  pde::EllipticProblem problem_;
  pde::EllipticOptions how_;
  bool narrow_;
  pde::PlanCache cache_;
};

Status read_method(const std::string& text, pde::EllipticOptions& how) {
  if (text == "auto") return {};
  if (text == "direct") {
    how.method = pde::EllipticMethod::direct;
    return {};
  }
  if (text == "mg" || text == "pcg") {
    how.method = pde::EllipticMethod::multigrid;
    how.multigrid.conjugate_gradient = text == "pcg";
    return {};
  }
  return Error{Errc::bad_request,
               fmt::format("`method` is auto, direct, mg or pcg, not \"{}\".", printable(text)),
               ""};
}

Result<std::unique_ptr<capture::EngineWorkload>> make_poisson(const std::string& name,
                                                              const Options& options) {
  NEUROLENS_ASSIGN(const auto dimensions, options.integer("dim", 1, 3));
  NEUROLENS_ASSIGN(const auto threads, options.integer("threads", 1, 1024));
  NEUROLENS_ASSIGN(const auto order, options.integer("order", 2, 4));
  pde::EllipticProblem problem;
  NEUROLENS_ASSIGN(problem.grid, pde::parse_grid(points_text(options.text("n"), dimensions),
                                                 options.text("domain")));
  problem.boundary = pde::Boundary::all({pde::ConditionKind::dirichlet, 0.0});
  NEUROLENS_TRY(pde::parse_boundary(options.text("bc"), problem.grid.dimensions, problem.boundary));
  NEUROLENS_ASSIGN(problem.source, pde::ScalarData::parse(options.text("source")));
  NEUROLENS_ASSIGN(problem.coefficient, pde::ScalarData::parse(options.text("coefficient")));
  problem.order = static_cast<int>(order);
  pde::EllipticOptions how;
  how.estimate_error = false;  // one more solve, of another grid
  NEUROLENS_TRY(read_method(options.text("method"), how));
  const std::string& plan = options.text("plan");
  if (plan != "cached" && plan != "fresh") {
    return Error{Errc::bad_request, "`plan` is cached or fresh.", ""};
  }
  NEUROLENS_ASSIGN(const auto precision, options.choice("precision", {"f64", "f32"}));
  return std::unique_ptr<capture::EngineWorkload>(std::make_unique<Poisson>(
      name, options, threads, std::move(problem), how, plan == "cached", precision == 1));
}

class Evolution final : public Solver {
 public:
  Evolution(std::string name, const Options& options, std::int64_t threads,
            pde::SolveRequest request)
      : Solver(std::move(name), options, threads), request_(std::move(request)) {}

 private:
  Status solve(const pde::Context& context) override {
    return pde::run_solve(request_, context).status();
  }

  pde::SolveRequest request_;
};

/// A request of the command line, solved anew in every iteration.
class Solve final : public capture::EngineWorkload {
 public:
  Solve(pde::SolveRequest request, const pde::Context& context,
        std::map<std::string, std::string> options, std::optional<pde::SolveAnswer>& answer)
      : request_(std::move(request)),
        context_(context),
        options_(std::move(options)),
        answer_(answer) {}

  Status iterate(capture::PhaseRecorder* recorder) override {
    pde::Context context = context_;
    std::optional<Bridge> bridge;
    if (recorder != nullptr) context.observer = &bridge.emplace(*recorder);
    NEUROLENS_ASSIGN(pde::SolveAnswer fresh, pde::run_solve(request_, context));
    // A repetition that was stopped half way does not replace a whole answer.
    if (!answer_ || !fresh.stopped) answer_ = std::move(fresh);
    return {};
  }

  [[nodiscard]] capture::EngineFacts facts() const override {
    capture::EngineFacts out;
    out.name = "pde:" + request_.equation;
    out.precision = request_.precision;
    out.threads =
        context_.workers != nullptr ? static_cast<std::int64_t>(context_.workers->count()) : 1;
    out.options = options_;
    return out;
  }

 private:
  pde::SolveRequest request_;
  pde::Context context_;
  std::map<std::string, std::string> options_;
  std::optional<pde::SolveAnswer>& answer_;
};

Result<std::unique_ptr<capture::EngineWorkload>> make_ode(const std::string& name,
                                                          const Options& options) {
  pde::SolveRequest request;
  request.equation = "ode";
  for (const std::string_view part : split(options.text("system"), ';'))
    request.derivatives.emplace_back(part);
  request.initial = options.text("initial");
  request.method = options.text("method");
  request.times = options.text("t");
  NEUROLENS_ASSIGN(request.tolerance, options.number("tolerance", 0, 0.1));
  return std::unique_ptr<capture::EngineWorkload>(
      std::make_unique<Evolution>(name, options, 1, std::move(request)));
}

Result<std::unique_ptr<capture::EngineWorkload>> make_evolution(const std::string& name,
                                                                const Options& options) {
  NEUROLENS_ASSIGN(const auto dimensions, options.integer("dim", 1, 3));
  NEUROLENS_ASSIGN(const auto threads, options.integer("threads", 1, 1024));
  pde::SolveRequest request;
  request.equation = name.substr(name.find(':') + 1);
  request.points = points_text(options.text("n"), dimensions);
  request.domain = options.text("domain");
  request.boundary = {options.text("bc")};
  request.initial = options.text("initial");
  request.coefficient = options.text("coefficient");
  request.method = options.text("method");
  request.times = options.text("t");
  NEUROLENS_ASSIGN(request.step, options.number("step", 0, 1e9));
  if (request.equation == "advection-diffusion") request.velocity = options.text("velocity");
  request.estimate_error = false;
  return std::unique_ptr<capture::EngineWorkload>(
      std::make_unique<Evolution>(name, options, threads, std::move(request)));
}

}  // namespace

std::unique_ptr<capture::EngineWorkload> make_solve(pde::SolveRequest request,
                                                    const pde::Context& context,
                                                    std::map<std::string, std::string> options,
                                                    std::optional<pde::SolveAnswer>& answer) {
  return std::make_unique<Solve>(std::move(request), context, std::move(options), answer);
}

std::vector<Kind> pde_kinds() {
  const std::map<std::string, std::string> in_time{{"n", "80"},
                                                   {"dim", "2"},
                                                   {"domain", ""},
                                                   {"bc", "dirichlet=0"},
                                                   {"initial", "sin(pi*x)"},
                                                   {"coefficient", "1"},
                                                   {"method", "auto"},
                                                   {"t", "0.1"},
                                                   {"step", "0"},
                                                   {"threads", "1"}};
  auto moving = in_time;
  moving["velocity"] = "1";
  auto smooth = in_time;  // steep fronts need small steps: a gentler default
  smooth["coefficient"] = "0.05";
  smooth["step"] = "0.005";
  std::vector<Kind> kinds;
  kinds.push_back({{"pde:poisson",
                    "laplacian(u) = source on a box: plan, source, boundary, solve, residual",
                    {{"n", "80"},
                     {"dim", "2"},
                     {"domain", ""},
                     {"bc", "dirichlet=0"},
                     {"source", "sin(pi*x)"},
                     {"coefficient", "1"},
                     {"order", "2"},
                     {"method", "auto"},
                     {"plan", "cached"},
                     {"precision", "f64"},
                     {"threads", "1"}}},
                   make_poisson});
  kinds.push_back(
      {{"pde:heat", "heat equation from `initial` to time `t`", in_time}, make_evolution});
  kinds.push_back(
      {{"pde:wave", "wave equation from `initial` to time `t`", in_time}, make_evolution});
  kinds.push_back(
      {{"pde:advection-diffusion", "transport and diffusion to time `t`", moving}, make_evolution});
  kinds.push_back(
      {{"pde:burgers", "viscous Burgers equation to time `t`", smooth}, make_evolution});
  kinds.push_back({{"pde:ode",
                    "a system of ordinary differential equations to time `t`",
                    {{"system", "x=10*(y-x);y=x*(28-z)-y;z=x*y-8/3*z"},
                     {"initial", "x=1,y=1,z=1"},
                     {"method", "auto"},
                     {"tolerance", "1e-6"},
                     {"t", "10"}}},
                   make_ode});
  return kinds;
}

}  // namespace neurolens::workloads
