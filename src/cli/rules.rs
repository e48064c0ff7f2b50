//! What flags mean and forbid together, after all of them have been read.

use super::Exit;
use super::draft::Draft;
use super::row::Effect;
use super::slab_sizes;
use super::word::size;
use crate::exit_status;
use crate::net::listen::is_exposed;
use crate::net::listen_spec::ListenTls;
use crate::settings::{AdminAddress, AdminTls, ClusterSource, ProtocolChoice, Settings};

/// Lets flags that were given decide about others that were not.
pub(super) fn settle(draft: &mut Draft) {
    let (port_given, protocol_given) = (draft.has("-p"), draft.has("-B"));
    let chunk_given = draft.has("-o slab_chunk_max");
    let settings = &mut draft.settings;
    if settings.udp_port != 0 && !port_given {
        settings.tcp_port = settings.udp_port;
    }
    if !protocol_given && settings.sasl {
        settings.protocol = ProtocolChoice::Binary;
    }
    if !protocol_given && settings.auth_file.is_some() {
        settings.protocol = ProtocolChoice::Ascii;
    }
    if !chunk_given {
        // memcached makes one of these two corrections and refuses `-I 1024` without a slab_chunk_max to fit it. The
        // value is only shown here, so it follows -I.
        if settings.item_size_max_bytes > SLAB_PAGE_BYTES {
            settings.slab_chunk_max_bytes = SLAB_PAGE_BYTES / 2;
        }
        settings.slab_chunk_max_bytes = settings.slab_chunk_max_bytes.min(settings.item_size_max_bytes);
    }
}

/// Refuses what does not go together.
///
/// # Errors
/// The first rule that is broken, with exit status 64 as in memcached.
pub(super) fn judge(draft: &Draft) -> Result<(), Exit> {
    for rule in RULES {
        rule(draft).map_err(|why| Exit::refusal(exit_status::USAGE, why))?;
    }
    Ok(())
}

/// Refuses features that this version lacks. The last step, so that a command line with two faults names first the one
/// that memcached would name, too.
///
/// # Errors
/// The first such flag in the order given, with exit status 64.
pub(super) fn refuse_missing_features(draft: &Draft) -> Result<(), Exit> {
    for row in draft.given() {
        if let Effect::Later { feature, instead } = row.effect {
            return Err(Exit::refusal(
                exit_status::USAGE,
                format!("{} ({feature}) is not available in this version; {instead}", row.label()),
            ));
        }
    }
    Ok(())
}

/// Finds nothing wrong, or says what is and what to do.
type Rule = fn(&Draft) -> Result<(), String>;

const RULES: &[Rule] = &[
    napi_ids_have_threads,
    items_fit_into_memory,
    chunks_divide_items_and_pages,
    slab_sizes_ascend,
    lru_shares_leave_room,
    temporary_items_have_a_maintainer,
    sasl_speaks_binary_over_tcp,
    auth_file_speaks_text,
    users_are_asked_over_tcp,
    mechanisms_have_users,
    unix_flags_have_a_unix_socket,
    memory_is_left_in_one_place,
    admin_is_near_or_locked,
    admin_tls_has_certificates,
    discovery_has_a_source,
    tls_has_a_port,
    tls_has_a_certificate,
    verified_clients_have_authorities,
    tls_listeners_have_tls,
];

fn napi_ids_have_threads(draft: &Draft) -> Result<(), String> {
    let (ids, threads) = (draft.settings.napi_ids, draft.settings.threads);
    allow(ids as usize <= threads, || {
        format!("-N {ids} is more than -t {threads}; give -N at most the number of threads")
    })
}

fn items_fit_into_memory(draft: &Draft) -> Result<(), String> {
    let (item, memory) = (u64::from(draft.settings.item_size_max_bytes), draft.settings.memory_limit_bytes);
    allow(item <= memory / 2, || {
        format!("-I {} is more than half of -m {}; raise -m or lower -I", size(item), size(memory))
    })
}

fn chunks_divide_items_and_pages(draft: &Draft) -> Result<(), String> {
    let (item, chunk) = (draft.settings.item_size_max_bytes, draft.settings.slab_chunk_max_bytes);
    allow(
        !draft.has("-o slab_chunk_max") || item.is_multiple_of(chunk) && SLAB_PAGE_BYTES.is_multiple_of(chunk),
        || {
            format!(
                "-o slab_chunk_max={} does not divide -I {} and 1m; leave it out, it has no effect here",
                chunk >> 10,
                size(u64::from(item))
            )
        },
    )
}

fn slab_sizes_ascend(draft: &Draft) -> Result<(), String> {
    draft.slab_sizes.as_deref().map_or(Ok(()), |list| slab_sizes::check(list, &draft.settings))
}

fn lru_shares_leave_room(draft: &Draft) -> Result<(), String> {
    let (hot, warm) = (draft.settings.hot_lru_pct, draft.settings.warm_lru_pct);
    allow(hot + warm <= 80, || format!("-o hot_lru_pct={hot},warm_lru_pct={warm} are more than 80 together; lower one"))
}

fn temporary_items_have_a_maintainer(draft: &Draft) -> Result<(), String> {
    allow(draft.settings.temporary_ttl_secs.is_none() || draft.settings.lru_maintainer, || {
        "-o temporary_ttl needs lru_maintainer; take no_lru_maintainer or no_modern away".to_owned()
    })
}

fn sasl_speaks_binary_over_tcp(draft: &Draft) -> Result<(), String> {
    let settings = &draft.settings;
    allow(!settings.sasl || settings.protocol == ProtocolChoice::Binary, || {
        "-S does not go with the text protocol; give -B binary".to_owned()
    })?;
    allow(!settings.sasl || settings.udp_port == 0, || "-S does not go with UDP; take -U away".to_owned())
}

fn auth_file_speaks_text(draft: &Draft) -> Result<(), String> {
    let settings = &draft.settings;
    let binary_listener = settings.listen.iter().any(|spec| spec.protocol == Some(ProtocolChoice::Binary));
    allow(settings.auth_file.is_none() || settings.protocol == ProtocolChoice::Ascii && !binary_listener, || {
        "-Y does not go with the binary protocol; give -B ascii".to_owned()
    })?;
    allow(settings.auth_file.is_none() || settings.udp_port == 0, || "-Y does not go with UDP; take -U away".to_owned())
}

fn users_are_asked_over_tcp(draft: &Draft) -> Result<(), String> {
    let settings = &draft.settings;
    allow(settings.users_file.is_none() || settings.udp_port == 0, || {
        "--users does not go with UDP; take -U away".to_owned()
    })
}

fn mechanisms_have_users(draft: &Draft) -> Result<(), String> {
    let settings = &draft.settings;
    let asks = settings.sasl || settings.auth_file.is_some() || settings.users_file.is_some();
    allow(asks || settings.sasl_mechanisms.is_empty(), || {
        "--sasl-mechanisms says how to log in, but nothing asks for a login; give --users".to_owned()
    })
}

fn unix_flags_have_a_unix_socket(draft: &Draft) -> Result<(), String> {
    let given = ["--unix-owner", "--unix-peer-credentials"].into_iter().find(|flag| draft.has(flag));
    match given {
        Some(flag) if draft.settings.unix_socket.is_none() => Err(format!("{flag} needs a Unix socket; give -s")),
        _ => Ok(()),
    }
}

fn memory_is_left_in_one_place(draft: &Draft) -> Result<(), String> {
    let settings = &draft.settings;
    allow(!settings.memory_fd || settings.memory_file.is_none(), || {
        "--memory-fd does not go with -e; take one of them away".to_owned()
    })?;
    allow(!settings.memory_fd || !settings.large_pages, || {
        "--memory-fd does not go with -L; take one of them away".to_owned()
    })
}

fn admin_is_near_or_locked(draft: &Draft) -> Result<(), String> {
    let Settings { admin, admin_token_file, .. } = &draft.settings;
    allow(admin.is_some() || admin_token_file.is_none(), || {
        "--admin-token-file guards the admin port, and there is none; give --admin".to_owned()
    })?;
    match admin {
        Some(AdminAddress::Tcp(address, tls)) => {
            let is_locked = admin_token_file.is_some() || *tls == AdminTls::Mutual;
            allow(!is_exposed(address) || is_locked, || {
                format!(
                    "--admin {}{address} is open to a network; give --admin-token-file, --admin mtls:{address}, or an \
                     address of this machine such as 127.0.0.1:{}",
                    tls.prefix(),
                    address.port()
                )
            })
        }
        // Where a passed one is shows at the start.
        Some(AdminAddress::Unix(_) | AdminAddress::Passed) | None => Ok(()),
    }
}

fn admin_tls_has_certificates(draft: &Draft) -> Result<(), String> {
    // What is passed shows at the start.
    let Some(AdminAddress::Tcp(address, tls)) = &draft.settings.admin else { return Ok(()) };
    let lacks = tls.lacks(&draft.settings.tls);
    lacks.map_or(Ok(()), |lacks| Err(format!("--admin {}{address} {lacks}", tls.prefix())))
}

fn discovery_has_a_source(draft: &Draft) -> Result<(), String> {
    let settings = &draft.settings;
    allow(settings.cluster.is_some() || !settings.cluster_before_login, || {
        "--cluster-before-login: there is no list of nodes; give --cluster".to_owned()
    })?;
    let is_asked = matches!(settings.cluster, Some(ClusterSource::Addresses { .. } | ClusterSource::Services { .. }));
    allow(is_asked || settings.cluster_resolvers.is_empty(), || {
        "--cluster-resolver: no name server is asked; give --cluster dns:NAME:PORT or srv:NAME".to_owned()
    })
}

fn tls_has_a_port(draft: &Draft) -> Result<(), String> {
    let settings = &draft.settings;
    allow(!settings.tls.enabled || settings.tcp_port != 0, || "-Z needs a TCP port; take -p 0 away".to_owned())
}

fn tls_has_a_certificate(draft: &Draft) -> Result<(), String> {
    let tls = &draft.settings.tls;
    allow(!tls.enabled || tls.chain_cert.is_some(), || {
        "-Z needs a certificate; give -o ssl_chain_cert=FILE,ssl_key=FILE".to_owned()
    })
}

fn verified_clients_have_authorities(draft: &Draft) -> Result<(), String> {
    let tls = &draft.settings.tls;
    allow(tls.verify_mode == 0 || tls.ca_cert.is_some(), || {
        format!("-o ssl_verify_mode={} needs authorities to verify by; give -o ssl_ca_cert=FILE", tls.verify_mode)
    })
}

fn tls_listeners_have_tls(draft: &Draft) -> Result<(), String> {
    let asks_for_tls = draft.settings.listen.iter().any(|spec| spec.tls != ListenTls::Default);
    allow(draft.settings.tls.enabled || !asks_for_tls, || {
        "-l with notls:, btls: or mtls: needs -Z; take the prefix away".to_owned()
    })
}

fn allow(fine: bool, why_not: impl FnOnce() -> String) -> Result<(), String> {
    if fine { Ok(()) } else { Err(why_not()) }
}

/// memcached's slab page.
const SLAB_PAGE_BYTES: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{parse, read, words};

    fn settings(line: &str) -> Settings {
        read(words(line)).unwrap_or_else(|exit| panic!("{line}: {exit:?}")).settings
    }

    #[test]
    fn udp_alone_moves_tcp() {
        for (line, tcp) in [
            ("", 11211),
            ("-U 0", 11211),
            ("-U 5", 5),
            ("-U -1", -1),
            ("-U 5 -p 6", 6),
            ("-p 6 -U 5", 6),
            ("-p 0 -U 5", 0),
        ] {
            assert_eq!(settings(line).tcp_port, tcp, "{line}");
        }
    }

    #[test]
    fn logins_choose_the_protocol_unless_it_is_given() {
        use ProtocolChoice::{Ascii, Auto, Binary};
        for (line, protocol) in [
            ("", Auto),
            ("-S", Binary),
            ("-S -B binary", Binary),
            ("-S -B ascii -B binary", Binary),
            ("-Y f", Ascii),
            ("-Y f -B ascii", Ascii),
        ] {
            assert_eq!(settings(line).protocol, protocol, "{line}");
        }
    }

    #[test]
    fn the_shown_chunk_size_follows_the_largest_item() {
        for (line, chunk_kb) in [
            ("", 512),
            ("-I 2m", 512),
            ("-I 1024", 1),
            ("-I 1500k", 512),
            ("-o no_modern", 1024),
            ("-o no_chunked_items", 1024),
            ("-o no_modern -I 2m", 512),
            ("-o no_modern,slab_chunk_max=4", 4),
            ("-o slab_chunk_max=4,no_modern", 4),
            ("-I 512k -o slab_chunk_max=16", 16),
        ] {
            assert_eq!(settings(line).slab_chunk_max_bytes, chunk_kb << 10, "{line}");
        }
    }

    #[test]
    fn what_goes_together_is_allowed() {
        for line in [
            "-N 4",
            "-N 8 -t 8",
            "-m 2",
            "-m 1 -I 512k",
            "-m 2048 -I 1g",
            "-I 1024 -o slab_chunk_max=1",
            "-I 2097152",
            "-m 256 -I 32m",
            "-o slab_sizes=96-192",
            "-n 8 -o slab_sizes=9-192",
            "-o hot_lru_pct=40,warm_lru_pct=40",
            "-o temporary_ttl=61",
            "-o no_lru_maintainer,temporary_ttl=61,lru_maintainer",
            "-Z -o ssl_chain_cert=c -l notls:a,mtls:b:5,btls:c",
            "--admin 127.0.0.2:1",
            "--admin [::1]:1",
            "--admin /f --admin-token-file f",
            "--admin 0.0.0.0:1 --admin-token-file f",
            "--admin tls:127.0.0.1:1 -o ssl_chain_cert=c",
            "--admin tls:0.0.0.0:1 --admin-token-file f -o ssl_chain_cert=c",
            "--admin mtls:0.0.0.0:1 -o ssl_chain_cert=c,ssl_ca_cert=a -p 0 -s f",
            "--admin mtls:0.0.0.0:1 --admin-token-file f -Z -o ssl_chain_cert=c,ssl_ca_cert=a",
            "-Y f -l proto[ascii]:a",
            "-S --users f",
            "--users f --sasl-mechanisms PLAIN -B ascii",
        ] {
            settings(line);
        }
    }

    #[test]
    fn what_does_not_go_together_ends_with_64() {
        for (line, begins) in [
            ("-N 5", "-N 5 is more than -t 4"),
            ("-N 5 -t 2", "-N 5 is more than -t 2"),
            ("-m 1", "-I 1m is more than half of -m 1m"),
            ("-m 1k", "-I 1m is more than half of -m 1k"),
            ("-I 33m", "-I 33m is more than half of -m 64m"),
            ("-I 1000 ", "-I \"1000\" is out of range"),
            ("-I 2g -m 8g", "-I \"2g\" is out of range; give 1k to 1g"),
            ("-o slab_chunk_max=100", "-o slab_chunk_max=100 does not divide"),
            ("-o slab_chunk_max=1 -I 1500", "-o slab_chunk_max=1 does not divide"),
            ("-I 1024 -o slab_chunk_max=2", "-o slab_chunk_max=2 does not divide"),
            ("-o slab_sizes=1-2", "-o slab_sizes: \"1\""),
            ("-o slab_sizes=", "-o slab_sizes: no sizes"),
            ("-o hot_lru_pct=60,warm_lru_pct=30", "-o hot_lru_pct=60,warm_lru_pct=30 are more"),
            ("-o hot_lru_pct=41", "-o hot_lru_pct=41,warm_lru_pct=40 are more"),
            ("-o temporary_ttl=5,no_lru_maintainer", "-o temporary_ttl needs"),
            ("-o temporary_ttl=5,no_modern", "-o temporary_ttl needs"),
            ("-S -B ascii", "-S does not go with the text"),
            ("-S -B auto", "-S does not go with the text"),
            ("-S -B binary -B ascii", "-S does not go with the text"),
            ("-S -U 5", "-S does not go with UDP"),
            ("-Y f -B binary", "-Y does not go"),
            ("-Y f -B auto", "-Y does not go"),
            ("-Y f -l proto[binary]:a", "-Y does not go"),
            ("-Y f -U 5", "-Y does not go with UDP"),
            ("-S -Y f", "-S does not go"),
            ("--users f -U 5", "--users does not go with UDP"),
            ("--sasl-mechanisms PLAIN", "--sasl-mechanisms says"),
            ("--unix-peer-credentials --users f", "--unix-peer-credentials needs a Unix socket"),
            ("--unix-owner app", "--unix-owner needs a Unix socket"),
            ("--unix-owner app: -s f", "--unix-owner \"app:\" is no owner"),
            ("--memory-fd -L", "--memory-fd does not go with -L"),
            ("--memory-fd -e f", "--memory-fd does not go with -e"),
            ("-Z -p 0", "-Z needs a TCP port"),
            ("-Z", "-Z needs a certificate"),
            ("-o ssl_verify_mode=1", "-o ssl_verify_mode=1 needs authorities"),
            ("-l notls:a", "-l with notls:"),
            ("-l a,mtls:b", "-l with notls:"),
            ("--admin 0.0.0.0:9150", "--admin 0.0.0.0:9150 is open to a network"),
            ("--admin [::]:1", "--admin [::]:1 is open to a network"),
            ("--admin-token-file f", "--admin-token-file guards the admin port"),
            ("--admin tls:0.0.0.0:1 -o ssl_chain_cert=c", "--admin tls:0.0.0.0:1 is open to a network"),
            ("--admin tls:[::1]:1", "--admin tls:[::1]:1 needs a certificate; give -o ssl_chain_cert=FILE"),
            ("--admin tls:[::1]:1 -o ssl_ca_cert=a", "--admin tls:[::1]:1 needs a certificate"),
            ("--admin mtls:[::]:1 -o ssl_ca_cert=a", "--admin mtls:[::]:1 needs a certificate"),
            ("--admin mtls:[::]:1 -o ssl_chain_cert=c", "--admin mtls:[::]:1 needs authorities"),
            ("--admin mtls:[::]:1 -o ssl_chain_cert=c --admin-token-file f", "--admin mtls:[::]:1 needs authorities"),
        ] {
            let exit = read(words(line)).err().unwrap_or_else(|| panic!("{line}: allowed"));
            assert_eq!(exit.status, 64, "{line}");
            assert!(exit.message.starts_with(begins), "{line}: {}", exit.message);
        }
    }

    #[test]
    fn missing_features_are_refused_with_64() {
        for (line, begins) in [
            ("-o ext_path=/f:64m", "-o ext_path (flash storage) is not available"),
            ("-o ext_drop_unread", "-o ext_drop_unread (flash storage) is not available"),
            ("-o proxy_config=routelib", "-o proxy_config (the proxy) is not available"),
            ("-o proxy_uring", "-o proxy_uring (the proxy) is not available"),
            ("-o sock_cookie_id=5", "-o sock_cookie_id (socket marks) is not available"),
        ] {
            let exit = parse(words(line)).expect_err(line);
            assert_eq!(exit.status, 64, "{line}");
            assert!(exit.message.starts_with(begins), "{line}: {}", exit.message);
        }
    }
}
