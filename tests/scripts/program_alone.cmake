# cmake -DSOURCE=... -DWORK=... -P program_alone.cmake: what `tools/build.sh program` configures needs
# no package of the tests, the benchmarks or the fuzzers: with those hidden, CMake still makes a build
# that has the program. With the tests asked for and GoogleTest hidden, it says what is missing.
file(REMOVE_RECURSE ${WORK})
set(hidden "")
foreach(package IN ITEMS GTest Python3 Python benchmark Git)
  list(APPEND hidden -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
function(configure result tests)
  execute_process(COMMAND ${CMAKE_COMMAND} -G Ninja -S ${SOURCE} -B ${WORK}/${tests} -DSPANFORGE_TESTS=${tests} ${hidden}
    RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  set(${result} ${code} PARENT_SCOPE)
  set(said "${said}" PARENT_SCOPE)
endfunction()

configure(code OFF)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "the program alone cannot be configured:\n${said}")
endif()
file(STRINGS ${WORK}/OFF/build.ninja program REGEX "^build bin/spanforge:")
if(NOT program)
  message(FATAL_ERROR "the program is not in that build:\n${said}")
endif()
configure(code ON)
if(code EQUAL 0 OR NOT said MATCHES "libgtest-dev")
  message(FATAL_ERROR "with the tests and without GoogleTest, CMake ended with ${code} and said:\n${said}")
endif()
file(REMOVE_RECURSE ${WORK})
