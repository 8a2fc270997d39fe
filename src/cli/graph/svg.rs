//! The flow as a picture for a browser or a wall: sources, devices with their requests, readings,
//! and what becomes of them, from left to right.

use super::Flow;
use super::bars::{Part, Run, Strip, strips};
use super::canvas::{Anchor, Canvas, cut, measure, wrap};
use crate::cli::lang::Lang;
use crate::cli::loads::{BusLoad, Group, line_settings, milliseconds};
use crate::config::{Broker, Column, Topic, Where};
use crate::point::Address;
use std::collections::BTreeSet;

const WIDTH: f64 = 1_560.0;
const MARGIN: f64 = 40.0;
/// Left edge and width of the columns.
const SOURCE: (f64, f64) = (MARGIN, 210.0);
const DEVICE: (f64, f64) = (310.0, 660.0);
const READING: (f64, f64) = (1_002.0, 246.0);
const SINK: (f64, f64) = (1_320.0, 200.0);
/// Where the line of a bus and that of all readings run.
const BUS_X: f64 = 280.0;
const COLLECTOR_X: f64 = 1_284.0;
const TOP: f64 = 156.0;
const GAP: f64 = 16.0;
const PAD: f64 = 16.0;
/// Room before the bars for the rate and its table, and behind them for the time they take.
const RATE_WIDTH: f64 = 104.0;
const TIME_WIDTH: f64 = 72.0;
const BAR_HEIGHT: f64 = 15.0;
/// A bar with its addresses below.
const BAR_LINE: f64 = 36.0;
const NAME_LINE: f64 = 15.5;
/// Where a device's lines begin to be bars.
const HEAD_HEIGHT: f64 = 54.0;
const BAR_GAP: f64 = 10.0;
/// Pixels of an address: the most, so that a single register is no plank, and the least.
const SCALE: (f64, f64) = (9.0, 0.5);
const BAR_MIN: f64 = 6.0;
const SMALL: f64 = 11.5;

const HEAD: &str = "<style>
svg{--ground:#f7f6f2;--card:#ffffff;--ink:#1b2530;--soft:#5c6977;--edge:#cfd5db;--read:#3d5a78;--over:#9fb2c4;--alarm:#c2261a;
font-family:system-ui,'Segoe UI','Noto Sans','Noto Sans CJK SC','PingFang SC','Microsoft YaHei','WenQuanYi Micro Hei',sans-serif}
@media (prefers-color-scheme:dark){svg{--ground:#11161c;--card:#1a2129;--ink:#e7ecf1;--soft:#98a5b3;--edge:#35414d;--read:#8fb4da;--over:#50677e;--alarm:#ff7a6b}}
.ground{fill:var(--ground)}
.card{fill:var(--card);stroke:var(--edge)}
.wire{fill:none;stroke:var(--soft);stroke-width:1.5}
.line{fill:none;stroke:var(--ink);stroke-width:3;stroke-linecap:round}
.tip,.tap{fill:var(--ink)}
.site{font-size:32px;font-weight:650;fill:var(--ink)}
.sub{font-size:15px;fill:var(--soft)}
.big{font-size:24px;font-weight:600;fill:var(--ink)}
.column{font-size:12px;letter-spacing:.08em;fill:var(--soft)}
.title{font-size:15px;font-weight:600;fill:var(--ink)}
.text{font-size:12px;fill:var(--ink)}
.small{font-size:11.5px;fill:var(--soft)}
.address{font-size:10.5px;fill:var(--soft);font-variant-numeric:tabular-nums}
.track{fill:var(--edge)}
.read{fill:var(--read)}
.over{fill:url(#over)}
.forbidden{fill:url(#forbidden);stroke:var(--soft)}
.request{fill:none;stroke:var(--read)}
.hatch{stroke:var(--over);stroke-width:2}
.cross{stroke:var(--soft);fill:none}
.alarm{fill:var(--alarm);font-weight:700}
</style>
<defs>
<pattern id=\"over\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M0 0V5\"/></pattern>
<pattern id=\"forbidden\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path class=\"cross\" d=\"M0 0L6 6M6 0L0 6\"/></pattern>
</defs>
";

/// Draws it.
pub fn draw<'a>(flow: &'a Flow<'a>) -> String {
    let mut picture = Picture { canvas: Canvas::default(), flow, y: TOP, taken: Vec::new() };
    picture.header();
    for load in &flow.buses {
        picture.bus(load);
    }
    for broker in &flow.plan.brokers {
        picture.broker(broker);
    }
    picture.sinks();
    picture.legend();
    let lang = flow.lang.pick("zh-CN", "en");
    let title = format!("{} - plantroom", flow.lang.name(&flow.plan.site.name));
    picture.canvas.finish(&title, lang, WIDTH, MARGIN, HEAD)
}

struct Picture<'a> {
    canvas: Canvas,
    flow: &'a Flow<'a>,
    /// Where the next card begins.
    y: f64,
    /// Middles of the readings, which all lead to the collector.
    taken: Vec<f64>,
}

/// A device, a group of them, or a topic: a card with what it gives on the right.
struct Card<'a> {
    title: String,
    subtitle: String,
    /// More than one is meant.
    is_stack: bool,
    rates: Vec<RateLines>,
    points: Vec<&'a Address>,
    /// Each point stands for so many.
    times: usize,
}

/// A rate with its bars, in lines.
struct RateLines {
    every: String,
    busy: String,
    lines: Vec<(&'static str, Vec<Placed>)>,
}

/// A bar with its place in the line.
struct Placed {
    x: f64,
    width: f64,
    part: Part,
}

impl<'a> Picture<'a> {
    fn header(&mut self) {
        let (flow, lang) = (self.flow, self.flow.lang);
        let site = &flow.plan.site;
        let canvas = &mut self.canvas;
        canvas.text("site", MARGIN, 70.0, Anchor::Start, lang.name(&site.name));
        let what = lang.pick("读什么,怎样读,到哪里去", "what is read, in which requests, and where it goes");
        canvas.text("sub", MARGIN, 96.0, Anchor::Start, &format!("{} · {what}", site.id));
        let devices: usize = flow.plan.buses.iter().map(|bus| bus.devices.len()).sum();
        let per_s: f64 = flow.buses.iter().map(|load| load.forecast.requests_per_s).sum();
        let totals = [
            (format!("{per_s:.1}"), lang.pick("次请求/秒", "requests/s")),
            (flow.plan.points.len().to_string(), lang.pick("个点", "points")),
            (devices.to_string(), lang.pick("台 Modbus 设备", "Modbus devices")),
        ];
        let mut x = WIDTH - MARGIN;
        for (number, word) in totals {
            canvas.text("big", x, 70.0, Anchor::End, &number);
            canvas.text("sub", x, 94.0, Anchor::End, word);
            x -= 150.0;
        }
        let columns = [
            (SOURCE.0, "总线与代理", "BUSES AND BROKERS"),
            (DEVICE.0, "设备与请求", "DEVICES AND REQUESTS"),
            (READING.0, "读数", "READINGS"),
            (SINK.0, "去向", "WHERE THEY GO"),
        ];
        for (x, zh, en) in columns {
            canvas.text("column", x, TOP - 18.0, Anchor::Start, lang.pick(zh, en));
        }
    }

    fn bus(&mut self, load: &'a BusLoad<'a>) {
        let top = self.y;
        let groups = load.groups();
        let taps: Vec<f64> = groups.iter().map(|group| self.card(&device_card(self.flow, group))).collect();
        self.source(top, &taps);
        self.bus_card(load, top);
        self.y = self.y.max(top + 124.0 + GAP) + GAP;
    }

    fn bus_card(&mut self, load: &BusLoad<'_>, top: f64) {
        let lang = self.flow.lang;
        let (x, width) = SOURCE;
        let inner = width - 2.0 * PAD;
        let canvas = &mut self.canvas;
        canvas.rect("card", x, top, width, 124.0, 8.0);
        let left = x + PAD;
        canvas.text("title", left, top + 26.0, Anchor::Start, &cut(load.bus.id.as_str(), 15.0, inner));
        let link = load.bus.link.to_string();
        let place = link.split('?').next().unwrap_or_default();
        let settings = load.bus.link.serial().map(line_settings).unwrap_or_default();
        canvas.text("small", left, top + 44.0, Anchor::Start, &cut(place, SMALL, inner));
        canvas.text("small", left, top + 59.0, Anchor::Start, &cut(&settings, SMALL, inner));
        let percent = load.forecast.utilisation_percent;
        let filled = (percent / 100.0).clamp(0.0, 1.0) * inner;
        let (class, mark) = if load.is_overloaded() { ("alarm", "! ") } else { ("read", "") };
        canvas.rect("track", left, top + 74.0, inner, 8.0, 4.0);
        canvas.rect(class, left, top + 74.0, filled.max(3.0), 8.0, 4.0);
        let busy = format!("{mark}{} {percent:.1} %", lang.pick("占用", "busy"));
        let class = if load.is_overloaded() { "text alarm" } else { "text" };
        canvas.text(class, left, top + 100.0, Anchor::Start, &busy);
        let per_s = load.forecast.requests_per_s;
        let rate = format!("{per_s:.1} {}", lang.pick("次请求/秒", "requests/s"));
        canvas.text("small", left, top + 115.0, Anchor::Start, &rate);
    }

    fn broker(&mut self, broker: &Broker) {
        let top = self.y;
        let flow = self.flow;
        let taps: Vec<f64> = broker.topics.iter().map(|topic| self.card(&topic_card(flow, topic))).collect();
        self.source(top, &taps);
        let (x, width) = SOURCE;
        let canvas = &mut self.canvas;
        canvas.rect("card", x, top, width, 78.0, 8.0);
        canvas.text("title", x + PAD, top + 26.0, Anchor::Start, broker.id.as_str());
        let place = cut(&Flow::place_of(broker), SMALL, width - 2.0 * PAD);
        canvas.text("small", x + PAD, top + 44.0, Anchor::Start, &place);
        canvas.text("small", x + PAD, top + 61.0, Anchor::Start, "MQTT");
        self.y = self.y.max(top + 78.0 + GAP) + GAP;
    }

    /// The line of a bus, with a tap to each of its devices.
    fn source(&mut self, top: f64, taps: &[f64]) {
        let begin = top + 21.0;
        let end = taps.iter().fold(begin, |end, tap| end.max(*tap));
        let edge = SOURCE.0 + SOURCE.1;
        self.canvas.path("line", &format!("M{edge:.1} {begin:.1}H{BUS_X:.1}V{end:.1}"));
        for tap in taps {
            self.canvas.path("wire", &format!("M{BUS_X:.1} {tap:.1}H{:.1}", DEVICE.0));
            self.canvas.dot("tap", BUS_X, *tap, 4.0);
        }
    }

    /// Draws a card and its readings; gives the height of its tap.
    fn card(&mut self, card: &Card<'a>) -> f64 {
        let (x, width) = DEVICE;
        let y = self.y;
        let lines: usize = card.rates.iter().map(|rate| rate.lines.len()).sum();
        let height = float(lines) * BAR_LINE + HEAD_HEIGHT + 4.0;
        let height = height.max(94.0);
        if card.is_stack {
            for offset in [8.0, 4.0] {
                self.canvas.rect("card", x + offset, y + offset, width - 8.0, height, 8.0);
            }
        }
        let width = if card.is_stack { width - 8.0 } else { width };
        self.canvas.rect("card", x, y, width, height, 8.0);
        let inner = width - 2.0 * PAD;
        self.canvas.text("title", x + PAD, y + 26.0, Anchor::Start, &cut(&card.title, 15.0, inner));
        self.canvas.text("small", x + PAD, y + 43.0, Anchor::Start, &cut(&card.subtitle, SMALL, inner));
        let mut below = y + HEAD_HEIGHT;
        for rate in &card.rates {
            self.canvas.text("text", x + PAD, below + 12.0, Anchor::Start, &rate.every);
            self.canvas.text("small", x + PAD + inner, below + 12.0, Anchor::End, &rate.busy);
            for (table, bars) in &rate.lines {
                self.canvas.text("small", x + PAD, below + BAR_HEIGHT + 12.5, Anchor::Start, table);
                for bar in bars {
                    self.bar(table, bar, below);
                }
                below += BAR_LINE;
            }
        }
        self.readings(card, y, height);
        self.y += height + GAP + if card.is_stack { 8.0 } else { 0.0 };
        y + 21.0
    }

    fn bar(&mut self, table: &str, bar: &Placed, y: f64) {
        let canvas = &mut self.canvas;
        let range = bar.part.range();
        let at = |x: f64, width: f64| [x, y, width, BAR_HEIGHT];
        let lang = self.flow.lang;
        match &bar.part {
            Part::Forbidden { .. } => {
                let title = format!("{table} {range}: {}", lang.pick("禁止读取", "forbidden"));
                canvas.rect_titled("forbidden", at(bar.x, bar.width), &title);
            }
            Part::Request { first, runs } => {
                let scale = bar.width / f64::from(bar.part.count().max(1));
                let (mut x, mut address) = (bar.x, *first);
                for Run { count, wanted } in runs {
                    let run =
                        Part::Request { first: address, runs: vec![Run { count: *count, wanted: *wanted }] };
                    let (class, word) = if *wanted {
                        ("read", lang.pick("要读", "wanted"))
                    } else {
                        ("over", lang.pick("顺带读过", "read over"))
                    };
                    let width = f64::from(*count) * scale;
                    canvas.rect_titled(class, at(x, width), &format!("{table} {}: {word}", run.range()));
                    x += width;
                    address = address.saturating_add(*count);
                }
                canvas.rect("request", bar.x - 1.5, y - 1.5, bar.width + 3.0, BAR_HEIGHT + 3.0, 3.0);
            }
        }
        canvas.text("address", bar.x, y + BAR_HEIGHT + 12.5, Anchor::Start, &range);
    }

    fn readings(&mut self, card: &Card<'a>, y: f64, height: f64) {
        let (flow, lang) = (self.flow, self.flow.lang);
        let (x, width) = READING;
        let middle = y + 21.0;
        self.canvas.path("wire", &format!("M{:.1} {middle:.1}H{:.1}", DEVICE.0 + DEVICE.1, x - 6.0));
        self.tip(x, middle);
        self.canvas.rect("card", x, y, width, height, 8.0);
        let times = if card.times > 1 { format!("{} × ", card.times) } else { String::new() };
        let title = format!(
            "{times}{} {}",
            card.points.len(),
            lang.pick("个读数", if card.points.len() == 1 { "reading" } else { "readings" })
        );
        self.canvas.text("title", x + PAD, y + 26.0, Anchor::Start, &title);
        let assets: BTreeSet<&str> = card.points.iter().map(|point| point.asset.as_str()).collect();
        let assets: Vec<&str> = assets.into_iter().collect();
        let of = wrap(&assets, SMALL, width - 2.0 * PAD, 1).concat();
        self.canvas.text("small", x + PAD, y + 43.0, Anchor::Start, &of);
        // A topic feeds points of one name at many assets.
        let mut names: Vec<&str> = Vec::new();
        for name in card.points.iter().map(|point| flow.point_name(point)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let lines = lines_in(height - HEAD_HEIGHT - 8.0);
        for (line, text) in wrap(&names, 12.0, width - 2.0 * PAD, lines).iter().enumerate() {
            let y = y + HEAD_HEIGHT + 13.0 + float(line) * NAME_LINE;
            self.canvas.text("text", x + PAD, y, Anchor::Start, text);
        }
        self.canvas.path("wire", &format!("M{:.1} {middle:.1}H{COLLECTOR_X:.1}", x + width));
        self.canvas.dot("tap", COLLECTOR_X, middle, 4.0);
        self.taken.push(middle);
    }

    fn sinks(&mut self) {
        let sinks = self.flow.sinks();
        let (x, width) = SINK;
        let height_of = |lines: &Vec<String>| 44.0 + float(lines.len()) * NAME_LINE;
        let all: f64 = sinks.iter().map(|(_, lines)| height_of(lines) + GAP).sum();
        // In the middle of what leads there.
        let mut y = TOP.max(f64::midpoint(TOP, self.y) - all / 2.0);
        for (title, lines) in &sinks {
            let (height, middle) = (height_of(lines), y + 21.0);
            self.canvas.rect("card", x, y, width, height, 8.0);
            self.canvas.text("title", x + PAD, y + 26.0, Anchor::Start, &cut(title, 15.0, width - 2.0 * PAD));
            for (index, line) in lines.iter().enumerate() {
                let at = y + 44.0 + float(index) * NAME_LINE;
                self.canvas.text("text", x + PAD, at, Anchor::Start, &cut(line, 12.0, width - 2.0 * PAD));
            }
            self.canvas.path("wire", &format!("M{COLLECTOR_X:.1} {middle:.1}H{:.1}", x - 6.0));
            self.tip(x, middle);
            self.taken.push(middle);
            y += height + GAP;
        }
        let top = self.taken.iter().copied().fold(f64::MAX, f64::min);
        let bottom = self.taken.iter().copied().fold(f64::MIN, f64::max);
        self.canvas.path("line", &format!("M{COLLECTOR_X:.1} {top:.1}V{bottom:.1}"));
        self.y = self.y.max(y);
    }

    fn legend(&mut self) {
        let lang = self.flow.lang;
        let y = self.y + 8.0;
        let words = [
            ("request", lang.pick("一次请求", "one request")),
            ("read", lang.pick("要读的寄存器", "registers that are wanted")),
            (
                "over",
                lang.pick(
                    "顺带读过的空档(比多问一次便宜)",
                    "a gap, read over because that is quicker than asking twice",
                ),
            ),
            ("forbidden", lang.pick("禁止读取", "forbidden, never asked for")),
        ];
        let mut x = SOURCE.0;
        for (class, word) in words {
            self.canvas.rect(class, x, y, 28.0, BAR_HEIGHT, 2.0);
            self.canvas.text("small", x + 36.0, y + 12.0, Anchor::Start, word);
            x += 36.0 + measure(word, SMALL) + 24.0;
        }
        let time = lang.pick("右侧毫秒数: 总线被占用的时间", "ms on the right: time the bus is busy with it");
        self.canvas.text("small", x, y + 12.0, Anchor::Start, time);
    }

    /// The head of an arrow that ends at a card.
    fn tip(&mut self, x: f64, y: f64) {
        self.canvas.path(
            "tip",
            &format!("M{:.1} {:.1}L{x:.1} {y:.1}L{:.1} {:.1}Z", x - 8.0, y - 4.5, x - 8.0, y + 4.5),
        );
    }
}

fn device_card<'a>(flow: &'a Flow<'a>, group: &Group<'a>) -> Card<'a> {
    let unit = flow.lang.pick("单元", "unit");
    let is_stack = group.devices.len() > 1;
    let names = if is_stack { format!(" · {}", group.names()) } else { String::new() };
    let first = group.devices.first().copied();
    let drawn: Vec<Vec<Strip>> = first.map_or_else(Vec::new, |device| {
        group.forecast.classes.iter().map(|class| strips(device, class)).collect()
    });
    let scale = scale(drawn.iter().flatten());
    let rates = group.forecast.classes.iter().zip(drawn).map(|(class, strips)| RateLines {
        every: flow.rate(class),
        busy: milliseconds(class.busy_us),
        lines: strips.into_iter().flat_map(|strip| placed(strip, scale)).collect(),
    });
    Card {
        title: match (group.devices.len(), flow.lang) {
            (2.., Lang::Zh) => {
                format!("{} 台设备,同 {}", group.devices.len(), first.map_or("", |d| d.id.as_str()))
            }
            _ => group.title(),
        },
        subtitle: format!("{unit} {}{names} · {}", group.units(), asked(flow.lang, group)),
        is_stack,
        rates: rates.collect(),
        points: first
            .into_iter()
            .flat_map(|device| &device.registers)
            .map(|register| &register.point)
            .collect(),
        times: group.devices.len(),
    }
}

fn asked(lang: Lang, group: &Group<'_>) -> String {
    let classes = &group.forecast.classes;
    let requests: usize = classes.iter().map(|class| class.requests.len()).sum();
    let registers: u64 = classes.iter().map(|class| class.registers).sum();
    match lang {
        Lang::Zh => format!("{requests} 次请求, {registers} 个寄存器"),
        Lang::En if requests == 1 => format!("1 request, {registers} registers"),
        Lang::En => format!("{requests} requests, {registers} registers"),
    }
}

fn topic_card<'a>(flow: &'a Flow<'a>, topic: &Topic) -> Card<'a> {
    let payloads = topic.values.iter().map(|value| match (&value.cell, &value.place) {
        (Some(cell), _) => format!("{} @{}", cell.encoding, cell.at),
        (None, Where::Pointer(pointer)) => pointer.clone(),
        (None, Where::Column(Column::Number(column))) => format!("#{}", column + 1),
        (None, Where::Column(Column::Named(name)) | Where::Captures(name)) => name.clone(),
        (None, Where::Whole) => flow.lang.pick("整条消息", "the whole message").to_owned(),
    });
    let payloads: Vec<String> = payloads.collect();
    Card {
        title: topic.pattern.to_string(),
        subtitle: payloads.join(", "),
        is_stack: false,
        rates: Vec::new(),
        points: flow.points_of(topic),
        times: 1,
    }
}

/// Room for bars in a card.
fn bar_room() -> f64 {
    DEVICE.1 - 8.0 - 2.0 * PAD - RATE_WIDTH - TIME_WIDTH
}

/// Pixels of an address, the same for all bars of a device.
fn scale<'a>(strips: impl Iterator<Item = &'a Strip>) -> f64 {
    let fits = |strip: &Strip| {
        let gaps = float(strip.parts.len()) * (BAR_GAP + 20.0);
        (bar_room() - gaps) / f64::from(strip.items().max(1))
    };
    strips.map(fits).fold(SCALE.0, f64::min).max(SCALE.1)
}

/// A table's bars in as many lines as they need.
fn placed(strip: Strip, scale: f64) -> Vec<(&'static str, Vec<Placed>)> {
    let (left, name) = (DEVICE.0 + PAD + RATE_WIDTH, strip.name());
    let mut lines: Vec<(&'static str, Vec<Placed>)> = vec![(name, Vec::new())];
    let mut x = left;
    for part in strip.parts {
        let width = match &part {
            Part::Request { .. } => (f64::from(part.count()) * scale).clamp(BAR_MIN, bar_room()),
            Part::Forbidden { .. } => 22.0,
        };
        let slot = width.max(measure(&part.range(), 10.5));
        if x > left && x + slot > left + bar_room() {
            lines.push(("", Vec::new()));
            x = left;
        }
        if let Some((_, line)) = lines.last_mut() {
            line.push(Placed { x, width, part });
        }
        x += slot + BAR_GAP;
    }
    lines
}

#[expect(clippy::cast_precision_loss, reason = "a count of lines, for their height")]
fn float(count: usize) -> f64 {
    count as f64
}

/// Lines of names that fit in a height; one at least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a height is not negative, and the cast holds at the ends of the range"
)]
fn lines_in(height: f64) -> usize {
    ((height / NAME_LINE).floor() as usize).max(1)
}
