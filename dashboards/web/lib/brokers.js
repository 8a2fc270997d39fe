// What to think of a broker and of a message from it. Pure: what the API says in, a word out.

/** @typedef {import('./types').Broker} Broker */
/** @typedef {import('./types').Fate} Fate */
/** @typedef {import('./types').SeenTopic} SeenTopic */

/** From good to bad; an alarm's priority is another matter. */
const WORDS = /** @type {const} */ (['good', 'waiting', 'late', 'failing', 'turn', 'cut']);

/** @typedef {typeof WORDS[number]} BrokerWord */
/** @typedef {'good' | 'failing' | 'silent' | 'waiting' | 'cut'} FateWord */

/** @param {Broker} broker @returns {BrokerWord} */
export function brokerWord(broker) {
  if (!broker.running) return 'turn';
  if (!broker.connected) return 'cut';
  if (broker.refused.length > 0) return 'failing';
  if (broker.silent_since !== null) return 'late';
  return broker.subscribed && broker.last_message_at !== null ? 'good' : 'waiting';
}

/**
 * Brokers with what to think of them, the troubled first; the order of the configuration otherwise.
 * @param {Broker[]} brokers
 */
export function brokersInTrouble(brokers) {
  const rows = brokers.map((broker) => ({ broker, word: brokerWord(broker) }));
  return rows.sort((a, b) => WORDS.indexOf(b.word) - WORDS.indexOf(a.word));
}

/** @param {Fate} fate @returns {FateWord} */
export function fateWord(fate) {
  if (fate.kind === 'taken') return fate.failed > 0 ? 'failing' : 'good';
  if (fate.kind === 'unmapped') return 'silent';
  return fate.kind === 'dropped' ? 'cut' : 'waiting';
}

/**
 * The topics that hold a text, only those that need a person if asked for; those first either way.
 * @param {SeenTopic[]} topics
 * @param {string} search
 * @param {boolean} open
 */
export function topicsShown(topics, search, open) {
  const lower = search.trim().toLowerCase();
  const rows = topics.map((topic) => ({ topic, word: fateWord(topic.fate) }));
  const shown = rows.filter(({ topic, word }) => topic.topic.toLowerCase().includes(lower) && !(open && word === 'good'));
  return shown.sort((a, b) => Number(a.word === 'good') - Number(b.word === 'good'));
}

/**
 * Where a topic is tried out; with a message, that one.
 * @param {{ broker: string, topic: string, payload?: string | null, hex?: boolean }} of
 */
export function tryHref({ broker, topic, payload, hex }) {
  const wanted = new URLSearchParams({ what: 'mapping', broker, topic });
  if (payload) wanted.set('payload', payload);
  if (payload && hex) wanted.set('hex', '1');
  return `/tester?${wanted}`;
}
