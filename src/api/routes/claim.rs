//! What a person says of themselves in a request: recorded as claimed, not as known.

use crate::api::error::ApiError;
use crate::api::viewer::Viewer;
use axum::http::StatusCode;

/// The longest name, in characters.
const NAME_MAX: usize = 60;
/// The longest note, in characters.
const NOTE_MAX: usize = 1_000;

/// The name given, or else what is known of the viewer.
pub fn person(viewer: Viewer, by: Option<&str>) -> Result<&str, ApiError> {
    let Some(name) = by.map(str::trim) else { return Ok(viewer.name()) };
    let length = name.chars().count();
    if length == 0 || length > NAME_MAX || name.chars().any(char::is_control) {
        return Err(wrong("by", &format!("1 to {NAME_MAX} characters on one line")));
    }
    Ok(name)
}

/// The note given; an empty one is none.
pub fn note(note: Option<&str>) -> Result<Option<&str>, ApiError> {
    text("note", note)
}

/// The reason given, if there is one.
pub fn reason_given(reason: Option<&str>) -> Result<Option<&str>, ApiError> {
    text("reason", reason)
}

/// The reason, which must be given.
pub fn reason(reason: &str) -> Result<&str, ApiError> {
    let given = text("reason", Some(reason))?;
    given.ok_or_else(|| wrong("reason", &format!("1 to {NOTE_MAX} characters of text")))
}

fn text<'a>(field: &str, text: Option<&'a str>) -> Result<Option<&'a str>, ApiError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    match text {
        Some(text) if text.chars().count() > NOTE_MAX || text.chars().any(control) => {
            Err(wrong(field, &format!("up to {NOTE_MAX} characters of text")))
        }
        text => Ok(text),
    }
}

fn wrong(field: &str, allowed: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_body", format!("The field {field} is not as expected."))
        .hint(format!("It is {allowed}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(person(Viewer::Local, None).unwrap(), "local");
        assert_eq!(person(Viewer::Local, Some(" 李工 ")).unwrap(), "李工");
        assert!(person(Viewer::Local, Some(&"李".repeat(60))).is_ok());
        for wrong in ["", "  ", &"李".repeat(61), "a\nb", "a\u{0}"] {
            assert_eq!(person(Viewer::Local, Some(wrong)).unwrap_err().code, "bad_body", "{wrong:?}");
        }
    }

    #[test]
    fn a_note_may_have_lines_but_no_other_controls() {
        assert_eq!(note(Some(" \n ")).unwrap(), None);
        assert_eq!(note(Some("valve\nreplaced")).unwrap(), Some("valve\nreplaced"));
        assert!(note(Some("a\u{1b}[31m")).is_err());
        assert!(note(Some(&"x".repeat(1_001))).is_err());
    }
}
