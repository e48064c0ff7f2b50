//! What is done to the bytes of every request: short searches, and replies put together from parts. Beside the slab and
//! the edge to the system the only place with unsafe code; both files have a safe face.

pub mod append;
pub mod digits;
pub mod scan;
