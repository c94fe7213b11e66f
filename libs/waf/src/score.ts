import type { Bytes } from './bytes';
import type { Scores } from './inspector';
import type { Store } from './variables/store';

/** Scores of CRS by what they count, as the answer names them. */
const categories: Readonly<Record<string, Bytes>> = {
  sqli: 'sql_injection_score',
  xss: 'xss_score',
  rfi: 'rfi_score',
  lfi: 'lfi_score',
  rce: 'rce_score',
  php: 'php_injection_score',
  protocol: 'http_violation_score',
  session: 'session_fixation_score',
};

const LEVELS = [1, 2, 3, 4] as const;

/** Reads the scores that the rules of CRS keep: one a paranoia level in release 4, from which its last rules make totals. */
export function scoresOf(tx: Store): Scores {
  const score = (name: Bytes) => Number.parseInt(tx.getFolded(name) ?? '', 10) || 0;
  const blockingLevel = score('blocking_paranoia_level') || score('paranoia_level') || 1;
  const side = (name: 'inbound' | 'outbound') => {
    const levels = LEVELS.map((level) => levelScore(score, name, level));
    return {
      detection: levels.reduce((sum, each) => sum + each, 0),
      blocking: levels.slice(0, blockingLevel).reduce((sum, each) => sum + each, 0),
    };
  };
  return { inbound: side('inbound'), outbound: side('outbound'), categories: countedOf(score) };
}

/** Release 3 calls the score of requests by no side. */
function levelScore(score: (name: Bytes) => number, side: 'inbound' | 'outbound', level: number): number {
  const own = score(`${side}_anomaly_score_pl${level}`);
  return own === 0 && side === 'inbound' ? score(`anomaly_score_pl${level}`) : own;
}

function countedOf(score: (name: Bytes) => number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(categories)
      .map(([category, name]): [string, number] => [category, score(name)])
      .filter(([, count]) => count > 0),
  );
}
