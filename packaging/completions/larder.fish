complete -c larder -s p -l port -d 'TCP port' -r
complete -c larder -s U -l udp-port -d 'UDP port, at the addresses that TCP has' -r
complete -c larder -s s -l unix-socket -d 'serve this Unix socket, and no network address' -r -F
complete -c larder -s a -l unix-mask -d 'permission bits of the Unix socket, in octal' -r
complete -c larder -l unix-owner -d 'user and group that the Unix socket is given to, by name or number' -r
complete -c larder -s l -l listen -d 'addresses to serve, with commas between them' -r
complete -c larder -l allow -d 'networks that may connect, such as 10.0.0.0/8, with commas between them' -r
complete -c larder -l deny -d 'networks that may not connect, even if they are allowed' -r
complete -c larder -l access-file -d 'lines of `allow NETWORK` and `deny NETWORK`' -r -F
complete -c larder -l proxy-protocol-from -d 'networks of load balancers' -r
complete -c larder -s c -l conn-limit -d 'connections served at once' -r
complete -c larder -l max-connections-per-address -d 'of these, with one client address' -r
complete -c larder -l max-connection-rate -d 'new connections a second from one client address, so many at once at most' -r
complete -c larder -l admin -d 'serve metrics for Prometheus, health and a page with charts over HTTP here' -r
complete -c larder -l admin-token-file -d 'whoever asks the admin port for data has to show the bearer token in this file' -r -F
complete -c larder -l cluster -d 'tell clients that discover nodes' -r
complete -c larder -l cluster-resolver -d 'name servers for --cluster in the place of those in /etc/resolv.conf' -r
complete -c larder -s b -l listen-backlog -d 'connections the kernel keeps waiting for accept' -r
complete -c larder -s B -l protocol -d 'protocol to speak' -r
complete -c larder -l handshake-timeout -d 'seconds within which a client has to finish its TLS handshake' -r
complete -c larder -l users -d 'ask for a login on every protocol' -r -F
complete -c larder -s Y -l auth-file -d 'ask for a login and speak the text protocol alone' -r -F
complete -c larder -l sasl-mechanisms -d 'mechanisms to offer, with commas between them, the first one first' -r
complete -c larder -s R -l max-reqs-per-event -d 'requests served for one connection before the others have their turn' -r
complete -c larder -s D -d 'count requests per prefix of the key, which ends at this character' -r
complete -c larder -s m -l memory-limit -d 'memory for items in megabytes, or with k, m or g behind it' -r
complete -c larder -s I -l max-item-size -d 'size of the largest item in bytes, or with k, m or g behind it' -r
complete -c larder -s e -l memory-file -d 'keep items in this file, best on a tmpfs such as /dev/shm, so that they outlive a graceful restart' -r -F
complete -c larder -s t -l threads -d 'worker threads' -r
complete -c larder -s u -l user -d 'become this user' -r
complete -c larder -s P -l pidfile -d 'write the process id to this file' -r -F
complete -c larder -s v -l verbose -d 'log more' -r
complete -c larder -l log-format -d 'how lines of the log are written' -r
complete -c larder -l slow-request-us -d 'log requests that came together and kept a worker longer than these microseconds, with the first one\'s command and key' -r
complete -c larder -s o -l extended -d 'list of options with commas between them' -r
complete -c larder -l config -d 'read flags from this file, one in a line, as from Debian\'s memcached.conf' -r -F
complete -c larder -l unbounded-udp-replies -d 'over UDP let a reply to a network have any size'
complete -c larder -l cluster-before-login -d 'tell the list of nodes, and the version, to clients that have not logged in as well'
complete -c larder -s Z -l enable-ssl -d 'serve TLS 1.2 and 1.3 on every TCP listener whose -l does not say otherwise'
complete -c larder -s S -l enable-sasl -d 'ask for a login by SASL and speak the binary protocol alone'
complete -c larder -l unix-peer-credentials -d 'let clients of the Unix socket log in without a password as the user that their process runs as'
complete -c larder -l allow-plain -d 'let passwords and tokens come over a network without TLS'
complete -c larder -s A -l enable-shutdown -d 'allow the shutdown command'
complete -c larder -s F -l disable-flush-all -d 'refuse the commands that empty the cache'
complete -c larder -s X -l disable-dumping -d 'refuse the commands that list keys'
complete -c larder -s W -l disable-watch -d 'refuse the watch command'
complete -c larder -s M -l disable-evictions -d 'answer with an error when memory is full, never evict'
complete -c larder -s C -l disable-cas -d 'keep no CAS numbers'
complete -c larder -s L -l enable-largepages -d 'ask for huge pages'
complete -c larder -s k -l lock-memory -d 'lock all memory into RAM'
complete -c larder -l memory-fd -d 'leave items to the service manager over a restart, in memory without a file'
complete -c larder -s d -l daemon -d 'run in the background'
complete -c larder -s r -l enable-coredumps -d 'allow core files of any size'
complete -c larder -s h -l help -d 'print this page and exit'
complete -c larder -s i -l license -d 'print the license and exit'
complete -c larder -s V -l version -d 'print the version and exit'
