#include "neurolens/codebase/deps.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "facts.hpp"
#include "history.hpp"
#include "manifests.hpp"
#include "neurolens/base/file_system.hpp"
#include "resolve.hpp"

namespace neurolens::codebase {
namespace {

bool is_test(std::string_view path) {
  const std::string_view name = file_name(path);
  const std::string_view stem = name.substr(0, name.rfind('.'));
  if (stem.starts_with("test_") || stem.ends_with("_test") || stem.ends_with(".test") ||
      stem.ends_with(".spec") || stem.ends_with("Test") || stem.ends_with("_bench") ||
      stem.ends_with("_fuzz")) {
    return true;
  }
  const std::string padded = "/" + std::string(path);
  return padded.find("/tests/") != std::string::npos ||
         padded.find("/test/") != std::string::npos ||
         padded.find("/__tests__/") != std::string::npos ||
         padded.find("/testdata/") != std::string::npos;
}

// build/dev/compile_commands.json and the like; the first in order of path.
std::string find_compile_commands(const std::string& root) {
  std::vector<std::string> candidates{root + "/compile_commands.json"};
  if (auto top = system_files().list(root); top.ok()) {
    for (const DirectoryEntry& entry : *top) {
      if (entry.kind != FileKind::directory || !entry.name.starts_with("build")) continue;
      const std::string folder = root + "/" + entry.name;
      candidates.push_back(folder + "/compile_commands.json");
      if (auto below = system_files().list(folder); below.ok()) {
        for (const DirectoryEntry& inner : *below) {
          if (inner.kind == FileKind::directory)
            candidates.push_back(folder + "/" + inner.name + "/compile_commands.json");
        }
      }
    }
  }
  for (const std::string& path : candidates) {
    const auto found = system_files().info(path);
    if (found.ok() && found->has_value()) return path;
  }
  return {};
}

std::string package_of(std::string_view path) {
  const std::string_view folder = folder_of(path);
  return folder.empty() ? "." : std::string(folder);
}

class Builder {
 public:
  Builder(const DepsRequest& request, const Attention& attention)
      : request_(request), attention_(attention) {}

  Result<DepsReport> run() {
    std::string root = request_.root;
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    NEUROLENS_ASSIGN(walk_, walk(root, request_.walk));
    NEUROLENS_ASSIGN(facts_, collect_facts(root, walk_, {true, true}, request_.workers,
                                           request_.cache, attention_));
    report_.root = request_.root;
    report_.level = request_.level;
    if (!request_.use_compile_commands) {
      // nothing to read
    } else if (request_.compile_commands.empty()) {
      const std::string found = find_compile_commands(root);
      if (!found.empty()) NEUROLENS_TRY(load_db(found));
    } else {
      NEUROLENS_TRY(load_db(request_.compile_commands));
    }
    collect_files(root);
    attention_.report("resolving", {});
    resolve_all();
    if (attention_.cancelled())
      return Error{Errc::cancelled, "Stopped while resolving imports.", root};
    compare_declared();
    attention_.report("history", {});
    add_history(root);
    report_.graph = graph_at(report_, request_.level);
    report_.metrics = measure_graph(report_.graph);
    return std::move(report_);
  }

 private:
  Status load_db(const std::string& path) {
    auto db = read_compile_db(path);
    if (!db.ok()) return db.error();
    db_ = std::move(db).value();
    return {};
  }

  void collect_files(const std::string& root) {
    char cwd[4096];
    tree_.root = normal_path(::getcwd(cwd, sizeof cwd) != nullptr ? cwd : "/", root);
    for (std::size_t i = 0; i < walk_.files.size(); ++i) {
      const std::string& path = walk_.files[i].path;
      if (is_manifest(path) && !is_vendored(path)) {
        if (auto text = system_files().read(root + "/" + path, Bytes{std::int64_t{64} << 20});
            text.ok())
          manifests_[path] = *text;
      }
      const FileFacts& facts = facts_.facts[i];
      if (!facts.source || facts.error != 0 || facts.kind == FileClass::vendored ||
          facts.kind == FileClass::binary)
        continue;
      const LanguageInfo& about = info(facts.language);
      if (about.kind != LanguageKind::programming && about.name != "JSON" &&
          about.name != "Vuejs Component")
        continue;
      DepsFile file;
      file.path = path;
      file.language = about.name;
      file.module = request_.modules.module_of(path);
      file.package = package_of(path);
      file.summary = facts.summary;
      file.code_lines = facts.measured.lines.code;
      file.test = is_test(path);
      file.entry_point = facts.entry_point && !file.test;
      report_.files.push_back(std::move(file));
      tree_.facts.push_back(&facts);
    }
    tree_.paths.reserve(report_.files.size());
    for (const DepsFile& file : report_.files) {
      tree_.by_path.emplace(file.path, static_cast<std::uint32_t>(tree_.paths.size()));
      tree_.paths.push_back(file.path);
      for (std::string_view at = folder_of(file.path); !at.empty(); at = folder_of(at)) {
        if (!tree_.folders.emplace(at).second) break;
      }
    }
  }

  const Resolver* resolver_for(ImportForm form) const {
    switch (form) {
      case ImportForm::quoted:
      case ImportForm::angled:
        return c_.get();
      case ImportForm::python:
      case ImportForm::python_from:
        return python_.get();
      case ImportForm::script:
        return script_.get();
      case ImportForm::rust_path:
      case ImportForm::rust_mod:
        return rust_.get();
      case ImportForm::go:
        return go_.get();
      case ImportForm::java:
      case ImportForm::java_package:
        return java_.get();
    }
    return nullptr;
  }

  void resolve_all() {
    c_ = make_c_resolver(tree_, db_ ? &*db_ : nullptr);
    python_ = make_python_resolver(tree_);
    script_ = make_script_resolver(tree_, manifests_);
    rust_ = make_rust_resolver(tree_, manifests_);
    go_ = make_go_resolver(tree_, manifests_);
    java_ = make_java_resolver(tree_);
    std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, ImportKind>> seen;
    for (std::uint32_t from = 0; from < tree_.paths.size(); ++from) {
      for (const RawImport& import : tree_.facts[from]->imports) {
        const Resolver* resolver = resolver_for(import.form);
        for (const Target& target : resolver->resolve(from, import)) {
          if (target.file < 0) {
            note_outside(from, import, target, resolver->ecosystem());
            continue;
          }
          const auto to = static_cast<std::uint32_t>(target.file);
          if (to == from) continue;
          const ImportKind kind = target.inactive ? ImportKind::inactive : import.kind;
          if (!seen.emplace(from, import.line, to, kind).second) continue;
          report_.edges.push_back({from, to, import.line, kind, target.exact});
          if (resolver == c_.get()) ++(target.exact ? c_exact_ : c_guessed_);
        }
      }
    }
    std::sort(report_.edges.begin(), report_.edges.end(), [](const FileEdge& a, const FileEdge& b) {
      return std::tuple(a.from, a.line, a.to) < std::tuple(b.from, b.line, b.to);
    });
    for (auto& [key, use] : externals_) report_.externals.push_back(use);
    notes();
  }

  void note_outside(std::uint32_t from, const RawImport& import, const Target& target,
                    std::string_view ecosystem) {
    if (target.package.empty() || import.kind == ImportKind::inactive) return;
    if (target.unresolved) {
      report_.unresolved.push_back(report_.files[from].path + ":" + std::to_string(import.line) +
                                   ": " + target.package);
      return;
    }
    const auto [at, fresh] = externals_.try_emplace({std::string(ecosystem), target.package});
    ExternalUse& use = at->second;
    if (fresh) {
      use.package = target.package;
      use.ecosystem = ecosystem;
      use.standard = target.standard;
      use.file = from;
      use.line = import.line;
    }
    ++use.uses;
  }

  void notes() {
    if (c_exact_ + c_guessed_ == 0) return;
    if (!db_) {
      report_.notes.push_back(
          "C and C++: no compile_commands.json was used, so search paths were guessed: " +
          std::to_string(c_guessed_) + " of " + std::to_string(c_exact_ + c_guessed_) +
          " edges rest on a guess.");
      return;
    }
    report_.notes.push_back("C and C++: search paths from " + db_->path + "; " +
                            std::to_string(db_->recorded) + " of " +
                            std::to_string(db_->units.size()) +
                            " translation units have the compiler's own dependency record; " +
                            std::to_string(c_guessed_) + " edges rest on a guess.");
  }

  void compare_declared() {
    std::vector<Declared> declared;
    std::set<std::string> own;  // names of packages that live in this tree
    for (const auto& [path, text] :
         std::map<std::string, std::string>(manifests_.begin(), manifests_.end())) {
      for (Declared& d : declared_in(path, text)) declared.push_back(std::move(d));
    }
    std::map<std::string, std::string> manifest_of;
    for (const Declared& d : declared) {
      manifest_of.emplace(d.ecosystem, d.manifest);
      const bool used = std::any_of(report_.externals.begin(), report_.externals.end(),
                                    [&](const ExternalUse& use) {
                                      return use.ecosystem == d.ecosystem &&
                                             same_package(d.ecosystem, d.package, use.package);
                                    });
      if (!used && !d.development)
        report_.unused.push_back({d.package, d.ecosystem, d.manifest, ""});
    }
    for (const ExternalUse& use : report_.externals) {
      const auto manifest = manifest_of.find(use.ecosystem);
      if (use.standard || manifest == manifest_of.end()) continue;
      const bool known = std::any_of(declared.begin(), declared.end(), [&](const Declared& d) {
        return d.ecosystem == use.ecosystem && same_package(d.ecosystem, d.package, use.package);
      });
      if (!known) {
        report_.missing.push_back({use.package, use.ecosystem, manifest->second,
                                   report_.files[use.file].path + ":" + std::to_string(use.line)});
      }
    }
  }

  void add_history(const std::string& root) {
    const auto commits = read_history(root, request_.history_commits);
    report_.history = !commits.empty();
    std::map<std::string, std::uint32_t> touched;
    std::map<std::pair<std::string, std::string>, std::uint32_t> together;
    for (const auto& commit : commits) {
      std::set<std::string> names;
      for (const std::string& path : commit) {
        const int file = tree_.find(path);
        if (file < 0) continue;
        DepsFile& f = report_.files[static_cast<std::size_t>(file)];
        ++f.churn;
        names.insert(request_.level == DepsLevel::module    ? f.module
                     : request_.level == DepsLevel::package ? f.package
                                                            : f.path);
      }
      for (const std::string& name : names) ++touched[name];
      if (names.size() > 40) continue;  // a sweep over everything couples nothing
      for (auto a = names.begin(); a != names.end(); ++a) {
        for (auto b = std::next(a); b != names.end(); ++b) ++together[{*a, *b}];
      }
    }
    for (const auto& [pair, count] : together) {
      const std::uint32_t either = touched[pair.first] + touched[pair.second] - count;
      if (count >= 3)
        report_.coupling.push_back(
            {pair.first, pair.second, count, double(count) / double(either)});
    }
    std::stable_sort(report_.coupling.begin(), report_.coupling.end(),
                     [](const Coupling& a, const Coupling& b) { return a.degree > b.degree; });
    if (report_.coupling.size() > 50) report_.coupling.resize(50);
  }

  const DepsRequest& request_;
  const Attention& attention_;
  Walk walk_;
  FactsTable facts_;
  TreeView tree_;
  std::optional<CompileDb> db_;
  std::unordered_map<std::string, std::string> manifests_;
  std::unique_ptr<Resolver> c_, python_, script_, rust_, go_, java_;
  std::map<std::pair<std::string, std::string>, ExternalUse> externals_;
  std::size_t c_exact_ = 0, c_guessed_ = 0;
  DepsReport report_;
};

}  // namespace

std::string_view to_string(ImportKind kind) {
  constexpr std::array<std::string_view, 6> kNames{"normal",    "conditional", "local",
                                                   "type_only", "dynamic",     "inactive"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(DepsLevel level) {
  constexpr std::array<std::string_view, 3> kNames{"module", "package", "file"};
  return kNames[static_cast<std::size_t>(level)];
}

Graph graph_at(const DepsReport& report, DepsLevel level) {
  const auto name_of = [level](const DepsFile& f) -> const std::string& {
    return level == DepsLevel::module ? f.module : level == DepsLevel::package ? f.package : f.path;
  };
  std::map<std::string, std::uint32_t> index;
  for (const DepsFile& file : report.files) {
    if (file.language != "JSON") index.emplace(name_of(file), 0);
  }
  for (const FileEdge& edge : report.edges) index.emplace(name_of(report.files[edge.to]), 0);
  Graph g;
  for (auto& [name, at] : index) {
    at = static_cast<std::uint32_t>(g.names.size());
    g.names.push_back(name);
  }
  struct Link {
    std::uint32_t weight = 0;
    std::string place;
  };
  std::vector<std::map<std::uint32_t, Link>> links(g.size());
  for (const FileEdge& edge : report.edges) {
    if (edge.kind == ImportKind::inactive || edge.kind == ImportKind::type_only) continue;
    const std::uint32_t from = index[name_of(report.files[edge.from])];
    const std::uint32_t to = index[name_of(report.files[edge.to])];
    if (from == to) continue;
    Link& link = links[from][to];
    if (link.weight++ == 0)
      link.place = report.files[edge.from].path + ":" + std::to_string(edge.line);
  }
  g.out.resize(g.size());
  g.weight.resize(g.size());
  g.place.resize(g.size());
  for (std::size_t v = 0; v < g.size(); ++v) {
    for (auto& [to, link] : links[v]) {
      g.out[v].push_back(to);
      g.weight[v].push_back(link.weight);
      g.place[v].push_back(std::move(link.place));
    }
  }
  return g;
}

Result<DepsReport> find_dependencies(const DepsRequest& request, const Attention& attention) {
  return Builder(request, attention).run();
}

}  // namespace neurolens::codebase
