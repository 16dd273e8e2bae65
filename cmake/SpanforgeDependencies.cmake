# Every third-party library comes from the distribution's packages. CMake or the package itself knows how
# to find some of them, others are found by header and library; each ends here as one imported target.
# SECURITY.md has the list.
include(${CMAKE_CURRENT_LIST_DIR}/SpanforgeVersions.cmake)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
spanforge_version(OpenSSL "${OPENSSL_VERSION}" 3.0 4)
find_package(ZLIB REQUIRED)
spanforge_version(zlib "${ZLIB_VERSION_STRING}" 1.2 2)
find_package(CURL REQUIRED)
spanforge_version(libcurl "${CURL_VERSION_STRING}" 7.80 9)
find_package(ICU REQUIRED COMPONENTS uc i18n)
spanforge_version(ICU "${ICU_VERSION}" 70 "")  # one major version a year, none of which broke a call
find_package(Boost REQUIRED)  # headers alone
spanforge_version(Boost "${Boost_VERSION_STRING}" 1.74 2)
find_package(fmt REQUIRED)
spanforge_version(fmt "${fmt_VERSION}" 8 13)

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
spanforge_header_version(version TOML_LIB ${SPANFORGE_toml___toml_h_DIR}/toml++/impl/version.h
  ${SPANFORGE_toml___toml_h_DIR}/toml++/impl/version.hpp)
spanforge_version(toml++ ${version} 3.0 4)
spanforge_header_library(protozero::protozero protozero/pbf_writer.hpp)
spanforge_header_version(version PROTOZERO_VERSION ${SPANFORGE_protozero_pbf_writer_hpp_DIR}/protozero/version.hpp)
spanforge_version(protozero ${version} 1.7 2)

# Debian's dnnl-config.cmake wants OpenCL headers that the library does not need here, so header and
# library are found plainly.
find_path(SPANFORGE_DNNL_INCLUDE dnnl.hpp REQUIRED)
find_library(SPANFORGE_DNNL_LIBRARY dnnl REQUIRED)
spanforge_header_version(version DNNL_VERSION ${SPANFORGE_DNNL_INCLUDE}/oneapi/dnnl/dnnl_version.h
  ${SPANFORGE_DNNL_INCLUDE}/dnnl_version.h)
spanforge_version(oneDNN ${version} 2.6 4)
add_library(DNNL::dnnl UNKNOWN IMPORTED GLOBAL)
set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${SPANFORGE_DNNL_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${SPANFORGE_DNNL_INCLUDE})

find_path(SPANFORGE_HWY_INCLUDE hwy/highway.h REQUIRED)
find_library(SPANFORGE_HWY_LIBRARY hwy REQUIRED)
spanforge_header_version(version HWY ${SPANFORGE_HWY_INCLUDE}/hwy/base.h ${SPANFORGE_HWY_INCLUDE}/hwy/highway.h)
spanforge_version(highway ${version} 1.0 2)
add_library(hwy::hwy UNKNOWN IMPORTED GLOBAL)
set_target_properties(hwy::hwy PROPERTIES IMPORTED_LOCATION ${SPANFORGE_HWY_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${SPANFORGE_HWY_INCLUDE})
