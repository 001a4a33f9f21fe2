/// \file
/// Products with circulant matrices, and the butterflies of prime lengths that are made of them.
///
/// The nonzero residues modulo a prime p are powers of one of them. In that order the sums of
/// cosines and of sines that a butterfly of p points needs, with h = (p - 1) / 2 terms each, are
/// cyclic convolutions: multiplication of polynomials modulo z^h - 1 (cosines: even in the residue)
/// and z^h + 1 (sines: odd). Where h has a factor of two or three such a modulus splits,
///   z^2k - 1 = (z^k - 1) (z^k + 1),   z^3k - s = (z^k - s) (z^2k + s z^k + 1),
/// and a product of h x h numbers becomes two smaller ones and a few additions. What does not split
/// any further, or not with profit, is a dense product. Tables are rounded once, from long double.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace neurolens::pde {

/// y_b = sum over a of x_a w(b - a), w(t + length) = sign w(t).
template <class T>
struct BasicCyclicProduct {
  struct Node {
    int parts = 0;  ///< 2 or 3: split; 0: a dense product.
    int first = 0, length = 0;
    T sign = 1;
    std::size_t matrix = 0;  ///< Of a dense product: where its rows begin.
  };
  int length = 0;
  std::vector<Node> nodes;  ///< A split before its parts, parts in order.
  std::vector<T> matrix;
};
using CyclicProduct = BasicCyclicProduct<double>;

/// `w`: values 0 .. length - 1.
[[nodiscard]] CyclicProduct make_cyclic_product(const std::vector<long double>& w, int sign);

/// Estimated multiply-adds of the above, what surrounds them included; length^2 when it does not
/// split.
[[nodiscard]] double cyclic_cost(int length, int sign);

/// The sums of a butterfly of prime length p:
///   A_s = sum of u_r cos(2 pi r s / p),  B_s = sum of v_r sin(2 pi r s / p),
/// over one residue r of each pair r, p - r. Entry a of the inputs is residue in[a], entry b of the
/// outputs is frequency out[b], both in 1 .. p - 1: u_r = u_(p-r) and v_r = -v_(p-r).
template <class T>
struct BasicPrimeButterfly {
  std::vector<std::int32_t> in, out;
  BasicCyclicProduct<T> even, odd;
  [[nodiscard]] bool empty() const { return in.empty(); }
};
using PrimeButterfly = BasicPrimeButterfly<double>;

/// p: an odd prime. The odd sums come `odd_scale` times.
[[nodiscard]] PrimeButterfly make_prime_butterfly(int p, int odd_scale = 1);

/// Whether n is an odd prime whose butterfly gains by splitting.
[[nodiscard]] bool splits(int n);

}  // namespace neurolens::pde
