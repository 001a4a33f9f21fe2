// The solve commands: known answers, files, JSON by its schema, and what bad input gets.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "json_schema.hpp"
#include "neurolens/base/json.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

using Words = std::vector<std::string>;

class SolveProgram : public test_support::ProgramTest {
 protected:
  /// Runs `solve WORDS --json`; the document, checked against its schema where that is possible.
  json::Value solved(Words words) {
    words.insert(words.begin(), "solve");
    words.emplace_back("--json");
    const auto outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    expect_schema(outcome.out);
    auto tree = json::parse(outcome.out);
    EXPECT_TRUE(tree.ok()) << outcome.out;
    return tree.ok() ? *tree : json::Value{};
  }
  void expect_schema(const std::string& document) {
    const std::string fault = test_support::schema_fault("schema/solve.schema.json", document);
    EXPECT_TRUE(fault.empty() || fault == "skip") << fault << document;
  }
  /// One sentence with `part`, the exit status, no file left behind.
  void expect_refusal(Words words, const std::string& part, int status = 2) {
    words.insert(words.begin(), "solve");
    const auto outcome = run(words);
    EXPECT_EQ(outcome.status, status) << part << ": " << outcome.out << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("neurolens: ")) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_TRUE(names().empty());
  }
};

double number(const json::Value& v, std::string_view key) {
  return v.find(key) != nullptr ? v.find(key)->as_double().value_or(NAN) : NAN;
}
std::string text(const json::Value& v, std::string_view key) {
  return v.find(key) != nullptr && v.find(key)->as_string() != nullptr ? *v.find(key)->as_string()
                                                                       : "";
}
double value_at(const std::string& npy, std::size_t index_from_end) {
  double value = NAN;
  std::memcpy(&value, npy.data() + npy.size() - index_from_end * sizeof value, sizeof value);
  return value;
}

const Words kKnown{"poisson",
                   "--n",
                   "80x80",
                   "--domain",
                   "-1:1x-1:1",
                   "--source",
                   "-2*pi^2*sin(pi*x)*sin(pi*y)",
                   "--exact",
                   "sin(pi*x)*sin(pi*y)"};

Words known_with(const Words& more) {
  Words words = kKnown;
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_F(SolveProgram, PoissonMeetsItsKnownAnswer) {
  const json::Value v = solved(kKnown);
  EXPECT_EQ(text(v, "method"), "direct");
  EXPECT_EQ(number(v, "unknowns"), 78 * 78);
  EXPECT_LT(number(v, "residual_relative"), 1e-11);
  // The leading term: (pi h)^2 / 12 with h = 2/79.
  const double expected = std::pow(std::acos(-1.0) * 2 / 79, 2) / 12;
  EXPECT_NEAR(number(v, "error_max") / expected, 1, 0.02);
  EXPECT_NEAR(number(v, "error_estimate") / number(v, "error_max"), 1, 0.1);
  EXPECT_GT(number(v, "time_ns"), 0);
  EXPECT_LT(number(solved(known_with({"--order", "4"})), "error_max"), 1e-5);
  const json::Value mg = solved(known_with({"--method", "mg", "--no-estimate"}));
  EXPECT_EQ(text(mg, "method"), "multigrid");
  EXPECT_GT(number(mg, "iterations"), 0);
  EXPECT_TRUE(mg.find("error_estimate")->is_null());
  EXPECT_TRUE(solved({"poisson", "--n", "9x9"}).find("error_max")->is_null());
}

TEST_F(SolveProgram, SinglePrecisionIsWrittenAsSuchAndSaysSo) {
  const json::Value v = solved(known_with({"--precision", "f32", "-o", "u.npy"}));
  EXPECT_EQ(text(v, "precision"), "f32");
  EXPECT_NEAR(number(v, "error_max") / number(solved(kKnown), "error_max"), 1, 0.01);
  EXPECT_GT(number(v, "residual_relative"), 1e-8);  // what rounding u leaves
  EXPECT_LT(number(v, "residual_relative"), 1e-4);
  EXPECT_TRUE(v.find("residual_unrounded")->is_null());
  const std::string npy = read("u.npy");
  EXPECT_NE(npy.find("'<f4'"), std::string::npos);
  EXPECT_EQ(npy.size() % 64, 80 * 80 * 4 % 64);
  const json::Value mg = solved(known_with({"--precision", "f32", "--method", "mg"}));
  EXPECT_LE(number(mg, "residual_unrounded"), 1e-8);
  EXPECT_EQ(text(solved(kKnown), "precision"), "f64");
}

TEST_F(SolveProgram, TheConvergenceTableShowsTheOrder) {
  const json::Value v = solved(known_with({"--convergence", "3"}));
  const auto* rows = v.find("convergence")->as_array();
  ASSERT_EQ(rows->size(), 3U);
  EXPECT_NEAR(number(rows->at(2), "order"), 2, 0.1);
}

TEST_F(SolveProgram, FieldsAndPlotsAreWrittenWhole) {
  const auto outcome = run({"solve", "poisson", "--n", "9x17", "--source", "-4", "--bc",
                            "dirichlet=-x^2-y^2", "-o", "u.npy", "--plot", "u.svg"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("solution: u.npy\nplot: u.svg\n"), std::string::npos) << outcome.out;
  const std::string npy = read("u.npy");
  EXPECT_NE(npy.find("'shape': (17, 9)"), std::string::npos);
  EXPECT_NEAR(value_at(npy, 1), -2, 1e-12);            // x = y = 1
  EXPECT_NEAR(value_at(npy, 9 * 8 + 5), -0.5, 1e-12);  // the middle
  EXPECT_TRUE(read("u.svg").starts_with("<svg"));
  EXPECT_TRUE(read("u.svg").ends_with("</svg>\n"));
  ASSERT_EQ(run({"solve", "poisson", "--n", "9x9", "--plot", "u.png"}).status, 0);
  const std::string png = read("u.png");
  EXPECT_EQ(png.substr(1, 3), "PNG");
  EXPECT_EQ(png.substr(png.size() - 8, 4), "IEND");
  EXPECT_EQ(names(), (Words{"u.npy", "u.png", "u.svg"}));
}

// --run keeps the phases of the very solve, and the answer is the one without it.
TEST_F(SolveProgram, TheSolveItselfIsKeptAsARun) {
  ASSERT_EQ(run({"solve", "poisson", "--n", "33x33", "--source", "x*y", "-o", "plain.npy"}).status,
            0);
  const auto outcome = run({"solve", "poisson", "--n", "33x33", "--source", "x*y", "-o", "u.npy",
                            "--run", "u.run.json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("run: u.run.json"), std::string::npos) << outcome.out;
  EXPECT_EQ(read("u.npy"), read("plain.npy"));
  const auto checked = run({"validate", "u.run.json"});
  EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
  const std::string kept = read("u.run.json");
  for (const char* part : {"\"pde:poisson\"", "\"source\"", "\"residual\"", "\"33x33\""})
    EXPECT_NE(kept.find(part), std::string::npos) << part;
  ASSERT_EQ(run({"solve", "ode", "--derivative", "x=-x", "--initial", "x=1", "--run", "o.run.json"})
                .status,
            0);
  EXPECT_NE(read("o.run.json").find("\"right-hand side\""), std::string::npos);
}

TEST_F(SolveProgram, ThreadsDoNotChangeABit) {
  ASSERT_EQ(run({"solve", "poisson", "--n", "97x65", "--source", "x*y", "-o", "1.npy"}).status, 0);
  ASSERT_EQ(
      run({"solve", "poisson", "--n", "97x65", "--source", "x*y", "-o", "3.npy", "--threads", "3"})
          .status,
      0);
  EXPECT_FALSE(read("1.npy").empty());
  EXPECT_EQ(read("1.npy"), read("3.npy"));
}

TEST_F(SolveProgram, EvolutionsMeetTheirKnownAnswers) {
  const Words heat{"heat",
                   "--n",
                   "33x33",
                   "--initial",
                   "sin(pi*x)*sin(pi*y)",
                   "--times",
                   "0.01,0.1",
                   "--exact",
                   "exp(-2*pi^2*t)*sin(pi*x)*sin(pi*y)"};
  EXPECT_LT(number(solved(heat), "error_max"), 2e-3);
  const json::Value wave =
      solved({"wave", "--n", "33x33", "--initial", "sin(pi*x)*sin(pi*y)", "--speed", "2", "--exact",
              "cos(2*sqrt(2)*pi*t)*sin(pi*x)*sin(pi*y)", "--times", "0.7", "-o", "w.npy"});
  EXPECT_LT(number(wave, "error_max"), 4e-3);
  EXPECT_NE(read("w.npy").find("'shape': (33, 33)"), std::string::npos);
  const json::Value drift =
      solved({"advection-diffusion", "--n", "201", "--bc", "x:periodic", "--initial", "sin(2*pi*x)",
              "--velocity", "1", "--coefficient", "0.01", "--times", "0.5", "--exact",
              "exp(-0.04*pi^2*t)*sin(2*pi*(x-t))"});
  EXPECT_LT(number(drift, "error_max"), 5e-3);
  const json::Value burgers =
      solved({"burgers", "--n", "65", "--bc", "x:periodic", "--initial", "sin(2*pi*x)",
              "--coefficient", "0.05", "--times", "0:0.4:5", "-o", "b.npy", "--plot", "b.png"});
  EXPECT_GT(number(burgers, "steps"), 4);
  EXPECT_NE(read("b.npy").find("'shape': (5, 65)"), std::string::npos);
}

TEST_F(SolveProgram, SystemsMeetTheirKnownAnswers) {
  const json::Value ode =
      solved({"ode",     "--derivative", "x=v",  "--derivative", "v=-x",    "--initial",
              "x=0,v=1", "--start",      "0",    "--times",      "0:10:21", "--tolerance",
              "1e-10",   "--event",      "v",    "--exact",      "sin(t)",  "-o",
              "x.csv",   "--plot",       "x.svg"});
  EXPECT_LT(number(ode, "error_max"), 1e-7);
  ASSERT_GE(ode.find("events")->as_array()->size(), 3U);
  EXPECT_NEAR(number(ode.find("events")->as_array()->at(0), "t"), std::acos(0.0), 1e-7);
  EXPECT_TRUE(read("x.csv").starts_with("t,x,v\n"));
  EXPECT_TRUE(read("x.svg").ends_with("</svg>\n"));
  const json::Value bvp =
      solved({"bvp", "--derivative", "u=w", "--derivative", "w=-u", "--condition", "u_a",
              "--condition", "u_b-sin(1)", "--exact", "sin(x)"});
  EXPECT_LT(number(bvp, "error_max"), 1e-5);
}

TEST_F(SolveProgram, BadInputGetsASentence) {
  expect_refusal({"heat", "--n", "9x9", "--precision", "f32"}, "--precision");
  expect_refusal({"poisson", "--n", "9x9", "--source", "1e300", "--precision", "f32"},
                 "single precision (largest: 3.4e38)");
  expect_refusal({"poisson", "--source", "sin(q)"}, "--source");
  expect_refusal({"poisson", "--source", "sin(q)"}, "\"q\"");
  expect_refusal({"poisson", "--source", "sin(x"}, "--source");
  expect_refusal({"poisson", "--bc", "xmin:dirichlet=w"}, "--bc");
  expect_refusal({"poisson", "--bc", "left:dirichlet=0"}, "left");
  expect_refusal({"poisson", "--bc", "dirichelt=0"}, "dirichlet");
  expect_refusal({"poisson", "--n", "0x10"}, "--n");
  expect_refusal({"poisson", "--n", "-4x10"}, "--n");
  expect_refusal({"poisson", "--n", "nan"}, "--n");
  expect_refusal({"poisson", "--n", "1e300"}, "--n");
  expect_refusal({"poisson", "--n", "9x9", "--domain", "1:0x0:1"}, "interval");
  expect_refusal({"poisson", "--n", "9x9", "--domain", "0:1"}, "axes");
  expect_refusal({"poisson", "--source", "1", "--bc", "neumann=0"}, "No solution exists");
  expect_refusal({"poisson", "--source", "log(-1-x)"}, "finite");
  expect_refusal({"heat", "--n", "9x9", "--initial", "sin(x*u)"}, "--initial");
  expect_refusal({"heat", "--n", "33x33", "--method", "rk4", "--step", "1", "--initial", "x"},
                 "step");
  expect_refusal({"ode", "--derivative", "x=-x"}, "--initial");
  expect_refusal({"ode", "--derivative", "a b=1", "--initial", "a b=1"}, "name");
  expect_refusal({"bvp", "--derivative", "u=1"}, "--condition");
  expect_refusal({"laplace"}, "poisson");
}

// Data that contradict each other, singular problems, numbers out of range, steps and tolerances
// that cannot be had: never a crash, never an answer that is wrong.
TEST_F(SolveProgram, WhatHasNoAnswerGetsASentence) {
  for (const std::string method : {"auto", "mg", "pcg"})
    expect_refusal({"poisson", "--n", "17x17", "--bc", "neumann=1", "--method", method},
                   "Subtract the mean from the source, or fix u on one face.");
  expect_refusal({"poisson", "--n", "17x17", "--bc", "periodic", "--source", "1+x"},
                 "No solution exists");
  expect_refusal({"poisson", "--n", "3x3", "--reaction", "16"}, "an eigenvalue");
  expect_refusal({"poisson", "--n", "5x5", "--reaction", "128*sin(pi/8)^2"}, "an eigenvalue");
  expect_refusal({"poisson", "--n", "2x9"}, "at least 3 are needed");
  expect_refusal({"poisson", "--n", "9x9x9x9"}, "1 to 3 axes");
  expect_refusal({"poisson", "--n", "9x9", "--domain", "0:nanx0:1"}, "--domain");
  expect_refusal({"poisson", "--n", "9x9", "--domain", "0:1e-99x0:1"}, "unit of length");
  expect_refusal({"poisson", "--n", "9x9", "--source", "1/(x-.5)"}, "source: x=0.5 y=0");
  expect_refusal({"poisson", "--n", "9x9", "--bc", "ymax:dirichlet=1/x"}, "ymax: x=0 y=1");
  expect_refusal({"poisson", "--n", "33x33", "--source", "1e308"}, "overflowed");
  expect_refusal({"poisson", "--n", "9x9", "--coefficient", "1e-200*(1+x)"}, "Multiply");
  expect_refusal({"poisson", "--n", "9x9", "--coefficient", "x-.5"}, "positive everywhere");
  expect_refusal({"poisson", "--n", "9x9", "--coefficient", "1+x", "--reaction", "1"}, "c <= 0");
  expect_refusal({"poisson", "--n", "9x9", "--bc", "xmin:robin(1,0)=1"}, "beta not 0");
  expect_refusal({"poisson", "--n", "9x9", "--order", "4", "--bc", "robin(-99,1)=0"}, "spacing");
  expect_refusal({"poisson", "--n", "9x9", "--coefficient", "1+x", "--tolerance", "1e-20"},
                 "tolerance in (1e-15, 1)");
  expect_refusal({"heat", "--n", "9x9", "--coefficient", "-1"}, "positive everywhere");
  expect_refusal({"heat", "--n", "101", "--initial", "x", "--source", "1/(t-.05)"},
                 "Raise it, or look for a jump or a pole", 1);
  expect_refusal({"heat", "--n", "101", "--initial", "x", "--method", "rk4", "--times", "1e300"},
                 "earlier end", 1);
  expect_refusal(
      {"wave", "--n", "101", "--initial", "x", "--method", "leapfrog", "--times", "1e300"},
      "earlier end", 1);
  expect_refusal({"burgers", "--n", "101", "--initial", "1e200*sin(pi*x)"}, "coarser grid", 1);
  expect_refusal({"advection-diffusion", "--n", "9x9", "--velocity", "1,nan"}, "--velocity");
  expect_refusal({"advection-diffusion", "--n", "9x9", "--velocity", "1/0,1"}, "finite");
  expect_refusal({"advection-diffusion", "--n", "9x9", "--velocity", "1,2,3"}, "one per axis");
  expect_refusal({"ode", "--derivative", "x=x^2", "--initial", "x=1", "--times", "2"},
                 "the step shrank to nothing", 1);
  expect_refusal({"ode", "--derivative", "x=1/0", "--initial", "x=1"}, "not a finite number", 1);
  expect_refusal({"bvp", "--derivative", "u=w", "--derivative", "w=u", "--condition", "u_a",
                  "--condition", "u_a"},
                 "singular", 1);
  expect_refusal({"bvp", "--derivative", "u=w", "--derivative", "w=u", "--condition", "u_a",
                  "--condition", "u_b", "--initial", "u=1/(x-.5)"},
                 "guess is not a finite number at x = 0.5");
  expect_refusal({"bvp", "--derivative", "u=0", "--condition", "u_a", "--n", "1000000000"},
                 "at most 20000 points");
}

// Exit status 3: this machine cannot do it. Asked before memory is taken, so that systems that hand
// out more than they have do not end the process.
TEST_F(SolveProgram, WhatDoesNotFitIntoMemoryIsSaidAtOnce) {
  expect_refusal({"poisson", "--n", "1000000x1000000"}, "16000.0 GB", 3);
  expect_refusal({"poisson", "--n", "1000000x1000000", "--method", "mg"}, "Use fewer points.", 3);
  expect_refusal({"poisson", "--n", "1000000x1000000", "--precision", "f32"}, "8000.0 GB", 3);
  expect_refusal({"heat", "--n", "1000000x1000000"}, "Use fewer points.", 3);
  expect_refusal({"wave", "--n", "10001x10001", "--times", "0:1:10001"}, "Use fewer points.", 3);
}

TEST_F(SolveProgram, OptionsThatContradictAreRefused) {
  expect_refusal({"poisson", "--convergence", "3"}, "--exact");
  expect_refusal({"poisson", "--exact", "x", "--convergence", "1"}, "2 to 8");
  expect_refusal({"poisson", "--times", "1"}, "--times");
  expect_refusal({"poisson", "--method", "dst", "--coefficient", "1+x"}, "direct");
  expect_refusal({"poisson", "--order", "4", "--coefficient", "1+x"}, "rder");
  expect_refusal({"poisson", "--order", "3"}, "2, 4");
  expect_refusal({"poisson", "--bc", "xmin:periodic"}, "periodic");
  expect_refusal({"poisson", "--tolerance", "-1"}, "--tolerance");
  expect_refusal({"poisson", "--threads", "0"}, "--threads");
  expect_refusal({"poisson", "-o", "u.txt"}, ".npy");
  expect_refusal({"poisson", "--plot", "u.jpg"}, ".svg");
  expect_refusal({"poisson", "-o", "none/u.npy"}, "none");
  expect_refusal({"ode", "--derivative", "x=1", "--initial", "x=0", "--plot", "x.png"}, ".svg");
  expect_refusal({"ode", "--derivative", "x=1", "--initial", "x=0", "-o", "x.npy"}, ".csv");
  expect_refusal({"bvp", "--n", "9x9", "--derivative", "u=1", "--condition", "u_a"}, "one axis");
  expect_refusal({"wave", "--n", "9", "--speed", "0"}, "--speed");
  expect_refusal({"wave", "--n", "9", "--times", "2,1"}, "imes");
}

}  // namespace
}  // namespace neurolens
