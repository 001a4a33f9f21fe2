# neurolens_room(NAME [DEPENDS room...] [LINK target...] [PUBLIC_LINK target...])
#
# Makes the library neurolens_NAME (alias neurolens::NAME) from the sources below the current folder.
# The suffix of a file says what it is: _test.cpp, _bench.cpp and _fuzz.cpp sit beside the file they
# serve and become one test program, one benchmark program, and one fuzzer each. Headers in src/ are
# private to their room. '/' in a room's path becomes '_' in target names.
include(GoogleTest)

function(neurolens_room name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK;PUBLIC_LINK;EXCLUDE;TEST_LINK" ${ARGN})
  string(REPLACE "/" "_" id ${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cpp)
  set(tests ${sources})
  set(benches ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz|main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  foreach(pattern IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX ${pattern})
    list(FILTER tests EXCLUDE REGEX ${pattern})
  endforeach()

  set(depends ${ARG_DEPENDS})
  list(TRANSFORM depends REPLACE "/" "_")
  list(TRANSFORM depends PREPEND neurolens::)
  add_library(neurolens_${id} STATIC ${sources})
  add_library(neurolens::${id} ALIAS neurolens_${id})
  target_include_directories(neurolens_${id}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_features(neurolens_${id} PUBLIC cxx_std_20)
  target_link_libraries(neurolens_${id}
    PUBLIC ${depends} ${ARG_PUBLIC_LINK} PRIVATE $<BUILD_INTERFACE:neurolens_flags> ${ARG_LINK})
  set_property(GLOBAL APPEND PROPERTY NEUROLENS_ROOM_TARGETS neurolens_${id})

  if(NEUROLENS_BUILD_TESTS AND tests)
    add_executable(${id}_test ${tests})
    target_include_directories(${id}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests/support
                               ${PROJECT_BINARY_DIR}/generated)
    target_link_libraries(${id}_test PRIVATE neurolens_${id} neurolens_flags ${ARG_LINK} ${ARG_TEST_LINK}
                          fmt::fmt GTest::gtest_main)
    gtest_discover_tests(${id}_test DISCOVERY_MODE PRE_TEST PROPERTIES LABELS ${id}
                         TIMEOUT ${NEUROLENS_TEST_TIMEOUT})
  endif()
  if(NEUROLENS_BUILD_BENCHMARKS AND benches)
    add_executable(${id}_bench ${benches})
    target_include_directories(${id}_bench PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${id}_bench PRIVATE neurolens_${id} neurolens_flags ${ARG_LINK} fmt::fmt benchmark::benchmark_main)
  endif()
  if(NEUROLENS_BUILD_FUZZERS)
    foreach(fuzzer IN LISTS fuzzers)
      get_filename_component(fuzzer_name ${fuzzer} NAME_WE)
      add_executable(${fuzzer_name} ${fuzzer})
      target_include_directories(${fuzzer_name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
      target_link_libraries(${fuzzer_name} PRIVATE neurolens_${id} neurolens_flags ${ARG_LINK} -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()
