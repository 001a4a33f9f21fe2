#include "direct/cyclic.hpp"

#include <cmath>
#include <numbers>

namespace neurolens::pde {
namespace {

// Of a number that takes part in a split, in multiply-adds: additions and the memory around them.
constexpr double kCostOfTwo = 4;
constexpr double kCostOfThree = 5;

int best_parts(int n, int sign) {
  const double dense = static_cast<double>(n) * n;
  double best = dense;
  int parts = 0;
  if (sign > 0 && n % 2 == 0) {
    const double cost = cyclic_cost(n / 2, 1) + cyclic_cost(n / 2, -1) + kCostOfTwo * n;
    if (cost < best) {
      best = cost;
      parts = 2;
    }
  }
  if (n % 3 == 0) {
    const double cost = cyclic_cost(n / 3, sign) + dense * 4 / 9 + kCostOfThree * n;
    if (cost < best) parts = 3;
  }
  return parts;
}

void add_dense(CyclicProduct& product, int first, int length) {
  product.nodes.push_back({0, first, length, 1.0, product.matrix.size()});
}

// w(t) for t in (-length, length).
long double wrapped(const std::vector<long double>& w, int t, int sign) {
  return t >= 0 ? w[static_cast<std::size_t>(t)]
                : sign * w[w.size() - static_cast<std::size_t>(-t)];
}

// With t = z^k, a product modulo t^3 - s is y_0 + y_1 t + y_2 t^2. Its value at t = s, a third of
// that, is e: y_0 = e + a_0, y_1 = s e + a_1, y_2 = e + a_2 with a_0 + s a_1 + a_2 = 0. This adds
// the matrix that yields a_0, a_1 from x modulo t^2 + s t + 1.
void add_quadratic(CyclicProduct& product, const std::vector<long double>& w, int first, int sign) {
  const int n = static_cast<int>(w.size());
  const int k = n / 3;
  add_dense(product, first, 2 * k);
  for (int row = 0; row < 2 * k; ++row)
    for (int column = 0; column < 2 * k; ++column) {
      const int i = row % k;
      const auto y = [&](int part) { return wrapped(w, part * k + i - column, sign); };
      const long double e = (y(0) + sign * y(1) + y(2)) / 3;
      const long double a = row < k ? y(0) - e : y(1) - sign * e;
      product.matrix.push_back(static_cast<double>(a));
    }
}

void add(CyclicProduct& product, const std::vector<long double>& w, int first, int sign) {
  const int n = static_cast<int>(w.size());
  const int parts = best_parts(n, sign);
  if (parts == 0) {
    add_dense(product, first, n);
    for (int row = 0; row < n; ++row)
      for (int column = 0; column < n; ++column)
        product.matrix.push_back(static_cast<double>(wrapped(w, row - column, sign)));
    return;
  }
  product.nodes.push_back({parts, first, n, static_cast<double>(sign), 0});
  const auto k = static_cast<std::size_t>(n / parts);
  std::vector<long double> low(k);
  std::vector<long double> high(k);
  for (std::size_t i = 0; i < k; ++i) {
    if (parts == 2) {
      low[i] = (w[i] + w[i + k]) / 2;
      high[i] = (w[i] - w[i + k]) / 2;
    } else {
      low[i] = (w[i] + sign * w[i + k] + w[i + 2 * k]) / 3;
    }
  }
  add(product, low, first, parts == 2 ? 1 : sign);
  const int rest = first + static_cast<int>(k);
  if (parts == 2)
    add(product, high, rest, -1);
  else
    add_quadratic(product, w, rest, sign);
}

bool is_odd_prime(int n) {
  if (n < 3 || n % 2 == 0) return false;
  for (int f = 3; f * f <= n; f += 2)
    if (n % f == 0) return false;
  return true;
}

// The least number whose powers are all nonzero residues.
int generator_of(int p) {
  for (int g = 2;; ++g) {
    int order = 1;
    for (std::int64_t x = g; x != 1; x = x * g % p) ++order;
    if (order == p - 1) return g;
  }
}

}  // namespace

CyclicProduct make_cyclic_product(const std::vector<long double>& w, int sign) {
  CyclicProduct product;
  product.length = static_cast<int>(w.size());
  add(product, w, 0, sign);
  return product;
}

double cyclic_cost(int length, int sign) {
  const double dense = static_cast<double>(length) * length;
  switch (best_parts(length, sign)) {
    case 2:
      return cyclic_cost(length / 2, 1) + cyclic_cost(length / 2, -1) + kCostOfTwo * length;
    case 3:
      return cyclic_cost(length / 3, sign) + dense * 4 / 9 + kCostOfThree * length;
    default:
      return dense;
  }
}

PrimeButterfly make_prime_butterfly(int p, int odd_scale) {
  PrimeButterfly butterfly;
  const int h = (p - 1) / 2;
  const int g = generator_of(p);
  const long double unit = 2 * std::numbers::pi_v<long double> / p;
  std::vector<std::int32_t> power{1};  // of g
  for (int a = 1; a < p - 1; ++a)
    power.push_back(static_cast<std::int32_t>(std::int64_t{power.back()} * g % p));
  std::vector<long double> cosines;
  std::vector<long double> sines;
  for (int a = 0; a < h; ++a) {
    const std::int32_t backwards = power[static_cast<std::size_t>(a == 0 ? 0 : p - 1 - a)];
    butterfly.in.push_back(power[static_cast<std::size_t>(a)]);
    butterfly.out.push_back(backwards);
    cosines.push_back(std::cos(unit * backwards));
    sines.push_back(odd_scale * std::sin(unit * backwards));
  }
  butterfly.even = make_cyclic_product(cosines, 1);
  butterfly.odd = make_cyclic_product(sines, -1);
  return butterfly;
}

bool splits(int n) {
  const int h = (n - 1) / 2;
  const double dense = static_cast<double>(h) * h;
  return is_odd_prime(n) && cyclic_cost(h, 1) + cyclic_cost(h, -1) < 2 * dense;
}

}  // namespace neurolens::pde
