//! A payload that is a table of texts.

use super::ITEMS_MAX;
use csv_core::{ReadRecordResult, ReaderBuilder};

/// Most cells of a line that are looked at.
const CELLS_MAX: usize = 4_096;

/// The lines of a payload.
#[derive(Debug, Default)]
pub struct Table {
    /// All cells one after the other, quotes undone.
    text: String,
    /// Where each cell of each line ends.
    lines: Vec<Vec<usize>>,
    /// There were more lines than are read.
    pub is_cut: bool,
}

impl Table {
    /// Reads all lines; empty ones are none.
    pub fn read(payload: &str, separator: u8) -> Table {
        let mut reader = ReaderBuilder::new().delimiter(separator).build();
        let (mut input, mut out) = (payload.as_bytes(), vec![0; payload.len() + 1]);
        let mut ends = vec![0; CELLS_MAX];
        let (mut written, mut cells, mut table) = (0, 0, Table::default());
        while let (Some(room), Some(free)) = (out.get_mut(written..), ends.get_mut(cells..)) {
            let (result, read, grown, more) = reader.read_record(input, room, free);
            input = input.get(read..).unwrap_or_default();
            written += grown;
            cells += more;
            match result {
                // An end of input ends a line that has no end of its own, when asked once more.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => {
                    // One line more than items, for a line that names the columns.
                    if table.lines.len() > ITEMS_MAX {
                        table.is_cut = true;
                        break;
                    }
                    table.lines.push(ends.get(..cells).unwrap_or_default().to_vec());
                    // Ends count from the beginning of the line.
                    let from = table.text.len();
                    let line = out.get(..written).unwrap_or_default();
                    // Only ASCII was taken out of a text, so that what is left is one.
                    table.text.push_str(&String::from_utf8_lossy(line));
                    if let Some(line) = table.lines.last_mut() {
                        for end in line {
                            *end += from;
                        }
                    }
                    (written, cells) = (0, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    table.is_cut = true;
                    break;
                }
                ReadRecordResult::OutputFull | ReadRecordResult::End => break,
            }
        }
        table
    }

    /// The cells of each line.
    pub fn lines(&self) -> impl Iterator<Item = Vec<&str>> {
        let mut from = 0;
        self.lines.iter().map(move |ends| {
            let cells = ends.iter().map(|end| {
                let cell = self.text.get(from..*end).unwrap_or_default();
                from = *end;
                cell
            });
            cells.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str, separator: u8) -> Vec<Vec<String>> {
        let table = Table::read(payload, separator);
        table.lines().map(|line| line.into_iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn lines_and_cells() {
        assert_eq!(read("t;h\n21,5;48\r\n", b';'), [["t", "h"], ["21,5", "48"]]);
        assert_eq!(read("\"温,度\",\"say \"\"5\"\"\"\n", b','), [["温,度", "say \"5\""]]);
        assert_eq!(read("1,,3", b','), [["1", "", "3"]]);
        assert_eq!(read("\n\n7\n\n", b','), [["7"]]);
        assert_eq!(read("氧\t2\n氮\t3", b'\t'), [["氧", "2"], ["氮", "3"]]);
        assert!(read("", b',').is_empty());
        assert_eq!(read("\"open, never closed\n1", b',').len(), 1);
    }

    #[test]
    fn no_more_lines_and_cells_than_are_read() {
        let long = "1\n".repeat(ITEMS_MAX + 10);
        let table = Table::read(&long, b',');
        assert_eq!((table.lines().count(), table.is_cut), (ITEMS_MAX + 1, true));
        let wide = "1,".repeat(CELLS_MAX + 10);
        let table = Table::read(&wide, b',');
        assert_eq!((table.lines().count(), table.is_cut), (0, true));
    }
}
