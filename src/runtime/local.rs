//! The socket in the data directory, on which the running process hears the verbs of the command
//! line: the same HTTP, for whoever may read the folder's files.

use crate::historian::DataDir;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;
use tokio::net::UnixListener;

/// The socket; its name goes with the value.
#[derive(Debug)]
pub struct LocalSocket {
    path: PathBuf,
}

impl LocalSocket {
    /// Makes the socket anew. Whoever holds the lock of the folder may: what lies there is left
    /// from a process that was killed. It is made in a closed folder and moved, so at no moment
    /// can another user reach it.
    pub fn listen(data: &DataDir) -> io::Result<(LocalSocket, UnixListener)> {
        let path = data.socket();
        let closed = data.root().join(".socket");
        match std::fs::remove_dir_all(&closed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&closed)?;
        let making = closed.join("s");
        let listener = UnixListener::bind(&making);
        let moved = listener.and_then(|listener| {
            std::fs::set_permissions(&making, Permissions::from_mode(0o600))?;
            std::fs::rename(&making, &path)?;
            Ok(listener)
        });
        std::fs::remove_dir_all(&closed)?;
        Ok((LocalSocket { path }, moved?))
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        // A name without a listener harms nobody: the next start replaces it.
        let _gone = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{HttpTimeouts, socket_client};
    use axum::{Router, routing::get};

    #[tokio::test]
    async fn a_socket_of_a_killed_process_is_replaced_and_only_its_owner_may_speak() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDir::open(parent.path()).unwrap();
        let (left, killed) = LocalSocket::listen(&data).unwrap();
        std::mem::forget(left);
        drop(killed);
        let (socket, listener) = LocalSocket::listen(&data).unwrap();
        assert_eq!(std::fs::metadata(data.socket()).unwrap().permissions().mode() & 0o777, 0o600);
        let router = Router::new().route("/", get(|| async { "here" }));
        let client = socket_client(&data.socket(), HttpTimeouts::default()).unwrap();
        tokio::select! {
            answer = client.get("http://localhost/").send() => {
                assert_eq!(answer.unwrap().text().await.unwrap(), "here");
            }
            served = async { axum::serve(listener, router).await } => unreachable!("{served:?}"),
        }
        drop(socket);
        assert!(!data.socket().exists());
    }
}
