# neurolens_flags carries language level, warnings and sanitizers; every room links to it privately.
add_library(neurolens_flags INTERFACE)
target_compile_features(neurolens_flags INTERFACE cxx_std_20)
target_compile_options(neurolens_flags INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi
  # A binary built here runs on any x86-64-v2 machine; kernels pick wider SIMD at run time.
  $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-march=x86-64-v2>
  # gcc 12 reports false positives of these two in inlined standard library code at -O3.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-restrict>)
if(NEUROLENS_WARNINGS_AS_ERRORS)
  target_compile_options(neurolens_flags INTERFACE -Werror)
endif()
if(NEUROLENS_SANITIZE)
  target_compile_options(neurolens_flags INTERFACE -fsanitize=${NEUROLENS_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(neurolens_flags INTERFACE -fsanitize=${NEUROLENS_SANITIZE})
  if(NEUROLENS_SANITIZE MATCHES "undefined")
    target_compile_options(neurolens_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
if(NEUROLENS_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "NEUROLENS_BUILD_FUZZERS needs clang; use the preset `fuzz`.")
  endif()
  target_compile_options(neurolens_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)
