# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_larder_passwd_global_optspecs
    string join \n c/create h/help V/version
end

function __fish_larder_passwd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_larder_passwd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_larder_passwd_using_subcommand
    set -l cmd (__fish_larder_passwd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -s c -l create -d 'Create the file when it is not there'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -s h -l help -d 'Print help'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -s V -l version -d 'Print version'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "add" -d 'Add a user with a password'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "change" -d 'Give a user a new password in place of all there are'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "rotate" -d 'Give a user a second password; the one before it stays good until it is retired'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "retire" -d 'Take the older of two passwords away'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "delete" -d 'Take a user away'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "list" -d 'Show names, rights, prefixes and numbers of passwords'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "verify" -d 'Ask for a password and end with 0 if it is the user\'s, with 1 if not'
complete -c larder-passwd -n "__fish_larder_passwd_needs_command" -a "rights" -d 'Change what a user may do; what is not named stays'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand add" -l rights -d 'Rights with commas between them [without it: read and write]' -r -f -a "read\t'To see items'
write\t'To change and remove items'
admin\t'To do what concerns everyone'"
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand add" -l prefix -d 'What keys begin with that the user may touch; may be repeated [without it: all keys]' -r
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand add" -l iterations -d 'Rounds of PBKDF2; SCRAM clients pay them as well' -r
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand change" -l iterations -d 'Rounds of PBKDF2; SCRAM clients pay them as well' -r
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand change" -s h -l help -d 'Print help'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand rotate" -s h -l help -d 'Print help'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand retire" -s h -l help -d 'Print help'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand delete" -s h -l help -d 'Print help'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand list" -s h -l help -d 'Print help'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand verify" -s h -l help -d 'Print help'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand rights" -l rights -d 'Rights with commas between them [without it: read and write]' -r -f -a "read\t'To see items'
write\t'To change and remove items'
admin\t'To do what concerns everyone'"
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand rights" -l prefix -d 'What keys begin with that the user may touch; may be repeated [without it: all keys]' -r
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand rights" -l all-keys -d 'All keys, whatever they begin with'
complete -c larder-passwd -n "__fish_larder_passwd_using_subcommand rights" -s h -l help -d 'Print help (see more with \'--help\')'
