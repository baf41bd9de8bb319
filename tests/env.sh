# Environment of every test program run by "make check".
ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:strict_string_checks=1
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
LSAN_OPTIONS=report_objects=1
export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS LSAN_OPTIONS
# The build directory, for tests that start its programs.
POSTRIDER_BUILD=${POSTRIDER_BUILD:-$PWD}
export POSTRIDER_BUILD
