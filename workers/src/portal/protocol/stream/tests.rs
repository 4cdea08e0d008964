//! Two streams joined by a virtual link: whole lives in random order, every order of FIN and RST,
//! time on a long path; and lives along many paths that are lost one after the other.

mod acks;
mod end;
mod link;
mod lives;
mod losses;
mod orders;
mod path;
mod resumes;
mod world;
