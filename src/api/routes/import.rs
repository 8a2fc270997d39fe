//! `/api/v1/import`: readings from a file, for the verb `import`; heard on the local socket only.

use crate::api::error::ApiError;
use crate::api::extract::Body;
use crate::api::viewer::Viewer;
use crate::historian::Importer;
use crate::historian::import::{ImportError, Row, Taken};
use crate::point::UtcMs;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

/// Some rows.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RowsWire {
    rows: Vec<RowWire>,
}

/// A reading in words.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RowWire {
    point: String,
    at: i64,
    value: Option<String>,
    quality: String,
}

/// What became of them.
#[derive(Debug, Deserialize, Serialize)]
pub struct TakenWire {
    /// New readings, on disk.
    pub stored: usize,
    /// Rows that were there already.
    pub known: usize,
}

impl RowsWire {
    /// Rows as they travel.
    pub fn of(rows: &[Row]) -> RowsWire {
        let wire = |row: &Row| RowWire {
            point: row.point.to_string(),
            at: row.at.0,
            value: row.value.clone(),
            quality: row.quality.to_string(),
        };
        RowsWire { rows: rows.iter().map(wire).collect() }
    }

    fn read(self) -> Result<Vec<Row>, ApiError> {
        let wrong = |name, found: &str| ApiError::parameter(name, found, "as `plantroom import` writes it");
        let row = |row: RowWire| {
            Ok(Row {
                point: row.point.parse().map_err(|_| wrong("point", &row.point))?,
                at: UtcMs(row.at),
                quality: row.quality.parse().map_err(|_| wrong("quality", &row.quality))?,
                value: row.value,
            })
        };
        self.rows.into_iter().map(row).collect()
    }
}

/// Takes readings in; answers when they are on disk.
pub async fn import_readings(
    _viewer: Viewer,
    State(importer): State<Importer>,
    Body(body): Body<RowsWire>,
) -> Result<Json<TakenWire>, ApiError> {
    let Taken { stored, known } = importer.take(&body.read()?).await.map_err(|error| refusal(&error))?;
    Ok(Json(TakenWire { stored, known }))
}

fn refusal(error: &ImportError) -> ApiError {
    match error {
        ImportError::TooMany(_) | ImportError::Row { .. } => {
            ApiError::new(StatusCode::BAD_REQUEST, "bad_rows", format!("{error}."))
        }
        ImportError::Stopped => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", format!("{error}."))
        }
        ImportError::Catalogue(_) | ImportError::History(_) => ApiError::internal(error),
    }
}
