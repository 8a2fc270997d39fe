//! A work order, its states and the arcs between them.

use super::WorkOrderError;
use crate::alarms::Scope;
use crate::db::document;
use crate::point::{Names, UtcMs};
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has taken it.
    New,
    /// A person has taken it.
    Accepted,
    /// The person says the work is done.
    Done,
    /// The telemetry agrees, and a person has closed it.
    Closed,
}

/// What a person does to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Takes it.
    Accept,
    /// Says that the work is done.
    Finish,
    /// Closes it.
    Close,
}

/// One arc from state to state.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// From here.
    pub from: State,
    /// By this.
    pub act: Act,
    /// To there.
    pub to: State,
    /// Only when no alarm of the order is active.
    pub needs_normal: bool,
}

/// Every arc there is; what is not here is refused.
pub const TRANSITIONS: &[Transition] = &[
    Transition { from: State::New, act: Act::Accept, to: State::Accepted, needs_normal: false },
    Transition { from: State::Accepted, act: Act::Finish, to: State::Done, needs_normal: false },
    Transition { from: State::Done, act: Act::Close, to: State::Closed, needs_normal: true },
];

impl State {
    /// All of them, in the order of an order's life.
    pub const ALL: [State; 4] = [State::New, State::Accepted, State::Done, State::Closed];

    /// The word of the API, the events and the database.
    pub fn word(self) -> &'static str {
        match self {
            State::New => "new",
            State::Accepted => "accepted",
            State::Done => "done",
            State::Closed => "closed",
        }
    }

    /// The inverse of [`State::word`].
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl Act {
    /// All of them.
    pub const ALL: [Act; 3] = [Act::Accept, Act::Finish, Act::Close];

    /// The word of the audit.
    pub fn word(self) -> &'static str {
        match self {
            Act::Accept => "accept",
            Act::Finish => "finish",
            Act::Close => "close",
        }
    }

    /// The kind of the event it leaves.
    pub fn event(self) -> &'static str {
        match self {
            Act::Accept => "work_order.accepted",
            Act::Finish => "work_order.finished",
            Act::Close => "work_order.closed",
        }
    }
}

/// A work order. Serialised it is the body of the events `work_order.*`: times as integer
/// milliseconds, numbers as decimal texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Its number; never reused.
    pub id: i64,
    /// The number a person says: `WO-000012`.
    pub number: String,
    /// Where it stands.
    pub state: State,
    /// With the failure mode the key: at most one order of a key is open.
    pub asset: String,
    /// See `asset`.
    pub failure_mode: String,
    /// The most urgent of its alarms: 1 urgent to 4 low.
    pub priority: u8,
    /// What happened: the message of the alarm that opened it.
    #[serde(with = "document::names")]
    pub title: Names,
    /// What to do: the response text of that alarm.
    #[serde(with = "document::names")]
    pub response: Names,
    /// The point of that alarm; none for the program's own.
    pub point: Option<String>,
    /// The value that raised it.
    pub value: Option<String>,
    /// The limit it passed.
    pub limit: Option<String>,
    /// Unit of both.
    pub unit: String,
    /// Onset of that alarm.
    #[serde(with = "document::utc_ms")]
    pub raised_at: UtcMs,
    /// When the order was opened.
    #[serde(with = "document::utc_ms")]
    pub opened_at: UtcMs,
    /// When it was taken.
    #[serde(with = "document::utc_ms_option")]
    pub accepted_at: Option<UtcMs>,
    /// By whom.
    pub accepted_by: Option<String>,
    /// When the work was said to be done.
    #[serde(with = "document::utc_ms_option")]
    pub done_at: Option<UtcMs>,
    /// By whom.
    pub done_by: Option<String>,
    /// What was done, in that person's words.
    pub note: Option<String>,
    /// When it was closed.
    #[serde(with = "document::utc_ms_option")]
    pub closed_at: Option<UtcMs>,
    /// By whom.
    pub closed_by: Option<String>,
    /// Its alarms, the earliest first.
    pub alarm_ids: Vec<i64>,
    /// Counts its changes, from 1. Who acts says which version was seen.
    pub version: i64,
}

/// One line of an order's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// When.
    pub at: UtcMs,
    /// The person, or the stage itself.
    pub actor: String,
    /// The state before; none for the opening.
    pub from: Option<State>,
    /// The state after; the same where an alarm joined or came back.
    pub to: State,
    /// The alarm that opened the order, joined it or came back.
    pub alarm: Option<i64>,
    /// What was said about it.
    pub note: Option<String>,
}

impl WorkOrder {
    /// How events and audit name it.
    pub fn subject(&self) -> String {
        format!("work_order:{}", self.id)
    }

    /// Whether it is asked for: it was open within the scope.
    pub fn is_in(&self, scope: &Scope) -> bool {
        scope.holds(&self.asset, self.opened_at, self.closed_at)
    }

    /// Follows the arc of an act, or says why not. `active` are the order's alarms whose
    /// condition holds or whose signal does not tell.
    pub fn follow(
        &mut self,
        act: Act,
        by: &str,
        note: Option<&str>,
        at: UtcMs,
        active: &[i64],
    ) -> Result<(), WorkOrderError> {
        let wrong = WorkOrderError::WrongState { id: self.id, state: self.state, act };
        let arc = TRANSITIONS.iter().find(|arc| arc.from == self.state && arc.act == act).ok_or(wrong)?;
        if arc.needs_normal && !active.is_empty() {
            return Err(WorkOrderError::AlarmActive { id: self.id, alarms: active.to_vec() });
        }
        self.state = arc.to;
        self.version += 1;
        let (when, who) = match act {
            Act::Accept => (&mut self.accepted_at, &mut self.accepted_by),
            Act::Finish => (&mut self.done_at, &mut self.done_by),
            Act::Close => (&mut self.closed_at, &mut self.closed_by),
        };
        *when = Some(at);
        *who = Some(by.to_owned());
        if act == Act::Finish {
            self.note = note.map(ToOwned::to_owned);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(state: State) -> WorkOrder {
        WorkOrder {
            id: 12,
            number: "WO-000012".into(),
            state,
            asset: "manifold".into(),
            failure_mode: "low-pressure".into(),
            priority: 1,
            title: Names::default(),
            response: Names::default(),
            point: None,
            value: None,
            limit: None,
            unit: "1".into(),
            raised_at: UtcMs(1),
            opened_at: UtcMs(2),
            accepted_at: None,
            accepted_by: None,
            done_at: None,
            done_by: None,
            note: None,
            closed_at: None,
            closed_by: None,
            alarm_ids: vec![7],
            version: 1,
        }
    }

    #[test]
    fn the_whole_table_of_states_and_acts() {
        // Rows: states; columns: accept, finish, close. `!` where an active alarm forbids it.
        let table = ["accepted - -", "- done -", "- - closed!", "- - -"];
        for (state, row) in State::ALL.into_iter().zip(table) {
            let cells = Act::ALL.map(|act| {
                let to = |active: &[i64]| {
                    let mut order = order(state);
                    order.follow(act, "li", None, UtcMs(9), active).map(|()| order.state.word())
                };
                match (to(&[]), to(&[7])) {
                    (Ok(to), Ok(same)) if to == same => to.to_owned(),
                    (Ok(to), Err(WorkOrderError::AlarmActive { alarms, .. })) if alarms == [7] => {
                        format!("{to}!")
                    }
                    (Err(WorkOrderError::WrongState { .. }), Err(WorkOrderError::WrongState { .. })) => {
                        "-".to_owned()
                    }
                    other => panic!("{state:?} {act:?} {other:?}"),
                }
            });
            assert_eq!(cells.join(" "), row, "{state:?}");
        }
    }

    #[test]
    fn a_refused_act_changes_nothing() {
        let mut order = order(State::Done);
        let before = order.clone();
        assert!(order.follow(Act::Close, "li", None, UtcMs(9), &[7]).is_err());
        assert!(order.follow(Act::Accept, "li", None, UtcMs(9), &[]).is_err());
        assert_eq!(order, before);
    }

    #[test]
    fn an_act_leaves_who_when_and_what() {
        let mut order = order(State::Accepted);
        order.follow(Act::Finish, "li", Some("valve replaced"), UtcMs(9), &[7]).unwrap();
        assert_eq!((order.done_at, order.done_by.as_deref()), (Some(UtcMs(9)), Some("li")));
        assert_eq!((order.note.as_deref(), order.version), (Some("valve replaced"), 2));
    }

    #[test]
    fn states_are_spelled_alike_everywhere() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.word()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }
}
