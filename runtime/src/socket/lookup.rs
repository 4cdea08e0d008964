//! Looking names up, with few threads however many ask.
//!
//! The system's resolver blocks a thread for as long as it takes, and cannot be told to give up. So
//! all callers that ask for a name while it is looked up share one thread, even those that come
//! after others have given up, and slow names leave some threads for others.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::{Arc, LazyLock},
};

use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{limits::MAX_LOOKUPS, lock::Lock, socket::host_port::HostPort, watched};

/// The addresses of `host:port`, in the system's order. An address of IPv6 may name an interface,
/// as in `[fe80::1%eth0]:80`.
///
/// # Errors
/// If the text has another form, or the name is unknown.
pub(crate) async fn lookup(name: &str) -> io::Result<Vec<SocketAddr>> {
    static LOOKUPS: LazyLock<Arc<Lookups>> = LazyLock::new(|| Lookups::with(resolve));
    match name.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => LOOKUPS.addresses(name).await,
    }
}

/// Asks the system.
fn resolve(name: &str) -> io::Result<Vec<SocketAddr>> {
    let HostPort { host, port } = HostPort::parse(name)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "expected host:port"))?;
    Ok((host, port).to_socket_addrs()?.collect())
}

/// What came of a lookup; an error by its kind and text, as several are told.
type Outcome = Result<Vec<SocketAddr>, (io::ErrorKind, String)>;

type Resolver = Box<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

struct Lookups {
    resolve: Resolver,
    running: Lock<HashMap<String, watched::Receiver<Option<Outcome>>>>,
    threads: Arc<Semaphore>,
}

impl Lookups {
    fn with(
        resolve: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let threads = Arc::new(Semaphore::new(MAX_LOOKUPS));
        Arc::new(Self { resolve: Box::new(resolve), running: Lock::default(), threads })
    }

    async fn addresses(self: &Arc<Self>, name: &str) -> io::Result<Vec<SocketAddr>> {
        let running = self.running.lock().get(name).cloned();
        let mut told = match running {
            Some(told) => told,
            None => self.begin(name).await?,
        };
        let gone = |_| io::Error::other("the lookup was given up, as its arbiter has ended");
        let outcome = told.wait_for(Option::is_some).await.map_err(gone)?.clone();
        let outcome = outcome.unwrap_or_else(|| Ok(Vec::new()));
        outcome.map_err(|(kind, text)| io::Error::new(kind, text))
    }

    /// Has a thread look a name up, when there is one for it.
    async fn begin(self: &Arc<Self>, name: &str) -> io::Result<watched::Receiver<Option<Outcome>>> {
        let thread = self.threads.clone().acquire_owned().await.map_err(io::Error::other)?;
        let mut all = self.running.lock();
        if let Some(told) = all.get(name) {
            return Ok(told.clone());
        }
        let (teller, told) = watched::channel(None);
        all.insert(name.to_owned(), told.clone());
        // A runtime that is shutting down drops what it is given at once, which takes the lock.
        drop(all);
        let running = Running { lookups: self.clone(), name: name.to_owned() };
        spawn_blocking(move || {
            let outcome = (running.lookups.resolve)(&running.name);
            drop(running);
            let outcome = outcome.map_err(|error| (error.kind(), error.to_string()));
            teller.send_replace(Some(outcome));
            drop(thread);
        });
        Ok(told)
    }
}

/// A name while it is looked up, or is about to be.
struct Running {
    lookups: Arc<Lookups>,
    name: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lookups.running.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc, Mutex,
    };

    use futures::future::{join_all, poll_immediate};

    use super::*;

    /// Names that begin with `slow` are found once the sender says so; `nobody` is unknown.
    fn lookups() -> (Arc<Lookups>, mpsc::Sender<()>, Arc<AtomicUsize>) {
        let (go, told) = mpsc::channel();
        let (told, count) = (Mutex::new(told), Arc::new(AtomicUsize::new(0)));
        let counted = count.clone();
        let lookups = Lookups::with(move |name| {
            counted.fetch_add(1, Ordering::SeqCst);
            if name.starts_with("slow") {
                told.lock().unwrap().recv().unwrap();
            }
            match name {
                "nobody:1" => Err(io::Error::new(io::ErrorKind::NotFound, "unknown")),
                _ => Ok(vec![([192, 0, 2, 1], 1).into()]),
            }
        });
        (lookups, go, count)
    }

    #[test]
    fn addresses_of_a_link_name_their_interface() {
        actix_rt::System::new().block_on(async {
            let interface = if cfg!(target_os = "linux") { "lo" } else { "lo0" };
            for (name, scope) in [
                (format!("[fe80::1%{interface}]:80"), 1),
                (format!("fe80::1%{interface}:80"), 1),
                ("[fe80::1%7]:80".into(), 7),
            ] {
                match lookup(&name).await.unwrap()[..] {
                    [SocketAddr::V6(found)] => assert_eq!(found.scope_id(), scope, "{name}"),
                    ref other => panic!("{name}: {other:?}"),
                }
            }
            for name in ["127.0.0.1", "127.0.0.1:http", "[::1]", ""] {
                let error = lookup(name).await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
            }
        });
    }

    #[test]
    fn a_name_is_looked_up_by_one_thread() {
        actix_rt::System::new().block_on(async {
            let (lookups, go, count) = lookups();
            // Those who have given up count no more.
            for _ in 0..300 {
                assert!(poll_immediate(lookups.addresses("slow:1")).await.is_none());
            }
            let asking = join_all((0..300).map(|_| lookups.addresses("slow:1")));
            go.send(()).unwrap();
            assert!(asking.await.iter().all(|found| found.as_ref().unwrap().len() == 1));
            assert_eq!(count.load(Ordering::SeqCst), 1);
            let error = lookups.addresses("nobody:1").await.unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string()),
                (io::ErrorKind::NotFound, "unknown".into())
            );
        });
    }

    #[test]
    fn names_beyond_the_limit_wait_for_a_thread() {
        actix_rt::System::new().block_on(async {
            let (lookups, go, _) = lookups();
            let names: Vec<_> = (0..MAX_LOOKUPS).map(|number| format!("slow{number}:1")).collect();
            let mut all: Vec<_> =
                names.iter().map(|name| Box::pin(lookups.addresses(name))).collect();
            for asking in &mut all {
                assert!(poll_immediate(asking).await.is_none());
            }
            let mut another = Box::pin(lookups.addresses("quick:1"));
            assert!(poll_immediate(&mut another).await.is_none());
            go.send(()).unwrap();
            assert_eq!(another.await.unwrap().len(), 1);
            names.iter().skip(1).for_each(|_| go.send(()).unwrap());
            assert!(join_all(all).await.iter().all(Result::is_ok));
        });
    }
}
