/* net/tls.c - builds SSL_CTX objects from the configuration. Keys are parsed here once; sessions share
 * the contexts read-only. Session tickets use keys of the process that rotate, so that a reload of
 * certificates keeps resumption alive. OpenSSL's big buffers are kept apart from its objects. */
#include "config.h"

#include "net/tls.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "config/config.h"
#include "util/blocks.h"
#include "util/clock.h"
#include "util/crypto.h"
#include "util/fsutil.h"
#include "util/hash.h"

enum {
	TICKET_ROTATE_S = 12 * 3600
};

#define CIPHERS_TLS12 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:" \
	"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"

struct named_ctx {
	char name[256];
	SSL_CTX *ctx;
};

struct tls_server {
	atomic_uint refs;
	struct named_ctx *named;
	size_t count;
	SSL_CTX *fallback; /* one of named */
};

struct tls_client {
	atomic_uint refs;
	SSL_CTX *ctx;
};

void
tls_last_error(char *out, size_t size)
{
	unsigned long code = ERR_peek_last_error();

	if (code != 0)
		ERR_error_string_n(code, out, size);
	else
		(void)snprintf(out, size, "unknown TLS error");
	ERR_clear_error();
}

static enum rc
why_tls(struct why *why, const char *what)
{
	char text[256];

	tls_last_error(text, sizeof text);
	return why_set(why, RC_BAD, 0, "%s: %s", what, text);
}

/* ------------------------------------------------------------------ memory -------------------- */

/* OpenSSL has a buffer for records in each direction, which SSL_MODE_RELEASE_BUFFERS makes it free whenever it is empty,
 * and one for the handshake, which is freed behind it. Each is for a moment, but they are taken between the many small
 * pieces of a session, which stay: a thousand clients that come at once left 25 MiB of holes. What else is asked for in
 * this size, scratch for long RSA keys, is for a moment, too. What holds pointers (tables, stacks) gets that big by
 * growing, and so stays with malloc, where a leak checker finds it. */
enum {
	BUFFER_MIN = 16 * 1024,
	BUFFER_SIZE = 24 * 1024, /* records take 16.4 KiB, the handshake 21.3 KiB */
	BUFFERS_MAX = 4096,	 /* at once; more come from malloc */
	BUFFERS_KEPT = 64 /* ready for who is busy; what a burst of handshakes took is returned */
};

static struct blocks buffers = BLOCKS_EMPTY;

static void *
memory_alloc(size_t size, const char *file, int line)
{
	void *block = NULL;

	(void)file;
	(void)line;
	if (size == 0) /* as CRYPTO_malloc does */
		return NULL;
	if (size >= BUFFER_MIN && size <= BUFFER_SIZE)
		block = blocks_take(&buffers);
	return block != NULL ? block : malloc(size);
}

static void
memory_free(void *mem, const char *file, int line)
{
	(void)file;
	(void)line;
	if (blocks_own(&buffers, mem))
		blocks_give(&buffers, mem);
	else
		free(mem);
}

static void *
memory_realloc(void *mem, size_t size, const char *file, int line)
{
	void *grown;

	if (mem == NULL)
		return memory_alloc(size, file, line);
	if (size == 0) {
		memory_free(mem, file, line);
		return NULL;
	}
	if (!blocks_own(&buffers, mem))
		return realloc(mem, size);
	if (size <= BUFFER_SIZE)
		return mem;
	grown = malloc(size);
	if (grown != NULL) {
		memcpy(grown, mem, BUFFER_SIZE);
		blocks_give(&buffers, mem);
	}
	return grown;
}

/* OpenSSL takes these only before its first allocation, and other libraries use it in their own set-up: so before main().
 * Without memory for it all goes on without. */
static void __attribute__((constructor)) memory_set_up(void)
{
	if (blocks_init(&buffers, BUFFER_SIZE, BUFFERS_MAX, BUFFERS_KEPT) == RC_OK)
		(void)CRYPTO_set_mem_functions(memory_alloc, memory_realloc, memory_free);
}

size_t
tls_buffers_held(void)
{
	return blocks_out(&buffers);
}

/* ------------------------------------------------------------------ session tickets ---------- */

struct ticket_key {
	unsigned char name[16], aes[32], hmac[32];
};

static struct {
	pthread_mutex_t lock;
	struct ticket_key current, previous;
	int64_t made_s;
} tickets = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
tickets_rotate(void)
{
	int64_t now_s = clock_mono_ms() / 1000;

	if (tickets.made_s != 0 && now_s - tickets.made_s < TICKET_ROTATE_S)
		return;
	if (tickets.made_s != 0)
		tickets.previous = tickets.current;
	else
		crypto_random(&tickets.previous, sizeof tickets.previous);
	crypto_random(&tickets.current, sizeof tickets.current);
	tickets.made_s = now_s > 0 ? now_s : 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb: 1 use, 2 use and renew, 0 not ours, -1 error. */
static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
    EVP_CIPHER_CTX *ctx, EVP_MAC_CTX *mac, int encrypt)
{
	char digest[] = "SHA256";
	struct ticket_key key;
	OSSL_PARAM params[3];
	int result = 1;

	(void)ssl;
	(void)pthread_mutex_lock(&tickets.lock);
	tickets_rotate();
	key = tickets.current;
	if (encrypt == 0 && memcmp(name, key.name, sizeof key.name) != 0) {
		key = tickets.previous;
		result = memcmp(name, key.name, sizeof key.name) == 0 ? 2 : 0;
	}
	(void)pthread_mutex_unlock(&tickets.lock);
	if (result != 0) {
		params[0] = OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, key.hmac, sizeof key.hmac);
		params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
		params[2] = OSSL_PARAM_construct_end();
		if (encrypt != 0) {
			memcpy(name, key.name, sizeof key.name);
			crypto_random(iv, 16);
		}
		if (EVP_CipherInit_ex2(ctx, EVP_aes_256_cbc(), key.aes, iv, encrypt, NULL) != 1 ||
		    EVP_MAC_CTX_set_params(mac, params) != 1)
			result = -1;
	}
	crypto_wipe(&key, sizeof key);
	return result;
}

/* ------------------------------------------------------------------ server -------------------- */

static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_server *server = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	/* Only compared with names we know: nothing from the peer reaches a path or a pattern. */
	for (size_t i = 0; i < server->count; i++)
		if (strcasecmp(name, server->named[i].name) == 0) {
			(void)SSL_set_SSL_CTX(ssl, server->named[i].ctx);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *
server_ctx_new(const struct config *config, struct tls_server *server)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return NULL;
	(void)SSL_CTX_set_min_proto_version(ctx, (int)config->tls.min_version);
	(void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					   SSL_OP_CIPHER_SERVER_PREFERENCE |
					   SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1); /* a record in one read, not its head and then its body */
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"postrider", 9);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	(void)SSL_CTX_set_dh_auto(ctx, 1);
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	(void)SSL_CTX_set_tlsext_servername_arg(ctx, server);
	if (SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static struct named_ctx *
server_named(struct tls_server *server, const struct config *config, const char *name)
{
	struct named_ctx *entry;

	for (size_t i = 0; i < server->count; i++)
		if (strcasecmp(server->named[i].name, name) == 0)
			return &server->named[i];
	entry = &server->named[server->count];
	if (!span_copy(span_of(name), entry->name, sizeof entry->name))
		return NULL;
	entry->ctx = server_ctx_new(config, server);
	if (entry->ctx == NULL)
		return NULL;
	server->count++;
	return entry;
}

static enum rc
server_add(struct tls_server *server, const struct config *config, const char *name,
    const char *chain, const char *key, struct why *why)
{
	struct named_ctx *entry = server_named(server, config, name);
	struct buf pem = BUF_EMPTY;
	enum rc rc;

	if (entry == NULL)
		return why_tls(why, "TLS context");
	rc = fsutil_read_secret(key, 1 << 20, &pem, why); /* for its check of the mode */
	if (pem.mem != NULL)
		crypto_wipe(pem.mem, pem.cap);
	buf_free(&pem);
	if (rc != RC_OK)
		return rc;
	if (SSL_CTX_use_certificate_chain_file(entry->ctx, chain) != 1)
		return why_tls(why, chain);
	if (SSL_CTX_use_PrivateKey_file(entry->ctx, key, SSL_FILETYPE_PEM) != 1)
		return why_tls(why, key);
	if (SSL_CTX_check_private_key(entry->ctx) != 1)
		return why_tls(why, "certificate and key do not belong together");
	return RC_OK;
}

static void
self_signed_path(const struct config *config, char *out)
{
	(void)snprintf(out, PATH_MAX, "%s/self-signed.pem", config->state_directory);
}

enum rc
tls_server_load(const struct config *config, struct tls_server **out, struct why *why)
{
	size_t count = config->tls.certificate_count;
	struct tls_server *server = calloc(1, sizeof *server);
	char path[PATH_MAX];
	enum rc rc = RC_OK;

	*out = NULL;
	ERR_clear_error();
	if (server != NULL)
		server->named = calloc(count + 1, sizeof *server->named);
	if (server == NULL || server->named == NULL) {
		free(server);
		return why_set(why, RC_LATER, 0, "out of memory for TLS");
	}
	server->refs = 1;
	for (size_t i = 0; rc == RC_OK && i < count; i++) {
		const struct config_certificate *c = &config->tls.certificates[i];

		rc = server_add(server, config, c->name, c->certificate, c->key, why);
	}
	if (rc == RC_OK && count == 0) {
		self_signed_path(config, path);
		rc = tls_make_self_signed(config->state_directory, config->hostname, why);
		if (rc == RC_OK)
			rc = server_add(server, config, "default", path, path, why);
	}
	if (rc != RC_OK) {
		tls_server_unref(server);
		return rc;
	}
	server->fallback = server->named[0].ctx;
	for (size_t i = 0; i < server->count; i++)
		if (strcmp(server->named[i].name, "default") == 0)
			server->fallback = server->named[i].ctx;
	*out = server;
	return RC_OK;
}

struct tls_server *
tls_server_ref(struct tls_server *server)
{
	server->refs++;
	return server;
}

void
tls_server_unref(struct tls_server *server)
{
	if (server == NULL || --server->refs > 0)
		return;
	for (size_t i = 0; i < server->count; i++)
		SSL_CTX_free(server->named[i].ctx);
	free(server->named);
	free(server);
}

static uint64_t
stamp_file(uint64_t stamp, const char *path)
{
	struct stat st;
	uint64_t parts[3] = { 0, 0, 0 };

	if (stat(path, &st) == 0) {
		parts[0] = (uint64_t)st.st_ino;
		parts[1] = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
		parts[2] = (uint64_t)st.st_size;
	}
	return stamp * 31 + hash_bytes(span_make((const char *)parts, sizeof parts));
}

uint64_t
tls_server_files_stamp(const struct config *config)
{
	uint64_t stamp = 1;

	for (size_t i = 0; i < config->tls.certificate_count; i++) {
		stamp = stamp_file(stamp, config->tls.certificates[i].certificate);
		stamp = stamp_file(stamp, config->tls.certificates[i].key);
	}
	return stamp;
}

struct ssl_st *
tls_server_session(struct tls_server *server)
{
	SSL *ssl = SSL_new(server->fallback);

	if (ssl != NULL)
		SSL_set_accept_state(ssl);
	return ssl;
}

/* ------------------------------------------------------------------ client -------------------- */

enum rc
tls_client_load(const struct config *config, struct tls_client **out, struct why *why)
{
	struct tls_client *client = calloc(1, sizeof *client);
	const char *ca_file = config->delivery.ca_file;

	*out = NULL;
	ERR_clear_error();
	if (client == NULL)
		return why_set(why, RC_LATER, 0, "out of memory for TLS");
	client->refs = 1;
	client->ctx = SSL_CTX_new(TLS_client_method());
	if (client->ctx == NULL ||
	    SSL_CTX_set_min_proto_version(client->ctx, TLS1_2_VERSION) != 1) {
		tls_client_unref(client);
		return why_tls(why, "TLS context");
	}
	(void)SSL_CTX_set_options(client->ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_read_ahead(client->ctx, 1);
	(void)SSL_CTX_set_mode(client->ctx, SSL_MODE_RELEASE_BUFFERS |
						SSL_MODE_ENABLE_PARTIAL_WRITE |
						SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (ca_file[0] != '\0' ? SSL_CTX_load_verify_file(client->ctx, ca_file) != 1
			       : SSL_CTX_set_default_verify_paths(client->ctx) != 1) {
		tls_client_unref(client);
		return why_tls(why, ca_file[0] != '\0' ? ca_file : "system certificates");
	}
	*out = client;
	return RC_OK;
}

struct tls_client *
tls_client_ref(struct tls_client *client)
{
	client->refs++;
	return client;
}

void
tls_client_unref(struct tls_client *client)
{
	if (client == NULL || --client->refs > 0)
		return;
	SSL_CTX_free(client->ctx);
	free(client);
}

struct ssl_st *
tls_client_session(struct tls_client *client, const char *host, bool verify)
{
	SSL *ssl = SSL_new(client->ctx);

	if (ssl == NULL)
		return NULL;
	SSL_set_connect_state(ssl);
	(void)SSL_set_tlsext_host_name(ssl, host);
	if (verify) {
		SSL_set_hostflags(ssl,
		    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		if (SSL_set1_host(ssl, host) != 1) {
			SSL_free(ssl);
			return NULL;
		}
	} else {
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	}
	return ssl;
}

/* ------------------------------------------------------------------ self-made certificate ----- */

static bool
add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

	X509_EXTENSION_free(ext);
	return ok;
}

static bool
fill_certificate(X509 *cert, EVP_PKEY *key, const char *hostname)
{
	char names[600];
	X509_NAME *subject = X509_get_subject_name(cert);
	uint64_t serial;

	crypto_random(&serial, sizeof serial);
	(void)snprintf(names, sizeof names, "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", hostname);
	return X509_set_version(cert, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(cert), 3650L * 86400) != NULL &&
	       X509_set_pubkey(cert, key) == 1 &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		   (const unsigned char *)"postrider self-made certificate", -1, -1, 0) == 1 &&
	       X509_set_issuer_name(cert, subject) == 1 &&
	       add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(cert, NID_subject_alt_name, names) &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

static enum rc
write_self_signed(const char *dir, X509 *cert, EVP_PKEY *key, struct why *why)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	enum rc rc = RC_LATER;
	char *pem;
	long len;

	if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1 &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
		len = BIO_get_mem_data(bio, &pem);
		rc = fsutil_publish(dir, "self-signed.pem", span_make(pem, (size_t)len), 0600, why);
	} else {
		rc = why_tls(why, "self-made certificate");
	}
	BIO_free(bio);
	return rc;
}

static bool
self_signed_fits(const char *path, const char *hostname)
{
	FILE *file = fopen(path, "re");
	X509 *cert = file != NULL ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	bool fits = cert != NULL && X509_check_host(cert, hostname, 0, 0, NULL) == 1 &&
		    X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;

	X509_free(cert);
	if (file != NULL)
		(void)fclose(file);
	ERR_clear_error();
	return fits;
}

enum rc
tls_make_self_signed(const char *dir, const char *hostname, struct why *why)
{
	char path[PATH_MAX];
	EVP_PKEY *key;
	X509 *cert;
	enum rc rc;

	(void)snprintf(path, sizeof path, "%s/self-signed.pem", dir);
	if (self_signed_fits(path, hostname))
		return RC_OK;
	rc = fsutil_make_dir(dir, 0700, why);
	if (rc != RC_OK)
		return rc;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	if (key != NULL && cert != NULL && fill_certificate(cert, key, hostname))
		rc = write_self_signed(dir, cert, key, why);
	else
		rc = why_tls(why, "self-made certificate");
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}
