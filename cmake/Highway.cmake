# Highway gives portable vector code with run-time dispatch. Sets ${highway} for LINK of the room that includes this.
find_package(hwy QUIET CONFIG)
if(TARGET hwy::hwy)
  set(highway hwy::hwy)
else()
  pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
  set(highway PkgConfig::hwy)
endif()
# Instruction sets that get a copy of each kernel: on x86 three, AVX-512, AVX2 and the x86-64-v2 baseline, which Highway
# calls SSSE3. Each further one costs build time and brings nothing that is used here. Bits 1-7: AVX3_DL and newer
# (their names differ between versions); bit 11: SSE4.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  add_compile_definitions(HWY_DISABLED_TARGETS=0x8FELL)
endif()
