// Digits made of strokes: poly-lines in the unit square, moved by a random affine map and drawn
// with a soft round pen. Enough variety that a network must generalise, small enough to make in a
// blink.
#include <algorithm>
#include <array>
#include <cmath>

#include "neurolens/base/random.hpp"
#include "neurolens/engines/nn/data.hpp"

namespace neurolens::nn {
namespace {

struct Point {
  double x, y;
};
using Stroke = std::vector<Point>;

// Part of an ellipse, angles in units of pi, clockwise from the right as y points down.
void arc(Stroke& s, double cx, double cy, double rx, double ry, double from, double to) {
  constexpr int kPieces = 10;
  for (int i = 0; i <= kPieces; ++i) {
    const double angle = 3.14159265358979 * (from + (to - from) * i / kPieces);
    s.push_back({cx + rx * std::cos(angle), cy + ry * std::sin(angle)});
  }
}

// The ten shapes in [0, 1]^2.
std::vector<std::vector<Stroke>> make_shapes() {
  std::vector<std::vector<Stroke>> d(10);
  const auto add = [&](std::size_t digit, Stroke s) { d[digit].push_back(std::move(s)); };
  Stroke s;
  arc(s, .5, .5, .27, .4, 0, 2), add(0, s), s.clear();
  add(1, {{.36, .25}, {.54, .1}, {.54, .9}});
  arc(s, .5, .32, .25, .22, -1, .2), s.push_back({.26, .9}), s.push_back({.77, .9}), add(2, s),
      s.clear();
  arc(s, .47, .3, .23, .2, -.85, .5), arc(s, .47, .7, .26, .2, -.5, .85), add(3, s), s.clear();
  add(4, {{.62, .9}, {.62, .1}, {.22, .63}, {.8, .63}});
  s = {{.72, .1}, {.33, .1}, {.3, .47}}, arc(s, .48, .66, .25, .23, -.7, .8), add(5, s), s.clear();
  s = {{.66, .12}, {.4, .36}}, arc(s, .5, .68, .23, .22, -.9, 1.1), add(6, s), s.clear();
  add(7, {{.24, .1}, {.76, .1}, {.42, .9}});
  arc(s, .5, .3, .2, .19, .5, 2.5), arc(s, .5, .7, .25, .2, -.5, 1.5), add(8, s), s.clear();
  arc(s, .5, .32, .22, .22, 0, 2), s.push_back({.7, .55}), s.push_back({.55, .9}), add(9, s);
  return d;
}

double distance(Point p, Point a, Point b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double along = ((p.x - a.x) * dx + (p.y - a.y) * dy) / std::max(dx * dx + dy * dy, 1e-12);
  const double t = std::clamp(along, 0.0, 1.0);
  return std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

// x' = A (x - 1/2) + 1/2 + shift
struct Affine {
  double a, b, c, d, sx, sy;
  Point operator()(Point p) const {
    const double x = p.x - .5, y = p.y - .5;
    return {a * x + b * y + .5 + sx, c * x + d * y + .5 + sy};
  }
};

void render(const std::vector<Stroke>& strokes, const DigitsOptions& o, Random& random,
            float* out) {
  const auto vary = [&](double size) { return o.distortion * size * (2 * random.uniform() - 1); };
  const double angle = vary(.28), shear = vary(.2), wide = 1 + vary(.18), tall = 1 + vary(.15);
  const Affine map{wide * std::cos(angle),
                   -tall * std::sin(angle) + shear,
                   wide * std::sin(angle),
                   tall * std::cos(angle),
                   vary(.09),
                   vary(.07)};
  const double pen = .075 + vary(.025), soft = .07;
  for (std::int64_t y = 0; y < o.size; ++y) {
    for (std::int64_t x = 0; x < o.size; ++x) {
      const Point p{(static_cast<double>(x) + .5) / static_cast<double>(o.size),
                    (static_cast<double>(y) + .5) / static_cast<double>(o.size)};
      double nearest = 1;
      for (const auto& s : strokes) {
        for (std::size_t i = 1; i < s.size(); ++i)
          nearest = std::min(nearest, distance(p, map(s[i - 1]), map(s[i])));
      }
      const double ink = std::clamp((pen + soft - nearest) / soft, 0.0, 1.0);
      *out++ = static_cast<float>(ink + o.noise * random.normal());
    }
  }
}

}  // namespace

std::shared_ptr<const Dataset> make_digits(const DigitsOptions& options) {
  static const auto shapes = make_shapes();
  const std::int64_t pixels = options.size * options.size;
  std::vector<float> x(static_cast<std::size_t>(options.count * pixels));
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < options.count; ++i) {
    const auto digit = static_cast<std::size_t>(i % 10);
    Random random(options.seed, static_cast<std::uint64_t>(i));
    render(shapes[digit], options, random, x.data() + i * pixels);
    labels.push_back(static_cast<std::int32_t>(digit));
  }
  auto made = make_memory_dataset(Shape{{pixels}}, std::move(x), std::move(labels));
  return std::move(made).value();
}

}  // namespace neurolens::nn
