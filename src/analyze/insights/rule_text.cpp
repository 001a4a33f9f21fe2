#include <algorithm>
#include <array>

#include "neurolens/base/text.hpp"
#include "rules.hpp"

namespace neurolens::analyze {
namespace {

constexpr std::array<std::string_view, 11> kUnits{"ns",
                                                  "bytes",
                                                  "ratio",
                                                  "factor",
                                                  "count",
                                                  "flops_per_second",
                                                  "bytes_per_second",
                                                  "flops_per_byte",
                                                  "hz",
                                                  "text",
                                                  "none"};

/// The end of the expression that begins at `begin`: '}' or '|' outside quotes.
std::size_t end_of_expression(std::string_view text, std::size_t begin) {
  char quote = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '}' || text[i] == '|') {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<RuleText> RuleText::compile(std::string_view text, RuleScope scope,
                                          ExpressionFault& fault) {
  RuleText out;
  Piece piece;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool doubled = i + 1 < text.size() && text[i + 1] == text[i];
    if (text[i] != '{' || doubled) {
      if (text[i] == '}' && !doubled) {
        fault = {i, "A \"}\" stands alone; write \"}}\" for a brace."};
        return std::nullopt;
      }
      piece.text += text[i];
      if (text[i] == '{' || text[i] == '}') ++i;
      continue;
    }
    const std::size_t begin = i + 1;
    const std::size_t end = end_of_expression(text, begin);
    const std::size_t close = end == std::string_view::npos ? end : text.find('}', end);
    if (close == std::string_view::npos) {
      fault = {i, "A \"{\" is not closed; write \"{{\" for a brace."};
      return std::nullopt;
    }
    piece.value =
        Expression::compile(text.substr(begin, end - begin), ScopeNames(scope), {}, fault);
    if (!piece.value) {
      fault.offset += begin;
      return std::nullopt;
    }
    if (text[end] == '|') {
      piece.unit = trim(text.substr(end + 1, close - end - 1));
      if (std::find(kUnits.begin(), kUnits.end(), piece.unit) == kUnits.end()) {
        const std::vector<std::string> known(kUnits.begin(), kUnits.end());
        fault = {end + 1, "\"" + piece.unit + "\" is no unit." + did_you_mean(piece.unit, known)};
        return std::nullopt;
      }
    } else if (const auto slot = piece.value->only_name()) {
      piece.unit = variables()[*slot].unit;
    }
    out.pieces_.push_back(std::move(piece));
    piece = {};
    i = close;
  }
  out.pieces_.push_back(std::move(piece));
  return out;
}

std::string RuleText::fill(const Scene& scene) const {
  const SceneValues values(scene);
  std::string out;
  for (const auto& piece : pieces_) {
    out += piece.text;
    if (piece.value) out += text_of(piece.value->evaluate(values), piece.unit);
  }
  return out;
}

}  // namespace neurolens::analyze
