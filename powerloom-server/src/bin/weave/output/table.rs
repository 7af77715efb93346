//! Rows under headings, without lines around them.

use crate::output::ink::Ink;
use crate::output::plain;
use comfy_table::{ContentArrangement, Row, Table as Grid, presets};

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No rows yet.
    pub(crate) fn new(headings: impl IntoIterator<Item = &'static str>) -> Self {
        Self { headings: headings.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row. What it holds is made harmless, and an empty cell shows `-`.
    pub(crate) fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let shown = |cell: C| match cell.as_ref() {
            "" => "-".to_owned(),
            text => plain::line(text).into_owned(),
        };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text, each line with its end; within `width` columns if given, where long cells are cut.
    pub(crate) fn text(&self, width: Option<u16>, ink: Ink) -> String {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING).set_truncation_indicator("…");
        match width {
            Some(width) => grid.set_width(width).set_content_arrangement(ContentArrangement::Dynamic),
            None => grid.set_content_arrangement(ContentArrangement::Disabled),
        };
        grid.set_header(one_line(self.headings.iter().copied()));
        for row in &self.rows {
            grid.add_row(one_line(row.iter().map(String::as_str)));
        }
        for column in grid.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut text = String::new();
        for (index, line) in grid.lines().enumerate() {
            let line = line.trim_end();
            if index == 0 {
                text.push_str(&ink.dim(line))
            } else {
                text.push_str(line)
            }
            text.push('\n');
        }
        text
    }
}

fn one_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> Row {
    let mut row = Row::from(cells.into_iter().collect::<Vec<_>>());
    row.max_height(1);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Table {
        let mut table = Table::new(["NAME", "OU", "ABOUT"]);
        table.row(["ada", "/acme/engineering", "writes programs that weave flowers and leaves"]);
        table.row(["gr\u{1b}[31mace", "/acme", ""]);
        table
    }

    #[test]
    fn a_table_has_no_borders_and_nothing_a_terminal_obeys() {
        insta::assert_snapshot!(people().text(None, Ink::new(false)), @r"
        NAME             OU                 ABOUT
        ada              /acme/engineering  writes programs that weave flowers and leaves
        gr\u{1b}[31mace  /acme              -
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_shorter_cells_and_no_more_lines() {
        let text = people().text(Some(50), Ink::new(false));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 50) && text.contains('…'), "{text}");
    }
}
