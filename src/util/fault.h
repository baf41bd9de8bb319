/* util/fault.h - places where tests make the disk fail or the process die (configure --enable-fault-points).
 *
 * A normal build has none of it: fault_point() is 0 and costs nothing. In a test build the variable
 * POSTRIDER_FAULT names points and what happens there; HACKING.md has its grammar. */
#ifndef UTIL_FAULT_H
#define UTIL_FAULT_H

enum {
	FAULT_SHORT = -1 /* a write that takes only a part */
};

#ifdef FAULT_POINTS
/* 0: go on; an errno: fail with it; FAULT_SHORT. Does not return when the point is to kill. Any thread. */
int fault_point(const char *name);
#else
static inline int
fault_point(const char *name)
{
	(void)name;
	return 0;
}
#endif

#endif
