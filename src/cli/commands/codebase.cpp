#include <fmt/format.h>

#include "builtin.hpp"
#include "codebase_heat.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/codebase/contract.hpp"
#include "neurolens/codebase/inventory.hpp"
#include "neurolens/codebase/map.hpp"
#include "store.hpp"

// inventory, deps, map: thin wrappers around the room codebase.
namespace neurolens::cli {
namespace {

namespace nc = codebase;

// What the three commands share.
struct TreeOptions {
  std::string root;
  std::optional<std::string> modules, cache;
  std::vector<std::string> exclude;
  std::optional<std::int64_t> workers;
  bool no_ignore = false, follow = false;

  void declare(Options& options) {
    options.positional("dir", root, "Root of the source tree");
    options.value("--modules", "FILE.yaml", modules,
                  "Modules as {name: glob or [globs]} (default: top-level folders)");
    options.values("--exclude", "PATTERN", exclude, "Leave out, in .gitignore syntax");
    options.flag("--no-gitignore", no_ignore, "Read what .gitignore leaves out as well");
    options.flag("--follow", follow, "Follow symbolic links");
    options.value("--workers", "N", workers, "Threads (default: one per processor)");
    options.value("--cache", "FILE", cache,
                  "Keep facts here: a second run opens only what changed");
  }

  template <class Request>
  Status fill(FileSystem& files, Request* request) const {
    request->root = root;
    request->walk.gitignore = !no_ignore;
    request->walk.follow_links = follow;
    request->walk.exclude = exclude;
    request->cache = cache.value_or("");
    if (workers && (*workers < 0 || *workers > 1024)) {
      return Error{Errc::out_of_range, "--workers must be between 0 and 1024.", ""};
    }
    request->workers = static_cast<unsigned>(workers.value_or(0));
    if (!modules) return {};
    NEUROLENS_ASSIGN(const std::string text, files.read(*modules));
    auto parsed = yaml::parse(text);
    if (!parsed.ok()) return Error(parsed.error()).at(*modules);
    const json::Value* inner = parsed->find("modules");
    auto map = nc::module_map_from(inner != nullptr ? *inner : *parsed);
    if (!map.ok()) return Error(map.error()).at(*modules);
    request->modules = std::move(map).value();
    return {};
  }
};

// Writes each document that was asked for; "-" is stdout.
struct Output {
  std::optional<std::string> path;
  std::string text;
};

Result<bool> write_all(Context& context, const std::vector<Output>& outputs) {
  bool any = false;
  for (const Output& output : outputs) {
    if (!output.path) continue;
    any = true;
    if (*output.path == "-") {
      context.terminal.out(output.text);
    } else {
      NEUROLENS_TRY(context.files.write_atomic(*output.path, output.text));
    }
  }
  return any;
}

Result<std::size_t> count_of(const std::optional<std::int64_t>& given, std::size_t otherwise) {
  if (given && *given < 0) return Error{Errc::out_of_range, "--top must not be negative.", ""};
  return given ? static_cast<std::size_t>(*given) : otherwise;
}

// --run: measured time over the tree.
struct HeatOption {
  std::optional<std::string> run;

  void declare(Options& options) {
    options.value("--run", "RUN", run,
                  "Lay the time of this recorded Run over the tree (see `neurolens record`)");
  }
  Result<std::optional<Heat>> read(Context& context, const std::string& root, nc::DepsLevel level,
                                   const nc::ModuleMap& modules) const {
    if (!run) return std::optional<Heat>();
    NEUROLENS_ASSIGN(const run::Run loaded, load_run(context, *run));
    auto heat = heat_of(loaded, root, level, modules);
    if (!heat.ok()) return std::move(heat).error().at(*run);
    return std::optional<Heat>(std::move(heat).value());
  }
};

class InventoryCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "inventory"; }
  [[nodiscard]] std::string summary() const override {
    return "count lines, functions and complexity of a source tree";
  }
  void declare(Options& options) override {
    tree_.declare(options);
    options.choice("--by", {"module", "language", "file"}, by_, "Rows of the table");
    options.value("--top", "K", top_, "Functions and files to show (default: 20)");
    options.flag("--lines-only", lines_only_, "Leave functions out; about twice as fast");
    options.value("--json", "FILE", json_, "Write the whole inventory; - is stdout");
    options.value("--md", "FILE", md_, "Write the tables as Markdown; - is stdout");
    options.example("neurolens inventory . --by language");
  }
  Result<int> run(Context& context) override {
    nc::InventoryRequest request;
    NEUROLENS_TRY(tree_.fill(context.files, &request));
    NEUROLENS_ASSIGN(request.top, count_of(top_, 20));
    request.functions = !lines_only_;
    NEUROLENS_ASSIGN(const nc::Inventory made,
                     nc::take_inventory(request, context.clock, context.attention));
    const nc::InventoryGroup by = by_ == "language" ? nc::InventoryGroup::language
                                  : by_ == "file"   ? nc::InventoryGroup::file
                                                    : nc::InventoryGroup::module;
    std::vector<Output> outputs;
    if (json_) outputs.push_back({json_, nc::inventory_json(made)});
    if (md_) outputs.push_back({md_, nc::inventory_markdown(made, by, request.top)});
    NEUROLENS_ASSIGN(const bool written, write_all(context, outputs));
    if (!written) context.terminal.out(nc::inventory_text(made, by, request.top));
    return kDone;
  }

 private:
  TreeOptions tree_;
  std::string by_ = "module";
  std::optional<std::int64_t> top_;
  std::optional<std::string> json_, md_;
  bool lines_only_ = false;
};

class DepsCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "deps"; }
  [[nodiscard]] std::string summary() const override {
    return "show who depends on whom, the cycles, and breaches of a contract";
  }
  void declare(Options& options) override {
    tree_.declare(options);
    options.choice("--level", {"module", "package", "file"}, level_, "What a node is");
    options.value("--contract", "FILE.yaml", contract_,
                  "Check these rules; exit status 1 on a breach");
    options.value("--compile-commands", "FILE", commands_,
                  "The compilation database (default: looked for); none: do without");
    options.value("--commits", "N", commits_,
                  "Commits of history to read; 0: none (default: 2000)");
    heat_.declare(options);
    options.value("--json", "FILE", json_, "Write the graph; - is stdout");
    options.value("--md", "FILE", md_, "Write tables as Markdown; - is stdout");
    options.value("--dot", "FILE", dot_, "Write the graph for Graphviz; - is stdout");
    options.value("--svg", "FILE", svg_, "Write a drawing; - is stdout");
    options.value("--mermaid", "FILE", mermaid_, "Write a Mermaid diagram; - is stdout");
    options.example("neurolens deps . --contract rooms.yaml");
  }
  Result<int> run(Context& context) override {
    nc::DepsRequest request;
    NEUROLENS_TRY(tree_.fill(context.files, &request));
    request.use_compile_commands = commands_ != "none";
    if (request.use_compile_commands) request.compile_commands = commands_.value_or("");
    if (commits_ && (*commits_ < 0 || *commits_ > 1000000)) {
      return Error{Errc::out_of_range, "--commits must be between 0 and 1000000.", ""};
    }
    if (commits_) request.history_commits = static_cast<std::uint32_t>(*commits_);
    request.level = level_ == "file"      ? nc::DepsLevel::file
                    : level_ == "package" ? nc::DepsLevel::package
                                          : nc::DepsLevel::module;
    std::optional<nc::Contract> contract;
    if (contract_) {
      NEUROLENS_ASSIGN(const std::string text, context.files.read(*contract_));
      NEUROLENS_ASSIGN(contract, nc::parse_contract(text, *contract_));
      if (!commits_) request.history_commits = 0;
    }
    NEUROLENS_ASSIGN(const std::optional<Heat> heat,
                     heat_.read(context, request.root, request.level, request.modules));
    const nc::HeatTable table = heat ? heat->table : nc::HeatTable();
    NEUROLENS_ASSIGN(const nc::DepsReport report,
                     nc::find_dependencies(request, context.attention));
    std::vector<Output> outputs;
    std::optional<nc::ContractVerdict> verdict;
    if (contract) verdict = nc::check_contract(*contract, report);
    if (json_)
      outputs.push_back(
          {json_, verdict ? nc::contract_json(*contract, *verdict) : nc::deps_json(report, table)});
    if (md_) outputs.push_back({md_, nc::deps_markdown(report, table)});
    if (dot_) outputs.push_back({dot_, nc::to_dot(report.graph, report.metrics, table)});
    if (svg_) outputs.push_back({svg_, nc::to_svg(report.graph, report.metrics, table)});
    if (mermaid_)
      outputs.push_back({mermaid_, nc::to_mermaid(report.graph, report.metrics, table)});
    NEUROLENS_ASSIGN(const bool written, write_all(context, outputs));
    if (verdict) {
      if (!written) context.terminal.out(nc::contract_text(*verdict));
      return verdict->kept() ? kDone : kAnswerIsNo;
    }
    if (!written) {
      constexpr std::size_t kRows = 15;
      context.terminal.out(nc::deps_text(report) + (heat ? heat_text(*heat, kRows) : ""));
    }
    return kDone;
  }

 private:
  TreeOptions tree_;
  std::string level_ = "module";
  HeatOption heat_;
  std::optional<std::int64_t> commits_;
  std::optional<std::string> contract_, commands_, json_, md_, dot_, svg_, mermaid_;
};

class MapCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "map"; }
  [[nodiscard]] std::string summary() const override {
    return "write a page that tells a newcomer what is where";
  }
  void declare(Options& options) override {
    tree_.declare(options);
    options.value("--title", "TEXT", title_, "Name on the page (default: the folder's)");
    options.value("--top", "K", top_, "Hotspots and entry points to show (default: 10)");
    heat_.declare(options);
    options.value("-o,--output", "FILE.md", output_, "The page; - is stdout (default: stdout)");
    options.value("--svg", "FILE", svg_, "Write the diagram on its own as well");
    options.example("neurolens map . -o MAP.md");
  }
  Result<int> run(Context& context) override {
    nc::MapRequest request;
    NEUROLENS_TRY(tree_.fill(context.files, &request));
    NEUROLENS_ASSIGN(request.top, count_of(top_, 10));
    request.title = title_.value_or("");
    NEUROLENS_ASSIGN(std::optional<Heat> heat,
                     heat_.read(context, request.root, nc::DepsLevel::module, request.modules));
    if (heat) {
      request.heat = std::move(heat->table);
      request.heat_unit = "Time, %";
    }
    NEUROLENS_ASSIGN(nc::SystemMap map, nc::draw_map(request, context.attention));
    const std::vector<Output> outputs{{output_.value_or("-"), std::move(map.markdown)},
                                      {svg_, std::move(map.svg)}};
    NEUROLENS_TRY(write_all(context, outputs).status());
    return kDone;
  }

 private:
  TreeOptions tree_;
  HeatOption heat_;
  std::optional<std::string> title_, output_, svg_;
  std::optional<std::int64_t> top_;
};

}  // namespace

std::unique_ptr<Command> make_inventory() {
  return std::make_unique<InventoryCommand>();
}
std::unique_ptr<Command> make_deps() {
  return std::make_unique<DepsCommand>();
}
std::unique_ptr<Command> make_map() {
  return std::make_unique<MapCommand>();
}

}  // namespace neurolens::cli
