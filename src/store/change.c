/* store/change.c - In: rows. Out: a change that owns copies of them. Always true: what may hold a secret is wiped. */
#include "config.h"

#include "store/change.h"

#include <stdlib.h>

#include "util/crypto.h"

struct store_change *
store_change_new(void)
{
	struct store_change *change = calloc(1, sizeof *change);

	if (change != NULL)
		change->last = &change->first;
	return change;
}

void
store_change_free(struct store_change *change)
{
	if (change == NULL)
		return;
	while (change->first != NULL) {
		struct store_op *op = change->first;

		change->first = op->next;
		crypto_wipe(op->text, op->text_len);
		free(op);
	}
	free(change->job.why);
	free(change->job.path);
	free(change);
}

static bool
has_text(const struct store_column *column)
{
	return column->type == STORE_TEXT || column->type == STORE_SECRET;
}

/* A copy of the first `count` columns. */
static void
add(struct store_change *change, enum store_op_kind kind, const struct store_row *row, size_t count)
{
	const struct store_table *table = &store_tables[row->kind];
	size_t lens[STORE_COLUMNS_MAX] = { 0 }, total = 0;
	struct store_op *op;
	char *to;

	if (change == NULL || change->failed)
		return;
	for (size_t i = 0; i < count; i++)
		if (has_text(&table->columns[i]) && row->values[i].text != NULL) {
			lens[i] = strlen(row->values[i].text);
			total += lens[i] + 1;
		}
	op = calloc(1, sizeof *op + total);
	if (op == NULL) {
		change->failed = true;
		return;
	}
	op->kind = kind;
	op->row.kind = row->kind;
	op->text_len = total;
	to = op->text;
	for (size_t i = 0; i < count; i++) {
		op->row.values[i] = row->values[i];
		op->row.values[i].text = "";
		if (has_text(&table->columns[i]) && row->values[i].text != NULL) {
			memcpy(to, row->values[i].text, lens[i] + 1);
			op->row.values[i].text = to;
			to += lens[i] + 1;
		}
	}
	*change->last = op;
	change->last = &op->next;
}

void
store_put(struct store_change *change, const struct store_row *row)
{
	add(change, OP_PUT, row, store_tables[row->kind].count);
}

void
store_delete(struct store_change *change, const struct store_row *keys)
{
	add(change, OP_DELETE, keys, store_tables[keys->kind].keys);
}

void
store_delete_all(struct store_change *change, enum store_kind kind, const char *account)
{
	struct store_row row = { .kind = kind };
	size_t owner = store_tables[kind].owner;

	row.values[owner].text = account;
	add(change, OP_DELETE_ALL, &row, owner + 1);
}

void
store_delete_destinations(struct store_change *change, const char *account, const char *set)
{
	struct store_row row = { .kind = STORE_EVENT_DESTINATION };

	row.values[EVENT_DESTINATION_ACCOUNT].text = account;
	row.values[EVENT_DESTINATION_SET].text = set;
	add(change, OP_DELETE_PART, &row, EVENT_DESTINATION_SET + 1);
}
