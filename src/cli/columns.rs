//! Columns that stay aligned in a terminal, also where a letter is two cells wide.

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of as many cells as there are columns.
#[derive(Debug)]
pub struct Columns {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// No rows yet.
    pub fn new(aligns: &[Align]) -> Columns {
        Columns { aligns: aligns.to_vec(), rows: Vec::new() }
    }

    /// A further row; cells that are left out are empty.
    pub fn push<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// All rows, each behind `indent`, without spaces at their ends.
    pub fn render(&self, indent: &str) -> String {
        let cell = |row: &Vec<String>, index: usize| row.get(index).map_or(0, |text| width(text));
        let widths: Vec<usize> = (0..self.aligns.len())
            .map(|index| self.rows.iter().map(|row| cell(row, index)).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for ((cell, align), room) in row.iter().zip(&self.aligns).zip(&widths) {
                let space = " ".repeat(room.saturating_sub(width(cell)));
                let (before, after) = match align {
                    Align::Left => ("", space.as_str()),
                    Align::Right => (space.as_str(), ""),
                };
                line.extend([before, cell, after, "  "]);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Cells a text takes in a terminal.
pub fn width(text: &str) -> usize {
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

/// The blocks of East Asian width W and F that names of plant can hold (Unicode Annex 11).
pub fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FF60}'
        | '\u{FFE0}'..='\u{FFE6}' | '\u{1F300}'..='\u{1FAFF}' | '\u{20000}'..='\u{3FFFD}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_and_latin_letters_line_up() {
        let mut columns = Columns::new(&[Align::Left, Align::Right, Align::Left]);
        columns.push(["氧气压力", "0.4", "MPa"]);
        columns.push(["power", "118.25", ""]);
        assert_eq!(columns.render("  "), "  氧气压力     0.4  MPa\n  power     118.25\n");
    }
}
