# dalli 3 (binary protocol) over TLS; with TLS_LOGIN it logs in (PLAIN). It sends the address as name of the server, too.

require 'dalli'
require 'logger'
require 'openssl'

Dalli.logger = Logger.new(File::NULL)
$failed = 0

def check(name, holds, got)
  $failed += 1 unless holds
  puts holds ? "ok dalli #{name}" : "FAILED dalli #{name}: #{got.inspect[0, 200]}"
end

def outcome
  yield
rescue StandardError => e
  e
end

def context(trust)
  folder = ENV.fetch('TLS_CERTIFICATES')
  made = OpenSSL::SSL::SSLContext.new
  made.set_params(ca_file: "#{folder}/#{trust}.pem", verify_hostname: true)
  if (show = ENV['TLS_SHOW'])
    read = ->(ending) { File.read("#{folder}/#{show}.#{ending}") }
    made.add_certificate(OpenSSL::X509::Certificate.new(read.call('pem')), OpenSSL::PKey.read(read.call('key')))
  end
  made
end

def client(login, host: '127.0.0.1', trust: 'authority')
  choices = { socket_timeout: 5, socket_max_failures: 0, ssl_context: context(trust), value_max_bytes: 2_000_000 }
  Dalli::Client.new("#{host}:#{ARGV[0]}", choices.merge(login))
end

login = {}
login = { username: ENV.fetch('LOGIN_USER'), password: ENV.fetch('LOGIN_PASSWORD') } if ENV['TLS_LOGIN']

%w[127.0.0.1 localhost].each do |host|
  right = client(login, host: host)
  [1, 1000, 100_000, 1_000_000].each do |length|
    value = 'x' * length
    set = outcome { right.set('dalli', value, 60, raw: true) }
    check("#{host}: set of #{length} bytes", set.is_a?(Integer) && set.positive?, set)
    got = outcome { right.get('dalli', raw: true) }
    check("#{host}: get of #{length} bytes", got == value, got)
  end
  items = (0...1000).to_h { |number| ["dalli-#{number}", 'v' * number] }
  outcome { right.multi { items.each { |key, value| right.set(key, value) } } }
  # Its get_multi fails over TLS before it sends a byte: its SSLSocket lacks a method that this calls.
  got = outcome { items.keys.to_h { |key| [key, right.get(key)] } }
  check("#{host}: 1,000 quiet sets, read one by one", got == items, got)
end

if ENV['TLS_LOGIN']
  { 'wrong password' => login.merge(password: "#{login[:password]}x"), 'no password' => {} }.each do |name, wrong|
    got = outcome { client(wrong).get('dalli') }
    check("#{name} is refused", got.is_a?(Dalli::DalliError), got)
  end
end
got = outcome { client(login, trust: 'stranger-authority').get('dalli') }
check('a client with another authority refuses the server', got.to_s.include?('certificate verify failed'), got)
exit($failed.zero? ? 0 : 1)
