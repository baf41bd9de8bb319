<?php
// Sends one message with Symfony Mailer. In: settings as JSON on standard input; openssl.cafile of php.ini is the CA.
require 'Symfony/Component/Mailer/autoload.php';
require 'Symfony/Component/Mime/autoload.php';

use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport\Dsn;
use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransportFactory;
use Symfony\Component\Mime\Email;

// What Laravel's MailManager::createSmtpTransport makes of an application's .env.
function dsn_of_laravel(string $text): Dsn
{
	$env = parse_ini_string($text, false, INI_SCANNER_RAW);
	$scheme = $env['MAIL_ENCRYPTION'] == 'tls' && $env['MAIL_PORT'] == 465 ? 'smtps' : 'smtp';
	return new Dsn($scheme, $env['MAIL_HOST'], $env['MAIL_USERNAME'], $env['MAIL_PASSWORD'], (int)$env['MAIL_PORT']);
}

$post = json_decode(stream_get_contents(STDIN));
$dsn = $post->snippet ? dsn_of_laravel($post->snippet)
	: new Dsn($post->tls == 'implicit' ? 'smtps' : 'smtp', $post->host, $post->user, $post->password, $post->port);
$email = (new Email())->from($post->sender)->to($post->to)->subject($post->subject)->text($post->text)
	->attachFromPath($post->attachment, $post->attachment_name, 'application/octet-stream');
foreach ($post->headers as $name => $value)
	$email->getHeaders()->addTextHeader($name, $value);
(new Mailer((new EsmtpTransportFactory())->create($dsn)))->send($email);
