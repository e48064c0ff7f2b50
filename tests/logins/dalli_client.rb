# dalli 3 logs in to the server on the port given as argument.

require 'dalli'

Dalli.logger.level = Logger::FATAL
$failed = 0

def check(name, got, expected)
  if got == expected
    puts "ok dalli #{name}"
  else
    $failed += 1
    puts "FAILED dalli #{name}: expected #{expected.inspect}, got #{got.inspect}"
  end
end

def log_in(options)
  client = Dalli::Client.new("127.0.0.1:#{ARGV[0]}", { protocol: :binary }.merge(options))
  client.set('k', 'value')
  client.get('k')
rescue Dalli::DalliError => error
  error.class.name
end

check('right password', log_in(username: 'app', password: 'se cret:x'), 'value')
check('wrong password', log_in(username: 'app', password: 'wrong') == 'value', false)
check('unknown user', log_in(username: 'nobody', password: 'se cret:x') == 'value', false)
check('no password', log_in({}) == 'value', false)
exit($failed.zero? ? 0 : 1)
