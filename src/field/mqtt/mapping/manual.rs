//! The manual's examples are true: each topic is read, and makes of its messages what is written there.

use super::tests::{mapping, says};

const EN: &str = include_str!("../../../../docs/manual/en/mqtt-mapping.md");
const ZH: &str = include_str!("../../../../docs/manual/zh/mqtt-mapping.md");

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn every_example_of_the_manual_is_true() {
    let (mut topics, mut messages) = (None, 0);
    for (language, block) in blocks(EN) {
        if language == "toml" {
            topics = Some(mapping(block));
        }
        if language != "message" {
            continue;
        }
        let topics = topics.as_ref().expect("a topic above the messages");
        for example in
            block.split_inclusive('\n').collect::<Vec<_>>().chunk_by(|_, line| line.starts_with("=> "))
        {
            let (first, expected) = example.split_first().unwrap();
            let (topic, payload) = first.trim_end().split_once(' ').unwrap();
            let expected: Vec<&str> =
                expected.iter().map(|line| line.trim_end().trim_start_matches("=> ")).collect();
            assert_eq!(says(topics, topic, payload.replace("\\n", "\n").as_bytes()), expected, "{first}");
            messages += 1;
        }
    }
    assert!(messages >= 10, "{messages}");
    assert_eq!(blocks(EN), blocks(ZH), "the examples are the same in both languages");
}
