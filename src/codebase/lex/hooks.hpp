/// \file
/// What the tables of rules cannot say: one hook per construct that needs a look around. Each is
/// called with the scanner at the opener's first byte, see Hook in scanner.hpp.
#pragma once

#include "lex/scanner.hpp"

namespace neurolens::codebase::hooks {

// C family (hooks_c.cpp)
bool c_string(Scanner& s, const Rule& rule);     ///< '"': plain, or a C++ raw string.
bool c_quote(Scanner& s, const Rule& rule);      ///< '\'': a character, or a digit separator.
bool c_directive(Scanner& s, const Rule& rule);  ///< '#': header names and free text of #error.
bool rust_quote(Scanner& s, const Rule& rule);   ///< '\'': a character or a lifetime.
bool rust_raw(Scanner& s, const Rule& rule);     ///< 'r', 'b', 'c' before a raw string.
bool csharp_string(Scanner& s,
                   const Rule& rule);             ///< '@', '$' or '"': verbatim, raw, interpolated.
bool swift_string(Scanner& s, const Rule& rule);  ///< '#' or '"': raw, multi-line, interpolated.
bool interpolated(Scanner& s,
                  const Rule& rule);  ///< A string with ${ } (close and flags from the rule).

// Python (hooks_python.cpp)
bool python_start(Scanner& s, const Rule& rule);
bool python_line(Scanner& s, const Rule& rule);
bool python_string(Scanner& s, const Rule& rule);
bool python_mark(Scanner& s, const Rule& rule);  ///< ':' and '\\'.

// JavaScript (hooks_js.cpp)
bool js_template(Scanner& s, const Rule& rule);  ///< '`'
bool js_brace(Scanner& s, const Rule& rule);     ///< '{' and '}' inside a template's code.
bool js_slash(Scanner& s, const Rule& rule);     ///< '/': a regular expression or a division.
bool js_hashbang(Scanner& s, const Rule& rule);  ///< "#!" in the first line.

// Shells and other users of here-documents (hooks_shell.cpp)
bool shell_string(Scanner& s, const Rule& rule);      ///< '"' with nested $( ).
bool shell_quote(Scanner& s, const Rule& rule);       ///< '\'' and $'...'.
bool shell_here(Scanner& s, const Rule& rule);        ///< "<<"
bool shell_arithmetic(Scanner& s, const Rule& rule);  ///< "((": no here-document inside.
bool skip_escaped(Scanner& s, const Rule& rule);      ///< '\\' takes the next byte along.
bool here_bodies(Scanner& s, const Rule& rule);       ///< New-line hook: eats announced bodies.
bool ruby_here(Scanner& s, const Rule& rule);
bool ruby_percent(Scanner& s, const Rule& rule);  ///< %q( ) and its kin.
bool ruby_slash(Scanner& s, const Rule& rule);
bool php_here(Scanner& s, const Rule& rule);

// The rest (hooks_misc.cpp)
bool long_bracket(
    Scanner& s, const Rule& rule);  ///< [[ ]], [=[ ]=]: a comment or a string by the rule's flags.
bool yaml_block(Scanner& s, const Rule& rule);  ///< '|' and '>' at the end of a line.
bool yaml_quote(Scanner& s, const Rule& rule);
bool php_start(Scanner& s, const Rule& rule);
bool php_close(Scanner& s, const Rule& rule);        ///< "?>": HTML until the next "<?".
bool php_comment(Scanner& s, const Rule& rule);      ///< A line comment that "?>" ends.
bool rest_is_comment(Scanner& s, const Rule& rule);  ///< __END__: nothing behind it is a program.
bool fortran_column(Scanner& s, const Rule& rule);   ///< C, c, * in column 1 of fixed form.
bool char_or_prime(Scanner& s, const Rule& rule);  ///< '\'': a character literal or part of a name.
bool haskell_dashes(Scanner& s, const Rule& rule);  ///< "--" unless part of an operator.
bool postgres_dollar(Scanner& s,
                     const Rule& rule);  ///< $tag$: its body is code; only the tag is taken.

/// Position of the last byte before `p` that is neither white space nor part of the last comment;
/// nullptr when there is none.
[[nodiscard]] const char* previous_token(const Scanner& s, const char* p);
/// The identifier that ends at `last` (inclusive), at most 16 bytes of it.
[[nodiscard]] std::string_view word_ending_at(const Scanner& s, const char* last);

}  // namespace neurolens::codebase::hooks
