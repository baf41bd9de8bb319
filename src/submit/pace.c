/* submit/pace.c - large texts keep to a rate of bytes for each account, as in SES: the reply waits, so that the client
 * does. Core loop only. */
#include "config.h"

#include "submit/internal.h"

enum {
	LARGE_BYTES = 10 * 1024 * 1024
};

static void
leave(struct submission *s)
{
	list_del(&s->paced);
	timer_cancel(&s->pace_timer);
}

static void
on_pace_timer(void *arg)
{
	struct submission *s = arg;

	leave(s);
	s->paced_done(s, RC_OK);
}

void
pace(struct submission *s, void (*done)(struct submission *s, enum rc rc))
{
	struct submit *submit = s->submit;
	struct account *account = account_find(submit->options.accounts, s->account);
	int64_t wait_ms = 0;

	if (s->size > LARGE_BYTES && account != NULL)
		wait_ms = account_pace_ms(account, s->size);
	if (wait_ms < 0)
		done(s, why_set(&s->why, RC_LATER, 454,
			    "Throttling failure: Maximum sending rate exceeded."));
	else if (wait_ms > 0 && submit->stopping)
		done(s, RC_LATER);
	else if (wait_ms > 0) {
		s->paced_done = done;
		list_add_tail(&submit->paced, &s->paced);
		timer_init(&s->pace_timer, submit->options.core, on_pace_timer, s);
		timer_set(&s->pace_timer, wait_ms);
	} else {
		done(s, RC_OK);
	}
}

void
pace_stop(struct submit *submit)
{
	LIST_FOREACH_SAFE (node, &submit->paced) {
		struct submission *s = container_of(node, struct submission, paced);

		leave(s);
		s->paced_done(s, RC_LATER);
	}
}
