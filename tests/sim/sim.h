/* tests/sim/sim.h - the deterministic simulation: what its files share.
 *
 * A seed makes a plan (accounts, domains, hosts) and a stream of random numbers; everything that happens is drawn from
 * that stream. The daemon's parts run in one thread over manual loops, a clock that jumps to the next timer, a network
 * and a DNS in memory, and a disk that fails and crashes. Each life of the daemon is a process of its own, so that a
 * crash is an _exit; what outlives it (the model, the clock, the stream) is in memory that all lives share.
 *
 * sim.c lives and options, world.c the daemon's parts, model.c the oracle, sim_conn.c net/conn.h, remote.c the hosts,
 * sim_dns.c dns/resolver.h, sim_disk.c the disk. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>

#include "mail/message_id.h"
#include "net/loop.h"
#include "util/rc.h"
#include "util/span.h"

enum {
	SIM_ACCOUNTS = 4,
	SIM_DOMAINS = 12, /* the last ones are those of the senders, one for each account */
	SIM_SENDERS_AT = SIM_DOMAINS - SIM_ACCOUNTS,
	SIM_HOSTS = 12,
	SIM_RECIPIENTS = 5,
	SIM_MESSAGES = 1500,
	SIM_REPORTS = 8000,
	SIM_SEQUENCES = 32768,
	SIM_TAKES = 8192,
	SIM_TRACE_LINES = 64,
	SIM_TRACE_LEN = 360,
	SIM_LOOPS = 3,
	SIM_MAX_AGE_S = 14 * 3600,
	FLUSH_MS = 1000 /* the usage file is behind by so much */
};

/* What may go wrong; `--without` takes names off, shrinking does the same. */
enum sim_fault {
	FAULT_NET = 1,
	FAULT_DNS = 2,
	FAULT_DISK = 4,	  /* writes and syncs that fail */
	FAULT_KILL = 8,	  /* the process dies, the disk keeps all */
	FAULT_POWER = 16, /* the disk loses what was not synced */
	FAULT_STOP = 32,  /* an orderly stop and another start */
	FAULT_LIMITS = 64,
	FAULT_TLS = 128,
	FAULT_FULL = 256, /* the spool takes no message for the moment */
	FAULT_ALL = 511
};

struct sim_options {
	uint64_t seed;
	unsigned steps; /* submissions; 0: the seed decides */
	unsigned faults;
	bool trace;
};

enum domain_kind {
	DOMAIN_MX,
	DOMAIN_IMPLICIT, /* no MX, an address */
	DOMAIN_NULL_MX,
	DOMAIN_NXDOMAIN,
	DOMAIN_ROUTED /* goes to the smarthost */
};

struct sim_domain {
	enum domain_kind kind;
	unsigned hosts[3], host_count;
	unsigned fail_percent; /* of lookups, until all heals */
};

struct sim_host {
	unsigned trouble; /* per mille of each step, until all heals */
	bool pipelining, size, starttls, dead;
	int64_t slow_ms;
};

struct sim_account {
	double rate, burst;
	int64_t quota;
	bool relay;
};

struct sim_plan {
	struct sim_domain domains[SIM_DOMAINS];
	struct sim_host hosts[SIM_HOSTS];
	struct sim_account accounts[SIM_ACCOUNTS];
	unsigned messages, loops, lives;
	int64_t gap_ms; /* mean time between submissions */
	int64_t retry_min_s, retry_max_s;
	unsigned max_connections, per_destination, per_connection;
	uint64_t segment_bytes;
	bool cold;	     /* bodies are not kept in memory */
	unsigned disk_fault; /* per 100000 operations */
	unsigned large_percent;
};

/* Whether something is known to the running life only, or is on the disk for good. */
enum known {
	KNOWN_NOT,
	KNOWN_HERE,
	KNOWN_MAYBE, /* the record was on its way when the crash came: the next replay tells */
	KNOWN_DURABLE
};

enum fate {
	FATE_NONE,
	FATE_UNDER_WAY,
	FATE_ACCEPTED,
	FATE_REFUSED, /* by policy: 4xx or 5xx before it was stored */
	FATE_FAILED,  /* 451: could not be stored */
	FATE_LOST     /* the crash came before the answer */
};

struct sim_recipient {
	uint8_t domain;
	uint8_t told;  /* enum known: a host has taken it and we have read so */
	uint8_t final; /* enum known: the final event was written */
	bool bounced;  /* that event is a failure */
	bool refused;  /* a host has said 5xx */
	bool reported; /* the sender's host has taken a report that names it */
	bool silent;   /* NOTIFY=NEVER */
	bool on_way;   /* a record that holds the final outcome was given to the spool */
	uint16_t receipts;
	int64_t final_ms;
};

struct sim_message {
	enum fate fate;
	struct message_id id;
	bool has_id, null_sender, large;
	uint8_t account;
	uint8_t recipient_count;
	unsigned life; /* in which it was submitted */
	uint32_t body_want, body_len;
	uint64_t body_hash;
	int64_t at_ms;
	struct sim_recipient recipients[SIM_RECIPIENTS];
};

struct sim_report {
	struct message_id id;
	uint16_t message;
	uint8_t recipients; /* bits */
	uint8_t outcome;    /* 0: none yet, 1: delivered, 2: given up */
};

/* Recipients that an account was charged for, and whether the daemon counts them. */
enum take_state {
	TAKE_OPEN, /* its message has no answer yet */
	TAKE_KEPT,
	TAKE_GONE /* given back, or of a message that was never stored; or a crash took it (`forgotten`) */
};

struct sim_take {
	uint8_t account;
	uint8_t recipients;
	uint8_t state;
	bool told;	 /* by this life's replay */
	bool may_forget; /* the usage file need not have it, were the message gone from the spool */
	struct message_id id;
	const void *charge;
	int64_t at_ms, known_ms, settled_ms; /* known: to this life */
};

struct sim {
	struct sim_options options;
	struct sim_plan plan;
	uint64_t random,
	    crypto_random; /* two streams, so that neither disturbs the other's shape */
	int64_t mono_us, wall_us;
	bool healed, verifying;
	unsigned life, submitted;
	uint64_t disk_ops, steps;

	uint64_t trace_hash, trace_count;
	char trace[SIM_TRACE_LINES][SIM_TRACE_LEN];
	char failure[512];

	struct sim_message messages[SIM_MESSAGES];
	uint16_t of_sequence[SIM_SEQUENCES]; /* message + 1 */
	struct sim_report reports[SIM_REPORTS];
	unsigned report_count;
	/* Accepted and given back, for the limits. */
	double level[SIM_ACCOUNTS];
	int64_t level_us[SIM_ACCOUNTS];
	int64_t outstanding[SIM_ACCOUNTS]; /* charged for submissions without an answer yet */
	struct sim_take takes[SIM_TAKES];
	unsigned take_count;
	int64_t usage_mark_ms; /* of the usage file, as this life has found it; wall clock */
	int64_t stall_ms, stall_end_ms; /* nothing happened while the disk did not answer */
	bool counted;			/* the replay is over */
	bool usage_torn; /* its last write has failed, or a power cut took the end of it */

	/* Figures. */
	uint64_t accepted, refused, failed, receipts, repeats, bounces, crashes, attempts, syncs,
	    resurrected, forgotten;
};
extern struct sim *sim;

/* A violated invariant: noted and the life ends. */
void sim_fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
void sim_trace(const char *fmt, ...) PRINTF_LIKE(1, 2);

uint64_t sim_random(void);
unsigned sim_below(unsigned n); /* 0 .. n-1 */
bool sim_chance(unsigned per_mille);
int64_t sim_between(int64_t low, int64_t high);

static inline bool
sim_has(enum sim_fault fault)
{
	return (sim->options.faults & fault) != 0;
}

/* Ends the life: exit codes of the process. */
enum {
	LIFE_CRASHED = 70,
	LIFE_STOPPED = 71,
	LIFE_OVER = 72,
	LIFE_FAILED = 73
};

/* ---- world.c ---- */
void world_live(void); /* one life; exits */
void sim_crash(bool power) __attribute__((noreturn));

/* ---- model.c ---- */
void model_plan(void);
void model_new_life(void);
void model_crashed(bool orderly);
void model_usage_found(const char *path);
void model_count_replayed(const struct message_id *id);
void model_counts(void); /* after the replay */
void model_check_count(const char *account, int64_t sent_24h);
void model_submit(unsigned n);
void model_answer(unsigned n, enum rc rc, int code, const char *text, const struct message_id *id);
void model_no_submissions(void); /* none is under way: nothing may be charged for one */
void model_address(unsigned n, unsigned i, char out[64]);
void model_sender(unsigned n, char out[64]);
bool model_parse_address(struct span address, unsigned *n, unsigned *i); /* i: ~0u of a sender */
void model_body(unsigned n, char **out, size_t *len);			 /* malloc */
void model_receipt(unsigned n, unsigned i, bool *first);
void model_told(unsigned n, unsigned i);
void model_refused(unsigned n, unsigned i);
void model_reported(unsigned n, unsigned i);
void model_resolve(unsigned n, unsigned i, bool settled); /* of KNOWN_MAYBE */
void model_replayed(const char *client, const struct message_id *id);
uint64_t model_hash(struct span bytes);
void model_end(void); /* everything must be settled */

/* ---- remote.c: a host on the other end of a connection ---- */
struct remote;
struct remote_ops {
	/* Bytes for the daemon; `mark` comes back through remote_read when the last of them was read, or not. */
	void (*say)(void *arg, struct span bytes, int64_t delay_ms);
	void (*close)(void *arg, bool reset, int64_t delay_ms);
};
struct remote *remote_new(unsigned host, const struct remote_ops *ops, void *arg);
void remote_free(struct remote *remote);
void remote_greet(struct remote *remote);
void remote_bytes(struct remote *remote, struct span bytes);
void remote_read(struct remote *remote, uint64_t upto); /* the daemon has read that many bytes */
void remote_tls(struct remote *remote);
bool remote_wants_tls(const struct remote *remote);

/* ---- sim_conn.c ---- */
void conn_crash(void); /* bytes that are with the kernel may still arrive */
size_t conn_count(void);

/* ---- sim_dns.c ---- */
struct resolver *sim_dns_new(struct loop *loop);

/* ---- sim_disk.c ---- */
struct disk_ops;
extern const struct disk_ops sim_disk;
void disk_new_life(void); /* when does it crash */
void disk_crash(bool power);
void disk_heal(void);

#endif
