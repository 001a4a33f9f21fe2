#include "rules.hpp"

namespace neurolens::cli {

Result<analyze::RuleSet> load_rules(Context& context, const std::vector<std::string>& paths) {
  analyze::RuleSet rules = analyze::RuleSet::builtin();
  for (const auto& path : paths) {
    NEUROLENS_ASSIGN(const std::string text,
                     context.files.read(path, Bytes{std::int64_t{1} << 20}));
    auto more = rules.with(text);
    if (!more.ok()) return std::move(more).error().at(path);
    rules = std::move(more).value();
  }
  return rules;
}

}  // namespace neurolens::cli
