// `consult`: what auth, rate-limit and waf cost together for one request, both ends, over their real streams.
import { benchConsult } from '../../micro/consult.mjs';

export const title = 'One consult of auth, rate-limit and waf each, all ends together';

export async function systems() {
  return [];
}

export async function run(_, load) {
  const { figures } = await benchConsult(['--seconds', String(load.seconds), '--windows', String(load.windows)]);
  return { rows: figures.rows, ratios: {} };
}
