//! An answer that leaves while the rest of it is still being read.

use crate::api::error::ApiError;
use crate::historian::{Answers, HistoryError};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::unfold;

/// Handed on at a time, so that compressing a long part does not hold up others. Bytes.
const PIECE_BYTES: usize = 64 * 1_024;

/// What is left to be sent.
struct Rest {
    ready: Bytes,
    answers: Answers<Vec<u8>>,
    /// Behind the last answer; none when it was sent, too.
    close: Option<&'static str>,
}

/// `open`, the answers and `close`, one behind the other. A failure before the first answer is
/// told as such; one behind it ends the body early, which the client sees.
pub async fn stream(
    open: Vec<u8>,
    mut answers: Answers<Vec<u8>>,
    close: &'static str,
) -> Result<Body, ApiError> {
    let mut ready = BytesMut::from(open.as_slice());
    if let Some(first) = answers.next().await {
        ready.extend_from_slice(&first?);
    }
    let rest = Rest { ready: ready.freeze(), answers, close: Some(close) };
    let pieces = unfold(rest, |mut rest| async move {
        Some(match rest.piece().await? {
            Ok(piece) => (Ok(piece), rest),
            Err(error) => {
                tracing::error!(error = %error, "An answer was broken off.");
                (Err(error), Rest { ready: Bytes::new(), close: None, ..rest })
            }
        })
    });
    // A compressed body is asked once more behind its end.
    Ok(Body::from_stream(pieces.fuse()))
}

impl Rest {
    async fn piece(&mut self) -> Option<Result<Bytes, HistoryError>> {
        while self.ready.is_empty() {
            self.ready = match self.answers.next().await {
                Some(Ok(answer)) => Bytes::from(answer),
                Some(Err(error)) => return Some(Err(error)),
                None => Bytes::from_static(self.close.take()?.as_bytes()),
            };
        }
        Some(Ok(self.ready.split_to(self.ready.len().min(PIECE_BYTES))))
    }
}
