//! What keeps logins from hurting the server: attempts are charged to their addresses, decided on threads of their own
//! in a line of bounded length, remembered when they were right, told slowly when they were wrong, and counted.

pub mod cause;
pub mod failures;
pub mod line;
pub mod successes;
pub mod tally;
pub mod throttle;
