//! Listening Unix sockets, and their files.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};

/// Connections that wait until they are accepted.
const BACKLOG: i32 = 1024;

/// A socket that listens on a path. Its file is removed when this is dropped, if not before.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The file's number: another process may have put its own in its place.
    file: u64,
}

impl UnixSocket {
    /// Listens on `path`, for those whom the file's `mode` lets in, and does not block.
    ///
    /// A socket that a process has left behind is replaced; one that somebody listens on is not.
    ///
    /// # Errors
    /// If the path is in use, or cannot be bound.
    pub fn bind(path: impl Into<PathBuf>, mode: u32) -> io::Result<Self> {
        let path = path.into();
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let address = SockAddr::unix(&path)?;
        match socket.bind(&address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_behind(&path)? => {
                fs::remove_file(&path)?;
                socket.bind(&address)?;
            }
            bound => bound?,
        }
        // Until the file has its mode, nobody is let in, as the socket does not listen.
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let file = fs::symlink_metadata(&path)?.ino();
        Ok(Self { listener: socket.into(), path, file })
    }

    /// The socket.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, unless another socket has its place: nobody can connect any more.
    pub fn remove_file(&self) {
        let file = fs::symlink_metadata(&self.path);
        if file.is_ok_and(|file| file.ino() == self.file) {
            // What cannot be removed is replaced by the next one that listens there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        self.remove_file();
    }
}

/// Whether a path is that of a socket on which nobody listens.
fn is_left_behind(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Ok(false);
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One that listens and does not accept makes nobody wait.
    socket.set_nonblocking(true)?;
    let connected = socket.connect(&SockAddr::unix(path)?);
    Ok(connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_socket_is_as_its_mode_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = UnixSocket::bind(&path, 0o640).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        UnixStream::connect(socket.path()).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn only_what_was_left_behind_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let first = UnixSocket::bind(&path, 0o600).unwrap();
        assert_eq!(UnixSocket::bind(&path, 0o600).unwrap_err().kind(), ErrorKind::AddrInUse);
        // What a killed process leaves: a file of whose socket nobody knows.
        drop(first);
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let first = UnixSocket::bind(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        let second = UnixSocket::bind(&path, 0o600).unwrap();
        drop(first);
        assert!(path.exists(), "the file of the second is not removed with the first");
        drop(second);
        fs::write(&path, "kept").unwrap();
        UnixSocket::bind(&path, 0o600).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"kept");
    }
}
