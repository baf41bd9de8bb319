# AX_FORTIFY: _FORTIFY_SOURCE=3 where the compiler optimises and does not set it by itself.
AC_DEFUN([AX_FORTIFY], [
  AC_MSG_CHECKING([whether _FORTIFY_SOURCE can be set])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#if !defined(__OPTIMIZE__) || defined(_FORTIFY_SOURCE)
#error no
#endif
]], [])],
    [AC_MSG_RESULT([yes]); HARDEN_CFLAGS="$HARDEN_CFLAGS -D_FORTIFY_SOURCE=3"],
    [AC_MSG_RESULT([no])])
])
