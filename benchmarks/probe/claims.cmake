# Programs behind the claims of the guides. Built with the tests too: every change runs them briefly, for their
# results; the bench preset runs the claims at full length, for their times.
function(neurolens_probe_program name source)
  add_executable(${name} ${PROJECT_SOURCE_DIR}/benchmarks/probe/${source})
  target_link_libraries(${name} PRIVATE neurolens_probe neurolens_flags fmt::fmt)
  if(NEUROLENS_BUILD_TESTS)
    add_test(NAME ${name}.quick COMMAND ${name} --quick)
    set_tests_properties(${name}.quick PROPERTIES LABELS probe TIMEOUT 60 SKIP_RETURN_CODE 3)
  endif()
endfunction()

neurolens_probe_program(probe_claims claims.cpp)
neurolens_probe_program(probe_helper_cost helper_cost.cpp)
neurolens_probe_program(probe_memory_cost memory_cost.cpp)
if(TARGET neurolens_probe_memory)
  target_link_libraries(probe_memory_cost PRIVATE neurolens_probe_memory)
endif()
