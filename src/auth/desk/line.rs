//! The threads that decide logins, and the line in front of them.
//!
//! A job is begun at its time, in the order of these times, and its outcome delivered: a success at once, a failure not
//! before [`FAILURE_DELAY`] after it was submitted, so that failures all look alike. No thread sleeps for one job: jobs
//! and failures wait in heaps, and a thread waits until the first of them is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use parking_lot::{Condvar, Mutex};

use crate::panics::contain;
use crate::sys::priority::give_way;

/// Time from a submission to the telling of its failure, at least: a connection guesses ten times a second.
pub const FAILURE_DELAY: Duration = Duration::from_millis(100);

/// Jobs that may wait for their threads.
const JOBS_MAX: usize = 1024;

/// How many of them may be jobs that have to wait for their time, as their addresses fail too often: these must not
/// take the places of all others.
const HELD_MAX: usize = JOBS_MAX / 2;

/// Steps of nice: when the workers keep all processors busy, hashing has a third of what a worker has. Less would make
/// logins fail for want of time.
const NICE: u8 = 5;

/// Something to decide: what it comes to, and who is told. `T` is what a success gives.
pub struct Job<T> {
    /// Not to be begun before.
    pub not_before: Instant,
    /// Gives `Some` for a success.
    pub work: Box<dyn FnOnce() -> Option<T> + Send>,
    /// Called once, on a login thread, with what `work` gave.
    pub deliver: Box<dyn FnOnce(Option<T>) + Send>,
}

/// See the module. The threads end some time after it is dropped.
#[derive(Debug)]
pub struct Line<T> {
    counter: Arc<Counter<T>>,
}

/// What the threads share.
struct Counter<T> {
    state: Mutex<State<T>>,
    news: Condvar,
}

impl<T> std::fmt::Debug for Counter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").finish_non_exhaustive()
    }
}

struct State<T> {
    jobs: BinaryHeap<Reverse<Timed<Submitted<T>>>>,
    /// How many of them had to wait for their time when they came.
    held: usize,
    /// Failures that are not told yet. Each connection has one at most, which bounds them.
    failures: BinaryHeap<Reverse<Timed<Deliver<T>>>>,
    /// Numbers what comes, so that of the same time the first goes first.
    arrivals: u64,
    is_closed: bool,
}

/// A job, and when it came.
struct Submitted<T> {
    at: Instant,
    job: Job<T>,
}

type Deliver<T> = Box<dyn FnOnce(Option<T>) + Send>;

/// Something with a time, ordered by it.
struct Timed<V> {
    due: Instant,
    arrival: u64,
    value: V,
}

impl<V> PartialEq for Timed<V> {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.arrival) == (other.due, other.arrival)
    }
}

impl<V> Eq for Timed<V> {}

impl<V> PartialOrd for Timed<V> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<V> Ord for Timed<V> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.arrival).cmp(&(other.due, other.arrival))
    }
}

impl<T: Send + 'static> Line<T> {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be made.
    pub fn start(threads: usize) -> io::Result<Line<T>> {
        let state = State::empty();
        // Made first: dropped at a failure, it ends the threads that were there already.
        let line = Line { counter: Arc::new(Counter { state: Mutex::new(state), news: Condvar::new() }) };
        for number in 0..threads {
            let counter = Arc::clone(&line.counter);
            thread::Builder::new().name(format!("login-{number}")).spawn(move || {
                give_way(NICE);
                counter.run();
            })?;
        }
        Ok(line)
    }

    /// Takes a job.
    ///
    /// # Errors
    /// The job, when the line is full: 1,024 wait, or 512 that came before their time and this one does too.
    pub fn submit(&self, job: Job<T>) -> Result<(), Job<T>> {
        self.counter.state.lock().add_job(Instant::now(), job)?;
        self.counter.news.notify_one();
        Ok(())
    }

    /// Tells a failure that is known already, when it is time.
    pub fn refuse(&self, deliver: Box<dyn FnOnce(Option<T>) + Send>) {
        self.counter.state.lock().add_failure(Instant::now() + FAILURE_DELAY, deliver);
        self.counter.news.notify_one();
    }
}

impl<T> Drop for Line<T> {
    fn drop(&mut self) {
        self.counter.state.lock().is_closed = true;
        self.counter.news.notify_all();
    }
}

impl<T> State<T> {
    fn empty() -> State<T> {
        State { jobs: BinaryHeap::new(), held: 0, failures: BinaryHeap::new(), arrivals: 0, is_closed: false }
    }

    fn add_job(&mut self, at: Instant, job: Job<T>) -> Result<(), Job<T>> {
        let submitted = Submitted { at, job };
        if self.jobs.len() == JOBS_MAX || submitted.is_held() && self.held == HELD_MAX {
            return Err(submitted.job);
        }
        self.held += usize::from(submitted.is_held());
        self.arrivals += 1;
        self.jobs.push(Reverse(Timed { due: submitted.job.not_before, arrival: self.arrivals, value: submitted }));
        Ok(())
    }

    fn add_failure(&mut self, due: Instant, deliver: Deliver<T>) {
        self.arrivals += 1;
        self.failures.push(Reverse(Timed { due, arrival: self.arrivals, value: deliver }));
    }

    /// When there is something to do.
    fn due(&self) -> Option<Instant> {
        let job = self.jobs.peek().map(|Reverse(job)| job.due);
        let failure = self.failures.peek().map(|Reverse(failure)| failure.due);
        job.into_iter().chain(failure).min()
    }

    fn take_failure(&mut self, now: Instant) -> Option<Deliver<T>> {
        let due = self.failures.peek().is_some_and(|Reverse(failure)| failure.due <= now);
        due.then(|| self.failures.pop()).flatten().map(|Reverse(failure)| failure.value)
    }

    fn take_job(&mut self, now: Instant) -> Option<Submitted<T>> {
        let due = self.jobs.peek().is_some_and(|Reverse(job)| job.due <= now);
        let submitted = due.then(|| self.jobs.pop()).flatten()?.0.value;
        self.held -= usize::from(submitted.is_held());
        Some(submitted)
    }
}

impl<T> Submitted<T> {
    fn is_held(&self) -> bool {
        self.job.not_before > self.at
    }
}

impl<T> Counter<T> {
    fn run(&self) {
        let mut state = self.state.lock();
        while !state.is_closed {
            let now = Instant::now();
            // What is told late keeps nobody from anything; what is hashed first does.
            if let Some(deliver) = state.take_failure(now) {
                drop(state);
                deliver(None);
                state = self.state.lock();
            } else if let Some(Submitted { at, job }) = state.take_job(now) {
                drop(state);
                // A fault in deciding is a failure of this login, not of all that follow.
                let outcome = contain(job.work).flatten();
                match outcome {
                    Some(success) => {
                        (job.deliver)(Some(success));
                        state = self.state.lock();
                    }
                    None => {
                        state = self.state.lock();
                        state.add_failure(at + FAILURE_DELAY, job.deliver);
                        // This thread may be busy when it is due.
                        self.news.notify_one();
                    }
                }
            } else {
                match state.due() {
                    Some(due) => _ = self.news.wait_until(&mut state, due),
                    None => self.news.wait(&mut state),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Submits work; where its outcome comes.
    fn submit(
        line: &Line<u32>,
        not_before: Instant,
        work: impl FnOnce() -> Option<u32> + Send + 'static,
    ) -> Receiver<(Option<u32>, Instant)> {
        let (tell, told) = channel();
        let deliver = Box::new(move |outcome| _ = tell.send((outcome, Instant::now())));
        assert!(line.submit(Job { not_before, work: Box::new(work), deliver }).is_ok());
        told
    }

    #[test]
    fn successes_are_told_and_failures_not_before_their_time() {
        let line = Line::start(1).unwrap();
        let begun = Instant::now();
        let failure = submit(&line, begun, || None);
        let panic = submit(&line, begun, || panic!("a fault in deciding, for a test"));
        let success = submit(&line, begun, || Some(7));
        assert_eq!(success.recv_timeout(PATIENCE).unwrap().0, Some(7));
        for failure in [failure, panic] {
            let (outcome, told) = failure.recv_timeout(PATIENCE).unwrap();
            assert_eq!(outcome, None);
            assert!(told >= begun + FAILURE_DELAY);
        }
        let (tell, told) = channel();
        let begun = Instant::now();
        line.refuse(Box::new(move |outcome| _ = tell.send(outcome)));
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), None);
        assert!(Instant::now() >= begun + FAILURE_DELAY);
    }

    #[test]
    fn jobs_wait_for_their_time_and_then_go_in_its_order() {
        let line = Line::start(1).unwrap();
        let now = Instant::now();
        let (tell, told) = channel();
        let tells = |name: u32| {
            let tell = tell.clone();
            move || {
                tell.send((name, Instant::now())).unwrap();
                Some(name)
            }
        };
        let later = now + Duration::from_millis(30);
        let outcomes = [submit(&line, later, tells(3)), submit(&line, later, tells(4)), submit(&line, now, tells(1))];
        let order: Vec<_> = (0..3).map(|_| told.recv_timeout(PATIENCE).unwrap()).collect();
        assert_eq!(order.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [1, 3, 4]);
        assert!(order[1].1 >= later);
        for outcome in outcomes {
            assert!(outcome.recv_timeout(PATIENCE).unwrap().0.is_some());
        }
    }

    #[test]
    fn a_full_line_gives_jobs_back() {
        let line = Line::start(1).unwrap();
        let (go, gone) = channel::<()>();
        let (begin, begun) = channel::<()>();
        let now = Instant::now();
        let first = submit(&line, now, move || {
            begin.send(()).unwrap();
            gone.recv().ok().map(|()| 0)
        });
        begun.recv_timeout(PATIENCE).unwrap();
        let waiting: Vec<_> = (0..JOBS_MAX).map(|_| submit(&line, now, || Some(1))).collect();
        let unwanted = || Job { not_before: now, work: Box::new(|| Some(2)), deliver: Box::new(|_| ()) };
        assert!(line.submit(unwanted()).is_err());
        go.send(()).unwrap();
        assert_eq!(first.recv_timeout(PATIENCE).unwrap().0, Some(0));
        for job in waiting {
            assert_eq!(job.recv_timeout(PATIENCE).unwrap().0, Some(1));
        }
        let after = submit(&line, now, || Some(3));
        assert_eq!(after.recv_timeout(PATIENCE).unwrap().0, Some(3), "there is room again");
    }

    #[test]
    fn jobs_before_their_time_leave_room_for_others() {
        let now = Instant::now();
        let mut state = State::empty();
        let job = |not_before| Job::<u32> { not_before, work: Box::new(|| None), deliver: Box::new(|_| ()) };
        let later = now + Duration::from_secs(1);
        for _ in 0..HELD_MAX {
            assert!(state.add_job(now, job(later)).is_ok());
        }
        assert!(state.add_job(now, job(later)).is_err());
        for _ in HELD_MAX..JOBS_MAX {
            assert!(state.add_job(now, job(now)).is_ok());
        }
        assert!(state.add_job(now, job(now)).is_err());
        for taken in 0..JOBS_MAX {
            assert!(state.take_job(now).is_some() == (taken < JOBS_MAX - HELD_MAX), "{taken}");
        }
        assert!(state.take_job(later).is_some());
        assert!(state.add_job(now, job(later)).is_ok() && state.add_job(now, job(later)).is_err());
    }
}
