# examples/ruby_dalli.rb, with the connection that the environment names.

require 'logger'
require 'socket'
require_relative '../../examples/ruby_dalli'

Dalli.logger = Logger.new(File::NULL)
$failed = 0

def check(name, got, expected)
  holds = got == expected
  $failed += 1 unless holds
  puts holds ? "ok dalli #{name}" : "FAILED dalli #{name}: expected #{expected.inspect}, got #{got.inspect[0, 200]}"
end

printed = IO.popen(['ruby', File.expand_path('../../examples/ruby_dalli.rb', __dir__)], err: File::NULL, &:read)
check('runs', printed, "loading\nParis\nParis\n")

cache = connect
%w[shop absent].each { |name| cache.delete("ruby:#{name}") }
loads = 0
values = Array.new(3) { cached(cache, 'ruby:shop') { { 'loads' => loads += 1 } } }
check('one miss loads, hits do not', values, [{ 'loads' => 1 }] * 3)
absent = Array.new(3) do
  cached(cache, 'ruby:absent') do
    loads += 1
    nil
  end
end
check('what is not there is remembered', [absent, loads], [[nil] * 3, 2])
cache.delete('ruby:shop')
check('a delete is seen at once', cached(cache, 'ruby:shop') { 'new' }, 'new')
check('values are JSON, not marshalled', cache.get('ruby:shop'), 'new')

# A way to the server that can be cut and opened again.
class Relay
  attr_reader :port

  def initialize(host, port)
    @host = host
    @to = port
    @port = 0
  end

  def open
    @listener = TCPServer.new('127.0.0.1', @port)
    @port = @listener.addr[1]
    @sockets = []
    @thread = Thread.new { loop { serve(@listener.accept) } }
  end

  def serve(from)
    to = TCPSocket.new(@host, @to)
    @sockets.push(from, to)
    [[from, to], [to, from]].each do |source, sink|
      Thread.new do
        IO.copy_stream(source, sink)
      rescue IOError, SystemCallError
        nil # it was cut
      end
    end
  end

  def cut
    @thread.kill
    [@listener, *@sockets].each(&:close)
  end
end

relay = Relay.new(ENV.fetch('LARDER_HOST'), ENV.fetch('LARDER_PORT'))
relay.open
to_server = ENV['LARDER_PORT']
ENV['LARDER_PORT'] = relay.port.to_s
away = connect
ENV['LARDER_PORT'] = to_server
never = -> { 'loaded' }
check('before a server leaves', cached(away, 'ruby:shop', &never), 'new')
relay.cut
check('one that is away is a miss', Array.new(2) { cached(away, 'ruby:shop', &never) }, %w[loaded loaded])
failed = begin
  cached(away, 'ruby:failing') { raise KeyError }
rescue KeyError => e
  e.class
end
check('an error of the loader stays one', failed, KeyError)
relay.open
deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 30
until (got = cached(away, 'ruby:shop', &never)) == 'new' || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
  sleep 0.05
end
check('and used when it is back', got, 'new')
loads = 0
got = cached(away, 'ruby:cut') do
  loads += 1
  relay.cut
  'loaded'
end
check('one that leaves while the value is loaded', [got, loads], ['loaded', 1])

refusals = { 'wrong password' => { 'LARDER_PASSWORD' => 'wrong' }, 'no TLS' => { 'LARDER_CA' => nil } }
refusals.each do |name, change|
  old = ENV.to_h.slice(*change.keys)
  change.each { |key, value| ENV[key] = value }
  got = begin
    connect.get('ruby:shop')
  rescue Dalli::DalliError => e
    e.class.ancestors.include?(Dalli::DalliError)
  end
  check("#{name} is refused", got, true)
  old.each { |key, value| ENV[key] = value }
end
exit($failed.zero? ? 0 : 1)
