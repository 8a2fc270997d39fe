//! What a thing is called, in both languages.

/// A name a person reads. English falls back to Chinese and the other way round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Names {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Names {
    /// Both languages from what was given; `fallback` (an id) if neither was.
    pub fn or_id(zh: Option<String>, en: Option<String>, fallback: &str) -> Names {
        let given = zh.clone().or_else(|| en.clone()).unwrap_or_else(|| fallback.to_owned());
        Names { zh: zh.unwrap_or_else(|| given.clone()), en: en.unwrap_or(given) }
    }
}
