/* store/change.h - what is inside a change, for the store and its engine. */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include "store/store.h"

enum store_op_kind {
	OP_PUT,
	OP_DELETE,
	OP_DELETE_ALL, /* of an account */
	OP_DELETE_PART /* of a set of an account */
};

struct store_op {
	struct store_op *next;
	enum store_op_kind kind;
	struct store_row
	    row; /* its texts lie behind the op; only what the kind of op asks for is set */
	size_t text_len;
	char text[];
};

enum store_job_kind {
	JOB_CHANGE,
	JOB_REKEY,
	JOB_BACKUP
};

/* What waits for the store's thread. */
struct store_job {
	struct store_job *next;
	enum store_job_kind kind;
	store_done *done;
	void *arg;
	enum rc rc;
	struct why *why; /* its own, or NULL: that of its batch */
	char *path;	 /* JOB_BACKUP */
};

struct store_change {
	struct store_job job;
	struct store_op *first, **last;
	bool failed; /* memory ran out */
};

#endif
