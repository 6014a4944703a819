# Run by every build: writes OUT, a header that says what is being built, when that has changed.
execute_process(COMMAND git -C ${SOURCE} rev-parse HEAD OUTPUT_VARIABLE commit ERROR_QUIET
  OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
  OUTPUT_VARIABLE changes ERROR_QUIET)
if(changes)
  set(dirty 1)
else()
  set(dirty 0)
endif()

string(STRIP "${FLAGS}" flags)
set(text "#define CULL_GIT_COMMIT \"${commit}\"\n#define CULL_GIT_DIRTY ${dirty}\n")
string(APPEND text "#define CULL_COMPILER \"${COMPILER}\"\n#define CULL_FLAGS \"${flags}\"\n")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT text STREQUAL "${before}")
  file(WRITE ${OUT} "${text}")
endif()
