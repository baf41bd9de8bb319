/* cli/snippets.c - one template for each client; %h, %u and %p stand for host, user and password, %% for a percent sign. */
#include "config.h"

#include "cli/snippets.h"

#include <string.h>

static const struct {
	const char *client, *text;
} snippets[] = {
	{ "postfix",
	    "# /etc/postfix/main.cf, then: postmap lmdb:/etc/postfix/sasl_passwd; postfix reload\n"
	    "relayhost = [%h]:587\n"
	    "smtp_tls_security_level = encrypt\n"
	    "smtp_sasl_auth_enable = yes\n"
	    "smtp_sasl_security_options = noanonymous\n"
	    "smtp_sasl_password_maps = lmdb:/etc/postfix/sasl_passwd\n"
	    "\n"
	    "# /etc/postfix/sasl_passwd, mode 0600\n"
	    "[%h]:587 %u:%p\n" },
	{ "nodemailer", "const transport = nodemailer.createTransport({\n"
			"  host: '%h', port: 587, requireTLS: true,\n"
			"  auth: { user: '%u', pass: '%p' },\n"
			"});\n" },
	{ "django", "EMAIL_HOST = '%h'\n"
		    "EMAIL_PORT = 587\n"
		    "EMAIL_USE_TLS = True\n"
		    "EMAIL_HOST_USER = '%u'\n"
		    "EMAIL_HOST_PASSWORD = '%p'\n" },
	{ "rails", "config.action_mailer.delivery_method = :smtp\n"
		   "config.action_mailer.smtp_settings = {\n"
		   "  address: '%h', port: 587, enable_starttls: true,\n"
		   "  authentication: :plain, user_name: '%u', password: '%p'\n"
		   "}\n" },
	{ "laravel", "MAIL_MAILER=smtp\n"
		     "MAIL_HOST=%h\n"
		     "MAIL_PORT=587\n"
		     "MAIL_USERNAME=%u\n"
		     "MAIL_PASSWORD=\"%p\"\n"
		     "MAIL_ENCRYPTION=tls\n" },
	{ "spring", "spring.mail.host=%h\n"
		    "spring.mail.port=587\n"
		    "spring.mail.username=%u\n"
		    "spring.mail.password=%p\n"
		    "spring.mail.properties.mail.smtp.auth=true\n"
		    "spring.mail.properties.mail.smtp.starttls.required=true\n" },
	{ "go", "auth := smtp.PlainAuth(\"\", \"%u\", \"%p\", \"%h\")\n"
		"err := smtp.SendMail(\"%h:587\", auth, from, to, message)\n" },
	{ "msmtp", "defaults\n"
		   "auth on\n"
		   "tls on\n"
		   "tls_starttls on\n"
		   "\n"
		   "account default\n"
		   "host %h\n"
		   "port 587\n"
		   "user %u\n"
		   "password %p\n" },
	{ "php", "$mail = new PHPMailer\\PHPMailer\\PHPMailer(true);\n"
		 "$mail->isSMTP();\n"
		 "$mail->Host = '%h';\n"
		 "$mail->Port = 587;\n"
		 "$mail->SMTPSecure = 'tls';\n"
		 "$mail->SMTPAuth = true;\n"
		 "$mail->Username = '%u';\n"
		 "$mail->Password = '%p';\n" },
};

const char snippet_names[] = "postfix, nodemailer, django, rails, laravel, spring, go, msmtp, php";

static const char *
find(const char *client)
{
	for (size_t i = 0; i < ARRAY_LEN(snippets); i++)
		if (strcmp(snippets[i].client, client) == 0)
			return snippets[i].text;
	return NULL;
}

bool
snippet_is_known(const char *client)
{
	return find(client) != NULL;
}

bool
snippet_print(const char *client, const struct snippet_values *values, struct buf *out)
{
	const char *text = find(client);

	if (text == NULL)
		return false;
	for (; *text != '\0'; text++) {
		if (*text != '%') {
			buf_add_char(out, *text);
			continue;
		}
		text++;
		buf_addf(out, "%s",
		    *text == 'h'   ? values->host
		    : *text == 'u' ? values->user
		    : *text == 'p' ? values->password
				   : "%");
	}
	return true;
}
