/// \file
/// The system map: one page that tells a newcomer what is where and what hangs on what.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/codebase/deps.hpp"
#include "neurolens/codebase/inventory.hpp"

namespace neurolens::codebase {

/// Sections of the page.
enum class MapPart : std::uint8_t {
  modules,
  layers,
  entry_points,
  hotspots,
  cycles,
  externals,
  languages
};
/// "modules", "layers", "entry-points", ...
[[nodiscard]] std::string_view to_string(MapPart part);

struct MapRequest {
  std::string root = ".";
  std::string title;  ///< Empty: the root's last part.
  ModuleMap modules;
  WalkOptions walk;
  unsigned workers = 0;
  /// Sections to write, in their own order; empty: the title and all of them.
  std::vector<MapPart> parts;
  std::size_t top = 10;  ///< Hotspots and entry points to show.
  std::string cache;
  std::uint32_t history_commits = 2000;
  /// Off: edges come from the directives alone, so that the page is the same on every machine,
  /// built or not; see DepsRequest.
  bool use_compile_commands = true;
  /// Measured cost per module, such as seconds of a profile; empty: none is shown.
  HeatTable heat;
  std::string heat_unit;  ///< Heading of that column.
};

struct SystemMap {
  std::string markdown;  ///< With the diagram as Mermaid.
  std::string svg;       ///< The same diagram on its own.
};

/// Draws the map. The page holds no time and no machine path, so that it changes only when the tree
/// does. Errors: those of find_dependencies() and take_inventory().
[[nodiscard]] Result<SystemMap> draw_map(const MapRequest& request,
                                         const Attention& attention = {});

/// One line about a module, where its rule says nothing: the first sentence of its README, of its
/// package's documentation, or of the file named like it; empty when none says anything.
[[nodiscard]] std::string module_summary(const DepsReport& report, const std::string& root,
                                         const std::string& module);

}  // namespace neurolens::codebase
