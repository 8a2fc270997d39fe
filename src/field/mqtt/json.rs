//! Several JSON pointers (RFC 6901) looked up in one pass over a message, digits untouched.
//!
//! The wanted pointers form a tree that walks along with the parser: what no pointer asks for is
//! skipped without building it, and what one asks for is kept as the text that stood in the
//! message, so `12.50` stays `12.50` and never passes through a binary float. Pure.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What has no members.
macro_rules! no_members {
    ($($name:ident: $kind:ty),*) => {
        $(fn $name<E: Error>(self, _: $kind) -> Result<Self::Value, E> { Ok(None) })*
    };
}

/// The pointers of one topic, each by its position in the list it was made of.
#[derive(Debug, Default)]
pub struct Pointers {
    root: Node,
    count: usize,
}

/// Not a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer is empty or begins with '/', and '~' stands only in '~0' and '~1' (RFC 6901)")]
pub struct PointerError;

impl Pointers {
    /// Adds a pointer and gives its position.
    pub fn add(&mut self, pointer: &str) -> Result<usize, PointerError> {
        let mut node = &mut self.root;
        if !pointer.is_empty() {
            for token in pointer.strip_prefix('/').ok_or(PointerError)?.split('/') {
                node = node.child_mut(unescape(token)?);
            }
        }
        node.slots.push(self.count);
        self.count += 1;
        Ok(self.count - 1)
    }

    /// Whether anything is looked for.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The text each pointer leads to, by position; none where the message has no such member.
    /// An error means that the message as a whole is not JSON.
    pub fn find<'m>(&self, message: &'m str) -> Result<Vec<Option<&'m str>>, serde_json::Error> {
        let mut found = vec![None; self.count];
        let mut parser = serde_json::Deserializer::from_str(message);
        Walk { node: &self.root, found: &mut found }.deserialize(&mut parser)?;
        parser.end()?;
        Ok(found)
    }
}

/// The members of a list or an object as they stand in the message, each with its name; those of a
/// list are numbered from 0. At most `most` of them, and whether there are more; none for what is
/// neither.
pub fn members(json: &str, most: usize) -> Option<(Vec<Member<'_>>, bool)> {
    let mut parser = serde_json::Deserializer::from_str(json);
    parser.deserialize_any(Members { most }).ok().flatten()
}

/// A member of a list or an object.
pub type Member<'m> = (Cow<'m, str>, &'m str);

struct Members {
    most: usize,
}

impl<'m> Visitor<'m> for Members {
    type Value = Option<(Vec<Member<'m>>, bool)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_map<A: MapAccess<'m>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut more) = (Vec::new(), false);
        while let Some(key) = map.next_key_seed(Text)? {
            let member = map.next_value::<&'m RawValue>()?.get();
            if found.len() < self.most {
                found.push((key, member));
            } else {
                more = true;
            }
        }
        Ok(Some((found, more)))
    }

    fn visit_seq<A: SeqAccess<'m>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut more) = (Vec::new(), false);
        while let Some(item) = items.next_element::<&'m RawValue>()? {
            if found.len() < self.most {
                found.push((Cow::Owned(found.len().to_string()), item.get()));
            } else {
                more = true;
            }
        }
        Ok(Some((found, more)))
    }

    no_members!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A name, borrowed where no escape stands in it.
struct Text;

impl<'m> DeserializeSeed<'m> for Text {
    type Value = Cow<'m, str>;

    fn deserialize<D: Deserializer<'m>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'m> Visitor<'m> for Text {
    type Value = Cow<'m, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'m str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

fn unescape(token: &str) -> Result<String, PointerError> {
    let mut text = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError),
            },
            plain => plain,
        });
    }
    Ok(text)
}

#[derive(Debug, Default)]
struct Node {
    /// Positions of the pointers that end here.
    slots: Vec<usize>,
    children: BTreeMap<String, Child>,
}

#[derive(Debug)]
struct Child {
    /// The key as an array index, where it is one: digits without a leading zero.
    index: Option<usize>,
    node: Node,
}

impl Node {
    fn child_mut(&mut self, key: String) -> &mut Node {
        let digits = key.bytes().all(|b| b.is_ascii_digit()) && (key == "0" || !key.starts_with('0'));
        let index = if digits { key.parse().ok() } else { None };
        &mut self.children.entry(key).or_insert_with(|| Child { index, node: Node::default() }).node
    }

    fn item(&self, index: usize) -> Option<&Node> {
        self.children.values().find(|child| child.index == Some(index)).map(|child| &child.node)
    }
}

struct Walk<'w, 'm> {
    node: &'w Node,
    found: &'w mut Vec<Option<&'m str>>,
}

impl<'m> DeserializeSeed<'m> for Walk<'_, 'm> {
    type Value = ();

    fn deserialize<D: Deserializer<'m>>(self, parser: D) -> Result<(), D::Error> {
        if self.node.slots.is_empty() {
            return parser.deserialize_any(self);
        }
        let text = <&'m RawValue as serde::Deserialize>::deserialize(parser)?.get();
        for slot in &self.node.slots {
            if let Some(entry) = self.found.get_mut(*slot) {
                *entry = Some(text);
            }
        }
        if self.node.children.is_empty() {
            return Ok(());
        }
        // A pointer ends here and another goes on below: walk the kept text once more.
        serde_json::Deserializer::from_str(text).deserialize_any(self).map_err(D::Error::custom)
    }
}

/// Values no pointer can go into are passed over.
macro_rules! pass_over {
    ($($name:ident: $kind:ty),*) => {
        $(fn $name<E: Error>(self, _: $kind) -> Result<(), E> { Ok(()) })*
    };
}

impl<'m> Visitor<'m> for Walk<'_, 'm> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    pass_over!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'m>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(wanted) = members.next_key_seed(Key(self.node))? {
            match wanted {
                Some(node) => members.next_value_seed(Walk { node, found: self.found })?,
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'m>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            let more = match self.node.item(index) {
                Some(node) => items.next_element_seed(Walk { node, found: self.found })?.is_some(),
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

/// Reads a member's name and says which of the wanted ones it is.
struct Key<'w>(&'w Node);

impl<'m, 'w> DeserializeSeed<'m> for Key<'w> {
    type Value = Option<&'w Node>;

    fn deserialize<D: Deserializer<'m>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'w> Visitor<'_> for Key<'w> {
    type Value = Option<&'w Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.children.get(name).map(|child| &child.node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn find<'m>(pointers: &[&str], message: &'m str) -> Vec<Option<&'m str>> {
        let mut wanted = Pointers::default();
        for pointer in pointers {
            wanted.add(pointer).unwrap();
        }
        wanted.find(message).unwrap()
    }

    #[test]
    fn finds_members_items_and_the_whole_with_their_digits() {
        let message = r#" {"t": 12.50, "a": [1, {"b/c": 1e3}], "~": "x", "": null} "#;
        assert_eq!(
            find(&["/t", "/a/1/b~1c", "/~0", "/", "/a", "/a/1", "/a/01", "/a/2", "/t/x", "/no"], message),
            [
                Some("12.50"),
                Some("1e3"),
                Some("\"x\""),
                Some("null"),
                Some(r#"[1, {"b/c": 1e3}]"#),
                Some(r#"{"b/c": 1e3}"#),
                None,
                None,
                None,
                None
            ]
        );
        assert_eq!(find(&[""], "3.0"), [Some("3.0")]);
    }

    #[test]
    fn an_escaped_member_name_is_found() {
        assert_eq!(find(&["/温度"], r#"{"\u6e29\u5ea6": 4}"#), [Some("4")]);
    }

    #[test]
    fn members_of_lists_and_objects() {
        let all = |json, most| {
            let (members, more) = members(json, most)?;
            let owned = members.into_iter().map(|(key, json)| format!("{key}={json}"));
            Some((owned.collect::<Vec<_>>().join(" "), more))
        };
        assert_eq!(all(r#"[1.50, {"a":2}]"#, 9), Some((r#"0=1.50 1={"a":2}"#.into(), false)));
        assert_eq!(all(r#"{"\u6e29":1,"b":"x","c":null}"#, 2), Some((r#"温=1 b="x""#.into(), true)));
        assert_eq!(all("[]", 9), Some((String::new(), false)));
        for neither in ["1", "\"x\"", "null", "true", "-1.5", ""] {
            assert_eq!(all(neither, 9), None, "{neither}");
        }
    }

    #[test]
    fn refuses_what_is_no_pointer_and_what_is_no_json() {
        for wrong in ["t", "/~", "/~2", "/a~"] {
            assert_eq!(Pointers::default().add(wrong), Err(PointerError), "{wrong}");
        }
        let mut wanted = Pointers::default();
        wanted.add("/t").unwrap();
        let deep = "[".repeat(100_000);
        for wrong in ["", "{", r#"{"t": 1"#, r#"{"t": 1} x"#, r#"{"t": 01}"#, r#"{"t": NaN}"#, &deep] {
            assert!(wanted.find(wrong).is_err(), "{wrong:.20}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ab~/01\"]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ab~/01]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// serde_json's own pointer, on a tree it built, is the oracle.
        #[test]
        fn agrees_with_serde_json(value in json(), pointers in prop::collection::vec("(/([ab01]|~0|~1){0,2}){0,3}", 1..6)) {
            let message = value.to_string();
            let wanted: Vec<&str> = pointers.iter().map(String::as_str).collect();
            for (pointer, text) in wanted.iter().zip(find(&wanted, &message)) {
                let ours = text.map(|text| serde_json::from_str::<Value>(text).unwrap());
                prop_assert_eq!(ours.as_ref(), value.pointer(pointer), "{}", pointer);
            }
        }
    }
}
