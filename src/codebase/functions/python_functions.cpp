#include <algorithm>
#include <string>

#include "functions/analyzers.hpp"

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

class PythonAnalyzer {
 public:
  PythonAnalyzer(std::string_view text, std::span<const Segment> segments, LanguageId language)
      : tokens_(text, segments, WordTable::of(language), {false, true}) {}

  std::vector<FunctionMetrics> run(bool* balanced) {
    for (tokens_.next(token_); token_->kind != TokenKind::end; tokens_.next(token_)) {
      if (token_->kind == TokenKind::newline) {
        if (depth_ == 0) fresh_ = true;
        continue;
      }
      step();
      std::swap(token_, previous_);
      last_line_ = tokens_.line();
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

  void pop() {
    const Block block = blocks_.back();
    if (Running* f = current()) {
      if (block.level) --f->nesting;
      if (block.opens_function) f->metrics.last_line = std::max(f->metrics.first_line, last_line_);
    }
    blocks_.pop_back();
  }

  void step() {
    const bool statement = fresh_ && depth_ == 0;
    if (statement) {
      fresh_ = false;
      while (!blocks_.empty() && blocks_.back().indent >= token_->column) pop();
      column_ = token_->column;
      statement_ = token_->kind == TokenKind::word ? token_->word : Word::none;
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
    const std::string_view text = tokens_.text();
    const std::size_t from = tokens_.offset();
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
    if (previous_->is('.')) return;
    switch (token_->word) {
      case Word::branch:
        decision();
        if (statement) {
          cognitive(true);
          head_ = Head::level;
        } else if (!previous_->is(Word::none) || !comprehension_) {
          cognitive(true);  // a conditional expression
        }
        return;
      case Word::elif:
        decision();
        cognitive(false);
        head_ = Head::level;
        return;
      case Word::else_:
        if (!statement) return;
        cognitive(false);
        head_ = Head::level;
        return;
      case Word::loop:
      case Word::while_:
        decision();
        if (statement || previous_->text == "async") {
          cognitive(true);
          head_ = Head::level;
        } else {
          comprehension_ = true;
        }
        return;
      case Word::handler:
        decision();
        cognitive(true);
        head_ = Head::level;
        return;
      case Word::try_:
        head_ = Head::block;
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
        if (statement || previous_->text == "async") head_ = Head::function;
        name_ = {};
        name_line_ = token_->line;  // also where no name follows
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
      name_line_ = token_->line;
      parameters_ = 0;
    }
  }

  void op() {
    switch (token_->op) {
      case '(':
        if (Running* f = current(); f != nullptr && previous_->kind == TokenKind::word &&
                                    previous_->text == f->simple_name && head_ != Head::function) {
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
        if (head_ == Head::function && depth_ == 0 && !previous_->is('(') && !previous_->is(','))
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
      f.metrics.last_line = token_->line;
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

  Tokens tokens_;
  Token slots_[2];
  Token* token_ = &slots_[0];
  Token* previous_ = &slots_[1];
  std::vector<Block> blocks_;
  std::vector<Running> functions_;
  std::vector<char> logical_stack_;
  std::string_view name_;
  std::uint32_t name_line_ = 0;
  std::uint32_t parameters_ = 0;
  std::uint32_t column_ = 0;
  std::uint32_t last_line_ = 1;
  Word statement_ = Word::none;
  Head head_ = Head::none;
  int depth_ = 0;
  int lambda_ = 0;
  bool lambda_open_ = false;
  bool comprehension_ = false;
  bool fresh_ = true;
  char last_logical_ = 0;
};

}  // namespace

std::vector<FunctionMetrics> find_python_functions(std::string_view text,
                                                   std::span<const Segment> segments,
                                                   LanguageId language, bool* balanced) {
  return PythonAnalyzer(text, segments, language).run(balanced);
}

std::vector<FunctionMetrics> find_functions(std::string_view text,
                                            std::span<const Segment> segments, LanguageId language,
                                            bool* balanced) {
  const FunctionStyle style = info(language).functions;
  if (style == FunctionStyle::none) return {};
  if (style == FunctionStyle::python)
    return find_python_functions(text, segments, language, balanced);
  return find_brace_functions(text, segments, language, balanced);
}

}  // namespace neurolens::codebase
