import type { OperatorKind } from './operator';

/** An operator that asks somebody outside for each request, which no request here waits for. */
function neverMatching(name: string, asks: string): OperatorKind {
  return { name, compile: () => ({ notice: `@${name} never matches: ${asks}`, test: () => false }) };
}

/** `@geoLookup` */
export const geoLookup = neverMatching('geoLookup', 'there is no database of places; GEO stays empty');
/** `@rbl list.example.org` */
export const rbl = neverMatching('rbl', 'no request waits for a name server');
