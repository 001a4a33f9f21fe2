# neurolens_embed_text(OUTPUT FILE NAMESPACE ns FUNCTION name SOURCES file...)
#
# Writes a C++ file with `std::vector<std::string_view> NAMESPACE::FUNCTION()`, which gives the text of each file.
# Editing one of them configures again.
function(neurolens_embed_text)
  cmake_parse_arguments(ARG "" "OUTPUT;NAMESPACE;FUNCTION" "SOURCES" ${ARGN})
  set(entries "")
  foreach(source IN LISTS ARG_SOURCES)
    file(READ ${source} text)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    string(APPEND entries "R\"__text__(${text})__text__\",\n")
  endforeach()
  file(CONFIGURE OUTPUT ${ARG_OUTPUT} @ONLY CONTENT
"#include <string_view>
#include <vector>
namespace ${ARG_NAMESPACE} {
std::vector<std::string_view> ${ARG_FUNCTION}();
std::vector<std::string_view> ${ARG_FUNCTION}() { return {
@entries@}; }
}
")
endfunction()
