//! How the vocabulary is spelled in event bodies, for `#[serde(with = "...")]`.

/// A time as integer milliseconds.
pub mod utc_ms {
    use crate::point::UtcMs;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// As an integer.
    pub fn serialize<S: Serializer>(at: &UtcMs, serializer: S) -> Result<S::Ok, S::Error> {
        at.0.serialize(serializer)
    }

    /// From an integer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcMs, D::Error> {
        i64::deserialize(deserializer).map(UtcMs)
    }
}

/// A time that may be missing, as integer milliseconds or null.
pub mod utc_ms_option {
    use crate::point::UtcMs;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// As an integer or null.
    pub fn serialize<S: Serializer>(at: &Option<UtcMs>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(|at| at.0).serialize(serializer)
    }

    /// From an integer or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcMs>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(UtcMs))
    }
}

/// A name in both languages, as `{"zh": ..., "en": ...}`.
pub mod names {
    use crate::point::Names;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Names")]
    struct Spelling {
        zh: String,
        en: String,
    }

    /// As an object of two texts.
    pub fn serialize<S: Serializer>(names: &Names, serializer: S) -> Result<S::Ok, S::Error> {
        Spelling::serialize(names, serializer)
    }

    /// From an object of two texts.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Names, D::Error> {
        Spelling::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use crate::point::{Names, UtcMs};
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Body {
        #[serde(with = "super::utc_ms")]
        at: UtcMs,
        #[serde(with = "super::utc_ms_option")]
        until: Option<UtcMs>,
        #[serde(with = "super::names")]
        name: Names,
    }

    #[test]
    fn a_body_reads_back() {
        let body =
            Body { at: UtcMs(5), until: None, name: Names { zh: "氧气".into(), en: "Oxygen".into() } };
        let spelled = serde_json::to_value(&body).unwrap();
        assert_eq!(spelled, json!({"at": 5, "until": null, "name": {"zh": "氧气", "en": "Oxygen"}}));
        assert_eq!(serde_json::from_value::<Body>(spelled).unwrap(), body);
    }
}
