//! Two streams joined by a virtual link: whole lives in random order, every order of FIN and RST,
//! and time on a long path.

mod link;
mod lives;
mod orders;
mod path;
