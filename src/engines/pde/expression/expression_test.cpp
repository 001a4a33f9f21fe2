#include "neurolens/engines/pde/expression.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "neurolens/base/random.hpp"

namespace neurolens::pde {
namespace {

double value(const char* text, double x = 0.3, double y = -1.2, double z = 2, double t = 0.7) {
  const auto e = Expression::parse(text);
  EXPECT_TRUE(e.ok()) << text << ": " << e.error();
  if (!e.ok()) return NAN;
  const double v[4] = {x, y, z, t};
  return e->evaluate(v);
}

TEST(Expression, MeansWhatMathematicsMeans) {
  EXPECT_DOUBLE_EQ(value("2^3^2"), 512);
  EXPECT_DOUBLE_EQ(value("-2^2"), -4);
  EXPECT_DOUBLE_EQ(value("2^-1"), 0.5);
  EXPECT_DOUBLE_EQ(value("8/4/2"), 1);
  EXPECT_DOUBLE_EQ(value("1-2-3"), -4);
  EXPECT_DOUBLE_EQ(value("-x^2"), -0.09);
  EXPECT_DOUBLE_EQ(value("x^3"), 0.3 * 0.3 * 0.3);
  EXPECT_DOUBLE_EQ(value("exp(-40*((x-.3)^2+(y-.5)^2))"), std::exp(-40 * 1.7 * 1.7));
  EXPECT_DOUBLE_EQ(value("sin(pi*x)*cos(e*y)+t*z"),
                   std::sin(M_PI * 0.3) * std::cos(M_E * -1.2) + 1.4);
  EXPECT_DOUBLE_EQ(value("if(x<.5, 1e6, 1)"), 1e6);
  EXPECT_DOUBLE_EQ(value("min(x,y)+max(x,y)+atan2(y,x)+hypot(3,4)+mod(-1,3)+clamp(z,0,1)"),
                   -0.9 + std::atan2(-1.2, 0.3) + 5 + 2 + 1);
  EXPECT_DOUBLE_EQ(value("step(x)+sign(y)+abs(y)+(x>=.3)+(y==2)"), 1 - 1 + 1.2 + 1 + 0);
}

TEST(Expression, EvaluatesBlocksLikePoints) {
  const auto e = Expression::parse("sin(3*x)*y^2-tanh(x*t)+sqrt(abs(z))");
  ASSERT_TRUE(e.ok());
  for (const std::size_t n : {1, 127, 128, 129, 1000}) {
    std::vector<double> x(n), z(n), out(n);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = 0.01 * static_cast<double>(i);
      z[i] = 3 - x[i];
    }
    const double y = 1.5;
    const double t = 0.2;
    const double* inputs[4] = {x.data(), &y, z.data(), &t};
    const std::uint8_t steps[4] = {1, 0, 1, 0};
    e->evaluate(inputs, steps, n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      const double v[4] = {x[i], y, z[i], t};
      ASSERT_EQ(out[i], e->evaluate(v));
    }
  }
  EXPECT_TRUE(e->uses(0));
  EXPECT_FALSE(Expression::parse("x+y")->uses(3));
}

// Every function over its range and at its edges, against the C library.
TEST(Expression, FunctionsAreWithinAFewUnitsOfTheLibrary) {
  struct Case {
    const char* text;
    double (*reference)(double);
    double low, high;
  };
  const Case cases[] = {{"sin(x)", std::sin, -40, 40},      {"cos(x)", std::cos, -40, 40},
                        {"tan(x)", std::tan, -1.4, 1.4},    {"asin(x)", std::asin, -1, 1},
                        {"acos(x)", std::acos, -1, 1},      {"atan(x)", std::atan, -30, 30},
                        {"sinh(x)", std::sinh, -20, 20},    {"cosh(x)", std::cosh, -20, 20},
                        {"tanh(x)", std::tanh, -20, 20},    {"exp(x)", std::exp, -700, 700},
                        {"log(x)", std::log, 1e-9, 1e9},    {"log10(x)", std::log10, 1e-9, 1e9},
                        {"log2(x)", std::log2, 1e-9, 1e9},  {"sqrt(x)", std::sqrt, 0, 1e9},
                        {"cbrt(x)", std::cbrt, -9, 9},      {"erf(x)", std::erf, -4, 4},
                        {"gamma(x)", std::tgamma, 0.1, 20}, {"floor(x)", std::floor, -9, 9},
                        {"ceil(x)", std::ceil, -9, 9},      {"abs(x)", std::fabs, -9, 9}};
  for (const Case& c : cases) {
    const auto e = Expression::parse(c.text);
    ASSERT_TRUE(e.ok()) << c.text;
    constexpr std::size_t kCount = 4001;
    std::vector<double> x(kCount), out(kCount);
    for (std::size_t i = 0; i < kCount; ++i)
      x[i] = c.low + (c.high - c.low) * static_cast<double>(i) / (kCount - 1);
    // Far outside the vector range, and what is not a number.
    const double odd[] = {1e6,  -1e6, 1e300, -1e300,   1e308,     5e-324, 0.0,
                          -0.0, 710,  -750,  INFINITY, -INFINITY, NAN};
    for (std::size_t i = 0; i < std::size(odd); ++i) x[7 * i + 3] = odd[i];
    const double* inputs[4] = {x.data(), x.data(), x.data(), x.data()};
    const std::uint8_t steps[4] = {1, 0, 0, 0};
    e->evaluate(inputs, steps, kCount, out.data());
    for (std::size_t i = 0; i < kCount; ++i) {
      const double expected = c.reference(x[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(out[i])) << c.text << " at " << x[i];
      } else if (!std::isfinite(expected)) {
        ASSERT_EQ(out[i], expected) << c.text << " at " << x[i];
      } else {
        // Near a zero of sin or cos the reduced angle has an absolute error.
        ASSERT_NEAR(out[i], expected, 1e-15 * std::fabs(expected) + 3e-16)
            << c.text << " at " << x[i];
      }
    }
  }
}

TEST(Expression, GridsEqualPointsWhateverIsComputedOnce) {
  for (const char* text : {"exp(-40*((x-.3)^2+(y-.5)^2))", "sin(pi*x)*sin(pi*y)*cos(z)+t", "x", "3",
                           "x^2+1", "exp(-2*pi^2*t)*sin(pi*x)*sin(pi*y)", "if(y<1,t*2,3*z)*(x+y)",
                           "y*z-t", "if(x<.5, sin(3*x)*2, y)+sin(3*x)*2", "(x+y)*(x*x-3)*(x*x-3)",
                           "-(x-1)^3/(2+cos(x))", "max(x*2,y)+min(1/(1+x),z)+atan2(x,1+x)"}) {
    const auto e = Expression::parse(text);
    ASSERT_TRUE(e.ok()) << text << e.error();
    for (const std::size_t nx : {1, 5, 79, 256, 300}) {
      std::vector<double> x(nx), y{0.1, -2, 0.7}, z{0.25, 3}, out(nx * 6);
      for (std::size_t i = 0; i < nx; ++i) x[i] = -1 + 0.013 * static_cast<double>(i);
      e->evaluate_grid(x, y, z, 0.4, out.data());
      for (std::size_t i = 0; i < out.size(); ++i) {
        const double v[4] = {x[i % nx], y[i / nx % 3], z[i / nx / 3], 0.4};
        ASSERT_EQ(out[i], e->evaluate(v)) << text << " " << nx << " " << i;
      }
    }
  }
}

TEST(Expression, NamesColumnAndSuggestion) {
  const auto unknown = Expression::parse("1+sinn(x)");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().where, "column 3");
  EXPECT_NE(unknown.error().message.find("\"sin\""), std::string::npos) << unknown.error();
  for (const char* wrong : {"", "1+", "(1", "sin", "sin(1,2)", "atan2(1)", "1 2", "x y", "2**3",
                            "1..2", "@", "if(1,2)", ")", "w"}) {
    const auto e = Expression::parse(wrong);
    ASSERT_FALSE(e.ok()) << wrong;
    EXPECT_EQ(e.error().code, Errc::parse_error) << wrong;
    EXPECT_TRUE(e.error().where.starts_with("column ")) << wrong;
  }
  EXPECT_FALSE(Expression::parse(std::string(5000, '(')).ok());
  EXPECT_FALSE(Expression::parse(std::string(9000, '-') + "1").ok());
  EXPECT_FALSE(Expression::parse(std::string(20'000, '1')).ok());
}

TEST(Expression, SurvivesRandomText) {
  Random random(11, 0);
  const std::string_view alphabet = "0123456789.+-*/^()<>=!,xyztepi sincosqrtabif";
  for (int trial = 0; trial < 20'000; ++trial) {
    std::string text;
    for (std::uint64_t i = random.below(24); i > 0; --i)
      text += alphabet[random.below(alphabet.size())];
    const auto e = Expression::parse(text);
    if (!e.ok()) continue;
    const double v[4] = {0.1, 0.2, 0.3, 0.4};
    (void)e->evaluate(v);
  }
}

}  // namespace
}  // namespace neurolens::pde
