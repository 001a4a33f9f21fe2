/// \file
/// The page that people open: findings as one self-contained HTML file. The front end (ui/) is
/// built into the program; it knows schema/findings.schema.json and nothing else.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens::report {

/// False when the program was built without npm: then there is no page to fill.
[[nodiscard]] bool has_page() noexcept;

/// `document` (findings.schema.json, one JSON document in UTF-8) as an HTML file that needs no
/// other file and no network. Texts from the document cannot become markup. Base64 texts beyond a
/// few KiB move into blocks of their own behind the page's script, deflated where that pays, so
/// that the head of the page shows before they have arrived; the rest is deflated when it is large.
/// Linear in the size of the document; takes about twice its memory. Errors: unavailable when
/// !has_page(), with the sentence that mends it; parse_error when a string of the document does not
/// end.
[[nodiscard]] Result<std::string> html_page(std::string_view document);

/// The same page without a document: it asks the server that it came from (`neurolens view`), and
/// may talk to that one only. Errors: unavailable.
[[nodiscard]] Result<std::string> served_page();

}  // namespace neurolens::report
