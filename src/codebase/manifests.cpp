#include "manifests.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::codebase {
namespace {

// "name[extra]>=1.0; marker" -> "name"
std::string requirement_name(std::string_view text) {
  text = trim(text);
  std::size_t size = 0;
  while (size < text.size() && (std::isalnum(static_cast<unsigned char>(text[size])) != 0 ||
                                text[size] == '-' || text[size] == '_' || text[size] == '.'))
    ++size;
  return std::string(text.substr(0, size));
}

std::string canonical(std::string_view name) {
  std::string out;
  for (const char c : name)
    out +=
        c == '_' || c == '.' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void add(std::vector<Declared>* out, std::string name, std::string_view ecosystem,
         std::string_view path, bool development) {
  if (!name.empty())
    out->push_back({std::move(name), std::string(ecosystem), std::string(path), development});
}

// The keys and list items of a TOML file that name dependencies; read line by line.
std::vector<Declared> from_toml(std::string_view path, std::string_view text, bool cargo) {
  std::vector<Declared> out;
  std::string section;
  bool in_list = false, list_development = false;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    if (in_list || line.find("dependencies = [") != std::string_view::npos ||
        line.find("dependencies=[") != std::string_view::npos ||
        (section.find("optional-dependencies") != std::string::npos &&
         line.find("= [") != std::string_view::npos)) {
      if (!cargo &&
          (in_list || section == "project" || section.find("dependencies") != std::string::npos)) {
        if (!in_list) list_development = section != "project" || line.starts_with("optional");
        in_list = true;
        std::string_view rest = line;
        std::size_t open = rest.find_first_of("\"'");
        while (open != std::string_view::npos) {
          const std::size_t close = rest.find(rest[open], open + 1);
          if (close == std::string_view::npos) break;
          add(&out, requirement_name(rest.substr(open + 1, close - open - 1)), "python", path,
              list_development);
          rest = rest.substr(close + 1);
          open = rest.find_first_of("\"'");
        }
        if (rest.find(']') != std::string_view::npos) in_list = false;
        continue;
      }
    }
    if (line.front() == '[') {
      const auto close = line.find(']');
      section = std::string(
          line.substr(1, close == std::string_view::npos ? line.size() - 1 : close - 1));
      if (cargo) {
        const auto at = section.find("dependencies.");
        if (at != std::string::npos)
          add(&out, section.substr(at + 13), "cargo", path,
              section.find("dev-") != std::string::npos ||
                  section.find("build-") != std::string::npos);
      }
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    std::string key(trim(line.substr(0, equals)));
    key.erase(std::remove(key.begin(), key.end(), '"'), key.end());
    if (cargo && section.ends_with("dependencies") &&
        section.find("workspace") == std::string::npos) {
      add(&out, key.substr(0, key.find('.')), "cargo", path,
          section.find("dev-") != std::string::npos || section.find("build-") != std::string::npos);
    } else if (!cargo && section.starts_with("tool.poetry") && section.ends_with("dependencies") &&
               key != "python") {
      add(&out, key, "python", path, section != "tool.poetry.dependencies");
    }
  }
  return out;
}

std::vector<Declared> from_package_json(std::string_view path, const std::string& text) {
  std::vector<Declared> out;
  const auto parsed = json::parse(text);
  if (!parsed.ok()) return out;
  for (const auto& [key, development] : {std::pair{"dependencies", false},
                                         {"optionalDependencies", true},
                                         {"peerDependencies", true},
                                         {"devDependencies", true}}) {
    const json::Value* list = parsed->find(key);
    if (list == nullptr || list->as_object() == nullptr) continue;
    for (const auto& [name, version] : *list->as_object())
      add(&out, name, "npm", path, development);
  }
  return out;
}

std::vector<Declared> from_lines(std::string_view path, std::string_view text,
                                 std::string_view kind) {
  std::vector<Declared> out;
  bool inside = kind == "requirements";
  for (std::string_view line : split(text, '\n')) {
    const bool indented = !line.empty() && (line.front() == ' ' || line.front() == '\t');
    const std::string_view bare = trim(line);
    if (bare.empty() || bare.front() == '#') continue;
    if (kind == "go") {
      if (bare.starts_with("require (")) {
        inside = true;
        continue;
      }
      if (bare == ")") inside = false;
      const std::string_view item = bare.starts_with("require ") ? trim(bare.substr(8))
                                    : inside                     ? bare
                                                                 : std::string_view{};
      const auto space = item.find(' ');
      if (space != std::string_view::npos)
        add(&out, std::string(item.substr(0, space)), "go", path,
            item.find("// indirect") != std::string_view::npos);
      continue;
    }
    if (kind == "setup.cfg") {
      if (!indented) inside = bare.starts_with("install_requires");
      const auto equals = bare.find('=');
      if (inside && !indented && equals != std::string_view::npos)
        add(&out, requirement_name(bare.substr(equals + 1)), "python", path, false);
      if (!inside || !indented) continue;
    }
    if (bare.front() == '-') continue;  // -r other.txt, --hash
    add(&out, requirement_name(bare), "python", path,
        path.find("dev") != std::string_view::npos || path.find("test") != std::string_view::npos);
  }
  return out;
}

}  // namespace

bool is_manifest(std::string_view path) {
  const std::string_view name = file_name(path);
  static constexpr std::array<std::string_view, 7> kNames{
      "pyproject.toml", "setup.cfg",     "package.json", "Cargo.toml",
      "go.mod",         "tsconfig.json", "jsconfig.json"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() ||
         (name.starts_with("requirements") && name.ends_with(".txt"));
}

std::vector<Declared> declared_in(std::string_view path, const std::string& text) {
  const std::string_view name = file_name(path);
  if (name == "pyproject.toml") return from_toml(path, text, false);
  if (name == "Cargo.toml") return from_toml(path, text, true);
  if (name == "package.json") return from_package_json(path, text);
  if (name == "go.mod") return from_lines(path, text, "go");
  if (name == "setup.cfg") return from_lines(path, text, "setup.cfg");
  if (name.starts_with("requirements")) return from_lines(path, text, "requirements");
  return {};
}

bool same_package(std::string_view ecosystem, std::string_view declared,
                  std::string_view imported) {
  if (ecosystem == "go")
    return declared == imported || imported.starts_with(std::string(declared) + "/");
  if (ecosystem == "npm")
    return declared == imported || declared == "@types/" + std::string(imported);
  const std::string a = canonical(declared), b = canonical(imported);
  if (a == b || a == "python-" + b || a == "py" + b || a == b + "-python") return true;
  if (ecosystem != "python") return false;
  // Distributions whose import name is another one.
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"pyyaml", "yaml"},
      {"pillow", "pil"},
      {"scikit-learn", "sklearn"},
      {"scikit-image", "skimage"},
      {"opencv-python", "cv2"},
      {"opencv-python-headless", "cv2"},
      {"beautifulsoup4", "bs4"},
      {"python-dateutil", "dateutil"},
      {"protobuf", "google"},
      {"attrs", "attr"},
      {"pyjwt", "jwt"},
      {"python-dotenv", "dotenv"},
      {"mysqlclient", "mysqldb"},
      {"psycopg2-binary", "psycopg2"},
      {"pyzmq", "zmq"},
      {"msgpack-python", "msgpack"},
      {"setuptools", "pkg-resources"},
      {"gitpython", "git"},
      {"pycryptodome", "crypto"},
      {"grpcio", "grpc"},
      {"tensorflow-cpu", "tensorflow"},
      {"ipython", "ipython"},
      {"jupyter-core", "jupyter-core"}};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const auto& row) { return row.first == a && row.second == b; });
}

}  // namespace neurolens::codebase
