// Submits with nodemailer: one message over STARTTLS, twenty over a pool with implicit TLS, one that is refused.
// In: settings as JSON in argv. Out: the replies as JSON.
'use strict';
const nodemailer = require('nodemailer');

async function main() {
	const settings = JSON.parse(process.argv[2]);
	const auth = { user: settings.user, pass: settings.pass };
	const replies = [];
	const plain = nodemailer.createTransport({ host: '127.0.0.1', port: settings.port, requireTLS: true, auth });
	await plain.verify();
	const single = await plain.sendMail({
		from: 'Jö <jo@example.com>',
		to: 'a@dest.test',
		subject: 'Grüße',
		text: 'Grüße, 世界',
		headers: { 'X-SES-CONFIGURATION-SET': 'web-set', 'X-SES-MESSAGE-TAGS': 'from=nodemailer' },
		attachments: [{ filename: 'bytes.bin', content: Buffer.concat(Array(4).fill(Buffer.from([...Array(256).keys()]))),
			contentType: 'application/octet-stream' }],
	});
	replies.push(single.response);
	const pool = nodemailer.createTransport({
		host: '127.0.0.1', port: settings.securePort, secure: true, pool: true, maxConnections: 4, auth });
	const sent = await Promise.all([...Array(20).keys()].map((i) => pool.sendMail({
		from: 'jo@example.com', to: `p${i}@dest.test`, subject: 'pooled', text: 'x' })));
	replies.push(...sent.map((s) => s.response));
	let refusal = null;
	try {
		await plain.sendMail({ from: 'x@other.test', to: 'a@dest.test', subject: 'no', text: 'x' });
	} catch (e) {
		refusal = { responseCode: e.responseCode, response: e.response };
	}
	plain.close();
	pool.close();
	console.log(JSON.stringify({ replies, refusal }));
}

main().catch((e) => { console.error(e); process.exit(1); });
