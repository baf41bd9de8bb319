<?php
// Sends one message with PHPMailer. In: settings as JSON on standard input; openssl.cafile of php.ini is the CA.
require 'libphp-phpmailer/autoload.php';

$post = json_decode(stream_get_contents(STDIN));
if ($post->snippet) {
	eval($post->snippet);
} else {
	$mail = new PHPMailer\PHPMailer\PHPMailer(true);
	$mail->isSMTP();
	$mail->Host = $post->host;
	$mail->Port = $post->port;
	$mail->SMTPSecure = $post->tls == 'implicit' ? 'ssl' : 'tls';
	$mail->SMTPAuth = true;
	$mail->Username = $post->user;
	$mail->Password = $post->password;
}
// A refused login is "Could not authenticate." and no more, unless the dialogue is shown.
$mail->SMTPDebug = PHPMailer\PHPMailer\SMTP::DEBUG_SERVER;
$mail->Debugoutput = 'echo';
$mail->CharSet = 'UTF-8';
$mail->setFrom($post->sender);
$mail->addAddress($post->to);
$mail->Subject = $post->subject;
$mail->Body = $post->text;
$mail->addAttachment($post->attachment, $post->attachment_name);
foreach ($post->headers as $name => $value)
	$mail->addCustomHeader($name, $value);
$mail->send();
