//! Small requests, one at a time, and how long each waits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::latency::Latencies;

/// What a probe saw.
pub(crate) struct Seen {
    pub(crate) latencies: Latencies,
    max: Duration,
}

impl Seen {
    pub(crate) fn max_micros(&self) -> f64 {
        self.max.as_secs_f64() * 1e6
    }
}

/// A running probe.
pub(crate) struct Probe {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Seen>>,
}

impl Probe {
    /// Connects, and gets and sets in turn until it is stopped.
    pub(crate) fn start(address: SocketAddr) -> io::Result<Probe> {
        let mut client = Client::connect(address)?;
        // By now a worker has it: the next connection goes to the next worker.
        client.ask("version")?;
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen { latencies: Latencies::none(), max: Duration::ZERO };
            let mut turn = 0u32;
            while !stop.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let key = turn / 2 % KEYS;
                match turn % 2 {
                    0 => {
                        client.ask(&format!("set small{key} 0 0 5\r\nvalue"))?;
                    }
                    _ => {
                        // A miss is an answer as well: the value may have been flushed.
                        if client.ask(&format!("get small{key}"))? != "END" {
                            client.skip_to("END")?;
                        }
                    }
                }
                let took = begin.elapsed();
                seen.latencies.count(took);
                seen.max = seen.max.max(took);
                turn += 1;
                std::thread::sleep(PAUSE);
            }
            Ok(seen)
        });
        Ok(Probe { is_over, thread })
    }

    pub(crate) fn stop(self) -> io::Result<Seen> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("a probe panicked")))
    }
}

const KEYS: u32 = 1000;
const PAUSE: Duration = Duration::from_micros(100);
