#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/codebase/deps.hpp"

namespace neurolens::codebase {
namespace {

std::string chain(const Graph& g, const std::vector<std::uint32_t>& nodes, std::string_view arrow) {
  std::string out;
  for (const std::uint32_t v : nodes) out += (out.empty() ? "" : std::string(arrow)) + g.names[v];
  return nodes.empty() ? out : out + std::string(arrow) + g.names[nodes.front()];
}

void write_node(json::Writer& w, const DepsReport& r, std::uint32_t v, const HeatTable& heat) {
  const GraphMetrics& m = r.metrics;
  w.begin_object().member("name", r.graph.names[v]);
  w.member("fan_in", std::uint64_t{m.fan_in[v]}).member("fan_out", std::uint64_t{m.fan_out[v]});
  w.member("instability", m.instability[v]).member("depth", std::uint64_t{m.depth[v]});
  w.member("component", std::uint64_t{m.component[v]});
  w.member("articulation", std::binary_search(m.articulation.begin(), m.articulation.end(), v));
  if (const auto found = heat.find(r.graph.names[v]); found != heat.end())
    w.member("heat", found->second);
  w.end_object();
}

void write_mismatches(json::Writer& w, std::string_view key,
                      const std::vector<DeclaredMismatch>& list) {
  w.key(key).begin_array();
  for (const DeclaredMismatch& d : list) {
    w.begin_object()
        .member("package", d.package)
        .member("ecosystem", d.ecosystem)
        .member("manifest", d.manifest);
    if (!d.where.empty()) w.member("where", d.where);
    w.end_object();
  }
  w.end_array();
}

void write_dependencies(json::Writer& w, const Graph& g) {
  w.begin_object();
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    w.key(g.names[v]).begin_array();
    for (const std::uint32_t t : g.out[v]) w.value(g.names[t]);
    w.end_array();
  }
  w.end_object();
}

std::string place_of(const DepsReport& r, const ExternalUse& use) {
  return r.files[use.file].path + ":" + std::to_string(use.line);
}

}  // namespace

std::string module_dependencies_json(const DepsReport& r) {
  json::Writer w({2});
  write_dependencies(w, r.graph);
  return std::move(w).take() + "\n";
}

std::string deps_json(const DepsReport& r, const HeatTable& heat) {
  json::Writer w({2});
  const Graph& g = r.graph;
  w.begin_object()
      .member("schema", "neurolens.deps/1")
      .member("root_path", r.root)
      .member("level", to_string(r.level));
  w.key("dependencies");
  write_dependencies(w, g);
  w.key("nodes").begin_array();
  for (std::uint32_t v = 0; v < g.size(); ++v) write_node(w, r, v, heat);
  w.end_array();
  w.key("edges").begin_array();
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    for (std::size_t k = 0; k < g.out[v].size(); ++k) {
      w.begin_object().member("from", g.names[v]).member("to", g.names[g.out[v][k]]);
      w.member("imports", std::uint64_t{g.weight[v][k]})
          .member("where", g.place[v][k])
          .end_object();
    }
  }
  w.end_array();
  w.key("imports").begin_array();
  for (const FileEdge& e : r.edges) {
    w.begin_object()
        .member("from", r.files[e.from].path)
        .member("line", std::uint64_t{e.line})
        .member("to", r.files[e.to].path);
    w.member("kind", to_string(e.kind)).member("exact", e.exact).end_object();
  }
  w.end_array();
  w.key("cycles").begin_array();
  for (std::size_t i = 0; i < r.metrics.cycles.size(); ++i) {
    w.begin_object().member("size", std::uint64_t{r.metrics.cycle_sizes[i]});
    w.key("shortest").begin_array();
    const auto& cycle = r.metrics.cycles[i];
    for (std::size_t k = 0; k < cycle.size(); ++k) {
      const int e = g.edge(cycle[k], cycle[(k + 1) % cycle.size()]);
      w.begin_object().member("node", g.names[cycle[k]]);
      w.member("where", g.place[cycle[k]][static_cast<std::size_t>(e)]).end_object();
    }
    w.end_array().end_object();
  }
  w.end_array();
  w.key("articulation").begin_array();
  for (const std::uint32_t v : r.metrics.articulation) w.value(g.names[v]);
  w.end_array();
  w.key("externals").begin_array();
  for (const ExternalUse& use : r.externals) {
    w.begin_object()
        .member("package", use.package)
        .member("ecosystem", use.ecosystem)
        .member("standard", use.standard);
    w.member("uses", std::uint64_t{use.uses}).member("first_use", place_of(r, use)).end_object();
  }
  w.end_array();
  write_mismatches(w, "unused_declared", r.unused);
  write_mismatches(w, "missing_declared", r.missing);
  w.key("coupling");
  if (r.history) {
    w.begin_array();
    for (const Coupling& c : r.coupling) {
      w.begin_object()
          .member("a", c.a)
          .member("b", c.b)
          .member("together", std::uint64_t{c.together})
          .member("degree", c.degree)
          .end_object();
    }
    w.end_array();
  } else {
    w.null();
  }
  w.key("unresolved").begin_array();
  for (const std::string& u : r.unresolved) w.value(u);
  w.end_array();
  w.key("notes").begin_array();
  for (const std::string& n : r.notes) w.value(n);
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

std::string deps_markdown(const DepsReport& r, const HeatTable& heat) {
  const Graph& g = r.graph;
  std::string out =
      fmt::format("# Dependencies of {}, by {}\n\n", printable(r.root), to_string(r.level));
  for (const std::string& note : r.notes) out += note + "\n\n";
  out += "| Name | Fan-in | Fan-out | Instability | Depth |" +
         std::string(heat.empty() ? "" : " Heat |") + "\n|---|--:|--:|--:|--:|" +
         std::string(heat.empty() ? "" : "--:|") + "\n";
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    const double instability = r.metrics.instability[v];
    out += fmt::format("| {} | {} | {} | {} | {} |", printable(g.names[v]), r.metrics.fan_in[v],
                       r.metrics.fan_out[v],
                       std::isnan(instability) ? "-" : fmt::format("{:.2f}", instability),
                       r.metrics.depth[v]);
    if (!heat.empty()) {
      const auto found = heat.find(g.names[v]);
      out += found == heat.end() ? " - |" : fmt::format(" {:.4g} |", found->second);
    }
    out += '\n';
  }
  out += "\n## Cycles\n\n";
  if (r.metrics.cycles.empty()) out += "None.\n";
  for (std::size_t i = 0; i < r.metrics.cycles.size(); ++i) {
    out += fmt::format("- {} of {}: {}\n", r.metrics.cycles[i].size(), r.metrics.cycle_sizes[i],
                       printable(chain(g, r.metrics.cycles[i], " → ")));
  }
  const auto list = [&out](std::string_view title, const std::vector<DeclaredMismatch>& rows) {
    if (rows.empty()) return;
    out += fmt::format("\n## {}\n\n", title);
    for (const DeclaredMismatch& d : rows)
      out += fmt::format("- {} ({}){}\n", printable(d.package), printable(d.manifest),
                         d.where.empty() ? "" : ", " + printable(d.where));
  };
  list("Declared and not imported", r.unused);
  list("Imported and not declared", r.missing);
  out +=
      "\n## External packages\n\n| Package | Ecosystem | Uses | First use |\n|---|---|--:|---|\n";
  for (const ExternalUse& use : r.externals) {
    if (!use.standard)
      out += fmt::format("| {} | {} | {} | {} |\n", printable(use.package), use.ecosystem, use.uses,
                         printable(place_of(r, use)));
  }
  if (r.history && !r.coupling.empty()) {
    out += "\n## Changed together\n\n| A | B | Commits | Degree |\n|---|---|--:|--:|\n";
    for (std::size_t i = 0; i < std::min<std::size_t>(r.coupling.size(), 15); ++i) {
      const Coupling& c = r.coupling[i];
      out += fmt::format("| {} | {} | {} | {:.2f} |\n", printable(c.a), printable(c.b), c.together,
                         c.degree);
    }
  }
  return out;
}

std::string deps_text(const DepsReport& r) {
  const Graph& g = r.graph;
  std::size_t width = 8, edges = 0;
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    width = std::max(width, std::min<std::size_t>(g.names[v].size(), 60));
    edges += g.out[v].size();
  }
  std::string out = fmt::format("{} {}s, {} edges, {} cycles\n", g.size(), to_string(r.level),
                                edges, r.metrics.cycles.size());
  for (const std::string& note : r.notes) out += note + "\n";
  out += fmt::format("{:<{}} {:>6} {:>7} {:>11} {:>5}\n", to_string(r.level), width, "fan-in",
                     "fan-out", "instability", "depth");
  for (std::uint32_t v = 0; v < g.size(); ++v) {
    const double instability = r.metrics.instability[v];
    out += fmt::format("{:<{}} {:>6} {:>7} {:>11} {:>5}\n", printable(g.names[v]), width,
                       r.metrics.fan_in[v], r.metrics.fan_out[v],
                       std::isnan(instability) ? "-" : fmt::format("{:.2f}", instability),
                       r.metrics.depth[v]);
  }
  for (std::size_t i = 0; i < r.metrics.cycles.size(); ++i) {
    out += fmt::format("cycle ({} of {}): {}\n", r.metrics.cycles[i].size(),
                       r.metrics.cycle_sizes[i], printable(chain(g, r.metrics.cycles[i], " -> ")));
  }
  return out;
}

}  // namespace neurolens::codebase
