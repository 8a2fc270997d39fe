//! The flow as a tree for a terminal.

use super::Flow;
use super::bars::{Part, Strip, strips};
use crate::cli::columns::width;
use crate::cli::loads::{BusLoad, Group, milliseconds};
use crate::config::Topic;
use crate::point::Address;

/// Most characters of the bars of a table.
const BAR_CHARS: u32 = 48;
/// Names of points in a line before it is broken.
const LINE_CHARS: usize = 76;

/// A line and what hangs below it.
struct Node {
    /// More than one line stays together.
    lines: Vec<String>,
    below: Vec<Node>,
}

impl Node {
    fn new(line: String) -> Node {
        Node { lines: vec![line], below: Vec::new() }
    }
}

/// Draws it.
pub fn draw(flow: &Flow<'_>) -> String {
    let mut top: Vec<Node> = flow.buses.iter().map(|load| bus(flow, load)).collect();
    for broker in &flow.plan.brokers {
        let word = flow.lang.pick("代理", "broker");
        let mut node = Node::new(format!("{word} {}  {}", broker.id, Flow::place_of(broker)));
        node.below = broker.topics.iter().map(|own| topic(flow, own)).collect();
        top.push(node);
    }
    let readings = flow.lang.pick("读数", "readings");
    let mut end = Node::new(format!("{readings} ({})", flow.plan.points.len()));
    let sink = |(title, lines): (String, Vec<String>)| Node::new(format!("{title}: {}", lines.join(", ")));
    end.below = flow.sinks().into_iter().map(sink).collect();
    top.push(end);
    let site = &flow.plan.site;
    let mut text = format!("{}  {}\n", site.id, flow.lang.name(&site.name));
    write(&mut text, "", &top);
    let [read, over, forbidden] = flow.lang.pick(
        ["要读的寄存器", "顺带读过的空档", "禁止读取"],
        ["wanted", "a gap that is read over", "forbidden"],
    );
    let one = flow.lang.pick("一次请求", "one request");
    text + &format!("\n[ ] {one}   █ {read}   ░ {over}   ╳ {forbidden}\n")
}

fn write(text: &mut String, before: &str, nodes: &[Node]) {
    for (index, node) in nodes.iter().enumerate() {
        let is_last = index + 1 == nodes.len();
        let (branch, beside) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let below = format!("{before}{beside}");
        for (line, content) in node.lines.iter().enumerate() {
            let lead = if line == 0 { format!("{before}{branch}") } else { below.clone() };
            text.push_str(format!("{lead}{content}").trim_end());
            text.push('\n');
        }
        write(text, &below, &node.below);
    }
}

fn bus(flow: &Flow<'_>, load: &BusLoad<'_>) -> Node {
    let (word, devices, busy) = flow.lang.pick(("总线", "台设备", "占用"), ("bus", "devices", "busy"));
    let mark = if load.is_overloaded() { "  !" } else { "" };
    let mut node = Node::new(format!(
        "{word} {}  {}  {} {devices}, {busy} {:.1} %{mark}",
        load.bus.id,
        load.bus.link,
        load.bus.devices.len(),
        load.forecast.utilisation_percent
    ));
    node.below = load.groups().iter().map(|group| device(flow, group)).collect();
    node
}

fn device(flow: &Flow<'_>, group: &Group<'_>) -> Node {
    let unit = flow.lang.pick("单元", "unit");
    let mut node = Node::new(format!("{}  {unit} {}", group.title(), group.units()));
    if group.devices.len() > 1 {
        node.lines.push(group.names());
    }
    let Some(first) = group.devices.first() else { return node };
    let (one, many, registers) =
        flow.lang.pick(("次请求", "次请求", "个寄存器"), ("request", "requests", "registers"));
    for class in &group.forecast.classes {
        let mut rate = Node::new(format!(
            "{}: {} {}, {} {registers}, {}",
            flow.rate(class),
            class.requests.len(),
            if class.requests.len() == 1 { one } else { many },
            class.registers,
            milliseconds(class.busy_us)
        ));
        rate.lines.extend(strips(first, class).iter().map(strip));
        node.below.push(rate);
    }
    node.below.extend(readings(flow, first.registers.iter().map(|register| &register.point)));
    node
}

/// `holding   [██░░██] ╳ [█]  0-5, 9-99, 200`.
fn strip(strip: &Strip) -> String {
    let per_char = strip.items().div_ceil(BAR_CHARS).max(1);
    let bars: Vec<String> = strip.parts.iter().map(|part| bar(part, per_char)).collect();
    let ranges: Vec<String> = strip.parts.iter().map(Part::range).collect();
    format!("{:<8} {}  {}", strip.name(), bars.join(" "), ranges.join(", "))
}

fn bar(part: &Part, per_char: u32) -> String {
    let Part::Request { runs, .. } = part else { return "╳".to_owned() };
    let items: Vec<bool> =
        runs.iter().flat_map(|run| std::iter::repeat_n(run.wanted, usize::from(run.count))).collect();
    let per_char = usize::try_from(per_char).unwrap_or(1).max(1);
    // What is wanted must be seen, however narrow it is.
    let letter = |items: &[bool]| if items.contains(&true) { '█' } else { '░' };
    let letters: String = items.chunks(per_char).map(letter).collect();
    format!("[{letters}]")
}

fn topic(flow: &Flow<'_>, topic: &Topic) -> Node {
    let mut node = Node::new(topic.pattern.to_string());
    node.below = readings(flow, flow.points_of(topic).into_iter());
    node
}

/// The points by asset, each asset a node.
fn readings<'a>(flow: &Flow<'a>, points: impl Iterator<Item = &'a Address>) -> Vec<Node> {
    let mut assets: Vec<(&str, Vec<&str>)> = Vec::new();
    for point in points {
        let asset = point.asset.as_str();
        let name = flow.point_name(point);
        match assets.iter_mut().find(|(known, _)| *known == asset) {
            Some((_, names)) => names.push(name),
            None => assets.push((asset, vec![name])),
        }
    }
    let node = |(asset, names): (&str, Vec<&str>)| Node {
        lines: broken(&format!("-> {asset} ({}): {}", names.len(), names.join("; "))),
        below: Vec::new(),
    };
    assets.into_iter().map(node).collect()
}

/// Lines of a list, broken behind semicolons, because names hold commas; those after the first are indented.
fn broken(list: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in list.split_inclusive("; ") {
        match lines.last_mut() {
            Some(line) if width(line) + width(item.trim_end()) <= LINE_CHARS => line.push_str(item),
            Some(_) => lines.push(format!("   {item}")),
            None => lines.push(item.to_owned()),
        }
    }
    lines
}
