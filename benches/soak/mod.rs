//! A server at work for as long as one likes, with every answer checked: the bench `soak` and, for a few seconds, a test.

mod binary;
mod bound;
mod course;
mod crowd;
mod dialect;
mod lane;
mod model;
mod operator;
mod owner;
#[path = "../load/random.rs"]
mod random;
mod request;
mod values;

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bound::Seen;
use course::{Course, Tally};
use operator::Done;

/// What a run found.
pub(crate) struct Report {
    pub(crate) tally: Tally,
    pub(crate) done: Done,
    pub(crate) memory: Seen,
    /// Answers that must not be; none in a good run.
    pub(crate) wrongs: Vec<String>,
}

/// Lets clients and an operator work on a server with `-m memory_mb -I 4m` that is still empty.
pub(crate) fn run(address: SocketAddr, pid: u32, memory_mb: u64, length: Duration) -> Report {
    let course = Course::new(address, pid, memory_mb, length);
    let (tally, done) = thread::scope(|scope| {
        let course = &course;
        let client = |act: fn(&Course, usize, &mut Tally), number| {
            scope.spawn(move || {
                let mut tally = Tally::default();
                act(course, number, &mut tally);
                tally
            })
        };
        let owners = (0..OWNERS).map(|number| client(owner::run, number));
        let crowd = (0..CROWD).map(|number| client(crowd::run, number));
        let clients: Vec<_> = owners.chain(crowd).collect();
        scope.spawn(|| bound::watch(course));
        let operator = scope.spawn(|| operator::run(course));
        let mut tally = Tally::default();
        for client in clients {
            tally.add(&client.join().expect("clients do not panic"));
        }
        (tally, operator.join().expect("the operator does not panic"))
    });
    Report { tally, done, memory: course.bound.seen(), wrongs: course.wrongs() }
}

const OWNERS: usize = 6;
const CROWD: usize = 3;
