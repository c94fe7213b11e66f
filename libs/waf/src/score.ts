import type { Bytes } from './bytes';
import type { Scores } from './inspector';
import type { Store } from './variables/store';

/** Scores of CRS by what they count, as the answer names them. */
const categories: readonly (readonly [string, Bytes])[] = Object.entries({
  sqli: 'sql_injection_score',
  xss: 'xss_score',
  rfi: 'rfi_score',
  lfi: 'lfi_score',
  rce: 'rce_score',
  php: 'php_injection_score',
  protocol: 'http_violation_score',
  session: 'session_fixation_score',
  prompt: 'llm_score',
});

/** By paranoia level. Release 3 calls the score of requests by no side. */
const inboundNames = [1, 2, 3, 4].map((level) => [`inbound_anomaly_score_pl${level}`, `anomaly_score_pl${level}`]);
const outboundNames = [1, 2, 3, 4].map((level) => [`outbound_anomaly_score_pl${level}`]);

type Score = (name: Bytes) => number;

/** Reads the scores that the rules of CRS keep: one a paranoia level, from which its last rules make totals. */
export function scoresOf(tx: Store): Scores {
  const score: Score = (name) => {
    const text = tx.getFolded(name);
    return text === undefined || text === '0' ? 0 : Number.parseInt(text, 10) || 0;
  };
  const blockingLevel = score('blocking_paranoia_level') || score('paranoia_level') || 1;
  return {
    inbound: sideOf(inboundNames, score, blockingLevel),
    outbound: sideOf(outboundNames, score, blockingLevel),
    categories: countedOf(score),
  };
}

function sideOf(names: readonly (readonly Bytes[])[], score: Score, blockingLevel: number): Scores['inbound'] {
  let detection = 0;
  let blocking = 0;
  names.forEach((spellings, index) => {
    let points = 0;
    for (const name of spellings) points ||= score(name);
    detection += points;
    if (index < blockingLevel) blocking += points;
  });
  return { detection, blocking };
}

function countedOf(score: Score): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const [category, name] of categories) {
    const points = score(name);
    if (points > 0) counted[category] = points;
  }
  return counted;
}
