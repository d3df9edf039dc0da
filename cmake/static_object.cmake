# Leaves gradus_* alone global in an object: cmake -DNM= -DOBJCOPY= -DFROM= -DTO= [-DSTRIP=--strip-debug] -P static_object.cmake
execute_process(COMMAND ${NM} --defined-only ${FROM} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
# objcopy makes global and weak symbols local, but not unique ones, which are made weak first.
string(REGEX MATCHALL " u [^\n]+" unique "${symbols}")
list(TRANSFORM unique REPLACE "^ u " "")
list(JOIN unique "\n" unique)
file(WRITE ${TO}.unique "${unique}\n")
execute_process(COMMAND ${OBJCOPY} --weaken-symbols=${TO}.unique ${FROM} ${TO} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${OBJCOPY} ${STRIP} --wildcard --keep-global-symbol=gradus_* ${TO} COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE ${FROM} ${TO}.unique)
