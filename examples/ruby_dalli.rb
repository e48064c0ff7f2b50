#!/usr/bin/env ruby
# Lazy loading in Ruby, by dalli 3 over TLS with a login.
#
#     apt-get install ruby ruby-dalli
#     LARDER_CA=ca.pem LARDER_USER=app LARDER_PASSWORD=secret ruby ruby_dalli.rb
#
# LARDER_HOST and LARDER_PORT are localhost and 11211 without them.
#
# Login: dalli 3 logs in by PLAIN over the binary protocol, which Larder takes over TLS. dalli 4 has left that protocol,
# and with it every login: let its clients show a certificate instead (`-o ssl_ca_cert=FILE,ssl_verify_mode=2`, without
# --users), or stay with 3. In Rails the same options go behind `config.cache_store = :mem_cache_store, server`.
# TLS: get_multi of dalli 3.0.6 fails over TLS before it sends a byte.
#
# dalli marshals what it stores: whoever can write to the cache can run code in the application. So log in, and keep to
# plain values by `serializer: JSON`.
#
# Stale data: what is stored is given until its time is over or `delete` takes it away. Times are spread over a tenth,
# so that what was loaded together does not expire together. A cache that cannot be reached is a miss, and asked again
# after DOWN_SECS; so is one whose certificate is not believed. A refused login is an error.

require 'dalli'
require 'json'
require 'logger'
require 'openssl'

TTL_SECS = 300
DOWN_SECS = 1 # of its own accord dalli takes a server that was away for lost for half a minute

def connect
  options = { username: ENV['LARDER_USER'], password: ENV['LARDER_PASSWORD'], socket_timeout: 5, down_retry_delay: DOWN_SECS }
  options.update(serializer: JSON, cache_nils: true) # remembers what is not there as well
  if ENV['LARDER_CA']
    options[:ssl_context] = OpenSSL::SSL::SSLContext.new
    options[:ssl_context].set_params(ca_file: ENV['LARDER_CA'], verify_hostname: true)
  end
  Dalli::Client.new("#{ENV.fetch('LARDER_HOST', 'localhost')}:#{ENV.fetch('LARDER_PORT', 11_211)}", options)
end

# The value of a key, by the block if it has to be. Of those that find none at once, each loads.
def cached(cache, key)
  value = nil
  is_loaded = false
  cache.fetch(key, TTL_SECS + rand(TTL_SECS / 10)) do
    value = yield
    is_loaded = true
    value
  end
rescue Dalli::RingError, Dalli::NetworkError
  is_loaded ? value : yield
end

if $PROGRAM_NAME == __FILE__
  Dalli.logger.level = Logger::WARN
  cache = connect
  cache.delete('ruby:capital:fr')
  2.times do
    answer = cached(cache, 'ruby:capital:fr') do
      puts 'loading'
      'Paris'
    end
    puts answer
  end
end
