# Every third-party library comes from the distribution's packages. CMake or the package itself knows how
# to find some of them, others are found by header and library; each ends here as one imported target.
# SECURITY.md has the list.
#
# spanforge_find(TARGET...) makes these targets. The build stops where one is missing. An installed package, which
# sets SPANFORGE_IN_PACKAGE, asks for those that are linked only; there what is missing is added to the global
# property SPANFORGE_MISSING.
include(${CMAKE_CURRENT_LIST_DIR}/SpanforgeVersions.cmake)

function(spanforge_header_library target header)
  if(TARGET ${target})
    return()
  endif()
  string(MAKE_C_IDENTIFIER "SPANFORGE_${header}_DIR" var)
  find_path(${var} ${header} REQUIRED)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE ${${var}})
  set_target_properties(${target} PROPERTIES SPANFORGE_HEADERS_ONLY TRUE)  # nobody links it
endfunction()

# As find_package, where a package is a header and a library: NAME becomes NAME_FOUND.
function(spanforge_find_library name target header library)
  find_path(SPANFORGE_${name}_INCLUDE ${header})
  find_library(SPANFORGE_${name}_LIBRARY ${library})
  if(NOT SPANFORGE_${name}_INCLUDE OR NOT SPANFORGE_${name}_LIBRARY)
    spanforge_complain("${library} is missing: its header ${header} or the library itself")
  elseif(NOT TARGET ${target})
    add_library(${target} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${SPANFORGE_${name}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${SPANFORGE_${name}_INCLUDE})
  endif()
endfunction()

# Gloo connects several processes; hiredis talks to Redis, where they may meet. Without one of them, or with its option
# SPANFORGE_NAME off, the build has everything else, and the program says so. An installed package needs what was linked.
# Debian's packages have no file for CMake, or one without a version. macro: of the version, as in
# spanforge_header_version; SPANFORGE_NAME_VERSION receives it.
function(spanforge_find_optional name target header library version_header macro without)
  if(SPANFORGE_IN_PACKAGE)
    spanforge_find_library(${name} ${target} ${header} ${library})
  elseif(SPANFORGE_${name})
    find_path(SPANFORGE_${name}_INCLUDE ${header})
    find_library(SPANFORGE_${name}_LIBRARY ${library})
  else()
    unset(SPANFORGE_${name}_LIBRARY CACHE)  # of a build directory that had it
  endif()
  if(SPANFORGE_${name}_INCLUDE AND SPANFORGE_${name}_LIBRARY)
    spanforge_find_library(${name} ${target} ${header} ${library})
    set_property(TARGET ${target} PROPERTY INTERFACE_COMPILE_DEFINITIONS SPANFORGE_HAS_${name})
    spanforge_header_version(version ${macro} ${SPANFORGE_${name}_INCLUDE}/${version_header})
    set(SPANFORGE_${name}_VERSION ${version} PARENT_SCOPE)
  elseif(NOT SPANFORGE_IN_PACKAGE)
    message(STATUS "without ${library} (lib${library}-dev): ${without}")
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES SPANFORGE_HEADERS_ONLY TRUE)  # nothing to link
  endif()
endfunction()

set(spanforge_how REQUIRED)
if(SPANFORGE_IN_PACKAGE)
  set(spanforge_how QUIET)
endif()

function(spanforge_find)
  foreach(library IN LISTS ARGN)
    if(TARGET ${library})
      continue()
    endif()
    if(library MATCHES "^OpenMP::")
      find_package(OpenMP ${spanforge_how} COMPONENTS CXX)
    elseif(library MATCHES "^OpenSSL::")
      find_package(OpenSSL ${spanforge_how} COMPONENTS Crypto SSL)
      spanforge_version(OpenSSL "${OPENSSL_VERSION}" 3.0 4)
    elseif(library MATCHES "^ZLIB::")
      find_package(ZLIB ${spanforge_how})
      spanforge_version(zlib "${ZLIB_VERSION_STRING}" 1.2 2)
    elseif(library MATCHES "^CURL::")
      find_package(CURL ${spanforge_how})
      spanforge_version(libcurl "${CURL_VERSION_STRING}" 7.80 9)
    elseif(library MATCHES "^ICU::")
      find_package(ICU ${spanforge_how} COMPONENTS uc i18n)
      spanforge_version(ICU "${ICU_VERSION}" 70 "")  # one major version a year, none of which broke a call
    elseif(library MATCHES "^Boost::")
      find_package(Boost ${spanforge_how})  # headers alone
      spanforge_version(Boost "${Boost_VERSION_STRING}" 1.74 2)
    elseif(library MATCHES "^fmt::")
      find_package(fmt ${spanforge_how})
      spanforge_version(fmt "${fmt_VERSION}" 8 13)
    elseif(library MATCHES "^tomlplusplus::")
      spanforge_header_library(tomlplusplus::tomlplusplus toml++/toml.h)
      spanforge_header_version(version TOML_LIB ${SPANFORGE_toml___toml_h_DIR}/toml++/impl/version.h
        ${SPANFORGE_toml___toml_h_DIR}/toml++/impl/version.hpp)
      spanforge_version(toml++ ${version} 3.0 4)
    elseif(library MATCHES "^protozero::")
      spanforge_header_library(protozero::protozero protozero/pbf_writer.hpp)
      spanforge_header_version(version PROTOZERO_VERSION ${SPANFORGE_protozero_pbf_writer_hpp_DIR}/protozero/version.hpp)
      spanforge_version(protozero ${version} 1.7 2)
    elseif(library MATCHES "^DNNL::")
      # Debian's dnnl-config.cmake wants OpenCL headers that the library does not need here.
      spanforge_find_library(DNNL DNNL::dnnl dnnl.hpp dnnl)
      if(TARGET DNNL::dnnl)
        spanforge_header_version(version DNNL_VERSION ${SPANFORGE_DNNL_INCLUDE}/oneapi/dnnl/dnnl_version.h
          ${SPANFORGE_DNNL_INCLUDE}/dnnl_version.h)
        spanforge_version(oneDNN ${version} 2.6 4)
      endif()
    elseif(library STREQUAL "Gloo::gloo")
      spanforge_find_optional(GLOO Gloo::gloo gloo/rendezvous/store.h gloo gloo/config.h GLOO_VERSION
        "a training is one process")
      spanforge_version(Gloo "${SPANFORGE_GLOO_VERSION}" 0.5 1)
    elseif(library STREQUAL "hiredis::hiredis")
      spanforge_find_optional(REDIS hiredis::hiredis hiredis/hiredis.h hiredis hiredis/hiredis.h HIREDIS
        "processes meet in a directory only")
      spanforge_version(hiredis "${SPANFORGE_REDIS_VERSION}" 0.14 2)
    elseif(library MATCHES "^hwy::")
      spanforge_find_library(HWY hwy::hwy hwy/highway.h hwy)
      if(TARGET hwy::hwy)
        spanforge_header_version(version HWY ${SPANFORGE_HWY_INCLUDE}/hwy/base.h ${SPANFORGE_HWY_INCLUDE}/hwy/highway.h)
        spanforge_version(highway ${version} 1.0 2)
      endif()
    else()
      message(FATAL_ERROR "SpanforgeDependencies.cmake does not know ${library}")
    endif()
    if(NOT TARGET ${library})
      spanforge_complain("${library} is missing")
    endif()
  endforeach()
endfunction()
if(NOT SPANFORGE_IN_PACKAGE)
  if(NOT SPANFORGE_CURL)
    add_library(CURL::libcurl INTERFACE IMPORTED GLOBAL)  # with nothing in it
  endif()
  spanforge_find(OpenMP::OpenMP_CXX OpenSSL::Crypto OpenSSL::SSL ZLIB::ZLIB CURL::libcurl ICU::uc ICU::i18n Boost::headers fmt::fmt
    tomlplusplus::tomlplusplus protozero::protozero DNNL::dnnl hwy::hwy Gloo::gloo hiredis::hiredis)
endif()
