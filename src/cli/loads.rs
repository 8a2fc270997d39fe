//! How busy each bus of a plan will be, in words: what `check` prints and `graph` draws.

use super::Failure;
use super::columns::{Align, Columns};
use crate::config::{Bus, Cell, Device, Link, Parity, Plan, Serial, Stretch, Table};
use crate::field::modbus::{DeviceForecast, Forecast, PlanError, RequestForecast, forecast};
use std::fmt::Write;

/// Busier than this, in percent, a bus has no room left for retries and dead devices.
pub const UTILISATION_MAX: f64 = 80.0;
/// Rates that serial devices commonly offer, in bits per second.
const BAUDS: [u32; 7] = [9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800];
/// Characters of requests in a line before it is broken.
const READS_CHARS: usize = 64;
/// Devices of a group that are named one by one.
const NAMED_MAX: usize = 6;

/// A bus and what it is in for.
#[derive(Debug)]
pub struct BusLoad<'a> {
    /// The bus.
    pub bus: &'a Bus,
    /// Its forecast.
    pub forecast: Forecast,
}

/// Devices that are asked exactly the same.
#[derive(Debug)]
pub struct Group<'a> {
    /// In the order of the bus; at least one.
    pub devices: Vec<&'a Device>,
    /// That of each of them.
    pub forecast: &'a DeviceForecast,
}

/// The load of every bus of a plan.
///
/// # Errors
/// A register that cannot be asked for, named with its device.
pub fn of_plan(plan: &Plan) -> Result<Vec<BusLoad<'_>>, Failure> {
    plan.buses.iter().map(of_bus).collect()
}

fn of_bus(bus: &Bus) -> Result<BusLoad<'_>, Failure> {
    let seen = forecast(bus).map_err(|error| Failure::Configuration(blame(bus, error)))?;
    Ok(BusLoad { bus, forecast: seen })
}

/// The forecast says what is wrong, not with which register: the first that is refused alone.
pub fn blame(bus: &Bus, error: PlanError) -> String {
    for device in &bus.devices {
        for register in &device.registers {
            let alone = Device { registers: vec![register.clone()], ..device.clone() };
            if let Err(error) = forecast(&Bus { devices: vec![alone], ..bus.clone() }) {
                let place = place(register.cell.table, register.cell.address, register.cell.items());
                return format!(
                    "error: bus {}, device {}, register {} ({place}): {error}",
                    bus.id, device.id, register.point
                );
            }
        }
        if let Err(error) = forecast(&Bus { devices: vec![device.clone()], ..bus.clone() }) {
            return format!("error: bus {}, device {}: {error}", bus.id, device.id);
        }
    }
    format!("error: bus {}: {error}", bus.id)
}

impl<'a> BusLoad<'a> {
    /// Its devices, those that are asked the same together, in the order of the first of each.
    pub fn groups(&'a self) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for (device, seen) in self.bus.devices.iter().zip(&self.forecast.devices) {
            let alike = |group: &&mut Group<'a>| {
                group.forecast.classes == seen.classes
                    && group.devices.first().is_some_and(|first| same_map(first, device))
            };
            match groups.iter_mut().find(alike) {
                Some(group) => group.devices.push(device),
                None => groups.push(Group { devices: vec![device], forecast: seen }),
            }
        }
        groups
    }

    /// The forecast in aligned columns.
    pub fn describe(&self) -> String {
        let seen = &self.forecast;
        let mut text = format!("Bus {} will be asked:\n{}", self.bus.id, self.requests());
        // Writing to a String cannot fail.
        let _written = writeln!(
            text,
            "  In all {:.1} requests/s, {:.1} registers/s: the bus is busy {:.1} % of its time.",
            seen.requests_per_s, seen.registers_per_s, seen.utilisation_percent
        );
        text.push_str(&self.rounds());
        text
    }

    fn requests(&self) -> String {
        use Align::{Left, Right};
        let mut columns = Columns::new(&[Left, Left, Right, Right, Right, Left]);
        columns.push(["device", "every", "requests", "registers", "bus time", "reads (points)"]);
        for group in self.groups() {
            let mut whose = group.title();
            for class in &group.forecast.classes {
                let mut head = [
                    std::mem::take(&mut whose),
                    if class.aligned {
                        format!("{} on the clock", span(class.interval_ms))
                    } else {
                        span(class.interval_ms)
                    },
                    class.requests.len().to_string(),
                    class.registers.to_string(),
                    milliseconds(class.busy_us),
                ];
                for line in reads(&class.requests) {
                    columns.push(std::mem::take(&mut head).into_iter().chain([line]));
                }
            }
        }
        columns.render("  ")
    }

    fn rounds(&self) -> String {
        use Align::{Left, Right};
        let mut columns = Columns::new(&[Left, Right, Right]);
        columns.push(["slowest round of everything", "at first", "once only probed"]);
        for round in &self.forecast.rounds {
            let who = match round.dead {
                0 => "all answer".to_owned(),
                1 => "1 device is dead".to_owned(),
                dead => format!("{dead} devices are dead"),
            };
            columns.push([who, format!("{} ms", round.at_first_ms), format!("{} ms", round.later_ms)]);
        }
        columns.render("  ")
    }

    /// Whether it has too little room left.
    pub fn is_overloaded(&self) -> bool {
        self.forecast.utilisation_percent > UTILISATION_MAX
    }

    /// What is wrong with an overloaded bus, and what would help.
    pub fn complaint(&self) -> Option<String> {
        if !self.is_overloaded() {
            return None;
        }
        let percent = self.forecast.utilisation_percent;
        let factor = (percent / UTILISATION_MAX * 10.0).ceil() / 10.0;
        let mut cures = vec![format!("make its intervals {factor} times as long")];
        cures.extend(self.faster_line());
        if self.bus.devices.len() > 1 {
            let parts = (percent / UTILISATION_MAX).ceil();
            cures.push(format!("split its devices over {parts} buses"));
        }
        let cures = match cures.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{}, or {last}", others.join(", ")),
            _ => cures.concat(),
        };
        Some(format!(
            "bus {} is busy {percent:.0} % of its time; above {UTILISATION_MAX} % a dead device makes \
             the others late: {cures}",
            self.bus.id
        ))
    }

    /// The lowest common baud rate that would do.
    fn faster_line(&self) -> Option<String> {
        let now = self.bus.link.serial()?.baud;
        let percent_at = |baud: u32| {
            let bus = Bus { link: at_baud(&self.bus.link, baud), ..self.bus.clone() };
            forecast(&bus).ok().map(|seen| seen.utilisation_percent)
        };
        let enough = BAUDS
            .into_iter()
            .filter(|baud| *baud > now)
            .find_map(|baud| Some((baud, percent_at(baud).filter(|percent| *percent <= UTILISATION_MAX)?)));
        Some(match enough {
            Some((baud, percent)) => format!("raise the baud rate from {now} to {baud} ({percent:.0} %)"),
            None => format!("raise the baud rate above {now} (not enough alone)"),
        })
    }
}

impl Group<'_> {
    /// `meter-1`, or `12 devices like meter-1`.
    pub fn title(&self) -> String {
        let first = self.devices.first().map_or("", |device| device.id.as_str());
        match self.devices.len() {
            1 => first.to_owned(),
            count => format!("{count} devices like {first}"),
        }
    }

    /// The ids, the middle of many left out.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.devices.iter().map(|device| device.id.as_str()).collect();
        match names.split_at_checked(NAMED_MAX - 1) {
            Some((first, [_, .., last])) => format!("{} ... {last}", first.join(", ")),
            _ => names.join(", "),
        }
    }

    /// The unit ids, neighbours as a range.
    pub fn units(&self) -> String {
        let mut units: Vec<u8> = self.devices.iter().map(|device| device.unit).collect();
        units.sort_unstable();
        let runs = units.chunk_by(|a, b| a.checked_add(1) == Some(*b));
        let run = |run: &[u8]| match (run.first(), run.last()) {
            (Some(first), Some(last)) if first != last => format!("{first}-{last}"),
            (Some(one), _) => one.to_string(),
            _ => String::new(),
        };
        runs.map(run).collect::<Vec<_>>().join(", ")
    }
}

fn same_map(a: &Device, b: &Device) -> bool {
    let cells = |device: &Device| -> Vec<(u64, Vec<Cell>)> {
        device.registers.iter().map(|register| (register.interval_ms, needed(register))).collect()
    };
    let forbidden = |device: &Device| -> Vec<Stretch> { device.limits.forbidden.clone() };
    cells(a) == cells(b) && forbidden(a) == forbidden(b)
}

/// All cells a register's value is made of.
pub fn needed(register: &crate::config::Register) -> Vec<Cell> {
    let told = register.order_from.as_ref().map(|from| from.cell);
    let factors = register.factors.iter().map(|factor| factor.cell);
    std::iter::once(register.cell).chain(told).chain(factors).collect()
}

fn at_baud(link: &Link, baud: u32) -> Link {
    let mut link = link.clone();
    match &mut link {
        Link::Tcp { .. } => {}
        Link::RtuOverTcp { serial, .. } | Link::Rtu { serial, .. } => serial.baud = baud,
    }
    link
}

/// `holding 0-51 (5), 97-142 (7)`: the requests with their points, a line or more for each table.
fn reads(requests: &[RequestForecast]) -> Vec<String> {
    let mut lines = Vec::new();
    for of_table in requests.chunk_by(|a, b| a.table == b.table) {
        let mut line = of_table.first().map_or("", |first| table_word(first.table)).to_owned();
        for request in of_table {
            let item = format!(" {} ({}),", range(request.start, request.count), request.points);
            if line.len() + item.len() > READS_CHARS {
                lines.push(std::mem::replace(&mut line, " ".to_owned()));
            }
            line.push_str(&item);
        }
        line.pop();
        lines.push(line);
    }
    lines
}

/// `holding 97-98`.
pub fn place(table: Table, start: u16, count: u16) -> String {
    format!("{} {}", table_word(table), range(start, count))
}

fn range(start: u16, count: u16) -> String {
    let last = u32::from(start) + u32::from(count.max(1)) - 1;
    if last == u32::from(start) { start.to_string() } else { format!("{start}-{last}") }
}

/// The word of the configuration.
pub fn table_word(table: Table) -> &'static str {
    match table {
        Table::Coil => "coil",
        Table::Discrete => "discrete",
        Table::Holding => "holding",
        Table::Input => "input",
    }
}

/// `15m`, in the spelling of the configuration.
pub fn span(interval_ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let fits = |(factor, _): &(u64, &str)| interval_ms > 0 && interval_ms.is_multiple_of(*factor);
    match units.into_iter().find(fits) {
        Some((factor, unit)) => format!("{}{unit}", interval_ms / factor),
        None => format!("{interval_ms}ms"),
    }
}

/// `9600 8E1`.
pub fn line_settings(serial: Serial) -> String {
    let parity = match serial.parity {
        Parity::None => 'N',
        Parity::Even => 'E',
        Parity::Odd => 'O',
    };
    format!("{} 8{parity}{}", serial.baud, serial.stop_bits)
}

/// `22.3 ms`.
pub fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeviceLimits, Encoding, Register};

    fn bus(link: &str, limits: DeviceLimits, addresses: &[u16]) -> Bus {
        let register = |address: &u16| {
            let point = format!("a/q{address}").parse().unwrap();
            Register::plain(point, 1_000, Cell::new(Table::Holding, *address, Encoding::F32))
        };
        let device = Device {
            id: "meter".parse().unwrap(),
            unit: 1,
            limits,
            zone: jiff::tz::TimeZone::UTC,
            registers: addresses.iter().map(register).collect(),
        };
        Bus {
            id: "line".parse().unwrap(),
            link: link.parse().unwrap(),
            timeout_ms: 1_000,
            turnaround_ms: 0,
            unit_change_ms: 0,
            devices: vec![device],
        }
    }

    fn wrong(limits: DeviceLimits) -> String {
        match of_bus(&bus("h", limits, &[0, 8])) {
            Err(Failure::Configuration(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_named_with_its_device_and_register() {
        let forbidden = vec![Stretch { table: Table::Holding, first: 9, last: 20 }];
        let said = wrong(DeviceLimits { forbidden, ..DeviceLimits::default() });
        assert!(said.starts_with("error: bus line, device meter, register a/q8 (holding 8-9): "), "{said}");
        assert!(said.contains("forbidden stretch 9 to 20"), "{said}");
        let said = wrong(DeviceLimits { registers_max: 1, ..DeviceLimits::default() });
        assert!(said.contains("register a/q0 (holding 0-1)"), "{said}");
    }

    #[test]
    fn what_would_help_depends_on_the_line() {
        let slow = DeviceLimits { latency_ms: 990, ..DeviceLimits::default() };
        let bus = bus("h", slow, &[0]);
        let said = of_bus(&bus).unwrap().complaint().unwrap();
        assert!(said.contains("99 %") && said.ends_with("make its intervals 1.3 times as long"), "{said}");
        let serial = Bus { link: "rtu:///dev/x?baud=300".parse().unwrap(), ..bus };
        let said = of_bus(&serial).unwrap().complaint().unwrap();
        assert!(said.ends_with("or raise the baud rate above 300 (not enough alone)"), "{said}");
    }

    #[test]
    fn units_are_told_as_ranges_and_many_names_are_cut() {
        let one = bus("h", DeviceLimits::default(), &[0]);
        let numbered = |unit: u8| {
            let id = format!("m{unit}").parse().unwrap();
            Device { id, unit, ..one.devices[0].clone() }
        };
        let bus = Bus { devices: [1, 2, 3, 9, 11, 12, 13].into_iter().map(numbered).collect(), ..one };
        let load = of_bus(&bus).unwrap();
        let groups = load.groups();
        assert_eq!((groups.len(), groups[0].title().as_str()), (1, "7 devices like m1"));
        assert_eq!(groups[0].units(), "1-3, 9, 11-13");
        assert_eq!(groups[0].names(), "m1, m2, m3, m9, m11 ... m13");
    }
}
