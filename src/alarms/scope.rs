//! Which of all that ever was is asked for: of one asset, within a span of time. Pure.

use crate::point::UtcMs;

/// Of an asset, within a span; what is not said is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only of this asset.
    pub asset: Option<String>,
    /// Only what had not ended before this instant.
    pub from: Option<UtcMs>,
    /// Only what began before this instant.
    pub to: Option<UtcMs>,
}

impl Scope {
    /// Whether something of `asset` that began and perhaps ended then is asked for.
    pub fn holds(&self, asset: &str, began: UtcMs, ended: Option<UtcMs>) -> bool {
        self.asset.as_deref().is_none_or(|own| own == asset)
            && self.from.is_none_or(|from| ended.is_none_or(|ended| from <= ended))
            && self.to.is_none_or(|to| began < to)
    }

    /// The same as a condition over the columns `asset` and those of the two instants, with the
    /// parameters `:asset`, `:from` and `:to`. Written so that an index by asset is used.
    pub fn sql(&self, began: &str, ended: &str) -> String {
        let own = if self.asset.is_some() { "asset = :asset" } else { ":asset IS NULL" };
        format!(
            "{own} AND (:from IS NULL OR {ended} IS NULL OR {ended} >= :from) AND (:to IS NULL OR {began} < :to)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touches_the_span_is_in_it() {
        let scope = Scope { asset: Some("pump".to_owned()), from: Some(UtcMs(10)), to: Some(UtcMs(20)) };
        let table = [
            ("pump", 5, Some(9), false),
            ("pump", 5, Some(10), true),
            ("pump", 5, None, true),
            ("pump", 12, Some(15), true),
            ("pump", 19, None, true),
            ("pump", 20, None, false),
            ("fan", 12, Some(15), false),
        ];
        for (asset, began, ended, asked) in table {
            let found = scope.holds(asset, UtcMs(began), ended.map(UtcMs));
            assert_eq!(found, asked, "{asset} {began} {ended:?}");
            assert!(Scope::default().holds(asset, UtcMs(began), ended.map(UtcMs)));
        }
    }
}
