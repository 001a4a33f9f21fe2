/// \file
/// Fills the page. The document is looked at as text: one pass over its strings finds the large
/// base64 texts; nothing is parsed into a tree, for a document can have 40 MB.
#include "neurolens/report/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "html/page.hpp"
#include "neurolens/base/base64.hpp"
#include "neurolens/base/compress.hpp"

namespace neurolens::report {
namespace {

constexpr std::string_view kDocumentHole = "<!--neurolens:document-->";
constexpr std::string_view kDataHole = "<!--neurolens:data-->";
constexpr std::string_view kNoNetwork = "connect-src 'none'";
constexpr std::string_view kOwnServer = "connect-src 'self'";

constexpr std::size_t kLargeText = 8192;       // base64 texts from here on get a block of their own
constexpr std::size_t kLargeDocument = 65536;  // documents from here on are deflated
constexpr int kLevel = 1;                      // 4x as fast as 6 for a few per cent more bytes

struct Block {
  std::string_view base64;  ///< As it stands in the document.
  std::string packed;       ///< Deflated and encoded anew; empty when that did not pay.
};

/// The document without its large base64 texts, and these.
struct Split {
  std::string document;
  std::vector<Block> blocks;
};

constexpr std::array<bool, 256> make_base64_table() {
  std::array<bool, 256> table{};
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kBase64 = make_base64_table();

bool is_base64(std::string_view text) {
  return text.size() % 4 == 0 && std::all_of(text.begin(), text.end(), [](char c) {
           return kBase64[static_cast<unsigned char>(c)];
         });
}

Block pack(std::string_view base64) {
  Block block{base64, {}};
  constexpr std::size_t kHead = 8;  // six bytes, enough to know the kind
  const auto head = base64_decode(base64.substr(0, kHead));
  if (!head.ok() || looks_like_zstd(head.value())) return block;  // the Run: nothing is left to win
  const auto bytes = base64_decode(base64);
  if (!bytes.ok()) return block;
  std::string packed = base64_encode(zlib_compress_parallel(bytes.value(), kLevel));
  if (packed.size() < base64.size()) block.packed = std::move(packed);
  return block;
}

/// The end of the string that begins after `begin`: the place of its quote, npos when there is
/// none.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  std::size_t at = text.find('"', begin);
  while (at != std::string_view::npos) {
    std::size_t escapes = at;
    while (escapes > begin && text[escapes - 1] == '\\') --escapes;
    if ((at - escapes) % 2 == 0) return at;
    at = text.find('"', at + 1);
  }
  return at;
}

Result<Split> split(std::string_view document) {
  Split result;
  std::size_t kept = 0;
  std::size_t at = document.find('"');
  while (at != std::string_view::npos) {
    const std::size_t end = end_of_string(document, at + 1);
    if (end == std::string_view::npos) {
      return Error{Errc::parse_error, "A text of the findings document does not end.",
                   fmt::format("byte {}", at)};
    }
    const std::string_view text = document.substr(at + 1, end - at - 1);
    if (text.size() >= kLargeText && is_base64(text)) {
      result.document.append(document, kept, at - kept);
      result.document += fmt::format("\"@{}\"", result.blocks.size());
      result.blocks.push_back(pack(text));
      kept = end + 1;
    }
    at = document.find('"', end + 1);
  }
  result.document.append(document, kept);
  return result;
}

/// JSON inside a script element: '<' could end the element or open a comment in it.
std::string escaped(std::string_view json) {
  std::string out;
  out.reserve(json.size() + json.size() / 64);
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

void write_document(std::string& out, std::string_view document) {
  if (document.size() < kLargeDocument) {
    out += R"(<script type="application/json" id="neurolens-document">)";
    out += escaped(document);
  } else {
    out += R"(<script type="text/plain" id="neurolens-document" data-encoding="deflate">)";
    out += base64_encode(zlib_compress_parallel(document, kLevel));
  }
  out += "</script>";
}

void write_blocks(std::string& out, const std::vector<Block>& blocks) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const bool packed = !blocks[i].packed.empty();
    out += fmt::format("<script type=\"text/plain\" id=\"neurolens-block-{}\"{}>", i,
                       packed ? " data-encoding=\"deflate\"" : "");
    out += packed ? std::string_view(blocks[i].packed) : blocks[i].base64;
    out += "</script>\n";
  }
}

Result<std::string> whole_page() {
  std::string page;
  for (const std::string_view piece : page_pieces()) page += piece;
  if (page.empty()) {
    return Error{
        Errc::unavailable,
        "The HTML report is not in this build: npm was missing. Install npm and build again.",
        "report"};
  }
  return page;
}

}  // namespace

bool has_page() noexcept {
  return !page_pieces().empty();
}

Result<std::string> html_page(std::string_view document) {
  NEUROLENS_ASSIGN(const std::string page, whole_page());
  NEUROLENS_ASSIGN(const Split parts, split(document));
  const std::size_t head = page.find(kDocumentHole);
  const std::size_t data = page.find(kDataHole, head);
  if (head == std::string::npos || data == std::string::npos)
    return Error{Errc::internal, "The built page has no place for the document.", "report"};
  std::size_t room = page.size() + parts.document.size();
  for (const auto& block : parts.blocks)
    room += (block.packed.empty() ? block.base64.size() : block.packed.size()) + 100;
  std::string out;
  out.reserve(room);
  out.append(page, 0, head);
  write_document(out, parts.document);
  const std::size_t script = head + kDocumentHole.size();
  out.append(page, script, data - script);
  write_blocks(out, parts.blocks);
  out.append(page, data + kDataHole.size());
  return out;
}

Result<std::string> served_page() {
  NEUROLENS_ASSIGN(std::string page, whole_page());
  const std::size_t policy = page.find(kNoNetwork);
  if (policy == std::string::npos)
    return Error{Errc::internal, "The built page names no policy.", "report"};
  page.replace(policy, kNoNetwork.size(), kOwnServer);
  return page;
}

}  // namespace neurolens::report
