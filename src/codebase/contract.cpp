#include "neurolens/codebase/contract.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/codebase/walk.hpp"

namespace neurolens::codebase {
namespace {

std::string at(const std::string& file, const json::Value& v) {
  return file + ":" + std::to_string(v.line);
}

Status known_keys(const json::Value& object, const std::string& file,
                  std::initializer_list<std::string_view> keys) {
  if (object.as_object() == nullptr)
    return Error{Errc::wrong_type, "This must be an object.", at(file, object)};
  for (const auto& [key, value] : *object.as_object()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::vector<std::string> known(keys.begin(), keys.end());
    return Error{Errc::unknown_key, "Unknown key \"" + key + "\"." + did_you_mean(key, known),
                 at(file, value)};
  }
  return {};
}

Result<std::vector<std::string>> names_of(const json::Value* value, const json::Value& owner,
                                          std::string_view key, const std::string& file) {
  std::vector<std::string> out;
  if (value == nullptr)
    return Error{Errc::missing_key, "The key \"" + std::string(key) + "\" is missing.",
                 at(file, owner)};
  if (const std::string* one = value->as_string()) {
    out.push_back(*one);
    return out;
  }
  if (value->as_array() == nullptr)
    return Error{Errc::wrong_type,
                 "\"" + std::string(key) + "\" must be a name or a list of names.",
                 at(file, *value)};
  for (const json::Value& item : *value->as_array()) {
    if (item.as_string() == nullptr)
      return Error{Errc::wrong_type, "A module's name must be a string.", at(file, item)};
    out.push_back(*item.as_string());
  }
  return out;
}

Result<std::string> text_of(const json::Value& owner, std::string_view key,
                            const std::string& file) {
  const json::Value* value = owner.find(key);
  if (value == nullptr || value->as_string() == nullptr) {
    return Error{Errc::missing_key, "The key \"" + std::string(key) + "\" is missing or no text.",
                 at(file, owner)};
  }
  return *value->as_string();
}

Result<ContractRule> rule_of(const json::Value& v, const std::string& file) {
  NEUROLENS_TRY(
      known_keys(v, file,
                 {"name", "type", "layers", "modules", "from", "to", "indirect", "allowed",
                  "public", "files", "siblings", "include_tests", "only_tests"}));
  ContractRule rule;
  NEUROLENS_ASSIGN(rule.name, text_of(v, "name", file));
  NEUROLENS_ASSIGN(const std::string type, text_of(v, "type", file));
  for (const auto& [key, flag] : {std::pair{"indirect", &rule.indirect},
                                  {"siblings", &rule.siblings},
                                  {"include_tests", &rule.include_tests},
                                  {"only_tests", &rule.only_tests}}) {
    const json::Value* value = v.find(key);
    if (value == nullptr) continue;
    if (!value->as_bool())
      return Error{Errc::wrong_type, "\"" + std::string(key) + "\" must be true or false.",
                   at(file, *value)};
    *flag = *value->as_bool();
  }
  if (type == "layers") {
    rule.type = ContractType::layers;
    const json::Value* list = v.find("layers");
    if (list == nullptr || list->as_array() == nullptr)
      return Error{Errc::missing_key, "A contract of layers needs the list \"layers\".",
                   at(file, v)};
    for (const json::Value& item : *list->as_array()) {
      NEUROLENS_ASSIGN(auto names, names_of(&item, v, "layers", file));
      rule.layers.push_back(std::move(names));
    }
  } else if (type == "independence") {
    rule.type = ContractType::independence;
    NEUROLENS_ASSIGN(rule.from, names_of(v.find("modules"), v, "modules", file));
  } else if (type == "forbidden") {
    rule.type = ContractType::forbidden;
    NEUROLENS_ASSIGN(rule.from, names_of(v.find("from"), v, "from", file));
    NEUROLENS_ASSIGN(rule.to, names_of(v.find("to"), v, "to", file));
  } else if (type == "allowed") {
    rule.type = ContractType::allowed;
    const json::Value* map = v.find("allowed");
    if (map == nullptr || map->as_object() == nullptr)
      return Error{Errc::missing_key, "A contract of allowed edges needs the object \"allowed\".",
                   at(file, v)};
    for (const auto& [name, value] : *map->as_object()) {
      NEUROLENS_ASSIGN(auto names, names_of(&value, v, name, file));
      rule.allowed.emplace_back(name, std::move(names));
    }
  } else if (type == "public") {
    rule.type = ContractType::public_files;
    NEUROLENS_ASSIGN(rule.files, names_of(v.find("public"), v, "public", file));
  } else if (type == "covered") {
    rule.type = ContractType::covered;
    NEUROLENS_ASSIGN(rule.files, names_of(v.find("files"), v, "files", file));
  } else {
    const std::vector<std::string> types{"layers",  "independence", "forbidden",
                                         "allowed", "public",       "covered"};
    return Error{Errc::bad_request,
                 "Unknown type of contract \"" + type + "\"." + did_you_mean(type, types),
                 at(file, v)};
  }
  return rule;
}

bool covers(std::string_view name, std::string_view module) {
  return module == name ||
         (module.size() > name.size() && module.starts_with(name) && module[name.size()] == '/');
}
bool covers(const std::vector<std::string>& names, std::string_view module) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& n) { return covers(n, module); });
}

struct Use {
  std::string from, to, place;
  bool test = false;
};

class Checker {
 public:
  Checker(const Contract& contract, const DepsReport& report)
      : contract_(contract), report_(report), excused_(contract.exceptions.size(), false) {
    for (const FileEdge& e : report.edges) {
      if (e.kind == ImportKind::inactive || e.kind == ImportKind::type_only) continue;
      const DepsFile& a = report.files[e.from];
      const DepsFile& b = report.files[e.to];
      Use use{module_of(a), module_of(b), a.path + ":" + std::to_string(e.line), a.test};
      ++verdict_.imports;
      if (use.from != use.to) uses_.push_back(std::move(use));
    }
  }

  ContractVerdict run() {
    for (const ContractRule& rule : contract_.rules) {
      switch (rule.type) {
        case ContractType::layers:
          layers(rule);
          break;
        case ContractType::independence:
          independence(rule);
          break;
        case ContractType::forbidden:
          forbidden(rule);
          break;
        case ContractType::allowed:
          allowed(rule);
          break;
        case ContractType::public_files:
          public_files(rule);
          break;
        case ContractType::covered:
          covered(rule);
          break;
      }
    }
    for (std::size_t i = 0; i < excused_.size(); ++i) {
      if (!excused_[i]) verdict_.unneeded.push_back(contract_.exceptions[i]);
    }
    std::stable_sort(verdict_.breaches.begin(), verdict_.breaches.end(),
                     [](const Breach& a, const Breach& b) {
                       return std::tie(a.rule, a.where) < std::tie(b.rule, b.where);
                     });
    return std::move(verdict_);
  }

 private:
  std::string module_of(const DepsFile& file) const {
    return contract_.modules.rules().empty() ? file.module : contract_.modules.module_of(file.path);
  }

  bool excused(const Use& use) {
    bool hit = false;
    for (std::size_t i = 0; i < contract_.exceptions.size(); ++i) {
      const ContractException& e = contract_.exceptions[i];
      // An exception names modules, or the very file.
      const bool from = covers(e.from, use.from) || use.place.starts_with(e.from + ":");
      if (!from || !covers(e.to, use.to)) continue;
      excused_[i] = hit = true;
    }
    return hit;
  }

  void direct(const ContractRule& rule, const Use& use, std::string sentence) {
    if (excused(use)) return;
    verdict_.breaches.push_back(
        {rule.name, use.place, {use.from, use.to}, {use.place}, std::move(sentence)});
  }

  void layers(const ContractRule& rule) {
    const auto level = [&rule](const std::string& module) -> std::optional<std::size_t> {
      for (std::size_t i = 0; i < rule.layers.size(); ++i) {
        if (covers(rule.layers[i], module)) return i;
      }
      return std::nullopt;
    };
    for (const Use& use : uses_) {
      if (!counts(rule, use)) continue;
      const auto a = level(use.from), b = level(use.to);
      if (!a || !b || *a < *b || (*a == *b && rule.siblings)) continue;
      direct(rule, use,
             *a == *b ? use.from + " uses " + use.to + ", its sibling"
                      : use.from + " uses " + use.to + ", which lies above it");
    }
  }

  void allowed(const ContractRule& rule) {
    for (const Use& use : uses_) {
      if (!counts(rule, use)) continue;
      for (const auto& [name, targets] : rule.allowed) {
        if (!covers(name, use.from)) continue;
        const bool fine = covers(name, use.to) || covers(targets, use.to) ||
                          std::find(targets.begin(), targets.end(), "*") != targets.end();
        if (!fine) {
          std::string list;
          for (const std::string& t : targets) list += (list.empty() ? "" : ", ") + t;
          direct(rule, use,
                 use.from + " may not use " + use.to + "; it may use " +
                     (list.empty() ? "nothing" : list));
        }
        break;
      }
    }
  }

  // Files keep to the public ones of other modules; public files keep to public ones altogether.
  void public_files(const ContractRule& rule) {
    const auto is_public = [&rule](const std::string& path) {
      return std::any_of(rule.files.begin(), rule.files.end(),
                         [&](const std::string& glob) { return glob_match(glob, path); });
    };
    for (const FileEdge& e : report_.edges) {
      const DepsFile& a = report_.files[e.from];
      const DepsFile& b = report_.files[e.to];
      if (e.kind == ImportKind::inactive || e.kind == ImportKind::type_only || is_public(b.path))
        continue;
      const Use use{module_of(a), module_of(b), a.path + ":" + std::to_string(e.line), a.test};
      if (is_public(a.path)) {
        direct(rule, use, "a public file may not use " + b.path + ", which is not");
      } else if (use.from != use.to) {
        direct(rule, use, use.from + " may not use " + b.path + ", a private file of " + use.to);
      }
    }
  }

  void covered(const ContractRule& rule) {
    for (const DepsFile& file : report_.files) {
      const auto wanted = [&](const std::string& glob) { return glob_match(glob, file.path); };
      if (!std::any_of(rule.files.begin(), rule.files.end(), wanted)) continue;
      if (contract_.modules.named(file.path)) continue;
      direct(rule, {module_of(file), module_of(file), file.path + ":1", file.test},
             file.path + " belongs to no module of the contract");
    }
  }

  static bool counts(const ContractRule& rule, const Use& use) {
    return use.test ? rule.include_tests || rule.only_tests : !rule.only_tests;
  }

  void independence(const ContractRule& rule) {
    for (const std::string& a : rule.from) {
      for (const std::string& b : rule.from) {
        if (a != b) reach(rule, {a}, {b}, "are to be independent");
      }
    }
  }

  void forbidden(const ContractRule& rule) { reach(rule, rule.from, rule.to, "is forbidden"); }

  // Reports one shortest chain per pair of modules that `from` and `to` cover.
  void reach(const ContractRule& rule, const std::vector<std::string>& from,
             const std::vector<std::string>& to, std::string_view why) {
    std::map<std::string, std::vector<const Use*>> out;
    for (const Use& use : uses_) {
      if (!counts(rule, use)) continue;
      out[use.from].push_back(&use);
    }
    for (const auto& [start, unused] : out) {
      if (!covers(from, start)) continue;
      if (!rule.indirect) {
        for (const Use* use : out[start]) {
          if (covers(to, use->to))
            direct(rule, *use, start + " uses " + use->to + ", which " + std::string(why));
        }
        continue;
      }
      std::map<std::string, const Use*> came;
      std::vector<std::string> queue{start};
      for (std::size_t head = 0; head < queue.size(); ++head) {
        const auto next = out.find(queue[head]);
        if (next == out.end()) continue;
        for (const Use* use : next->second) {
          if (use->to == start || came.count(use->to) != 0 || excused(*use)) continue;
          came[use->to] = use;
          if (covers(to, use->to)) {
            report_chain(rule, start, use->to, came, why);
          } else {
            queue.push_back(use->to);
          }
        }
      }
    }
  }

  void report_chain(const ContractRule& rule, const std::string& start, const std::string& end,
                    const std::map<std::string, const Use*>& came, std::string_view why) {
    Breach breach;
    breach.rule = rule.name;
    for (std::string v = end; v != start; v = came.at(v)->from) {
      breach.chain.push_back(v);
      breach.places.push_back(came.at(v)->place);
    }
    breach.chain.push_back(start);
    std::reverse(breach.chain.begin(), breach.chain.end());
    std::reverse(breach.places.begin(), breach.places.end());
    breach.where = breach.places.front();
    breach.sentence = start + " reaches " + end + (why == "is forbidden" ? ", which " : "; they ") +
                      std::string(why);
    verdict_.breaches.push_back(std::move(breach));
  }

  const Contract& contract_;
  const DepsReport& report_;
  std::vector<Use> uses_;
  std::vector<bool> excused_;
  ContractVerdict verdict_;
};

}  // namespace

Result<Contract> parse_contract(std::string_view text, const std::string& file) {
  auto parsed = yaml::parse(text);
  if (!parsed.ok()) return Error(parsed.error()).at(file);
  const json::Value& root = *parsed;
  NEUROLENS_TRY(known_keys(root, file, {"name", "modules", "contracts", "exceptions"}));
  Contract out;
  NEUROLENS_ASSIGN(out.name, text_of(root, "name", file));
  if (const json::Value* modules = root.find("modules")) {
    auto map = module_map_from(*modules);
    if (!map.ok()) return Error(map.error()).at(file);
    out.modules = std::move(map).value();
  }
  const json::Value* contracts = root.find("contracts");
  if (contracts == nullptr || contracts->as_array() == nullptr || contracts->as_array()->empty()) {
    return Error{Errc::missing_key,
                 "A contract file needs a list \"contracts\" with at least one entry.", file};
  }
  for (const json::Value& v : *contracts->as_array()) {
    NEUROLENS_ASSIGN(ContractRule rule, rule_of(v, file));
    out.rules.push_back(std::move(rule));
  }
  if (const json::Value* list = root.find("exceptions");
      list != nullptr && list->as_array() != nullptr) {
    for (const json::Value& v : *list->as_array()) {
      NEUROLENS_TRY(known_keys(v, file, {"from", "to", "reason"}));
      ContractException e;
      e.line = v.line;
      NEUROLENS_ASSIGN(e.from, text_of(v, "from", file));
      NEUROLENS_ASSIGN(e.to, text_of(v, "to", file));
      NEUROLENS_ASSIGN(e.reason, text_of(v, "reason", file));
      if (trim(e.reason).empty())
        return Error{Errc::missing_key, "An exception needs a reason.", at(file, v)};
      out.exceptions.push_back(std::move(e));
    }
  }
  return out;
}

ContractVerdict check_contract(const Contract& contract, const DepsReport& report) {
  return Checker(contract, report).run();
}

std::string contract_text(const ContractVerdict& verdict) {
  std::string out;
  for (const Breach& b : verdict.breaches) {
    out += b.where + ": " + b.sentence + " (" + b.rule + ")\n";
    if (b.chain.size() > 2) {
      for (std::size_t i = 0; i + 1 < b.chain.size(); ++i)
        out += "  " + b.chain[i] + " -> " + b.chain[i + 1] + "  " + b.places[i] + "\n";
    }
  }
  for (const ContractException& e : verdict.unneeded)
    out += "note: the exception " + e.from + " -> " + e.to + " excuses nothing any more\n";
  return out;
}

std::string contract_json(const Contract& contract, const ContractVerdict& verdict) {
  json::Writer w({2});
  w.begin_object()
      .member("schema", "neurolens.contract/1")
      .member("name", contract.name)
      .member("kept", verdict.kept());
  w.member("imports", std::uint64_t{verdict.imports});
  w.key("breaches").begin_array();
  for (const Breach& b : verdict.breaches) {
    w.begin_object().member("rule", b.rule).member("where", b.where).member("sentence", b.sentence);
    w.key("chain").begin_array();
    for (const std::string& m : b.chain) w.value(m);
    w.end_array().key("places").begin_array();
    for (const std::string& p : b.places) w.value(p);
    w.end_array().end_object();
  }
  w.end_array().key("unneeded_exceptions").begin_array();
  for (const ContractException& e : verdict.unneeded)
    w.begin_object()
        .member("from", e.from)
        .member("to", e.to)
        .member("reason", e.reason)
        .end_object();
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::codebase
