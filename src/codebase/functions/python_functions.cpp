#include <algorithm>
#include <string>

#include "functions/analyzers.hpp"
#include "functions/skim.hpp"

// Functions of Python: a stack of blocks by indentation, fed logical line by logical line.
namespace neurolens::codebase {
namespace {

struct Block {
  std::uint32_t indent = 0;  ///< Column of the header; the body is deeper.
  int function = -1;
  bool opens_function = false;
  bool level = false;     ///< Adds to the nesting.
  std::string_view name;  ///< Of a class or function.
};

// The kind of stops that are not always wanted.
enum : std::size_t { kColons = 2 };

SkimRules skim_rules(bool every) {
  SkimRules rules;
  rules.every = every;
  rules.line_starts = true;
  ByteGroups& groups = rules.stops.groups;
  groups.add(0, {0x8, 0x9}, {0x2});       // ( )
  groups.add(1, {0xb, 0xd}, {0x5, 0x7});  // [ ] { }
  groups.add(2, {0xa}, {0x3});            // :
  rules.stops.always = 1 | 2;
  rules.stops.kinds[kColons] = 4;
  return rules;
}

class PythonAnalyzer {
 public:
  PythonAnalyzer(std::string_view text, std::span<const Segment> segments, LanguageId language,
                 bool every)
      : skim_(text, segments, WordTable::of(language), skim_rules(every)) {}

  std::vector<FunctionMetrics> run(bool* balanced) {
    for (unsigned want = wanted(); (token_ = &skim_.next(want))->kind != TokenKind::end;) {
      step();
      skim_.line_starts_before(deepest_line_start());
      want = wanted();
    }
    while (!blocks_.empty()) pop();
    *balanced = depth_ == 0;
    std::vector<FunctionMetrics> out;
    out.reserve(functions_.size());
    for (Running& f : functions_) {
      f.metrics.cognitive += f.recursive ? 1u : 0u;
      out.push_back(std::move(f.metrics));
    }
    return out;
  }

 private:
  struct Running {
    FunctionMetrics metrics;
    std::string_view simple_name;
    std::uint32_t nesting = 0;
    bool recursive = false;
  };
  Running* current() {
    return blocks_.empty() || blocks_.back().function < 0
               ? nullptr
               : &functions_[static_cast<std::size_t>(blocks_.back().function)];
  }
  void decision() {
    if (Running* f = current()) ++f->metrics.cyclomatic;
  }
  void cognitive(bool nested, std::uint32_t less = 0) {
    if (Running* f = current())
      f->metrics.cognitive += 1 + (nested ? f->nesting - std::min(less, f->nesting) : 0);
  }

  const SkimToken& previous() { return skim_.previous(); }
  std::uint32_t this_line() const { return skim_.line_of(*token_); }

  // The start of a line ends blocks, and what the line before left open; not inside of brackets.
  std::uint32_t deepest_line_start() const {
    if (depth_ > 0) return 0;
    if (head_ != Head::none || last_logical_ != 0) return ~std::uint32_t{0};
    return blocks_.empty() ? 0 : blocks_.back().indent + 1;
  }

  // What can change anything in this state.
  unsigned wanted() const {
    const bool header = head_ == Head::function || head_ == Head::scope;
    const auto flag = [](bool yes, unsigned bit) { return yes ? bit : 0u; };
    return flag(header && name_.empty(), Skim::kWords) | Skim::kLineStarts |
           flag(last_logical_ != 0 || header, Skim::kCommas) |
           flag(lambda_open_ || head_ != Head::none, Skim::kStops << kColons);
  }

  void pop() {
    const Block block = blocks_.back();
    if (Running* f = current()) {
      if (block.level) --f->nesting;
      if (block.opens_function)
        f->metrics.last_line = std::max(f->metrics.first_line, skim_.line_of(previous()));
    }
    blocks_.pop_back();
  }

  void step() {
    const bool statement = token_->first_on_line && depth_ == 0;
    if (statement) {
      while (!blocks_.empty() && blocks_.back().indent >= token_->column) pop();
      column_ = token_->column;
      head_ = Head::none;
      last_logical_ = 0;
      if (token_->kind == TokenKind::word && (token_->text == "match" || token_->text == "case"))
        soft_keyword();
    }
    if (token_->kind == TokenKind::word) return word(statement);
    if (token_->kind == TokenKind::op) return op();
  }

  // "match" and "case" are words like any other unless the line ends in a colon.
  void soft_keyword() {
    const std::string_view text = skim_.text();
    const std::size_t from = skim_.offset();
    const std::size_t stop = std::min(text.find('\n', from), text.size());
    std::string_view rest = text.substr(from, stop - from);
    while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\r')) rest.remove_suffix(1);
    const bool header = !rest.empty() && rest.find(':') != std::string_view::npos &&
                        rest.front() == ' ' && rest.find_first_of("=.") != 1;
    if (!header) return;
    head_ = token_->text == "match" ? Head::choose : Head::block;
    if (head_ == Head::choose) {
      cognitive(true);
      return;
    }
    const std::size_t colon = rest.find(':');
    std::string_view pattern = rest.substr(0, colon);
    while (!pattern.empty() && pattern.front() == ' ') pattern.remove_prefix(1);
    if (pattern != "_") decision();
  }

  enum class Head : std::uint8_t { none, block, level, choose, function, scope };

  void word(bool statement) {
    if (previous().is('.')) return;
    switch (token_->word) {
      case Word::branch:
        decision();
        if (statement) {
          cognitive(true);
          head_ = Head::level;
        } else if (!(previous().is(Word::none) || previous().is(Word::soft)) || !comprehension_) {
          cognitive(true);  // a conditional expression
        }
        return;
      case Word::elif:
        decision();
        cognitive(false);
        if (statement) head_ = Head::level;
        return;
      case Word::else_:
        if (!statement) return;
        cognitive(false);
        head_ = Head::level;
        return;
      case Word::loop:
      case Word::while_:
        decision();
        if (statement || previous().spells("async")) {
          cognitive(true);
          head_ = Head::level;
        } else {
          comprehension_ = true;
        }
        return;
      case Word::handler:
        decision();
        cognitive(true);
        if (statement) head_ = Head::level;
        return;
      case Word::try_:
        if (statement) head_ = Head::block;
        return;
      case Word::logical_and:
      case Word::logical_or: {
        decision();
        const char kind = token_->word == Word::logical_and ? '&' : '|';
        if (last_logical_ != kind) cognitive(false);
        last_logical_ = kind;
        return;
      }
      case Word::function:
        if (statement || previous().spells("async")) head_ = Head::function;
        name_ = {};
        name_line_ = this_line();  // also where no name follows
        parameters_ = 0;
        return;
      case Word::scope:
        if (statement) head_ = Head::scope;
        name_ = {};
        return;
      case Word::lambda:
        lambda_ = depth_;
        lambda_open_ = true;
        return;
      default:
        break;
    }
    if ((head_ == Head::function || head_ == Head::scope) && name_.empty()) {
      name_ = token_->text;
      name_line_ = this_line();
      parameters_ = 0;
    }
  }

  void op() {
    switch (token_->op) {
      case '(':
        if (Running* f = current(); f != nullptr && previous().kind == TokenKind::word &&
                                    previous().text == f->simple_name && head_ != Head::function) {
          f->recursive = true;
        }
        if (head_ == Head::function && depth_ == 0) parameters_ = 0;
        [[fallthrough]];
      case '[':
      case '{':
        ++depth_;
        logical_stack_.push_back(last_logical_);
        last_logical_ = 0;
        return;
      case ')':
      case ']':
      case '}':
        if (depth_ > 0) --depth_;
        if (!logical_stack_.empty()) {
          last_logical_ = logical_stack_.back();
          logical_stack_.pop_back();
        }
        comprehension_ = false;
        if (head_ == Head::function && depth_ == 0 && !skim_.follows('(') && !skim_.follows(','))
          ++parameters_;
        return;
      case ',':
        if (head_ == Head::function && depth_ == 1) ++parameters_;
        last_logical_ = 0;
        return;
      case ':':
        if (lambda_open_ && lambda_ == depth_) {
          lambda_open_ = false;
          return;
        }
        if (depth_ == 0 && head_ != Head::none) open_block();
        return;
      default:
        return;
    }
  }

  void open_block() {
    Block block;
    block.indent = column_;
    block.function = blocks_.empty() ? -1 : blocks_.back().function;
    if (head_ == Head::function) {
      Running f;
      f.metrics.name = qualified(name_);
      f.metrics.first_line = name_line_;
      f.metrics.last_line = this_line();
      f.metrics.parameters = parameters_;
      f.simple_name = name_;
      functions_.push_back(std::move(f));
      block.function = static_cast<int>(functions_.size()) - 1;
      block.opens_function = true;
      block.name = name_;
    } else if (head_ == Head::scope) {
      block.function = -1;
      block.name = name_;
    } else if (head_ != Head::block) {
      block.level = block.function >= 0;
    }
    blocks_.push_back(block);
    if (Running* f = current(); f != nullptr && block.level) {
      ++f->nesting;
      f->metrics.nesting = std::max(f->metrics.nesting, f->nesting);
    }
    head_ = Head::none;
  }

  std::string qualified(std::string_view name) const {
    std::string out;
    for (const Block& block : blocks_) {
      if (block.name.empty()) continue;
      out += block.name;
      out += '.';
    }
    return out += name;
  }

  Skim skim_;
  const SkimToken* token_ = nullptr;
  std::vector<Block> blocks_;
  std::vector<Running> functions_;
  std::vector<char> logical_stack_;
  std::string_view name_;
  std::uint32_t name_line_ = 0;
  std::uint32_t parameters_ = 0;
  std::uint32_t column_ = 0;
  Head head_ = Head::none;
  int depth_ = 0;
  int lambda_ = 0;
  bool lambda_open_ = false;
  bool comprehension_ = false;
  char last_logical_ = 0;
};

}  // namespace

std::vector<FunctionMetrics> find_python_functions(std::string_view text,
                                                   std::span<const Segment> segments,
                                                   LanguageId language, bool* balanced,
                                                   bool every) {
  return PythonAnalyzer(text, segments, language, every).run(balanced);
}

std::vector<FunctionMetrics> find_functions(std::string_view text,
                                            std::span<const Segment> segments, LanguageId language,
                                            bool* balanced, bool every) {
  const FunctionStyle style = info(language).functions;
  if (style == FunctionStyle::none) return {};
  if (style == FunctionStyle::python)
    return find_python_functions(text, segments, language, balanced, every);
  return find_brace_functions(text, segments, language, balanced, every);
}

}  // namespace neurolens::codebase
