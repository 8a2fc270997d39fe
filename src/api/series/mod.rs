//! Series of points for charts and programs: what may be asked, which figures there are, and how
//! the columns of an answer leave.
//!
//! Read in this order: `question` (the parameters and their limits), `figures` (what a bucket
//! comes to on the wire), `table` (columns of one point), `encode` (as JSON and as bytes), `body`
//! (an answer that leaves while it is still being read).

mod question;
mod figures;
mod table;
mod encode;
mod body;

pub use body::stream;
pub use encode::{Encoded, Format, Frame, json};
pub use question::{Asked, Grid, POINTS_MAX, points, span, trust};
pub use table::Table;
