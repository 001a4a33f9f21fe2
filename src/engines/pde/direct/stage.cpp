#include "direct/stage.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "direct/stage_cost.hpp"

namespace neurolens::pde {
namespace {

constexpr double kPi = std::numbers::pi;

struct Angle {
  double cosine, sine;
};

// cos and sin of 2 pi numerator / denominator, reduced to the first octant: every table is exact to
// an ulp.
Angle angle_of(std::int64_t numerator, std::int64_t denominator) {
  std::int64_t n = numerator % denominator;
  if (n < 0) n += denominator;
  n *= 8;
  const std::int64_t octant = n / denominator;
  const std::int64_t rest = n - octant * denominator;
  const bool mirrored = (octant & 1) != 0;
  const double x = kPi / 4 * static_cast<double>(mirrored ? denominator - rest : rest) /
                   static_cast<double>(denominator);
  double c = std::cos(x);
  double s = std::sin(x);
  if (mirrored) std::swap(c, s);
  switch (octant / 2) {
    case 0:
      return {c, s};
    case 1:
      return {-s, c};
    case 2:
      return {-c, -s};
    default:
      return {s, -c};
  }
}

double sigma_of(AxisKind kind) {
  return kind == AxisKind::dirichlet_dirichlet || kind == AxisKind::dirichlet_neumann ? -1.0 : 1.0;
}

// The value of basis function `q` at unknown `j`, times two (one at an end that the symmetric sum
// counts once).
double basis_value(AxisKind kind, int n, int q, int j, bool inverse) {
  const int period = 2 * n;
  double factor = 2;
  Angle a{};
  switch (kind) {
    case AxisKind::dirichlet_dirichlet:
      return 2 * angle_of(std::int64_t{q + 1} * (j + 1), period).sine;
    case AxisKind::neumann_neumann: {
      a = angle_of(std::int64_t{q} * j, period);
      const int input = inverse ? q : j;
      if (input == 0 || input == n) factor = 1;
      return factor * a.cosine;
    }
    case AxisKind::dirichlet_neumann:
      if (!inverse && j + 1 == n) factor = 1;
      return factor * angle_of(std::int64_t{2 * q + 1} * (j + 1), 2 * period).sine;
    default:
      if (!inverse && j == 0) factor = 1;
      return factor * angle_of(std::int64_t{2 * q + 1} * j, 2 * period).cosine;
  }
}

// sin(pi (n - 2 m) j / n) = -(-1)^j sin(2 pi m j / n) for odd n: with the input folded about the
// middle, frequencies of either parity are odd sums of one butterfly.
Stage make_prime_sine_stage(int n) {
  Stage stage;
  stage.prime_sine = true;
  stage.prime = make_prime_butterfly(n, 2);
  stage.inputs = stage.outputs = n - 1;
  stage.slots = 3 * stage.inputs;  // the input, its halves, the output
  const int h = stage.inputs / 2;
  const auto count = static_cast<std::size_t>(stage.inputs);
  for (int j = 0; j < stage.inputs; ++j) stage.slot_a.push_back(j);
  stage.slot_b.assign(count, -1);
  stage.sign_a.assign(count, 1.0);
  stage.sign_b = stage.sign_a;
  stage.out_slot.assign(count, 0);
  stage.out_sign.assign(count, 1.0);
  for (int b = 0; b < h; ++b) {
    const int residue = stage.prime.out[static_cast<std::size_t>(b)];
    const int m = std::min(residue, n - residue);
    const double sign = residue == m ? 1.0 : -1.0;
    for (const int odd : {0, 1}) {
      const auto q = static_cast<std::size_t>((odd != 0 ? n - 2 * m : 2 * m) - 1);
      stage.out_slot[q] = 2 * stage.inputs + odd * h + b;
      stage.out_sign[q] = sign;
    }
  }
  return stage;
}

Stage make_small_stage(AxisKind kind, int n, bool inverse) {
  if (kind == AxisKind::dirichlet_dirichlet && splits(n)) return make_prime_sine_stage(n);
  const int count = unknowns_of(kind, n);
  std::vector<double> matrix(static_cast<std::size_t>(count) * count);
  for (int out = 0; out < count; ++out)
    for (int in = 0; in < count; ++in)
      matrix[static_cast<std::size_t>(out) * count + in] =
          inverse ? basis_value(kind, n, in, out, true) : basis_value(kind, n, out, in, false);
  Stage stage = make_dense_stage(std::move(matrix), count, count);
  // sin and cos modes of equal ends are even or odd about the middle, alternating, starting with
  // even.
  stage.folded = !is_quarter(kind);
  return stage;
}

int digit_reversed(int m, const std::vector<int>& radices) {
  int length = 1;
  for (const int r : radices) length *= r;
  int position = 0;
  for (auto r = radices.rbegin(); r != radices.rend(); ++r) {
    length /= *r;
    position += (m % *r) * length;
    m /= *r;
  }
  return position;
}

void build_passes(Stage& stage, bool half_frequency) {
  int length = 1;
  for (const int radix : radices_of(stage.fft_length)) {
    FftPass pass;
    pass.radix = radix;
    pass.length = length;
    pass.twiddled = length > 1 || half_frequency;
    const std::int64_t whole = std::int64_t{2} * radix * length;
    for (int k = 0; k < length; ++k)
      for (int q = 1; q < radix; ++q) {
        const Angle a = angle_of(std::int64_t{q} * (2 * k + (half_frequency ? 1 : 0)), whole);
        pass.twiddle.push_back(a.cosine);
        pass.twiddle.push_back(a.sine);
      }
    if (splits(radix)) {
      pass.prime = make_prime_butterfly(radix);
    } else if (radix != 2 && radix != 4 && radix != 8) {
      const int h = (radix - 1) / 2;
      for (int s = 1; s <= h; ++s)
        for (int r = 1; r <= h; ++r) {
          const Angle a = angle_of(std::int64_t{r} * s, radix);
          pass.dense.push_back(a.cosine);
          pass.dense.push_back(a.sine);
        }
    }
    stage.passes.push_back(std::move(pass));
    length *= radix;
  }
}

// The geometry of a joined transform; positions and frequencies are doubled so that halves are
// integers.
struct Geometry {
  AxisKind kind{};
  int n = 0, period = 0, p = 0, m = 0;
  bool half_position = false, half_frequency = false;
  int first_in = 0, first_out = 0;
  double sigma = 1;
  /// Twice the residue of sub-transform i (selfs first), relative to the multiples of p.
  [[nodiscard]] int residue2(int i) const {
    const int selfs = self_count(p, half_position);
    if (p % 2 != 0) return 2 * i;
    if (half_position) return 2 * i + 1;
    return i == 0 ? 0 : (i == 1 ? p : 2 * (i - selfs + 1));
  }
  [[nodiscard]] int shift2() const { return p % 2 != 0 && half_position ? p : 0; }
};

void build_gather(Stage& stage, const Geometry& g) {
  const std::vector<int> radices = radices_of(g.m);
  stage.slot_a.assign(static_cast<std::size_t>(stage.inputs), -1);
  stage.slot_b = stage.slot_a;
  stage.sign_a.assign(static_cast<std::size_t>(stage.inputs), 1.0);
  stage.sign_b = stage.sign_a;
  const int half2 = g.half_position ? 1 : 0;
  const double tau = g.half_frequency ? -1.0 : 1.0;
  for (int i = 0; i < stage.selfs + stage.pairs; ++i)
    for (int m = 0; m < g.m; ++m) {
      const int slot = i * g.m + digit_reversed(m, radices);
      int position2 = 2 * g.p * m + g.shift2() + g.residue2(i);
      double sign = 1;
      if (position2 > g.period) {  // beyond N: the mirror image
        position2 = 2 * g.period - position2;
        sign = tau * g.sigma;
      }
      const int j = (position2 - half2) / 2 - g.first_in;
      if (j < 0 || j >= stage.inputs) {
        stage.zero_slots.push_back(slot);
      } else if (stage.slot_a[static_cast<std::size_t>(j)] < 0) {
        stage.slot_a[static_cast<std::size_t>(j)] = slot;
        stage.sign_a[static_cast<std::size_t>(j)] = sign;
      } else {
        stage.slot_b[static_cast<std::size_t>(j)] = slot;
        stage.sign_b[static_cast<std::size_t>(j)] = sign;
      }
    }
}

void build_join(Stage& stage, const Geometry& g) {
  const int phi2 = g.half_frequency ? 1 : 0;
  for (int k = 0; k < g.m; ++k) {
    const int partner = ((-k - phi2) % g.m + g.m) % g.m;
    if (k > partner) continue;
    stage.columns.push_back({k, partner});
    for (int i = 0; i < stage.selfs + stage.pairs; ++i) {
      const Angle a = angle_of(std::int64_t{g.residue2(i) + g.shift2()} * (2 * k + phi2),
                               std::int64_t{4} * g.period);
      stage.join_twiddle.push_back(a.cosine);
      stage.join_twiddle.push_back(a.sine);
    }
  }
  if (splits(g.p)) {
    stage.prime = make_prime_butterfly(g.p);
    return;
  }
  for (int s = 0; s <= g.p / 2; ++s)
    for (int i = stage.selfs; i < stage.selfs + stage.pairs; ++i) {
      const Angle a = angle_of(std::int64_t{g.residue2(i)} * s, std::int64_t{2} * g.p);
      stage.join_dense.push_back(a.cosine);
      stage.join_dense.push_back(a.sine);
    }
}

// The slot in which the butterfly of column (k, partner) leaves frequency s.
int slot_of(const Stage& stage, int m, int k, int partner, int s) {
  const int p = stage.p;
  if (stage.selfs == 0) {
    if (s == 0) return k;
    if (2 * s == p) return partner;
    return s < p - s ? s * m + k : (p - s) * m + partner;
  }
  if (s == 0) return k;
  if (2 * s == p) return m + k;
  const int pair = std::min(s, p - s) - 1;
  return (stage.selfs + pair) * m + (s < p - s ? k : partner);
}

void build_scatter(Stage& stage, const Geometry& g) {
  const int phi2 = g.half_frequency ? 1 : 0;
  const double tau = g.half_position ? -1.0 : 1.0;
  for (int q = 0; q < stage.outputs; ++q) {
    int index = q + g.first_out;
    double sign = 1;
    for (int attempt = 0; attempt < 2; ++attempt) {
      const int k = index % g.m;
      const int s = index / g.m;
      const int partner = ((-k - phi2) % g.m + g.m) % g.m;
      // A self-paired column keeps the lower half only. Without self residues its ends share a
      // slot; of the two, the one at frequency 0 or at N is zero by symmetry.
      const bool both_ends = stage.selfs == 0 && 2 * s == g.p;
      const bool kept =
          k < partner || (k == partner && 2 * s <= g.p && (!both_ends || (k == 0 && g.sigma < 0)));
      if (kept) {
        if (g.p % 2 != 0 && g.half_position && s % 2 != 0) sign = -sign;
        stage.out_slot.push_back(slot_of(stage, g.m, k, partner, s));
        stage.out_sign.push_back(sign);
        break;
      }
      index = g.period - index - phi2;
      sign = tau * g.sigma;
    }
  }
}

Stage make_joined_stage(AxisKind kind, int n, bool inverse) {
  Geometry g;
  g.kind = kind;
  g.n = n;
  g.period = 2 * n;
  g.sigma = sigma_of(kind);
  g.half_position = is_quarter(kind) && inverse;
  g.half_frequency = is_quarter(kind) && !inverse;
  g.p = best_join(n, g.half_position);
  g.m = g.period / g.p;
  const int first =
      kind == AxisKind::dirichlet_dirichlet || kind == AxisKind::dirichlet_neumann ? 1 : 0;
  g.first_in = g.half_position ? 0 : first;
  g.first_out = g.half_frequency ? 0 : first;

  Stage stage;
  stage.inputs = stage.outputs = unknowns_of(kind, n);
  stage.p = g.p;
  stage.fft_length = g.m;
  stage.selfs = self_count(g.p, g.half_position);
  stage.pairs = (g.p - stage.selfs) / 2;
  stage.slots = (stage.selfs + stage.pairs) * g.m;
  stage.eta = g.p % 2 == 0 && g.half_position ? -1.0 : 1.0;
  stage.sigma = g.sigma;
  stage.self_twiddled = g.p % 2 == 0 ? stage.selfs == 2 : g.half_position;
  stage.swapped = g.sigma < 0;
  build_passes(stage, g.half_frequency);
  build_gather(stage, g);
  build_join(stage, g);
  build_scatter(stage, g);
  return stage;
}

Stage make_periodic_stage(int n, bool inverse) {
  Stage stage;
  stage.inputs = stage.outputs = stage.slots = stage.fft_length = n;
  stage.periodic_split = !inverse;
  stage.periodic_merge = inverse;
  stage.swapped = inverse;
  build_passes(stage, false);
  const std::vector<int> radices = radices_of(n);
  const auto count = static_cast<std::size_t>(n);
  for (int k = 0; k < n; ++k) {
    stage.natural_slot.push_back(digit_reversed(k, radices));
    stage.out_slot.push_back(k);
  }
  stage.slot_a = stage.natural_slot;
  stage.slot_b.assign(count, -1);
  stage.sign_a.assign(count, 1.0);
  stage.sign_b = stage.out_sign = stage.sign_a;
  return stage;
}

}  // namespace

Stage make_stage(AxisKind kind, int intervals, bool inverse) {
  if (kind == AxisKind::periodic) return make_periodic_stage(intervals, inverse);
  if (prefers_dense(kind, intervals)) return make_small_stage(kind, intervals, inverse);
  return make_joined_stage(kind, intervals, inverse);
}

Stage make_dense_stage(std::vector<double> matrix, int outputs, int inputs) {
  Stage stage;
  stage.matrix = std::move(matrix);
  stage.outputs = outputs;
  stage.inputs = inputs;
  // Inputs, then their folded halves, then the outputs.
  stage.slots = 2 * inputs + 2 + outputs;
  const int first_output = 2 * inputs + 2;
  for (int j = 0; j < inputs; ++j) stage.slot_a.push_back(j);
  stage.slot_b.assign(static_cast<std::size_t>(inputs), -1);
  stage.sign_a.assign(static_cast<std::size_t>(inputs), 1.0);
  stage.sign_b = stage.sign_a;
  for (int q = 0; q < outputs; ++q) stage.out_slot.push_back(first_output + q);
  stage.out_sign.assign(static_cast<std::size_t>(outputs), 1.0);
  return stage;
}

int buffer_slots(const Stage& stage) {
  int work = (stage.prime.empty() ? 2 : 4) * stage.pairs;
  for (const FftPass& pass : stage.passes) work = std::max(work, 2 * pass.radix);
  return stage.slots + work;
}

double scale_of(AxisKind kind, int intervals) {
  if (kind == AxisKind::dense) return 1;
  return kind == AxisKind::periodic ? intervals : 2.0 * intervals;
}

int unknowns_of(AxisKind kind, int intervals) {
  if (kind == AxisKind::dirichlet_dirichlet) return intervals - 1;
  if (kind == AxisKind::neumann_neumann || kind == AxisKind::dense) return intervals + 1;
  return intervals;
}

double mode_symbol(AxisKind kind, int intervals, int q) {
  double half_angle = 0;
  switch (kind) {
    case AxisKind::dirichlet_dirichlet:
      half_angle = kPi * (q + 1) / (2.0 * intervals);
      break;
    case AxisKind::neumann_neumann:
      half_angle = kPi * q / (2.0 * intervals);
      break;
    case AxisKind::periodic:
      half_angle = kPi * std::min(q, intervals - q) / intervals;
      break;
    default:
      half_angle = kPi * (2 * q + 1) / (4.0 * intervals);
      break;
  }
  const double s = std::sin(half_angle);
  return 4 * s * s;
}

}  // namespace neurolens::pde
