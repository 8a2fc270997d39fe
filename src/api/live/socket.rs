//! `/api/v1/live`: the WebSocket.

use super::driver::{Driver, Outgoing};
use crate::api::error::{ApiError, Failure};
use crate::api::state::AppState;
use crate::api::viewer::Viewer;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use std::time::Duration;
use tokio::time::timeout;

/// A client that takes a message no sooner than this is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// The largest message a client may send: a `sub` of 5,000 of the longest addresses, 130 bytes
/// each with quotes and comma.
const MESSAGE_MAX: usize = 5_000 * 130 + 1_024;

/// Follow values and events over a WebSocket
///
/// Text messages, one JSON object each; `t` names the kind. Times are UTC milliseconds.
///
/// The client says `{"t":"hello","v":2,"epoch":null,"seq":null}` first, with the `epoch` and the
/// last event it knows if it comes back; then `{"t":"sub","id":1,"points":["a/b"],"min_ms":1000}`
/// (or `"points":"*"`), `{"t":"unsub","id":1}` and `{"t":"vis","hidden":true}`: hidden, values
/// stop and events go on; shown again, a snapshot comes.
///
/// The server says `hi` (epoch, now, seq of the last event, tz, build); `snap` for each `sub`:
/// parallel lists `points`, `v`, `q` (0 good, 1 uncertain, 2 bad), `r` (reason or null), `at`;
/// `d` with changes: in `d` flat pairs of the place in the subscription minus the place before and
/// the value; in `at` runs of the time minus now and for how many of the pairs in a row; in `q` runs of
/// q, r and for how many; `ev` for every event of the log, in order; `hb` every 5 s; `resync`: drop
/// everything and subscribe again; `err` with id, code and message. Values between two messages
/// are skipped, events never. At most 64 subscriptions and 5,000 points on a connection, 256
/// connections.
#[utoipa::path(
    get,
    path = "/api/v1/live",
    tag = "live",
    responses((status = 101, description = "A WebSocket is open"), Failure)
)]
pub async fn follow_live(
    _viewer: Viewer,
    State(state): State<AppState>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let driver = Driver::open(state.clone()).ok_or_else(full)?;
    let upgrade = upgrade.max_message_size(MESSAGE_MAX).max_frame_size(MESSAGE_MAX);
    let sockets = state.live().sockets.clone();
    Ok(upgrade.on_upgrade(move |socket| sockets.track_future(serve(socket, driver, state))))
}

/// All places are taken.
pub(super) fn full() -> ApiError {
    let message = format!("There are {} live connections already.", super::CONNECTIONS_MAX);
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", message)
        .hint("Close pages that are not needed.")
}

async fn serve(mut socket: WebSocket, mut driver: Driver, state: AppState) {
    let (code, reason) = converse(&mut socket, &mut driver, &state).await;
    let goodbye = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    // A client that is gone does not hear it.
    let _gone = timeout(WRITE_WITHIN, socket.send(goodbye)).await;
}

/// Until one side has had enough; says why.
async fn converse(socket: &mut WebSocket, driver: &mut Driver, state: &AppState) -> (u16, &'static str) {
    loop {
        tokio::select! {
            biased;
            () = state.stop().cancelled() => return (close_code::AWAY, "plantroom stops"),
            // One word at a time: a client that only asks is heard when it has taken the answers.
            received = socket.recv(), if driver.is_idle() => match received {
                Some(Ok(Message::Text(text))) => driver.receive(&text),
                Some(Ok(Message::Binary(_))) => return (close_code::UNSUPPORTED, "text only"),
                // Pings are answered by the protocol itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return (close_code::NORMAL, ""),
                Some(Err(error)) => {
                    tracing::debug!(%error, "A live connection broke.");
                    return (close_code::PROTOCOL, "unreadable");
                }
            },
            next = driver.next() => {
                let Some(Outgoing { text, .. }) = next else { return (close_code::POLICY, "no hello") };
                match timeout(WRITE_WITHIN, socket.send(Message::Text(text.into()))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_gone)) => return (close_code::NORMAL, ""),
                    Err(_slow) => return (close_code::POLICY, "too slow"),
                }
            }
        }
    }
}
