// Sends one message with nodemailer. In: settings as JSON on standard input; NODE_EXTRA_CA_CERTS has the CA.
'use strict';
const fs = require('fs');
const nodemailer = require('nodemailer');

const post = JSON.parse(fs.readFileSync(0));

function makeTransport() {
	if (post.snippet)
		return new Function('nodemailer', `${post.snippet}; return transport;`)(nodemailer);
	return nodemailer.createTransport({
		host: post.host, port: post.port, pool: post.pool,
		secure: post.tls === 'implicit', requireTLS: true,
		auth: { user: post.user, pass: post.password },
	});
}

async function main() {
	const transport = makeTransport();
	try {
		await transport.sendMail({
			from: post.sender, to: post.to, subject: post.subject, text: post.text, headers: post.headers,
			attachments: [{ filename: post.attachment_name, path: post.attachment,
				contentType: 'application/octet-stream' }],
		});
	} finally {
		transport.close();
	}
}

main().catch((e) => { console.error(`${e}`); process.exitCode = 1; });
