# What makes a memory error harder to use, in every build that is not one with sanitizers. Added to
# spanforge_flags, so every object and program has it; tests/hardening reads it off the programs.
include(CheckCXXCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)  # with CMAKE_POSITION_INDEPENDENT_CODE: programs are linked with -pie

# The assertions of libstdc++ end the program at an index past the end of a vector, string or span.
target_compile_options(spanforge_flags INTERFACE -fstack-protector-strong -D_GLIBCXX_ASSERTIONS)
foreach(flag IN ITEMS -fstack-clash-protection -fcf-protection)  # not of every processor
  string(MAKE_C_IDENTIFIER "SPANFORGE_HAS${flag}" known)
  check_cxx_compiler_flag(${flag} ${known})
  if(${known})
    target_compile_options(spanforge_flags INTERFACE ${flag})
  endif()
endforeach()

# FORTIFY needs an optimising build; level 3 knows sizes that are computed, from GCC 12 on.
set(level 3)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  set(level 2)
endif()
target_compile_options(spanforge_flags INTERFACE
  $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${level}>)
target_link_options(spanforge_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
