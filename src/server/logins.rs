//! Logins: from settings and environment to an authority.

use std::env;
use std::path::PathBuf;

use super::failure::Failure;
use crate::auth::authority::{Authority, Config};
use crate::auth::memcached_files::cyrus_mechanisms;
use crate::auth::sasl::Mechanism;
use crate::auth::sources::{Sources, systemd_users_file};
use crate::exit_status;
use crate::settings::Settings;

/// Names memcached's file of users and passwords.
const PASSWORD_DATABASE: &str = "MEMCACHED_SASL_PWDB";

/// Where Cyrus SASL looks for `memcached.conf`.
const CYRUS_PATH: &str = "SASL_CONF_PATH";

/// Who may log in; `None` where nothing asks for a login.
pub(super) fn authority(settings: &Settings) -> Result<Option<Authority>, Failure> {
    // As seen from here: a background process has another directory.
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let users_file = settings.users_file.clone().or_else(systemd_users_file).map(absolute);
    let auth_file = settings.auth_file.clone().map(absolute);
    let password_database = settings.sasl.then(|| env::var_os(PASSWORD_DATABASE)).flatten();
    let password_database = password_database.map(PathBuf::from).map(absolute);
    if users_file.is_none() && auth_file.is_none() && password_database.is_none() {
        if settings.sasl {
            return Err(refused(format_args!("-S: there are no users; give --users or set {PASSWORD_DATABASE}")));
        }
        if settings.unix_peer_credentials {
            return Err(refused("--unix-peer-credentials: there are no users; give --users"));
        }
        return Ok(None);
    }
    if settings.udp_port != 0 {
        return Err(refused("logins do not go with UDP; take -U away"));
    }
    let config = Config {
        sources: Sources::new(users_file, auth_file, password_database),
        mechanisms: mechanisms(settings)?,
        takes_plain: settings.allow_plain || settings.auth_file.is_some(),
    };
    Authority::start(config).map(Some).map_err(refused)
}

fn refused(why: impl ToString) -> Failure {
    Failure::new(exit_status::FAILURE, why.to_string())
}

fn mechanisms(settings: &Settings) -> Result<Vec<Mechanism>, Failure> {
    if !settings.sasl_mechanisms.is_empty() {
        return Ok(settings.sasl_mechanisms.clone());
    }
    if !settings.sasl {
        return Ok(Mechanism::DEFAULT.to_vec());
    }
    let path = env::var_os(CYRUS_PATH);
    let shown = path.as_deref().unwrap_or_default().display();
    let names = cyrus_mechanisms(path.as_deref())
        .map_err(|error| refused(format_args!("cannot read {CYRUS_PATH}={shown}: {error}")))?;
    let Some(names) = names else { return Ok(Mechanism::DEFAULT.to_vec()) };
    let known: Vec<Mechanism> = names.iter().filter_map(|name| Mechanism::parse(name.as_bytes())).collect();
    if known.is_empty() {
        return Err(refused(format_args!(
            "{CYRUS_PATH}={shown}: mech_list names no mechanism that is there; take it away"
        )));
    }
    Ok(known)
}
