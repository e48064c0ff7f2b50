//! A whole server in this process: started, reached, told to stop by a signal. Alone in its process, as signals
//! belong to all of it.

use std::fs;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use larder::server::run;
use larder::settings::Settings;
use larder::sys::request_stop;

#[test]
fn stop_request_ends_the_server_with_status_0_and_removes_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let (socket, pid_file) = (directory.path().join("socket"), directory.path().join("pid"));
    let settings = Settings {
        unix_socket: Some(socket.clone()),
        pid_file: Some(pid_file.clone()),
        threads: 2,
        ..Settings::default()
    };
    let server = std::thread::spawn(move || run(settings));
    while !pid_file.exists() {
        assert!(!server.is_finished(), "the server did not start");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", std::process::id()));
    let _client = UnixStream::connect(&socket).unwrap();

    let asked = Instant::now();
    request_stop();
    assert_eq!(server.join().unwrap(), 0);
    assert!(asked.elapsed() < Duration::from_secs(2), "took {:?}", asked.elapsed());
    assert!(!socket.exists());
    assert!(pid_file.exists(), "without -d it stays, as memcached's");
}
