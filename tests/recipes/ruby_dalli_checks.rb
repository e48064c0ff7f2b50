# examples/ruby_dalli.rb, with the connection that the environment names.

require 'logger'
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
