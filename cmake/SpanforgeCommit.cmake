# Writes the header OUTPUT with the commit of the checkout SOURCE, if it changed: cmake -DSOURCE= -DOUTPUT= -P this.
set(commit "")
# Not the commit of a checkout around an unpacked archive.
if(EXISTS ${SOURCE}/.git)
  execute_process(COMMAND git -C ${SOURCE} describe --always --abbrev=12 --exclude=* --dirty=+
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
elseif(EXISTS ${SOURCE}/.commit)  # a copy of the files alone, which says where it is from (tools/bare_root.sh)
  file(STRINGS ${SOURCE}/.commit commit)
endif()
set(text "#pragma once\n#define SPANFORGE_COMMIT \"${commit}\"\n")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUTPUT} "${text}")
endif()
