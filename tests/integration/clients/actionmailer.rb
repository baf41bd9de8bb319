# Sends one message with Rails' ActionMailer. In: settings as JSON on standard input; SSL_CERT_FILE has the CA.
require 'action_mailer'
require 'json'
require 'ostruct'

post = JSON.parse($stdin.read)
if post['snippet'] != ''
  config = OpenStruct.new(action_mailer: ActionMailer::Base) # an application's own in a Rails project
  eval(post['snippet'])
else
  ActionMailer::Base.smtp_settings = {
    address: post['host'], port: post['port'],
    tls: post['tls'] == 'implicit', enable_starttls: post['tls'] == 'starttls',
    authentication: :plain, user_name: post['user'], password: post['password']
  }
end

class Letters < ActionMailer::Base
  def letter(post)
    attachments[post['attachment_name']] = File.binread(post['attachment'])
    headers(post['headers'])
    mail(from: post['sender'], to: post['to'], subject: post['subject'], body: post['text'])
  end
end

Letters.letter(post).deliver_now
