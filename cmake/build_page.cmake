# Builds the front end into page.cpp. Called as a script while the project is built:
#   cmake -D SOURCE=ui -D OUT=folder -D NPM=npm-or-empty -P build_page.cmake
# Without npm, or without what npm would have to fetch, page.cpp holds no page: the program builds, and says
# so when somebody asks for an HTML report. A fault in the front end itself fails the build.
set(page ${OUT}/page.cpp)

function(write_without_page reason)
  message("The HTML report is not in this build: ${reason}.")
  file(WRITE ${page} "// No page: ${reason}.
#include \"html/page.hpp\"

namespace neurolens::report {

std::span<const std::string_view> page_pieces() {
  return {};
}

}  // namespace neurolens::report
")
endfunction()

file(MAKE_DIRECTORY ${OUT})
if(NOT NPM)
  write_without_page("npm is missing")
  return()
endif()

# Two builds of one checkout share ui/node_modules.
file(LOCK ${SOURCE}/node_modules.lock GUARD PROCESS TIMEOUT 600)
set(stamp ${SOURCE}/node_modules/.lock-file-of-this)
file(SHA256 ${SOURCE}/package-lock.json wanted)
set(present "")
if(EXISTS ${stamp})
  file(READ ${stamp} present)
endif()
if(NOT present STREQUAL wanted)
  execute_process(COMMAND ${NPM} ci --prefer-offline --no-audit --no-fund --ignore-scripts
    WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(failed)
    write_without_page("npm could not fetch what ui/package-lock.json names (run `npm ci` in ui/ to see why)")
    return()
  endif()
  file(WRITE ${stamp} ${wanted})
endif()

execute_process(COMMAND ${NPM} run --silent build -- --outDir ${OUT}
  WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(failed)
  message(FATAL_ERROR "The front end does not build:\n${said}")
endif()
