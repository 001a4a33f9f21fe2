# find_package(neurolens): static libraries, public headers, one export set.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

function(neurolens_install)
  if(NOT NEUROLENS_INSTALL)
    return()
  endif()
  get_property(rooms GLOBAL PROPERTY NEUROLENS_ROOM_TARGETS)
  foreach(target IN LISTS rooms)
    string(REPLACE neurolens_ "" short ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${short})
  endforeach()
  install(TARGETS ${rooms} EXPORT neurolensTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY include/neurolens DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT neurolensTargets NAMESPACE neurolens:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/neurolens)
  configure_package_config_file(cmake/neurolensConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/neurolensConfig.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/neurolens)
  write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/neurolensConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/neurolensConfig.cmake
                ${CMAKE_CURRENT_BINARY_DIR}/neurolensConfigVersion.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/neurolens)
endfunction()
