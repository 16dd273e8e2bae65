# Bounds of the versions of third-party libraries.
option(SPANFORGE_NEWER_VERSIONS "Take libraries newer than those spanforge was written for" OFF)

# Ends the configuration with these words; an installed package collects them instead (SpanforgeDependencies.cmake).
function(spanforge_complain words)
  if(SPANFORGE_IN_PACKAGE)
    set_property(GLOBAL APPEND PROPERTY SPANFORGE_MISSING "${words}")
  else()
    message(FATAL_ERROR "${words}")
  endif()
endfunction()

# Stops where a library is older than what the code needs, or of a later line than it was written
# for: with a major version a call may change its meaning, which no compiler tells. below "": any.
function(spanforge_version name found at_least below)
  if(found STREQUAL "")
    return()  # it was not found, which is said elsewhere
  endif()
  if(found VERSION_LESS at_least)
    spanforge_complain("${name} ${found} is too old: ${at_least} or newer is needed")
    return()
  endif()
  if(below STREQUAL "" OR found VERSION_LESS below)
    return()
  endif()
  set(what "${name} ${found} is newer than spanforge was written for, which is below ${below}")
  if(NOT SPANFORGE_NEWER_VERSIONS)
    spanforge_complain("${what}; -DSPANFORGE_NEWER_VERSIONS=ON takes it all the same")
    return()
  endif()
  message(WARNING "${what}")
endfunction()

# MAJOR.MINOR of a library that has no CMake package, from #define PREFIX_MAJOR and PREFIX_MINOR in
# the first of these headers that has them.
function(spanforge_header_version result prefix)
  foreach(header IN LISTS ARGN)
    if(EXISTS ${header})
      file(STRINGS ${header} lines REGEX "#define[ \t]+${prefix}_(MAJOR|MINOR)[ \t]+[0-9]+")
      if("${lines}" MATCHES "_MAJOR[ \t]+([0-9]+)")
        set(major ${CMAKE_MATCH_1})
        string(REGEX MATCH "_MINOR[ \t]+([0-9]+)" unused "${lines}")
        set(${result} ${major}.${CMAKE_MATCH_1} PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
  message(FATAL_ERROR "no version (${prefix}_MAJOR) in ${ARGN}")
endfunction()
