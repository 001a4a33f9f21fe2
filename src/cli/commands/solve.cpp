#include "neurolens/engines/pde/solve.hpp"

#include <fmt/format.h>

#include <cmath>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/engines/pde/field_io.hpp"
#include "neurolens/run/run.hpp"
#include "neurolens/workloads/pde.hpp"

namespace neurolens::cli {
namespace {

enum class Family : std::uint8_t { stationary, evolution, ode, bvp };

// ode and bvp: a head line and a row per time.
std::string table_csv(const pde::SolveAnswer& answer, std::string_view independent) {
  std::string text(independent);
  for (const std::string& name : answer.columns) text += "," + name;
  text += "\n";
  for (std::size_t i = 0; i < answer.table.size(); ++i) {
    text += shortest(answer.times[i]);
    for (const double value : answer.table[i]) text += "," + shortest(value);
    text += "\n";
  }
  return text;
}

class Solve final : public Command {
 public:
  Solve(Family family, std::string equation, std::string summary, std::string example)
      : family_(family), summary_(std::move(summary)), example_(std::move(example)) {
    request_.equation = std::move(equation);
    if (family == Family::bvp) request_.points = "33";
  }

  [[nodiscard]] std::string name() const override { return "solve " + request_.equation; }
  [[nodiscard]] std::string summary() const override { return summary_; }

  void declare(Options& options) override {
    switch (family_) {
      case Family::stationary:
        declare_stationary(options);
        break;
      case Family::evolution:
        declare_evolution(options);
        break;
      case Family::ode:
        declare_ode(options);
        break;
      case Family::bvp:
        declare_bvp(options);
        break;
    }
    options.value(
        "--exact", "EXPR", request_.exact,
        is_system() ? "Exact first component, for error_max" : "Exact solution, for error_max");
    options.value("--convergence", "LEVELS", levels_,
                  family_ == Family::ode ? "Table of errors over 2 to 8 tolerances, against --exact"
                                         : "Table of errors over 2 to 8 grids, against --exact");
    options.flag("--no-estimate", no_estimate_, "Leave out the estimate of the error");
    options.value("--tolerance", "TOL", tolerance_, "Of iterations and step control");
    options.value("-o,--output", "FILE", output_,
                  is_system()                    ? "Write the table, .csv"
                  : family_ == Family::evolution ? "Write the states, .npy: times first if several"
                                                 : "Write the solution, .npy");
    options.value("--plot", "FILE", plot_,
                  is_system() ? "Draw the components, .svg" : "Draw the last state, .svg or .png");
    options.value("--run", "RUN", run_,
                  "Also keep the phases as a Run: solves again for up to a second, at least twice");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example(example_);
  }

  Result<int> run(Context& context) override {
    NEUROLENS_TRY(check());
    for (const auto& path : {output_, plot_, run_}) {
      if (path) NEUROLENS_TRY(check_writable(context, *path));
    }
    request_.want_svg = plot_ && plot_->ends_with(".svg");
    request_.want_png = plot_ && plot_->ends_with(".png");
    NEUROLENS_ASSIGN(const pde::SolveAnswer answer, solve(context));
    if (output_) {
      NEUROLENS_TRY(context.files.write_atomic(
          *output_, is_system() ? table_csv(answer, family_ == Family::ode ? "t" : "x")
                    : answer.states_f32.empty() ? pde::to_npy(answer.states)
                                                : pde::to_npy(answer.states_f32)));
    }
    if (plot_) {
      NEUROLENS_TRY(
          context.files.write_atomic(*plot_, request_.want_svg ? answer.svg : answer.png));
    }
    if (run_ && !measured_)
      context.terminal.err(
          fmt::format("neurolens: stopped; {} was not written\n", printable(*run_)));
    if (json_) {
      context.terminal.out(answer.json + "\n");
      return kDone;
    }
    std::string text = answer.text;
    if (output_) text += fmt::format("solution: {}\n", printable(*output_));
    if (plot_) text += fmt::format("plot: {}\n", printable(*plot_));
    if (measured_) {
      text +=
          fmt::format("run: {}\nnext: neurolens summary {}\n", printable(*run_), printable(*run_));
    }
    context.terminal.out(text);
    return kDone;
  }

 private:
  [[nodiscard]] bool is_system() const { return family_ == Family::ode || family_ == Family::bvp; }

  void declare_field(Options& options) {
    options.value("--n", "N[xN[xN]]", request_.points, "Points per axis, boundary included");
    options.value("--domain", "A:B[xA:B]", request_.domain, "Ends per axis (default: 0:1 each)");
    options.value("--source", "EXPR", request_.source,
                  "Right-hand side, in x, y, z, t (default: 0)");
    options.values("--bc", "[FACE:]KIND=EXPR", request_.boundary,
                   "Boundary: dirichlet, neumann, robin(A,B) or periodic on all (default), xmin, "
                   "..., or an axis; later ones win");
    options.value("--coefficient", "EXPR", request_.coefficient,
                  family_ == Family::stationary ? "a of div(a grad u) (default: 1)"
                                                : "Diffusivity (default: 1)");
    options.choice("--precision", {"f64", "f32"}, request_.precision,
                   family_ == Family::stationary
                       ? "Numbers of source, solution and -o; f32: half the memory, 7 digits"
                       : "f64; f32 is there for poisson only");
    options.value("--threads", "N", threads_,
                  "Threads (default: 1); the result does not depend on them");
  }
  void declare_stationary(Options& options) {
    declare_field(options);
    options.value("--reaction", "EXPR", request_.reaction, "c of ... + c u (default: 0)");
    options.choice("--method", {"auto", "direct", "dst", "multigrid", "mg", "pcg"}, request_.method,
                   "How it is solved; dst is direct, mg is multigrid");
    options.choice("--order", {"2", "4"}, order_, "Order of the stencil");
    options.flag("--cuda", request_.cuda, "Use a GPU where there is one");
  }
  void declare_times(Options& options) {
    options.value("--times", "T,T|A:B:COUNT", request_.times, "Output times (default: 1)");
    options.value("--step", "DT", step_, "Step, or the first one (default: chosen)");
  }
  void declare_evolution(Options& options) {
    declare_field(options);
    options.value("--initial", "EXPR", request_.initial, "u at t = 0 (default: 0)");
    std::vector<std::string> methods{"auto", "sdirk", "rk4", "rk3"};
    if (request_.equation == "wave") {
      options.value("--initial-velocity", "EXPR", request_.initial_velocity,
                    "du/dt at t = 0 (default: 0)");
      options.value("--speed", "C", speed_, "Speed of the waves (default: 1)");
      methods = {"auto", "exact", "leapfrog"};
    } else if (request_.equation == "heat") {
      methods = {"auto", "exact", "tr-bdf2", "sdirk", "rk4", "rk3"};
    } else if (request_.equation == "advection-diffusion") {
      options.value("--velocity", "V[,V[,V]]", request_.velocity, "Velocity (default: 0)");
    }
    options.choice("--method", std::move(methods), request_.method, "How time is stepped");
    declare_times(options);
  }
  // What ode and bvp share; `independent` is t or x.
  void declare_system(Options& options, const char* independent) {
    options.values("--derivative", "NAME=EXPR", request_.derivatives,
                   fmt::format("Derivative of a component, in {} and the components; once for each",
                               independent));
  }
  void declare_ode(Options& options) {
    declare_system(options, "t");
    options.value("--initial", "NAME=VALUE,...", request_.initial, "Values at the start");
    options.value("--start", "T", start_, "Time of the start (default: 0)");
    options.values("--event", "EXPR", request_.conditions, "Report where this passes zero");
    options.choice("--method", {"auto", "dormand-prince", "adams", "bdf"}, request_.method,
                   "How time is stepped");
    declare_times(options);
  }
  void declare_bvp(Options& options) {
    declare_system(options, "x");
    options.values("--condition", "EXPR", request_.conditions,
                   "Must be zero, in NAME_a and NAME_b; one for each component");
    options.value("--initial", "NAME=EXPR,...", request_.initial, "First guess (default: 0)");
    options.value("--n", "N", request_.points, "Points of the first mesh");
    options.value("--domain", "A:B", request_.domain, "Ends (default: 0:1)");
  }

  Status check() {
    const auto positive = [](const std::optional<double>& given, double& target, const char* name) {
      if (!given) return Status{};
      if (!(*given > 0) || !std::isfinite(*given))
        return Status{Error{Errc::out_of_range, "A positive number is needed.", name}};
      target = *given;
      return Status{};
    };
    NEUROLENS_TRY(positive(tolerance_, request_.tolerance, "--tolerance"));
    NEUROLENS_TRY(positive(step_, request_.step, "--step"));
    NEUROLENS_TRY(positive(speed_, request_.wave_speed, "--speed"));
    if (start_) {
      if (!std::isfinite(*start_))
        return Error{Errc::out_of_range, "The start is a finite time.", "--start"};
      request_.domain = shortest(*start_);
    }
    if (threads_.value_or(1) < 1 || threads_.value_or(1) > 1024)
      return Error{Errc::out_of_range, "The number of threads must lie in [1, 1024].", "--threads"};
    if (levels_) {
      if (*levels_ < 2 || *levels_ > 8)
        return Error{Errc::out_of_range, "A table has 2 to 8 grids.", "--convergence"};
      if (request_.exact.empty())
        return Error{Errc::bad_request, "Errors need the solution: add --exact EXPR.",
                     "--convergence"};
      request_.convergence = static_cast<int>(*levels_);
    }
    if (family_ == Family::bvp && request_.points.find('x') != std::string::npos)
      return Error{Errc::bad_request, "A boundary-value problem has one axis: write --n 33.",
                   "--n"};
    request_.order = order_ == "4" ? 4 : 2;
    request_.estimate_error = !no_estimate_;
    return check_files();
  }

  // By its ending a file says what it holds, so any other ending is a mistake.
  [[nodiscard]] Status check_files() const {
    const std::string ending = is_system() ? ".csv" : ".npy";
    if (output_ && !output_->ends_with(ending))
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" must end in {}.", printable(*output_), ending), "--output"};
    if (!plot_ || plot_->ends_with(".svg") || (!is_system() && plot_->ends_with(".png"))) return {};
    return Error{
        Errc::bad_request,
        fmt::format("\"{}\" must end in .svg{}.", printable(*plot_), is_system() ? "" : " or .png"),
        "--plot"};
  }

  // The answer; with --run also the Run, written.
  Result<pde::SolveAnswer> solve(Context& context) {
    const auto threads = static_cast<std::size_t>(threads_.value_or(1));
    const auto workers = threads > 1 ? pde::make_thread_workers(threads) : nullptr;
    const pde::Context how{workers.get(), nullptr, context.attention};
    if (!run_) return pde::run_solve(request_, how);
    std::optional<pde::SolveAnswer> answer;
    const auto workload = workloads::make_solve(request_, how, settings(), answer);
    const capture::ProgramFacts facts = facts_of(context);
    capture::EngineOptions options;
    options.warmup = 0;
    options.time_limit = Nanoseconds{1'000'000'000};
    options.attention = context.attention;
    const auto measured = capture::profile_engine(*workload, options, facts, context.clock);
    if (measured.ok()) {
      NEUROLENS_TRY(run::write_file(context.files, *run_, *measured));
      measured_ = true;
    } else if (!answer || measured.error().code != Errc::cancelled) {
      return measured.error();
    }
    return std::move(*answer);
  }

  // What the Run says of the request: everything that is not empty.
  [[nodiscard]] std::map<std::string, std::string> settings() const {
    std::map<std::string, std::string> out;
    const auto put = [&](const char* key, const std::string& value) {
      if (!value.empty()) out[key] = to_valid_utf8(value);
    };
    const auto put_all = [&](const char* key, const std::vector<std::string>& values) {
      std::string joined;
      for (const std::string& v : values) joined += (joined.empty() ? "" : ";") + v;
      put(key, joined);
    };
    put("n", is_system() && family_ == Family::ode ? "" : request_.points);
    put("domain", request_.domain);
    put("source", request_.source);
    put("coefficient", request_.coefficient);
    put("reaction", request_.reaction);
    put("initial", request_.initial);
    put("initial_velocity", request_.initial_velocity);
    put("velocity", request_.velocity);
    put("method", request_.method);
    if (request_.precision != "f64") put("precision", request_.precision);
    put("times", request_.times);
    put_all("bc", request_.boundary);
    put_all("system", request_.derivatives);
    put_all("conditions", request_.conditions);
    return out;
  }

  Family family_;
  std::string summary_, example_;
  pde::SolveRequest request_;
  std::string order_ = "2";
  std::optional<double> tolerance_, step_, speed_, start_;
  std::optional<std::int64_t> threads_, levels_;
  std::optional<std::string> output_, plot_, run_;
  bool no_estimate_ = false, json_ = false, measured_ = false;
};

}  // namespace

std::unique_ptr<Command> make_solve_poisson() {
  return std::make_unique<Solve>(Family::stationary, "poisson",
                                 "solve div(a grad u) + c u = f on a box",
                                 "neurolens solve poisson --n 80x80 --domain -1:1x-1:1 --source "
                                 "\"exp(-40*((x-.3)^2+(y-.5)^2))\" --bc dirichlet=0 --plot u.png");
}
std::unique_ptr<Command> make_solve_heat() {
  return std::make_unique<Solve>(Family::evolution, "heat", "solve u_t = div(k grad u) + s",
                                 "neurolens solve heat --n 65x65 --initial \"sin(pi*x)*sin(pi*y)\" "
                                 "--times 0.01,0.1 -o heat.npy");
}
std::unique_ptr<Command> make_solve_wave() {
  return std::make_unique<Solve>(Family::evolution, "wave", "solve u_tt = c^2 laplacian(u) + s",
                                 "neurolens solve wave --n 65x65 --initial \"sin(pi*x)*sin(pi*y)\" "
                                 "--times 0:1:11 --plot wave.png");
}
std::unique_ptr<Command> make_solve_advection_diffusion() {
  return std::make_unique<Solve>(
      Family::evolution, "advection-diffusion", "solve u_t + v.grad u = k laplacian(u) + s",
      "neurolens solve advection-diffusion --n 101 --bc x:periodic --initial \"sin(2*pi*x)\" "
      "--velocity 1 --coefficient 0.01");
}
std::unique_ptr<Command> make_solve_burgers() {
  return std::make_unique<Solve>(Family::evolution, "burgers", "solve the equation of Burgers",
                                 "neurolens solve burgers --n 129 --bc x:periodic --initial "
                                 "\"sin(2*pi*x)\" --coefficient 0.05 --plot burgers.svg");
}
std::unique_ptr<Command> make_solve_ode() {
  return std::make_unique<Solve>(Family::ode, "ode", "integrate ordinary differential equations",
                                 "neurolens solve ode --derivative x=v --derivative v=-x "
                                 "--initial x=0,v=1 --times 0:10:101 --plot x.svg");
}
std::unique_ptr<Command> make_solve_bvp() {
  return std::make_unique<Solve>(Family::bvp, "bvp", "solve a boundary-value problem",
                                 "neurolens solve bvp --derivative u=w --derivative w=-u "
                                 "--condition u_a --condition u_b-1 --plot u.svg");
}

}  // namespace neurolens::cli
