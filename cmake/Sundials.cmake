# SUNDIALS, of which only engines/pde/ode/cvode.cpp sees anything: serial vectors, dense matrices.
find_package(SUNDIALS REQUIRED)
if(TARGET SUNDIALS::core_shared)  # version 7
  get_target_property(sundials_links SUNDIALS::core_shared INTERFACE_LINK_LIBRARIES)
  if(sundials_links MATCHES "MPI::MPI_C" AND NOT TARGET MPI::MPI_C)
    # Built with MPI, its headers and its core want it; a project in C++ alone has only MPI's C++ target.
    find_package(MPI REQUIRED COMPONENTS CXX)
    add_library(MPI::MPI_C INTERFACE IMPORTED)
    target_link_libraries(MPI::MPI_C INTERFACE MPI::MPI_CXX)
  endif()
endif()
