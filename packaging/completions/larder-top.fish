complete -c larder-top -l interval -d 'Seconds between two readings' -r
complete -c larder-top -l user -d 'Log in as this user; the password comes from --password-file, LARDER_PASSWORD or the terminal' -r
complete -c larder-top -l password-file -d 'The file whose first line is the password' -r -F
complete -c larder-top -l ca -d 'The authorities that the nodes\' certificates come from, as PEM' -r -F
complete -c larder-top -l cert -d 'Our own certificate with its chain, as PEM, for nodes that ask clients for one' -r -F
complete -c larder-top -l key -d 'Its key, as PEM' -r -F
complete -c larder-top -l allow-plain -d 'Send the password over a network without TLS too'
complete -c larder-top -l tls -d 'Speak TLS to nodes that are not Unix sockets'
complete -c larder-top -l once -d 'Print one table and end; so it is when standard output is no terminal'
complete -c larder-top -l json -d 'Print one JSON object and end'
complete -c larder-top -s h -l help -d 'Print help'
complete -c larder-top -s V -l version -d 'Print version'
