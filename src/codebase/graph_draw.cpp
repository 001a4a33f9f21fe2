#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/markup.hpp"
#include "neurolens/codebase/graph.hpp"

namespace neurolens::codebase {
namespace {

using Heat = std::map<std::string, double>;

// 0 .. 1 of the hottest; negative when the node has no figure.
double heat_of(const Heat& heat, const std::string& name) {
  const auto found = heat.find(name);
  if (found == heat.end()) return -1;
  double most = 0;
  for (const auto& [key, value] : heat) most = std::max(most, value);
  return most > 0 ? std::max(0.0, found->second) / most : 0;
}

// White to a strong orange: dark text stays readable on all of them.
std::string colour(double share) {
  if (share < 0) return "#f4f4f4";
  const auto mix = [share](int a, int b) {
    return a + static_cast<int>(std::lround((b - a) * share));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(255, 240), mix(255, 140), mix(255, 60));
}

std::string mermaid_text(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '"' ? std::string("#quot;") : c == '\n' ? std::string(" ") : std::string(1, c);
  return out;
}

// Nodes per layer, top (deepest dependants) first, ordered to keep edges short: a few sweeps that
// put each node at the mean place of its neighbours (Sugiyama's barycentre rule).
std::vector<std::vector<std::uint32_t>> layers_of(const Graph& g, const GraphMetrics& m) {
  std::uint32_t deepest = 0;
  for (const std::uint32_t d : m.depth) deepest = std::max(deepest, d);
  std::vector<std::vector<std::uint32_t>> layers(g.size() == 0 ? 0 : deepest + 1);
  for (std::uint32_t v = 0; v < g.size(); ++v) layers[deepest - m.depth[v]].push_back(v);
  std::vector<std::vector<std::uint32_t>> in(g.size());
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    for (const std::uint32_t w : g.out[v]) in[w].push_back(v);
  }
  std::vector<double> place(g.size(), 0);
  const auto number = [&] {
    for (const auto& layer : layers) {
      for (std::size_t i = 0; i < layer.size(); ++i)
        place[layer[i]] = (double(i) + 0.5) / double(layer.size());
    }
  };
  number();
  for (int sweep = 0; sweep < 6; ++sweep) {
    const auto& near = sweep % 2 == 0 ? in : g.out;
    for (auto& layer : layers) {
      std::vector<std::pair<double, std::uint32_t>> order;
      for (const std::uint32_t v : layer) {
        double sum = 0;
        for (const std::uint32_t w : near[v]) sum += place[w];
        order.emplace_back(near[v].empty() ? place[v] : sum / double(near[v].size()), v);
      }
      std::stable_sort(order.begin(), order.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      for (std::size_t i = 0; i < layer.size(); ++i) layer[i] = order[i].second;
    }
    number();
  }
  return layers;
}

bool in_cycle(const GraphMetrics& m, std::uint32_t from, std::uint32_t to) {
  return m.component[from] == m.component[to];
}

}  // namespace

std::string to_dot(const Graph& g, const GraphMetrics& m, const Heat& heat) {
  std::string out =
      "digraph dependencies {\n  rankdir=TB;\n  node [shape=box, style=filled, "
      "fontname=\"sans-serif\"];\n";
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    out += fmt::format("  n{} [label={}, fillcolor=\"{}\"];\n", v, json::quote(g.names[v]),
                       colour(heat_of(heat, g.names[v])));
  }
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    for (std::size_t k = 0; k < g.out[v].size(); ++k) {
      const std::uint32_t w = g.out[v][k];
      out += fmt::format("  n{} -> n{} [weight={}{}];\n", v, w, g.weight[v][k],
                         in_cycle(m, v, w) ? ", color=red" : "");
    }
  }
  return out + "}\n";
}

std::string to_mermaid(const Graph& g, const GraphMetrics& m, const Heat& heat) {
  std::string out = "flowchart TD\n";
  const auto layers = layers_of(g, m);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].empty()) continue;
    out += fmt::format("  subgraph layer{}[\" \"]\n    direction LR\n", layers.size() - 1 - i);
    for (const std::uint32_t v : layers[i])
      out += fmt::format("    n{}[\"{}\"]\n", v, mermaid_text(g.names[v]));
    out += "  end\n";
  }
  std::string red;
  int number = 0;
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    for (const std::uint32_t w : g.out[v]) {
      out += fmt::format("  n{} --> n{}\n", v, w);
      if (in_cycle(m, v, w)) red += (red.empty() ? "" : ",") + std::to_string(number);
      ++number;
    }
  }
  if (!red.empty()) out += "  linkStyle " + red + " stroke:red\n";
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    const double share = heat_of(heat, g.names[v]);
    if (share >= 0) out += fmt::format("  style n{} fill:{}\n", v, colour(share));
  }
  return out;
}

std::string to_svg(const Graph& g, const GraphMetrics& m, const Heat& heat) {
  constexpr double kRow = 90, kGap = 24, kHeight = 34, kMargin = 20, kLetter = 7.6;
  const auto layers = layers_of(g, m);
  std::vector<double> x(g.size(), 0), y(g.size(), 0), width(g.size(), 0);
  double total = 0;
  std::vector<double> widths;
  for (const auto& layer : layers) {
    double sum = -kGap;
    for (const std::uint32_t v : layer) {
      width[v] = std::max(50.0, 20 + kLetter * double(g.names[v].size()));
      sum += width[v] + kGap;
    }
    widths.push_back(sum);
    total = std::max(total, sum);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    double at = kMargin + (total - widths[i]) / 2;
    for (const std::uint32_t v : layers[i]) {
      x[v] = at;
      y[v] = kMargin + kRow * double(i);
      at += width[v] + kGap;
    }
  }
  const double w_total = total + 2 * kMargin;
  const double h_total =
      2 * kMargin + kRow * double(std::max<std::size_t>(layers.size(), 1) - 1) + kHeight;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" "
      "role=\"img\" aria-label=\"dependency graph\" font-family=\"sans-serif\" font-size=\"13\">\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" "
      "markerHeight=\"7\" "
      "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker></defs>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      w_total, h_total);
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    for (std::size_t k = 0; k < g.out[v].size(); ++k) {
      const std::uint32_t t = g.out[v][k];
      const bool cycle = in_cycle(m, v, t);
      const bool down = y[v] < y[t];
      const double x1 = x[v] + width[v] / 2, y1 = y[v] + (down ? kHeight : 0);
      const double x2 = x[t] + width[t] / 2, y2 = y[t] + (down ? 0 : kHeight);
      const double bend = (y2 - y1) / 2 + (y[v] == y[t] ? -40 : 0);
      out += fmt::format(
          "<path d=\"M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}\" fill=\"none\" "
          "stroke=\"{}\" "
          "stroke-width=\"{:.1f}\" marker-end=\"url(#tip)\"><title>{} to {}: {}</title></path>\n",
          x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2, cycle ? "#c00000" : "#8a8a8a",
          std::min(4.0, 1 + std::log10(double(g.weight[v][k]))), escape_markup(g.names[v]),
          escape_markup(g.names[t]), g.weight[v][k]);
    }
  }
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    const auto found = heat.find(g.names[v]);
    const std::string title =
        found == heat.end() ? g.names[v] : fmt::format("{}: {:.4g}", g.names[v], found->second);
    out += fmt::format(
        "<g><title>{}</title><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.0f}\" "
        "rx=\"5\" fill=\"{}\" "
        "stroke=\"#555555\"/><text x=\"{:.1f}\" y=\"{:.1f}\" "
        "text-anchor=\"middle\">{}</text></g>\n",
        escape_markup(title), x[v], y[v], width[v], kHeight, colour(heat_of(heat, g.names[v])),
        x[v] + width[v] / 2, y[v] + 22, escape_markup(g.names[v]));
  }
  return out + "</svg>\n";
}

}  // namespace neurolens::codebase
