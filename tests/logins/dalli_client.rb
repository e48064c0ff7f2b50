# dalli 3 (binary protocol, PLAIN) against the server on the port given as argument.

require 'dalli'
require 'logger'

Dalli.logger = Logger.new(File::NULL)
$failed = 0

def check(name, holds, got)
  $failed += 1 unless holds
  puts holds ? "ok dalli #{name}" : "FAILED dalli #{name}: #{got.inspect}"
end

def outcome
  yield
rescue StandardError => e
  e
end

def client(login)
  Dalli::Client.new("127.0.0.1:#{ARGV[0]}", { socket_timeout: 5, socket_max_failures: 0 }.merge(login))
end

user = ENV.fetch('LOGIN_USER')
password = ENV.fetch('LOGIN_PASSWORD')

right = client(username: user, password: password)
set = outcome { right.set('dalli', 'value', 60) }
check('right password, set', set.is_a?(Integer) && set.positive?, set)
got = outcome { right.get('dalli') }
check('right password, get', got == 'value', got)
got = outcome { right.get_multi('dalli', 'missing') }
check('right password, get_multi', got == { 'dalli' => 'value' }, got)

{
  'wrong password' => { username: user, password: "#{password}x" },
  'unknown user' => { username: "#{user}x", password: password }
}.each do |name, login|
  got = outcome { client(login).get('dalli') }
  check("#{name} is refused", got.is_a?(Dalli::DalliError) && got.message.include?('0x20'), got)
end
got = outcome { client({}).get('dalli') }
check('no password is refused', got.is_a?(Dalli::DalliError), got)
exit($failed.zero? ? 0 : 1)
