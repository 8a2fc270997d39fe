//! The few shapes a picture is made of, as SVG 1.1. Texts are escaped; sizes are pixels.

use crate::cli::columns::is_wide;
use std::fmt::Write;

/// A picture under way.
#[derive(Debug, Default)]
pub struct Canvas {
    body: String,
    height: f64,
}

/// Where a text stands at its `x`.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// It ends there.
    End,
}

impl Canvas {
    /// A rectangle with rounded corners.
    pub fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64, radius: f64) {
        self.reach(y + height);
        let size = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"");
        self.line(&format!("<rect class=\"{class}\" {size} rx=\"{radius}\"/>"));
    }

    /// The same with a text that a pointer resting on it shows.
    pub fn rect_titled(&mut self, class: &str, [x, y, width, height]: [f64; 4], title: &str) {
        let size = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"");
        self.line(&format!(
            "<rect class=\"{class}\" {size} rx=\"2\"><title>{}</title></rect>",
            escape(title)
        ));
    }

    /// A text on its base line.
    pub fn text(&mut self, class: &str, x: f64, y: f64, anchor: Anchor, text: &str) {
        self.reach(y);
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::End => " text-anchor=\"end\"",
        };
        self.line(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\"{anchor}>{}</text>",
            escape(text)
        ));
    }

    /// A line along a path.
    pub fn path(&mut self, class: &str, path: &str) {
        self.line(&format!("<path class=\"{class}\" d=\"{path}\"/>"));
    }

    /// A dot.
    pub fn dot(&mut self, class: &str, x: f64, y: f64, radius: f64) {
        self.line(&format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"));
    }

    fn line(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    fn reach(&mut self, y: f64) {
        self.height = self.height.max(y);
    }

    /// The whole file: `head` (style and patterns) and what was drawn on a ground of its own.
    pub fn finish(self, title: &str, lang: &str, width: f64, margin: f64, head: &str) -> String {
        let height = self.height + margin;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" xml:lang=\"{lang}\" role=\"img\">\n"
        );
        // Writing to a String cannot fail.
        let _written = writeln!(text, "<title>{}</title>", escape(title));
        text.push_str(head);
        let _written = writeln!(text, "<rect class=\"ground\" width=\"{width:.0}\" height=\"{height:.0}\"/>");
        text.push_str(&self.body);
        text.push_str("</svg>\n");
        text
    }
}

/// As the content of an element or attribute; control characters, which XML 1.0 has no place for,
/// are left out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// About how wide a text is; no fonts are asked, because the picture must not depend on them.
pub fn measure(text: &str, size: f64) -> f64 {
    text.chars().map(|letter| if is_wide(letter) { size } else { size * 0.56 }).sum()
}

/// The text, cut with an ellipsis if it is wider.
pub fn cut(text: &str, size: f64, width: f64) -> String {
    if measure(text, size) <= width {
        return text.to_owned();
    }
    let mut room = width - size;
    let fits = |letter: &char| {
        room -= measure(&letter.to_string(), size);
        room >= 0.0
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// Items in lines of at most that width, with semicolons between them, because names hold commas; what finds no room in so many
/// lines is counted at the end.
pub fn wrap(items: &[&str], size: f64, width: f64, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for (index, item) in items.iter().enumerate() {
        let is_last = index + 1 == items.len();
        let ended = if is_last { (*item).to_owned() } else { format!("{item}; ") };
        // In the last line there must be room to count the rest.
        let is_full = lines.len() >= lines_max;
        let rest = if is_full && !is_last { measure("+999", size) } else { 0.0 };
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() || measure(line, size) + measure(&ended, size) + rest <= width {
            line.push_str(&ended);
        } else if !is_full {
            lines.push(ended);
        } else {
            let rest = format!(" +{}", items.len() - index);
            *line = cut(line.trim_end(), size, width - measure(&rest, size)) + &rest;
            break;
        }
    }
    lines.iter().map(|line| cut(line.trim_end(), size, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_takes_for_itself_is_escaped() {
        assert_eq!(
            escape("<b>\"氧气\" & 'x'\u{7}\n</b>"),
            "&lt;b&gt;&quot;氧气&quot; &amp; &apos;x&apos;&lt;/b&gt;"
        );
    }

    #[test]
    fn lists_are_broken_and_the_rest_is_counted() {
        let items: Vec<&str> = vec!["power"; 20];
        let lines = wrap(&items, 10.0, 120.0, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].ends_with("+12") || lines[2].contains('+'), "{lines:?}");
        assert!(lines.iter().all(|line| measure(line, 10.0) <= 120.0), "{lines:?}");
        assert_eq!(wrap(&["a", "b"], 10.0, 120.0, 3), ["a; b"]);
        assert_eq!(wrap(&["电压电压电压", "b"], 10.0, 60.0, 1), ["电压电… +1"], "cut, and still counted");
        assert_eq!(cut("电压电压电压", 10.0, 40.0), "电压电…");
    }
}
