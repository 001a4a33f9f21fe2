#include <algorithm>
#include <string>

#include "functions/analyzers.hpp"
#include "functions/skim.hpp"

// Functions of languages with braces. One pass over the tokens with a stack of open braces; what a
// brace opens is decided from the "header": what was seen since the last statement ended.
namespace neurolens::codebase {
namespace {

enum class FrameKind : std::uint8_t { scope, function, block, init };

struct Frame {
  FrameKind kind = FrameKind::scope;
  int function = -1;        ///< Index of the function that this is part of; -1: none.
  int parens = 0;           ///< Open parentheses outside, restored at the end.
  std::uint8_t levels = 0;  ///< What it adds to the nesting.
  bool pseudo = false;      ///< The body of a control structure without braces.
  bool choice = false;      ///< Body of match / when: arms count as cases.
  bool do_body = false;
  std::string_view name;  ///< Of a scope.
};

struct Header {
  std::string_view name;        ///< Word before the last parameter-like group.
  std::string_view group_text;  ///< What stood in the group (for macro-made names).
  std::uint32_t line = 0;
  std::uint32_t parameters = 0;
  bool group = false;     ///< A closed group with a name.
  bool assigned = false;  ///< '=' at depth 0.
  bool scope_word = false;
  bool enum_word = false;
  bool extern_word = false;
  bool new_word = false;
  bool ctor_init = false;  ///< ':' behind the group.
  bool function_word = false;
  bool operator_word = false;
  bool words_after_group = false;
  bool returns_value = false;  ///< "return", so that a brace opens a value.
  std::string_view scope_name;
  std::uint32_t words = 0;
};

// The kinds of stops that are not always wanted.
enum : std::size_t { kInside, kAngles, kColons };

SkimRules skim_rules(LanguageId language, bool every) {
  const FunctionStyle style = info(language).functions;
  const bool c = style == FunctionStyle::c;
  SkimRules rules;
  rules.every = every;
  rules.directives = c || info(language).name == "C#";
  ByteGroups& groups = rules.stops.groups;
  groups.add(0, {0x8, 0x9}, {0x2});  // ( )
  if (rules.directives) groups.add(0, {0x3}, {0x2});
  groups.add(1, {0xb}, {0x3});            // ;
  groups.add(2, {0xb}, {0x7});            // {
  if (c) groups.add(2, {}, {0x5});        // [ opens lambdas
  groups.add(3, {0xd}, {0x7});            // }
  if (!c) groups.add(3, {}, {0x2});       // - of ->
  groups.add(4, {0x6, 0xc}, {0x2, 0x7});  // & |, and of no harm: , and a letter
  groups.add(5, {0xf}, {0x3});            // ?
  groups.add(6, {0xc, 0xe}, {0x3});       // < >
  groups.add(7, {0xa}, {0x3});            // :
  rules.stops.always = 1 | 2 | 4 | 8;
  rules.stops.kinds[kInside] = 16 | 32;
  rules.stops.kinds[kAngles] = 64;
  rules.stops.kinds[kColons] = 128;
  rules.stops.doubled = 16;
  rules.single_colons = true;
  return rules;
}

class BraceAnalyzer {
 public:
  BraceAnalyzer(std::string_view text, std::span<const Segment> segments, LanguageId language,
                bool every)
      : style_(info(language).functions),
        skim_(text, segments, WordTable::of(language), skim_rules(language, every)) {
    const std::string_view name = info(language).name;
    go_ = name == "Go";
    rust_ = name == "Rust";
    kotlin_ = name == "Kotlin";
    java_ = name == "Java";
    php_ = name == "PHP";
    csharp_ = name == "C#";
    swift_ = name == "Swift";
    dart_ = name == "Dart";
    if (style_ == FunctionStyle::js) fixed_wants_ = Skim::kStops << kColons;  // name: value
    counts_words_ = style_ == FunctionStyle::c || style_ == FunctionStyle::java;
    frames_.push_back({});
  }

  std::vector<FunctionMetrics> run(bool* balanced) {
    for (unsigned want = wanted(); (token_ = &skim_.next(want))->kind != TokenKind::end;) {
      if (!step_in_parentheses()) {
        step();
      } else if (last_logical_ == 0) {
        continue;
      }
      want = wanted();
    }
    drop_pseudo();
    if (frames_.size() != 1) balanced_ = false;
    while (frames_.size() > 1) pop_frame();
    *balanced = balanced_;
    std::vector<FunctionMetrics> out;
    out.reserve(functions_.size());
    for (Running& f : functions_) {
      f.metrics.cognitive += f.recursive ? 1u : 0u;
      out.push_back(std::move(f.metrics));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a.first_line < b.first_line; });
    return out;
  }

 private:
  // Deep nests of named scopes would otherwise repeat all their names in that of each function.
  static constexpr std::size_t kLongestName = 1024;

  struct Running {
    FunctionMetrics metrics;
    std::string_view simple_name;
    std::uint32_t nesting = 0;
    bool recursive = false;
  };

  Running* current() {
    const int f = frames_.back().function;
    return f < 0 ? nullptr : &functions_[static_cast<std::size_t>(f)];
  }
  const SkimToken& previous() { return skim_.previous(); }
  std::uint32_t this_line() const { return skim_.line_of(*token_); }
  bool in_function() const { return frames_.back().function >= 0; }

  // What can change anything in this state. Names count where they may name something.
  unsigned wanted() const {
    const Frame& frame = frames_.back();
    const bool inside = frame.function >= 0;
    unsigned flags = fixed_wants_;
    if (inside) flags |= Skim::kStops << kInside;
    if (angle_ > 0 || template_next_) flags |= Skim::kStops << kAngles;
    if (control_ready_ || leaving_ || (header_.operator_word && !header_.group))
      flags |= Skim::kAll;
    if (commas_count()) flags |= Skim::kCommas;
    if (!names_nothing() || !header_.assigned) flags |= Skim::kEquals;
    if (parens_ > 0) return flags;
    if (header_.group) {
      if (!inside) flags |= Skim::kStops << kColons;
      if (!header_.words_after_group && angle_ <= 0) flags |= Skim::kWords;
    } else if (header_.function_word && angle_ <= 0) {
      flags |= Skim::kWords;
    }
    const bool counts = header_.words < 2 && counts_words_ && frame.kind == FrameKind::scope;
    if ((header_.scope_word || counts) && angle_ <= 0) flags |= Skim::kWords;
    return flags;
  }

  void decision() {
    if (Running* f = current()) ++f->metrics.cyclomatic;
  }
  void cognitive(bool nested) {
    if (Running* f = current()) f->metrics.cognitive += 1 + (nested ? f->nesting : 0);
  }

  // What happens inside of parentheses, and does not leave them, changes nothing of what is wanted
  // but commas, which end a run of logical operators.
  bool step_in_parentheses() {
    if (parens_ < 1 || control_ready_ || leaving_) return false;
    if (token_->is(',')) return comma(), true;
    if (token_->is('(')) return open_paren(), true;
    if (parens_ < 2 || control_pending_ || !token_->is(')')) return false;
    close_paren();
    return true;
  }

  void step() {
    if (token_->kind == TokenKind::directive) return directive();
    if (control_ready_) place_body();
    if (leaving_) {
      leaving_ = false;
      const bool label =
          (token_->kind == TokenKind::word && token_->word == Word::none) || token_->is('\'');
      if (label && leave_line_ == this_line()) cognitive(false);
    }
    if (token_->kind == TokenKind::word) return word();
    if (token_->kind == TokenKind::op) return op();
    if (token_->kind == TokenKind::string && header_.extern_word)
      header_.scope_word = true;  // extern "C" {
  }

  // A control structure's head is complete: what follows is its body.
  void place_body() {
    if (token_->is('{')) return;
    control_ready_ = false;
    if (token_->is(';') || (token_->is(Word::branch) && previous().is(Word::else_))) return;
    Frame frame;
    frame.kind = FrameKind::block;
    frame.function = frames_.back().function;
    frame.levels = control_levels_;
    frame.pseudo = true;
    frame.parens = parens_;
    push(frame);
  }

  void directive() {
    const std::string_view name = token_->text;
    if (name == "if" || name == "ifdef" || name == "ifndef") {
      branches_.push_back({frames_.size(), frames_.size(), closed_.size(), parens_});
    } else if ((name == "else" || name == "elif") && !branches_.empty()) {
      // Each branch starts from the same braces; keep the functions found so far.
      if (branches_.back().depth != frames_.size() && branches_.size() < kMostBranches)
        restore(&branches_.back());
    } else if (name == "endif" && !branches_.empty()) {
      end_branches();
    }
  }

  static constexpr std::size_t kMostBranches = 64;  // deeper ones are not put back

  // #if: what was open, so that #else can start from there. A copy of all frames at every #if would
  // cost their product; instead, what a branch closes is kept in closed_, innermost frame first.
  struct Branch {
    std::size_t depth;   ///< frames_.size() at the #if.
    std::size_t lowest;  ///< Frames from here up to depth are in closed_.
    std::size_t closed;  ///< closed_.size() at the #if.
    int parens;
  };
  struct Closed {
    std::size_t index;
    Frame frame;
  };

  void note_closed(const Frame& frame) {
    if (branches_.empty() || branches_.size() >= kMostBranches) return;
    Branch& branch = branches_.back();
    if (frames_.size() >= branch.lowest) return;
    closed_.push_back({frames_.size(), frame});
    branch.lowest = frames_.size();
  }

  void restore(Branch* branch) {
    while (frames_.size() > branch->depth) pop_frame();
    for (std::size_t i = closed_.size(); i-- > branch->closed;) {
      if (closed_[i].index == frames_.size()) push(closed_[i].frame);
    }
    closed_.resize(branch->closed);
    branch->lowest = branch->depth;
    parens_ = branch->parens;
  }

  // What the branch closed that was open before the branch around it, that one has closed as well.
  void end_branches() {
    const auto first = closed_.begin() + static_cast<std::ptrdiff_t>(branches_.back().closed);
    branches_.pop_back();
    if (branches_.empty()) return closed_.clear();
    Branch& around = branches_.back();
    const auto news = std::find_if(first, closed_.end(),
                                   [&](const Closed& c) { return c.index < around.lowest; });
    if (news != closed_.end()) around.lowest = closed_.back().index;
    closed_.erase(first, news);
  }

  static bool is_named_scope(const Frame& frame) {
    return frame.kind == FrameKind::scope && !frame.name.empty();
  }

  void push(const Frame& frame) {
    frames_.push_back(frame);
    if (is_named_scope(frame)) scopes_.push_back(frame.name);
    Running* f = current();
    if (f == nullptr) return;
    f->nesting += frame.levels;
    f->metrics.nesting = std::max(f->metrics.nesting, f->nesting);
  }

  void pop_frame() {
    const Frame frame = frames_.back();
    if (Running* f = current()) {
      f->nesting -= frame.levels;
      if (frame.kind == FrameKind::function)
        f->metrics.last_line = std::max(this_line(), f->metrics.first_line);
    }
    frames_.pop_back();
    if (is_named_scope(frame)) scopes_.pop_back();
    parens_ = frame.parens;
    note_closed(frame);
  }

  void drop_pseudo() {
    while (frames_.size() > 1 && frames_.back().pseudo) pop_frame();
  }

  // ---- words
  // -------------------------------------------------------------------------------------
  void word() {
    const bool member = previous().is('.') || previous().is('-', '>') || previous().is('?', '.') ||
                        previous().is(':', ':');
    switch (member && token_->word != Word::operator_ ? Word::none : token_->word) {
      case Word::branch:
        decision();
        if (!previous().is(Word::else_)) cognitive(true);
        return control(1);
      case Word::elif:
        decision();
        cognitive(false);
        return control(1);
      case Word::else_:
        if (guard_) {
          guard_ = false;
          return;
        }
        cognitive(false);
        control_ready_ = true;
        control_levels_ = 1;
        return;
      case Word::while_:
        if (after_do_) return;
        [[fallthrough]];
      case Word::loop:
        if (style_ == FunctionStyle::keyword && !in_function()) return;  // impl Trait for Type
        decision();
        cognitive(true);
        return control(1);
      case Word::do_:
        cognitive(true);
        control_ready_ = true;
        control_levels_ = 1;
        pending_do_ = true;
        return;
      case Word::choose:
        if (!in_function()) return;
        cognitive(true);
        pending_choice_ = rust_ || kotlin_ || (php_ && token_->text == "match");
        return control(1);
      case Word::case_:
        decision();
        return;
      case Word::handler:
        decision();
        cognitive(true);
        return control(1);
      case Word::try_:
        if (!in_function()) return;  // the try block of a whole function
        control_ready_ = true;
        control_levels_ = 0;
        return;
      case Word::logical_and:
        return logical('&');
      case Word::logical_or:
        return logical('|');
      case Word::jump:
        cognitive(false);
        return;
      case Word::leave:
        leaving_ = true;
        leave_line_ = this_line();
        return;
      case Word::scope:
        if (parens_ > 0 || angle_ > 0) return;
        if (go_ || (header_.function_word && style_ == FunctionStyle::keyword)) return;
        header_.scope_word = true;
        header_.scope_name = {};
        return;
      case Word::enum_:
        header_.enum_word = parens_ == 0;
        return;
      case Word::function:
        return function_word();
      case Word::operator_:
        header_.operator_word = true;
        header_.name = "operator";
        header_.line = this_line();
        return;
      case Word::template_:
        template_next_ = true;
        return;
      case Word::extern_:
        header_.extern_word = true;
        return;
      case Word::new_:
        header_.new_word = true;
        return;
      case Word::return_:
        header_.returns_value = true;
        return;
      default:
        break;
    }
    plain_word();
  }

  void plain_word() {
    if (token_->word != Word::none || parens_ > 0 || angle_ > 0) return;
    ++header_.words;
    if (header_.scope_word) name_scope();
    if (header_.group) header_.words_after_group = true;
    if (header_.function_word && !header_.group && !previous().is('<') && !previous().is(':')) {
      header_.name = token_->text;
      header_.line = this_line();
    }
  }

  // The scope's name: a word, a path (a::b), or what stands behind "for" in Rust.
  void name_scope() {
    std::string_view& name = header_.scope_name;
    if (name.empty() || previous().spells("for")) {
      name = token_->text;
    } else if (previous().is(':', ':') && token_->text.data() == name.data() + name.size() + 2) {
      name = {name.data(), name.size() + 2 + token_->text.size()};
    }
  }

  void function_word() {
    const bool swift_init = swift_ && token_->text != "func";
    if (swift_init && frames_.back().kind != FrameKind::scope) return;
    if (parens_ > 0 && rust_) return;
    const std::string_view assigned = assigned_name();
    header_ = {};
    header_.function_word = true;
    header_.line = this_line();
    if (swift_init) header_.name = token_->text;
    if (style_ == FunctionStyle::js || go_) header_.scope_name = assigned;
    function_parens_ = parens_;
    control_ready_ = false;
  }

  void control(std::uint8_t levels) {
    guard_ = token_->text == "guard";
    control_pending_ = true;
    control_levels_ = levels;
    control_parens_ = parens_;
  }

  // ---- operators
  // ---------------------------------------------------------------------------------
  void op() {
    switch (token_->meaning) {
      case OpKind::open_paren:
        return open_paren();
      case OpKind::close_paren:
        return close_paren();
      case OpKind::open_bracket:
        if (style_ == FunctionStyle::c && token_->op == '[' && starts_lambda()) lambda_ = parens_;
        return;
      case OpKind::open_brace:
        return open_brace();
      case OpKind::close_brace:
        return close_brace();
      case OpKind::semicolon:
        return semicolon();
      case OpKind::comma:
        return comma();
      case OpKind::less:
        if (template_next_ || angle_ > 0) ++angle_;
        template_next_ = false;
        return;
      case OpKind::greater:
        if (angle_ > 0) --angle_;
        return;
      case OpKind::assign:
        return assignment();
      case OpKind::colon:
        if (style_ == FunctionStyle::js) return assignment();
        if (parens_ == 0 && header_.group && !in_function()) header_.ctor_init = true;
        return;
      case OpKind::question:
        return question();
      case OpKind::elvis:
        if (kotlin_ && in_function()) {
          decision();
          logical_run('e');
        }
        return;
      case OpKind::coalesce:
        return logical('n');
      case OpKind::logical_and:
        return logical('&');
      case OpKind::logical_or:
        return logical('|');
      case OpKind::fat_arrow:
        if (frames_.back().choice && parens_ == 0 && !previous().spells("_") &&
            !previous().spells("default"))
          decision();
        arrow_ = style_ == FunctionStyle::js || csharp_;
        bare_arrow_ = previous().kind == TokenKind::word;
        return;
      case OpKind::arrow:
        if (frames_.back().choice && parens_ == 0 && !previous().is(Word::else_)) decision();
        if (kotlin_ && previous().is(Word::else_)) control_ready_ = false;
        arrow_ = java_;
        bare_arrow_ = previous().kind == TokenKind::word;
        return;
      case OpKind::dull:
        if (header_.operator_word && !header_.group && header_.name == "operator")
          header_.line = this_line();
        return;
    }
  }

  // Whether names of what is assigned and counts of parameters are of no use: in a function of C.
  bool names_nothing() const { return in_function() && style_ == FunctionStyle::c; }
  bool commas_count() const { return !names_nothing() || last_logical_ != 0 || lambda_ >= 0; }

  void comma() {
    if (!commas_count()) return;
    if (parens_ == assign_parens_) assign_name_ = {};
    if (parens_ == 1 && in_group_) ++header_.parameters;
    if (!groups_.empty()) ++groups_.back().commas;
    if (lambda_ == parens_) lambda_ = -1;
    last_logical_ = 0;
  }

  bool starts_lambda() {
    if (!in_function() && !header_.assigned && parens_ == 0) return false;
    if (previous().kind == TokenKind::word)
      return previous().is(Word::return_) || previous().word == Word::other;
    return previous().kind == TokenKind::op && !previous().is(')') && !previous().is(']') &&
           !previous().is('>') && !previous().is('[');
  }

  void assignment() {
    if (names_nothing() && header_.assigned) return;
    if (token_->is('=') && previous().is(']')) {
      // [=] captures, or x[i] = ...; neither names anything.
    } else if (previous().kind == TokenKind::word) {
      assign_name_ = previous().text;
      assign_parens_ = parens_;
    }
    if (!token_->is('=') || parens_ > 0 || angle_ > 0) return;
    if (header_.operator_word && !header_.group) return;  // operator=
    if (kotlin_ && header_.function_word && header_.group) return expression_function();
    header_.assigned = true;
  }

  std::string_view assigned_name() const {
    return parens_ == assign_parens_ ? assign_name_ : std::string_view{};
  }

  // fun f() = expression
  void expression_function() {
    Running f;
    f.metrics.name = qualified(header_.name);
    f.simple_name = header_.name;
    f.metrics.first_line = header_.line;
    f.metrics.last_line = this_line();
    f.metrics.parameters = header_.parameters;
    functions_.push_back(std::move(f));
    header_ = {};
  }

  void question() {
    if (!in_function()) return;
    const std::string_view text = skim_.text();
    const char next = skim_.offset() < text.size() ? text[skim_.offset()] : '\0';
    if (rust_ || kotlin_ || go_) return;
    const bool closes = next == ':' || next == ')' || next == ',' || next == ';' || next == '>' ||
                        next == '=' || next == ']';
    if (closes || previous().is('<') || previous().is(',')) return;
    const bool loose = csharp_ || swift_ || dart_;
    if (loose && !skim_.space_before()) return;
    decision();
    cognitive(true);
    last_logical_ = 0;
  }

  void logical(char kind) {
    if (!in_function()) return;
    if (kind == '&' && token_->kind == TokenKind::op) {
      // a && b, not T&& x: spaces on both sides or on none, and an operand before.
      const std::string_view text = skim_.text();
      const char next = skim_.offset() < text.size() ? text[skim_.offset()] : '\0';
      const bool space_after = next == ' ' || next == '\n' || next == '\r' || next == '\t';
      if (style_ == FunctionStyle::c && skim_.space_before() != space_after) return;
      if (next == ')' || next == ',' || next == '>' || next == '.') return;
    }
    const bool operand = previous().kind != TokenKind::op || previous().is(')') ||
                         previous().is(']') || previous().is('}') || previous().is('>') ||
                         previous().is('?') || previous().is('+', '+') || previous().is('-', '-');
    if (!operand || (previous().kind == TokenKind::word && previous().word == Word::return_))
      return;
    decision();
    logical_run(kind);
  }

  void logical_run(char kind) {
    if (last_logical_ != kind) cognitive(false);
    last_logical_ = kind;
  }

  // ---- groups and braces
  // -------------------------------------------------------------------------
  void open_paren() {
    if (angle_ == 0 && parens_ == 0 && names_group()) {
      header_.name = header_.operator_word ? "operator" : group_name();
      if (!header_.operator_word || header_.line == 0) header_.line = skim_.line_of(previous());
      header_.parameters = 0;
      header_.words_after_group = false;
      in_group_ = true;
      group_start_ = skim_.offset();
    } else if (angle_ == 0 && header_.function_word && parens_ == function_parens_ &&
               !header_.group) {
      header_.parameters = 0;
      in_group_ = parens_ == 0;
      group_start_ = skim_.offset();
    }
    if (Running* f = current();
        f != nullptr && may_call(f->simple_name) && previous().spells(f->simple_name)) {
      f->recursive = true;
    }
    groups_.push_back({last_logical_, 0});
    last_logical_ = 0;
    ++parens_;
  }

  // A look at one byte spares telling what stands before most parentheses.
  bool may_call(std::string_view name) const {
    const std::size_t at = token_->begin;
    if (name.empty() || at == 0) return false;
    const char before = skim_.text()[at - 1];
    return before == name.back() || class_of(before) < ByteClass::word;
  }

  std::string_view group_name() {
    return previous().kind == TokenKind::word ? previous().text : std::string_view{};
  }

  // May the group that opens now be a parameter list?
  bool names_group() {
    if (style_ == FunctionStyle::keyword) return false;
    const FrameKind frame = frames_.back().kind;
    if (style_ == FunctionStyle::js) {
      const bool place = frame == FrameKind::scope || frame == FrameKind::init;
      return place && previous().kind == TokenKind::word && previous().word == Word::none &&
             !header_.function_word && frames_.size() > 1;
    }
    if (frame != FrameKind::scope || header_.ctor_init || header_.assigned) return false;
    if (header_.operator_word)
      return !(previous().is(Word::operator_));  // operator() has its own pair first
    if (previous().is('>')) return header_.words > 0;
    if (previous().kind != TokenKind::word || previous().word != Word::none) return false;
    if (!header_.group) return true;
    // A later group: the first was a macro, unless this one looks like an annotation.
    const bool shouts = std::none_of(previous().text.begin(), previous().text.end(),
                                     [](char c) { return c >= 'a' && c <= 'z'; });
    return !shouts;
  }

  void close_paren() {
    if (!groups_.empty()) {
      last_logical_ = groups_.back().logical;
      last_parameters_ = skim_.follows('(') ? 0 : groups_.back().commas + 1;
      groups_.pop_back();
    }
    if (parens_ == 0) {
      if (frames_.size() == 1) balanced_ = false;
      return;
    }
    --parens_;
    if (lambda_ > parens_) lambda_ = -1;
    if (in_group_ && parens_ == 0) {
      in_group_ = false;
      const std::size_t close = skim_.offset() - 1;
      const std::string_view inside =
          skim_.text().substr(group_start_, close - std::min(close, group_start_));
      header_.group_text = inside;
      header_.parameters = skim_.follows('(') || inside == "void" ? 0 : header_.parameters + 1;
      // Go: func (receiver) Name(parameters)
      const bool literal = in_function() || !header_.scope_name.empty();
      header_.group = !(go_ && header_.function_word && header_.name.empty()) || literal;
    } else if (header_.function_word && parens_ == function_parens_) {
      header_.group = true;
    }
    const bool with_parens = style_ != FunctionStyle::keyword || kotlin_ || php_;
    if (control_pending_ && with_parens && parens_ == control_parens_) {
      control_pending_ = false;
      control_ready_ = true;
    }
  }

  void semicolon() {
    last_logical_ = 0;
    if (parens_ > 0) return;
    if (go_ && control_pending_) return;  // if x := f(); x > 0 {
    after_do_ = false;
    control_pending_ = control_ready_ = pending_do_ = pending_choice_ = false;
    drop_pseudo();
    header_ = {};
    lambda_ = -1;
    angle_ = 0;
    template_next_ = arrow_ = false;
    assign_name_ = {};
  }

  std::string qualified(std::string_view name) const {
    const std::string_view separator = style_ == FunctionStyle::c || rust_ ? "::" : ".";
    std::string out;
    for (const std::string_view scope : scopes_) {
      if (out.size() > kLongestName) break;
      out += scope;
      out += separator;
    }
    return out += name.empty() ? std::string_view("<lambda>") : name;
  }

  // The name with what makes it one: "~X", "operator+=", "TEST(Suite, Case)".
  std::string spelled_name() const {
    if (header_.operator_word) {
      const std::string_view text = skim_.text();
      const std::size_t open = group_start_ == 0 ? 0 : group_start_ - 1;
      const std::size_t from = open - std::min<std::size_t>(open, 63);  // no name is longer
      const std::size_t at = text.substr(from, open - from).rfind("operator");
      if (at != std::string_view::npos) {
        std::string name(text.substr(from + at, open - from - at));
        name.erase(
            std::remove_if(name.begin(), name.end(), [](char c) { return c == ' ' || c == '\n'; }),
            name.end());
        return qualified(name);
      }
    }
    std::string name(header_.name);
    const std::string_view text = skim_.text();
    if (style_ == FunctionStyle::c && !name.empty() && !header_.operator_word) {
      std::size_t at = static_cast<std::size_t>(header_.name.data() - text.data());
      if (at > 0 && text[at - 1] == '~') {
        name = "~" + name;
        --at;
      }
      // Out-of-class definitions carry their class: A::B::f.
      while (name.size() < kLongestName && at >= 3 && text[at - 1] == ':' && text[at - 2] == ':' &&
             is_identifier_byte(text[at - 3])) {
        std::size_t from = at - 2;
        while (from > 0 && is_identifier_byte(text[from - 1])) --from;
        name = std::string(text.substr(from, at - from)) + name;
        at = from;
      }
      const bool shouts = header_.words <= 1 && header_.name.size() > 2 && name.front() != '~' &&
                          std::none_of(header_.name.begin(), header_.name.end(),
                                       [](char c) { return c >= 'a' && c <= 'z'; });
      if (shouts && header_.group_text.size() < 80 &&
          header_.group_text.find('\n') == std::string_view::npos) {
        name += "(" + std::string(header_.group_text) + ")";
      }
    }
    return qualified(name);
  }

  void open_function(std::string name, std::string_view simple, std::uint32_t line,
                     std::uint32_t parameters) {
    Running f;
    f.metrics.name = std::move(name);
    f.metrics.first_line = line;
    f.metrics.last_line = this_line();
    f.metrics.parameters = parameters;
    f.simple_name = simple;
    functions_.push_back(std::move(f));
    Frame frame;
    frame.kind = FrameKind::function;
    frame.function = static_cast<int>(functions_.size()) - 1;
    frame.parens = parens_;
    enter(frame);
  }

  // A function without a name inside another one belongs to that one and is a level deeper.
  void open_anonymous(std::string_view assigned) {
    if (in_function() && assigned.empty()) {
      Frame frame;
      frame.kind = FrameKind::block;
      frame.function = frames_.back().function;
      frame.levels = 1;
      frame.parens = parens_;
      return enter(frame);
    }
    const bool single = arrow_ && bare_arrow_;
    open_function(qualified(assigned), assigned, this_line(), single ? 1 : last_parameters_);
  }

  void enter(const Frame& frame) {
    push(frame);
    parens_ = 0;
    header_ = {};
    lambda_ = -1;
    last_logical_ = 0;
    angle_ = 0;
    control_pending_ = control_ready_ = arrow_ = in_group_ = false;
    assign_name_ = {};
  }

  void open_brace() {
    Frame frame;
    frame.function = frames_.back().function;
    frame.parens = parens_;
    if (go_ && previous().kind == TokenKind::word &&
        (previous().spells("interface") || previous().spells("struct")) &&
        (header_.function_word || parens_ > 0)) {
      frame.kind = FrameKind::init;
      push(frame);
      saved_.push_back(header_);
      saved_init_.push_back(frames_.size());
      return;
    }
    if (header_.function_word && parens_ == function_parens_ && header_.group) {
      const bool literal = header_.name.empty();
      if (literal) return open_anonymous(header_.scope_name);
      return open_function(spelled_name(), header_.name, header_.line, header_.parameters);
    }
    if (lambda_ == parens_ || (arrow_ && (previous().is('=', '>') || previous().is('-', '>')))) {
      if (frames_.back().choice || switch_arrow()) {
        frame.kind = FrameKind::block;
        return enter(frame);
      }
      return open_anonymous(in_function() && style_ == FunctionStyle::c ? std::string_view{}
                                                                        : assigned_name());
    }
    if (control_ready_ || control_pending_) {
      frame.kind = FrameKind::block;
      frame.levels = in_function() ? control_levels_ : 0;
      frame.do_body = pending_do_;
      frame.choice = pending_choice_;
      pending_do_ = pending_choice_ = false;
      return enter(frame);
    }
    classify(&frame);
    if (frame.kind == FrameKind::function)
      return open_function(spelled_name(), header_.name, header_.line, header_.parameters);
    if (frame.kind == FrameKind::init) {
      saved_.push_back(header_);
      saved_init_.push_back(frames_.size() + 1);
    }
    enter(frame);
  }

  // case X -> { ... } of Java is a case, not a lambda.
  bool switch_arrow() const {
    return java_ && parens_ == 0 && !header_.assigned && in_function() && assign_name_.empty() &&
           !header_.returns_value;
  }

  // What does this brace open, by the header?
  void classify(Frame* frame) {
    const FrameKind around = frames_.back().kind;
    frame->kind = FrameKind::init;
    if (header_.enum_word) return;
    if (header_.new_word && previous().is(')') && (java_ || php_)) {
      frame->kind = FrameKind::scope;  // anonymous class
      frame->function = -1;
      return;
    }
    const bool method = header_.group && (previous().is(')') || style_ != FunctionStyle::js ||
                                          header_.words_after_group);
    if (header_.scope_word && parens_ == 0 &&
        !(header_.group && previous().is(')') && style_ == FunctionStyle::c) &&
        !(header_.group && style_ == FunctionStyle::c && !header_.words_after_group &&
          !header_.ctor_init)) {
      frame->kind = FrameKind::scope;
      frame->function = -1;
      frame->name = header_.scope_name;
      return;
    }
    if (header_.assigned && style_ != FunctionStyle::js) return;
    if (style_ == FunctionStyle::js) {
      if (method && parens_ == 0 && (around == FrameKind::scope || around == FrameKind::init) &&
          frames_.size() > 1) {
        frame->kind = FrameKind::function;
      } else if (previous().is(';') || previous().is('{') || previous().is('}') ||
                 previous().is(')') || previous().kind == TokenKind::end) {
        frame->kind = FrameKind::block;
      }
      return;
    }
    if (around == FrameKind::scope && style_ != FunctionStyle::keyword && parens_ == 0) {
      const bool member_init =
          header_.ctor_init && (previous().kind == TokenKind::word || previous().is('>'));
      if (header_.group && !member_init) {
        frame->kind = FrameKind::function;
      } else if (!header_.group && style_ == FunctionStyle::java) {
        frame->kind = FrameKind::scope;
        frame->function = -1;
      }
      return;
    }
    const bool statement = previous().is(';') || previous().is('{') || previous().is('}') ||
                           previous().is(')') || previous().is(':') || previous().is('=', '>') ||
                           previous().is('-', '>');
    if (statement) frame->kind = FrameKind::block;
  }

  void close_brace() {
    drop_pseudo();
    if (frames_.size() <= 1) {
      balanced_ = false;
      return;
    }
    const Frame closed = frames_.back();
    pop_frame();
    last_logical_ = 0;
    control_pending_ = control_ready_ = arrow_ = false;
    after_do_ = closed.do_body;
    if (closed.kind == FrameKind::init) {
      if (!saved_init_.empty() && saved_init_.back() == frames_.size() + 1) {
        header_ = saved_.back();
        saved_.pop_back();
        saved_init_.pop_back();
      }
      return;
    }
    while (!saved_init_.empty() && saved_init_.back() > frames_.size()) {
      saved_.pop_back();
      saved_init_.pop_back();
    }
    header_ = {};
    assign_name_ = {};
    if (parens_ == 0 && !closed.do_body) drop_pseudo();
  }

  FunctionStyle style_;
  Skim skim_;
  const SkimToken* token_ = nullptr;
  std::vector<Frame> frames_;
  std::vector<std::string_view> scopes_;  ///< Names of the frames that are named scopes.
  std::vector<Running> functions_;
  std::vector<Branch> branches_;
  std::vector<Closed> closed_;
  std::vector<Header> saved_;            ///< Headers that go on behind an initialiser.
  std::vector<std::size_t> saved_init_;  ///< frames_.size() inside each of them.
  struct Group {
    char logical;  ///< The run of operators around it.
    std::uint32_t commas;
  };
  std::vector<Group> groups_;
  Header header_;
  std::uint32_t last_parameters_ = 0;  ///< Of the group closed last.
  std::string_view assign_name_;
  std::size_t group_start_ = 0;
  std::uint32_t leave_line_ = 0;
  int parens_ = 0;
  int angle_ = 0;
  int lambda_ = -1;
  int control_parens_ = 0;
  int function_parens_ = 0;
  int assign_parens_ = 0;
  std::uint8_t control_levels_ = 0;
  char last_logical_ = 0;
  bool control_pending_ = false, control_ready_ = false, pending_do_ = false,
       pending_choice_ = false;
  bool after_do_ = false, arrow_ = false, template_next_ = false, in_group_ = false, guard_ = false,
       go_ = false, rust_ = false, kotlin_ = false, java_ = false, php_ = false, csharp_ = false,
       swift_ = false, dart_ = false;
  bool bare_arrow_ = false, leaving_ = false;
  bool counts_words_ = false;  ///< How many names a header holds matters.
  unsigned fixed_wants_ = 0;   ///< Wanted in every state.
  bool balanced_ = true;
};

}  // namespace

std::vector<FunctionMetrics> find_brace_functions(std::string_view text,
                                                  std::span<const Segment> segments,
                                                  LanguageId language, bool* balanced, bool every) {
  return BraceAnalyzer(text, segments, language, every).run(balanced);
}

}  // namespace neurolens::codebase
