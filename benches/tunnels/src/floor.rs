//! The floor: the least that a tunnel of two sealing processes can cost.
//!
//! Each process has one thread that reads, seals or opens at most 32 KiB in place with ring's
//! AES-256-GCM, and writes. No routing, no handshake, no flow control of its own, and no
//! multiplexing: each connection of a client has its own between the two. The key is fixed and
//! counters start at zero in every connection, so **it protects nothing**; it prices the work.
//!
//! A record is a four-byte length, the sealed bytes and their tag. The end of a stream is passed on
//! as such. It is fast because it reads and writes as many records as there are with one system
//! call (a tenth less processor time than one by one), and keeps the buffers of ended connections
//! for the next ones.

use crate::tunnel::{parse, Running};
use ockam_actix_harness::{process::Process, role::ready};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, AES_256_GCM};
use std::{
    cell::RefCell,
    io::{self, IoSlice},
    net::{Ipv4Addr, SocketAddr},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        TcpListener, TcpStream,
    },
};

/// Most bytes in a record before it is sealed.
const PLAIN: usize = 32 * 1024;
const LENGTH: usize = 4;
const TAG: usize = 16;
const SEALED: usize = LENGTH + PLAIN + TAG;
/// Most records between a read and a write.
const AT_ONCE: usize = 8;

/// Starts both processes.
pub(crate) fn start(target: SocketAddr) -> io::Result<Running> {
    let (exit, middle) = Process::role("exit", "floor-exit", &[&target.to_string()])?;
    let (entry, listen) = Process::role("entry", "floor-entry", &[&middle])?;
    Running::when_ready(parse(&listen)?, vec![entry, exit], None)
}

/// Role `floor-entry`: seals what clients send to `exit`, and opens what comes back.
pub(crate) fn run_entry(exit: &str) -> io::Result<()> {
    run(exit, |client, exit| Pair { plain: client, sealed: exit })
}

/// Role `floor-exit`: opens what the entry sends for `target`, and seals what comes back.
pub(crate) fn run_exit(target: &str) -> io::Result<()> {
    run(target, |entry, target| Pair { plain: target, sealed: entry })
}

/// The two connections that one stream consists of in one process.
struct Pair {
    plain: TcpStream,
    sealed: TcpStream,
}

fn run(next: &str, pair: fn(TcpStream, TcpStream) -> Pair) -> io::Result<()> {
    let next = parse(next)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        ready(listener.local_addr()?)?;
        loop {
            let (accepted, _) = listener.accept().await?;
            tokio::spawn(async move {
                // An error ends this stream, which its client sees; there is nobody else to tell.
                if let Ok(made) = TcpStream::connect(next).await {
                    let _ = carry(pair(accepted, made)).await;
                }
            });
        }
    })
}

async fn carry(pair: Pair) -> io::Result<()> {
    pair.plain.set_nodelay(true)?;
    pair.sealed.set_nodelay(true)?;
    let (plain_in, plain_out) = pair.plain.into_split();
    let (sealed_in, sealed_out) = pair.sealed.into_split();
    // Dropping a writing half, at the end of either task, ends that direction.
    tokio::spawn(open_records(sealed_in, plain_out));
    seal_records(plain_in, sealed_out).await
}

async fn seal_records(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let mut cipher = Cipher::new()?;
    let mut buffer = Buffer::take();
    let mut edges = [([0; LENGTH], [0; TAG]); AT_ONCE];
    loop {
        let count = from.read(&mut buffer.0[..AT_ONCE * PLAIN]).await?;
        if count == 0 {
            return Ok(());
        }
        let mut slices = Vec::with_capacity(3 * AT_ONCE);
        for (plain, (length, tag)) in buffer.0[..count].chunks_mut(PLAIN).zip(&mut edges) {
            *length = ((plain.len() + TAG) as u32).to_be_bytes();
            *tag = cipher.seal(plain)?;
            slices.extend([IoSlice::new(length), IoSlice::new(plain), IoSlice::new(tag)]);
        }
        write_all(&mut to, &mut slices).await?;
    }
}

async fn open_records(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let mut cipher = Cipher::new()?;
    let mut buffer = Buffer::take();
    let mut filled = 0;
    loop {
        let count = from.read(&mut buffer.0[filled..]).await?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        let (used, mut slices) = open_whole(&mut cipher, &mut buffer.0[..filled])?;
        write_all(&mut to, &mut slices).await?;
        buffer.0.copy_within(used..filled, 0);
        filled -= used;
    }
}

/// Opens the whole records at the start of `bytes` in place; returns how long they are, and their
/// plain bytes.
fn open_whole<'a>(
    cipher: &mut Cipher,
    bytes: &'a mut [u8],
) -> io::Result<(usize, Vec<IoSlice<'a>>)> {
    let mut opened = Vec::with_capacity(AT_ONCE);
    let mut used = 0;
    let mut rest = bytes;
    while let Some((length, sealed)) = rest.split_first_chunk_mut::<LENGTH>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((record, after)) = sealed.split_at_mut_checked(length) else {
            break;
        };
        opened.push(IoSlice::new(cipher.open(record)?));
        used += LENGTH + length;
        rest = after;
    }
    Ok((used, opened))
}

async fn write_all(to: &mut OwnedWriteHalf, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        let written = to.write_vectored(slices).await?;
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

thread_local! {
    static UNUSED: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer for [`AT_ONCE`] records, which returns to a stack of unused ones when it is dropped:
/// getting so much memory from the system, and giving it back, would cost a new connection more
/// than all the rest.
struct Buffer(Vec<u8>);

impl Buffer {
    fn take() -> Self {
        Self(UNUSED.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; AT_ONCE * SEALED]))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        UNUSED.with_borrow_mut(|unused| unused.push(std::mem::take(&mut self.0)));
    }
}

/// One direction of one stream: the key, and the counter that no two records share.
struct Cipher {
    key: LessSafeKey,
    counter: u64,
}

impl Cipher {
    fn new() -> io::Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32])
            .map_err(|_| io::Error::other("ring refuses the key"))?;
        Ok(Self { key: LessSafeKey::new(key), counter: 0 })
    }

    fn next_nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&mut self, plain: &mut [u8]) -> io::Result<[u8; TAG]> {
        let nonce = self.next_nonce();
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), plain);
        let tag = tag.map_err(|_| io::Error::other("ring cannot seal"))?;
        tag.as_ref()
            .try_into()
            .map_err(|_| io::Error::other("the tag of AES-256-GCM is not 16 bytes long"))
    }

    fn open<'a>(&mut self, sealed: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let nonce = self.next_nonce();
        let plain = self.key.open_in_place(nonce, Aad::empty(), sealed);
        plain.map(|plain| &*plain).map_err(|_| io::Error::other("a record does not open"))
    }
}
