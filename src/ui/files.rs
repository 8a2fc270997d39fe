//! The embedded files, in memory with their compressed twin, or read from the disk each time.

use axum::http::HeaderValue;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

/// `dashboards/web`; the types are for the type check alone.
#[derive(RustEmbed)]
#[folder = "dashboards/web/"]
#[exclude = "*.d.ts"]
pub(super) struct Web;

/// The page around which all else is loaded; served under the page's own paths only.
const INDEX: &str = "index.html";
/// Files that come as one, in this order: each request costs a phone a trip, and the first screen
/// needs all of them.
const JOINED: [(&str, &[&str]); 1] =
    [("css/first.css", &["css/tokens.css", "css/base.css", "css/parts.css", "css/plant.css"])];
/// Stands in it for the build.
const BUILD_MARK: &str = "__BUILD__";
/// The build of files that may change at any moment.
const DISK_BUILD: &str = "dev";

/// One file, ready to be sent.
#[derive(Clone)]
pub(super) struct File {
    pub(super) plain: Bytes,
    /// Where it is smaller.
    pub(super) gzip: Option<Bytes>,
    pub(super) etag: HeaderValue,
    pub(super) mime: &'static str,
}

/// The set of files.
pub(super) enum Files {
    /// Read once, compressed once.
    Frozen { build: String, index: Option<String>, files: BTreeMap<String, File> },
    /// Read at each request.
    Disk,
}

impl Files {
    /// Everything in memory.
    pub(super) fn frozen() -> Files {
        let mut all = Sha256::new();
        let mut files = BTreeMap::new();
        let mut names: Vec<_> = Web::iter().collect();
        names.sort_unstable();
        for name in names {
            let Some(found) = Web::get(&name) else { continue };
            all.update(name.as_bytes());
            all.update([0]);
            all.update(found.metadata.sha256_hash());
            if name != INDEX {
                let plain = Bytes::from(found.data.into_owned());
                let gzip = gzip(&plain);
                files.insert(name.to_string(), file(&name, found.metadata.sha256_hash(), plain, gzip));
            }
        }
        for (name, parts) in JOINED {
            if let Some(joined) = joined(name, parts) {
                files.insert(name.to_owned(), joined);
            }
        }
        let build = hex(&all.finalize(), 8);
        let index = index(&build);
        Files::Frozen { build, index, files }
    }

    /// Nothing in memory.
    pub(super) fn on_disk() -> Files {
        Files::Disk
    }

    /// The name of this set.
    pub(super) fn build(&self) -> &str {
        match self {
            Files::Frozen { build, .. } => build,
            Files::Disk => DISK_BUILD,
        }
    }

    /// How long a browser may keep an asset.
    pub(super) fn keeping(&self) -> &'static str {
        match self {
            Files::Frozen { .. } => "public, max-age=31536000, immutable",
            Files::Disk => "no-cache",
        }
    }

    /// The page, naming this build.
    pub(super) fn index(&self) -> Option<String> {
        match self {
            Files::Frozen { index, .. } => index.clone(),
            Files::Disk => index(DISK_BUILD),
        }
    }

    /// An asset by its path below `dashboards/web`.
    pub(super) fn get(&self, path: &str) -> Option<File> {
        match self {
            Files::Frozen { files, .. } => files.get(path).cloned(),
            Files::Disk if path == INDEX => None,
            Files::Disk => {
                if let Some((name, parts)) = JOINED.iter().find(|(name, _)| *name == path) {
                    return joined(name, parts);
                }
                let found = Web::get(path)?;
                let plain = Bytes::from(found.data.into_owned());
                // Each time anew, so that what a phone would fetch is measured of a debug build too.
                let gzip = gzip(&plain);
                Some(file(path, found.metadata.sha256_hash(), plain, gzip))
            }
        }
    }
}

fn index(build: &str) -> Option<String> {
    let found = Web::get(INDEX)?;
    Some(String::from_utf8_lossy(&found.data).replace(BUILD_MARK, build))
}

/// Several files as one.
fn joined(name: &str, parts: &[&str]) -> Option<File> {
    let mut plain = Vec::new();
    for part in parts {
        plain.extend_from_slice(&Web::get(part)?.data);
    }
    let (hash, plain) = (Sha256::digest(&plain).into(), Bytes::from(plain));
    let gzip = gzip(&plain);
    Some(file(name, hash, plain, gzip))
}

fn file(name: &str, hash: [u8; 32], plain: Bytes, gzip: Option<Bytes>) -> File {
    let etag = HeaderValue::from_str(&format!("\"{}\"", hex(&hash, 16)))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    File { plain, gzip, etag, mime: mime(name) }
}

/// The first `count` bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8], count: usize) -> String {
    bytes.iter().take(count).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn gzip(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < plain.len()).then(|| Bytes::from(packed))
}

/// By the end of the name: the few kinds the page has.
fn mime(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_kind_the_browser_accepts() {
        let Files::Frozen { files, .. } = Files::frozen() else { panic!("frozen is frozen") };
        let odd: Vec<_> = files
            .iter()
            .filter(|(_, file)| file.mime == "application/octet-stream")
            .map(|(name, _)| name)
            .collect();
        assert!(odd.is_empty(), "{odd:?}");
        assert!(files.len() > 20);
    }

    #[test]
    fn the_build_is_sixteen_digits_and_stays_while_the_files_do() {
        let (one, two) = (Files::frozen(), Files::frozen());
        assert_eq!(one.build(), two.build());
        assert!(one.build().len() == 16 && one.build().bytes().all(|b| b.is_ascii_hexdigit()));
    }
}
