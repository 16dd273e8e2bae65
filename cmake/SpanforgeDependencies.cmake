# Every third-party library comes from the distribution's packages. Some of them ship CMake
# packages, some pkg-config or bare headers; each ends here as one imported target.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
find_package(ICU 70 REQUIRED COMPONENTS uc i18n)
find_package(fmt 8 REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(Threads REQUIRED)

function(spanforge_header_library target header)
  if(TARGET ${target})
    return()
  endif()
  string(MAKE_C_IDENTIFIER "SPANFORGE_${header}_DIR" var)
  find_path(${var} ${header} REQUIRED)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE ${${var}})
endfunction()
spanforge_header_library(tomlplusplus::tomlplusplus toml++/toml.h)
spanforge_header_library(protozero::protozero protozero/pbf_writer.hpp)

# Debian's dnnl-config.cmake wants OpenCL headers that the library does not need here, so header and
# library are found plainly.
find_path(SPANFORGE_DNNL_INCLUDE dnnl.hpp REQUIRED)
find_library(SPANFORGE_DNNL_LIBRARY dnnl REQUIRED)
add_library(DNNL::dnnl UNKNOWN IMPORTED GLOBAL)
set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${SPANFORGE_DNNL_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${SPANFORGE_DNNL_INCLUDE})

find_path(SPANFORGE_HWY_INCLUDE hwy/highway.h REQUIRED)
find_library(SPANFORGE_HWY_LIBRARY hwy REQUIRED)
add_library(hwy::hwy UNKNOWN IMPORTED GLOBAL)
set_target_properties(hwy::hwy PROPERTIES IMPORTED_LOCATION ${SPANFORGE_HWY_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${SPANFORGE_HWY_INCLUDE})
