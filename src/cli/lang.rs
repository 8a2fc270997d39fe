//! The two languages people are spoken to in.

use crate::point::Names;

/// Which language names and heads of tables are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// Simplified Chinese.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The one of the environment: `LC_ALL` before `LC_MESSAGES` before `LANG` (POSIX.1, 8.2).
    pub fn of_environment() -> Lang {
        Lang::of(|name| std::env::var(name).ok())
    }

    fn of(env: impl Fn(&str) -> Option<String>) -> Lang {
        let set = |name: &&str| env(name).filter(|value| !value.is_empty());
        let value = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).unwrap_or_default();
        if value.starts_with("zh") { Lang::Zh } else { Lang::En }
    }

    /// The name in this language.
    pub fn name(self, names: &Names) -> &str {
        self.pick(&names.zh, &names.en)
    }

    /// One of two texts, or of two rows of texts.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_in_the_order_of_posix() {
        let of = |pairs: &[(&str, &str)]| {
            Lang::of(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[]), Lang::En);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")]), Lang::En);
        assert_eq!(of(&[("LANG", "en_GB"), ("LC_MESSAGES", "zh_CN"), ("LC_ALL", "")]), Lang::Zh);
    }
}
